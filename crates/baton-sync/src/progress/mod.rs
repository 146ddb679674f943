//! What is known of a running sync. It is a fold over what is in the log:
//! a live run appends to the log and then applies the same step here, a
//! resumed one replays the log, so both stand at the same point.
//!
//! Memory grows with the number of resources (a few dozen bytes and the id
//! each) and with what went wrong, never with entitlements or grants.

mod begun;
mod outcome;
mod replay;

use std::collections::{BTreeMap, BTreeSet};

use baton_c1z::{ListId, Op, PageRow, RowRef};
use baton_proto::bid::{ResourceBid, TypedId};

use begun::Begun;

use crate::check::{Checked, ResourceFacts};
use crate::count_check::{CountChecks, Reached};
use crate::error::{Error, Result};
use crate::event::Phase;
use crate::index::{ListKind, PageRef, ResourceIndex};
use crate::list::{self, OpenList, Position};
use crate::plan::Plan;
use crate::records::{PageFacts, Related, Skip};
use crate::repeats::Repeats;
use crate::report::{Dropped, Report, SkipKind};
use crate::row_keys;
use crate::sessions::Values;
use crate::split_lists::SplitLists;
use crate::strays::Strays;
use crate::types::{TypeFacts, TypeTable};

/// Child types outside the sync that are remembered for the report.
const MAX_UNKNOWN_CHILDREN: usize = 100;

pub(crate) use outcome::skipped;

/// What a page adds besides its rows.
#[derive(Debug)]
pub(crate) enum Content {
    Types(Vec<(String, TypeFacts)>),
    Resources(Vec<ResourceFacts>),
    Templates(Vec<Vec<u8>>),
    RowsOnly,
}

/// Which page it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PagePlace<'a> {
    pub(crate) list: &'a ListId,
    pub(crate) generation: u32,
    pub(crate) page: u32,
    pub(crate) next: &'a str,
}

/// The rows of a page that are of its list's own table.
#[derive(Clone, Copy)]
pub(crate) struct OwnRows<'a> {
    pub(crate) keys: &'a [u64],
    /// The id of the row of this number.
    pub(crate) id: &'a dyn Fn(usize) -> String,
}

/// A resource that was asked for by its id and is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Absent {
    /// The reason that the connector gave.
    pub(crate) reason: String,
    /// The connector cannot read resources of this type by their id.
    pub(crate) unreadable: bool,
}

/// See the module's header.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    pub(crate) sync_id: Option<String>,
    pub(crate) types: TypeTable,
    pub(crate) plan: Plan,
    pub(crate) index: ResourceIndex,
    /// Static entitlements by type.
    pub(crate) templates: BTreeMap<String, Vec<Vec<u8>>>,
    pub(crate) dropped: Dropped,
    /// Child types that are named by resources and unknown to the sync.
    pub(crate) unknown_children: BTreeSet<String>,
    /// Some entitlement is in an exclusion group.
    pub(crate) has_groups: bool,
    /// Some grant of the connector has an expansion; see [`PageFacts::expandable`].
    pub(crate) has_expandable: bool,
    /// Some grant of the connector asks for an external resource.
    pub(crate) has_placeholders: bool,
    /// Types of resources that grants embed and that are to be inserted.
    pub(crate) inserted: BTreeSet<String>,
    /// Resources that grants are on, of a targeted sync.
    pub(crate) related: BTreeSet<ResourceBid>,
    /// Resources that were asked for by id and do not exist, and why.
    pub(crate) absent: BTreeMap<ListId, Absent>,
    /// Rows of types that the connector does not have, by the list that
    /// brought them.
    strays: BTreeMap<ListId, Strays>,
    /// Rows that came more than once.
    pub(crate) repeats: BTreeMap<ListId, Repeats>,
    /// Lists whose last page is full, and that nothing counts.
    pub(crate) full_ends: BTreeSet<ListId>,
    /// Lists that are made up of several.
    pub(crate) split_lists: SplitLists,
    /// What the connector keeps for itself. Filled by a replay only.
    pub(crate) session_values: Values,
    /// The list that ended the run before. Filled by a replay only.
    pub(crate) ended_by: Option<ListId>,
    /// Rows of lists, compared with counts of the application.
    pub(crate) count_checks: CountChecks,
    /// Pages stored.
    pub(crate) pages: u64,
    phases: BTreeSet<Phase>,
    begun: BTreeMap<ListId, Begun>,
    rows: BTreeMap<Op, u64>,
    /// Lists of the connector that have ended, one way or another.
    ended: u64,
    skips: BTreeMap<ListId, Skip>,
    unreadable: u64,
    vanished: u64,
    warnings: u64,
}

