//! Ids joined back to whole objects.
//!
//! Format v3 keeps of the objects that entitlements and grants embed their
//! ids only. Where the objects themselves are in the file, they are put in
//! again, as a connector would have embedded them; a stub whose object is
//! missing stays. Splicing happens on the wire, so nothing else changes.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::ControlFlow;
use std::sync::Arc;

use baton_proto::wire;

use crate::error::{Error, Result};
use crate::row::{Filter, OwnedRow, Row, Table};
use crate::seal::key::{self, Identity};
use crate::store::{Key, Query, Store};

/// Bytes of resources that are read ahead, in the order of the file: fetching
/// one from where it lies decodes a table of 8 MiB.
const AHEAD_BYTES: usize = 96 << 20;
/// Bytes of other objects that are remembered; then all are forgotten.
const REMEMBERED_BYTES: usize = 32 << 20;
/// What an entry costs besides its bytes.
const ENTRY_BYTES: usize = 128;
/// Entitlements fetched at a time.
const PAGE_ROWS: u32 = 1000;

/// Field numbers of `c1.connector.v2`.
mod field {
    pub const ENTITLEMENT_RESOURCE: u32 = 1;
    pub const ENTITLEMENT_GRANTABLE_TO: u32 = 5;
    pub const GRANT_ENTITLEMENT: u32 = 1;
    pub const GRANT_PRINCIPAL: u32 = 2;
    pub const RESOURCE_TYPE_ID: u32 = 1;
}

type Object = Option<Arc<[u8]>>;

/// Joins rows of one file, which come in canonical order.
pub(crate) struct Joiner<'s> {
    store: &'s dyn Store,
    ahead: Option<Ahead>,
    resources: HashMap<(String, String), Object>,
    types: HashMap<String, Object>,
    bytes: usize,
    entitlements: Entitlements<'s>,
}

/// The first resources of the file, by type and id.
struct Ahead {
    by_type: HashMap<String, HashMap<String, Arc<[u8]>>>,
    /// There are no others.
    is_complete: bool,
}

impl Ahead {
    fn read(store: &dyn Store) -> Result<Self> {
        let mut ahead = Self {
            by_type: HashMap::new(),
            is_complete: true,
        };
        let query = Query {
            sync_id: None,
            table: Table::Resources,
            filter: &Filter::default(),
        };
        let mut bytes = 0;
        store.scan(&query, &mut |row| {
            bytes += ENTRY_BYTES + row.data.len() + row.resource_id.len();
            if bytes > AHEAD_BYTES {
                ahead.is_complete = false;
                return Ok(ControlFlow::Break(()));
            }
            let by_id = match ahead.by_type.get_mut(row.resource_type_id) {
                Some(by_id) => by_id,
                None => ahead
                    .by_type
                    .entry(row.resource_type_id.to_owned())
                    .or_default(),
            };
            by_id.insert(row.resource_id.to_owned(), row.data.into());
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(ahead)
    }

    /// The resource, or that there is none; `None` if that is not known here.
    fn get(&self, type_id: &str, id: &str) -> Option<Object> {
        let found = self.by_type.get(type_id).and_then(|by_id| by_id.get(id));
        match found {
            Some(bytes) => Some(Some(Arc::clone(bytes))),
            None => self.is_complete.then_some(None),
        }
    }
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
    pub fn new(store: &'s dyn Store) -> Self {
        Self {
            store,
            ahead: None,
            resources: HashMap::new(),
            types: HashMap::new(),
            bytes: 0,
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
        let resource = self.resource(row.resource_type_id, row.resource_id)?;
        let mut out = Vec::with_capacity(row.data.len() + resource.as_ref().map_or(0, |r| r.len()));
        if let Some(resource) = &resource {
            wire::put_bytes(&mut out, field::ENTITLEMENT_RESOURCE, resource);
        }
        for part in wire::fields(row.data) {
            let part = part.map_err(Error::Derived)?;
            let type_id = match (part.number, part.value.bytes()) {
                (field::ENTITLEMENT_RESOURCE, Some(_)) if resource.is_some() => continue,
                (field::ENTITLEMENT_GRANTABLE_TO, Some(stub)) => {
                    Some(wire::last_str(stub, field::RESOURCE_TYPE_ID).map_err(Error::Derived)?)
                }
                _ => None,
            };
            match type_id
                .map(|id| self.resource_type(id))
                .transpose()?
                .flatten()
            {
                Some(whole) => wire::put_bytes(&mut out, field::ENTITLEMENT_GRANTABLE_TO, &whole),
                None => out.extend_from_slice(part.raw),
            }
        }
        Ok(out)
    }

    fn grant(&mut self, row: &Row<'_>) -> Result<Vec<u8>> {
        let principal = self.resource(row.principal_type_id, row.principal_id)?;
        let mut grant_key = Vec::new();
        key::build(Identity::Tuple, Table::Grants, row, &mut grant_key);
        let key = tuple(key::entitlement_of(Identity::Tuple, &grant_key));
        self.advance_to(key)?;
        let entitlement = match &self.entitlements.current {
            Some((found, data)) if tuple(found) == key => Some(data.as_slice()),
            _ => None,
        };
        let mut out = Vec::with_capacity(
            row.data.len()
                + entitlement.map_or(0, <[u8]>::len)
                + principal.as_ref().map_or(0, |p| p.len()),
        );
        for part in wire::fields(row.data) {
            let part = part.map_err(Error::Derived)?;
            let whole = match part.number {
                field::GRANT_ENTITLEMENT => entitlement,
                field::GRANT_PRINCIPAL => principal.as_deref(),
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

    fn resource(&mut self, type_id: &str, id: &str) -> Result<Object> {
        let ahead = match &mut self.ahead {
            Some(ahead) => ahead,
            none => none.insert(Ahead::read(self.store)?),
        };
        if let Some(known) = ahead.get(type_id, id) {
            return Ok(known);
        }
        self.make_room();
        let Entry::Vacant(entry) = self.resources.entry((type_id.to_owned(), id.to_owned())) else {
            return Ok(self
                .resources
                .get(&(type_id.to_owned(), id.to_owned()))
                .cloned()
                .flatten());
        };
        let found = self
            .store
            .get(None, Table::Resources, Key::Resource(type_id, id))?;
        let object: Object = found.map(|row| row.data.into());
        self.bytes += ENTRY_BYTES + type_id.len() + id.len();
        self.bytes += object.as_ref().map_or(0, |bytes| bytes.len());
        entry.insert(object.clone());
        Ok(object)
    }

    fn resource_type(&mut self, id: &str) -> Result<Object> {
        self.make_room();
        if let Some(known) = self.types.get(id) {
            return Ok(known.clone());
        }
        let found = self.store.get(None, Table::ResourceTypes, Key::Id(id))?;
        let object: Object = found.map(|row| row.data.into());
        self.bytes += ENTRY_BYTES + id.len() + object.as_ref().map_or(0, |bytes| bytes.len());
        self.types.insert(id.to_owned(), object.clone());
        Ok(object)
    }

    fn make_room(&mut self) {
        if self.bytes > REMEMBERED_BYTES {
            self.resources.clear();
            self.types.clear();
            self.bytes = 0;
        }
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
