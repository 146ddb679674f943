//! Objects that rows refer to. Each is fetched once and kept, name or JSON,
//! as long as the cache's budget lasts; a missing one gets a stand-in with an
//! id and a name that says so, and is counted.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::rc::Rc;

use baton_c1z::{Filter, Format, Snapshot, Table};
use baton_proto::c1::connector::v2;
use baton_proto::json::MessageId;
use baton_proto::{encode, wire};

use crate::ahead::{Ahead, Reader};
use crate::error::CliError;
use crate::json::{self, Shapes};
use crate::missing::{Kind, Missing};

/// Bytes kept per kind of object before its cache starts anew.
const BUDGET_BYTES: usize = 8 << 20;
/// Resources that are fetched one by one before all are read ahead, at least:
/// a command that looks at a few rows should not read a large file.
const MISSES_BEFORE_AHEAD: u64 = 50;
/// How many resources are read in order in the time of fetching one, at most:
/// in format v3 fetching one may decode a table of 8 MiB.
const READ_PER_FETCH_V1: u64 = 8;
const READ_PER_FETCH_V3: u64 = 2_000;
/// What an entry costs besides its texts: keys, counters, table slot.
const ENTRY_OVERHEAD_BYTES: usize = 200;

/// Field number of an entitlement's `slug`.
const SLUG: u32 = 8;

/// Field number of `display_name` in types (2), resources and entitlements (3).
const TYPE_NAME: u32 = 2;
const NAME: u32 = 3;

/// An object that a row refers to. There may be many at a time.
#[derive(Debug)]
pub(crate) struct Found {
    pub name: Box<str>,
    pub json: Box<[u8]>,
    /// Type and id of the parent (resources only).
    pub parent: Option<Box<(String, String)>>,
    /// The slug (entitlements only).
    pub slug: Box<str>,
    /// A stand-in: the file has no such object.
    pub is_missing: bool,
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
    /// The one that was asked for last: rows come grouped.
    last: Option<(Box<str>, Box<str>, Rc<Found>)>,
}

impl Cache {
    fn get(&mut self, type_id: &str, id: &str) -> Option<&Rc<Found>> {
        let is_last = |last: &(Box<str>, Box<str>, _)| (&*last.0, &*last.1) == (type_id, id);
        if !self.last.as_ref().is_some_and(is_last) {
            let found = Rc::clone(self.by_type.get(type_id)?.get(id)?);
            self.last = Some((type_id.into(), id.into(), found));
        }
        self.last.as_ref().map(|(_, _, found)| found)
    }

    /// Keeps an object, instead of all others if there is no room for it.
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
    shapes: Shapes,
    want: Want,
    types: Cache,
    resources: Cache,
    /// Resources that had to be fetched from the file.
    misses: u64,
    /// How many it takes until all are read ahead.
    patience: u64,
    ahead: Option<Ahead>,
    /// All resources were read ahead: what is not among them is missing.
    ahead_is_complete: bool,
    entitlements: Cache,
    missing: Missing,
    /// Missing objects were already counted, in an earlier pass over the rows.
    silent: bool,
}

impl<'s> Lookups<'s> {
    pub fn new(snapshot: &'s Snapshot<'s>, shapes: Shapes, want: Want, missing: Missing) -> Self {
        Self {
            snapshot,
            shapes,
            want,
            types: Cache::default(),
            resources: Cache::default(),
            misses: 0,
            patience: patience(snapshot),
            ahead: None,
            ahead_is_complete: false,
            entitlements: Cache::default(),
            missing,
            silent: false,
        }
    }

    /// From now on missing objects are not counted again.
    pub fn silent(&mut self) {
        self.silent = true;
    }

    /// What was not in the file.
    pub fn into_missing(self) -> Missing {
        self.missing
    }

    fn note(&mut self, found: &Found, kind: Kind, type_id: &str, id: &str) {
        if found.is_missing && !self.silent {
            self.missing.add(kind, type_id, id);
        }
    }

