//! Objects that rows refer to, as names or as JSON. A missing object gets a
//! stand-in with its id and the name `MISSING …`, and is counted.

use std::rc::Rc;

use baton_c1z::{Format, Lookup, Projection, Row, Snapshot, Table};
use baton_proto::c1::connector::v2;
use baton_proto::field::c1::connector::v2 as field;
use baton_proto::{encode, wire};

use crate::error::CliError;
use crate::json::{self, MessageTypes};
use crate::missing::{Kind, Missing};

/// An object that a row refers to. There may be many at a time.
#[derive(Debug)]
pub(crate) struct Referenced {
    /// The display name, if names are shown.
    pub name: Box<str>,
    /// The message, if JSON is shown.
    pub json: Box<[u8]>,
    /// Type and id of the parent (resources only).
    pub parent: Option<Box<(String, String)>>,
    /// The slug (entitlements only), if names are shown.
    pub slug: Box<str>,
    /// A stand-in: the file has no such object.
    pub is_missing: bool,
}

impl Referenced {
    /// Type and id of the parent.
    pub fn parent(&self) -> Option<(&str, &str)> {
        let (type_id, id) = self.parent.as_deref()?;
        Some((type_id, id))
    }
}

/// Which part of a referenced object an output shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detail {
    Names,
    Json,
}

/// Keeps of objects what an output shows.
struct Details {
    types: MessageTypes,
    detail: Detail,
}

impl Details {
    fn read(
        &self,
        table: Table,
        data: &[u8],
        parent: Option<(&str, &str)>,
        id: &str,
    ) -> Result<Referenced, CliError> {
        let parent = parent.map(|(type_id, id)| Box::new((type_id.to_owned(), id.to_owned())));
        let mut referenced = Referenced {
            name: Box::default(),
            json: Box::default(),
            parent,
            slug: Box::default(),
            is_missing: false,
        };
        match self.detail {
            Detail::Json => {
                let mut json = Vec::new();
                json::append(&mut json, self.types.of(table), data, || format!("`{id}`"))?;
                referenced.json = json.into();
            }
            Detail::Names => {
                referenced.name = text_of(data, name_field(table), id)?.into();
                if table == Table::Entitlements {
                    referenced.slug = text_of(data, field::entitlement::SLUG, id)?.into();
                }
            }
        }
        Ok(referenced)
    }
}

impl Projection for Details {
    type Value = Referenced;
    type Error = CliError;

    fn found(&self, table: Table, row: &Row<'_>) -> Result<Referenced, CliError> {
        self.read(table, row.data, row.parent, row.id)
    }

    fn missing(&self, table: Table, type_id: &str, id: &str) -> Result<Referenced, CliError> {
        Ok(Referenced {
            is_missing: true,
            ..self.read(table, &stand_in(table, type_id, id), None, id)?
        })
    }

    fn pack(&self, value: &Referenced, out: &mut Vec<u8>) {
        let (parent_type, parent_id) = value.parent().unwrap_or_default();
        out.push(u8::from(value.parent.is_some()));
        for part in [
            parent_type.as_bytes(),
            parent_id.as_bytes(),
            value.name.as_bytes(),
        ] {
            out.extend_from_slice(&(part.len() as u64).to_le_bytes());
            out.extend_from_slice(part);
        }
        out.extend_from_slice(&value.json);
    }

    /// Only resources are packed: there is no slug.
    fn unpack(&self, bytes: &[u8]) -> Option<Referenced> {
        fn text<'b>(rest: &mut &'b [u8]) -> Option<&'b str> {
            let (len, behind) = rest.split_first_chunk()?;
            let len = usize::try_from(u64::from_le_bytes(*len)).ok()?;
            let (part, behind) = behind.split_at_checked(len)?;
            *rest = behind;
            str::from_utf8(part).ok()
        }
        let (has_parent, mut rest) = bytes.split_first()?;
        let parent = (text(&mut rest)?, text(&mut rest)?);
        Some(Referenced {
            parent: (*has_parent == 1)
                .then(|| Box::new((parent.0.to_owned(), parent.1.to_owned()))),
            name: text(&mut rest)?.into(),
            json: rest.into(),
            slug: Box::default(),
            is_missing: false,
        })
    }
}

/// How many objects were looked up, those that were remembered included.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Asked {
    pub resource_types: u64,
    pub resources: u64,
    pub entitlements: u64,
}

/// All look-ups of one command.
pub(crate) struct Lookups<'s> {
    lookup: Lookup<'s, Details>,
    types: MessageTypes,
    format: Format,
    missing: Missing,
    /// Missing objects are counted: it is the first pass over the rows.
    counts: bool,
    asked: Asked,
}

impl<'s> Lookups<'s> {
    pub fn new(
        snapshot: &Snapshot<'s>,
        types: MessageTypes,
        detail: Detail,
        missing: Missing,
    ) -> Self {
        Self {
            lookup: Lookup::new(snapshot, Details { types, detail }),
            types,
            format: snapshot.file().format(),
            missing,
            counts: true,
            asked: Asked::default(),
        }
    }

