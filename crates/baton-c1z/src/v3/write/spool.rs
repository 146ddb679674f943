//! Rows that come in another order than they are stored in: kept apart, in
//! bounded memory, until their turn.

use super::tables::Tables;
use crate::error::Result;
use crate::sort::{Entry, Place, RunWriter, Sorter, create_run};
use crate::v3::keys;

/// Shares of the memory budget, in sixteenths.
const BY_PARENT_SHARE: usize = 1;
const BY_PRINCIPAL_SHARE: usize = 4;
const ASSETS_SHARE: usize = 1;

/// The three stored indexes, and the assets.
pub(super) struct Spools {
    place: Place,
    by_parent: Sorter,
    by_principal: Sorter,
    /// In order already: that of the grants.
    needs_expansion: Option<RunWriter>,
    assets: Sorter,
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
            needs_expansion: None,
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
        if keys::by_principal(grant, &mut self.key).is_some() {
            self.by_principal.push(keyed(&self.key, &[]))?;
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

    /// Hands out the assets, then the rest as [`Indexes`]. `false` if two
    /// assets have one key.
    pub fn put_assets(self, tables: &mut Tables) -> Result<(bool, Indexes)> {
        let mut unique = true;
        drain(self.assets, &self.place, |key, record| {
            unique &= tables.add(key, record)?;
            Ok(())
        })?;
        let indexes = Indexes {
            by_parent: self.by_parent,
            by_principal: self.by_principal,
            needs_expansion: self.needs_expansion,
            place: self.place,
        };
        Ok((unique, indexes))
    }
}

/// The rows of the stored indexes.
pub(super) struct Indexes {
    place: Place,
    by_parent: Sorter,
    by_principal: Sorter,
    needs_expansion: Option<RunWriter>,
}

impl Indexes {
    /// Hands out all rows in the order of their keys.
    pub fn put(self, tables: &mut Tables) -> Result<()> {
        for sorter in [self.by_parent, self.by_principal] {
            drain(sorter, &self.place, |key, _| {
                tables.add(key, &[]).map(|_| ())
            })?;
        }
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
        Ok(())
    }
}

fn drain(
    sorter: Sorter,
    place: &Place,
    mut take: impl FnMut(&[u8], &[u8]) -> Result<()>,
) -> Result<()> {
    let sorted = sorter.finish()?;
    let mut merge = sorted.merge(0);
    while let Some(entry) = merge.next()? {
        take(entry.key, entry.data)?;
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