    pub fn resource_type(&mut self, id: &str) -> Result<Rc<Found>, CliError> {
        let found = self.kept_resource_type(id)?;
        self.note(&found, Kind::ResourceType, "", id);
        Ok(found)
    }

    pub fn resource(&mut self, type_id: &str, id: &str) -> Result<Rc<Found>, CliError> {
        let found = self.kept_resource(type_id, id)?;
        self.note(&found, Kind::Resource, type_id, id);
        Ok(found)
    }

    /// A resource that no row refers to, but the command line.
    pub fn asked_for(&mut self, type_id: &str, id: &str) -> Result<Rc<Found>, CliError> {
        let found = self.kept_resource(type_id, id)?;
        if found.is_missing {
            self.missing.asked_for(type_id, id);
        }
        Ok(found)
    }

    pub fn entitlement(&mut self, id: &str) -> Result<Rc<Found>, CliError> {
        let found = self.kept_entitlement(id)?;
        self.note(&found, Kind::Entitlement, "", id);
        Ok(found)
    }

    fn kept_resource_type(&mut self, id: &str) -> Result<Rc<Found>, CliError> {
        if id.is_empty() {
            return Err(CliError::Row {
                what: "resource type id must be set".to_owned(),
            });
        }
        if let Some(found) = self.types.get("", id) {
            return Ok(Rc::clone(found));
        }
        let stored = self.snapshot.get(Table::ResourceTypes, id)?;
        let is_missing = stored.is_none();
        let data = match stored {
            Some(row) => row.data,
            None => encode::to_vec(&v2::ResourceType {
                id: id.to_owned(),
                display_name: stand_in("RESOURCE TYPE", id),
                ..v2::ResourceType::default()
            }),
        };
        let kind = (self.shapes.resource_type, TYPE_NAME);
        let found = self.found(&data, kind, id, is_missing)?;
        self.types.keep("", id, &found);
        Ok(found)
    }

    fn kept_resource(&mut self, type_id: &str, id: &str) -> Result<Rc<Found>, CliError> {
        if let Some(found) = self.resources.get(type_id, id) {
            return Ok(Rc::clone(found));
        }
        self.misses += 1;
        if self.misses == self.patience {
            self.read_ahead()?;
        }
        if let Some(found) = self.read_before(type_id, id) {
            return Ok(found);
        }
        let found = Rc::new(self.fetched_resource(type_id, id)?);
        self.resources.keep(type_id, id, &found);
        Ok(found)
    }

    /// A resource that was read ahead. Reading ahead only saves time: if what
    /// was put aside cannot be read, the file itself is asked again.
    fn read_before(&mut self, type_id: &str, id: &str) -> Option<Rc<Found>> {
        let found = self.ahead.as_mut()?.get(type_id, id);
        if let Ok(found) = found {
            return found;
        }
        self.ahead = None;
        self.ahead_is_complete = false;
        None
    }

    fn fetched_resource(&mut self, type_id: &str, id: &str) -> Result<Found, CliError> {
        let row = if self.ahead_is_complete {
            None
        } else {
            self.snapshot.get_resource(type_id, id)?
        };
        let is_missing = row.is_none();
        let (data, parent) = match row {
            Some(row) => (row.data, row.parent),
            None => {
                let stand_in = v2::Resource {
                    id: Some(v2::ResourceId {
                        resource_type: type_id.to_owned(),
                        resource: id.to_owned(),
                        baton_resource: false,
                    }),
                    display_name: stand_in("RESOURCE", &format!("{type_id}:{id}")),
                    ..v2::Resource::default()
                };
                (encode::to_vec(&stand_in), None)
            }
        };
        let kind = (self.shapes.resource, NAME);
        let found = read(self.want, self.shapes, kind, &data, parent, id)?;
        Ok(Found {
            is_missing,
            ..found
        })
    }

