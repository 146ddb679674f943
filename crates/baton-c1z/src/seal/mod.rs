//! Sealing: a page log becomes a file.
//!
//! Rows are brought into canonical order by an external merge sort, repeated
//! ids are resolved, grants are expanded, and the result is handed row by row
//! to the writer of a format. What comes out depends on the rows alone, not
//! on the order in which their pages arrived. Until the writer's last step
//! the target is untouched, and the log stays as it is for another try.

mod changes;
pub(crate) mod collect;
mod conflict;
pub(crate) mod dated;
mod expand;
pub(crate) mod grants;
pub(crate) mod key;
pub(crate) mod origin;
pub(crate) mod outlet;
mod plan;
mod repeats;
pub(crate) mod sink;
mod substitute;
#[cfg(test)]
mod tests;
mod visit;
pub(crate) mod winners;
mod write;

pub use expand::{Expander, Expansion, GrantChange, NewGrants, NoExpansion, SortedRows};
pub use plan::{Cleanup, SealEvent, SealPlan, Sealed};
pub use substitute::{PutGrant, Substitutes};

use std::sync::Arc;

use crate::error::Result;
use crate::log::PageLog;
use crate::row::Table;
use crate::sort::{Place, Sorted};
use changes::Changes;
use collect::Collected;
use grants::{GrantTable, View};
use key::Identity;
use origin::{LogRows, Origin, Shape};
use outlet::{Outlet, Pouring};
use sink::Sink;
use substitute::substitute;
use write::Writing;

pub(crate) use write::Assets;

/// The sorted rows, and what else is known of them.
struct Sources<'a> {
    origin: &'a dyn Origin,
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
            added,
        } = collect::collect(self, &outlet.form, &place, progress)?;
        let losers = match identity {
            Identity::ExternalId => conflict::losers(self, &ids, added, &place)?,
            Identity::Tuple => None,
        };
        let mut origin = LogRows {
            log: self,
            rows: &rows,
            losers: losers.as_ref(),
            added,
            shape: Shape::from(&outlet.form),
            gone: None,
        };
        let substituted = match expander.substitutes() {
            Some(by) => substitute(&origin, &outlet.form, by, &ids, &place)?,
            None => None,
        };
        let (mut grants, mut ids) = (None, ids);
        let gone;
        if let Some(substituted) = substituted {
            grants = Some(substituted.grants);
            ids = match substituted.ids {
                Some(more) => ids.join(more),
                None => ids,
            };
            gone = substituted.gone;
            origin.gone = Some(&gone);
        }
        let mut sources = Sources {
            origin: &origin,
            grants: None,
        };
        if grants.is_none() && expandable > 0 {
            grants = Some(GrantTable::lay_down(&sources, &place)?);
        }
        sources.grants = grants.as_ref();
        let mut assets = |sink: &mut dyn Sink| {
            let mut assets = plan.assets.iter();
            assets.try_for_each(|asset| sink.put_asset(asset))
        };
        let sealed = sources.finish(
            Hands { expander, progress },
            ids,
            &place,
            outlet.open,
            &mut assets,
        )?;
        Ok(Sealed {
            dropped_lists: self.dropped_lists(),
            ..sealed
        })
    }
}

/// Who takes part in finishing a file.
pub(crate) struct Hands<'a> {
    pub expander: &'a mut dyn Expander,
    pub progress: &'a mut dyn FnMut(SealEvent),
}

/// Begins the file that is to be written.
pub(crate) type OpenSink<'a> = Box<dyn FnOnce() -> Result<Box<dyn Sink + 'a>> + 'a>;

/// Expands rows that are laid down already, and writes everything.
pub(crate) fn finish_laid_down(
    origin: &dyn Origin,
    grants: &GrantTable,
    hands: Hands<'_>,
    ids: Sorted,
    place: &Place,
    open: OpenSink<'_>,
    assets: &mut Assets<'_>,
) -> Result<Sealed> {
    let sources = Sources {
        origin,
        grants: Some(grants),
    };
    sources.finish(hands, ids, place, open, assets)
}

impl Sources<'_> {
    /// Expands and writes. `ids` are the hashes of the rows' ids.
    fn finish(
        self,
        hands: Hands<'_>,
        ids: Sorted,
        place: &Place,
        open: OpenSink<'_>,
        assets: &mut Assets<'_>,
    ) -> Result<Sealed> {
        let Hands { expander, progress } = hands;
        let mut changes = self.expand(expander, &ids, place, progress)?;
        let changed = changes.as_ref().is_some_and(|changes| !changes.is_empty());
        let late = match self.grants {
            None if changed => Some(GrantTable::lay_down(&self, place)?),
            _ => None,
        };
        let sources = Sources {
            origin: self.origin,
            grants: self.grants.or(late.as_ref()),
        };
        ids.remove(place.files.as_ref())?;
        // Opening it makes room for the rows: those that stay are read again.
        progress(SealEvent::Writing {
            table: Table::ResourceTypes,
            done_rows: 0,
            total_rows: sources.origin.count(),
        });
        let sink = open()?;
        let written = Writing::new(&sources, sink, progress).run(changes.as_mut(), assets)?;
        Ok(Sealed {
            path: written.finished.path,
            stats: written.finished.stats,
            removed_syncs: written.finished.removed_syncs,
            duplicates_resolved: written.duplicates,
            dropped_lists: 0,
            expandable_grants: sources.expandable(),
            grants_inserted: written.inserted,
            grants_replaced: written.replaced,
            warnings: changes.map(|changes| changes.warnings).unwrap_or_default(),
            leftover: None,
        })
    }

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
        // An expander may only want to look.
        if expandable > 0 {
            progress(SealEvent::Expanding { expandable });
        }
        let view = View { sources: self };
        let expansion = expander.expand(&view)?;
        Changes::take(expansion, self.origin, ids, place).map(Some)
    }
}
