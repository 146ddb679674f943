//! The sync file (`.c1z`): what it holds, how it is read, how it is written.
//!
//! A c1z is a snapshot of who has access to what, as one or more *syncs*:
//! resource types, resources, entitlements and grants, each row the bytes of
//! a connector message plus the columns it is looked up by. This crate hides
//! the storage format behind one boundary: no type of the database, of the
//! compressor or of the file system's locking appears in a public signature.
//! It knows nothing of connectors, HTTP or command lines, and reads neither
//! the environment nor the clock: limits, folders and times are arguments.

#![cfg_attr(
    test,
    allow(clippy::disallowed_methods, reason = "tests make files and threads")
)]
#![warn(missing_docs)]

mod columns;
mod convert;
mod counts;
mod cursor;
mod diff;
mod diff_plan;
mod envelope;
mod error;
mod file;
mod files;
mod grant_origin;
mod holder;
mod join;
mod leftovers;
mod log;
mod lookup;
mod maintain;
mod merge;
mod optimize;
mod ordered;
mod paths;
mod peek;
mod rewrite;
mod rollback;
mod room;
mod row;
mod run;
mod save;
mod scratch;
mod seal;
mod sort;
mod sort_by;
mod sorted_scan;
mod stop;
mod store;
mod tuple;
mod v1;
mod v3;
mod way;
mod whole_file;
mod workdir;

pub use convert::{Converted, ConvertedRows, to_v1, to_v3};
pub use cursor::Cursor;
pub use diff::{diff_files, diff_syncs};
pub use diff_plan::{DiffPlan, FileDiffPlan};
pub use envelope::{Detected, detect};
pub use error::{CallerFailure, Error, Result};
pub use file::{C1zFile, Page, Snapshot, View};
pub use files::{Access, DataFile, Files, Open, SystemFiles};
pub use holder::Holder;
pub use join::VisitWhole;
pub use leftovers::clear_leftovers;
pub use log::{
    Damage, DropReason, Fingerprint, ListId, LogEvent, LoggedPage, MAX_RECORD_BYTES, MAX_ROW_BYTES,
    MAX_TOKEN_BYTES, ObjectId, Op, PageHeader, PageLog, PageRow, Resumed, RowRef, Rows, SetAside,
};
pub use lookup::{Lookup, Projection};
pub use maintain::{Dumped, NewStats, RewriteOptions, clone_sync, dump, recalculate_stats};
pub use merge::{
    CompactEntry, CompactPlan, Compacted, Expanded, InvariantByFormat, Strategy, TableCounts,
    compact, expand_sync,
};
pub use optimize::{Optimized, optimize};
pub use ordered::{OrderedRow, OrderedRows};
pub use paths::{FileKind, RunPaths, Use, check_target, open_log, open_records, open_regular};
pub use peek::{Peek, peek};
pub use rewrite::{NewContent, Rewritten, RewrittenSync, RowRewriter, rewrite_syncs};
pub use rollback::{RolledBack, preview_rollback, roll_back};
pub use row::{Filter, OwnedRow, Row, Table};
pub use run::{CallStat, IngestInvariant, NewAsset, NewRun, Stats, SyncRun, SyncType};
pub use scratch::Scratch;
pub use seal::{
    Cleanup, Expander, Expansion, GrantChange, GrantReplacer, MergeSteps, NewGrants, PutGrant,
    RowCheck, SealEvent, SealPlan, SealSteps, Sealed, SortedRows, seal, visit_sealed,
};
pub use sort_by::{RowSorter, RowsInOrder};
pub use stop::Stop;
pub use store::{Asset, PROVENANCE_ASSET};
pub use v3::Migration;
#[doc(hidden)]
pub use v3::fuzzing;
pub use way::Way;
pub use whole_file::{create_file, replace_file};
pub use workdir::{MAX_WORK_AGE, WorkDir};

use std::path::PathBuf;

/// The storage format of a c1z file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// A compressed SQLite database; several syncs per file.
    V1,
    /// Pebble tables behind a manifest; exactly one sync per file.
    V3,
}

impl Format {
    /// The format's own name: `v1` or `v3`.
    pub fn name(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V3 => "v3",
        }
    }

    /// The name of the engine behind the format: `sqlite` or `pebble`.
    pub fn engine_name(self) -> &'static str {
        match self {
            Self::V1 => "sqlite",
            Self::V3 => "pebble",
        }
    }
}

/// Where the formats differ in what they can hold, asked instead of matched
/// on [`Format`] by callers that must behave differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// The file can hold more than one sync.
    pub many_syncs: bool,
    /// Grants and entitlements embed their objects whole, not ids only.
    pub embedded_objects: bool,
    /// Two grants of one principal and entitlement may have different ids.
    pub duplicate_pairs: bool,
    /// An entitlement or grant is found by its id without a scan.
    pub lookup_by_bare_id: bool,
}

/// Bounds on what a file may make us do. A value, never read from the
/// environment here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes that a file may decompress to.
    pub max_decoded_bytes: u64,
    /// Format v3 only: bytes that each byte of the file may decompress to,
    /// where that allows more than [`Limits::max_decoded_bytes`]. 0: never more.
    pub decoded_bytes_per_byte: u64,
    /// Largest zstd window, in bytes, that a frame may ask for; rounded down
    /// to a power of two.
    pub max_window_bytes: u64,
    /// Refuse from the declared content size, before decompressing.
    pub fail_fast_on_content_size: bool,
}

impl Limits {
    /// Default of [`Limits::max_decoded_bytes`]: 10 GiB.
    pub const MAX_DECODED_BYTES: u64 = 10 << 30;
    /// Default of [`Limits::decoded_bytes_per_byte`]: 100.
    pub const DECODED_BYTES_PER_BYTE: u64 = 100;
    /// Default of [`Limits::max_window_bytes`]: 128 MiB.
    pub const MAX_WINDOW_BYTES: u64 = 128 << 20;
}

impl Limits {
    /// Sets the bound on decoded bytes, whatever the format and the size of
    /// the file.
    pub fn cap_decoded_bytes(&mut self, bytes: u64) {
        self.max_decoded_bytes = bytes;
        self.decoded_bytes_per_byte = 0;
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_decoded_bytes: Self::MAX_DECODED_BYTES,
            decoded_bytes_per_byte: Self::DECODED_BYTES_PER_BYTE,
            max_window_bytes: Self::MAX_WINDOW_BYTES,
            fail_fast_on_content_size: true,
        }
    }
}

/// How to open a file for reading.
#[derive(Debug, Clone)]
pub struct ReadOptions {
    /// Bounds on decompression.
    pub limits: Limits,
    /// Folder for private decompressed copies; `None`: the system's.
    pub temp_dir: Option<PathBuf>,
    /// Format v3 only: a part of the file that decompresses to more bytes
    /// than this goes to a private file, all else stays in memory.
    pub memory_budget_bytes: u64,
}

impl ReadOptions {
    /// Default of [`ReadOptions::memory_budget_bytes`]: 64 MiB.
    pub const MEMORY_BUDGET_BYTES: u64 = 64 << 20;
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            temp_dir: None,
            memory_budget_bytes: Self::MEMORY_BUDGET_BYTES,
        }
    }
}

/// The example of the README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