    fn read_ahead(&mut self) -> Result<(), CliError> {
        let mut reader = Reader::new();
        let mut is_complete = true;
        let (shapes, want) = (self.shapes, self.want);
        self.snapshot
            .scan(Table::Resources, &Filter::default(), &mut |row| {
                let (type_id, id) = (row.resource_type_id, row.resource_id);
                let parent = row.parent.map(|(t, i)| (t.to_owned(), i.to_owned()));
                let kind = (shapes.resource, NAME);
                let taken = match read(want, shapes, kind, row.data, parent, row.id) {
                    Ok(found) => reader.take(type_id, id, &found),
                    // Said when somebody asks for it.
                    Err(_) => Ok(false),
                };
                // A full disk costs time, not the result.
                is_complete &= matches!(taken, Ok(true));
                Ok(match taken {
                    Ok(_) => ControlFlow::Continue(()),
                    Err(_) => ControlFlow::Break(()),
                })
            })?;
        if let Ok(ahead) = reader.finish() {
            self.ahead = Some(ahead);
            self.ahead_is_complete = is_complete;
        }
        Ok(())
    }

    fn kept_entitlement(&mut self, id: &str) -> Result<Rc<Found>, CliError> {
        if id.is_empty() {
            return Err(CliError::Row {
                what: "entitlement id must be set".to_owned(),
            });
        }
        if let Some(found) = self.entitlements.get("", id) {
            return Ok(Rc::clone(found));
        }
        let stored = self.snapshot.get(Table::Entitlements, id)?;
        let is_missing = stored.is_none();
        let data = match stored {
            Some(row) => row.data,
            None => encode::to_vec(&v2::Entitlement {
                id: id.to_owned(),
                display_name: stand_in("ENTITLEMENT", id),
                ..v2::Entitlement::default()
            }),
        };
        let kind = (self.shapes.entitlement, NAME);
        let found = self.found(&data, kind, id, is_missing)?;
        self.entitlements.keep("", id, &found);
        Ok(found)
    }

    fn found(
        &self,
        data: &[u8],
        kind: (MessageId, u32),
        id: &str,
        is_missing: bool,
    ) -> Result<Rc<Found>, CliError> {
        let found = read(self.want, self.shapes, kind, data, None, id)?;
        Ok(Rc::new(Found {
            is_missing,
            ..found
        }))
    }
}

/// The name of an object that is not in the file, as in the Go tool.
fn stand_in(kind: &str, id: &str) -> String {
    format!("MISSING {kind} ({id})")
}

/// Reading ahead begins when the resources that were fetched one by one have
/// taken as long as it takes.
fn patience(snapshot: &Snapshot<'_>) -> u64 {
    let stats = snapshot.sync().and_then(|run| run.stats.as_ref());
    let resources = stats.map_or(0, |stats| u64::try_from(stats.resources).unwrap_or(0));
    let read_per_fetch = match snapshot.file().format() {
        Format::V3 => READ_PER_FETCH_V3,
        Format::V1 => READ_PER_FETCH_V1,
    };
    MISSES_BEFORE_AHEAD.max(resources / read_per_fetch)
}

/// What a command wants of an object.
fn read(
    want: Want,
    shapes: Shapes,
    (shape, name_field): (MessageId, u32),
    data: &[u8],
    parent: Option<(String, String)>,
    id: &str,
) -> Result<Found, CliError> {
    let mut found = Found {
        name: Box::default(),
        json: Box::default(),
        parent: parent.map(Box::new),
        slug: Box::default(),
        is_missing: false,
    };
    match want {
        Want::Json => {
            let mut json = Vec::new();
            json::append(&mut json, shape, data, || format!("`{id}`"))?;
            found.json = json.into();
        }
        Want::Names => {
            found.name = name_of(data, name_field, id)?.into();
            if shape == shapes.entitlement {
                found.slug = name_of(data, SLUG, id)?.into();
            }
        }
    }
    Ok(found)
}

/// A text field of a stored message.
pub(crate) fn name_of<'a>(data: &'a [u8], field: u32, id: &str) -> Result<&'a str, CliError> {
    wire::last_str(data, field).map_err(|source| CliError::Render {
        what: format!("`{id}`"),
        source,
    })
}
