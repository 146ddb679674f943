//! Changes to the grants, spooled and sorted.
//!
//! The expander's changes are taken up completely before the file is begun:
//! in memory while they are few, on disk otherwise. They need not come in
//! order. Where one belongs is read from its own bytes.

use crate::columns;
use crate::error::{Error, Result};
use crate::row::Table;
use crate::sort::{Entry, Merge, Place, Sorted, Sorter};

use super::collect::share;
use super::conflict::Inserts;
use super::expand::{Expansion, GrantChange};
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
    pub warnings: Vec<String>,
}

/// A change at its place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Change<'a> {
    pub key: &'a [u8],
    pub data: &'a [u8],
    /// It must meet a row of the same key.
    pub replaces: bool,
}

impl Changes {
    /// Takes up everything that the expander says. `ids` are the hashes of
    /// the rows' ids.
    pub(super) fn spool(
        expansion: Expansion,
        origin: &dyn Origin,
        ids: &Sorted,
        place: &Place,
    ) -> Result<Self> {
        let identity = origin.shape().identity();
        let mut sorter = Sorter::new(share(place, "changes", SHARE));
        let mut inserts = Inserts::new(place, "inserts");
        let (mut key, mut buf) = (Vec::new(), Vec::new());
        for (number, change) in (0u64..).zip(expansion.changes) {
            let (kind, data) = match change? {
                GrantChange::Insert { data } => (INSERT, data),
                GrantChange::Replace { data } => (REPLACE, data),
            };
            let row = columns::read(Table::Grants, &data).map_err(Error::Derived)?;
            key::build(identity, Table::Grants, &row, &mut key);
            if kind == INSERT {
                inserts.push(&row, &key)?;
            }
            buf.clear();
            buf.push(kind);
            buf.extend_from_slice(&data);
            sorter.push(Entry {
                key: &key,
                page: number,
                row: 0,
                data: &buf,
            })?;
        }
        Ok(Self {
            sorted: sorter.finish()?,
            blocked: match identity {
                Identity::ExternalId => inserts.blocked(origin, ids, place)?.0,
                Identity::Tuple => None,
            },
            warnings: expansion.warnings,
        })
    }

    /// Whether nothing changes.
    pub(super) fn is_empty(&self) -> bool {
        self.sorted.count() == 0
    }

    /// The changes in canonical order.
    pub(super) fn read(&self) -> Result<ChangeReader<'_>> {
        let mut reader = ChangeReader {
            merge: self.sorted.merge(0),
            blocked: self
                .blocked
                .as_ref()
                .map(|sorted| Losers::new(sorted, 0))
                .transpose()?,
            kept_out: 0,
        };
        reader.advance()?;
        Ok(reader)
    }
}

/// Walks the changes; stands on the next one.
pub(super) struct ChangeReader<'a> {
    merge: Merge<'a>,
    blocked: Option<Losers<'a>>,
    /// Inserts that gave way to a row with the same id.
    pub kept_out: u64,
}

impl ChangeReader<'_> {
    pub(super) fn current(&self) -> Option<Change<'_>> {
        let entry = self.merge.current()?;
        let (kind, data) = entry.data.split_first()?;
        Some(Change {
            key: entry.key,
            data,
            replaces: *kind == REPLACE,
        })
    }

    /// Goes to the next change that is not blocked.
    pub(super) fn advance(&mut self) -> Result<()> {
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
            self.kept_out += 1;
        }
        Ok(())
    }
}
