//! The last pass of a seal: rows, merged with the changes, into the sink.

use std::cmp::Ordering;

use crate::columns;
use crate::error::{Error, Result};
use crate::row::Table;
use crate::run::NewAsset;
use crate::sort::Entry;

use super::Sources;
use super::changes::{Change, ChangeReader, Changes};
use super::grants::{GrantTable, RowReader};
use super::key::{self, Identity};
use super::plan::SealEvent;
use super::sink::{Finished, Sink};
use super::winners::Winners;

/// Rows between two reports of progress.
const REPORT_ROWS: u64 = 16 << 10;

/// What was written.
#[derive(Debug)]
pub(super) struct WrittenRows {
    pub finished: Finished,
    pub duplicates: u64,
    pub inserted: u64,
    pub replaced: u64,
}

/// A sink being filled.
pub(super) struct Writing<'a> {
    sources: &'a Sources<'a>,
    sink: Box<dyn Sink + 'a>,
    progress: &'a mut dyn FnMut(SealEvent),
    rows: RowReader<'a>,
    done_rows: u64,
    duplicates: u64,
    inserted: u64,
    replaced: u64,
}

impl<'a> Writing<'a> {
    pub(super) fn new(
        sources: &'a Sources<'a>,
        sink: Box<dyn Sink + 'a>,
        progress: &'a mut dyn FnMut(SealEvent),
    ) -> Self {
        Self {
            sources,
            sink,
            progress,
            rows: RowReader::new(sources.log, sources.identity),
            done_rows: 0,
            duplicates: 0,
            inserted: 0,
            replaced: 0,
        }
    }

    /// Writes everything and completes the file.
    pub(super) fn run(
        mut self,
        changes: Option<&Changes>,
        assets: &[NewAsset],
    ) -> Result<WrittenRows> {
        self.sorted_rows()?;
        if let Some(grants) = self.sources.grants {
            self.duplicates += grants.dropped;
            match changes {
                Some(changes) => self.changed_grants(grants, changes.read()?)?,
                None => self.laid_down_grants(grants)?,
            }
        }
        for asset in assets {
            self.sink.put_asset(asset)?;
        }
        Ok(WrittenRows {
            finished: self.sink.finish(self.progress)?,
            duplicates: self.duplicates,
            inserted: self.inserted,
            replaced: self.replaced,
        })
    }

    /// All tables, or all but the grants where these are laid down.
    fn sorted_rows(&mut self) -> Result<()> {
        let mut winners = self.sources.winners(Table::ResourceTypes)?;
        while let Some(entry) = winners.next()? {
            if self.sources.grants.is_some() && key::table_of(entry.key) == Some(Table::Grants) {
                break;
            }
            self.put(&entry)?;
        }
        self.duplicates += winners.dropped();
        Ok(())
    }

    fn laid_down_grants(&mut self, grants: &GrantTable) -> Result<()> {
        let mut run = grants.run.read_from(key::table_byte(Table::Grants));
        while run.advance()? {
            let Some(entry) = run.entry() else { break };
            self.put(&entry)?;
        }
        Ok(())
    }

    fn changed_grants(&mut self, grants: &GrantTable, mut changes: ChangeReader<'_>) -> Result<()> {
        let mut run = grants.run.read_from(key::table_byte(Table::Grants));
        let mut last_key = Vec::new();
        loop {
            run.advance()?;
            let entry = run.entry();
            let mut put = false;
            while let Some(change) = changes.current() {
                let order = entry.map_or(Ordering::Less, |entry| change.key.cmp(entry.key));
                match (order, &entry) {
                    (Ordering::Equal, Some(entry)) if !put => {
                        self.replace(entry, &change)?;
                        put = true;
                    }
                    (Ordering::Less, _) if last_key != change.key => self.insert(&change)?,
                    (Ordering::Greater, _) => break,
                    // A second change to one grant.
                    _ => {}
                }
                last_key.clear();
                last_key.extend_from_slice(change.key);
                changes.advance()?;
            }
            let Some(entry) = entry else {
                return Ok(());
            };
            if !put {
                self.put(&entry)?;
            }
        }
    }

    fn put(&mut self, entry: &Entry<'_>) -> Result<()> {
        let table = key::table_of(entry.key).unwrap_or(Table::Grants);
        let sink = &mut self.sink;
        match self.sources.identity {
            Identity::ExternalId => self.rows.with(entry, |row| sink.put(table, row))??,
            Identity::Tuple => sink.put_record(table, entry.key, entry.data)?,
        }
        self.count(table);
        Ok(())
    }

    /// Puts a grant in its changed form; the expansion stays.
    fn replace(&mut self, entry: &Entry<'_>, change: &Change<'_>) -> Result<()> {
        let sink = &mut self.sink;
        self.rows.with(entry, |old| -> Result<()> {
            let split = columns::split_expandable(change.data).map_err(Error::Derived)?;
            let data = split.as_ref().map_or(change.data, |split| &split.data);
            let mut row = columns::read(Table::Grants, data).map_err(Error::Derived)?;
            row.expansion = old.expansion;
            sink.put(Table::Grants, &row)
        })??;
        self.replaced += 1;
        self.count(Table::Grants);
        Ok(())
    }

    fn insert(&mut self, change: &Change<'_>) -> Result<()> {
        if change.replaces {
            return Err(Error::Argument {
                what: "change of a grant",
                reason: "there is no grant with its id, entitlement and principal",
            });
        }
        let split = columns::split_expandable(change.data).map_err(Error::Derived)?;
        let data = split.as_ref().map_or(change.data, |split| &split.data);
        let mut row = columns::read(Table::Grants, data).map_err(Error::Derived)?;
        row.expansion = split.as_ref().and_then(|split| split.expansion.as_deref());
        self.sink.put(Table::Grants, &row)?;
        self.inserted += 1;
        self.count(Table::Grants);
        Ok(())
    }

    fn count(&mut self, table: Table) {
        self.done_rows += 1;
        if self.done_rows % REPORT_ROWS == 1 {
            (self.progress)(SealEvent::Writing {
                table,
                done_rows: self.done_rows,
                total_rows: self.sources.rows.count(),
            });
        }
    }
}

impl<'a> Sources<'a> {
    /// The rows from `table` on.
    pub(super) fn winners(&self, table: Table) -> Result<Winners<'a>> {
        Winners::new(self.log, self.rows, self.losers, key::table_byte(table))
    }
}
