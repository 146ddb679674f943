//! `to-pebble`: a v1 file as a v3 file.

use std::path::{Path, PathBuf};

use baton_flags::{Command, Field};
use baton_proto::figures::counted;

use super::flags::{self, SYNC_ID};
use super::output_file::{options, report};
use super::{Cmd, Cx, Given, Runs};
use super::{OUTPUT_FORMAT, VERBOSE};
use crate::error::CliError;

const OUT: Field<PathBuf> = flags::new_file("./sync.pebble.c1z");
const SYNC: Field<String> =
    SYNC_ID.about("convert this sync (default: the newest finished full one)");
const BATCH_SIZE: Field<i64> = Field::int("batch-size", "ignored; accepted for existing scripts")
    .value_name("rows")
    .default(10_000)
    .hidden();
const TMP_DIR: Field<Option<PathBuf>> = Field::path(
    "tmp-dir",
    "where temporary files go (default: BATON_TMPDIR, else the system's folder)",
)
.value_name("folder");

pub(super) struct ToPebble {
    out: PathBuf,
    sync_id: Option<String>,
    temp_dir: Option<PathBuf>,
}

impl Cmd for ToPebble {
    fn define() -> Command<Runs> {
        Command::new(
            "to-pebble",
            "convert one sync of a v1 (SQLite) file to a new v3 (Pebble) file",
        )
        .field(OUT)
        .field(SYNC)
        .field(BATCH_SIZE)
        .field(TMP_DIR)
        .without(OUTPUT_FORMAT)
        .without(VERBOSE)
        .example("convert the default file", "to-pebble --out sync-v3.c1z")
        .example(
            "convert one of several syncs",
            "to-pebble --sync-id 2ZkT3nDVXXyhQgyjHWkH5FNWBsB --out old-v3.c1z",
        )
    }

    fn parse(given: &Given) -> Result<Self, CliError> {
        // Rows are sorted, not fetched in batches; the Go tool refuses 0.
        if given.config.get(&BATCH_SIZE) <= 0 {
            return Err(CliError::usage("batch-size must be greater than zero"));
        }
        Ok(Self {
            out: flags::output_path(given, &OUT)?,
            sync_id: flags::sync_id(given),
            temp_dir: given.config.get(&TMP_DIR).map(ToOwned::to_owned),
        })
    }

    fn output(&self) -> Option<&Path> {
        Some(&self.out)
    }

    fn only_shows(&self) -> bool {
        false
    }

    fn run(self, cx: &mut Cx<'_, '_>) -> Result<(), CliError> {
        let mut options = options(cx.process)?;
        if self.temp_dir.is_some() {
            options.temp_dir = self.temp_dir;
        }
        let done = baton_c1z::to_v3(cx.file, self.sync_id.as_deref(), &self.out, &options)?;
        report(
            "Converted C1Z to Pebble successfully.",
            &self.out,
            &done,
            cx.out,
        )?;
        if done.merged_grants > 0 {
            cx.err.warning(format!(
                "merged {} into others with the same principal and entitlement: format v3 holds \
                 one grant of each pair",
                counted(done.merged_grants, "grant", "grants")
            ));
        }
        if done.dropped_rows > 0 {
            cx.err.warning(format!(
                "left out {} without an id that format v3 needs",
                counted(done.dropped_rows, "row", "rows")
            ));
        }
        Ok(())
    }
}
