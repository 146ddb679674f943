//! What the root command does in each of its modes.

use std::sync::Arc;

use baton_flags::Config;

use super::{action_schemas, sync};
use crate::change;
use crate::events;
use crate::flags;
use crate::metering::measured;
use crate::mode::Mode;
use crate::probes;
use crate::service_mode;
use crate::signals::StopMessages;
use crate::task::{Body, Runs, Task, Writes, body};
use crate::tickets;

/// All that depends on the mode.
fn task(mode: Mode, config: &Config) -> Task {
    match mode {
        Mode::Service => Task {
            doing: "serving ConductorOne".to_owned(),
            stop_messages: StopMessages::SERVICE,
            writes: Writes::Nothing,
            lasts: true,
            body: body(service_mode::run),
        },
        Mode::Sync => Task {
            doing: "syncing".to_owned(),
            stop_messages: StopMessages::SYNC,
            writes: Writes::SyncFile,
            lasts: false,
            body: body(sync::sync),
        },
        Mode::Grant => change_task("granting", config, body(change::grant)),
        Mode::Revoke => change_task("revoking", config, body(change::revoke)),
        Mode::Events => Task {
            stop_messages: StopMessages::EVENTS,
            ..read_task("reading events", body(events::events))
        },
        Mode::CreateAccount => {
            change_task("creating an account", config, body(change::create_account))
        }
        Mode::InvokeAction => change_task("running an action", config, body(change::invoke)),
        Mode::ListActions => read_task("listing actions", body(action_schemas::list)),
        Mode::Delete => change_task("deleting a resource", config, body(change::delete)),
        Mode::Rotate => change_task("replacing credentials", config, body(change::rotate)),
        Mode::CreateTicket => change_task("creating a ticket", config, body(tickets::create)),
        Mode::BulkCreateTicket => {
            change_task("creating tickets", config, body(tickets::bulk_create))
        }
        Mode::ListTicketSchemas => read_task("listing ticket schemas", body(tickets::list_schemas)),
        Mode::GetTicket => read_task("reading a ticket", body(tickets::get)),
        Mode::Diff => Task {
            doing: "comparing syncs".to_owned(),
            stop_messages: StopMessages::FILES,
            writes: Writes::SyncFile,
            lasts: false,
            body: body(sync::diff),
        },
        Mode::Compact => Task {
            doing: "compacting syncs".to_owned(),
            stop_messages: StopMessages::FILES,
            writes: Writes::Compaction,
            lasts: false,
            body: body(sync::compact),
        },
    }
}

/// Work that only reads.
fn read_task(doing: &str, body: Body) -> Task {
    Task {
        doing: doing.to_owned(),
        stop_messages: StopMessages::FILES,
        writes: Writes::Nothing,
        lasts: false,
        body,
    }
}

/// A change of access; with `--sync-after` it writes the file that it reads.
fn change_task(doing: &str, config: &Config, body: Body) -> Task {
    Task {
        doing: doing.to_owned(),
        stop_messages: StopMessages::CHANGE,
        writes: if config.get(&flags::SYNC_AFTER) {
            Writes::SyncFile
        } else {
            Writes::Nothing
        },
        lasts: false,
        body,
    }
}

/// The work, once the flags that only some modes have are checked.
fn checked(mode: Mode, body: Body) -> Body {
    Arc::new(move |context| {
        let checked = probes::check_flags(context.config(), mode);
        match checked {
            Ok(()) => body(context),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    })
}

/// What runs the root command.
pub(crate) fn runs() -> Runs {
    Runs::Work(Arc::new(|config| {
        let mode = Mode::of(config);
        let task = measured(mode, config, task(mode, config));
        let body = checked(mode, task.body);
        Task { body, ..task }
    }))
}
