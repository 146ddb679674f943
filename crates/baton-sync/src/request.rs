//! What a caller asks for, and what it lends the engine: settings are
//! values, the clock and the random source are parameters.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use baton_access::ExpandOptions;
use baton_c1z::{Files, Format, Limits, SystemFiles};
use baton_connector::http::InFlight;
use baton_connector::{Clock, Random};
use baton_proto::bid::ResourceBid;
use baton_proto::c1::connector::v2::resource_type::Trait;
use tokio_util::sync::CancellationToken;

use crate::blocking::Blocking;
use crate::event::Observer;

/// How many requests to the connector may be in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Workers {
    /// As many as the connector's own limiter lets through, up to
    /// [`InFlight::AUTO_CAP`], whatever the number of CPUs.
    #[default]
    Auto,
    /// One after the other.
    Sequential,
    /// At most so many; 0 counts as 1, more than [`Workers::MOST`] as that.
    AtMost(u32),
}

impl Workers {
    /// Lists that are read at once under [`Workers::Auto`]. They outnumber
    /// the requests in flight, since a list can wait for what the connector
    /// finds out for all of them.
    pub const AUTO_LISTS: usize = 2 * InFlight::AUTO_CAP;
    /// Upper bound of [`Workers::AtMost`].
    pub const MOST: usize = 1024;

    /// The number of lists that are read at once, at least 1.
    pub fn width(self) -> usize {
        match self {
            Self::Auto => Self::AUTO_LISTS,
            Self::Sequential => 1,
            Self::AtMost(n) => usize::try_from(n)
                .unwrap_or(Self::MOST)
                .clamp(1, Self::MOST),
        }
    }
}

/// Who wrote a file, for its asset `baton.provenance.v1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provenance {
    /// The program, such as `baton-atlassian`.
    pub tool: String,
    /// Its version.
    pub version: String,
}

/// The resources of another sync file (sync-runtime.md §1.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalResources {
    /// The file; its newest finished sync is taken.
    pub path: PathBuf,
    /// Take only those who hold this entitlement.
    pub entitlement_filter: Option<String>,
    /// Take types with one of these traits; empty: users and groups.
    pub traits: Vec<Trait>,
}

impl ExternalResources {
    /// All users and groups of a file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            entitlement_filter: None,
            traits: Vec::new(),
        }
    }
}

/// One sync: from where it is asked to where it goes.
#[derive(Debug, Clone)]
pub struct SyncRequest {
    /// The file to write.
    pub target: PathBuf,
    /// Folder for working files; `None`: beside the target.
    pub temp_dir: Option<PathBuf>,
    /// Format of the file; `None`: that of the existing target, v1 for a new
    /// one. An existing v1 file becomes v3 where that is asked for, and then
    /// holds the new sync only; an existing v3 file stays v3.
    pub format: Option<Format>,
    /// Requests in flight.
    pub workers: Workers,
    /// List types and resources only (sync type `resources_only`).
    pub skip_entitlements_and_grants: bool,
    /// List no grants, but entitlements.
    pub skip_grants: bool,
    /// Derive no grants from others.
    pub skip_expansion: bool,
    /// The resources that a targeted sync is about (sync type `partial`):
    /// they, their entitlements and grants, and the resources that those
    /// grants are on. Children are listed, but not their entitlements and
    /// grants. Empty: everything.
    pub targets: Vec<ResourceBid>,
    /// Ask for nothing: check the connector, and end a full sync without rows.
    pub skip_full_sync: bool,
    /// Resource types to sync; empty: all.
    pub resource_type_filter: Vec<String>,
    /// Resources of another file that grants may lead to. A targeted sync and
    /// a skipped one take none. `None`: placeholders stay as they are.
    pub external: Option<ExternalResources>,
    /// Write a partial result to the target too, not beside it.
    pub allow_partial: bool,
    /// Accept zero users or groups where the last sync had some.
    pub allow_empty: bool,
    /// Set unfinished work aside instead of resuming it.
    pub fresh: bool,
    /// Who writes the file; `None`: no provenance asset.
    pub provenance: Option<Provenance>,
    /// Facts that decide the content beyond this request (base URL,
    /// organization, compatibility mode). Work that was begun under other
    /// facts is not resumed. No secrets: they are stored in the working folder.
    pub content_facts: BTreeMap<String, String>,
    /// Finished full syncs that the target keeps, this one included;
    /// `None`: the format's default.
    pub keep_syncs: Option<u32>,
    /// Keep every earlier sync of the target.
    pub skip_cleanup: bool,
    /// How long the run may take, counted from its begin; then it ends with
    /// [`Error::OutOfTime`](crate::Error::OutOfTime) and the next one resumes. Once sealing has begun, the
    /// run ends normally. `None`: as long as it needs.
    pub max_duration: Option<Duration>,
    /// Most grants that expansion may derive; more end the sync with
    /// [`Code::ResourceExhausted`](baton_proto::Code) before any is made.
    pub max_derived_grants: u64,
    /// Fail where the rows of a sync contradict each other (ingest
    /// invariants), instead of warning.
    pub fail_fast: bool,
    /// Bounds on reading the existing target.
    pub limits: Limits,
    /// The file layer under the working folder and the target.
    pub files: Arc<dyn Files>,
    /// Where work with files runs.
    pub blocking: Blocking,
}

impl SyncRequest {
    /// A full sync into `target` with everything else at its default.
    pub fn new(target: impl Into<PathBuf>) -> Self {
        Self {
            target: target.into(),
            temp_dir: None,
            format: None,
            workers: Workers::Auto,
            skip_entitlements_and_grants: false,
            skip_grants: false,
            skip_expansion: false,
            targets: Vec::new(),
            skip_full_sync: false,
            resource_type_filter: Vec::new(),
            external: None,
            allow_partial: false,
            allow_empty: false,
            fresh: false,
            provenance: None,
            content_facts: BTreeMap::new(),
            keep_syncs: None,
            skip_cleanup: false,
            max_duration: None,
            max_derived_grants: ExpandOptions::DEFAULT_MAX_DERIVED_GRANTS,
            fail_fast: false,
            limits: Limits::default(),
            files: Arc::new(SystemFiles),
            blocking: Blocking::default(),
        }
    }
}

/// What the engine needs from the program around it.
#[derive(Clone)]
pub struct SyncHost {
    /// Wall clock: sync ids, start and end times.
    pub clock: Arc<dyn Clock>,
    /// Random source of sync ids.
    pub random: Arc<dyn Random>,
    /// Ends the run; see [`crate::run`].
    pub cancel: CancellationToken,
    /// Receives the events of the run.
    pub observer: Arc<dyn Observer>,
}

impl std::fmt::Debug for SyncHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SyncHost").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn width_is_bounded_on_both_sides() {
        let widths = [
            Workers::AtMost(0),
            Workers::AtMost(8),
            Workers::AtMost(u32::MAX),
            Workers::Sequential,
            Workers::Auto,
        ];
        assert_eq!(widths.map(Workers::width), [1, 8, 1024, 1, 128]);
    }
}
