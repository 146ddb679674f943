//! `config`: the schema of the connector's settings.

use baton_flags::{Command, Positionals};

use crate::schema;
use crate::task::Runs;

pub(super) fn command() -> Command<Runs> {
    Command::new(
        "config",
        "print the schema of the connector's settings, as JSON",
    )
    .positionals(Positionals::Accepted)
    .without_common()
    .runs(Runs::Declared(|presentation, program| {
        schema::print(program, presentation)
    }))
}
