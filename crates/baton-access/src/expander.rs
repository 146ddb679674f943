//! Grant expansion over the rows of a file that is being sealed.

use std::path::PathBuf;

use crate::blob::{Blobs, spool};
use crate::changes::{ChangedWriter, Derived};
use crate::count::{bound, count};
use crate::error::{Error, Result};
use crate::graph::Plan;
use crate::intern::Directory;
use crate::load::{Dropped, Held, Loaded, Lookup, Stored, Wishes, scan_grants, undecodable};
use crate::propagate::{Derivation, Holders, propagate};
use crate::sources::{add_sources, grant_facts};
use baton_c1z::{Expander, Expansion, SortedRows, Stop};
use baton_proto::figures::counted;

/// Settings of a [`GraphExpander`].
#[derive(Debug, Clone)]
pub struct ExpandOptions {
    /// Where temporary files go; `None` is the system's folder.
    pub temp_dir: Option<PathBuf>,
    /// Bytes of rows kept in memory before they go to a temporary file. The
    /// graph itself comes on top: 8 bytes per derived grant and 4 per stored
    /// grant that it touches.
    pub memory_bytes: usize,
    /// Most grants that one expansion may derive; more end it with
    /// [`Error::TooManyDerived`] before anything is written.
    pub max_derived_grants: u64,
}

impl ExpandOptions {
    /// Default of [`ExpandOptions::memory_bytes`]: 96 MiB.
    pub const DEFAULT_MEMORY_BYTES: usize = 96 << 20;
    /// Default of [`ExpandOptions::max_derived_grants`].
    pub const DEFAULT_MAX_DERIVED_GRANTS: u64 = 100_000_000;
}

impl Default for ExpandOptions {
    fn default() -> Self {
        Self {
            temp_dir: None,
            memory_bytes: Self::DEFAULT_MEMORY_BYTES,
            max_derived_grants: Self::DEFAULT_MAX_DERIVED_GRANTS,
        }
    }
}

/// Expands grants as in sync-runtime specification §4: the complete result,
/// also around cycles and beyond any depth, the same for the same rows.
///
/// Every row that comes with an expansion makes edges. Derived grants come out
/// as inserts in order, grants that gain sources as replacements.
#[derive(Default)]
pub struct GraphExpander<'h> {
    options: ExpandOptions,
    on_estimate: Option<OnEstimate<'h>>,
}

type OnEstimate<'h> = Box<dyn FnMut(&Estimate) + 'h>;

/// What an expansion is going to do. Known from the graph alone, before any
/// grant is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Estimate {
    /// Grants that have an expansion.
    pub expandable_grants: u64,
    /// Grants that are going to be derived.
    pub derived_grants: u64,
}

impl std::fmt::Debug for GraphExpander<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GraphExpander")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl<'h> GraphExpander<'h> {
    /// An expander with these settings.
    pub fn new(options: ExpandOptions) -> Self {
        Self {
            options,
            on_estimate: None,
        }
    }

    /// Calls `then` with the estimate, also if the limit then ends the
    /// expansion. It is not called if no grant has an expansion.
    #[must_use]
    pub fn on_estimate(mut self, then: impl FnMut(&Estimate) + 'h) -> Self {
        self.on_estimate = Some(Box::new(then));
        self
    }

    fn spool(&self) -> tempfile::SpooledTempFile {
        // Entitlements, principals and changed rows share the budget.
        const SPOOLS: usize = 3;
        spool(
            self.options.temp_dir.as_deref(),
            self.options.memory_bytes / SPOOLS,
        )
    }

    /// How many grants would be derived, if that may be more than is allowed.
    fn too_many(
        &self,
        plan: &Plan,
        directory: &Directory,
        holders: &Holders,
    ) -> Result<Option<u64>> {
        let limit = self.options.max_derived_grants;
        if bound(plan, holders) <= limit {
            return Ok(None);
        }
        // Up to here the exact number is reported, whatever is allowed.
        let most = limit.max(ExpandOptions::DEFAULT_MAX_DERIVED_GRANTS);
        let stop = Stop::current();
        let look = || {
            if stop.is_requested() {
                Err(Error::Stopped)
            } else {
                Ok(())
            }
        };
        let derived = count(plan, directory.kinds(), holders.clone(), most, &look)?;
        Ok((derived > limit).then_some(derived))
    }

    fn report_estimate(&mut self, expandable_grants: u64, derived_grants: u64) {
        if let Some(then) = &mut self.on_estimate {
            then(&Estimate {
                expandable_grants,
                derived_grants,
            });
        }
    }
}

/// Everything that is derived, and how many new grants that makes.
fn derive(
    plan: &Plan,
    directory: &Directory,
    holders: Holders,
    entitlements: usize,
) -> Result<(Vec<Option<Derivation>>, u64)> {
    let mut derivations = Vec::new();
    derivations.resize_with(entitlements, || None);
    let mut derived = 0_u64;
    let stop = Stop::current();
    propagate(plan, directory.kinds(), holders, &mut |derivation| {
        if stop.is_requested() {
            return Err(Error::Stopped);
        }
        derived += derivation.new.len() as u64;
        let at = derivation.destination.0 as usize;
        derivations[at] = Some(derivation);
        Ok(())
    })?;
    Ok((derivations, derived))
}

