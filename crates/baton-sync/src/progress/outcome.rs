//! What the progress of a sync decides about its end: whether it may continue, and
//! what is missing.

use baton_c1z::ListId;
use baton_connector::paging::MAX_PAGES_WITHOUT_NEW_ROWS;

use super::Progress;
use crate::error::{Error, Result};
use crate::event::Phase;
use crate::list;
use crate::records::Skip;
use crate::report::{SkipKind, Skipped, UnknownType};
use crate::strays::Strays;

/// Warnings up to here never end a sync (sync-runtime.md §2.2).
const TOLERATED_WARNINGS: u64 = 10;
/// Above that, more than one warning in so many lists does.
const LISTS_PER_WARNING: u64 = 10;
/// Pages beyond twice those that a list of known length needs.
const SPARE_PAGES: u64 = 10;

impl Progress {
    /// Fails when too many lists ended with a warning. Asked at the end of a
    /// phase, so that the answer does not depend on timing.
    pub(crate) fn check_warnings(&self) -> Result<()> {
        if self.warnings <= TOLERATED_WARNINGS || self.warnings * LISTS_PER_WARNING <= self.ended {
            return Ok(());
        }
        let example = self
            .skips
            .iter()
            .find(|(_, skip)| skip.kind != SkipKind::Forbidden)
            .map(|(id, skip)| format!("{}: {}", list::name(id), skip.reason));
        Err(Error::TooManyWarnings {
            warnings: self.warnings,
            lists: self.ended,
            example: example.unwrap_or_default(),
        })
    }

    /// Fails when a list that a page of this phase has named was not read to
    /// its end (sync-runtime.md §3.3, I10).
    pub(crate) fn check_cursors(&self, phase: Phase) -> Result<()> {
        let left = self
            .plan
            .unended()
            .find(|id| !id.cursor().is_empty() && list::phase(id.op()) == phase);
        left.map_or(Ok(()), |id| {
            Err(Error::Invariant {
                id: "I10",
                problem: format!("a further list of the {} was not read", list::name(id)),
            })
        })
    }

    /// Fails when a list seems endless: page after page has nothing new, or it
    /// has far more pages than its rows need.
    pub(crate) fn check_end(&self, list: &ListId) -> Result<()> {
        let Some(begun) = self.begun.get(list) else {
            return Ok(());
        };
        let pages = u64::from(begun.position.page);
        if begun.without_new >= MAX_PAGES_WITHOUT_NEW_ROWS {
            return Err(Error::NothingNew {
                list: list::name(list),
                pages,
            });
        }
        let Some(rows) = self.count_checks.expected(list) else {
            return Ok(());
        };
        let needed = rows.div_ceil(begun.smallest.unwrap_or(1).max(1));
        if pages < 2 * needed + SPARE_PAGES {
            return Ok(());
        }
        Err(Error::TooManyPages {
            list: list::name(list),
            pages,
            rows,
        })
    }

    /// Lists that could not be read, by number.
    pub(crate) fn unreadable(&self) -> u64 {
        self.unreadable
    }

    /// Rows of types that the connector does not have.
    pub(crate) fn unknown_types(&self) -> Vec<UnknownType> {
        let mut all = Strays::default();
        self.strays.values().for_each(|strays| all.merge(strays));
        all.report()
    }

    /// Whether something of the application is not in the file.
    pub(crate) fn is_partial(&self) -> bool {
        self.unreadable > 0 || !self.strays.is_empty()
    }

    pub(crate) fn vanished(&self) -> u64 {
        self.vanished
    }

    pub(crate) fn skipped(&self) -> Vec<Skipped> {
        self.skips
            .iter()
            .map(|(id, skip)| skipped(id, skip))
            .collect()
    }
}

/// A list and why it is missing, for events and reports.
pub(crate) fn skipped(id: &ListId, skip: &Skip) -> Skipped {
    Skipped {
        what: list::noun(id.op()).to_owned(),
        resource_type: list::counted_type(id).to_owned(),
        resource: list::object(id),
        kind: skip.kind,
        reason: skip.reason.clone(),
        advice: skip.advice.clone(),
    }
}
