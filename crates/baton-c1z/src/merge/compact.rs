//! Compaction: the syncs of several files become one sync of a new file (c1z
//! specification §3.4).

use std::path::PathBuf;

use prost_types::Timestamp;

use super::collect::time_rank;
use super::input::{Input, Source};
use super::{Counts, Merged, Merging, TableCounts, token};
use crate::Format;
use crate::error::{Error, Result};
use crate::maintain::{RewriteOptions, file_bytes, must_not_exist};
use crate::run::latest_finished;
use crate::run::{IngestInvariant, Stats, SyncRun, SyncType};
use crate::seal::MergeSteps;

/// Types of syncs that can be compacted, the widest first.
const KINDS: [SyncType; 3] = [SyncType::Full, SyncType::ResourcesOnly, SyncType::Partial];
/// Other inputs up to so many percent of the base's size are folded into it.
const MAX_FOLD_PERCENT: u64 = 10;

/// One file to compact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompactEntry {
    /// The file.
    pub path: PathBuf,
    /// Its sync. As in the Go tools only a v1 file on its way into a v3 file
    /// is asked for it; elsewhere the newest finished sync is taken.
    pub sync_id: Option<String>,
}

/// How a v3 file is put together. The results differ in ties only: rows of
/// the same time of discovery.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Strategy {
    /// Fold if the base is a v3 file and the others have at most a tenth of
    /// its size, else overlay.
    #[default]
    Auto,
    /// The base stays as it is, with its start, assets and state, but for what
    /// others have newer; it wins ties.
    Fold,
    /// A new file from all inputs; later inputs win ties.
    Overlay,
    /// The same under another name.
    Kway,
}

impl Strategy {
    /// The strategy of that name, as `BATON_EXPERIMENTAL_PEBBLE_COMPACTOR` has it.
    pub fn from_word(word: &str) -> Option<Self> {
        let known = [Self::Fold, Self::Overlay, Self::Kway];
        known.into_iter().find(|known| known.word() == word)
    }

    fn word(self) -> &'static str {
        match self {
            Self::Fold => "fold",
            Self::Auto | Self::Overlay => "overlay",
            Self::Kway => "kway",
        }
    }
}

/// What to compact, and into what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompactPlan {
    /// The files, the base first, then from older to newer.
    pub entries: Vec<CompactEntry>,
    /// The folder of the new file, which is named after the new sync.
    pub output_dir: PathBuf,
    /// Id of the new sync: a KSUID.
    pub sync_id: String,
    /// The new file's format; by default v3 if any input is of v3, else v1.
    pub format: Option<Format>,
    /// How a v3 file is put together.
    pub strategy: Strategy,
    /// Leave grants as they are, and rows unchecked.
    pub skip_expansion: bool,
    /// What is stored with a sync whose rows were checked.
    pub ingest_invariant: InvariantByFormat,
}

/// What is stored with a checked sync: it depends on the format of the new
/// file, which is known when the inputs are open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InvariantByFormat {
    /// In a v1 file.
    pub v1: IngestInvariant,
    /// In a v3 file.
    pub v3: IngestInvariant,
}

impl InvariantByFormat {
    fn of(&self, format: Format) -> &IngestInvariant {
        match format {
            Format::V1 => &self.v1,
            Format::V3 => &self.v3,
        }
    }
}

impl CompactPlan {
    /// The new file.
    pub fn target(&self) -> PathBuf {
        self.output_dir
            .join(format!("compacted-{}.c1z", self.sync_id))
    }
}

/// What a compaction has made.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Compacted {
    /// The new file.
    pub path: PathBuf,
    /// Its sync.
    pub run: SyncRun,
    /// The syncs that were merged, one per file.
    pub inputs: Vec<SyncRun>,
    /// The sync's counts.
    pub stats: Stats,
    /// What became of the rows, in the order of [`crate::Table::ALL`].
    pub tables: [TableCounts; 4],
    /// Rows that format v3 cannot hold, since they lack an id.
    pub dropped_rows: u64,
    /// Grants that expansion added.
    pub grants_inserted: u64,
    /// Grants that gained sources by expansion.
    pub grants_replaced: u64,
    /// Rows of inputs in an earlier layout that are not taken as they are in
    /// their file, and what the expander wants the user to know.
    pub warnings: Vec<String>,
}

