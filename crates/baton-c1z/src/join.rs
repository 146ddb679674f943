//! Ids joined back to whole objects.
//!
//! Format v3 keeps of the objects that entitlements and grants embed their
//! ids only. Where the objects themselves are in the file, they are put in
//! again, as a connector would have embedded them; a stub whose object is
//! missing stays. Splicing happens on the wire, so nothing else changes.

use std::ops::ControlFlow;
use std::path::Path;

use baton_proto::field::c1::connector::v2::{entitlement, grant, resource_type};
use baton_proto::wire;

use crate::error::{Error, Result};
use crate::file::Snapshot;
use crate::lookup::{Lookup, Projection, Settings};
use crate::row::{Filter, OwnedRow, Row, Table};
use crate::seal::key::{self, Identity};
use crate::store::{Query, Store};

/// Bytes of resources that are kept in memory; the others go to a private file.
const MEMORY_BYTES: usize = 96 << 20;
/// Entitlements fetched at a time.
const PAGE_ROWS: u32 = 1000;

/// A whole message, or that the file lacks it.
type Object = Option<Box<[u8]>>;

/// Keeps whole messages.
struct Messages;

impl Projection for Messages {
    type Value = Object;
    type Error = Error;

    fn found(&self, _: Table, row: &Row<'_>) -> Result<Object> {
        Ok(Some(row.data.into()))
    }

    fn missing(&self, _: Table, _: &str, _: &str) -> Result<Object> {
        Ok(None)
    }

    fn pack(&self, value: &Object, out: &mut Vec<u8>) {
        out.extend_from_slice(value.as_deref().unwrap_or_default());
    }

    fn unpack(&self, bytes: &[u8]) -> Option<Object> {
        Some(Some(bytes.into()))
    }
}

/// Called with each row of [`Snapshot::scan_whole`] and its whole message;
/// returns whether to continue.
pub type VisitWhole<'v> = dyn FnMut(&Row<'_>, &[u8]) -> Result<ControlFlow<()>> + 'v;

impl Snapshot<'_> {
    /// Visits all rows of a table in storage order, each with its message as
    /// a connector would have sent it: where the format keeps ids only of the
    /// objects that entitlements and grants embed, the objects are put in, as
    /// far as the file has them. A grant's `GrantExpandable` stays in
    /// [`Row::expansion`].
    pub fn scan_whole(&self, table: Table, visit: &mut VisitWhole<'_>) -> Result<()> {
        if self.file().capabilities().embedded_objects {
            return self.scan(table, &Filter::default(), &mut |row| visit(row, row.data));
        }
        let mut joiner = Joiner::new(self.store(), self.file().temp_dir());
        self.scan(table, &Filter::default(), &mut |row| {
            let whole = joiner.join(table, row)?;
            visit(row, &whole)
        })
    }
}

/// Joins rows of one file, which come in canonical order.
pub(crate) struct Joiner<'s> {
    lookup: Lookup<'s, Messages>,
    entitlements: Entitlements<'s>,
}

/// The entitlements of the file, joined, in step with the grants.
struct Entitlements<'s> {
    store: &'s dyn Store,
    page: std::vec::IntoIter<OwnedRow>,
    after: Option<Vec<u8>>,
    started: bool,
    /// Key and joined bytes.
    current: Option<(Vec<u8>, Vec<u8>)>,
}

impl<'s> Joiner<'s> {
    /// Private files go to `temp_dir`, or to the system's folder for them.
    pub fn new(store: &'s dyn Store, temp_dir: Option<&'s Path>) -> Self {
        let settings = Settings {
            // All rows are going to be joined.
            fetches_before_read_ahead: 1,
            memory_bytes: MEMORY_BYTES,
            temp_dir,
        };
        Self {
            lookup: Lookup::with_settings(store, None, Messages, settings),
            entitlements: Entitlements {
                store,
                page: Vec::new().into_iter(),
                after: None,
                started: false,
                current: None,
            },
        }
    }

