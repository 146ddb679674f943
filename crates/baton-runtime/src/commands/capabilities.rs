//! `capabilities`: what the connector can do.

use std::sync::Arc;

use baton_flags::{Command, Positionals};
use baton_proto::c1::connector::v2::ConnectorCapabilities;
use baton_proto::{any, json};

use crate::context::CommandContext;
use crate::error::{Error, Result};
use crate::exit::ExitStatus;
use crate::preflight;
use crate::signals;
use crate::task::{Runs, Task, Writes, body};

pub(super) fn command() -> Command<Runs> {
    Command::new("capabilities", "print what the connector can do, as JSON")
        .positionals(Positionals::Accepted)
        .with_root_fields()
        .without_settings()
        .runs(Runs::Work(Arc::new(|_| Task {
            doing: "reading the connector's capabilities".to_owned(),
            stop_messages: signals::StopMessages::SYNC,
            writes: Writes::Nothing,
            lasts: false,
            body: body(run),
        })))
}

async fn run(context: CommandContext) -> Result<ExitStatus> {
    preflight::check_values(context.config())?;
    let announced = if context.asks_connector {
        let built = context.connect()?;
        context.metadata(&built).await?.capabilities
    } else {
        context.announced()?
    };
    let mut capabilities = announced.ok_or(Error::NoCapabilities)?;
    // Readers expect the key, also if it is empty.
    capabilities.credential_details.get_or_insert_default();
    context.print(printed(&capabilities)?.as_bytes())?;
    Ok(ExitStatus::Success)
}

/// The capabilities message, indented by two, without a line break at the end (§7.2).
fn printed(capabilities: &ConnectorCapabilities) -> Result<String> {
    let options = json::Options {
        indent: Some(2),
        ..json::Options::default()
    };
    json::to_string(&any::pack(capabilities), &options).map_err(|source| Error::Print {
        what: "the capabilities",
        source,
    })
}
