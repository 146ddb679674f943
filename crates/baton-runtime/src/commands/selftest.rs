//! `selftest`: tests the connector against its application, for its author.

use std::sync::Arc;
use std::time::Duration;

use baton_connector::Code;
use baton_flags::{Command, Export, Field, IntRules};

use crate::context::CommandContext;
use crate::error::{Error, Result};
use crate::exit::ExitStatus;
use crate::selftest::{self, SelfTest};
use crate::task::{Runs, Task, Writes, body};
use crate::{preflight, signals};

/// Most minutes that a sync of the test can be given: a week.
const MAX_MINUTES: i64 = 7 * 24 * 60;

const TIME_LIMIT: Field<i64> = Field::int(
    "time-limit-minutes",
    "minutes that each sync of the test may take",
)
.value_name("minutes")
.default(30)
.rules(IntRules {
    gt: Some(0),
    lte: Some(MAX_MINUTES),
    ..IntRules::NONE
})
.export(Export::None);

pub(super) fn command() -> Command<Runs> {
    Command::new(
        "selftest",
        "test the connector: sync, stop, resume, compare rows",
    )
    .with_root_fields()
    .field(TIME_LIMIT)
    .runs(Runs::Work(Arc::new(|_| Task {
        doing: "testing the connector".to_owned(),
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
    let scratch = match context.temp_dir()? {
        Some(folder) => tempfile::tempdir_in(folder),
        None => tempfile::tempdir(),
    };
    let scratch = scratch.map_err(|source| Error::Scratch { source })?;
    let minutes = u64::try_from(context.config().get(&TIME_LIMIT)).unwrap_or(1);
    let limit = Duration::from_mins(minutes);
    let test = SelfTest::of_program(&context, &built, scratch.path()).time_limit(limit);
    let checks = test.run().await.map_err(|error| match error.code() {
        // Its syncs are thrown away: there is nothing to resume.
        Code::Canceled => Error::TestStopped,
        _ => error,
    })?;
    let (table, passed) = selftest::table(&checks);
    let text = table.render(&context.stderr.gate(), false);
    context.print(text.as_bytes())?;
    Ok(if passed {
        ExitStatus::Success
    } else {
        ExitStatus::Failed(Code::FailedPrecondition)
    })
}