    /// How many objects were looked up so far.
    pub fn asked(&self) -> Asked {
        self.asked
    }

    /// The message types of rows.
    pub fn types(&self) -> MessageTypes {
        self.types
    }

    /// The format of the file.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Missing objects are not counted again: all rows were visited.
    pub fn stop_counting(&mut self) {
        self.counts = false;
    }

    /// What was not in the file.
    pub fn into_missing(self) -> Missing {
        self.missing
    }

    fn note(&mut self, referenced: &Referenced, kind: Kind, type_id: &str, id: &str) {
        if referenced.is_missing && self.counts {
            self.missing.add(kind, type_id, id);
        }
    }

    pub fn resource_type(&mut self, id: &str) -> Result<Rc<Referenced>, CliError> {
        if id.is_empty() {
            return Err(CliError::Row {
                what: "resource type id must be set".to_owned(),
            });
        }
        self.asked.resource_types += 1;
        let referenced = self.lookup.resource_type(id)?;
        self.note(&referenced, Kind::ResourceType, "", id);
        Ok(referenced)
    }

    pub fn resource(&mut self, type_id: &str, id: &str) -> Result<Rc<Referenced>, CliError> {
        self.asked.resources += 1;
        let referenced = self.lookup.resource(type_id, id)?;
        self.note(&referenced, Kind::Resource, type_id, id);
        Ok(referenced)
    }

    /// A resource that the command line names: that it is missing has been
    /// reported.
    pub fn asked_for(&mut self, type_id: &str, id: &str) -> Result<Rc<Referenced>, CliError> {
        self.lookup.resource(type_id, id)
    }

    pub fn entitlement(&mut self, id: &str) -> Result<Rc<Referenced>, CliError> {
        if id.is_empty() {
            return Err(CliError::Row {
                what: "entitlement id must be set".to_owned(),
            });
        }
        self.asked.entitlements += 1;
        let referenced = self.lookup.entitlement(id)?;
        self.note(&referenced, Kind::Entitlement, "", id);
        Ok(referenced)
    }
}

/// The name that is shown for a missing resource, as in the Go tool.
pub(crate) fn missing_resource(type_id: &str, id: &str) -> String {
    format!("MISSING RESOURCE ({type_id}:{id})")
}

/// The message that is shown for a missing object, as in the Go tool.
fn stand_in(table: Table, type_id: &str, id: &str) -> Vec<u8> {
    let display_name = |kind: &str, id: &str| format!("MISSING {kind} ({id})");
    match table {
        Table::ResourceTypes => encode::to_vec(&v2::ResourceType {
            id: id.to_owned(),
            display_name: display_name("RESOURCE TYPE", id),
            ..v2::ResourceType::default()
        }),
        Table::Resources => encode::to_vec(&v2::Resource {
            id: Some(v2::ResourceId {
                resource_type: type_id.to_owned(),
                resource: id.to_owned(),
                baton_resource: false,
            }),
            display_name: missing_resource(type_id, id),
            ..v2::Resource::default()
        }),
        Table::Entitlements => encode::to_vec(&v2::Entitlement {
            id: id.to_owned(),
            display_name: display_name("ENTITLEMENT", id),
            ..v2::Entitlement::default()
        }),
        // No row refers to a grant.
        Table::Grants => Vec::new(),
    }
}

/// The field that holds an object's name. Grants have none: their id.
fn name_field(table: Table) -> u32 {
    match table {
        Table::ResourceTypes => field::resource_type::DISPLAY_NAME,
        Table::Resources => field::resource::DISPLAY_NAME,
        Table::Entitlements => field::entitlement::DISPLAY_NAME,
        Table::Grants => field::grant::ID,
    }
}

/// The display name in a row's message.
pub(crate) fn name_of<'r>(table: Table, row: &Row<'r>) -> Result<&'r str, CliError> {
    text_of(row.data, name_field(table), row.id)
}

/// A text field of a stored message.
pub(crate) fn text_of<'a>(data: &'a [u8], field: u32, id: &str) -> Result<&'a str, CliError> {
    wire::last_str(data, field).map_err(|source| CliError::Render {
        what: format!("`{id}`"),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_survives_packing() {
        let details = Details {
            types: MessageTypes::new().expect("compiled in"),
            detail: Detail::Names,
        };
        let parent = Box::new((String::new(), "p".to_owned()));
        for (name, json, parent) in [
            ("", "", None),
            ("name", "", Some(parent.clone())),
            ("", "{\"a\":1}", Some(parent)),
        ] {
            let whole = Referenced {
                name: name.into(),
                json: json.as_bytes().into(),
                parent,
                slug: Box::default(),
                is_missing: false,
            };
            let mut packed = Vec::new();
            details.pack(&whole, &mut packed);
            let read = details.unpack(&packed).expect("packed");
            assert_eq!(format!("{read:?}"), format!("{whole:?}"));
            assert!(details.unpack(&packed[..10]).is_none());
        }
    }
}