/// Where it stands whether a list has ended.
enum Place {
    Plan,
    /// The resource's slot, if it is listed.
    Index(Option<usize>, ListKind),
}

fn bid((resource_type, resource, parent): Related) -> ResourceBid {
    ResourceBid {
        id: TypedId {
            resource_type,
            resource,
        },
        parent: parent.map(|(resource_type, resource)| TypedId {
            resource_type,
            resource,
        }),
    }
}

impl Progress {
    /// Where a list stands.
    pub(crate) fn open(&self, id: ListId) -> OpenList {
        let position = self.begun.get(&id).map(|begun| begun.position.clone());
        OpenList::at(id, position.unwrap_or_default())
    }

    pub(crate) fn is_done(&self, phase: Phase) -> bool {
        self.phases.contains(&phase)
    }

    /// Rows stored by a phase.
    pub(crate) fn rows_of(&self, phase: Phase) -> u64 {
        self.rows
            .iter()
            .filter(|(op, _)| list::phase(**op) == phase)
            .map(|(_, rows)| rows)
            .sum()
    }

    /// Takes note of a checked page that has been stored.
    pub(crate) fn page_stored(
        &mut self,
        open: &OpenList,
        mut page: Checked,
        refs: &[RowRef],
    ) -> Result<()> {
        let types = std::mem::take(&mut page.types);
        let resources = std::mem::take(&mut page.resources);
        let templates = std::mem::take(&mut page.templates);
        let rows: Vec<PageRow<&[u8]>> = page.own_rows(open.id.op()).collect();
        let id = |n: usize| {
            rows.get(n)
                .map(|row| row_keys::id(*row))
                .unwrap_or_default()
        };
        let own = OwnRows {
            keys: &page.keys,
            id: &id,
        };
        let content = match open.id.op() {
            Op::ResourceTypes => Content::Types(types),
            Op::Resources => Content::Resources(resources),
            Op::StaticEntitlements if !list::is_made_by_engine(&open.id) => {
                Content::Templates(templates)
            }
            _ => Content::RowsOnly,
        };
        let place = PagePlace {
            list: &open.id,
            generation: open.generation,
            page: open.page,
            next: &page.next,
        };
        self.apply_page(place, content, refs, (own, &page.facts))
    }

