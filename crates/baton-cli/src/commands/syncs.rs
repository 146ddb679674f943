//! `syncs`: answered from the beginning of the file where that suffices.

use baton_c1z::peek;
use baton_flags::Command;
use baton_proto::baton;

use super::run_text::{seconds, token};
use super::{Cmd, Cx, Given, Runs};
use crate::error::CliError;
use crate::json::{self, ListWriter};
use crate::open;
use crate::output::Output;
use crate::table::{Table, id, text};

pub(super) struct Syncs;

impl Cmd for Syncs {
    fn define() -> Command<Runs> {
        Command::new("syncs", "list the syncs in the file")
            .example("the default file", "syncs")
            .example("another file", "syncs -f old.c1z")
            .example("for another program", "syncs -o json")
    }

    fn parse(_: &Given) -> Result<Self, CliError> {
        Ok(Self)
    }

    fn run(self, cx: &mut Cx<'_, '_>) -> Result<(), CliError> {
        let file = cx.file;
        open::must_hold_something(file)?;
        let peeked = peek(file, &open::read_options(cx.surroundings)?)?;
        open::warn_of_migration(file, peeked.migration, cx.err);
        let runs = peeked.runs;
        if cx.output == Output::Json {
            let mut list = ListWriter::new(cx.out, "syncs");
            for run in &runs {
                let shown = baton::v1::SyncOutput {
                    id: run.id.clone(),
                    started_at: run.started_at,
                    ended_at: run.ended_at,
                    sync_token: run.sync_token.clone(),
                    sync_type: run.sync_type.clone(),
                    parent_sync_id: run.parent_sync_id.clone(),
                };
                list.whole(json::whole(&shown, "a sync")?.as_bytes())?;
            }
            return Ok(list.finish()?);
        }
        let rows: Vec<Vec<String>> = runs
            .iter()
            .map(|run| {
                vec![
                    run.id.clone(),
                    seconds(run.started_at.as_ref()).unwrap_or_default(),
                    seconds(run.ended_at.as_ref()).unwrap_or_default(),
                    run.sync_type.clone(),
                    run.parent_sync_id.clone(),
                    token(&run.sync_token, cx),
                ]
            })
            .collect();
        let shown = if cx.verbose { id } else { text };
        let columns = [
            id("ID"),
            text("Started At"),
            text("Ended At"),
            text("Type"),
            id("Parent ID"),
            shown("Token"),
        ];
        Ok(Table::print(&columns, &rows, cx.style(), cx.out)?)
    }
}
