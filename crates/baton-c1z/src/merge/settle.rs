//! Of rows with the same key one stays, and all are laid down in order.

use prost_types::Timestamp;

use super::Counts;
use super::gather::{Gathered, is_base, time_rank};
use crate::convert::to_v3::merged;
use crate::error::{Error, Result};
use crate::row::Table;
use crate::seal::grants::{GrantTable, Layer, RowReader};
use crate::seal::key;
use crate::seal::origin::{Entries, Origin, Shape};
use crate::sort::{Entry, Place, RunReader, Sorted};
use crate::stop::Stop;
use crate::v3;

/// Settled rows, all in one run.
pub(super) struct Settled {
    pub grants: GrantTable,
    facts: Facts,
}

/// What is known of the rows besides them.
struct Facts {
    shape: Shape,
    count: u64,
    derived_at: Timestamp,
}

/// Lays down what was gathered; gives the hashes of ids back. `counts` are filled where keys decide.
pub(super) fn settle(
    gathered: Gathered,
    shape: Shape,
    derived_at: Timestamp,
    place: &Place,
    counts: Option<&mut Counts>,
    stop: &Stop,
) -> Result<(Settled, Sorted)> {
    let Gathered { rows, ids, .. } = gathered;
    let facts = Facts {
        shape,
        count: rows.count(),
        derived_at,
    };
    let mut layer = Laying {
        layer: Layer::new(place)?,
        reader: RowReader::new(&facts),
        counts,
        dropped: 0,
    };
    let mut merge = rows.merge(0);
    let mut group = Versions::default();
    while let Some(entry) = merge.next()? {
        stop.check()?;
        if group.key != entry.key {
            layer.put(&mut group)?;
            group.key.clear();
            group.key.extend_from_slice(entry.key);
        }
        group.add(&entry, shape)?;
    }
    layer.put(&mut group)?;
    drop(merge);
    rows.remove(place.files.as_ref())?;
    let Laying { layer, dropped, .. } = layer;
    let grants = layer.finish(dropped)?;
    Ok((Settled { grants, facts }, ids))
}

struct Laying<'a> {
    layer: Layer,
    reader: RowReader<'a>,
    counts: Option<&'a mut Counts>,
    dropped: u64,
}

impl Laying<'_> {
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
        self.dropped += versions as u64 - 1;
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
            Table::Grants => self.layer.push_grant(&entry, &mut self.reader),
            _ => self.layer.push_other(&entry),
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

impl Origin for Facts {
    fn shape(&self) -> Shape {
        self.shape
    }

    fn rows(&self, _: Table) -> Result<Box<dyn Entries + '_>> {
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

/// Before rows are laid down there are none to read.
struct NoRows;

impl Entries for NoRows {
    fn next(&mut self) -> Result<Option<Entry<'_>>> {
        Ok(None)
    }

    fn dropped(&self) -> u64 {
        0
    }
}

impl Origin for Settled {
    fn rows(&self, table: Table) -> Result<Box<dyn Entries + '_>> {
        let run = self.grants.run.read_from(key::table_byte(table));
        Ok(Box::new(LaidDown { run }))
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

struct LaidDown<'a> {
    run: RunReader<'a>,
}

impl Entries for LaidDown<'_> {
    fn next(&mut self) -> Result<Option<Entry<'_>>> {
        Ok(if self.run.advance()? {
            self.run.entry()
        } else {
            None
        })
    }

    fn dropped(&self) -> u64 {
        0
    }
}