impl Expander for GraphExpander<'_> {
    fn expand(&mut self, rows: &dyn SortedRows) -> baton_c1z::Result<Expansion> {
        if rows.expandable_count() == 0 {
            return Ok(Expansion::new(std::iter::empty()));
        }
        let mut messages = Blobs::new(self.spool());
        let Loaded {
            graph,
            entitlements,
            lookup,
            principals,
            dropped,
        } = Wishes::read(rows)?.resolve(rows, &mut messages)?;
        let plan = graph.into_plan();
        let warnings = warnings(&plan, &entitlements, &dropped, &lookup);
        let entitlement_count = entitlements.len();
        let principal_blobs = Blobs::new(self.spool());
        let Held {
            holders,
            directory,
            embedded,
        } = Held::read(
            rows,
            &lookup,
            &entitlements,
            principals,
            &plan,
            principal_blobs,
        )?;
        let too_many = self
            .too_many(&plan, &directory, &holders)
            .map_err(outward)?;
        if let Some(derived) = too_many {
            self.report_estimate(rows.expandable_count(), derived);
            let limit = self.options.max_derived_grants;
            return Err(outward(Error::TooManyDerived { derived, limit }));
        }
        let (derivations, derived) =
            derive(&plan, &directory, holders, entitlement_count).map_err(outward)?;
        drop(plan);
        self.report_estimate(rows.expandable_count(), derived);

        let mut writer = ChangedWriter::new(self.spool());
        let raise = Raise {
            entitlements: &entitlements,
            derivations: &derivations,
            directory: &directory,
        };
        let wanted = |number| raise.concerns(number);
        scan_grants(
            rows,
            &lookup,
            &entitlements,
            &wanted,
            &mut |number, row| match raise.raised(number, row)? {
                Some(data) => writer.put(&data),
                None => Ok(()),
            },
        )?;
        let changed = writer.into_reader().map_err(outward)?;
        let derived = Derived::new(entitlements, derivations, directory, embedded, messages);
        Ok(Expansion::new(changed)
            .with_inserts(derived)
            .with_warnings(warnings))
    }
}

/// What the sources of stored grants are raised from.
struct Raise<'a> {
    entitlements: &'a [Stored],
    derivations: &'a [Option<Derivation>],
    directory: &'a Directory,
}

impl Raise<'_> {
    /// Whether any grant on this entitlement may lack sources.
    fn concerns(&self, entitlement: u32) -> bool {
        matches!(
            self.derivations.get(entitlement as usize),
            Some(Some(derivation)) if !derivation.existing.is_empty()
        )
    }

    /// The grant with the sources that it lacks; `None` if it lacks none.
    fn raised(&self, entitlement: u32, row: &baton_c1z::Row<'_>) -> Result<Option<Vec<u8>>> {
        let Some(Some(derivation)) = self.derivations.get(entitlement as usize) else {
            return Ok(None);
        };
        let principal = self.directory.find(row.principal_type_id, row.principal_id);
        let Some(claim) = principal.and_then(|p| derivation.find_existing(p)) else {
            return Ok(None);
        };
        let facts =
            grant_facts(row.data, row.entitlement_id).map_err(undecodable("grant", row.id))?;
        if facts.principal.is_none() {
            return Ok(None);
        }
        let added = derivation
            .sources(claim.set)
            .map(|s| (&*self.entitlements[s.entitlement.0 as usize].id, s.direct));
        add_sources(row.data, row.entitlement_id, added).map_err(undecodable("grant", row.id))
    }
}

/// What a reader of the result should know.
fn warnings(
    plan: &Plan,
    entitlements: &[Stored],
    dropped: &Dropped,
    lookup: &Lookup,
) -> Vec<String> {
    const MAX_CYCLES: usize = 25;
    const MAX_MEMBERS: usize = 10;
    let mut warnings = Vec::new();
    if dropped.without_source > 0 {
        let names = lookup.names();
        let examples: Vec<String> = dropped
            .examples
            .iter()
            .map(|&(s, d)| format!("`{}` for `{}`", names[s as usize], names[d as usize]))
            .collect();
        warnings.push(format!(
            "{}: {}",
            counted(
                dropped.without_source,
                "grant expansion names a source entitlement that is not stored",
                "grant expansions name a source entitlement that is not stored",
            ),
            examples.join(", ")
        ));
    }
    if dropped.without_destination > 0 {
        warnings.push(counted(
            dropped.without_destination,
            "grant expansion leads to an entitlement that is not stored",
            "grant expansions lead to an entitlement that is not stored",
        ));
    }
    for members in plan.cycles().take(MAX_CYCLES) {
        let ids: Vec<String> = members
            .iter()
            .take(MAX_MEMBERS)
            .map(|e| format!("`{}`", entitlements[e.0 as usize].id))
            .collect();
        let more = if members.len() > MAX_MEMBERS {
            ", …"
        } else {
            ""
        };
        warnings.push(format!(
            "expansion cycle of {} entitlements, treated as one: {}{more}",
            members.len(),
            ids.join(", ")
        ));
    }
    let unnamed = plan.cycles().count().saturating_sub(MAX_CYCLES);
    if unnamed > 0 {
        warnings.push(counted(
            unnamed as u64,
            "more expansion cycle",
            "more expansion cycles",
        ));
    }
    warnings
}

/// Wraps an error of ours, so that it can leave through the storage crate.
pub(crate) fn outward(error: Error) -> baton_c1z::Error {
    baton_c1z::Error::advised(error.code(), error)
}
