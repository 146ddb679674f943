//! The last pass of a seal: rows, merged with the changes, into the sink.

use std::cmp::Ordering;

use prost_types::Timestamp;

use crate::columns;
use crate::error::{Error, Result};
use crate::row::{Row, Table};
use crate::sort::Entry;
use crate::stop;
use crate::v3;

use super::changes::{ChangeReader, Changes, What};
use super::dated::Dated;
use super::grants::GrantTable;
use super::key;
use super::plan::SealEvent;
use super::row_reader::RowReader;
use super::row_source::Shape;
use super::sink::{Assets, Finished, Sink};
use super::sorted_rows::SealRows;

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
    sorted: &'a SealRows<'a>,
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
        sorted: &'a SealRows<'a>,
        sink: Box<dyn Sink + 'a>,
        progress: &'a mut dyn FnMut(SealEvent),
    ) -> Self {
        Self {
            sorted,
            sink,
            progress,
            rows: RowReader::new(sorted.source),
            done_rows: 0,
            duplicates: 0,
            inserted: 0,
            replaced: 0,
        }
    }

    /// Writes everything and completes the file.
    pub(super) fn run(
        mut self,
        changes: Option<&mut Changes>,
        assets: &mut Assets<'_>,
    ) -> Result<WrittenRows> {
        self.sorted_rows()?;
        if let Some(grants) = self.sorted.grants {
            self.duplicates += grants.duplicates;
            match changes {
                Some(changes) => self.changed_grants(grants, changes.read()?)?,
                None => self.spilled_grants(grants)?,
            }
        }
        assets(self.sink.as_mut())?;
        Ok(WrittenRows {
            finished: self.sink.finish(self.progress)?,
            duplicates: self.duplicates,
            inserted: self.inserted,
            replaced: self.replaced,
        })
    }

    /// All tables, or all but the grants where these are in a table of their own.
    fn sorted_rows(&mut self) -> Result<()> {
        let mut entries = self.sorted.source.rows(Table::ResourceTypes)?;
        while let Some(entry) = entries.next()? {
            if self.sorted.grants.is_some() && key::table_of(entry.key) == Some(Table::Grants) {
                break;
            }
            self.put(&entry)?;
        }
        self.duplicates += entries.duplicates();
        Ok(())
    }

    fn spilled_grants(&mut self, grants: &GrantTable) -> Result<()> {
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
                        self.replace(entry, change.what)?;
                        put = true;
                    }
                    (Ordering::Less, _) if last_key != change.key => self.insert(change.what)?,
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
        stop::check()?;
        let table = key::table_of(entry.key).unwrap_or(Table::Grants);
        let sink = &mut self.sink;
        match self.sorted.source.shape() {
            Shape::Records => sink.put_record(table, entry.key, entry.data)?,
            Shape::Messages => self.rows.with(entry, |row| sink.put(table, row))??,
            Shape::DatedMessages => {
                sink.set_discovered_at(Dated::unpack(entry.data).at)?;
                self.rows.with(entry, |row| sink.put(table, row))??;
            }
        }
        self.count(table);
        Ok(())
    }

    /// Puts a grant in its changed form; the expansion stays.
    fn replace(&mut self, entry: &Entry<'_>, change: What<'_>) -> Result<()> {
        let sink = &mut self.sink;
        if self.sorted.source.derived_at().is_some()
            && let Some(at) = found_at(self.sorted.source.shape(), entry)
        {
            sink.set_discovered_at(at)?;
        }
        let (What::Insert(new) | What::Replace(new) | What::Row(Row { data: new, .. })) = change;
        self.rows.with(entry, |old| -> Result<()> {
            let split = columns::split_expandable(new).map_err(Error::Derived)?;
            let data = split.as_ref().map_or(new, |split| &split.data);
            let mut row = columns::read(Table::Grants, data).map_err(Error::Derived)?;
            row.expansion = old.expansion;
            row.is_expanded = old.is_expanded;
            sink.put(Table::Grants, &row)
        })??;
        self.replaced += 1;
        self.count(Table::Grants);
        Ok(())
    }

    fn insert(&mut self, change: What<'_>) -> Result<()> {
        stop::check()?;
        match change {
            What::Row(row) => self.put_new(&row),
            What::Insert(data) => {
                let split = columns::split_expandable(data).map_err(Error::Derived)?;
                let data = split.as_ref().map_or(data, |split| &split.data);
                let mut row = columns::read(Table::Grants, data).map_err(Error::Derived)?;
                row.expansion = split.as_ref().and_then(|split| split.expansion.as_deref());
                self.put_new(&row)
            }
            What::Replace(_) => Err(Error::Argument {
                what: "change of a grant",
                reason: "there is no grant with its id, entitlement and principal",
            }),
        }
    }

    fn put_new(&mut self, row: &Row<'_>) -> Result<()> {
        if let Some(at) = self.sorted.source.derived_at() {
            self.sink.set_discovered_at(at)?;
        }
        self.sink.put(Table::Grants, row)?;
        self.inserted += 1;
        self.count(Table::Grants);
        Ok(())
    }

    fn count(&mut self, table: Table) {
        self.done_rows += 1;
        if self.done_rows.is_multiple_of(REPORT_ROWS) {
            (self.progress)(SealEvent::Writing {
                table,
                done_rows: self.done_rows,
                total_rows: self.sorted.source.count(),
            });
        }
    }
}

/// When the row of an entry was found, if that is stored.
fn found_at(shape: Shape, entry: &Entry<'_>) -> Option<Timestamp> {
    match shape {
        Shape::Messages => None,
        Shape::DatedMessages => Some(Dated::unpack(entry.data).at),
        Shape::Records => v3::discovered_at(Table::Grants, entry.data),
    }
}
