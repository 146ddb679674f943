//! The rows of all inputs, sorted by their place in the new file.
//!
//! Rows of equal key are neighbours afterwards, the newest last: an entry's
//! page is the time at which the row was found, its row the rank of the
//! input. Where external ids identify rows, two inputs can have an id under
//! different keys, so a first, small sort of the ids finds which row of each
//! id is kept.

use prost_types::Timestamp;

use super::Counts;
use super::input::{Input, Source};
use crate::columns;
use crate::convert::to_v3::{TUPLE_START, to_record};
use crate::error::{Error, Result};
use crate::row::{Row, Table};
use crate::seal::collect::{external_id, id_hashes, share};
use crate::seal::dated::Dated;
use crate::seal::dedup::Superseded;
use crate::seal::key::{self, Identity};
use crate::seal::row_source::Shape;
use crate::sort::{Entry, Place, Sorted, Sorter};
use crate::stop;
use crate::v3;

/// Shares of the memory budget, in sixteenths.
const ROWS_SHARE: usize = 10;
const IDS_SHARE: usize = 2;
/// Rank of the base where it wins against inputs of the same time.
const BASE_WINS: u32 = u32::MAX;

/// The sorted rows of all inputs.
pub(super) struct Collected {
    pub rows: Sorted,
    /// Hashes of the grants' ids, with their keys, where ids identify grants.
    pub ids: Sorted,
    /// Rows that format v3 cannot hold, since they lack an id.
    pub unstorable: u64,
}

/// The rank of rows whose time is unknown: anything else is newer.
const UNDATED: u64 = 0;

/// A time as a number that sorts as times do.
pub(super) fn time_rank(at: Timestamp) -> u64 {
    let nanos = i128::from(at.seconds) * 1_000_000_000 + i128::from(at.nanos);
    u64::try_from(nanos.max(0)).unwrap_or(u64::MAX)
}

/// The rank of an input among rows of the same time.
fn rank(input: usize, base_wins: bool) -> u32 {
    if input == 0 && base_wins {
        return BASE_WINS;
    }
    u32::try_from(input).unwrap_or(BASE_WINS - 1)
}

/// Whether an entry comes from the base.
pub(super) fn is_base(row: u32) -> bool {
    row == 0 || row == BASE_WINS
}

/// Reads and sorts the inputs, oldest first. Fills `counts` where ids decide
/// which rows are the same.
pub(super) fn collect(
    inputs: &[Input],
    shape: Shape,
    base_wins: bool,
    place: &Place,
    counts: &mut Counts,
) -> Result<Collected> {
    let superseded = match shape.identity() {
        Identity::ExternalId if inputs.len() > 1 => {
            Some(superseded(inputs, base_wins, place, counts)?)
        }
        _ => None,
    };
    let mut collector = Collector {
        rows: Sorter::new(share(place, "rows", ROWS_SHARE)),
        ids: Sorter::new(share(place, "ids", IDS_SHARE)),
        unstorable: 0,
        rank: 0,
        key: Vec::new(),
        packed: Vec::new(),
        id: String::new(),
    };
    let mut superseded = superseded
        .as_ref()
        .map(|superseded| Superseded::new(superseded, 0))
        .transpose()?;
    for (number, input) in inputs.iter().enumerate() {
        collector.rank = rank(number, base_wins);
        match shape {
            Shape::Records => collector.records(input)?,
            _ => collector.messages(number, input, superseded.as_mut())?,
        }
    }
    Ok(Collected {
        rows: collector.rows.finish()?,
        ids: collector.ids.finish()?,
        unstorable: collector.unstorable,
    })
}

struct Collector {
    rows: Sorter,
    ids: Sorter,
    unstorable: u64,
    rank: u32,
    key: Vec<u8>,
    packed: Vec<u8>,
    id: String,
}

impl Collector {
    fn records(&mut self, input: &Input) -> Result<()> {
        for table in Table::ALL {
            match &input.source {
                Source::V3(reader) => reader.scan_records(table, &mut |key, record| {
                    stop::check()?;
                    self.rows.push(Entry {
                        key,
                        page: v3::discovered_at(table, record).map_or(UNDATED, time_rank),
                        row: self.rank,
                        data: record,
                    })
                })?,
                Source::V1(_) => self.made_records(input, table)?,
            }
        }
        Ok(())
    }

