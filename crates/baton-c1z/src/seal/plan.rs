//! What a seal is asked for, and what it reports.

use std::path::PathBuf;
use std::time::SystemTime;

use crate::row::Table;
use crate::run::{NewAsset, NewRun, Stats};
use crate::{Format, Limits};

/// What becomes of the syncs that the target holds already (c1z
/// specification §1.5). They are never touched before the new one is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cleanup {
    /// All stay.
    Skip,
    /// So many full syncs stay, the new one included, and what belongs to
    /// them. A new sync of another type takes a place as well, as in the Go
    /// tools, which clean up before they end it.
    Keep(u32),
    /// So many full syncs stay, the new one included if it is one: how the Go
    /// tools clean up after a sync that was ended at once.
    KeepAmong(u32),
}

/// How a log is sealed.
#[derive(Debug, Clone)]
pub struct SealPlan {
    /// The file to write, or to add to.
    pub target: PathBuf,
    /// The format of a new file, and of a v1 file, whose syncs are all lost if
    /// this is v3. An existing v3 file stays v3.
    pub format: Format,
    /// The sync to write.
    pub run: NewRun,
    /// Recorded with every row: one instant, so that equal syncs are equal.
    pub discovered_at: SystemTime,
    /// What becomes of earlier syncs in the target.
    pub cleanup: Cleanup,
    /// Assets of the sync.
    pub assets: Vec<NewAsset>,
    /// Bytes of memory for sorting; what does not fit goes to the working
    /// folder.
    pub memory_budget_bytes: usize,
    /// zstd level of the file.
    pub compression_level: i32,
    /// Bounds on decompressing the existing target.
    pub limits: Limits,
}

impl SealPlan {
    /// Default of [`SealPlan::memory_budget_bytes`]: 128 MiB.
    pub const MEMORY_BUDGET_BYTES: usize = 128 << 20;
    /// Default of [`SealPlan::compression_level`]: the fastest, 1.
    pub const COMPRESSION_LEVEL: i32 = 1;
    /// Full syncs that are kept by default.
    pub const KEEP_SYNCS: u32 = 2;

    /// A plan with the defaults: format v1, cleanup as the Go tools do it.
    pub fn new(target: PathBuf, run: NewRun) -> Self {
        Self {
            target,
            format: Format::V1,
            discovered_at: run.ended_at,
            run,
            cleanup: Cleanup::Keep(Self::KEEP_SYNCS),
            assets: Vec::new(),
            memory_budget_bytes: Self::MEMORY_BUDGET_BYTES,
            compression_level: Self::COMPRESSION_LEVEL,
            limits: Limits::default(),
        }
    }
}

/// How far a seal is. Sent often enough to draw progress, not per row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SealEvent {
    /// Reading and sorting the log.
    Sorting {
        /// Bytes of the log read so far.
        done_bytes: u64,
        /// Bytes of the log.
        total_bytes: u64,
    },
    /// The expander is at work.
    Expanding {
        /// Grants with an expansion.
        expandable: u64,
    },
    /// Writing rows.
    Writing {
        /// The table being written.
        table: Table,
        /// Rows written so far, of all tables.
        done_rows: u64,
        /// Rows to write, repeated ids included.
        total_rows: u64,
    },
    /// Building the file's indexes.
    Indexing,
    /// Compressing; then the target is replaced.
    Compressing {
        /// Bytes compressed so far.
        done_bytes: u64,
        /// Bytes to compress.
        total_bytes: u64,
    },
}

/// What came of a seal.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Sealed {
    /// The file.
    pub path: PathBuf,
    /// What is in the new sync.
    pub stats: Stats,
    /// Ids of earlier syncs that cleanup removed.
    pub removed_syncs: Vec<String>,
    /// Rows that were left out since a later row has the same id.
    pub duplicates_resolved: u64,
    /// Lists that were dropped.
    pub dropped_lists: u64,
    /// Grants that have an expansion.
    pub expandable_grants: u64,
    /// Grants that expansion added.
    pub grants_inserted: u64,
    /// Grants that expansion changed.
    pub grants_replaced: u64,
    /// What the expander wants the user to know.
    pub warnings: Vec<String>,
    /// The working folder, if it could not be removed.
    pub leftover: Option<PathBuf>,
}
