//! Grants that stand in the place of others.
//!
//! Placeholders are looked for among the rows that will be in the file, so a
//! row that had to give way to another makes no grants. What takes their
//! place is sorted like rows are, then laid down with them; whoever reads the
//! grants afterwards, the expander included, sees the result only.

use std::cmp::Ordering;
use std::collections::HashSet;

use crate::columns;
use crate::error::{Error, Result};
use crate::row::{Row, Table};
use crate::sort::{Entry, Merge, Place, Sorted, Sorter};
use crate::v3;

use super::Sources;
use super::collect::{Form, hash, share};
use super::conflict::Inserts;
use super::expand::SortedRows;
use super::grants::{GrantTable, Layer, RowReader, View};
use super::key;
use super::origin::LogRows;
use super::winners::Losers;

/// Puts grants in the place of others. Asked once per seal, before anything
/// is expanded.
pub trait Substitutes {
    /// Reads what it needs to know. `false`: no grant will be replaced.
    fn prepare(&mut self, rows: &dyn SortedRows) -> Result<bool>;

    /// Hands the grants in the place of this one to `put`, each the bytes of
    /// a whole `c1.connector.v2.Grant` with `GrantExpandable` among its
    /// annotations; `false`: it stays, and nothing was put. Of several with
    /// one identity the last counts, also against a row with that identity.
    /// One whose id belongs to a row with another entitlement or principal is
    /// left out.
    fn substitutes(&mut self, grant: &Row<'_>, put: &mut PutGrant<'_>) -> Result<bool>;
}

/// Takes a grant that [`Substitutes`] has made. One at a time, since a single
/// placeholder can stand for everybody.
pub type PutGrant<'p> = dyn FnMut(&[u8]) -> Result<()> + 'p;

/// Share of the memory budget, in sixteenths.
const SHARE: usize = 2;

/// Hashes of the keys of grants that were replaced.
pub(super) type Gone = HashSet<u64>;

/// What a key is remembered as.
pub(super) fn gone_hash(key: &[u8]) -> u64 {
    hash(0, key)
}

/// The grants after the replacement.
pub(super) struct Substituted {
    pub grants: GrantTable,
    /// Hashes of the new grants' ids, as far as ids identify grants.
    pub ids: Option<Sorted>,
    pub gone: Gone,
}

/// Replaces what `by` replaces; `None` if that is nothing.
pub(super) fn substitute(
    origin: &LogRows<'_>,
    form: &Form,
    by: &mut dyn Substitutes,
    ids: &Sorted,
    place: &Place,
) -> Result<Option<Substituted>> {
    let sources = Sources {
        origin,
        grants: None,
    };
    if !by.prepare(&View { sources: &sources })? {
        return Ok(None);
    }
    let Made {
        sorted,
        inserts,
        gone,
    } = Made::collect(&sources, form, by, place)?;
    let without = LogRows {
        gone: Some(&gone),
        ..*origin
    };
    let (blocked, new_ids) = match inserts {
        Some(inserts) => {
            let (blocked, ids) = inserts.blocked(&without, ids, place)?;
            (blocked, Some(ids))
        }
        None => (None, None),
    };
    let grants = lay_down(&sources, &sorted, blocked.as_ref(), &gone, place)?;
    for used in [Some(sorted), blocked].into_iter().flatten() {
        used.remove(place.files.as_ref())?;
    }
    Ok(Some(Substituted {
        grants,
        ids: new_ids,
        gone,
    }))
}

/// New grants, and the keys of those whose place they take.
struct Made {
    sorted: Sorted,
    inserts: Option<Inserts>,
    gone: Gone,
}

impl Made {
    fn collect(
        sources: &Sources<'_>,
        form: &Form,
        by: &mut dyn Substitutes,
        place: &Place,
    ) -> Result<Self> {
        let mut sorter = Sorter::new(share(place, "substitutes", SHARE));
        let mut inserts = match form {
            Form::Messages => Some(Inserts::new(place, "substitute-ids")),
            Form::Records { .. } => None,
        };
        let mut gone = Gone::new();
        let mut reader = RowReader::new(sources.origin);
        let mut winners = sources.origin.rows(Table::Grants)?;
        let (mut key, mut record) = (Vec::new(), Vec::new());
        let mut number = 0;
        while let Some(entry) = winners.next()? {
            let mut put = |grant: &[u8]| {
                let data = encode(form, grant, inserts.as_mut(), &mut key, &mut record)?;
                sorter.push(Entry {
                    key: &key,
                    page: number,
                    row: 0,
                    data,
                })?;
                number += 1;
                Ok(())
            };
            if reader.with(&entry, |row| by.substitutes(row, &mut put))?? {
                gone.insert(gone_hash(entry.key));
            }
        }
        Ok(Self {
            sorted: sorter.finish()?,
            inserts,
            gone,
        })
    }
}

