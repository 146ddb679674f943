//! The table of sync runs.

use rusqlite::{Connection, Row};

use super::time;
use crate::run::{IngestInvariant, Stats, SyncRun};

const SELECT: &str = "select sync_id, sync_type, started_at, ended_at, parent_sync_id,
        linked_sync_id, sync_token, supports_diff, ingest_invariant_generation,
        ingest_invariant_coverage, ingest_invariant_mode, stats
    from v1_sync_runs order by id";

/// A text that should be a time and is none.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is not a time")]
struct NotATime {
    text: String,
}

/// All runs in storage order.
pub(super) fn read(conn: &Connection) -> rusqlite::Result<Vec<SyncRun>> {
    let mut statement = conn.prepare(SELECT)?;
    let rows = statement.query_map([], run)?;
    rows.collect()
}

fn run(row: &Row<'_>) -> rusqlite::Result<SyncRun> {
    let stats: Option<String> = row.get(11)?;
    Ok(SyncRun {
        id: row.get(0)?,
        sync_type: row.get(1)?,
        started_at: time_at(row, 2)?,
        ended_at: time_at(row, 3)?,
        parent_sync_id: row.get(4)?,
        linked_sync_id: row.get(5)?,
        sync_token: row.get(6)?,
        supports_diff: row.get::<_, i64>(7)? != 0,
        ingest_invariant: IngestInvariant {
            generation: row.get(8)?,
            coverage: row.get(9)?,
            mode: row.get(10)?,
        },
        stats: stats.as_deref().and_then(Stats::from_text),
    })
}

fn time_at(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<prost_types::Timestamp>> {
    let Some(text) = row.get::<_, Option<String>>(column)? else {
        return Ok(None);
    };
    match time::from_text(&text) {
        Some(time) => Ok(Some(time)),
        None => Err(rusqlite::Error::FromSqlConversionFailure(
            column,
            rusqlite::types::Type::Text,
            Box::new(NotATime { text }),
        )),
    }
}