    /// The row's message with whole objects in it.
    pub fn join(&mut self, table: Table, row: &Row<'_>) -> Result<Vec<u8>> {
        match table {
            Table::ResourceTypes | Table::Resources => Ok(row.data.to_vec()),
            Table::Entitlements => self.entitlement(row),
            Table::Grants => self.grant(row),
        }
    }

    fn entitlement(&mut self, row: &Row<'_>) -> Result<Vec<u8>> {
        let resource = self
            .lookup
            .resource(row.resource_type_id, row.resource_id)?;
        let resource = resource.as_deref();
        let mut out = Vec::with_capacity(row.data.len() + resource.map_or(0, <[u8]>::len));
        if let Some(resource) = resource {
            wire::put_bytes(&mut out, entitlement::RESOURCE, resource);
        }
        for part in wire::fields(row.data) {
            let part = part.map_err(Error::Derived)?;
            let type_id = match (part.number, part.value.bytes()) {
                (entitlement::RESOURCE, Some(_)) if resource.is_some() => continue,
                (entitlement::GRANTABLE_TO, Some(stub)) => {
                    Some(wire::last_str(stub, resource_type::ID).map_err(Error::Derived)?)
                }
                _ => None,
            };
            let whole = type_id
                .map(|id| self.lookup.resource_type(id))
                .transpose()?;
            match whole.as_ref().and_then(|whole| whole.as_deref()) {
                Some(whole) => wire::put_bytes(&mut out, entitlement::GRANTABLE_TO, whole),
                None => out.extend_from_slice(part.raw),
            }
        }
        Ok(out)
    }

    fn grant(&mut self, row: &Row<'_>) -> Result<Vec<u8>> {
        let principal = self
            .lookup
            .resource(row.principal_type_id, row.principal_id)?;
        let principal = principal.as_deref();
        let mut grant_key = Vec::new();
        key::build(Identity::Tuple, Table::Grants, row, &mut grant_key);
        let key = tuple(key::entitlement_of(Identity::Tuple, &grant_key));
        self.advance_to(key)?;
        let entitlement = match &self.entitlements.current {
            Some((found, data)) if tuple(found) == key => Some(data.as_slice()),
            _ => None,
        };
        let mut out = Vec::with_capacity(
            row.data.len() + entitlement.map_or(0, <[u8]>::len) + principal.map_or(0, <[u8]>::len),
        );
        for part in wire::fields(row.data) {
            let part = part.map_err(Error::Derived)?;
            let whole = match part.number {
                grant::ENTITLEMENT => entitlement,
                grant::PRINCIPAL => principal,
                _ => None,
            };
            match whole {
                Some(whole) => wire::put_bytes(&mut out, part.number, whole),
                None => out.extend_from_slice(part.raw),
            }
        }
        Ok(out)
    }

    /// Fetches entitlements up to the one with this key.
    fn advance_to(&mut self, key: &[u8]) -> Result<()> {
        while self
            .entitlements
            .current
            .as_ref()
            .is_none_or(|(at, _)| tuple(at) < key)
        {
            let Some(row) = self.entitlements.next()? else {
                return Ok(());
            };
            let row = row.as_row();
            let mut found = Vec::new();
            key::build(Identity::Tuple, Table::Entitlements, &row, &mut found);
            let data = self.entitlement(&row)?;
            self.entitlements.current = Some((found, data));
        }
        Ok(())
    }
}

/// A canonical key without its table.
fn tuple(key: &[u8]) -> &[u8] {
    key.get(1..).unwrap_or_default()
}

impl Entitlements<'_> {
    fn next(&mut self) -> Result<Option<OwnedRow>> {
        if let Some(row) = self.page.next() {
            return Ok(Some(row));
        }
        if self.started && self.after.is_none() {
            return Ok(None);
        }
        let query = Query {
            sync_id: None,
            table: Table::Entitlements,
            filter: &Filter::default(),
        };
        let page = self.store.page(&query, PAGE_ROWS, self.after.as_deref())?;
        self.started = true;
        self.after = page.next_after;
        self.page = page.rows.into_iter();
        Ok(self.page.next())
    }
}
