//! `config`: the schema of the connector's settings.

use baton_flags::{Command, Positionals};

use super::Runs;
use crate::schema;

pub(super) fn command() -> Command<Runs> {
    Command::new(
        "config",
        "print the schema of the connector's settings, as JSON",
    )
    .positionals(Positionals::Accepted)
    .without_common()
    .runs(Runs::Declared(|app, program| {
        schema::print(program, &app.presentation)
    }))
}
