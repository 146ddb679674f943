//! Changes to the grants on their way to their places.
//!
//! The expander's changes are taken up completely before the file is begun:
//! in memory while they are few, on disk otherwise. They need not come in
//! order. Where one belongs is read from its own bytes.
//!
//! New grants that come in order are not taken up: each is made when its place
//! comes. Where ids identify grants, those whose id another grant has are
//! found first, by their ids alone.

use crate::columns;
use crate::error::{Error, Result};
use crate::row::{Row, Table};
use crate::sort::{Entry, Merge, Place, Sorted, Sorter};

use super::collect::share;
use super::dedup::Superseded;
use super::duplicate_ids::Inserts;
use super::expand::{Expansion, GrantChange, NewGrants};
use super::key::{self, Identity};
use super::repeats::{id_hash, repeats};
use super::row_source::RowSource;

/// Share of the memory budget, in sixteenths.
const SHARE: usize = 2;
/// Share of the memory budget for comparing ids, in sixteenths.
const HASHES_SHARE: usize = 12;
/// So many ids are compared at once, whatever the budget.
const LEAST_HASHES: usize = 64 << 10;
const INSERT: u8 = 0;
const REPLACE: u8 = 1;

/// All changes of one expansion.
pub(super) struct Changes {
    sorted: Sorted,
    blocked: Option<Sorted>,
    inserts: Inserted,
    pub warnings: Vec<String>,
}

/// A change at its place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Change<'a> {
    pub key: &'a [u8],
    pub what: What<'a>,
}

/// What a change is.
#[derive(Debug, Clone, Copy)]
pub(super) enum What<'a> {
    /// A new grant, its expansion split off.
    Row(Row<'a>),
    /// The bytes of a new grant.
    Insert(&'a [u8]),
    /// The bytes of a grant that must meet a row of the same key.
    Replace(&'a [u8]),
}

impl Changes {
    /// Reads the changes of the expander. `ids` are the hashes of the rows'
    /// ids.
    pub(super) fn take(
        expansion: Expansion,
        source: &dyn RowSource,
        ids: &Sorted,
        place: &Place,
    ) -> Result<Self> {
        let identity = source.shape().identity();
        let mut taking = Taking {
            identity,
            sorter: Sorter::new(share(place, "changes", SHARE)),
            by_id: Inserts::new(place, "inserts"),
            inserts: 0,
            count: 0,
            key: Vec::new(),
            buf: Vec::new(),
        };
        for change in expansion.changes {
            let (kind, data) = match change? {
                GrantChange::Insert { data } => (INSERT, data),
                GrantChange::Replace { data } => (REPLACE, data),
            };
            let row = columns::read(Table::Grants, &data).map_err(Error::Derived)?;
            taking.put(kind, &row)?;
        }
        let mut grants = expansion.inserts;
        if identity == Identity::ExternalId
            && let Some(by) = &mut grants
        {
            if taking.inserts > 0 {
                taking.all(by.as_mut())?;
                grants = None;
            } else {
                let most = place.budget_bytes / 16 * HASHES_SHARE / size_of::<u64>();
                let repeats = repeats(by.as_mut(), ids, most.max(LEAST_HASHES))?;
                taking.suspects(by.as_mut(), &repeats)?;
                by.rewind();
            }
        }
        Ok(Self {
            sorted: taking.sorter.finish()?,
            blocked: match identity {
                Identity::ExternalId => taking.by_id.blocked(source, ids, place)?.0,
                Identity::Tuple => None,
            },
            inserts: Inserted::begin(grants, identity)?,
            warnings: expansion.warnings,
        })
    }

    /// Whether nothing changes.
    pub(super) fn is_empty(&self) -> bool {
        self.sorted.count() == 0 && self.inserts.current().is_none()
    }

    /// The changes in canonical order, once.
    pub(super) fn read(&mut self) -> Result<ChangeReader<'_>> {
        let blocked = self.blocked.as_ref();
        let blocked = || blocked.map(|sorted| Superseded::new(sorted, 0)).transpose();
        let mut reader = ChangeReader {
            spooled: Spooled {
                merge: self.sorted.merge(0),
                blocked: blocked()?,
            },
            blocked: blocked()?,
            inserts: &mut self.inserts,
        };
        reader.spooled.advance()?;
        reader.pass_blocked()?;
        Ok(reader)
    }
}

/// Changes being taken up.
struct Taking {
    identity: Identity,
    sorter: Sorter,
    /// Ids of new grants, as far as one may belong to another grant too.
    by_id: Inserts,
    /// New grants in the sorter.
    inserts: u64,
    count: u64,
    key: Vec<u8>,
    buf: Vec<u8>,
}

impl Taking {
    fn put(&mut self, kind: u8, row: &Row<'_>) -> Result<()> {
        key::build(self.identity, Table::Grants, row, &mut self.key);
        if kind == INSERT {
            self.inserts += 1;
            if self.identity == Identity::ExternalId {
                self.by_id.push(row, &self.key)?;
            }
        }
        self.buf.clear();
        self.buf.push(kind);
        self.buf.extend_from_slice(row.data);
        self.count += 1;
        self.sorter.push(Entry {
            key: &self.key,
            page: self.count,
            row: 0,
            data: &self.buf,
        })
    }

    /// Takes up all new grants.
    fn all(&mut self, grants: &mut dyn NewGrants) -> Result<()> {
        grants.rewind();
        while grants.advance()? {
            grants.make()?;
            self.put(INSERT, &grants.row())?;
        }
        Ok(())
    }

    /// Takes up the ids of the new grants whose hash is among `repeats`.
    fn suspects(&mut self, grants: &mut dyn NewGrants, repeats: &[u64]) -> Result<()> {
        if repeats.is_empty() {
            return Ok(());
        }
        grants.rewind();
        while grants.advance()? {
            let row = grants.row();
            if repeats.binary_search(&id_hash(&row)).is_ok() {
                key::build(self.identity, Table::Grants, &row, &mut self.key);
                self.by_id.push(&row, &self.key)?;
            }
        }
        Ok(())
    }
}

/// Walks the changes; stands on the next one.
pub(super) struct ChangeReader<'a> {
    spooled: Spooled<'a>,
    /// What the inserts must not be.
    blocked: Option<Superseded<'a>>,
    inserts: &'a mut Inserted,
}

