//! Operations on whole files: a copy of one sync, new counts, the bare
//! database. Sources are only read. An output appears whole, or there is none.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use baton_proto::c1::c1z::v3::SyncRunSummary;

use crate::envelope::{Detected, detect};
use crate::error::{Error, Result};
use crate::files::SystemFiles;
use crate::paths::{RunPaths, Use};
use crate::room::{self, Work};
use crate::run::latest_finished;
use crate::run::{Stats, SyncRun, SyncType};
use crate::save::{self, Saver};
use crate::scratch::Scratch;
use crate::sort::Place;
use crate::stop::Stop;
use crate::store::Store;
use crate::workdir::WorkDir;
use crate::{Limits, ReadOptions, SealPlan, v1, v3};

/// Bytes copied at a time.
const COPIED_BYTES: usize = 256 << 10;

/// How files are read and written here.
#[derive(Debug, Clone)]
pub struct RewriteOptions {
    /// Bounds on decompressing the source.
    pub limits: Limits,
    /// Folder for private copies; `None`: the system's.
    pub temp_dir: Option<PathBuf>,
    /// zstd level of what is written.
    pub compression_level: i32,
    /// The present time, recorded with counts in format v3.
    pub now: SystemTime,
    /// Bytes of memory for sorting; what does not fit goes to the folder.
    pub memory_budget_bytes: usize,
    /// Ends merges early.
    pub stop: Stop,
}

impl Default for RewriteOptions {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            temp_dir: None,
            compression_level: SealPlan::COMPRESSION_LEVEL,
            now: SystemTime::UNIX_EPOCH,
            memory_budget_bytes: SealPlan::MEMORY_BUDGET_BYTES,
            stop: Stop::default(),
        }
    }
}

impl RewriteOptions {
    /// Where to sort, beside another sorter.
    pub(crate) fn place(&self, scratch: &Scratch, name: &'static str) -> Place {
        Place {
            files: Arc::new(SystemFiles),
            dir: scratch.folder_path().to_owned(),
            name,
            budget_bytes: self.memory_budget_bytes / 2,
        }
    }

    pub(crate) fn read_options(&self) -> ReadOptions {
        ReadOptions {
            limits: self.limits.clone(),
            temp_dir: self.temp_dir.clone(),
            ..ReadOptions::default()
        }
    }
}

/// A file that is changed in place. Other processes that respect its lock do
/// not work on it at the same time; a change by any other process is detected
/// before it is overwritten.
pub(crate) struct InPlace {
    dir: WorkDir,
    /// Replaces the file.
    pub saver: Saver,
}

impl InPlace {
    /// # Errors
    /// [`Error::Busy`] if a sync or another process works on the file.
    pub(crate) fn begin(path: &Path, options: &RewriteOptions) -> Result<Self> {
        let dir = WorkDir::locate(path, options.temp_dir.as_deref(), options.now)?;
        let saver = Saver::locked(Arc::new(SystemFiles)).expecting(path)?;
        Ok(Self { dir, saver })
    }
}

impl Drop for InPlace {
    fn drop(&mut self) {
        // Work that waits there to be resumed stays.
        if !self.dir.has_work() {
            // An empty folder that cannot be removed is used by the next run.
            let _ = self.dir.remove();
        }
    }
}

/// The counts that [`recalculate_stats`] has just found.
#[derive(Debug, Clone, Copy)]
pub struct NewStats<'a> {
    /// The sync, with its old counts.
    pub run: &'a SyncRun,
    /// Its new counts.
    pub stats: &'a Stats,
}

/// What [`dump`] has made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dumped {
    /// One file: a SQLite database.
    Database,
    /// A folder: a Pebble database.
    Folder,
}

/// Refuses a path where there is something, a dangling link included.
pub(crate) fn must_not_exist(path: &Path) -> Result<()> {
    match path.symlink_metadata() {
        Ok(_) => Err(Error::Exists {
            path: path.to_owned(),
        }),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        Err(e) => Err(Error::io("look at", path, e)),
    }
}

/// The size of a file.
pub(crate) fn file_bytes(path: &Path) -> Result<u64> {
    path.metadata()
        .map(|found| found.len())
        .map_err(|e| Error::io("look at", path, e))
}

/// The run to copy: the one asked for, which must have ended, else the newest
/// finished full one.
fn chosen(path: &Path, runs: &[SyncRun], id: Option<&str>) -> Result<SyncRun> {
    let Some(id) = id else {
        return latest_finished(runs, Some(&[SyncType::Full]))
            .cloned()
            .ok_or_else(|| Error::NoFullSync {
                path: path.to_owned(),
            });
    };
    match runs.iter().find(|run| run.id == id) {
        None => Err(Error::NoSuchSync {
            path: path.to_owned(),
            id: id.to_owned(),
        }),
        Some(run) if !run.is_finished() => Err(Error::Unfinished {
            path: path.to_owned(),
            id: id.to_owned(),
        }),
        Some(run) => Ok(run.clone()),
    }
}

