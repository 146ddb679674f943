//! `recalculate-stats`: the counts of the rows, stored in the file.

use std::time::Instant;

use baton_c1z::Use;
use baton_flags::{Command, Field};

use super::flags::{self, SYNC_ID};
use super::output_file::{milliseconds, options, print_line};
use super::{Cmd, Cx, Given, Runs};
use super::{OUTPUT_FORMAT, VERBOSE};
use crate::error::CliError;
use crate::open;

const SYNC: Field<String> = SYNC_ID.about("only this sync (default: every finished one)");

pub(super) struct RecalculateStats {
    sync_id: Option<String>,
}

impl Cmd for RecalculateStats {
    fn define() -> Command<Runs> {
        Command::new(
            "recalculate-stats",
            "count rows again and store the counts in the file",
        )
        .field(SYNC)
        .without(OUTPUT_FORMAT)
        .without(VERBOSE)
        .example(
            "count all finished syncs again",
            "recalculate-stats -f sync.c1z",
        )
        .example(
            "count one of them",
            "recalculate-stats --sync-id 2ZkT3nDVXXyhQgyjHWkH5FNWBsB",
        )
    }

    fn parse(given: &Given) -> Result<Self, CliError> {
        Ok(Self {
            sync_id: flags::sync_id(given),
        })
    }

    fn only_shows(&self) -> bool {
        false
    }

    fn uses_file(&self) -> Use {
        Use::Replace
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "elapsed time, for the report only"
    )]
    fn run(self, cx: &mut Cx<'_, '_>) -> Result<(), CliError> {
        open::warn_of_migration_in(cx.file, cx.process, cx.err)?;
        let mut since = Instant::now();
        let mut lines = Vec::new();
        let count = baton_c1z::recalculate_stats(
            cx.file,
            self.sync_id.as_deref(),
            &options(cx.process)?,
            &mut |new| {
                let took = milliseconds(since.elapsed());
                lines.push(format!(
                    " SUCCESS  Recalculated stats for sync {} duration: {took}",
                    new.run.id
                ));
                since = Instant::now();
            },
        )?;
        // Only now are the counts in the file.
        for line in lines {
            print_line(cx.out, &line)?;
        }
        match count {
            0 => writeln!(cx.out, " INFO  No finished syncs found in the c1z")?,
            n => writeln!(cx.out, " INFO  Recalculated stats for {n} sync(s)")?,
        }
        Ok(())
    }
}
