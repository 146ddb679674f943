//! Every resource of a running sync in a few dozen bytes: its id, where its
//! row is in the log, what it opts out of, what is done. Whole resources
//! are never kept; who needs one reads it back from the log.
//!
//! While resources are being listed, the index only grows. Then it is sorted
//! and repeated ids are resolved as sealing will (the last in canonical list
//! and page order wins); only from then on can it be searched.

use std::collections::BTreeMap;

use baton_c1z::RowRef;

use crate::types::Skips;

/// What has been collected for a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ListKind {
    Entitlements,
    Grants,
}

impl ListKind {
    fn bit(self) -> u8 {
        match self {
            Self::Entitlements => 0x40,
            Self::Grants => 0x80,
        }
    }
}

/// Where a row came from: a list by its number, and the page in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PageRef {
    pub(crate) list: u32,
    pub(crate) page: u32,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    id_at: usize,
    id_len: u32,
    kind: u32,
    page_ref: PageRef,
    row: RowRef,
    bits: u8,
}

/// The index. Types are given as their number in the sorted type table.
#[derive(Debug, Default)]
pub(crate) struct ResourceIndex {
    ids: String,
    entries: Vec<Entry>,
}

impl ResourceIndex {
    pub(crate) fn add(
        &mut self,
        page_ref: PageRef,
        kind: u32,
        id: &str,
        skips: Skips,
        row: RowRef,
    ) {
        let id_at = self.ids.len();
        self.ids.push_str(id);
        self.entries.push(Entry {
            id_at,
            // Ids beyond 4 GiB do not fit into a page in the first place.
            id_len: u32::try_from(id.len()).unwrap_or(u32::MAX),
            kind,
            page_ref,
            row,
            bits: skips.to_bits(),
        });
    }

    /// Sorts by type and id, rows of one resource by canonical place. `rank`
    /// is the place of a list among all lists.
    pub(crate) fn sort(&mut self, rank: impl Fn(u32) -> u32) {
        let ids = std::mem::take(&mut self.ids);
        self.entries.sort_unstable_by(|a, b| {
            let place = |e: &Entry| (rank(e.page_ref.list), e.page_ref.page, e.row);
            (a.kind, slice(&ids, a))
                .cmp(&(b.kind, slice(&ids, b)))
                .then_with(|| place(a).cmp(&place(b)))
        });
        self.ids = ids;
    }

    /// Whether a resource has a row in a list that `counts`. Needs a sorted index.
    pub(crate) fn is_listed(&self, kind: u32, id: &str, counts: impl Fn(u32) -> bool) -> bool {
        let start = self
            .entries
            .partition_point(|e| (e.kind, self.id_of(e)) < (kind, id));
        self.entries
            .iter()
            .skip(start)
            .take_while(|e| e.kind == kind && self.id_of(e) == id)
            .any(|e| counts(e.page_ref.list))
    }

    /// Drops the rows of lists that do not count, and of the remaining ones
    /// keeps the last of each resource. Needs a sorted index.
    pub(crate) fn keep_winners(&mut self, counts: impl Fn(u32) -> bool) {
        let ids = std::mem::take(&mut self.ids);
        self.entries.retain(|e| counts(e.page_ref.list));
        // `dedup_by` keeps the first of equal neighbours: hand it the last.
        self.entries.reverse();
        self.entries
            .dedup_by(|a, b| a.kind == b.kind && slice(&ids, a) == slice(&ids, b));
        self.entries.reverse();
        self.entries.shrink_to_fit();
        self.ids = ids;
    }

    /// How many different resources each list that `counts` has, by the
    /// list's number. Needs a sorted index.
    pub(crate) fn ids_by_list(&self, counts: impl Fn(u32) -> bool) -> BTreeMap<u32, u64> {
        let mut ids = BTreeMap::new();
        let mut before: Option<&Entry> = None;
        for entry in self.entries.iter().filter(|e| counts(e.page_ref.list)) {
            // Rows of one resource lie side by side, and among them those of one list.
            let repeated = before.is_some_and(|before| {
                before.page_ref.list == entry.page_ref.list
                    && before.kind == entry.kind
                    && self.id_of(before) == self.id_of(entry)
            });
            if !repeated {
                *ids.entry(entry.page_ref.list).or_default() += 1;
            }
            before = Some(entry);
        }
        ids
    }

    fn id_of(&self, entry: &Entry) -> &str {
        slice(&self.ids, entry)
    }

    /// Number of a resource's entry. Needs winners only.
    pub(crate) fn find(&self, kind: u32, id: &str) -> Option<usize> {
        self.entries
            .binary_search_by(|e| (e.kind, self.id_of(e)).cmp(&(kind, id)))
            .ok()
    }

    pub(crate) fn kind(&self, slot: usize) -> Option<u32> {
        self.entries.get(slot).map(|e| e.kind)
    }

    pub(crate) fn row(&self, slot: usize) -> Option<RowRef> {
        self.entries.get(slot).map(|e| e.row)
    }

    pub(crate) fn skips(&self, slot: usize) -> Skips {
        Skips::from_bits(self.entries.get(slot).map_or(0, |e| e.bits))
    }

    pub(crate) fn set_done(&mut self, slot: usize, what: ListKind) {
        if let Some(entry) = self.entries.get_mut(slot) {
            entry.bits |= what.bit();
        }
    }