/// Copies one sync into the new file `target` of the same format: by default
/// the newest finished full one (c1z specification §3.3). Gives its run.
///
/// # Errors
/// [`Error::Exists`], [`Error::NoSuchSync`], [`Error::NoFullSync`],
/// [`Error::Unfinished`], and those of reading and writing. There is then no
/// target.
pub fn clone_sync(
    source: &Path,
    sync_id: Option<&str>,
    target: &Path,
    options: &RewriteOptions,
) -> Result<SyncRun> {
    must_not_exist(target)?;
    match detect(source)? {
        Detected::Missing | Detected::Empty => Err(Error::NoFullSync {
            path: source.to_owned(),
        }),
        Detected::V1 => {
            let (reader, _) = v1::Reader::open_kept(source, &options.read_options())?;
            let run = chosen(source, &reader.runs()?, sync_id)?;
            v1::clone_sync(reader, &run.id, source, target, options)?;
            Ok(run)
        }
        Detected::V3 => {
            let (reader, _) = v3::Reader::open(source, &options.read_options())?;
            let run = chosen(source, &reader.runs()?, sync_id)?;
            let saver = Saver::new_file();
            rewrite_v3(&reader, (source, target), saver, options, |summary| {
                v3::Rewrite {
                    stats: None,
                    without_state: true,
                    summary,
                }
            })?;
            Ok(run)
        }
    }
}

fn rewrite_v3<'a>(
    reader: &v3::Reader,
    (source, target): (&Path, &Path),
    saver: Saver,
    options: &RewriteOptions,
    how: impl FnOnce(Option<SyncRunSummary>) -> v3::Rewrite<'a>,
) -> Result<()> {
    let (encoding, mut summaries) = v3::read_summary(source)?;
    let needed = room::rewritten(file_bytes(source)?, true);
    let scratch = Scratch::with_room(options.temp_dir.as_deref(), needed, Work::Rewrite)?;
    let write = v3::WriteOptions {
        target: target.to_owned(),
        saver,
        place: options.place(&scratch, "v3"),
        encoding,
        compression_level: options.compression_level,
        written_at: options.now.into(),
    };
    v3::rewrite(reader, &write, how(summaries.pop()))?;
    Ok(())
}

/// Counts the rows of a sync, or of every finished one, and stores the counts
/// in the file, which is replaced as a whole. `report` is called per sync.
/// Returns the number of syncs; with none, the file is left alone.
///
/// # Errors
/// [`Error::NoSuchSync`]; [`Error::Busy`] while a sync works on the file;
/// those of reading and writing. The file is then what it was.
pub fn recalculate_stats(
    path: &Path,
    sync_id: Option<&str>,
    options: &RewriteOptions,
    report: &mut dyn FnMut(&NewStats<'_>),
) -> Result<usize> {
    let wanted = |runs: Vec<SyncRun>| -> Result<Vec<SyncRun>> {
        match sync_id {
            None => Ok(runs.into_iter().filter(SyncRun::is_finished).collect()),
            Some(id) => runs
                .into_iter()
                .find(|run| run.id == id)
                .map(|run| vec![run])
                .ok_or_else(|| Error::NoSuchSync {
                    path: path.to_owned(),
                    id: id.to_owned(),
                }),
        }
    };
    match detect(path)? {
        Detected::Missing | Detected::Empty => Ok(wanted(Vec::new())?.len()),
        Detected::V1 => {
            let held = InPlace::begin(path, options)?;
            let (reader, _) = v1::Reader::open_kept(path, &options.read_options())?;
            let runs = wanted(reader.runs()?)?;
            if !runs.is_empty() {
                v1::restat(reader, &runs, (path, &held.saver), options, report)?;
            }
            Ok(runs.len())
        }
        Detected::V3 => {
            let held = InPlace::begin(path, options)?;
            let (reader, _) = v3::Reader::open(path, &options.read_options())?;
            let runs = wanted(reader.runs()?)?;
            if let [run] = runs.as_slice() {
                let mut stats = reader.compute_stats(None)?;
                stats.keep_history_of(run);
                report(&NewStats { run, stats: &stats });
                rewrite_v3(&reader, (path, path), held.saver.clone(), options, |_| {
                    v3::Rewrite {
                        stats: Some((run, &stats)),
                        without_state: false,
                        summary: None,
                    }
                })?;
            }
            Ok(runs.len())
        }
    }
}

/// Writes the bare database of `path` to `out`: for v1 a file, which must not
/// exist; for v3 a folder, which must be empty or not exist.
///
/// # Errors
/// [`Error::NoFile`]; [`Error::Exists`]; [`Error::SameFile`] if `out` is the file itself; those of
/// reading and writing.
pub fn dump(path: &Path, out: &Path, options: &RewriteOptions) -> Result<Dumped> {
    let mut run = RunPaths::new();
    run.add("sync file", path, Use::Read)?;
    run.add("output", out, Use::Replace)?;
    match detect(path)? {
        Detected::Missing | Detected::Empty => Err(Error::NoFile {
            path: path.to_owned(),
        }),
        Detected::V1 => dump_v1(path, out, options).map(|()| Dumped::Database),
        Detected::V3 => {
            v3::unpack(path, out, &options.read_options())?;
            Ok(Dumped::Folder)
        }
    }
}

fn dump_v1(path: &Path, out: &Path, options: &RewriteOptions) -> Result<()> {
    must_not_exist(out)?;
    let mut opened = v1::open_content(path, &options.limits)?;
    let mut buf = vec![0; COPIED_BYTES];
    let mut unreadable = None;
    let saved = save::replace(&Saver::new_file(), out, opened.needed, |file| {
        file.write_all(&opened.first)?;
        loop {
            match opened.content.read(&mut buf) {
                Ok(0) => return Ok(()),
                Ok(n) => file.write_all(&buf[..n])?,
                Err(e) => {
                    unreadable = Some(e);
                    return Err(ErrorKind::InvalidData.into());
                }
            }
        }
    });
    match unreadable {
        Some(e) => Err(e),
        None => saved.map(drop),
    }
}
