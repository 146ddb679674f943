//! Objects that rows refer to. Each is fetched once and kept, name and JSON,
//! as long as the cache's budget lasts; a missing one gets a stand-in with an
//! id and a telling name, and a line on stderr.

use std::collections::HashMap;
use std::io::Write;
use std::rc::Rc;

use baton_c1z::{Snapshot, Table};
use baton_proto::c1::connector::v2;
use baton_proto::json::MessageId;
use baton_proto::{encode, wire};

use crate::error::CliError;
use crate::json::{self, Shapes};

/// Bytes of JSON kept per kind of object before its cache starts anew.
const BUDGET_BYTES: usize = 12 << 20;
/// What an entry costs besides its JSON: key, name, table slot.
const ENTRY_OVERHEAD_BYTES: usize = 200;

/// Field number of `display_name` in types (2), resources and entitlements (3).
const TYPE_NAME: u32 = 2;
const NAME: u32 = 3;

/// An object that a row refers to.
#[derive(Debug)]
pub(crate) struct Found {
    pub name: String,
    pub json: Vec<u8>,
    /// Type and id of the parent (resources only).
    pub parent: Option<(String, String)>,
    /// The stored (or stand-in) message.
    pub data: Vec<u8>,
}

/// How much of a referred object a command wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Want {
    Names,
    Json,
}

type Cache<K> = (HashMap<K, Rc<Found>>, usize);

/// All look-ups of one command.
pub(crate) struct Lookups<'s> {
    snapshot: &'s Snapshot<'s>,
    err: &'s mut dyn Write,
    shapes: Shapes,
    want: Want,
    types: Cache<String>,
    resources: Cache<(String, String)>,
    entitlements: Cache<String>,
    /// The resource asked for last: rows of one resource stand together.
    last_resource: Option<((String, String), Rc<Found>)>,
    last_entitlement: Option<(String, Rc<Found>)>,
    /// Missing objects were already named, in an earlier pass over the rows.
    silent: bool,
}

impl<'s> Lookups<'s> {
    pub fn new(
        snapshot: &'s Snapshot<'s>,
        err: &'s mut dyn Write,
        shapes: Shapes,
        want: Want,
    ) -> Self {
        Self {
            snapshot,
            err,
            shapes,
            want,
            types: Cache::default(),
            resources: Cache::default(),
            entitlements: Cache::default(),
            last_resource: None,
            last_entitlement: None,
            silent: false,
        }
    }

    /// From now on missing objects are not named again.
    pub fn silent(&mut self) {
        self.silent = true;
    }

    pub fn resource_type(&mut self, id: &str) -> Result<Rc<Found>, CliError> {
        if id.is_empty() {
            return Err(CliError::Row {
                what: "resource type id must be set".to_owned(),
            });
        }
        if let Some(found) = self.types.0.get(id) {
            return Ok(Rc::clone(found));
        }
        let data = match self.snapshot.get(Table::ResourceTypes, id)? {
            Some(row) => row.data,
            None => encode::to_vec(&v2::ResourceType {
                id: id.to_owned(),
                display_name: self.missing("RESOURCE TYPE", id)?,
                ..v2::ResourceType::default()
            }),
        };
        let found = self.found(data, TYPE_NAME, self.shapes.resource_type, None, id)?;
        keep(&mut self.types, id.to_owned(), &found);
        Ok(found)
    }

    pub fn resource(&mut self, type_id: &str, id: &str) -> Result<Rc<Found>, CliError> {
        if let Some((key, found)) = &self.last_resource
            && key.0 == type_id
            && key.1 == id
        {
            return Ok(Rc::clone(found));
        }
        let key = (type_id.to_owned(), id.to_owned());
        if let Some(found) = self.resources.0.get(&key) {
            self.last_resource = Some((key, Rc::clone(found)));
            return Ok(Rc::clone(found));
        }
        let (data, parent) = match self.snapshot.get_resource(type_id, id)? {
            Some(row) => (row.data, row.parent),
            None => {
                let stand_in = v2::Resource {
                    id: Some(v2::ResourceId {
                        resource_type: type_id.to_owned(),
                        resource: id.to_owned(),
                        baton_resource: false,
                    }),
                    display_name: self.missing("RESOURCE", &format!("{type_id}:{id}"))?,
                    ..v2::Resource::default()
                };
                (encode::to_vec(&stand_in), None)
            }
        };
        let found = self.found(data, NAME, self.shapes.resource, parent, id)?;
        keep(&mut self.resources, key.clone(), &found);
        self.last_resource = Some((key, Rc::clone(&found)));
        Ok(found)
    }

    pub fn entitlement(&mut self, id: &str) -> Result<Rc<Found>, CliError> {
        if id.is_empty() {
            return Err(CliError::Row {
                what: "entitlement id must be set".to_owned(),
            });
        }
        if let Some((key, found)) = &self.last_entitlement
            && key == id
        {
            return Ok(Rc::clone(found));
        }
        if let Some(found) = self.entitlements.0.get(id) {
            self.last_entitlement = Some((id.to_owned(), Rc::clone(found)));
            return Ok(Rc::clone(found));
        }
        let data = match self.snapshot.get(Table::Entitlements, id)? {
            Some(row) => row.data,
            None => encode::to_vec(&v2::Entitlement {
                id: id.to_owned(),
                display_name: self.missing("ENTITLEMENT", id)?,
                ..v2::Entitlement::default()
            }),
        };
        let found = self.found(data, NAME, self.shapes.entitlement, None, id)?;
        keep(&mut self.entitlements, id.to_owned(), &found);
        self.last_entitlement = Some((id.to_owned(), Rc::clone(&found)));
        Ok(found)
    }

    /// Says that an object is missing and gives the stand-in's name.
    fn missing(&mut self, kind: &str, id: &str) -> Result<String, CliError> {
        if !self.silent {
            writeln!(
                self.err,
                "warning: {} `{id}` is not in the file",
                kind.to_lowercase()
            )?;
        }
        Ok(format!("MISSING {kind} ({id})"))
    }

    fn found(
        &self,
        data: Vec<u8>,
        name_field: u32,
        shape: MessageId,
        parent: Option<(String, String)>,
        id: &str,
    ) -> Result<Rc<Found>, CliError> {
        let name = name_of(&data, name_field, id)?.to_owned();
        let mut json = Vec::new();
        if self.want == Want::Json {
            json::append(&mut json, shape, &data, || format!("`{id}`"))?;
        }
        Ok(Rc::new(Found {
            name,
            json,
            parent,
            data,
        }))
    }
}

/// A text field of a stored message.
pub(crate) fn name_of<'a>(data: &'a [u8], field: u32, id: &str) -> Result<&'a str, CliError> {
    wire::last_str(data, field).map_err(|source| CliError::Render {
        what: format!("`{id}`"),
        source,
    })
}

fn keep<K: std::hash::Hash + Eq>(cache: &mut Cache<K>, key: K, found: &Rc<Found>) {
    let cost = found.json.len() + found.data.len() + found.name.len() + ENTRY_OVERHEAD_BYTES;
    if cache.1 + cost > BUDGET_BYTES {
        cache.0.clear();
        cache.1 = 0;
    }
    cache.1 += cost;
    cache.0.insert(key, Rc::clone(found));
}