    fn apply_page(
        &mut self,
        place: PagePlace<'_>,
        content: Content,
        refs: &[RowRef],
        (own, facts): (OwnRows<'_>, &PageFacts),
    ) -> Result<()> {
        let list = place.list;
        match content {
            Content::Types(types) => {
                for (id, facts) in types {
                    self.types.insert(id, facts);
                }
            }
            Content::Resources(resources) => self.add_resources(place, &resources, refs)?,
            Content::Templates(templates) => {
                let type_id = list::counted_type(list).to_owned();
                let all = self.templates.entry(type_id).or_default();
                all.extend(templates);
            }
            Content::RowsOnly => {}
        }
        let rows = own.keys.len() as u64;
        self.pages += 1;
        *self.rows.entry(list.op()).or_default() += rows;
        self.dropped.add(facts.dropped);
        self.has_groups |= facts.grouped;
        self.has_expandable |= facts.expandable;
        self.has_placeholders |= facts.placeholder;
        self.inserted.extend(facts.inserted.iter().cloned());
        for enqueued in self.split_lists.enqueue(list, &facts.enqueued) {
            self.plan.number(&enqueued);
        }
        self.related.extend(facts.related.iter().cloned().map(bid));
        if let Some(reason) = &facts.absent {
            let absent = Absent {
                reason: reason.clone(),
                unreadable: facts.unreadable,
            };
            self.absent.insert(list.clone(), absent);
        }
        if !facts.strays.is_empty() {
            let strays = self.strays.entry(list.clone()).or_default();
            strays.merge(&facts.strays);
        }
        if facts.ends_full {
            self.full_ends.insert(list.clone());
        }
        let mut begun = self.begun.remove(list).unwrap_or_default();
        // What the engine makes itself ends, and repeats nothing of its own.
        if !list::is_made_by_engine(list) {
            for repeated in begun.take(own.keys, facts.dropped.rows()) {
                let repeats = self.repeats.entry(list.clone()).or_default();
                repeats.add((own.id)(repeated));
            }
        }
        begun.row_counts.rows += rows;
        begun.row_counts.dropped.add(facts.dropped);
        let reached = Reached {
            stored: begun.row_counts.rows - begun.repeated,
            dropped: begun.row_counts.dropped.rows(),
            last: place.next.is_empty(),
        };
        self.count_checks.page(list, facts, reached);
        if place.next.is_empty() {
            self.split_lists.end(list, begun.row_counts);
            self.end(list);
            return Ok(());
        }
        begun.position = Position {
            generation: place.generation,
            page: place.page + 1,
            token: place.next.to_owned(),
        };
        self.begun.insert(list.clone(), begun);
        Ok(())
    }

    fn add_resources(
        &mut self,
        place: PagePlace<'_>,
        resources: &[ResourceFacts],
        refs: &[RowRef],
    ) -> Result<()> {
        let page_ref = PageRef {
            list: self.plan.number(place.list),
            page: place.page,
        };
        for (facts, row) in resources.iter().zip(refs) {
            let kind = self.types.number(&facts.type_id).ok_or(Error::Journal {
                what: "resource of a type that is not in the sync",
            })?;
            self.index.add(page_ref, kind, &facts.id, facts.skips, *row);
            for child in &facts.children {
                if self.types.get(child).is_some() {
                    let parent = Some((facts.type_id.as_str(), facts.id.as_str()));
                    self.plan.number(&ListId::resources(child, parent));
                } else if self.unknown_children.len() < MAX_UNKNOWN_CHILDREN {
                    self.unknown_children.insert(child.clone());
                }
            }
        }
        Ok(())
    }

    /// Whether everything was copied from another file, though perhaps the
    /// phase was not ended.
    pub(crate) fn is_external_copied(&self) -> bool {
        self.is_ended(&ListId::external())
    }

    /// Takes note that everything was copied from another file.
    pub(crate) fn external_copied(&mut self, rows: u64, pages: u32) {
        let list = ListId::external();
        self.begun.remove(&list);
        self.pages += u64::from(pages);
        *self.rows.entry(list.op()).or_default() += rows;
        self.end(&list);
    }

    /// Takes note that a list will not be asked for further pages.
    fn end(&mut self, list: &ListId) {
        // What is made up of several lists counts once.
        if !list::is_made_by_engine(list) && list.cursor().is_empty() {
            self.ended += 1;
        }
        match self.place(list) {
            Place::Plan => self.plan.end(list),
            Place::Index(Some(slot), done) => self.index.set_done(slot, done),
            Place::Index(None, _) => {}
        }
    }

    pub(crate) fn is_ended(&self, list: &ListId) -> bool {
        match self.place(list) {
            Place::Plan => self.plan.is_ended(list),
            Place::Index(Some(slot), done) => self.index.is_done(slot, done),
            Place::Index(None, _) => false,
        }
    }

    fn place(&self, list: &ListId) -> Place {
        let Some((id, done)) = list::indexed(list) else {
            return Place::Plan;
        };
        let kind = self.types.number(&id.type_id);
        let slot = kind.and_then(|kind| self.index.find(kind, &id.id));
        Place::Index(slot, done)
    }

    /// Forgets what a list has brought so far.
    pub(crate) fn restarted(&mut self, list: &ListId, generation: u32) {
        self.take_back(list);
        self.begun.insert(
            list.clone(),
            Begun {
                position: Position {
                    generation,
                    ..Position::default()
                },
                ..Begun::default()
            },
        );
        match list.op() {
            Op::ResourceTypes => self.types.clear(),
            Op::StaticEntitlements => {
                self.templates.remove(list::counted_type(list));
            }
            _ => {}
        }
        if list::indexed(list).is_none() {
            self.plan.restart(list);
        }
    }

    fn take_back(&mut self, list: &ListId) {
        self.count_checks.forget(list);
        self.strays.remove(list);
        self.repeats.remove(list);
        self.full_ends.remove(list);
        let begun = self.begun.remove(list).map(|begun| begun.row_counts);
        if let Some(row_counts) = begun.or_else(|| self.split_lists.remove_counts(list)) {
            self.dropped.subtract(row_counts.dropped);
            let rows = self.rows.entry(list.op()).or_default();
            *rows = rows.saturating_sub(row_counts.rows);
        }
    }

    /// A list's rows do not count. Of one that had ended already nothing is
    /// reported: it hung on rows that do not count either.
    pub(crate) fn list_dropped(&mut self, list: &ListId, skip: Skip) {
        let ended = self.is_ended(list);
        self.take_back(list);
        if list::indexed(list).is_none() {
            self.plan.drop_list(list);
        }
        if !ended {
            self.end(list);
        }
        // What several lists make up is missing once.
        let first = self.split_lists.drop_member(list, &skip);
        if first.unwrap_or(!ended) {
            self.skip(list, skip);
        }
    }

    /// A list ends early; the pages before count.
    pub(crate) fn list_abandoned(&mut self, list: &ListId, reason: String) {
        self.begun.remove(list);
        self.count_checks.forget(list);
        self.end(list);
        let skip = Skip {
            kind: SkipKind::Abandoned,
            reason,
            advice: Vec::new(),
        };
        self.skip(list, skip);
    }

    fn skip(&mut self, list: &ListId, skip: Skip) {
        match skip.kind {
            SkipKind::Forbidden => self.unreadable += 1,
            SkipKind::Abandoned => {
                self.unreadable += 1;
                self.warnings += 1;
            }
            SkipKind::Vanished => {
                self.vanished += 1;
                self.warnings += 1;
            }
        }
        self.skips.insert(list.with_cursor(""), skip);
        if self.skips.len() > Report::MAX_SKIPPED {
            // Which ones are named must not depend on who came first.
            self.skips.pop_last();
        }
    }

    pub(crate) fn phase_done(&mut self, phase: Phase) {
        if phase == Phase::Resources {
            self.sort_index();
            self.finish_count_checks();
            let plan = &self.plan;
            self.index.keep_winners(|number| plan.counts(number));
        }
        self.phases.insert(phase);
    }

    fn finish_count_checks(&mut self) {
        if self.count_checks.of_resources() {
            let plan = &mut self.plan;
            let ids = self.index.ids_by_list(|number| plan.counts(number));
            self.count_checks
                .count_resources(|list| ids.get(&plan.number(list)).copied().unwrap_or(0));
        }
    }

    fn sort_index(&mut self) {
        let ranks = self.plan.ranks();
        self.index
            .sort(|number| ranks.get(number as usize).copied().unwrap_or(0));
    }

    /// Lists under a parent that is in no list that counts. They can exist
    /// when the parent's own list started over or was dropped.
    pub(crate) fn orphans(&mut self) -> Vec<ListId> {
        if !self.plan.has_losses() {
            return Vec::new();
        }
        self.sort_index();
        let mut orphans = BTreeMap::new();
        loop {
            let counts = |number| self.plan.counts(number) && !orphans.contains_key(&number);
            let is_orphan = |list: &ListId| match list {
                // The parent of a resource that was asked for by id is not listed.
                ListId::Resources {
                    parent: Some(parent),
                    ..
                } => {
                    let kind = self.types.number(&parent.type_id);
                    !kind.is_some_and(|kind| self.index.is_listed(kind, &parent.id, counts))
                }
                _ => false,
            };
            let all = self.plan.counting();
            let more: Vec<(u32, ListId)> = all
                .filter(|(number, list)| counts(*number) && is_orphan(list))
                .map(|(number, list)| (number, list.clone()))
                .collect();
            if more.is_empty() {
                return orphans.into_values().collect();
            }
            orphans.extend(more);
        }
    }
}

#[cfg(test)]
mod tests;
