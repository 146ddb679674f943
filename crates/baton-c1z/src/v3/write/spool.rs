//! Rows that come in another order than they are stored in: kept apart, in
//! bounded memory, until their turn.

use super::tables::{TableSink, Tables};
use crate::error::Result;
use crate::sort::{Entry, Place, RunWriter, Sorter, create_run};
use crate::v3::keys;

/// Shares of the memory budget, in sixteenths.
const BY_PARENT_SHARE: usize = 1;
const BY_PRINCIPAL_SHARE: usize = 4;
const ASSETS_SHARE: usize = 1;
const SESSIONS_SHARE: usize = 1;

/// Bytes of entitlements' tuples that are kept in memory.
const NAMED_BYTES: usize = 8 << 20;

/// The three stored indexes, the assets, and what connectors stored.
pub(crate) struct Spools {
    place: Place,
    by_parent: Sorter,
    by_principal: Sorter,
    entitlements: Entitlements,
    /// In order already: that of the grants.
    needs_expansion: Option<RunWriter>,
    assets: Sorter,
    sessions: Sorter,
    key: Vec<u8>,
}

impl Spools {
    pub fn new(place: Place) -> Self {
        let sorter = |name, sixteenths| {
            Sorter::new(Place {
                name,
                budget_bytes: place.budget_bytes / 16 * sixteenths,
                ..place.clone()
            })
        };
        Self {
            by_parent: sorter("by-parent", BY_PARENT_SHARE),
            by_principal: sorter("by-principal", BY_PRINCIPAL_SHARE),
            assets: sorter("assets", ASSETS_SHARE),
            sessions: sorter("sessions", SESSIONS_SHARE),
            needs_expansion: None,
            entitlements: Entitlements::default(),
            place,
            key: Vec::new(),
        }
    }

    /// Notes that the resource with this key has this parent.
    pub fn parent(&mut self, parent: (&str, &str), resource: &[u8]) -> Result<()> {
        keys::by_parent(parent, resource, &mut self.key);
        self.by_parent.push(keyed(&self.key, &[]))
    }

    /// Notes the grant with this key. Grants come in order.
    pub fn grant(&mut self, grant: &[u8], needs_expansion: bool) -> Result<()> {
        if let Some((entitlement, principal)) = keys::halves_of_grant(grant) {
            let (page, data) = self.entitlements.number(entitlement);
            self.by_principal.push(Entry {
                key: principal,
                page,
                row: 0,
                data,
            })?;
        }
        if needs_expansion {
            keys::needs_expansion(grant, &mut self.key);
            let run = match &mut self.needs_expansion {
                Some(run) => run,
                slot => slot.insert(create_run(
                    self.place.files.as_ref(),
                    &self.place.dir.join("needs-expansion"),
                )?),
            };
            run.push(&keyed(&self.key, &[]))?;
        }
        Ok(())
    }

    /// Keeps an asset's record.
    pub fn asset(&mut self, key: &[u8], record: &[u8]) -> Result<()> {
        self.assets.push(keyed(key, record))
    }

    /// Keeps the record of what a connector stored.
    pub fn session(&mut self, key: &[u8], record: &[u8]) -> Result<()> {
        self.sessions.push(keyed(key, record))
    }

    /// Hands out the assets, then the rest as [`Indexes`]. `false` if two
    /// assets have one key.
    pub fn put_assets<S: TableSink>(mut self, tables: &mut Tables<S>) -> Result<(bool, Indexes)> {
        let mut unique = true;
        let assets = std::mem::replace(&mut self.assets, Sorter::new(self.place.clone()));
        drain(assets, &self.place, |entry| {
            unique &= tables.add(entry.key, entry.data)?;
            Ok(())
        })?;
        Ok((unique, self.into_indexes()))
    }

    /// All but the assets.
    pub fn into_indexes(self) -> Indexes {
        Indexes {
            by_parent: self.by_parent,
            by_principal: self.by_principal,
            entitlements: self.entitlements,
            needs_expansion: self.needs_expansion,
            sessions: self.sessions,
            place: self.place,
        }
    }
}