impl ChangeReader<'_> {
    pub(super) fn current(&self) -> Option<Change<'_>> {
        if self.spooled_first() {
            self.spooled.current()
        } else {
            self.inserts.current()
        }
    }

    pub(super) fn advance(&mut self) -> Result<()> {
        if self.spooled_first() {
            self.spooled.advance()
        } else {
            self.inserts.advance()?;
            self.pass_blocked()
        }
    }

    /// Goes to the next insert that does not have to give way.
    fn pass_blocked(&mut self) -> Result<()> {
        while let Some(blocked) = &mut self.blocked
            && self.inserts.row().is_some()
            && blocked.contains(&self.inserts.key)?
        {
            self.inserts.advance()?;
        }
        Ok(())
    }

    fn spooled_first(&self) -> bool {
        match (self.spooled.current(), self.inserts.current()) {
            (Some(spooled), Some(insert)) => spooled.key <= insert.key,
            (spooled, _) => spooled.is_some(),
        }
    }
}

/// What was taken up, in order.
struct Spooled<'a> {
    merge: Merge<'a>,
    blocked: Option<Superseded<'a>>,
}

impl Spooled<'_> {
    fn current(&self) -> Option<Change<'_>> {
        let entry = self.merge.current()?;
        let (kind, data) = entry.data.split_first()?;
        let what = match *kind {
            REPLACE => What::Replace(data),
            _ => What::Insert(data),
        };
        Some(Change {
            key: entry.key,
            what,
        })
    }

    /// Goes to the next change that is not blocked: an insert gives way to a
    /// row with the same id.
    fn advance(&mut self) -> Result<()> {
        while let Some(entry) = self.merge.next()? {
            let blocked = match &mut self.blocked {
                Some(blocked) if entry.data.first() == Some(&INSERT) => {
                    blocked.contains(entry.key)?
                }
                _ => false,
            };
            if !blocked {
                break;
            }
        }
        Ok(())
    }
}

/// New grants as they are made; stands on the next one, if there is one.
struct Inserted {
    grants: Option<Box<dyn NewGrants>>,
    identity: Identity,
    key: Vec<u8>,
    last: Vec<u8>,
}

impl Inserted {
    fn begin(grants: Option<Box<dyn NewGrants>>, identity: Identity) -> Result<Self> {
        let mut inserted = Self {
            grants,
            identity,
            key: Vec::new(),
            last: Vec::new(),
        };
        inserted.advance()?;
        Ok(inserted)
    }

    fn row(&self) -> Option<Row<'_>> {
        self.grants.as_ref().map(|grants| grants.row())
    }

    fn current(&self) -> Option<Change<'_>> {
        self.row().map(|row| Change {
            key: &self.key,
            what: What::Row(row),
        })
    }

    fn advance(&mut self) -> Result<()> {
        let Some(grants) = &mut self.grants else {
            return Ok(());
        };
        if !grants.advance()? {
            self.grants = None;
            return Ok(());
        }
        grants.make()?;
        let row = grants.row();
        debug_assert_eq!(columns::read(Table::Grants, row.data).ok(), Some(row));
        std::mem::swap(&mut self.key, &mut self.last);
        key::build(self.identity, Table::Grants, &row, &mut self.key);
        if self.key < self.last {
            return Err(Error::Argument {
                what: "list of new grants",
                reason: "it is not in canonical order",
            });
        }
        Ok(())
    }
}
