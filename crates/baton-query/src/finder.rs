//! Rows of one sync, by id or by name.
//!
//! An id is found by key, and wins over a name. What no object has as its id
//! is searched for as a name, in one pass over the rows. Nothing is decoded
//! but names.

use std::ops::ControlFlow;
use std::path::Path;

use baton_c1z::{Error as FileError, Filter, Lookup, OwnedRow, Projection, Row, Snapshot, Table};
use baton_proto::field::c1::connector::v2 as field;
use baton_proto::wire;

use crate::error::{Error, Kind, NotFound, Result};
use crate::names::{EntitlementNames, NoNames, ResourceNames, TypeNames};
use crate::nearest::Nearest;
use crate::search::{Outcome, Search};

/// Resource types that are tried for an id.
const MAX_TYPES: usize = 256;
/// Resource types that an error lists if none is near to the one given.
const MAX_LISTED_TYPES: usize = 5;

/// Finds rows of one sync.
#[derive(Debug, Clone, Copy)]
pub struct Finder<'f> {
    snapshot: Snapshot<'f>,
    path: &'f Path,
}

impl<'f> Finder<'f> {
    /// Finds rows of `snapshot`; errors name the file `path`.
    pub fn new(snapshot: &Snapshot<'f>, path: &'f Path) -> Self {
        Self {
            snapshot: *snapshot,
            path,
        }
    }

    /// The resource type with this id; it has no other name.
    ///
    /// # Errors
    /// [`Error::NotFound`], with near matches among ids and display names.
    pub fn resource_type(&self, id: &str) -> Result<OwnedRow> {
        check_given(id, "the id of the resource type")?;
        if let Some(row) = self.only(Table::ResourceTypes, id)? {
            return Ok(row);
        }
        let names = |row: &Row<'_>, search: &mut Search<'_>| {
            search.see(row, row.id, &TypeNames::read(row)?);
            Ok(())
        };
        self.search(Table::ResourceTypes, None, id, Kind::ResourceType, names)
    }

    /// The entitlement with this id; if there is none, the only one with this
    /// name: its display name, or its slug or display name behind the id or
    /// the display name of its resource and a colon (`jira-users:member`).
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Ambiguous`].
    pub fn entitlement(&self, id_or_name: &str) -> Result<OwnedRow> {
        check_given(id_or_name, "the id of the entitlement")?;
        match self.only(Table::Entitlements, id_or_name)? {
            Some(row) => Ok(row),
            None => self.search_entitlements(id_or_name),
        }
    }

    /// The resource of this type with this id; if there is none, the only one
    /// of the type with this name: its display name, or an e-mail address or a
    /// login of a user.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::NoSuchType`], [`Error::Ambiguous`].
    pub fn resource(&self, type_id: &str, id_or_name: &str) -> Result<OwnedRow> {
        check_given(type_id, "the type of the resource")?;
        check_given(id_or_name, "the id of the resource")?;
        let found = self.snapshot.get_only_resource(type_id, id_or_name);
        match unless_several(found)? {
            Some(row) => Ok(row),
            None => self.search_resources(type_id, id_or_name),
        }
    }

    /// The resource of any type with this id, alone or behind its type and a
    /// colon (`user:u1`); if there is none, the only one with this name.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Ambiguous`].
    pub fn any_resource(&self, id_or_name: &str) -> Result<OwnedRow> {
        check_given(id_or_name, "the id of the resource")?;
        if let Some(row) = self.only_of_any_type(id_or_name)? {
            return Ok(row);
        }
        let names = |row: &Row<'_>, search: &mut Search<'_>| {
            search.see_resource(row, &ResourceNames::read(row)?);
            Ok(())
        };
        self.search(Table::Resources, None, id_or_name, Kind::AnyResource, names)
    }

    /// The grant with this id. Grants have no names.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Ambiguous`].
    pub fn grant(&self, id: &str) -> Result<OwnedRow> {
        check_given(id, "the id of the grant")?;
        if let Some(row) = self.only(Table::Grants, id)? {
            return Ok(row);
        }
        let names = |row: &Row<'_>, search: &mut Search<'_>| {
            search.see(row, row.id, &NoNames);
            Ok(())
        };
        self.search(Table::Grants, None, id, Kind::Grant, names)
    }

    /// The row with this id; `None` also if there are several, which a search
    /// will list.
    fn only(&self, table: Table, id: &str) -> Result<Option<OwnedRow>> {
        unless_several(self.snapshot.get_only(table, id))
    }

    /// By key; `None` also if there are several, or more types than are tried.
    fn only_of_any_type(&self, id: &str) -> Result<Option<OwnedRow>> {
        let types = self.types()?;
        if types.len() == MAX_TYPES {
            return Ok(None);
        }
        let whole = types.iter().map(|type_id| (type_id.as_str(), id));
        let behind_type = id.match_indices(':').map(|(at, _)| {
            let (type_id, behind) = id.split_at(at);
            (type_id, behind.get(1..).unwrap_or_default())
        });
        let mut found: Option<OwnedRow> = None;
        for (type_id, id) in whole.chain(behind_type.take(MAX_TYPES)) {
            let row = match self.snapshot.get_only_resource(type_id, id) {
                Err(FileError::DuplicateId { .. }) => return Ok(None),
                row => row?,
            };
            match (&found, row) {
                (Some(first), Some(row)) if *first != row => return Ok(None),
                (None, Some(row)) => found = Some(row),
                _ => {}
            }
        }
        Ok(found)
    }

    /// The first types.
    fn types(&self) -> Result<Vec<String>> {
        let mut types = Vec::new();
        self.snapshot
            .scan(Table::ResourceTypes, &Filter::default(), &mut |row| {
                types.push(row.id.to_owned());
                Ok(if types.len() < MAX_TYPES {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                })
            })?;
        Ok(types)
    }

    /// One pass over the rows of a table, of one resource type or of all;
    /// `see` gives each row with its names to the search.
    fn search(
        &self,
        table: Table,
        type_id: Option<&str>,
        wanted: &str,
        kind: Kind,
        see: impl FnMut(&Row<'_>, &mut Search<'_>) -> baton_proto::Result<()>,
    ) -> Result<OwnedRow> {
        let search = self.searched(table, type_id, wanted, see)?;
        the_only(search.end(self.path, kind))
    }

    fn searched<'w>(
        &self,
        table: Table,
        type_id: Option<&str>,
        wanted: &'w str,
        mut see: impl FnMut(&Row<'_>, &mut Search<'_>) -> baton_proto::Result<()>,
    ) -> Result<Search<'w>> {
        let mut search = Search::new(wanted);
        let filter = Filter {
            resource_type_id: type_id,
            ..Filter::default()
        };
        self.snapshot.scan(table, &filter, &mut |row| {
            see(row, &mut search).map_err(|_| malformed(self.path, table, row))?;
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(search)
    }

    fn search_entitlements(&self, wanted: &str) -> Result<OwnedRow> {
        let mut search = Search::new(wanted);
        let mut resources = Lookup::new(&self.snapshot, ResourceName { path: self.path });
        let all = Filter::default();
        self.snapshot.scan(Table::Entitlements, &all, &mut |row| {
            let resource = resources.resource(row.resource_type_id, row.resource_id)?;
            let names = EntitlementNames::read(row, &resource);
            let names = names.map_err(|_| malformed(self.path, Table::Entitlements, row))?;
            search.see(row, row.id, &names);
            Ok(ControlFlow::Continue(()))
        })?;
        the_only(search.end(self.path, Kind::Entitlement))
    }

    fn search_resources(&self, type_id: &str, wanted: &str) -> Result<OwnedRow> {
        let search = self.searched(Table::Resources, Some(type_id), wanted, |row, search| {
            search.see(row, row.resource_id, &ResourceNames::read(row)?);
            Ok(())
        })?;
        let saw_rows = search.saw_rows();
        match search.end(self.path, Kind::Resource(type_id.to_owned())) {
            Outcome::None(not_found) => Err(self.no_resource(type_id, not_found, saw_rows)?),
            outcome => the_only(outcome),
        }
    }

    /// Why there is no such resource: its type, or the type that was given.
    fn no_resource(&self, type_id: &str, mut not_found: NotFound, saw_rows: bool) -> Result<Error> {
        let mut nearest = Nearest::new(type_id);
        let mut types = self.types()?;
        for other in &types {
            if let Some(nearness) = nearest.measure(other) {
                nearest.keep(nearness, other.clone());
            }
        }
        let is_type = saw_rows || types.iter().any(|other| other == type_id);
        if !is_type && self.snapshot.get(Table::ResourceTypes, type_id)?.is_none() {
            let near = nearest.into_items();
            types.truncate(MAX_LISTED_TYPES);
            return Ok(Error::NoSuchType {
                path: self.path.to_owned(),
                type_id: type_id.to_owned(),
                types: if near.is_empty() { types } else { near },
            });
        }
        for other in types.into_iter().filter(|other| other != type_id) {
            let row = self.snapshot.get_resource(&other, &not_found.wanted)?;
            if row.is_some() {
                not_found.other_types.push(other);
            }
        }
        Ok(Error::NotFound(Box::new(not_found)))
    }
}

