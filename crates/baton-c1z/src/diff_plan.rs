//! Which syncs are compared, and what the difference is called.

use std::path::Path;

use crate::run::SyncType;

/// A difference within one file.
#[derive(Debug, Clone, Copy)]
pub struct DiffPlan<'a> {
    /// The file, which gets one more sync.
    pub path: &'a Path,
    /// The older sync.
    pub base_sync_id: &'a str,
    /// The newer sync.
    pub applied_sync_id: &'a str,
    /// Id of the sync to make: a KSUID.
    pub new_sync_id: &'a str,
}

/// The differences between syncs of two files.
#[derive(Debug, Clone, Copy)]
pub struct FileDiffPlan<'a> {
    /// The older file, which is only read.
    pub old_path: &'a Path,
    /// Its sync.
    pub old_sync_id: &'a str,
    /// The newer file, which gets two more syncs.
    pub new_path: &'a Path,
    /// Its sync.
    pub new_sync_id: &'a str,
    /// Id of the sync of what is gone: a KSUID.
    pub deletions_sync_id: &'a str,
    /// Id of the sync of what is new or different: a KSUID.
    pub upserts_sync_id: &'a str,
}

impl FileDiffPlan<'_> {
    /// Id, id of the other half, and type of the run of what is gone.
    pub(crate) fn deletions(&self) -> (&str, &str, SyncType) {
        (
            self.deletions_sync_id,
            self.upserts_sync_id,
            SyncType::PartialDeletions,
        )
    }

    /// The same of the run of what is new or different.
    pub(crate) fn upserts(&self) -> (&str, &str, SyncType) {
        (
            self.upserts_sync_id,
            self.deletions_sync_id,
            SyncType::PartialUpserts,
        )
    }
}
