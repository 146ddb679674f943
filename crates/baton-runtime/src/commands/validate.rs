//! `validate`: does the application accept the settings and credentials?

use std::sync::Arc;

use baton_connector::Run;
use baton_flags::Command;

use crate::context::CommandContext;
use crate::error::Result;
use crate::exit::ExitStatus;
use crate::task::{Runs, Task, Writes, body};
use crate::{panics, preflight, signals};

pub(super) fn command() -> Command<Runs> {
    Command::new(
        "validate",
        "check settings and credentials, without a sync or a file",
    )
    .with_root_fields()
    .runs(Runs::Work(Arc::new(|_| Task {
        doing: "checking the credentials".to_owned(),
        stop_messages: signals::StopMessages::FILES,
        writes: Writes::Nothing,
        lasts: false,
        body: body(run),
    })))
}

async fn run(context: CommandContext) -> Result<ExitStatus> {
    preflight::check_values(context.config())?;
    let built = context.connect()?;
    context.check_announced(&built).await?;
    let run = Run::begin(None);
    let call = run.call().stopped_by(context.cancel().clone());
    panics::guard_async("checking the credentials", async {
        Ok(built.connector.validate(&call).await?)
    })
    .await?;
    context.print(b"settings and credentials are accepted\n")?;
    Ok(ExitStatus::Success)
}