/// Keeps the display names of resources.
struct ResourceName<'f> {
    path: &'f Path,
}

impl Projection for ResourceName<'_> {
    type Value = Box<str>;
    type Error = FileError;

    fn found(&self, table: Table, row: &Row<'_>) -> baton_c1z::Result<Box<str>> {
        match wire::last_str(row.data, field::resource::DISPLAY_NAME) {
            Ok(name) => Ok(name.into()),
            Err(_) => Err(malformed(self.path, table, row)),
        }
    }

    fn missing(&self, _: Table, _: &str, _: &str) -> baton_c1z::Result<Box<str>> {
        Ok(Box::default())
    }

    fn pack(&self, name: &Box<str>, out: &mut Vec<u8>) {
        out.extend_from_slice(name.as_bytes());
    }

    fn unpack(&self, bytes: &[u8]) -> Option<Box<str>> {
        Some(wire::text(bytes).ok()?.into())
    }
}

pub(crate) fn malformed(path: &Path, table: Table, row: &Row<'_>) -> FileError {
    FileError::Row {
        path: path.to_owned(),
        table,
        id: row.id.to_owned(),
        reason: "its content is no protobuf message",
    }
}

pub(crate) fn check_given(text: &str, what: &'static str) -> Result<()> {
    if text.is_empty() {
        return Err(Error::Empty { what });
    }
    Ok(())
}

/// The row, or `None` if there is none or more than one.
fn unless_several(found: baton_c1z::Result<Option<OwnedRow>>) -> Result<Option<OwnedRow>> {
    match found {
        Err(FileError::DuplicateId { .. }) => Ok(None),
        found => Ok(found?),
    }
}

pub(crate) fn the_only(outcome: Outcome) -> Result<OwnedRow> {
    match outcome {
        Outcome::Only(row) => Ok(row),
        Outcome::Several(ambiguous) => Err(Error::Ambiguous(Box::new(ambiguous))),
        Outcome::None(not_found) => Err(Error::NotFound(Box::new(not_found))),
    }
}
