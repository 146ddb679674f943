//! All grants in one file in canonical order, for the steps that read them.
//!
//! Only made when there is something to expand or to replace. The index has
//! one small entry per entitlement that has grants, so one entitlement's
//! grants are read without touching the others.

use crate::error::Result;
use crate::row::Table;
use crate::sort::{Entry, Place, RunFile, RunWriter, create_run};

use super::collect::hash;
use super::key;
use super::row_reader::RowReader;
use super::row_source::RowSource;

/// Grants of one entitlement: hash of its id, offset and length in the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    id_hash: u64,
    start: u64,
    end: u64,
}

/// All grants in one run.
pub(crate) struct GrantTable {
    pub run: RunFile,
    groups: Vec<Group>,
    /// Grants with an expansion.
    pub expandable: u64,
    /// Rows that were left out since a later one has the same id.
    pub duplicates: u64,
}

impl GrantTable {
    /// Writes the grants out in canonical order.
    pub(super) fn spill(source: &dyn RowSource, place: &Place) -> Result<Self> {
        let mut rows = source.rows(Table::Grants)?;
        let mut spill = Spill::new(place)?;
        let mut reader = RowReader::new(source);
        while let Some(entry) = rows.next()? {
            spill.push_grant(&entry, &mut reader)?;
        }
        spill.finish(rows.duplicates())
    }

    /// Offsets of the grants of entitlements whose id has this hash.
    pub(super) fn ranges(&self, id_hash: u64) -> impl Iterator<Item = (u64, u64)> + '_ {
        let start = self.groups.partition_point(|g| g.id_hash < id_hash);
        let rest = self.groups.get(start..).unwrap_or_default();
        let len = rest.partition_point(|g| g.id_hash == id_hash);
        let found = rest.get(..len).unwrap_or_default();
        found.iter().map(|group| (group.start, group.end))
    }
}

/// A grant table being written.
pub(crate) struct Spill {
    out: RunWriter,
    groups: Vec<Group>,
    group_key: Vec<u8>,
    expandable: u64,
}

impl Spill {
    pub(crate) fn new(place: &Place) -> Result<Self> {
        Ok(Self {
            out: create_run(place.files.as_ref(), &place.dir.join("grants"))?,
            groups: Vec::new(),
            group_key: Vec::new(),
            expandable: 0,
        })
    }

    /// Adds a row that is no grant. All of these come first.
    pub(crate) fn push_other(&mut self, entry: &Entry<'_>) -> Result<()> {
        self.out.push(entry)
    }

    /// Adds the next grant in canonical order.
    pub(crate) fn push_grant(
        &mut self,
        entry: &Entry<'_>,
        reader: &mut RowReader<'_>,
    ) -> Result<()> {
        let start = self.out.offset();
        let entitlement = key::entitlement_of(reader.shape().identity(), entry.key);
        let is_new = self.group_key != entitlement;
        let (is_expandable, id_hash) = reader.with(entry, |row| {
            let id_hash = is_new.then(|| hash(0, row.entitlement_id.as_bytes()));
            (row.expansion.is_some(), id_hash)
        })?;
        if let Some(id_hash) = id_hash {
            self.group_key.clear();
            self.group_key.extend_from_slice(entitlement);
            if let Some(last) = self.groups.last_mut() {
                last.end = start;
            }
            self.groups.push(Group {
                id_hash,
                start,
                end: start,
            });
        }
        self.expandable += u64::from(is_expandable && reader.needs_expansion(entry));
        self.out.push(entry)
    }

    /// `duplicates` rows were left out.
    pub(crate) fn finish(mut self, duplicates: u64) -> Result<GrantTable> {
        if let Some(last) = self.groups.last_mut() {
            last.end = self.out.offset();
        }
        self.groups.sort_unstable();
        Ok(GrantTable {
            run: self.out.finish()?,
            groups: self.groups,
            expandable: self.expandable,
            duplicates,
        })
    }
}