/// Merges one sync of each file into one new file. The version of a row that
/// was discovered last is kept; on a tie that of the later file, or of the
/// base with [`Strategy::Fold`]. Nothing is deleted. Assets are copied only
/// from the base, with [`Strategy::Fold`]; session values are not copied. The
/// steps then run, unless the result is partial or they are to be skipped.
///
/// # Errors
/// [`Error::TooFewFiles`]; [`Error::NoFile`]; [`Error::NotCompactable`] for a v3 file on its way
/// into a v1 file; [`Error::NoCompactableSync`], [`Error::NoSuchSync`],
/// [`Error::Unfinished`]; [`Error::Exists`]; those of the expander, of reading
/// and writing. There is then no new file.
pub fn compact(
    plan: &CompactPlan,
    options: &RewriteOptions,
    steps: MergeSteps<'_>,
) -> Result<Compacted> {
    options.stop.scope(|| compact_now(plan, options, steps))
}

fn compact_now(
    plan: &CompactPlan,
    options: &RewriteOptions,
    steps: MergeSteps<'_>,
) -> Result<Compacted> {
    if plan.entries.len() < 2 {
        return Err(Error::TooFewFiles);
    }
    let target = plan.target();
    must_not_exist(&target)?;
    let read = options.read_options();
    let sources = plan
        .entries
        .iter()
        .map(|entry| Source::open(&entry.path, &read))
        .collect::<Result<Vec<_>>>()?;
    let mut warnings = migrated(plan, &sources);
    let format = format(plan, &sources)?;
    let mut inputs = Vec::with_capacity(sources.len());
    for (entry, source) in plan.entries.iter().zip(sources) {
        let run = chosen(entry, &source, format)?;
        inputs.push(Input { source, run });
    }
    let strategy = strategy(plan, &inputs, format)?;
    let fold = strategy == Strategy::Fold;
    let merging = Merging {
        inputs: &inputs,
        format,
        base_wins: fold,
        with_assets: fold,
        target: &target,
        options,
    };
    let facts = Facts {
        plan,
        inputs: &inputs,
        format,
        strategy,
        now: options.now.into(),
    };
    let run = |counts: &Counts| facts.run(counts);
    // A partial sync is not a whole: its rows are not checked either.
    let steps = if facts.expands() {
        steps
    } else {
        MergeSteps::default()
    };
    let Merged {
        written,
        run,
        unstorable,
        counts,
    } = merging.run(run, steps)?;
    warnings.extend(written.warnings);
    Ok(Compacted {
        path: written.finished.path,
        run,
        inputs: inputs.into_iter().map(|input| input.run).collect(),
        stats: written.finished.stats,
        tables: counts.tables,
        dropped_rows: unstorable,
        grants_inserted: written.inserted,
        grants_replaced: written.replaced,
        warnings,
    })
}

/// What is worth a warning about inputs in an earlier layout of format v3.
fn migrated(plan: &CompactPlan, sources: &[Source]) -> Vec<String> {
    let files = plan.entries.iter().zip(sources);
    files
        .filter_map(|(entry, source)| Some((entry, source.store().migration()?)))
        .flat_map(|(entry, migration)| {
            let path = entry.path.display();
            let warnings = migration.warnings().into_iter();
            warnings.map(move |warning| format!("{path}: {warning}"))
        })
        .collect()
}

fn format(plan: &CompactPlan, sources: &[Source]) -> Result<Format> {
    let mut files = plan.entries.iter().zip(sources);
    let v3 = files.find(|(_, source)| source.format() == Format::V3);
    match (plan.format, v3) {
        (Some(Format::V1), Some((entry, _))) => Err(Error::NotCompactable {
            path: entry.path.clone(),
        }),
        (Some(format), _) => Ok(format),
        (None, Some(_)) => Ok(Format::V3),
        (None, None) => Ok(Format::V1),
    }
}

