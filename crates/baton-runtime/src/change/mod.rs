//! Changes from the command line: grants and revokes, accounts, deletions,
//! credentials, actions.
//!
//! What is meant is looked up in the sync file, the connector describes the
//! change, and `baton-connector` carries it out. Here are the flags, the audit
//! log, and what the user gets to read.

mod accounts;
mod actions;
mod audit;
mod confirm;
mod delete;
mod json_object;
mod making;
mod named;
mod of_task;
mod operator;
mod record;
mod result;
mod rotate;
mod secrets;
mod subject;

use std::path::Path;
use std::time::{Duration, SystemTime};

use baton_c1z::ReadOptions;
use baton_connector::v2;
use baton_query::SyncFile;
use baton_term::Block;

use crate::context::CommandContext;
use crate::error::{Error, Result};
use crate::exit::ExitStatus;
use crate::figures::duration;
use crate::flags;
use crate::panics;

pub(crate) use accounts::create_account;
pub(crate) use actions::invoke;
pub(crate) use delete::delete;
pub(crate) use rotate::rotate;

pub(crate) use making::Making;
pub(crate) use of_task::TaskChanges;
pub(crate) use result::{Brought, TicketPart, json_of};
pub(crate) use subject::Subject;

use audit::Party;

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
    let target = Making::check(&context)?;
    let (wanted, ended_at) = read(&context, &target, look_up).await?;
    warn_of_old_file(&context, &target, ended_at);
    let built = context.connect()?;
    context.check_announced(&built).await?;
    let subject = subject(&wanted);
    let making = Making::new(context, built, target, subject).await?;
    making
        .make(async |connector, call| {
            let connector = connector.provisioning();
            let connector = connector.ok_or_else(|| no_provisioner(&wanted))?;
            let grants = match &wanted {
                Wanted::Grant {
                    entitlement,
                    principal,
                } => connector.grant(&call, entitlement, principal).await?.grants,
                Wanted::Revoke(grant) => {
                    connector.revoke(&call, grant).await?;
                    Vec::new()
                }
            };
            Ok(Brought {
                grants,
                ..Brought::default()
            })
        })
        .await
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

fn entitlement_party(entitlement: &v2::Entitlement) -> Party {
    Party {
        type_id: party(entitlement.resource.as_ref()).type_id,
        id: entitlement.id.clone(),
        name: entitlement.display_name.clone(),
    }
}

fn subject_of_grant(entitlement: &v2::Entitlement, principal: Option<&v2::Resource>) -> Subject {
    Subject::Grant {
        entitlement: entitlement_party(entitlement),
        principal: party(principal),
    }
}

fn subject_of_revoke(grant: &v2::Grant) -> Subject {
    let entitlement = grant.entitlement.as_ref();
    Subject::Revoke {
        entitlement: entitlement.map(entitlement_party).unwrap_or_default(),
        principal: party(grant.principal.as_ref()),
        grant: grant.id.clone(),
    }
}

fn subject(wanted: &Wanted) -> Subject {
    match wanted {
        Wanted::Grant {
            entitlement,
            principal,
        } => subject_of_grant(entitlement, Some(principal)),
        Wanted::Revoke(grant) => subject_of_revoke(grant),
    }
}

fn no_provisioner(wanted: &Wanted) -> Error {
    let resource = match wanted {
        Wanted::Grant { entitlement, .. } => entitlement.resource.as_ref(),
        Wanted::Revoke(grant) => grant
            .entitlement
            .as_ref()
            .and_then(|of| of.resource.as_ref()),
    };
    let type_id = party(resource).type_id;
    baton_connector::Error::NoProvisioner { type_id }.into()
}
