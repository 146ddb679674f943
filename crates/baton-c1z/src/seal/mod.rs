//! Sealing: a page log becomes a file.
//!
//! Rows are brought into canonical order by an external merge sort, repeated
//! ids are resolved, grants are expanded, and the result is handed row by row
//! to the writer of a format. What comes out depends on the rows alone, not
//! on the order in which their pages arrived. Until the writer's last step
//! the target is untouched, and the log stays as it is for another try.

mod changes;
mod collect;
mod conflict;
mod expand;
mod grants;
pub(crate) mod key;
mod outlet;
mod plan;
mod sink;
#[cfg(test)]
mod tests;
mod winners;
mod write;

pub use expand::{Expander, Expansion, GrantChange, NoExpansion, SortedRows};
pub use plan::{Cleanup, SealEvent, SealPlan, Sealed};

use std::sync::Arc;

use crate::error::Result;
use crate::log::PageLog;
use crate::sort::{Place, Sorted};
use changes::Changes;
use collect::Collected;
use grants::{GrantTable, View};
use key::Identity;
use outlet::{Outlet, Pouring};
use write::Writing;

/// The sorted rows, and what else is known of them.
struct Sources<'a> {
    log: &'a PageLog,
    rows: &'a Sorted,
    losers: Option<&'a Sorted>,
    identity: Identity,
    /// Set if there is a grant with an expansion, or a change to the grants.
    grants: Option<&'a GrantTable>,
}

impl PageLog {
    /// Where a seal sorts.
    fn place(&self, plan: &Pouring) -> Place {
        Place {
            files: Arc::clone(self.work_dir().files()),
            dir: self.work_dir().scratch_path(),
            name: "",
            budget_bytes: plan.memory_budget_bytes,
        }
    }

    /// Sorts, resolves, expands and hands everything to the outlet's sink.
    /// The caller makes the scratch folder, and removes the working folder.
    fn pour(
        &self,
        outlet: Outlet<'_>,
        plan: &Pouring,
        expander: &mut dyn Expander,
        progress: &mut dyn FnMut(SealEvent),
    ) -> Result<Sealed> {
        let identity = outlet.form.identity();
        let place = self.place(plan);
        let Collected {
            rows,
            ids,
            expandable,
        } = collect::collect(self, &outlet.form, &place, progress)?;
        let losers = match identity {
            Identity::ExternalId => conflict::losers(self, &ids, &place)?,
            Identity::Tuple => None,
        };
        let mut sources = Sources {
            log: self,
            rows: &rows,
            losers: losers.as_ref(),
            identity,
            grants: None,
        };
        let grants = if expandable > 0 {
            Some(GrantTable::lay_down(&sources, &place)?)
        } else {
            None
        };
        sources.grants = grants.as_ref();
        let changes = sources.expand(expander, &ids, &place, progress)?;
        let late;
        if grants.is_none() && changes.as_ref().is_some_and(|changes| !changes.is_empty()) {
            late = GrantTable::lay_down(&sources, &place)?;
            sources.grants = Some(&late);
        }
        ids.remove(place.files.as_ref())?;
        let sink = (outlet.open)()?;
        let written = Writing::new(&sources, sink, progress).run(changes.as_ref(), &plan.assets)?;
        Ok(Sealed {
            path: written.finished.path,
            stats: written.finished.stats,
            removed_syncs: written.finished.removed_syncs,
            duplicates_resolved: written.duplicates,
            dropped_lists: self.dropped_lists(),
            expandable_grants: sources.expandable(),
            grants_inserted: written.inserted,
            grants_replaced: written.replaced,
            warnings: changes.map(|changes| changes.warnings).unwrap_or_default(),
            leftover: None,
        })
    }
}

impl Sources<'_> {
    /// Number of grants with an expansion.
    fn expandable(&self) -> u64 {
        self.grants.map_or(0, |grants| grants.expandable)
    }

    /// Asks the expander, if there is anything to expand.
    fn expand(
        &self,
        expander: &mut dyn Expander,
        ids: &Sorted,
        place: &Place,
        progress: &mut dyn FnMut(SealEvent),
    ) -> Result<Option<Changes>> {
        let expandable = self.expandable();
        if expandable == 0 && !expander.needs_rows() {
            return Ok(None);
        }
        progress(SealEvent::Expanding { expandable });
        let view = View { sources: self };
        let expansion = expander.expand(&view)?;
        Changes::spool(expansion, self.log, ids, self.identity, place).map(Some)
    }
}
