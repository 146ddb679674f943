//! A file with the rows of another, as they are.

use std::path::PathBuf;

use baton_proto::c1::c1z::v3::SyncRunSummary;
use baton_proto::encode;

use super::{WriteOptions, begin, envelope, run};
use crate::error::Result;
use crate::run::{Stats, SyncRun};
use crate::v3::keys;
use crate::v3::reader::Reader;

/// What is different in the new file.
pub(crate) struct Rewrite<'a> {
    /// Counts to store in place of the old ones, with their sync.
    pub stats: Option<(&'a SyncRun, &'a Stats)>,
    /// Leave out what is of no use in another file: counters, caches, and
    /// what connectors stored.
    pub without_state: bool,
    /// The old manifest's summary of the sync.
    pub summary: Option<SyncRunSummary>,
}

/// Copies all visible rows of `source`, and with them what earlier writers
/// of the file knew and we do not.
pub(crate) fn rewrite(
    source: &Reader,
    options: &WriteOptions,
    rewrite: Rewrite<'_>,
) -> Result<PathBuf> {
    let mut tables = begin(options)?;
    // Counts that were made while reading are in no file yet.
    let stats = rewrite.stats.or_else(|| source.new_stats());
    let record = stats.map(|(run, stats)| {
        let record = run::stats_record(&run.id, stats, Some(options.written_at));
        (run, record)
    });
    let mut stored_stats = record.as_ref().map(|(_, record)| encode::to_vec(record));
    source.visit_all(&mut |key, value| {
        if rewrite.without_state
            && (key.starts_with(keys::COUNTERS) || key.starts_with(keys::SESSIONS))
        {
            return Ok(());
        }
        if key >= keys::STATS
            && let Some(stats) = stored_stats.take()
        {
            tables.add(keys::STATS, &stats)?;
        }
        if key == keys::STATS && record.is_some() {
            return Ok(());
        }
        tables.add(key, value).map(|_| ())
    })?;
    if let Some(stats) = stored_stats {
        tables.add(keys::STATS, &stats)?;
    }
    let stored = tables.finish()?;
    let summary = match record {
        Some((run, record)) => Some(run::summary(run, record)),
        None => rewrite.summary,
    };
    let manifest = envelope::manifest(options.encoding, summary.as_ref());
    let path = envelope::assemble(
        &options.target,
        &options.saver,
        &manifest,
        &stored,
        &mut |_| (),
    )?;
    // The folder is removed later in any case; until then the file is small.
    let _ = options.place.files.remove_file(&stored.path);
    Ok(path)
}
