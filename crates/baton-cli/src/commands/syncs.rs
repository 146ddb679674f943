//! `syncs`: answered from the beginning of the file where that suffices.

use baton_c1z::SyncRun;
use baton_flags::{Command, Field};
use baton_proto::baton;

use super::filters::{LIMIT, limit};
use super::flags::{self, SYNC_ID};
use super::run_text::{seconds, shows_tokens, token};
use super::{Cmd, Cx, Given, Runs};
use crate::error::CliError;
use crate::json;
use crate::open;
use crate::rows::{RowSource, Visit};
use crate::table::{Column, id, text};

const ONE: Field<String> = SYNC_ID.about("only this sync");

pub(super) struct Syncs {
    sync_id: Option<String>,
    limit: Option<u64>,
}

impl Cmd for Syncs {
    fn define() -> Command<Runs> {
        Command::new("syncs", "list the syncs in the file")
            .field(LIMIT)
            .field(ONE)
            .example("the default file", "syncs")
            .example("another file", "syncs -f old.c1z")
            .example("for another program", "syncs -o json")
    }

    fn parse(given: &Given) -> Result<Self, CliError> {
        Ok(Self {
            sync_id: flags::sync_id(given),
            limit: limit(given)?,
        })
    }

    fn run(self, cx: &mut Cx<'_, '_>) -> Result<(), CliError> {
        let peeked = open::peek(cx.file, cx.process, cx.err)?;
        let mut runs = match &self.sync_id {
            None => peeked.runs.as_slice(),
            Some(id) => {
                let run = open::run(&peeked, cx.file, Some(id), cx.err)?;
                run.map_or(&[][..], std::slice::from_ref)
            }
        };
        if let Some(limit) = self.limit.and_then(|limit| usize::try_from(limit).ok()) {
            runs = runs.get(..limit).unwrap_or(runs);
        }
        // A whole token is copied to be used elsewhere; its size is not.
        let token_column = if cx.verbose { id } else { text };
        let mut source = SyncSource {
            runs,
            columns: [
                id("ID"),
                text("Started At"),
                text("Ended At"),
                text("Type"),
                id("Parent ID"),
                token_column("Token"),
            ],
            shows_tokens: shows_tokens(cx),
        };
        let sink = cx.output.sink(cx.style());
        sink.write(&mut source, cx.out)
    }
}

/// The syncs of a file.
struct SyncSource<'r> {
    runs: &'r [SyncRun],
    columns: [Column; 6],
    shows_tokens: bool,
}

impl RowSource for SyncSource<'_> {
    fn key(&self) -> &'static str {
        "syncs"
    }

    fn columns(&self) -> &[Column] {
        &self.columns
    }

    fn cells(&mut self, visit: &mut Visit<'_, [String]>) -> Result<(), CliError> {
        self.runs.iter().try_for_each(|run| {
            visit(&[
                run.id.clone(),
                seconds(run.started_at.as_ref()).unwrap_or_default(),
                seconds(run.ended_at.as_ref()).unwrap_or_default(),
                run.sync_type.clone(),
                run.parent_sync_id.clone(),
                token(&run.sync_token, self.shows_tokens),
            ])
        })
    }

    fn objects(&mut self, visit: &mut Visit<'_, [u8]>) -> Result<(), CliError> {
        self.runs.iter().try_for_each(|run| {
            let shown = baton::v1::SyncOutput {
                id: run.id.clone(),
                started_at: run.started_at,
                ended_at: run.ended_at,
                sync_token: run.sync_token.clone(),
                sync_type: run.sync_type.clone(),
                parent_sync_id: run.parent_sync_id.clone(),
            };
            visit(json::whole(&shown, "a sync")?.as_bytes())
        })
    }
}
