//! Flags of the exports to tables of other programs.

use std::path::{Path, PathBuf};

use baton_c1z::{C1zFile, RunPaths, Snapshot, Use};
use baton_flags::Field;
use baton_proto::figures::counted;

use super::flags::{self, SYNC_ID};
use super::{Cx, Given};
use crate::error::CliError;
use crate::exported::LeftOut;
use crate::open;

pub(super) const SYNC: Field<String> =
    SYNC_ID.about("export this sync (default: the newest finished one)");
pub(super) const LAYOUT: Field<String> = Field::string(
    "layout",
    "flat: one list of users, entitlements and grants to users; tables: every record, one table \
     per kind",
)
.value_name("layout")
.default("flat");
pub(super) const RAW: Field<bool> = Field::bool(
    "raw",
    "leave cells that a spreadsheet would take for a formula as they are",
);

/// The path of a file that is replaced.
pub(super) const fn replaced_file(default: &'static str) -> Field<PathBuf> {
    Field::path("out", "the file to write; an existing one is replaced").default(default)
}

/// How records are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// The one list of the Go tool.
    Flat,
    /// A table per kind of record.
    Tables,
}

/// The flags that both exports have.
pub(super) struct Export {
    pub out: PathBuf,
    pub layout: Layout,
    pub raw: bool,
    sync_id: Option<String>,
}

impl Export {
    pub fn parse(given: &Given, out: &Field<PathBuf>) -> Result<Self, CliError> {
        let out = flags::output_path(given, out)?;
        if out.file_name().is_none() && !out.is_dir() {
            return Err(CliError::usage(format!("{} names no file", out.display())));
        }
        Ok(Self {
            out,
            layout: match given.config.get(&LAYOUT) {
                "flat" => Layout::Flat,
                "tables" => Layout::Tables,
                other => {
                    return Err(CliError::Usage {
                        message: format!("unknown layout `{other}`"),
                        hint: Some("pass flat or tables with --layout".to_owned()),
                    });
                }
            },
            raw: given.config.get(&RAW),
            sync_id: flags::sync_id(given),
        })
    }

    /// Does work with the sync that the user chose.
    pub fn with_sync<T>(
        &self,
        cx: &mut Cx<'_, '_>,
        work: impl FnOnce(&Snapshot<'_>) -> Result<T, CliError>,
    ) -> Result<T, CliError> {
        let opened: C1zFile = open::open(cx.file, cx.process)?;
        open::warn_of_migration(cx.file, opened.migration(), cx.err);
        let snapshot = open::view(
            &opened,
            cx.file,
            self.sync_id.as_deref(),
            cx.process,
            cx.err,
        )?;
        work(&snapshot)
    }
}

/// Refuses to write onto another file of the run.
pub(super) fn check_targets(file: &Path, targets: &[PathBuf]) -> Result<(), CliError> {
    let mut paths = RunPaths::of_process();
    paths.add("sync file", file, Use::Read)?;
    for target in targets {
        paths.add("output", target, Use::Replace)?;
    }
    Ok(())
}

/// Reports rows that the list of the Go tool has no place for.
pub(super) fn report_left_out(left_out: LeftOut, cx: &mut Cx<'_, '_>) {
    if left_out.grants > 0 {
        cx.err.note(format!(
            "{} to principals that are not users of the file: export every grant with \
             --layout tables",
            counted(left_out.grants, "grant is left out", "grants are left out")
        ));
    }
}
