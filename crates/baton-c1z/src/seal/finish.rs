//! The steps that a seal and a merge share: check, expand, write.

use crate::error::Result;
use crate::row::Table;
use crate::sort::{Place, Sorted};
use crate::stop;

use super::changes::Changes;
use super::expand::Expander;
use super::grants::GrantTable;
use super::plan::SealEvent;
use super::row_source::RowSource;
use super::sink::{Assets, Finished, OpenSink};
use super::sorted_rows::{SealRows, SortedRows};
use super::steps::MergeSteps;
use super::write::Writing;

/// Sorted rows that are ready for the steps.
pub(crate) struct SortedInput<'a> {
    pub source: &'a dyn RowSource,
    /// Set if a step reads grants by entitlement.
    pub grants: Option<&'a GrantTable>,
    /// Hashes of the rows' ids.
    pub ids: Sorted,
    pub place: &'a Place,
    /// Warnings of earlier steps.
    pub warnings: Vec<String>,
}

/// The file, and what the steps did.
#[derive(Debug)]
pub(crate) struct Written {
    pub finished: Finished,
    /// Rows that were left out since a later row has the same id.
    pub duplicates: u64,
    /// Grants with an expansion.
    pub expandable: u64,
    /// Grants that were added.
    pub inserted: u64,
    /// Grants that were changed.
    pub replaced: u64,
    /// Warnings of the expansion, then of the steps before it.
    pub warnings: Vec<String>,
}

impl SortedInput<'_> {
    /// Runs the steps and writes the file.
    pub(crate) fn finish(
        self,
        steps: MergeSteps<'_>,
        open: OpenSink<'_>,
        assets: &mut Assets<'_>,
        progress: &mut dyn FnMut(SealEvent),
    ) -> Result<Written> {
        let Self {
            source,
            grants,
            ids,
            place,
            warnings: earlier_warnings,
        } = self;
        let rows = SealRows { source, grants };
        let check_warnings = match steps.check {
            Some(check) => check.check(&rows)?,
            None => Vec::new(),
        };
        let mut changes = match steps.expand {
            Some(by) => Some(expand(&rows, by, &ids, place, progress)?),
            None => None,
        };
        ids.remove(place.files.as_ref())?;
        // An expander may change grants of which none has an expansion.
        let is_changed = changes.as_ref().is_some_and(|changes| !changes.is_empty());
        let late = match grants {
            None if is_changed => Some(GrantTable::spill(source, place)?),
            _ => None,
        };
        let rows = SealRows {
            source,
            grants: grants.or(late.as_ref()),
        };
        // Opening the sink deletes old syncs first; it reads what is kept.
        progress(SealEvent::Writing {
            table: Table::ResourceTypes,
            done_rows: 0,
            total_rows: source.count(),
        });
        let written = Writing::new(&rows, open()?, progress).run(changes.as_mut(), assets)?;
        let mut warnings = changes.map(|changes| changes.warnings).unwrap_or_default();
        warnings.extend(earlier_warnings);
        warnings.extend(check_warnings);
        Ok(Written {
            finished: written.finished,
            duplicates: written.duplicates,
            expandable: rows.expandable_count(),
            inserted: written.inserted,
            replaced: written.replaced,
            warnings,
        })
    }
}

fn expand(
    rows: &SealRows<'_>,
    expander: &mut dyn Expander,
    ids: &Sorted,
    place: &Place,
    progress: &mut dyn FnMut(SealEvent),
) -> Result<Changes> {
    stop::check()?;
    let expandable = rows.expandable_count();
    if expandable > 0 {
        progress(SealEvent::Expanding { expandable });
    }
    let expansion = expander.expand(rows)?;
    Changes::take(expansion, rows.source, ids, place)
}