/// A grant's key, and its bytes in the form of the rows.
fn encode<'a>(
    form: &Form,
    grant: &'a [u8],
    inserts: Option<&mut Inserts>,
    key: &mut Vec<u8>,
    record: &'a mut Vec<u8>,
) -> Result<&'a [u8]> {
    let split = columns::split_expandable(grant).map_err(Error::Derived)?;
    let data = split.as_ref().map_or(grant, |split| &split.data);
    let mut row = columns::read(Table::Grants, data).map_err(Error::Derived)?;
    row.expansion = split.as_ref().and_then(|split| split.expansion.as_deref());
    key::build(form.identity(), Table::Grants, &row, key);
    if let Some(inserts) = inserts {
        inserts.push(&row, key)?;
    }
    match form {
        Form::Messages => Ok(grant),
        Form::Records { discovered_at } => {
            record.clear();
            v3::write_record(Table::Grants, &row, discovered_at, record).map_err(Error::Derived)?;
            Ok(record)
        }
    }
}

/// Writes out what stays, merged with what is new.
fn lay_down(
    sources: &Sources<'_>,
    new: &Sorted,
    blocked: Option<&Sorted>,
    gone: &Gone,
    place: &Place,
) -> Result<GrantTable> {
    let mut new = Standins::new(new, blocked)?;
    let mut layer = Layer::new(place)?;
    let mut reader = RowReader::new(sources.origin);
    let mut winners = sources.origin.rows(Table::Grants)?;
    while let Some(entry) = winners.next()? {
        if gone.contains(&gone_hash(entry.key)) {
            continue;
        }
        let mut replaced = false;
        while let Some(ahead) = new.current() {
            let order = ahead.key.cmp(entry.key);
            if order == Ordering::Greater {
                break;
            }
            replaced = order == Ordering::Equal;
            layer.push_grant(&ahead, &mut reader)?;
            new.advance()?;
        }
        if !replaced {
            layer.push_grant(&entry, &mut reader)?;
        }
    }
    while let Some(ahead) = new.current() {
        layer.push_grant(&ahead, &mut reader)?;
        new.advance()?;
    }
    layer.finish(winners.dropped())
}

/// Walks the grants that take the places, each key once, the last of equal ones.
struct Standins<'a> {
    merge: Merge<'a>,
    blocked: Option<Losers<'a>>,
    key: Vec<u8>,
    data: Vec<u8>,
    is_at_end: bool,
}

impl<'a> Standins<'a> {
    fn new(sorted: &'a Sorted, blocked: Option<&'a Sorted>) -> Result<Self> {
        let mut merge = sorted.merge(0);
        merge.next()?;
        let mut this = Self {
            merge,
            blocked: blocked.map(|b| Losers::new(b, 0)).transpose()?,
            key: Vec::new(),
            data: Vec::new(),
            is_at_end: false,
        };
        this.advance()?;
        Ok(this)
    }

    fn current(&self) -> Option<Entry<'_>> {
        (!self.is_at_end).then_some(Entry {
            key: &self.key,
            page: 0,
            row: 0,
            data: &self.data,
        })
    }

    fn advance(&mut self) -> Result<()> {
        loop {
            let Some(first) = self.merge.current() else {
                self.is_at_end = true;
                return Ok(());
            };
            self.key.clear();
            self.key.extend_from_slice(first.key);
            while let Some(entry) = self.merge.current()
                && entry.key == self.key
            {
                self.data.clear();
                self.data.extend_from_slice(entry.data);
                self.merge.next()?;
            }
            let blocked = match &mut self.blocked {
                Some(blocked) => blocked.contains(&self.key)?,
                None => false,
            };
            if !blocked {
                return Ok(());
            }
        }
    }
}
