//! Ids that occur under several keys.
//!
//! Format v1 holds an external id once per table, while rows are sorted by
//! key; so a repeated id need not be a neighbour. A second, small sort over
//! hashes finds the candidates in bounded memory, whatever the number of
//! rows; only candidates are read again and compared exactly. Superseded rows are
//! sorted by key, and left out in step with the rows.

use std::cmp::Ordering;
use std::collections::HashMap;

use crate::columns;
use crate::error::{Error, Result};
use crate::log::PageLog;
use crate::row::{Row, Table};
use crate::sort::{Entry, Merge, Place, Sorted, Sorter};

use super::collect::{external_id, id_hashes, share};
use super::dedup::PageOrder;
use super::key::{self, Identity};
use super::row_source::RowSource;

/// So many keys with one id are compared at a time.
const MAX_GROUP: usize = 4096;
/// Share of the memory budget, in sixteenths.
const SHARE: usize = 1;

/// A row that is the latest of its key.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    key_hash: u64,
    at: (u64, u32),
}

/// Finds the keys whose id belongs to a later row under another key.
pub(super) fn superseded(
    log: &PageLog,
    ids: &Sorted,
    added: bool,
    place: &Place,
) -> Result<Option<Sorted>> {
    let mut finder = Finder {
        log,
        order: PageOrder::new(log, added),
        group: Vec::new(),
        out: Sorter::new(share(place, "superseded", SHARE)),
    };
    let mut merge = ids.merge(0);
    let mut group_hash = None;
    while let Some(entry) = merge.next()? {
        let (id_hash, key_hash) = split_hashes(entry.key);
        let at = (entry.page, entry.row);
        if group_hash != Some(id_hash) {
            finder.reduce()?;
            finder.group.clear();
            group_hash = Some(id_hash);
        }
        match finder.group.last_mut() {
            // The same row again: its latest version stands for all.
            Some(last) if last.key_hash == key_hash => {
                if finder.order.compare(last.at, at)? == Ordering::Less {
                    last.at = at;
                }
            }
            _ => {
                if finder.group.len() >= MAX_GROUP {
                    finder.reduce()?;
                }
                finder.group.push(Candidate { key_hash, at });
            }
        }
    }
    finder.reduce()?;
    non_empty(finder.out)
}

struct Finder<'a> {
    log: &'a PageLog,
    order: PageOrder<'a>,
    group: Vec<Candidate>,
    out: Sorter,
}

impl Finder<'_> {
    /// Compares the candidates exactly: of each id one stays, the keys of
    /// the others are put out.
    fn reduce(&mut self) -> Result<()> {
        if self.group.len() < 2 {
            return Ok(());
        }
        let mut latest: HashMap<(Table, String), (Candidate, Vec<u8>)> = HashMap::new();
        for candidate in std::mem::take(&mut self.group) {
            let (table, id, key) = identify(self.log, candidate.at)?;
            let Some((kept, kept_key)) = latest.get_mut(&(table, id.clone())) else {
                latest.insert((table, id), (candidate, key));
                continue;
            };
            // A resource's id is its type and its own id joined. Two that
            // are then the same are still two.
            if table == Table::Resources && *kept_key != key {
                return Err(Error::DuplicateId { table, id });
            }
            let superseded = if self.order.compare(kept.at, candidate.at)? == Ordering::Less {
                *kept = candidate;
                std::mem::replace(kept_key, key)
            } else {
                key
            };
            put_key(&mut self.out, &superseded)?;
        }
        self.group.extend(latest.values().map(|(kept, _)| *kept));
        // The order in which candidates came, which a map does not keep.
        self.group.sort_unstable_by_key(|kept| kept.key_hash);
        Ok(())
    }
}

/// Exact external id and key of a row in the log.
pub(super) fn identify(log: &PageLog, at: (u64, u32)) -> Result<(Table, String, Vec<u8>)> {
    let (table, data) = log.row_at(at.0, at.1)?;
    let row = columns::read(table, &data).map_err(|source| Error::PageRow {
        path: log.path().to_owned(),
        table,
        offset: at.0 + u64::from(at.1),
        source,
    })?;
    let mut id = String::new();
    external_id(table, &row, &mut id);
    let mut key = Vec::new();
    key::build(Identity::ExternalId, table, &row, &mut key);
    Ok((table, id, key))
}

/// Collects the ids of grants that expansion wants to add.
pub(super) struct Inserts {
    ids: Sorter,
    buf: Vec<u8>,
    id: String,
}

impl Inserts {
    /// `name` is the name of its file.
    pub(super) fn new(place: &Place, name: &'static str) -> Self {
        Self {
            ids: Sorter::new(share(place, name, SHARE)),
            buf: Vec::new(),
            id: String::new(),
        }
    }

    pub(super) fn push(&mut self, row: &Row<'_>, key: &[u8]) -> Result<()> {
        let Some(hashes) = id_hashes(Table::Grants, row, key, &mut self.id) else {
            return Ok(());
        };
        // A key ends with its escaped id, so key and hash are enough.
        self.buf.clear();
        self.buf.extend_from_slice(key);
        self.ids.push(Entry {
            key: &hashes,
            page: 0,
            row: 0,
            data: &self.buf,
        })
    }

