//! What the engine reports while it works. Events are facts for a display or
//! a log; nothing in the engine depends on what an observer does with them.

use std::fmt;

use baton_connector::RunView;

use crate::report::{Dropped, Skipped};

/// A step of a sync, in the order in which they run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// The connector checks its credentials and settings.
    Validate,
    /// Resource types are listed.
    ResourceTypes,
    /// Resources are listed, children included.
    Resources,
    /// Entitlements that every resource of a type has.
    StaticEntitlements,
    /// Entitlements, resource by resource.
    Entitlements,
    /// Grants, resource by resource.
    Grants,
    /// Resources that the grants of a targeted sync are on.
    RelatedResources,
    /// Resources of another file are copied.
    ExternalResources,
    /// The pages become the file.
    Seal,
}

impl Phase {
    /// The stable name, such as `static-entitlements`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Validate => "validate",
            Self::ResourceTypes => "resource-types",
            Self::Resources => "resources",
            Self::StaticEntitlements => "static-entitlements",
            Self::Entitlements => "entitlements",
            Self::Grants => "grants",
            Self::RelatedResources => "related-resources",
            Self::ExternalResources => "external-resources",
            Self::Seal => "seal",
        }
    }

    /// The span of its work.
    pub(crate) fn span(self) -> tracing::Span {
        tracing::info_span!("phase", otel.name = self.name(), phase = self.name())
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One fact about a running sync.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A sync starts or resumes. Sent once, after validation.
    Started {
        /// The sync's id.
        sync_id: String,
        /// Pages that an earlier run of this sync left behind; 0 for a new sync.
        resumed_pages: u64,
    },
    /// The end of the earlier work was damaged; what stood before it is used.
    Damaged {
        /// What was found.
        reason: String,
    },
    /// Earlier unfinished work does not fit this request and is not used.
    SetAside {
        /// Why.
        reason: String,
    },
    /// A phase begins.
    PhaseStarted {
        /// The phase.
        phase: Phase,
        /// Lists that it will ask for, if that is known beforehand.
        lists: Option<u64>,
    },
    /// A page has been stored.
    Page {
        /// The phase.
        phase: Phase,
        /// Resource type that was listed; empty for the list of types.
        type_id: String,
        /// Rows stored from it.
        rows: u64,
        /// It was the last page of a list of the connector.
        last: bool,
    },
    /// A list ended without being completed; see [`Skipped::kind`].
    ListSkipped(Skipped),
    /// A list whose cursor died starts over from its first page.
    ListRestarted {
        /// What was listed, such as `grants of group \`g1\``.
        what: String,
        /// What the connector answered.
        reason: String,
    },
    /// A phase is done.
    PhaseFinished {
        /// The phase.
        phase: Phase,
        /// Rows that it stored, earlier runs of this sync included.
        rows: u64,
    },
    /// Progress of sealing.
    Sealing {
        /// The step: `sort`, `expand`, `write`, `index` or `compress`.
        step: &'static str,
        /// What is done of it: rows of `write`, bytes of `sort` and `compress`.
        done: u64,
        /// What there is to do in all, in the same unit; of `expand` the
        /// grants that are expandable.
        total: Option<u64>,
    },
    /// Records were left out because they are invalid or of unknown type.
    /// Sent once at the end, also of a failed run, if there are any.
    InvalidData(Dropped),
    /// Something that is worth knowing, though nothing is wrong.
    Note {
        /// What.
        message: String,
    },
    /// Something is wrong that does not end the run.
    Warning {
        /// What.
        message: String,
    },
}

/// Receives events. Called from the engine's own task: be quick.
pub trait Observer: Send + Sync {
    /// Takes note of one event.
    fn event(&self, event: &Event);

    /// The run has begun: its traffic can be looked at while it lasts
    /// ([`LocalHooks::traffic`](baton_connector::LocalHooks::traffic)).
    fn run_began(&self, run: RunView) {
        let _ = run;
    }
}

/// An observer that ignores everything.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn event(&self, _: &Event) {}
}