    fn made_records(&mut self, input: &Input, table: Table) -> Result<()> {
        let mut last = (None, Vec::new());
        let store = input.source.store();
        store.scan_dated(Some(&input.run.id), table, &mut |row, found_at| {
            stop::check()?;
            key::build(Identity::Tuple, table, row, &mut self.key);
            if !v3::is_storable(self.key.get(TUPLE_START..).unwrap_or_default()) {
                self.unstorable += 1;
                return Ok(());
            }
            let at = found_at.unwrap_or(input.undated());
            if last.0 != Some(at) {
                last = (Some(at), v3::timestamp(&at));
            }
            to_record(table, row, &last.1, &mut self.packed).map_err(|e| input.of_row(e))?;
            self.rows.push(Entry {
                key: &self.key,
                page: found_at.map_or(UNDATED, time_rank),
                row: self.rank,
                data: &self.packed,
            })
        })
    }

    fn messages(
        &mut self,
        number: usize,
        input: &Input,
        mut superseded: Option<&mut Superseded<'_>>,
    ) -> Result<()> {
        let mut place = 0;
        for table in Table::ALL {
            let store = input.source.store();
            store.scan_dated(Some(&input.run.id), table, &mut |row, at| {
                stop::check()?;
                place += 1;
                if let Some(superseded) = superseded.as_deref_mut()
                    && superseded.contains(&row_number(number, place))?
                {
                    return Ok(());
                }
                self.message(table, row, at, input.undated())
                    .map_err(|e| input.of_row(e))
            })?;
        }
        Ok(())
    }

    fn message(
        &mut self,
        table: Table,
        row: &Row<'_>,
        at: Option<Timestamp>,
        undated: Timestamp,
    ) -> Result<()> {
        // Later passes read the columns from the message, so does the key.
        let mut columns = columns::read(table, row.data).map_err(|source| Error::Malformed {
            table,
            id: row.id.to_owned(),
            source,
        })?;
        external_id(table, &columns, &mut self.id);
        columns.id = &self.id;
        key::build(Identity::ExternalId, table, &columns, &mut self.key);
        let mut hashed = String::new();
        if table == Table::Grants
            && let Some(hashes) = id_hashes(table, &columns, &self.key, &mut hashed)
        {
            self.ids.push(Entry {
                key: &hashes,
                page: 0,
                row: 0,
                data: &self.key,
            })?;
        }
        Dated::pack(
            row,
            at.unwrap_or(undated),
            !row.is_expanded,
            &mut self.packed,
        );
        self.rows.push(Entry {
            key: &self.key,
            page: at.map_or(UNDATED, time_rank),
            row: self.rank,
            data: &self.packed,
        })
    }
}

/// Names a row by its input and its place there; later rows sort behind.
fn row_number(input: usize, place: u64) -> [u8; 16] {
    let mut out = [0; 16];
    out[..8].copy_from_slice(&(input as u64).to_be_bytes());
    out[8..].copy_from_slice(&place.to_be_bytes());
    out
}

/// The numbers of all rows whose id belongs to a newer row.
fn superseded(
    inputs: &[Input],
    base_wins: bool,
    place: &Place,
    counts: &mut Counts,
) -> Result<Sorted> {
    let mut ids = Sorter::new(share(place, "versions", ROWS_SHARE));
    for (number, input) in inputs.iter().enumerate() {
        let mut at_place = 0;
        for table in Table::ALL {
            let store = input.source.store();
            let mut key = Vec::new();
            store.scan_dated(Some(&input.run.id), table, &mut |row, at| {
                stop::check()?;
                at_place += 1;
                key.clear();
                key.push(key::table_byte(table));
                key.extend_from_slice(row.id.as_bytes());
                ids.push(Entry {
                    key: &key,
                    page: at.map_or(UNDATED, time_rank),
                    row: rank(number, base_wins),
                    data: &row_number(number, at_place),
                })
            })?;
        }
    }
    let ids = ids.finish()?;
    let mut out = Sorter::new(share(place, "superseded", IDS_SHARE));
    let mut merge = ids.merge(0);
    let mut group = Group::default();
    while let Some(entry) = merge.next()? {
        if group.key == entry.key {
            out.push(Entry {
                key: &group.newest,
                page: 0,
                row: 0,
                data: &[],
            })?;
        } else {
            group.close(counts);
            group.key.clear();
            group.key.extend_from_slice(entry.key);
        }
        group.newest.clear();
        group.newest.extend_from_slice(entry.data);
        group.has_base |= is_base(entry.row);
        group.newest_is_base = is_base(entry.row);
    }
    group.close(counts);
    drop(merge);
    ids.remove(place.files.as_ref())?;
    out.finish()
}

/// The versions of one row.
#[derive(Default)]
struct Group {
    key: Vec<u8>,
    newest: Vec<u8>,
    has_base: bool,
    newest_is_base: bool,
}

impl Group {
    /// Counts the row and begins another one.
    fn close(&mut self, counts: &mut Counts) {
        if let Some(table) = key::table_of(&self.key) {
            counts.add(table, self.has_base, self.newest_is_base);
        }
        (self.has_base, self.newest_is_base) = (false, false);
    }
}
