//! `export c1z`: one sync in a file of its own.

use std::path::{Path, PathBuf};

use baton_flags::{Command, Field};
use baton_proto::Advise as _;

use super::flags::{self, SYNC_ID};
use super::output_file::options;
use super::{Cmd, Cx, Given, Runs};
use super::{OUTPUT_FORMAT, VERBOSE};
use crate::advice;
use crate::error::CliError;
use crate::open;

const OUT: Field<PathBuf> = flags::new_file("./latest.c1z");
const SYNC: Field<String> = SYNC_ID.about("copy this sync (default: the newest finished full one)");

pub(super) struct ExportC1z {
    out: PathBuf,
    sync_id: Option<String>,
}

impl Cmd for ExportC1z {
    fn define() -> Command<Runs> {
        Command::new("c1z", "copy one sync into a new file of the same format")
            .field(OUT)
            .field(SYNC)
            .without(OUTPUT_FORMAT)
            .without(VERBOSE)
            .example(
                "the newest finished sync, in a file of its own",
                "export c1z --out newest.c1z",
            )
            .example(
                "one of several syncs",
                "export c1z --sync-id 2ZkT3nDVXXyhQgyjHWkH5FNWBsB --out old.c1z",
            )
    }

    fn parse(given: &Given) -> Result<Self, CliError> {
        Ok(Self {
            out: flags::output_path(given, &OUT)?,
            sync_id: flags::sync_id(given),
        })
    }

    fn output(&self) -> Option<&Path> {
        Some(&self.out)
    }

    fn only_shows(&self) -> bool {
        false
    }

    fn run(self, cx: &mut Cx<'_, '_>) -> Result<(), CliError> {
        open::warn_of_migration_in(cx.file, cx.process, cx.err)?;
        open::must_hold_something(cx.file)?;
        let options = options(cx.process)?;
        baton_c1z::clone_sync(cx.file, self.sync_id.as_deref(), &self.out, &options).map_err(
            |error| match error {
                // The words of the Go tool.
                baton_c1z::Error::Exists { .. } => CliError::Usage {
                    message: format!("clone-sync: {error}"),
                    hint: advice::sentences(&error.advice()).pop(),
                },
                other => other.into(),
            },
        )?;
        Ok(())
    }
}