    pub(crate) fn is_done(&self, slot: usize, what: ListKind) -> bool {
        self.entries
            .get(slot)
            .is_some_and(|e| e.bits & what.bit() != 0)
    }

    /// Entries of one type, as a range of slots. Needs winners only.
    pub(crate) fn of_kind(&self, kind: u32) -> std::ops::Range<usize> {
        let start = self.entries.partition_point(|e| e.kind < kind);
        let end = self.entries.partition_point(|e| e.kind <= kind);
        start..end
    }

    /// The first slot of a type whose id lies after `id`.
    pub(crate) fn after(&self, kind: u32, id: &str) -> usize {
        self.entries
            .partition_point(|e| (e.kind, self.id_of(e)) <= (kind, id))
    }

    pub(crate) fn id(&self, slot: usize) -> &str {
        self.entries.get(slot).map_or("", |e| self.id_of(e))
    }

    /// All slots in the order in which their rows lie in the log.
    pub(crate) fn in_log_order(&self) -> Vec<usize> {
        let mut slots: Vec<usize> = (0..self.entries.len()).collect();
        slots.sort_unstable_by_key(|&slot| self.entries.get(slot).map(|e| e.row));
        slots
    }
}

fn slice<'a>(ids: &'a str, entry: &Entry) -> &'a str {
    ids.get(entry.id_at..entry.id_at + entry.id_len as usize)
        .unwrap_or("")
}

#[cfg(test)]
mod tests {
    use baton_c1z::{Fingerprint, ListId, PageHeader, PageLog, PageRow, WorkDir};

    use super::*;

    /// References to so many rows of one page, in order.
    fn refs(count: usize) -> Vec<RowRef> {
        let folder = tempfile::tempdir().expect("a folder");
        let now = std::time::UNIX_EPOCH;
        let dir = WorkDir::locate(&folder.path().join("x"), None, now).expect("free");
        let (mut log, _) = PageLog::open(&dir, &Fingerprint::default(), now, false).expect("new");
        let header = PageHeader {
            list: &ListId::resources("user", None),
            generation: 0,
            page: 0,
            request_token: "",
            next_token: "",
        };
        let rows = vec![PageRow::resource(b"x"); count];
        log.append_page(&header, &rows).expect("appended")
    }

    fn index(rows: &[(u32, u32, u32, &str)]) -> ResourceIndex {
        let mut index = ResourceIndex::default();
        for ((list, page, kind, id), row) in rows.iter().zip(refs(rows.len())) {
            let page_ref = PageRef {
                list: *list,
                page: *page,
            };
            index.add(page_ref, *kind, id, Skips::from_bits(0), row);
        }
        index
    }

    fn winners(index: &ResourceIndex) -> Vec<(u32, &str, usize)> {
        let log = index.in_log_order();
        let place = |slot| log.iter().position(|s| *s == slot).expect("in the log");
        (0..index.entries.len())
            .map(|slot| (index.entries[slot].kind, index.id(slot), place(slot)))
            .collect()
    }

    #[test]
    fn the_last_row_by_list_page_and_position_wins() {
        let mut index = index(&[
            (1, 0, 0, "a"),
            (0, 5, 0, "a"),
            (0, 1, 0, "b"),
            (0, 0, 0, "b"),
            (0, 0, 1, "a"),
        ]);
        index.sort(|list| list);
        index.keep_winners(|_| true);
        // Rows left: the first, the third and the last of the log.
        assert_eq!(winners(&index), [(0, "a", 0), (0, "b", 1), (1, "a", 2)]);
    }

    #[test]
    fn rows_of_lists_that_do_not_count_do_not_win() {
        let mut index = index(&[(0, 0, 0, "a"), (1, 0, 0, "a"), (1, 0, 0, "b")]);
        index.sort(|list| list);
        assert!(index.is_listed(0, "a", |list| list == 0));
        assert!(!index.is_listed(0, "b", |list| list == 0));
        assert!(!index.is_listed(1, "a", |_| true));
        index.keep_winners(|list| list == 0);
        assert_eq!(winners(&index), [(0, "a", 0)]);
        assert_eq!(index.find(0, "b"), None);
    }

    #[test]
    fn the_resources_of_a_list_are_counted_by_their_ids() {
        let mut index = index(&[
            (0, 0, 0, "a"),
            (1, 0, 0, "a"),
            (0, 1, 0, "a"),
            (1, 1, 0, "b"),
            (1, 2, 1, "b"),
            (2, 0, 0, "c"),
        ]);
        index.sort(|list| list);
        let counted = index.ids_by_list(|list| list != 2);
        assert_eq!(counted, [(0, 1), (1, 3)].into());
    }

    #[test]
    fn resources_of_one_type_are_found_by_id_and_as_a_range() {
        let mut index = index(&[
            (0, 0, 1, "b"),
            (0, 0, 1, "a"),
            (0, 0, 0, "z"),
            (0, 0, 3, ""),
        ]);
        index.sort(|list| list);
        index.keep_winners(|_| true);
        assert_eq!(index.of_kind(1), 1..3);
        assert_eq!(index.of_kind(2), 3..3);
        assert_eq!(index.find(1, "b"), Some(2));
        assert_eq!(index.after(1, "a"), 2);
        assert_eq!(index.after(1, "b"), 3);
        index.set_done(2, ListKind::Grants);
        assert!(index.is_done(2, ListKind::Grants) && !index.is_done(2, ListKind::Entitlements));
    }
}
