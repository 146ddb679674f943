//! The step that replaces grants by others: placeholders of external
//! principals by grants to the principals that were found.
//!
//! Placeholders are searched among the rows that will be in the file, so a
//! row that was left out as a duplicate makes no grants. The new grants are
//! sorted like rows, then written with them into the table of grants. Later
//! steps see the result only.

use std::cmp::Ordering;

use crate::columns;
use crate::error::{Error, Result};
use crate::row::{Row, Table};
use crate::sort::{Entry, Merge, Place, Sorted, Sorter};
use crate::v3;

use super::collect::{Form, share};
use super::dedup::Superseded;
use super::duplicate_ids::Inserts;
use super::grants::{GrantTable, Spill};
use super::key;
use super::log_rows::LogRows;
use super::replaced::Replaced;
use super::row_reader::RowReader;
use super::row_source::RowSource;
use super::sorted_rows::{SealRows, SortedRows};

/// Replaces grants by others. Called once per seal, before the rows are
/// checked.
pub trait GrantReplacer {
    /// Reads the rows that it needs. `false`: no grant will be replaced.
    fn prepare(&mut self, rows: &dyn SortedRows) -> Result<bool>;

    /// Passes the grants that replace this one to `put`, each as the bytes of
    /// a whole `c1.connector.v2.Grant` with `GrantExpandable` among its
    /// annotations. `false`: the grant is kept, and nothing was put. If grants
    /// have the same identity, the last one counts, also against a row with
    /// that identity. A grant whose id belongs to a row with another
    /// entitlement or principal is left out.
    fn replace(&mut self, grant: &Row<'_>, put: &mut PutGrant<'_>) -> Result<bool>;

    /// Warnings for the user. Called after the last grant.
    fn warnings(&self) -> Vec<String>;
}

/// Takes one grant of a [`GrantReplacer`]. One at a time, since a single
/// placeholder can stand for all principals of the other file.
pub type PutGrant<'p> = dyn FnMut(&[u8]) -> Result<()> + 'p;

/// Share of the memory budget, in sixteenths.
const SHARE: usize = 2;

/// The grants after the replacement.
pub(super) struct Replacement {
    pub grants: GrantTable,
    /// Hashes of the new grants' ids, if ids identify grants.
    pub ids: Option<Sorted>,
    pub replaced: Replaced,
    pub warnings: Vec<String>,
}

/// Replaces grants; `None` if there is nothing to replace.
pub(super) fn replace_placeholders(
    rows: &LogRows<'_>,
    form: &Form,
    by: &mut dyn GrantReplacer,
    ids: &Sorted,
    place: &Place,
) -> Result<Option<Replacement>> {
    let sorted_rows = SealRows {
        source: rows,
        grants: None,
    };
    if !by.prepare(&sorted_rows)? {
        return Ok(None);
    }
    let CollectedGrants {
        sorted,
        inserts,
        replaced,
    } = CollectedGrants::collect(rows, form, by, place)?;
    let without = LogRows {
        replaced: Some(&replaced),
        ..*rows
    };
    let (blocked, new_ids) = match inserts {
        Some(inserts) => {
            let (blocked, ids) = inserts.blocked(&without, ids, place)?;
            (blocked, Some(ids))
        }
        None => (None, None),
    };
    let grants = spill(rows, &sorted, blocked.as_ref(), &replaced, place)?;
    for used in [Some(sorted), blocked].into_iter().flatten() {
        used.remove(place.files.as_ref())?;
    }
    Ok(Some(Replacement {
        grants,
        ids: new_ids,
        replaced,
        warnings: by.warnings(),
    }))
}

/// New grants, and the keys of those that they replace.
struct CollectedGrants {
    sorted: Sorted,
    inserts: Option<Inserts>,
    replaced: Replaced,
}

impl CollectedGrants {
    fn collect(
        rows: &LogRows<'_>,
        form: &Form,
        by: &mut dyn GrantReplacer,
        place: &Place,
    ) -> Result<Self> {
        let mut sorter = Sorter::new(share(place, "replacements", SHARE));
        let mut inserts = match form {
            Form::Messages => Some(Inserts::new(place, "replacement-ids")),
            Form::Records { .. } => None,
        };
        let mut replaced = Replaced::default();
        let mut reader = RowReader::new(rows);
        let mut entries = rows.rows(Table::Grants)?;
        let (mut key, mut record) = (Vec::new(), Vec::new());
        let mut number = 0;
        while let Some(entry) = entries.next()? {
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
            if reader.with(&entry, |row| by.replace(row, &mut put))?? {
                replaced.insert(entry.key);
            }
        }
        Ok(Self {
            sorted: sorter.finish()?,
            inserts,
            replaced,
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

/// Writes the kept grants, merged with the new ones.
fn spill(
    rows: &LogRows<'_>,
    new: &Sorted,
    blocked: Option<&Sorted>,
    replaced: &Replaced,
    place: &Place,
) -> Result<GrantTable> {
    let mut new = Replacements::new(new, blocked)?;
    let mut spill = Spill::new(place)?;
    let mut reader = RowReader::new(rows);
    let mut entries = rows.rows(Table::Grants)?;
    while let Some(entry) = entries.next()? {
        if replaced.contains_key(entry.key) {
            continue;
        }
        let mut is_replaced = false;
        while let Some(ahead) = new.current() {
            let order = ahead.key.cmp(entry.key);
            if order == Ordering::Greater {
                break;
            }
            is_replaced = order == Ordering::Equal;
            spill.push_grant(&ahead, &mut reader)?;
            new.advance()?;
        }
        if !is_replaced {
            spill.push_grant(&entry, &mut reader)?;
        }
    }
    while let Some(ahead) = new.current() {
        spill.push_grant(&ahead, &mut reader)?;
        new.advance()?;
    }
    spill.finish(entries.duplicates())
}

/// Walks the new grants, each key once: the last of equal ones.
struct Replacements<'a> {
    merge: Merge<'a>,
    blocked: Option<Superseded<'a>>,
    key: Vec<u8>,
    data: Vec<u8>,
    is_at_end: bool,
}

impl<'a> Replacements<'a> {
    fn new(sorted: &'a Sorted, blocked: Option<&'a Sorted>) -> Result<Self> {
        let mut merge = sorted.merge(0);
        merge.next()?;
        let mut this = Self {
            merge,
            blocked: blocked.map(|b| Superseded::new(b, 0)).transpose()?,
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
