//! Grants and revokes from the command line.
//!
//! What is meant is looked up in the sync file, the connector describes the
//! change, and `baton-connector` carries it out. Here are the flags, the audit
//! log, and what the user gets to read.

mod audit;
mod operator;
mod record;
mod result;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use baton_c1z::ReadOptions;
use baton_connector::v2;
use baton_connector::{ChangeSettings, Random, Recorder, Run};
use baton_query::SyncFile;
use baton_term::Block;
use jiff::Timestamp;

use crate::connector_env::Built;
use crate::context::CommandContext;
use crate::error::{Error, Result};
use crate::exit::ExitStatus;
use crate::figures::duration;
use crate::flags::{self, ResultForm};
use crate::panics;

use audit::{AuditLog, Facts, Party};
use operator::Operator;
use record::{Record, Subject};
use result::ChangeResult;

/// A file whose sync ended longer ago is warned of.
const OLD: Duration = Duration::from_hours(24);

/// What is to be changed, with everything that the connector needs to know.
enum Wanted {
    Grant {
        entitlement: Box<v2::Entitlement>,
        principal: Box<v2::Resource>,
    },
    Revoke(Box<v2::Grant>),
}

/// Grants `--grant-entitlement` to `--grant-principal`.
pub(crate) async fn grant(context: CommandContext) -> Result<ExitStatus> {
    let config = context.config();
    let [entitlement, principal, type_id] = [
        flags::GRANT_ENTITLEMENT,
        flags::GRANT_PRINCIPAL,
        flags::GRANT_PRINCIPAL_TYPE,
    ]
    .map(|flag| (flag.name(), config.get(&flag).to_owned()));
    for (flag, value) in [&principal, &type_id] {
        if value.is_empty() {
            return Err(Error::NoProvisioningAction { flag });
        }
    }
    change(context, move |file| {
        Ok(Wanted::Grant {
            entitlement: Box::new(file.entitlement_to_grant(&entitlement.1)?),
            principal: Box::new(file.principal(&type_id.1, &principal.1)?),
        })
    })
    .await
}

/// Revokes `--revoke-grant`.
pub(crate) async fn revoke(context: CommandContext) -> Result<ExitStatus> {
    let id = context.config().get(&flags::REVOKE_GRANT).to_owned();
    change(context, move |file| {
        Ok(Wanted::Revoke(Box::new(file.grant_to_revoke(&id)?)))
    })
    .await
}

async fn change(
    context: CommandContext,
    look_up: impl FnOnce(&SyncFile) -> baton_query::Result<Wanted> + Send + 'static,
) -> Result<ExitStatus> {
    let config = context.config();
    let target = config.get(&flags::FILE).to_owned();
    let dry_run = config.get(&flags::DRY_RUN);
    let sync_after = config.get(&flags::SYNC_AFTER) && !dry_run;
    if sync_after {
        // What the sync would refuse is known before anything is changed.
        context.preflight(&target)?;
    } else {
        context.check_settings()?;
    }
    let (wanted, ended_at) = read(&context, &target, look_up).await?;
    warn_of_old_file(&context, &target, ended_at);
    let built = context.connect()?;
    context.check_announced(&built).await?;
    let record = Arc::new(record(&context, &built, &target, subject(&wanted)).await?);
    let run = Run::begin(None);
    let settings = ChangeSettings {
        dry_run,
        force_protected: config.get(&flags::FORCE_PROTECTED),
        await_visible: sync_after,
        recorder: Some(Arc::clone(&record) as Arc<dyn Recorder>),
    };
    let call = run
        .call()
        .stopped_by(context.cancel().clone())
        .with_changes(settings);
    let doing = match wanted {
        Wanted::Grant { .. } => "granting",
        Wanted::Revoke(_) => "revoking",
    };
    let ended = panics::guard_async(doing, async {
        let connector = built.connector.provisioning();
        Ok(match (&wanted, connector) {
            (_, None) => return Err(no_provisioner(&wanted)),
            (
                Wanted::Grant {
                    entitlement,
                    principal,
                },
                Some(connector),
            ) => connector.grant(&call, entitlement, principal).await?.grants,
            (Wanted::Revoke(grant), Some(connector)) => {
                connector.revoke(&call, grant).await?;
                Vec::new()
            }
        })
    })
    .await;
    drop(run);
    let ended = ended.map_err(|error| Error::Change {
        doing: record.subject.failure(),
        source: Box::new(error),
    });
    let result = ChangeResult::new(&record, dry_run, &ended);
    show(&context, &result)?;
    ended?;
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

/// Looks up what is meant, off the threads that drive requests.
async fn read<T: Send + 'static>(
    context: &CommandContext,
    target: &Path,
    look_up: impl FnOnce(&SyncFile) -> baton_query::Result<T> + Send + 'static,
) -> Result<(T, SystemTime)> {
    let options = ReadOptions {
        limits: context.storage.limits.clone(),
        temp_dir: context.temp_dir()?,
        ..ReadOptions::default()
    };
    let path = target.to_owned();
    let reading = tokio::task::spawn_blocking(move || {
        panics::guard("looking up in the sync file", || {
            let file = SyncFile::open(&path, &options)?;
            Ok((look_up(&file)?, file.ended_at()))
        })
    });
    reading.await.unwrap_or(Err(Error::Stopped {
        doing: "the look-up in the sync file",
    }))
}

