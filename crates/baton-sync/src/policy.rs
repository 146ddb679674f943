//! What a request and the format of its file decide about the seal, as one
//! value.

use baton_c1z::{Cleanup, Format, IngestInvariant, InvariantByFormat, SealPlan, SyncType};

use crate::invariants::{OnBroken, References, Rules};
use crate::records;
use crate::report::Completeness;
use crate::request::SyncRequest;

/// The version of the ingest invariants, as it is stored with a sync.
const GENERATION: &str = "1";

/// Which of the ingest invariants were verified by whom, as it is stored
/// beside the version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Connector,
    /// Every broken rule fails the sync.
    ConnectorFailFast,
    /// The sync was compacted from others.
    Merge,
}

impl Mode {
    fn word(self) -> &'static str {
        match self {
            Self::Connector => "connector",
            Self::ConnectorFailFast => "connector_fail_fast",
            Self::Merge => "compaction_merge",
        }
    }
}

/// How a sync is sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Policy {
    pub(crate) format: Format,
    pub(crate) sync_type: SyncType,
    /// Grants are expanded, and the sync is marked as comparable.
    pub(crate) expands: bool,
    /// The sync is checked as a whole; `None`: it has parts only, or no rows.
    pub(crate) references: Option<References>,
    /// The rows come from the connector; a skipped sync has none.
    has_rows: bool,
    /// Every broken rule fails the sync.
    fail_fast: bool,
}

impl Policy {
    pub(crate) fn of(request: &SyncRequest, format: Format) -> Self {
        let sync_type = sync_type(request);
        let has_rows = !request.skip_full_sync;
        let is_full = sync_type == SyncType::Full && has_rows;
        let fail_fast = request.fail_fast;
        Self {
            format,
            sync_type,
            expands: has_rows
                && !request.skip_entitlements_and_grants
                && request.targets.is_empty(),
            references: is_full.then(|| References {
                on_broken: OnBroken::fail_if(fail_fast),
                on_absent_inserted: OnBroken::fail_if(fail_fast || format == Format::V3),
            }),
            has_rows,
            fail_fast,
        }
    }

    /// Grants that stay as they are keep their expansion. Grants listed from a
    /// v1 file come without.
    pub(crate) fn keeps_expansion(self) -> bool {
        self.format == Format::V3
    }

    /// The rules that the rows are checked against. `has_groups`: some
    /// entitlement may be in an exclusion group.
    pub(crate) fn rules(self, has_groups: bool) -> Rules {
        Rules {
            groups: has_groups.then_some(OnBroken::Fail),
            references: self.references,
        }
    }

    /// What is stored with the sync. References that are checked for warnings
    /// only do not count, as in the Go tools.
    pub(crate) fn ingest_invariant(self, completeness: Completeness) -> IngestInvariant {
        if completeness == Completeness::Partial || !self.has_rows {
            return IngestInvariant::default();
        }
        let checks_references = self.references.is_some();
        let covered = Covered {
            children: checks_references && self.fail_fast,
            references: checks_references && (self.fail_fast || self.format == Format::V3),
        };
        let mode = if self.fail_fast {
            Mode::ConnectorFailFast
        } else {
            Mode::Connector
        };
        covered.as_stored(mode)
    }

    /// What becomes of earlier syncs in the target. A partial file that is
    /// written beside the target keeps none.
    pub(crate) fn cleanup(self, request: &SyncRequest, is_beside: bool) -> Cleanup {
        let keep = request.keep_syncs.unwrap_or(SealPlan::KEEP_SYNCS);
        if is_beside {
            Cleanup::Keep(1)
        } else if request.skip_cleanup {
            Cleanup::Skip
        } else if self.has_rows {
            Cleanup::Keep(keep)
        } else {
            Cleanup::KeepAmong(keep)
        }
    }
}

pub(crate) fn sync_type(request: &SyncRequest) -> SyncType {
    if !request.targets.is_empty() {
        SyncType::Partial
    } else if request.skip_entitlements_and_grants && !request.skip_full_sync {
        SyncType::ResourcesOnly
    } else {
        SyncType::Full
    }
}

/// Rules beyond those that every checked sync keeps.
#[derive(Debug, Clone, Copy, Default)]
struct Covered {
    children: bool,
    references: bool,
}

impl Covered {
    fn as_stored(self, mode: Mode) -> IngestInvariant {
        let mut ids = vec!["I5", "I10"];
        if self.children {
            ids.push("I4");
        }
        if self.references {
            ids.extend(["I7", "I3", "I8", "I9"]);
        }
        IngestInvariant {
            generation: GENERATION.to_owned(),
            coverage: records::to_text(&ids),
            mode: mode.word().to_owned(),
        }
    }
}

/// What a compaction stores with a sync that passed
/// [`MergeCheck`](crate::MergeCheck).
pub fn merge_invariant() -> InvariantByFormat {
    let stored = |references| {
        let covered = Covered {
            children: false,
            references,
        };
        covered.as_stored(Mode::Merge)
    };
    InvariantByFormat {
        v1: stored(false),
        v3: stored(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_depends_on_format_strictness_and_kind_of_sync() {
        let request = || SyncRequest::new("x.c1z");
        let fail_fast = || SyncRequest {
            fail_fast: true,
            ..request()
        };
        let resources_only = || SyncRequest {
            skip_entitlements_and_grants: true,
            ..request()
        };
        let skipped = || SyncRequest {
            skip_full_sync: true,
            ..request()
        };
        let all = r#"["I5","I10","I4","I7","I3","I8","I9"]"#;
        for (request, format, coverage, mode) in [
            (request(), Format::V1, r#"["I5","I10"]"#, "connector"),
            (
                request(),
                Format::V3,
                r#"["I5","I10","I7","I3","I8","I9"]"#,
                "connector",
            ),
            (fail_fast(), Format::V1, all, "connector_fail_fast"),
            (fail_fast(), Format::V3, all, "connector_fail_fast"),
            (resources_only(), Format::V3, r#"["I5","I10"]"#, "connector"),
            (skipped(), Format::V3, "", ""),
        ] {
            let policy = Policy::of(&request, format);
            let stored = policy.ingest_invariant(Completeness::Complete);
            assert_eq!((&*stored.coverage, &*stored.mode), (coverage, mode));
            let partial = policy.ingest_invariant(Completeness::Partial);
            assert_eq!(partial, IngestInvariant::default());
        }
    }
}
