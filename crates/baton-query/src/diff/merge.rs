//! The merge of two sorted sides.

use std::cmp::Ordering;
use std::ops::ControlFlow;

use baton_c1z::{OrderedRow, OrderedRows, OwnedRow, Row, Table as Rows};

use super::fields::Comparer;
use super::{Change, ChangeKind, DiffSettings, Sides};
use crate::error::Result;

/// Rows of one object on one side that are compared; of more, the last
/// replaces the one before it.
const MAX_GROUP: usize = 64;

/// Called with each change; returns whether to continue.
pub type VisitChange<'v> = dyn FnMut(&Change<'_>) -> Result<ControlFlow<()>> + 'v;

/// How many objects changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    changes: [[u64; 3]; 4],
    /// Further rows of objects that have one row already.
    pub duplicates: u64,
}

impl Counts {
    /// Changes of one kind in one table.
    pub fn of(&self, table: Rows, kind: ChangeKind) -> u64 {
        self.changes[table_at(table)][kind_at(kind)]
    }

    /// Changes of one kind.
    pub fn of_kind(&self, kind: ChangeKind) -> u64 {
        Rows::ALL.iter().map(|table| self.of(*table, kind)).sum()
    }

    /// All changes.
    pub fn total(&self) -> u64 {
        ChangeKind::ALL.iter().map(|kind| self.of_kind(*kind)).sum()
    }

    /// Adds the counts of further tables.
    pub fn join(&mut self, other: &Self) {
        for (table, others) in self.changes.iter_mut().zip(&other.changes) {
            for (kind, other) in table.iter_mut().zip(others) {
                *kind += other;
            }
        }
        self.duplicates += other.duplicates;
    }

    fn add(&mut self, table: Rows, kind: ChangeKind) {
        self.changes[table_at(table)][kind_at(kind)] += 1;
    }
}

fn table_at(table: Rows) -> usize {
    Rows::ALL.iter().position(|t| *t == table).unwrap_or(0)
}

fn kind_at(kind: ChangeKind) -> usize {
    ChangeKind::ALL.iter().position(|k| *k == kind).unwrap_or(0)
}

/// Visits the changes of each table of the settings in canonical order, until
/// `visit` breaks or fails.
///
/// # Errors
/// Of reading either side, and those of `visit`.
pub fn diff(
    sides: &Sides<'_>,
    settings: &DiffSettings,
    visit: &mut VisitChange<'_>,
) -> Result<Counts> {
    let comparer = Comparer::new(sides, settings);
    let mut counts = Counts::default();
    for table in &settings.tables {
        let mut merge = Merge {
            sides,
            table: *table,
            comparer: &comparer,
            counts: &mut counts,
            visit,
        };
        if merge.read_both()?.is_break() {
            break;
        }
    }
    Ok(counts)
}

/// The merge of one table.
struct Merge<'m, 's, 'v> {
    sides: &'m Sides<'s>,
    table: Rows,
    comparer: &'m Comparer<'m>,
    counts: &'m mut Counts,
    visit: &'m mut VisitChange<'v>,
}

impl Merge<'_, '_, '_> {
    fn read_both(&mut self) -> Result<ControlFlow<()>> {
        let (table, sides) = (self.table, self.sides);
        let by_id = sides.have_ids();
        // Errors of visitors do not fit the reader's.
        let mut merged = Ok(ControlFlow::Continue(()));
        sides.old.read_ordered(table, &mut |old| {
            let mut old = Groups::new(old, by_id);
            sides.new.read_ordered(table, &mut |new| {
                merged = self.merge(&mut old, &mut Groups::new(new, by_id));
                Ok(())
            })
        })?;
        merged
    }

    fn merge(
        &mut self,
        old: &mut Groups<'_, '_>,
        new: &mut Groups<'_, '_>,
    ) -> Result<ControlFlow<()>> {
        old.advance()?;
        new.advance()?;
        loop {
            let order = match (old.is_at_end(), new.is_at_end()) {
                (true, true) => break,
                (true, false) => Ordering::Greater,
                (false, true) => Ordering::Less,
                (false, false) => old.key.cmp(&new.key),
            };
            let flow = match order {
                Ordering::Less => self.only_old(old.last())?,
                Ordering::Greater => self.only_new(new.last())?,
                Ordering::Equal => self.both(old.rows(), new.rows())?,
            };
            if flow.is_break() {
                return Ok(flow);
            }
            if order.is_le() {
                old.advance()?;
            }
            if order.is_ge() {
                new.advance()?;
            }
        }
        self.counts.duplicates += old.duplicates + new.duplicates;
        Ok(ControlFlow::Continue(()))
    }

    /// Whether the other side may have an object of the same id elsewhere.
    fn may_have_moved(&self) -> bool {
        self.sides.have_ids() && matches!(self.table, Rows::Entitlements | Rows::Grants)
    }

    fn only_old(&mut self, old: Row<'_>) -> Result<ControlFlow<()>> {
        // It is visited in its place on the new side.
        if self.may_have_moved() && self.sides.new.get(self.table, old.id)?.is_some() {
            return Ok(ControlFlow::Continue(()));
        }
        self.change(ChangeKind::Removed, Some(old), None)
    }

    fn only_new(&mut self, new: Row<'_>) -> Result<ControlFlow<()>> {
        if self.may_have_moved()
            && let Some(old) = self.sides.old.get(self.table, new.id)?
        {
            let old = old.as_row();
            if !self.comparer.differ(self.table, &old, &new)? {
                return Ok(ControlFlow::Continue(()));
            }
            return self.change(ChangeKind::Changed, Some(old), Some(new));
        }
        self.change(ChangeKind::Added, None, Some(new))
    }

    fn both(&mut self, old: &[OwnedRow], new: &[OwnedRow]) -> Result<ControlFlow<()>> {
        for a in old {
            for b in new {
                if !self.comparer.differ(self.table, &a.as_row(), &b.as_row())? {
                    return Ok(ControlFlow::Continue(()));
                }
            }
        }
        let last = |rows: &'_ [OwnedRow]| rows.len().saturating_sub(1);
        match (old.get(last(old)), new.get(last(new))) {
            (Some(old), Some(new)) => {
                self.change(ChangeKind::Changed, Some(old.as_row()), Some(new.as_row()))
            }
            _ => Ok(ControlFlow::Continue(())),
        }
    }

    fn change(
        &mut self,
        kind: ChangeKind,
        old: Option<Row<'_>>,
        new: Option<Row<'_>>,
    ) -> Result<ControlFlow<()>> {
        let selects = |row: &Row<'_>| self.comparer.selects(self.table, row);
        if !old.iter().chain(&new).any(selects) {
            return Ok(ControlFlow::Continue(()));
        }
        self.counts.add(self.table, kind);
        (self.visit)(&Change {
            kind,
            table: self.table,
            old,
            new,
            comparer: self.comparer,
        })
    }
}

