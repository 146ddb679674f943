//! Changes to the grants on their way to their places.
//!
//! The expander's changes are taken up completely before the file is begun:
//! in memory while they are few, on disk otherwise. They need not come in
//! order. Where one belongs is read from its own bytes.
//!
//! New grants that come in order are not taken up where nothing has to be
//! known of all of them first: then each is made when its place comes. Where
//! grants are told apart by their ids, an id may belong to another grant that
//! comes later, so they are spooled like the rest.

use crate::columns;
use crate::error::{Error, Result};
use crate::row::{Row, Table};
use crate::sort::{Entry, Merge, Place, Sorted, Sorter};

use super::collect::share;
use super::conflict::Inserts;
use super::expand::{Expansion, GrantChange, NewGrants};
use super::key::{self, Identity};
use super::origin::Origin;
use super::winners::Losers;

/// Share of the memory budget, in sixteenths.
const SHARE: usize = 2;
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
    /// Takes up what the expander says. `ids` are the hashes of the rows'
    /// ids.
    pub(super) fn take(
        expansion: Expansion,
        origin: &dyn Origin,
        ids: &Sorted,
        place: &Place,
    ) -> Result<Self> {
        let identity = origin.shape().identity();
        let mut sorter = Sorter::new(share(place, "changes", SHARE));
        let mut by_id = Inserts::new(place, "inserts");
        let (mut key, mut buf) = (Vec::new(), Vec::new());
        let mut number = 0_u64;
        let mut put = |kind: u8, row: &Row<'_>| {
            key::build(identity, Table::Grants, row, &mut key);
            if kind == INSERT && identity == Identity::ExternalId {
                by_id.push(row, &key)?;
            }
            buf.clear();
            buf.push(kind);
            buf.extend_from_slice(row.data);
            number += 1;
            sorter.push(Entry {
                key: &key,
                page: number,
                row: 0,
                data: &buf,
            })
        };
        for change in expansion.changes {
            let (kind, data) = match change? {
                GrantChange::Insert { data } => (INSERT, data),
                GrantChange::Replace { data } => (REPLACE, data),
            };
            put(
                kind,
                &columns::read(Table::Grants, &data).map_err(Error::Derived)?,
            )?;
        }
        let mut inserts = Inserted::begin(expansion.inserts)?;
        if identity == Identity::ExternalId {
            while let Some(row) = inserts.row() {
                put(INSERT, &row)?;
                inserts.advance()?;
            }
        }
        Ok(Self {
            sorted: sorter.finish()?,
            blocked: match identity {
                Identity::ExternalId => by_id.blocked(origin, ids, place)?.0,
                Identity::Tuple => None,
            },
            inserts,
            warnings: expansion.warnings,
        })
    }

    /// Whether nothing changes.
    pub(super) fn is_empty(&self) -> bool {
        self.sorted.count() == 0 && self.inserts.current().is_none()
    }

    /// The changes in canonical order, once.
    pub(super) fn read(&mut self) -> Result<ChangeReader<'_>> {
        let mut reader = ChangeReader {
            spooled: Spooled {
                merge: self.sorted.merge(0),
                blocked: self
                    .blocked
                    .as_ref()
                    .map(|sorted| Losers::new(sorted, 0))
                    .transpose()?,
            },
            inserts: &mut self.inserts,
        };
        reader.spooled.advance()?;
        Ok(reader)
    }
}

/// Walks the changes; stands on the next one.
pub(super) struct ChangeReader<'a> {
    spooled: Spooled<'a>,
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
            self.inserts.advance()
        }
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
    blocked: Option<Losers<'a>>,
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
    key: Vec<u8>,
    last: Vec<u8>,
}

impl Inserted {
    fn begin(grants: Option<Box<dyn NewGrants>>) -> Result<Self> {
        let mut inserted = Self {
            grants,
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
        let row = grants.row();
        debug_assert_eq!(columns::read(Table::Grants, row.data).ok(), Some(row));
        std::mem::swap(&mut self.key, &mut self.last);
        key::build(Identity::Tuple, Table::Grants, &row, &mut self.key);
        if self.key < self.last {
            return Err(Error::Argument {
                what: "list of new grants",
                reason: "it is not in canonical order",
            });
        }
        Ok(())
    }
}
