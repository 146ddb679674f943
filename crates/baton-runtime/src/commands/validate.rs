//! `validate`: does the application accept the settings and credentials?

use std::sync::Arc;

use baton_connector::Run;
use baton_flags::Command;

use super::{Runs, Task, Writes, body};
use crate::error::Result;
use crate::exit::ExitStatus;
use crate::session::Session;
use crate::{panics, preflight, signals};

pub(super) fn command() -> Command<Runs> {
    Command::new(
        "validate",
        "check settings and credentials, without a sync or a file",
    )
    .with_root_fields()
    .runs(Runs::Work(Arc::new(|_| Task {
        doing: "checking the credentials".to_owned(),
        words: signals::Words::FILES,
        writes: Writes::Nothing,
        body: body(run),
    })))
}

async fn run(session: Session) -> Result<ExitStatus> {
    preflight::check_values(session.config())?;
    let built = session.connect()?;
    session.check_announced(&built).await?;
    let run = Run::begin(None);
    let call = run.call().stopped_by(session.cancel().clone());
    panics::guard_async("checking the credentials", async {
        Ok(built.connector.validate(&call).await?)
    })
    .await?;
    session.print(b"settings and credentials are accepted\n")?;
    Ok(ExitStatus::Success)
}
