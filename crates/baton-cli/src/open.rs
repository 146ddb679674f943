//! Opening a file and choosing the sync that a command looks at.

use std::path::Path;

use baton_c1z::{
    C1zFile, Detected, Format, Limits, Migration, Peek, ReadOptions, Snapshot, SyncRun, View,
    detect,
};
use baton_term::Printer;

use crate::Process;
use crate::advice::list_syncs;
use crate::error::CliError;

const MEBIBYTE: u64 = 1 << 20;

/// How files are read here.
pub(crate) fn read_options(process: &Process) -> Result<ReadOptions, CliError> {
    let mut limits = Limits::default();
    let cap = process.max_decoded_mb.as_deref();
    if let Some(bytes) = mebibytes("BATON_DECODER_MAX_DECODED_SIZE_MB", cap)? {
        limits.cap_decoded_bytes(bytes);
    }
    let cap = process.max_window_mb.as_deref();
    if let Some(bytes) = mebibytes("BATON_DECODER_MAX_MEMORY_MB", cap)? {
        limits.max_window_bytes = bytes;
    }
    Ok(ReadOptions {
        limits,
        temp_dir: process.temp_dir.clone(),
        ..ReadOptions::default()
    })
}

/// The bytes of a variable in MiB; `None` if it is not set.
fn mebibytes(name: &'static str, value: Option<&str>) -> Result<Option<u64>, CliError> {
    let Some(text) = value.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let number = baton_flags::sources::positive_number(name, text)?;
    Ok(Some(number.saturating_mul(MEBIBYTE)))
}

/// Opens a file that must exist and hold something.
pub(crate) fn open(path: &Path, process: &Process) -> Result<C1zFile, CliError> {
    must_hold_something(path)?;
    Ok(C1zFile::open(path, &read_options(process)?)?)
}

/// Looks at the syncs of a file that must exist and hold something, at its
/// beginning where that suffices.
pub(crate) fn peek(
    path: &Path,
    process: &Process,
    err: &mut Printer<'_>,
) -> Result<Peek, CliError> {
    must_hold_something(path)?;
    let peeked = baton_c1z::peek(path, &read_options(process)?)?;
    warn_of_migration(path, peeked.migration, err);
    Ok(peeked)
}

/// Warns of rows that are not shown as they are stored, because the file has an
/// earlier layout of its format.
pub(crate) fn warn_of_migration(path: &Path, migration: Option<Migration>, err: &mut Printer<'_>) {
    for warning in migration.map_or(Vec::new(), |migration| migration.warnings()) {
        err.warning(format!("{}: {warning}", path.display()));
    }
}

/// As [`warn_of_migration`], for a file that is not open.
pub(crate) fn warn_of_migration_in(
    path: &Path,
    process: &Process,
    err: &mut Printer<'_>,
) -> Result<(), CliError> {
    if detect(path)? != Detected::V3 {
        return Ok(());
    }
    let file = C1zFile::open(path, &read_options(process)?)?;
    warn_of_migration(path, file.migration(), err);
    Ok(())
}

/// Refuses a missing or empty file. To a writer it is an empty store; to a
/// reader it is a mistake.
pub(crate) fn must_hold_something(path: &Path) -> Result<(), CliError> {
    match detect(path)? {
        Detected::Missing | Detected::Empty => Err(CliError::Usage {
            message: format!("{} does not exist or is empty", path.display()),
            hint: Some("pass another file with --file, or run a connector to write one".to_owned()),
        }),
        _ => Ok(()),
    }
}

/// The run of a sync that is not opened: the one asked for, else the newest
/// finished one. Without a finished one, none.
pub(crate) fn run<'p>(
    peeked: &'p Peek,
    path: &Path,
    sync_id: Option<&str>,
    err: &mut Printer<'_>,
) -> Result<Option<&'p SyncRun>, CliError> {
    match sync_id {
        None => Ok(peeked.latest_finished(None)),
        Some(id) if peeked.format == Format::V3 => {
            must_be_sync_id(id, path)?;
            let run = peeked.runs.first();
            warn_of_other_sync(run, id, path, err);
            Ok(run)
        }
        Some(id) => match peeked.runs.iter().find(|run| run.id == id) {
            Some(run) => Ok(Some(run)),
            None => Err(no_such_sync(id, path)),
        },
    }
}

fn must_be_sync_id(id: &str, path: &Path) -> Result<(), CliError> {
    if SyncRun::is_valid_id(id) {
        return Ok(());
    }
    Err(CliError::Usage {
        message: format!("`{id}` is not the id of a sync"),
        hint: Some(list_syncs(&path.display().to_string())),
    })
}

/// Warns if the only sync of a file is not the one that was asked for.
fn warn_of_other_sync(run: Option<&SyncRun>, id: &str, path: &Path, err: &mut Printer<'_>) {
    if let Some(run) = run.filter(|run| run.id != id) {
        err.warning(format!(
            "{} has no sync `{id}`: its only sync is shown, `{}`",
            path.display(),
            run.id
        ));
    }
}

fn no_such_sync(id: &str, path: &Path) -> CliError {
    CliError::NoSuchSync {
        id: id.to_owned(),
        file: path.display().to_string(),
    }
}

/// The sync that a command looks at: the one asked for, else the default.
pub(crate) fn view<'f>(
    file: &'f C1zFile,
    path: &Path,
    sync_id: Option<&str>,
    process: &Process,
    err: &mut Printer<'_>,
) -> Result<Snapshot<'f>, CliError> {
    match sync_id {
        None => Ok(file.view(View::Default { now: process.now })?),
        // A file of one sync shows it for any id that is well formed, as in the
        // Go tool.
        Some(id) if !file.capabilities().many_syncs => {
            must_be_sync_id(id, path)?;
            let run = file.sync_runs().first();
            warn_of_other_sync(run, id, path, err);
            let view = match run {
                Some(run) => file.view(View::Sync(&run.id))?,
                None => file.view(View::AllRows)?,
            };
            Ok(view)
        }
        Some(id) => {
            if !file.sync_runs().iter().any(|run| run.id == id) {
                return Err(no_such_sync(id, path));
            }
            Ok(file.view(View::Sync(id))?)
        }
    }
}