/// Entitlements by number, ascending as their tuples do: grants come in that
/// order. So a number sorts as the tuple would, in far fewer bytes. What does
/// not fit in memory travels with each row.
#[derive(Default)]
struct Entitlements {
    bytes: Vec<u8>,
    /// Where each of the first ones ends in `bytes`.
    ends: Vec<usize>,
    /// How many there are.
    count: u64,
    last: Vec<u8>,
}

impl Entitlements {
    /// The number of an entitlement that is the last one or a greater one, and
    /// what must be stored with the row.
    fn number(&mut self, tuple: &[u8]) -> (u64, &[u8]) {
        if self.count == 0 || self.last != tuple {
            self.last.clear();
            self.last.extend_from_slice(tuple);
            if self.bytes.len() < NAMED_BYTES {
                self.bytes.extend_from_slice(tuple);
                self.ends.push(self.bytes.len());
            }
            self.count += 1;
        }
        if self.count > self.ends.len() as u64 {
            return (self.count, &self.last);
        }
        (self.count, &[])
    }

    /// The tuple of a row's entitlement.
    fn tuple<'a>(&'a self, entry: &Entry<'a>) -> &'a [u8] {
        let at = usize::try_from(entry.page)
            .ok()
            .and_then(|n| n.checked_sub(1));
        let Some((at, end)) = at.and_then(|at| Some((at, *self.ends.get(at)?))) else {
            return entry.data;
        };
        let start = match at.checked_sub(1) {
            Some(before) => self.ends.get(before).copied().unwrap_or(end),
            None => 0,
        };
        self.bytes.get(start..end).unwrap_or_default()
    }
}

/// The rows of the stored indexes, and what connectors stored.
pub(crate) struct Indexes {
    place: Place,
    by_parent: Sorter,
    by_principal: Sorter,
    entitlements: Entitlements,
    needs_expansion: Option<RunWriter>,
    sessions: Sorter,
}

impl Indexes {
    /// Hands out all rows in the order of their keys.
    pub fn put<S: TableSink>(self, tables: &mut Tables<S>) -> Result<()> {
        drain(self.by_parent, &self.place, |entry| {
            tables.add(entry.key, &[]).map(|_| ())
        })?;
        let mut key = Vec::new();
        drain(self.by_principal, &self.place, |entry| {
            let entitlement = self.entitlements.tuple(&entry);
            keys::by_principal_of(entitlement, entry.key, &mut key);
            tables.add(&key, &[]).map(|_| ())
        })?;
        if let Some(run) = self.needs_expansion {
            let run = run.finish()?;
            let mut reader = run.read_from(0);
            while reader.advance()? {
                if let Some(entry) = reader.entry() {
                    tables.add(entry.key, &[])?;
                }
            }
            run.remove(self.place.files.as_ref())?;
        }
        drain(self.sessions, &self.place, |entry| {
            tables.add(entry.key, entry.data).map(|_| ())
        })
    }
}

fn drain(
    sorter: Sorter,
    place: &Place,
    mut take: impl FnMut(Entry<'_>) -> Result<()>,
) -> Result<()> {
    let sorted = sorter.finish()?;
    let mut merge = sorted.merge(0);
    while let Some(entry) = merge.next()? {
        take(entry)?;
    }
    drop(merge);
    sorted.remove(place.files.as_ref())
}

fn keyed<'a>(key: &'a [u8], data: &'a [u8]) -> Entry<'a> {
    Entry {
        key,
        page: 0,
        row: 0,
        data,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entitlements_are_found_by_number_whether_they_fit_in_memory_or_not() {
        let mut entitlements = Entitlements::default();
        let tuple = |n: usize| [n.to_be_bytes().to_vec(), vec![7; NAMED_BYTES / 4]].concat();
        for n in 0..8 {
            for _ in 0..2 {
                let (page, data) = entitlements.number(&tuple(n));
                let data = data.to_vec();
                assert_eq!(page, n as u64 + 1);
                assert_eq!(data.is_empty(), n < 4, "{n}");
                let entry = Entry {
                    key: &[],
                    page,
                    row: 0,
                    data: &data,
                };
                assert!(entitlements.tuple(&entry) == tuple(n), "{n}");
            }
        }
        let first = Entry {
            key: &[],
            page: 1,
            row: 0,
            data: &[],
        };
        assert!(entitlements.tuple(&first) == tuple(0));
    }
}