/// The rows of one side, those of one object together. Memory is reused.
struct Groups<'g, 'r> {
    source: &'g mut OrderedRows<'r>,
    /// Ids identify grants.
    by_id: bool,
    /// The rows of the current object are the first of these.
    group: Vec<OwnedRow>,
    len: usize,
    key: Vec<u8>,
    /// The row behind them, unless there is none.
    next: OwnedRow,
    next_key: Vec<u8>,
    has_next: bool,
    has_begun: bool,
    duplicates: u64,
}

impl<'g, 'r> Groups<'g, 'r> {
    fn new(source: &'g mut OrderedRows<'r>, by_id: bool) -> Self {
        Self {
            source,
            by_id,
            group: vec![OwnedRow::default()],
            len: 0,
            key: Vec::new(),
            next: OwnedRow::default(),
            next_key: Vec::new(),
            has_next: false,
            has_begun: false,
            duplicates: 0,
        }
    }

    fn is_at_end(&self) -> bool {
        self.len == 0
    }

    /// The rows of the current object.
    fn rows(&self) -> &[OwnedRow] {
        self.group.get(..self.len).unwrap_or_default()
    }

    fn last(&self) -> Row<'_> {
        self.rows().last().map_or(Row::default(), OwnedRow::as_row)
    }

    /// Goes to the next object.
    fn advance(&mut self) -> Result<()> {
        if !self.has_begun {
            self.has_begun = true;
            self.read_next()?;
        }
        self.len = 0;
        if !self.has_next {
            return Ok(());
        }
        std::mem::swap(&mut self.key, &mut self.next_key);
        self.take_next();
        loop {
            self.read_next()?;
            if !self.has_next || self.next_key != self.key {
                return Ok(());
            }
            self.duplicates += 1;
            self.take_next();
        }
    }

    fn take_next(&mut self) {
        if self.len < MAX_GROUP {
            self.len += 1;
        }
        if self.group.len() < self.len {
            self.group.push(OwnedRow::default());
        }
        if let Some(slot) = self.group.get_mut(self.len - 1) {
            std::mem::swap(slot, &mut self.next);
        }
    }

    fn read_next(&mut self) -> Result<()> {
        let Some(ordered) = self.source.advance()? else {
            self.has_next = false;
            return Ok(());
        };
        self.has_next = true;
        self.next_key.clear();
        self.next_key
            .extend_from_slice(key_of(self.by_id, &ordered));
        copy(&ordered.row, &mut self.next);
        Ok(())
    }
}

fn key_of<'k>(by_id: bool, ordered: &OrderedRow<'k>) -> &'k [u8] {
    if by_id {
        ordered.key
    } else {
        ordered.pair_key()
    }
}

/// Copies a row into another one's memory.
fn copy(row: &Row<'_>, into: &mut OwnedRow) {
    for (from, to) in [
        (row.id, &mut into.id),
        (row.resource_type_id, &mut into.resource_type_id),
        (row.resource_id, &mut into.resource_id),
        (row.entitlement_id, &mut into.entitlement_id),
        (row.principal_type_id, &mut into.principal_type_id),
        (row.principal_id, &mut into.principal_id),
    ] {
        to.clear();
        to.push_str(from);
    }
    into.parent = row.parent.map(|(t, id)| (t.to_owned(), id.to_owned()));
    into.data.clear();
    into.data.extend_from_slice(row.data);
    into.expansion = row.expansion.map(<[u8]>::to_vec);
    into.is_expanded = row.is_expanded;
}
