//! Keeps one of the rows with the same key, and writes all in order.

use prost_types::Timestamp;

use super::Counts;
use super::collect::{Collected, is_base, time_rank};
use crate::convert::to_v3::merged;
use crate::error::{Error, Result};
use crate::row::Table;
use crate::seal::grants::{GrantTable, Spill};
use crate::seal::key;
use crate::seal::row_reader::RowReader;
use crate::seal::row_source::{RowSource, RowStream, Shape};
use crate::sort::{Entry, Place, RunReader, Sorted};
use crate::stop;
use crate::v3;

/// The rows that are kept, and the hashes of their ids.
pub(super) struct Resolved {
    pub rows: MergedRows,
    pub ids: Sorted,
}

/// The rows that are kept, all in one run.
pub(super) struct MergedRows {
    pub grants: GrantTable,
    facts: Facts,
}

/// What is known of the rows besides them.
struct Facts {
    shape: Shape,
    count: u64,
    derived_at: Timestamp,
}

/// Writes the rows that are kept. Fills `counts` where keys decide which rows
/// are the same.
pub(super) fn resolve(
    collected: Collected,
    shape: Shape,
    derived_at: Timestamp,
    place: &Place,
    counts: Option<&mut Counts>,
) -> Result<Resolved> {
    let Collected { rows, ids, .. } = collected;
    let facts = Facts {
        shape,
        count: rows.count(),
        derived_at,
    };
    let mut writer = MergeWriter {
        spill: Spill::new(place)?,
        reader: RowReader::new(&facts),
        counts,
        duplicates: 0,
    };
    let mut merge = rows.merge(0);
    let mut group = Versions::default();
    while let Some(entry) = merge.next()? {
        stop::check()?;
        if group.key != entry.key {
            writer.put(&mut group)?;
            group.key.clear();
            group.key.extend_from_slice(entry.key);
        }
        group.add(&entry, shape)?;
    }
    writer.put(&mut group)?;
    drop(merge);
    rows.remove(place.files.as_ref())?;
    let grants = writer.spill.finish(writer.duplicates)?;
    Ok(Resolved {
        rows: MergedRows { grants, facts },
        ids,
    })
}

struct MergeWriter<'a> {
    spill: Spill,
    reader: RowReader<'a>,
    counts: Option<&'a mut Counts>,
    duplicates: u64,
}

impl MergeWriter<'_> {
    fn put(&mut self, group: &mut Versions) -> Result<()> {
        let versions = group.list.len();
        let has_base = group.list.iter().any(|version| is_base(version.rank));
        // Of equal ones the last is the newest input's.
        let newest = group
            .list
            .drain(..)
            .max_by_key(|version| (version.time, version.rank));
        let Some(newest) = newest else {
            return Ok(());
        };
        self.duplicates += versions as u64 - 1;
        let entry = Entry {
            key: &group.key,
            page: newest.time,
            row: newest.rank,
            data: &newest.data,
        };
        let table = key::table_of(&group.key).unwrap_or(Table::Grants);
        if let Some(counts) = &mut self.counts {
            counts.add(table, has_base, is_base(newest.rank));
        }
        match table {
            Table::Grants => self.spill.push_grant(&entry, &mut self.reader),
            _ => self.spill.push_other(&entry),
        }
    }
}

/// The versions of one row, at most one per input.
#[derive(Default)]
struct Versions {
    key: Vec<u8>,
    list: Vec<Version>,
}

struct Version {
    time: u64,
    rank: u32,
    data: Vec<u8>,
}

impl Versions {
    fn add(&mut self, entry: &Entry<'_>, shape: Shape) -> Result<()> {
        let same = self.list.iter_mut().find(|old| old.rank == entry.row);
        if let Some(old) = same {
            // Only grants may differ where their keys do not: v1 files have
            // several of one principal and entitlement.
            let table = key::table_of(&self.key).unwrap_or(Table::Grants);
            if shape != Shape::Records || table != Table::Grants {
                let id = key::id(&self.key);
                return Err(Error::DuplicateId { table, id });
            }
            old.data = merged(&old.data, entry.data)?;
            old.time = v3::discovered_at(Table::Grants, &old.data).map_or(old.time, time_rank);
            return Ok(());
        }
        self.list.push(Version {
            time: entry.page,
            rank: entry.row,
            data: entry.data.to_vec(),
        });
        Ok(())
    }
}

impl RowSource for Facts {
    fn shape(&self) -> Shape {
        self.shape
    }

    fn rows(&self, _: Table) -> Result<Box<dyn RowStream + '_>> {
        Ok(Box::new(NoRows))
    }

    fn count(&self) -> u64 {
        self.count
    }

    fn key_of(&self, id: &Entry<'_>) -> Result<Vec<u8>> {
        Ok(id.data.to_vec())
    }

    fn derived_at(&self) -> Option<Timestamp> {
        Some(self.derived_at)
    }

    fn malformed(&self, entry: &Entry<'_>, source: baton_proto::Error) -> Error {
        Error::Malformed {
            table: key::table_of(entry.key).unwrap_or(Table::Grants),
            id: key::id(entry.key),
            source,
        }
    }
}

/// Until the rows are written there are none to read.
struct NoRows;

impl RowStream for NoRows {
    fn next(&mut self) -> Result<Option<Entry<'_>>> {
        Ok(None)
    }

    fn duplicates(&self) -> u64 {
        0
    }
}

impl RowSource for MergedRows {
    fn rows(&self, table: Table) -> Result<Box<dyn RowStream + '_>> {
        let run = self.grants.run.read_from(key::table_byte(table));
        Ok(Box::new(SpilledRows { run }))
    }

    fn shape(&self) -> Shape {
        self.facts.shape
    }

    fn count(&self) -> u64 {
        self.facts.count
    }

    fn key_of(&self, id: &Entry<'_>) -> Result<Vec<u8>> {
        self.facts.key_of(id)
    }

    fn derived_at(&self) -> Option<Timestamp> {
        self.facts.derived_at()
    }

    fn malformed(&self, entry: &Entry<'_>, source: baton_proto::Error) -> Error {
        self.facts.malformed(entry, source)
    }
}

struct SpilledRows<'a> {
    run: RunReader<'a>,
}

impl RowStream for SpilledRows<'_> {
    fn next(&mut self) -> Result<Option<Entry<'_>>> {
        Ok(if self.run.advance()? {
            self.run.entry()
        } else {
            None
        })
    }

    fn duplicates(&self) -> u64 {
        0
    }
}
