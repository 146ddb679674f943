//! `config`: the schema of the connector's settings.

use baton_flags::{Command, Words};

use super::Runs;
use crate::schema;

pub(super) fn command() -> Command<Runs> {
    Command::new(
        "config",
        "print the schema of the connector's settings, as JSON",
    )
    .words(Words::Accepted)
    .without_common()
    .runs(Runs::Declared(|app, program| {
        schema::print(program, &app.presentation)
    }))
}
