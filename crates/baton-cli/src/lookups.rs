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
const BUDGET_BYTES: usize = 32 << 20;
/// What an entry costs besides its texts: keys, counters, table slot.
const ENTRY_OVERHEAD_BYTES: usize = 200;

/// Field number of an entitlement's `slug`.
const SLUG: u32 = 8;

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
    /// The slug (entitlements only).
    pub slug: String,
}

/// How much of a referred object a command wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Want {
    Names,
    Json,
}

/// Objects by type and id (types and entitlements: by id, below no type).
#[derive(Default)]
struct Cache {
    by_type: HashMap<Box<str>, HashMap<Box<str>, Rc<Found>>>,
    bytes: usize,
}

impl Cache {
    fn get(&self, type_id: &str, id: &str) -> Option<&Rc<Found>> {
        self.by_type.get(type_id)?.get(id)
    }

    fn keep(&mut self, type_id: &str, id: &str, found: &Rc<Found>) {
        let cost = found.json.len() + found.name.len() + 2 * id.len() + ENTRY_OVERHEAD_BYTES;
        if self.bytes + cost > BUDGET_BYTES {
            self.by_type.clear();
            self.bytes = 0;
        }
        self.bytes += cost;
        let of_type = match self.by_type.get_mut(type_id) {
            Some(of_type) => of_type,
            None => self.by_type.entry(type_id.into()).or_default(),
        };
        of_type.insert(id.into(), Rc::clone(found));
    }
}

/// All look-ups of one command.
pub(crate) struct Lookups<'s> {
    snapshot: &'s Snapshot<'s>,
    err: &'s mut dyn Write,
    shapes: Shapes,
    want: Want,
    types: Cache,
    resources: Cache,
    entitlements: Cache,
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
        if let Some(found) = self.types.get("", id) {
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
        let found = self.found(&data, TYPE_NAME, self.shapes.resource_type, None, id)?;
        self.types.keep("", id, &found);
        Ok(found)
    }

    pub fn resource(&mut self, type_id: &str, id: &str) -> Result<Rc<Found>, CliError> {
        if let Some(found) = self.resources.get(type_id, id) {
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
        let found = self.found(&data, NAME, self.shapes.resource, parent, id)?;
        self.resources.keep(type_id, id, &found);
        Ok(found)
    }

    pub fn entitlement(&mut self, id: &str) -> Result<Rc<Found>, CliError> {
        if id.is_empty() {
            return Err(CliError::Row {
                what: "entitlement id must be set".to_owned(),
            });
        }
        if let Some(found) = self.entitlements.get("", id) {
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
        let found = self.found(&data, NAME, self.shapes.entitlement, None, id)?;
        self.entitlements.keep("", id, &found);
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
        data: &[u8],
        name_field: u32,
        shape: MessageId,
        parent: Option<(String, String)>,
        id: &str,
    ) -> Result<Rc<Found>, CliError> {
        let name = name_of(data, name_field, id)?.to_owned();
        let slug = if shape == self.shapes.entitlement {
            name_of(data, SLUG, id)?.to_owned()
        } else {
            String::new()
        };
        let mut json = Vec::new();
        if self.want == Want::Json {
            json::append(&mut json, shape, data, || format!("`{id}`"))?;
        }
        Ok(Rc::new(Found {
            name,
            json,
            parent,
            slug,
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
