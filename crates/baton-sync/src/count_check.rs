//! Compares the rows of lists with the application's own counts of them
//! (`baton_connector::UpstreamCount`). Part of the fold over the log, so a resumed
//! run compares what one without an interruption would.
//!
//! A difference is a warning and changes nothing else: a count may be taken by
//! other rules than the list, or be older than a change.

use std::collections::{BTreeMap, BTreeSet};

use baton_c1z::{ListId, Op};
use baton_proto::figures::counted;

use crate::list;
use crate::records::PageFacts;
use crate::report::{Miscount, Uncounted};

/// A list whose rows the application has counted, or was asked to count.
#[derive(Debug, Default)]
struct CountCheck {
    /// The largest count.
    counted: Option<u64>,
    /// It is a count of something else than the list.
    roughly: bool,
    /// Why there is none.
    unknown: Option<String>,
    /// Rows, those included that were left out as invalid or unwanted.
    rows: u64,
    /// Rows of those that were left out.
    dropped: u64,
    /// What was counted has come to its end.
    ended: bool,
}

/// The checks of all lists. Lists with as many rows as were counted are
/// removed.
#[derive(Debug, Default)]
pub(crate) struct CountChecks {
    all: BTreeMap<ListId, CountCheck>,
}

/// How far a list has come with a page.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reached {
    /// Rows of the list so far that are stored.
    pub(crate) stored: u64,
    /// Rows of the list so far that were left out.
    pub(crate) dropped: u64,
    /// The page is the list's last.
    pub(crate) last: bool,
}

impl CountChecks {
    /// Notes the facts that a page has about its list.
    pub(crate) fn page(&mut self, list: &ListId, facts: &PageFacts, reached: Reached) {
        if facts.counted.is_some() || facts.uncounted.is_some() {
            let check = self.all.entry(list.clone()).or_default();
            check.note(facts);
            if let Some(reason) = &facts.uncounted {
                check.unknown = Some(reason.clone());
            }
        }
        let Some(check) = self.all.get_mut(list) else {
            return;
        };
        if !check.ended {
            check.rows = reached.stored + reached.dropped;
            check.dropped = reached.dropped;
            check.ended = facts.count_ends_here || reached.last;
        }
        // Resources are counted by their ids, once all of them are known.
        if check.ended && list.op() != Op::Resources && !check.has_finding() {
            self.all.remove(list);
        }
    }

    /// A list no longer counts, or starts over.
    pub(crate) fn forget(&mut self, list: &ListId) {
        self.all.remove(list);
    }

    /// Whether resources were counted.
    pub(crate) fn of_resources(&self) -> bool {
        self.all.keys().any(|list| list.op() == Op::Resources)
    }

    /// All resources are known: `ids` gives how many different ones a list has.
    pub(crate) fn count_resources(&mut self, mut ids: impl FnMut(&ListId) -> u64) {
        self.all.retain(|list, check| {
            if list.op() == Op::Resources {
                check.rows = ids(list) + check.dropped;
            }
            list.op() != Op::Resources || check.has_finding()
        });
    }

    /// Rows that a list is known to have, as long as they come.
    pub(crate) fn expected(&self, list: &ListId) -> Option<u64> {
        let check = self.all.get(list)?;
        check.counted.filter(|_| !check.ended && !check.roughly)
    }

    /// Lists that brought fewer rows than were counted.
    pub(crate) fn shortfalls(&self) -> Vec<Miscount> {
        self.miscounts(|counted, check| counted > check.rows)
    }

    /// Lists that brought more rows than were counted. Rows that were left out
    /// do not count here: which of them repeat others is not known.
    pub(crate) fn surpluses(&self) -> Vec<Miscount> {
        self.miscounts(|counted, check| counted < check.rows - check.dropped)
    }

