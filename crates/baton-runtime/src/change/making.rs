//! The frame around every change: its record, its run, its result, and the sync
//! after it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use baton_connector::{Call, ChangeSettings, Connector, Random, Recorder, Run};
use baton_term::Block;
use jiff::Timestamp;

use super::audit::{AuditLog, Facts};
use super::operator::Operator;
use super::record::Record;
use super::result::{Brought, ChangeResult};
use super::subject::Subject;
use crate::connector_env::Built;
use crate::context::CommandContext;
use crate::error::{Error, Result};
use crate::exit::ExitStatus;
use crate::flags::{self, ResultForm};
use crate::panics;

/// A change that is about to be made.
pub(crate) struct Making {
    context: CommandContext,
    built: Built,
    target: PathBuf,
    record: Arc<Record>,
}

impl Making {
    /// Checks the settings, before anything is read: what a sync afterwards would
    /// refuse is known before anything is changed.
    pub(crate) fn check(context: &CommandContext) -> Result<PathBuf> {
        let target = context.config().get(&flags::FILE).to_owned();
        if syncs_after(context) {
            context.preflight(&target)?;
        } else {
            context.check_settings()?;
        }
        Ok(target)
    }

    /// Prepares the record, with the audit log if one is asked for.
    pub(crate) async fn new(
        context: CommandContext,
        built: Built,
        target: PathBuf,
        subject: Subject,
    ) -> Result<Self> {
        let env = context.connector_env();
        let log = match context.config().get(&flags::AUDIT_LOG) {
            Some(path) => Some(open_log(&context, &built, path.to_owned(), &target).await?),
            None => None,
        };
        let id = new_id(env.random.as_ref());
        let log = log.map(|log| Arc::new(Mutex::new(log)));
        let record = Arc::new(Record::new(id, subject, log, Arc::clone(&env.clock)));
        Ok(Self {
            context,
            built,
            target,
            record,
        })
    }

    /// Makes the change with `work`, shows its result, and syncs if that is asked
    /// for.
    pub(crate) async fn make<W, R>(self, work: W) -> Result<ExitStatus>
    where
        W: FnOnce(Arc<dyn Connector>, Call) -> R,
        R: Future<Output = Result<Brought>>,
    {
        let Self {
            context,
            built,
            target,
            record,
        } = self;
        let config = context.config();
        let dry_run = config.get(&flags::DRY_RUN);
        let sync_after = syncs_after(&context);
        let run = Run::begin(None);
        let settings = ChangeSettings {
            dry_run,
            force_protected: config.get(&flags::FORCE_PROTECTED),
            await_visible: sync_after,
            recorder: Some(Arc::clone(&record) as Arc<dyn Recorder>),
            client_secret: None,
        };
        let call = run.call().stopped_by(context.cancel().clone());
        let call = call.with_changes(settings);
        let doing = record.subject.doing();
        let ended = panics::guard_async(doing, work(Arc::clone(&built.connector), call)).await;
        drop(run);
        let ended = ended.map_err(|error| Error::Change {
            doing: format!("cannot {}", record.subject.infinitive()),
            source: Box::new(error),
        });
        show(&context, &ChangeResult::new(&record, dry_run, &ended))?;
        let brought = ended?;
        let (failed, wanted) = brought.failed_tickets();
        if failed > 0 && !dry_run {
            return Err(Error::TicketsFailed { failed, wanted });
        }
        if config.get(&flags::SYNC_AFTER) && dry_run {
            context
                .stderr
                .print(Block::new().note("no sync after a dry run"));
        }
        if !sync_after {
            return Ok(ExitStatus::Success);
        }
        sync(&context, built, &target).await
    }
}

fn syncs_after(context: &CommandContext) -> bool {
    let config = context.config();
    config.get(&flags::SYNC_AFTER) && !config.get(&flags::DRY_RUN)
}

fn new_id(random: &dyn Random) -> String {
    format!("{:016x}{:016x}", random.next_u64(), random.next_u64())
}

pub(super) async fn open_log(
    context: &CommandContext,
    built: &Built,
    path: PathBuf,
    target: &Path,
) -> Result<AuditLog> {
    let now = context.connector_env().clock.now();
    let now = Timestamp::try_from(now).unwrap_or_default();
    let mut connector: BTreeMap<_, _> = built.content_facts.clone();
    connector.insert("connector".to_owned(), context.program.to_owned());
    let file = context.cwd().join(target);
    let file = std::fs::canonicalize(&file).unwrap_or(file);
    let facts = Facts {
        program: context.program.to_owned(),
        version: context.version.to_owned(),
        operator: Operator::of_process(),
        connector,
        file: file.to_string_lossy().into_owned(),
        gate: context.stderr.gate(),
    };
    let opening = tokio::task::spawn_blocking(move || AuditLog::open(&path, facts, now));
    let (log, unfinished) = opening.await.unwrap_or(Err(Error::Stopped {
        doing: "opening the audit log",
    }))?;
    for change in unfinished {
        context.stderr.print(Block::new().warning(format!(
            "an earlier run began to {} at {} and ended before it recorded an outcome: check \
             whether the change was made",
            change.begun(),
            change.time
        )));
    }
    Ok(log)
}

/// The result on standard output, and what the user must know on standard error.
fn show(context: &CommandContext, result: &ChangeResult) -> Result<()> {
    for warning in result.warnings() {
        context.stderr.print(Block::new().warning(warning));
    }
    if context.config().get(&flags::OUTPUT) == ResultForm::Json {
        let text = result
            .json()
            .map_err(|source| Error::ResultJson { source })?;
        // Valid JSON, without what must not reach a terminal.
        let text = context.stderr.gate().pass_json(&text).into_owned();
        return context.print(format!("{text}\n").as_bytes());
    }
    let text = result.block().render(&context.stderr.gate(), false);
    context.print(text.as_bytes())
}

/// The ordinary sync of the file.
async fn sync(context: &CommandContext, built: Built, target: &Path) -> Result<ExitStatus> {
    let replaces = matches!(baton_c1z::detect(target), Ok(baton_c1z::Detected::V3));
    if replaces {
        context.stderr.print(Block::new().note(
            "a v3 file holds one sync: the new one takes the place of the one before the change",
        ));
    }
    match context.sync(built, target).await {
        Ok(synced) => Ok(synced.status),
        Err(error) => Err(Error::SyncAfterChange {
            source: Box::new(error),
        }),
    }
}