    /// The keys of those whose id belongs to a row under another key, or to
    /// another of them with a smaller key; and the hashes of all their ids.
    pub(super) fn blocked(
        self,
        source: &dyn RowSource,
        ids: &Sorted,
        place: &Place,
    ) -> Result<(Option<Sorted>, Sorted)> {
        let mut out = Sorter::new(share(place, "blocked", SHARE));
        let inserts = self.ids.finish()?;
        let mut rows = ids.merge(0);
        rows.next()?;
        let mut merge = inserts.merge(0);
        let mut group: Vec<(u64, Vec<u8>)> = Vec::new();
        let mut group_hash = None;
        loop {
            let next = merge.next()?;
            let id_hash = next.map(|entry| split_hashes(entry.key).0);
            if id_hash != group_hash {
                if let Some(hash) = group_hash {
                    block(source, hash, &mut group, &mut rows, &mut out)?;
                }
                group.clear();
                group_hash = id_hash;
            }
            let Some(entry) = merge.current() else {
                break;
            };
            // The same one again lies beside it.
            if group.last().is_some_and(|(_, key)| key == entry.data) {
                continue;
            }
            if group.len() >= MAX_GROUP {
                return Err(Error::Limit {
                    what: "set of derived grants with one id",
                    limit: MAX_GROUP as u64,
                });
            }
            group.push((split_hashes(entry.key).1, entry.data.to_vec()));
        }
        drop(merge);
        Ok((non_empty(out)?, inserts))
    }
}

/// Puts out the keys of `group` that have to give way. All of it has one
/// hash of the id; `rows` stands at or before the rows with that hash.
fn block(
    source: &dyn RowSource,
    hash: u64,
    group: &mut [(u64, Vec<u8>)],
    rows: &mut Merge<'_>,
    out: &mut Sorter,
) -> Result<()> {
    // By id, then by key: the first of an id stays.
    group.sort_unstable_by(|(_, a), (_, b)| (escaped_id(a), a).cmp(&(escaped_id(b), b)));
    let mut kept: Vec<(u64, &[u8])> = Vec::new();
    for (key_hash, key) in group.iter() {
        match kept.last() {
            Some((_, other)) if escaped_id(other) == escaped_id(key) => {
                if *other != key.as_slice() {
                    put_key(out, key)?;
                }
            }
            _ => kept.push((*key_hash, key)),
        }
    }
    let mut uses = vec![IdUse::default(); kept.len()];
    while let Some(row) = rows.current() {
        let (id_hash, row_key_hash) = split_hashes(row.key);
        match id_hash.cmp(&hash) {
            Ordering::Less => {}
            Ordering::Greater => break,
            Ordering::Equal => {
                // Rows that are not in the log are replacements.
                let is_replaced = row.data.is_empty() && source.is_replaced(row_key_hash);
                if is_replaced || kept.iter().any(|(own, _)| *own != row_key_hash) {
                    let row_key = source.key_of(&row)?;
                    note_row(
                        &kept,
                        &mut uses,
                        &row_key,
                        (is_replaced, !row.data.is_empty()),
                    );
                }
            }
        }
        rows.next()?;
    }
    for ((_, key), used) in kept.iter().zip(uses) {
        if used.taken_by_replacement || (used.taken && !used.freed) {
            put_key(out, key)?;
        }
    }
    Ok(())
}

/// What is known of the id of a new grant from the rows with this id.
#[derive(Debug, Clone, Copy, Default)]
struct IdUse {
    /// Another row of the log has the id, or was left out because of it.
    taken: bool,
    /// The row of the log that had the id was replaced.
    freed: bool,
    /// A replacement has the id.
    taken_by_replacement: bool,
}

fn note_row(
    kept: &[(u64, &[u8])],
    uses: &mut [IdUse],
    row_key: &[u8],
    (is_replaced, is_new): (bool, bool),
) {
    if key::table_of(row_key) != Some(Table::Grants) {
        return;
    }
    for ((_, key), used) in kept.iter().zip(uses) {
        if escaped_id(key) == escaped_id(row_key) {
            used.freed |= is_replaced;
            used.taken |= !is_replaced && *key != row_key;
            used.taken_by_replacement |= is_new && *key != row_key;
        }
    }
}

/// The last part of a grant's key: its external id.
fn escaped_id(key: &[u8]) -> &[u8] {
    key.rsplit(|b| *b == 0).next().unwrap_or_default()
}

fn put_key(out: &mut Sorter, key: &[u8]) -> Result<()> {
    out.push(Entry {
        key,
        page: 0,
        row: 0,
        data: &[],
    })
}

fn non_empty(out: Sorter) -> Result<Option<Sorted>> {
    let sorted = out.finish()?;
    Ok((sorted.count() > 0).then_some(sorted))
}

/// Hash of the id and hash of the key.
pub(super) fn split_hashes(key: &[u8]) -> (u64, u64) {
    let part = |at: usize| {
        let bytes = key.get(at..).and_then(<[u8]>::first_chunk);
        u64::from_be_bytes(bytes.copied().unwrap_or_default())
    };
    (part(0), part(8))
}
