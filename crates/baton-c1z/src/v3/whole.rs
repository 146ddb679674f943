//! Everything that a file holds, with the times at which it was written: what
//! a conversion carries over.

use std::ops::{Bound, ControlFlow};

use baton_proto::c1::storage::v3 as storage;
use prost::Message;
use prost_types::Timestamp;

use super::fault::damaged;
use super::fault::tables_error;
use super::keys;
use super::plan::Plan;
use super::reader::Reader;
use super::written_at::discovered_at;
use crate::error::Result;
use crate::row::{Filter, Row, Table};
use crate::store::{Asset, Query, VisitAsset};

/// Called with the key and the record of a row.
type VisitSealed<'v> = dyn FnMut(&[u8], &[u8]) -> Result<()> + 'v;

impl Reader {
    /// Visits all rows of a table of this sync, with the time at which each
    /// was written, if that is known.
    pub fn scan_dated(
        &self,
        sync_id: Option<&str>,
        table: Table,
        visit: &mut dyn FnMut(&Row<'_>, Option<Timestamp>) -> Result<()>,
    ) -> Result<()> {
        if !self.holds(sync_id) {
            return Ok(());
        }
        let filter = Filter::default();
        let query = Query {
            sync_id,
            table,
            filter: &filter,
        };
        let plan = Plan::new(&query, &self.finder())?;
        self.visit_records(&plan, &mut |_, record, row| {
            visit(row, discovered_at(table, record))?;
            Ok(ControlFlow::Continue(()))
        })
    }

    /// Visits the records of a table, as they are, with their keys as they are
    /// while sealing.
    pub fn scan_records(&self, table: Table, visit: &mut VisitSealed<'_>) -> Result<()> {
        let filter = Filter::default();
        let query = Query {
            sync_id: None,
            table,
            filter: &filter,
        };
        let plan = Plan::new(&query, &self.finder())?;
        self.visit_records(&plan, &mut |key, record, _| {
            visit(keys::to_sealed(key), record)?;
            Ok(ControlFlow::Continue(()))
        })
    }

    /// Visits all assets by id, with the time at which each was written.
    pub fn assets(&self, sync_id: Option<&str>, visit: &mut VisitAsset<'_>) -> Result<()> {
        self.each_of(sync_id, keys::ASSETS, &mut |value| {
            let record = storage::AssetRecord::decode(value)
                .map_err(|_| damaged(self.path(), "an asset in it is malformed"))?;
            let asset = Asset {
                content_type: record.content_type,
                data: record.data,
            };
            visit(&record.external_id, asset, record.discovered_at)
        })
    }

    /// Visits what connectors stored for the sync: keys and values.
    pub fn sessions(
        &self,
        sync_id: Option<&str>,
        visit: &mut dyn FnMut(&str, &[u8]) -> Result<()>,
    ) -> Result<()> {
        self.each_of(sync_id, keys::SESSIONS, &mut |value| {
            let record = storage::SessionRecord::decode(value)
                .map_err(|_| damaged(self.path(), "a session in it is malformed"))?;
            // A file may hold leftovers of another sync.
            if self.is_run(&record.sync_id) {
                visit(&record.key, &record.value)?;
            }
            Ok(())
        })
    }

    /// Visits the values whose keys begin with `prefix`.
    fn each_of(
        &self,
        sync_id: Option<&str>,
        prefix: &[u8],
        visit: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        if !self.holds(sync_id) {
            return Ok(());
        }
        let end = keys::behind(prefix);
        let failed = |e| tables_error(self.path(), e);
        let mut rows = self
            .db()
            .range(Bound::Included(prefix), Bound::Excluded(&end))
            .map_err(failed)?;
        while let Some((_, value)) = rows.next().map_err(failed)? {
            visit(value)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ReadOptions;
    use std::path::Path;

    fn open() -> Reader {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/v3-small.c1z");
        let (reader, _) = Reader::open(&path, &ReadOptions::default()).expect("opens");
        reader
    }

    #[test]
    fn another_sync_has_nothing() {
        let reader = open();
        let other = Some("000000000000000000000000000");
        let refuse = |_: &Row<'_>, _| panic!("a row of another sync");
        for table in Table::ALL {
            reader
                .scan_dated(other, table, &mut { refuse })
                .expect("nothing");
        }
        reader
            .assets(other, &mut |_, _, _| panic!("an asset"))
            .expect("nothing");
        reader
            .sessions(other, &mut |_, _| panic!("a session"))
            .expect("nothing");
    }

    #[test]
    fn everything_comes_with_the_time_of_its_writing() {
        let reader = open();
        let mut rows = 0;
        let mut assets = Vec::new();
        for table in Table::ALL {
            let count = &mut |_: &Row<'_>, time: Option<Timestamp>| {
                // The fixture was written within that second.
                assert_eq!(time.expect("dated").seconds, 1_795_449_754, "{table:?}");
                rows += 1;
                Ok(())
            };
            reader.scan_dated(None, table, count).expect("rows");
        }
        reader
            .assets(None, &mut |id, asset, time| {
                assets.push((id.to_owned(), asset.content_type, time.is_some()));
                Ok(())
            })
            .expect("assets");
        assert_eq!(rows, 3 + 9 + 4 + 8);
        assert_eq!(
            assets,
            [("asset-1".to_owned(), "image/png".to_owned(), true)]
        );
        reader.sessions(None, &mut |_, _| Ok(())).expect("sessions");
    }
}