fn warn_of_old_file(context: &CommandContext, target: &Path, ended_at: SystemTime) {
    let now = context.connector_env().clock.now();
    if let Ok(age) = now.duration_since(ended_at)
        && age > OLD
    {
        context.stderr.print(Block::new().warning(format!(
            "{} was synced {} ago; access may be different now",
            target.strip_prefix(context.cwd()).unwrap_or(target).display(),
            duration(age)
        )));
    }
}

fn party(resource: Option<&v2::Resource>) -> Party {
    let id = resource.and_then(|resource| resource.id.clone());
    let id = id.unwrap_or_default();
    Party {
        type_id: id.resource_type,
        id: id.resource,
        name: resource.map_or_else(String::new, |resource| resource.display_name.clone()),
    }
}

fn subject(wanted: &Wanted) -> Subject {
    let entitlement = |entitlement: &v2::Entitlement| Party {
        type_id: party(entitlement.resource.as_ref()).type_id,
        id: entitlement.id.clone(),
        name: entitlement.display_name.clone(),
    };
    match wanted {
        Wanted::Grant {
            entitlement: of,
            principal,
        } => Subject {
            operation: "grant",
            entitlement: entitlement(of),
            principal: party(Some(principal)),
            grant: String::new(),
        },
        Wanted::Revoke(grant) => Subject {
            operation: "revoke",
            entitlement: grant
                .entitlement
                .as_ref()
                .map(entitlement)
                .unwrap_or_default(),
            principal: party(grant.principal.as_ref()),
            grant: grant.id.clone(),
        },
    }
}

fn no_provisioner(wanted: &Wanted) -> Error {
    let type_id = subject(wanted).entitlement.type_id;
    baton_connector::Error::NoProvisioner { type_id }.into()
}

/// The recorder, with the audit log if one is asked for.
async fn record(
    context: &CommandContext,
    built: &Built,
    target: &Path,
    subject: Subject,
) -> Result<Record> {
    let env = context.connector_env();
    let log = match context.config().get(&flags::AUDIT_LOG) {
        Some(path) => Some(open_log(context, built, path.to_owned(), target).await?),
        None => None,
    };
    let id = new_id(env.random.as_ref());
    Ok(Record::new(id, subject, log, Arc::clone(&env.clock)))
}

fn new_id(random: &dyn Random) -> String {
    format!("{:016x}{:016x}", random.next_u64(), random.next_u64())
}

async fn open_log(
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
        let (verb, link) = match change.operation.as_str() {
            "revoke" => ("revoke", "from"),
            _ => ("grant", "to"),
        };
        context.stderr.print(Block::new().warning(format!(
            "an earlier run began to {verb} `{}` {link} `{}` at {} and ended before it recorded \
             an outcome: check whether the change was made",
            change.entitlement.id, change.principal.id, change.time
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