    fn miscounts(&self, differs: impl Fn(u64, &CountCheck) -> bool) -> Vec<Miscount> {
        let short = self.all.iter().filter(|(_, check)| check.ended);
        short
            .filter_map(|(id, check)| {
                let counted = check.counted.filter(|counted| differs(*counted, check))?;
                Some(Miscount {
                    what: list::noun(id.op()).to_owned(),
                    resource_type: list::counted_type(id).to_owned(),
                    resource: list::object(id),
                    listed: check.rows,
                    counted,
                })
            })
            .collect()
    }

    /// Lists that the application was asked to count and did not.
    pub(crate) fn uncounted(&self) -> Vec<Uncounted> {
        let all = self.all.iter();
        all.filter(|(_, check)| check.counted.is_none())
            .filter_map(|(id, check)| {
                Some(Uncounted {
                    what: list::noun(id.op()).to_owned(),
                    resource_type: list::counted_type(id).to_owned(),
                    resource: list::object(id),
                    reason: check.unknown.clone()?,
                })
            })
            .collect()
    }
}

impl CountCheck {
    /// A count of the list itself is worth more than any other.
    fn note(&mut self, facts: &PageFacts) {
        let Some(counted) = facts.counted else {
            return;
        };
        if self.roughly == facts.roughly {
            self.counted = self.counted.max(Some(counted));
        } else if self.counted.is_none() || self.roughly {
            self.counted = Some(counted);
            self.roughly = facts.roughly;
        }
    }

    fn has_finding(&self) -> bool {
        match self.counted {
            Some(counted) => counted != self.rows,
            None => self.unknown.is_some(),
        }
    }
}

/// Lists of one kind that are named one by one.
const NAMED: usize = 3;

/// Warnings about lists and counts that differ, and about lists that could not
/// be compared.
pub(crate) fn warnings(
    shortfalls: &[Miscount],
    surpluses: &[Miscount],
    uncounted: &[Uncounted],
) -> Vec<String> {
    let mut warnings = named(shortfalls, "fewer rows");
    if !shortfalls.is_empty() {
        warnings.push(
            "objects deleted during the sync can make a list skip rows: sync again at a quiet \
             time; if the difference stays, the application counts differently than it lists"
                .to_owned(),
        );
    }
    warnings.extend(named(surpluses, "more rows"));
    let kinds = uncounted.chunk_by(|a, b| a.kind() == b.kind());
    for kind in kinds {
        warnings.extend(kind.iter().take(1).map(|first| match kind.len() - 1 {
            0 => first.to_string(),
            more => {
                let more = counted(more as u64, "more list", "more lists");
                format!("{first} (and {more} of this kind)")
            }
        }));
    }
    warnings
}

/// The first lists of each kind, and how many more there are.
fn named(miscounts: &[Miscount], how: &str) -> Vec<String> {
    let mut warnings = Vec::new();
    for kind in miscounts.chunk_by(|a, b| a.kind() == b.kind()) {
        warnings.extend(kind.iter().take(NAMED).map(ToString::to_string));
        if let Some(rest) = kind.get(NAMED..).filter(|rest| !rest.is_empty()) {
            let sum = rest.iter().map(Miscount::difference).sum::<u64>();
            let (what, type_id) = kind[0].kind();
            warnings.push(format!(
                "{} of {what} of type `{type_id}` {} {how} than counted, {sum} in all",
                counted(rest.len() as u64, "more list", "more lists"),
                if rest.len() == 1 { "has" } else { "have" },
            ));
        }
    }
    warnings
}

/// Warnings about lists whose last page is full and that nothing counts.
pub(crate) fn full_ends(lists: &BTreeSet<ListId>) -> Vec<String> {
    let mut warnings: Vec<String> = lists
        .iter()
        .take(NAMED)
        .map(|id| {
            format!(
                "{}: the last page is full, and it names no next page: rows may be missing",
                list::name(id)
            )
        })
        .collect();
    if lists.len() > NAMED {
        let more = (lists.len() - NAMED) as u64;
        let one = "more list ends with a full page";
        warnings.push(counted(more, one, "more lists end with a full page"));
    }
    warnings
}