/// The sync of a file.
fn chosen(entry: &CompactEntry, source: &Source, into: Format) -> Result<SyncRun> {
    let path = || entry.path.clone();
    let runs = source.store().runs()?;
    let is_converted = source.format() == Format::V1 && into == Format::V3;
    let asked_for = entry.sync_id.as_ref().filter(|_| is_converted);
    let found = match asked_for {
        None => latest_finished(&runs, Some(&KINDS)),
        Some(id) => match runs.iter().find(|run| run.id == *id) {
            None => {
                return Err(Error::NoSuchSync {
                    path: path(),
                    id: id.clone(),
                });
            }
            Some(run) if !run.is_finished() => {
                return Err(Error::Unfinished {
                    path: path(),
                    id: id.clone(),
                });
            }
            Some(run) => Some(run).filter(|run| is_compactable(run)),
        },
    };
    found
        .cloned()
        .ok_or_else(|| Error::NoCompactableSync { path: path() })
}

fn is_compactable(run: &SyncRun) -> bool {
    run.kind().is_some_and(|kind| KINDS.contains(&kind))
}

fn strategy(plan: &CompactPlan, inputs: &[Input], format: Format) -> Result<Strategy> {
    if format == Format::V1 {
        return Ok(Strategy::Overlay);
    }
    if plan.strategy != Strategy::Auto {
        return Ok(plan.strategy);
    }
    let mut sizes = Vec::with_capacity(plan.entries.len());
    for entry in &plan.entries {
        sizes.push(file_bytes(&entry.path)?);
    }
    let [base, others @ ..] = &sizes[..] else {
        return Ok(Strategy::Overlay);
    };
    let others: u64 = others.iter().sum();
    let is_v3 = inputs
        .first()
        .is_some_and(|base| base.source.format() == Format::V3);
    let is_small = others.saturating_mul(100) <= base.saturating_mul(MAX_FOLD_PERCENT);
    Ok(if is_v3 && is_small {
        Strategy::Fold
    } else {
        Strategy::Overlay
    })
}

/// What decides how the new run looks.
struct Facts<'a> {
    plan: &'a CompactPlan,
    inputs: &'a [Input],
    format: Format,
    strategy: Strategy,
    now: Timestamp,
}

impl Facts<'_> {
    /// The widest type among the inputs.
    fn kind(&self) -> SyncType {
        let has = |kind| {
            self.inputs
                .iter()
                .any(|input| input.run.kind() == Some(kind))
        };
        let widest = KINDS.into_iter().find(|kind| has(*kind));
        widest.unwrap_or(SyncType::Partial)
    }

    fn expands(&self) -> bool {
        !self.plan.skip_expansion && self.kind() != SyncType::Partial
    }

    fn run(&self, counts: &Counts) -> SyncRun {
        let latest = self
            .inputs
            .iter()
            .filter_map(|input| input.run.ended_at)
            .max_by_key(|at| time_rank(*at));
        let base = self.inputs.first();
        let (ended_at, sync_token) = match self.format {
            Format::V1 => {
                let ends = [Some(self.now), latest];
                let later = ends.into_iter().flatten().max_by_key(|at| time_rank(*at));
                let done = if self.expands() { token::DONE } else { "" };
                (later, done.to_owned())
            }
            Format::V3 => {
                let end = latest.filter(|_| !self.expands()).or(Some(self.now));
                let fold = self.strategy == Strategy::Fold;
                let runs: Vec<&SyncRun> = self.inputs.iter().map(|input| &input.run).collect();
                let word = self.strategy.word();
                (end, token::compacted(word, fold, &runs, counts))
            }
        };
        SyncRun {
            id: self.plan.sync_id.clone(),
            sync_type: self.kind().as_str().to_owned(),
            started_at: match self.strategy {
                Strategy::Fold => base.and_then(|base| base.run.started_at),
                _ => Some(self.now),
            },
            ended_at,
            sync_token,
            supports_diff: self.expands(),
            ingest_invariant: if self.expands() {
                self.plan.ingest_invariant.of(self.format).clone()
            } else {
                IngestInvariant::default()
            },
            ..SyncRun::default()
        }
    }
}
