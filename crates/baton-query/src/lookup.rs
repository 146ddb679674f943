//! Entitlements, principals and grants, by id or by name, with the stored
//! objects that they refer to.

use std::ops::ControlFlow;
use std::path::Path;

use baton_c1z::{Error as FileError, Filter, Lookup, OwnedRow, Projection, Row, Table};
use baton_proto::c1::connector::v2;
use baton_proto::field::c1::connector::v2 as field;
use baton_proto::{any, wire};
use prost::{Message, Name};
use prost_types::Any;

use crate::error::{Dangling, Error, Kind, NotFound, Result};
use crate::file::SyncFile;
use crate::names::{EntitlementNames, NoNames, ResourceNames};
use crate::nearest::Nearest;
use crate::search::{Outcome, Search};

/// Resource types that are tried for an id that was looked up in another one.
const MAX_OTHER_TYPES: usize = 256;
/// Resource types that an error lists if none is near to the one given.
const MAX_LISTED_TYPES: usize = 5;

impl SyncFile {
    /// The entitlement with this id; if there is none, the only one with this
    /// name: its display name, or its slug or display name behind the id or
    /// the display name of its resource and a colon (`jira-users:member`).
    /// Its resource is the stored one.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Ambiguous`]; [`Error::Dangling`] if its
    /// resource is not in the file.
    pub fn entitlement(&self, id_or_name: &str) -> Result<v2::Entitlement> {
        check_given(id_or_name, "the id of the entitlement")?;
        let row = match self.only(Table::Entitlements, id_or_name)? {
            Some(row) => row,
            None => self.search_entitlements(id_or_name)?,
        };
        self.whole_entitlement(&row)
    }

    /// As [`SyncFile::entitlement`], to be granted.
    ///
    /// # Errors
    /// Also [`Error::ExternalGrant`].
    pub fn entitlement_to_grant(&self, id_or_name: &str) -> Result<v2::Entitlement> {
        let entitlement = self.entitlement(id_or_name)?;
        if is_on_external(&entitlement) {
            return Err(Error::ExternalGrant);
        }
        Ok(entitlement)
    }

    /// The resource of this type with this id; if there is none, the only one
    /// of the type with this name: its display name, or an e-mail address or a
    /// login of a user.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::NoSuchType`], [`Error::Ambiguous`].
    pub fn principal(&self, type_id: &str, id_or_name: &str) -> Result<v2::Resource> {
        check_given(type_id, "the resource type of the principal")?;
        check_given(id_or_name, "the id of the principal")?;
        let row = match self.only_resource(type_id, id_or_name)? {
            Some(row) => row,
            None => self.search_resources(type_id, id_or_name)?,
        };
        self.decoded(Table::Resources, &row)
    }

    /// The grant with this id: its annotations as they are stored, its
    /// entitlement and principal from their own rows. Without sources, which
    /// record how the grant was derived.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Ambiguous`]; [`Error::Dangling`] if its
    /// entitlement, that one's resource or the principal are not in the file.
    pub fn grant(&self, id: &str) -> Result<v2::Grant> {
        check_given(id, "the id of the grant")?;
        let row = match self.only(Table::Grants, id)? {
            Some(row) => row,
            None => self.search_grants(id)?,
        };
        self.whole_grant(&row)
    }

    /// As [`SyncFile::grant`], to be revoked.
    ///
    /// # Errors
    /// Also [`Error::ExternalRevoke`].
    pub fn grant_to_revoke(&self, id: &str) -> Result<v2::Grant> {
        let grant = self.grant(id)?;
        if grant.entitlement.as_ref().is_some_and(is_on_external) {
            return Err(Error::ExternalRevoke);
        }
        Ok(grant)
    }

    /// The row with this id; `None` also if there are several, which a search
    /// will list.
    fn only(&self, table: Table, id: &str) -> Result<Option<OwnedRow>> {
        unless_several(self.snapshot()?.get_only(table, id))
    }

    fn only_resource(&self, type_id: &str, id: &str) -> Result<Option<OwnedRow>> {
        unless_several(self.snapshot()?.get_only_resource(type_id, id))
    }

    fn search_entitlements(&self, wanted: &str) -> Result<OwnedRow> {
        let snapshot = self.snapshot()?;
        let mut search = Search::new(wanted);
        let mut resources = Lookup::new(&snapshot, ResourceName { path: self.path() });
        let all = Filter::default();
        snapshot.scan(Table::Entitlements, &all, &mut |row| {
            let resource = resources.resource(row.resource_type_id, row.resource_id)?;
            let names = EntitlementNames::read(row, &resource);
            let names = names.map_err(|_| malformed(self.path(), Table::Entitlements, row))?;
            search.see(row, row.id, &names);
            Ok(ControlFlow::Continue(()))
        })?;
        the_only(search.end(self.path(), Kind::Entitlement))
    }

    fn search_resources(&self, type_id: &str, wanted: &str) -> Result<OwnedRow> {
        let mut search = Search::new(wanted);
        let filter = Filter {
            resource_type_id: Some(type_id),
            ..Filter::default()
        };
        self.snapshot()?
            .scan(Table::Resources, &filter, &mut |row| {
                let names = ResourceNames::read(row);
                let names = names.map_err(|_| malformed(self.path(), Table::Resources, row))?;
                search.see(row, row.resource_id, &names);
                Ok(ControlFlow::Continue(()))
            })?;
        let saw_rows = search.saw_rows();
        match search.end(self.path(), Kind::Resource(type_id.to_owned())) {
            Outcome::None(not_found) => Err(self.no_resource(type_id, not_found, saw_rows)?),
            outcome => the_only(outcome),
        }
    }

    /// Why there is no such resource: its type, or the type that was given.
    fn no_resource(&self, type_id: &str, mut not_found: NotFound, saw_rows: bool) -> Result<Error> {
        let snapshot = self.snapshot()?;
        let mut nearest = Nearest::new(type_id);
        let mut types = Vec::new();
        let mut is_type = saw_rows;
        snapshot.scan(Table::ResourceTypes, &Filter::default(), &mut |row| {
            is_type |= row.id == type_id;
            if let Some(nearness) = nearest.measure(row.id) {
                nearest.keep(nearness, row.id.to_owned());
            }
            if types.len() < MAX_OTHER_TYPES {
                types.push(row.id.to_owned());
            }
            Ok(ControlFlow::Continue(()))
        })?;
        if !is_type {
            let near = nearest.into_items();
            types.truncate(MAX_LISTED_TYPES);
            return Ok(Error::NoSuchType {
                path: self.path().to_owned(),
                type_id: type_id.to_owned(),
                types: if near.is_empty() { types } else { near },
            });
        }
        for other in types.into_iter().filter(|other| other != type_id) {
            if snapshot.get_resource(&other, &not_found.wanted)?.is_some() {
                not_found.other_types.push(other);
            }
        }
        Ok(Error::NotFound(Box::new(not_found)))
    }

    fn search_grants(&self, wanted: &str) -> Result<OwnedRow> {
        let mut search = Search::new(wanted);
        self.snapshot()?
            .scan(Table::Grants, &Filter::default(), &mut |row| {
                search.see(row, row.id, &NoNames);
                Ok(ControlFlow::Continue(()))
            })?;
        the_only(search.end(self.path(), Kind::Grant))
    }

    fn whole_entitlement(&self, row: &OwnedRow) -> Result<v2::Entitlement> {
        let mut entitlement: v2::Entitlement = self.decoded(Table::Entitlements, row)?;
        let (type_id, id) = (&row.resource_type_id, &row.resource_id);
        let resource = self.stored_resource(type_id, id)?;
        let resource = resource
            .ok_or_else(|| self.dangling(Kind::Entitlement, row, resource_kind(type_id), id))?;
        entitlement.resource = Some(resource);
        let snapshot = self.snapshot()?;
        for grantable in &mut entitlement.grantable_to {
            if let Some(row) = snapshot.get(Table::ResourceTypes, &grantable.id)? {
                *grantable = self.decoded(Table::ResourceTypes, &row)?;
            }
        }
        Ok(entitlement)
    }

    fn whole_grant(&self, row: &OwnedRow) -> Result<v2::Grant> {
        let stored: v2::Grant = self.decoded(Table::Grants, row)?;
        let entitlement = self.granted_entitlement(row)?.ok_or_else(|| {
            self.dangling(Kind::Grant, row, Kind::Entitlement, &row.entitlement_id)
        })?;
        let (type_id, id) = (&row.principal_type_id, &row.principal_id);
        let principal = self.stored_resource(type_id, id)?;
        let principal =
            principal.ok_or_else(|| self.dangling(Kind::Grant, row, resource_kind(type_id), id))?;
        let mut annotations = stored.annotations;
        if let Some(expansion) = &row.expansion {
            annotations.push(Any {
                type_url: [any::TYPE_URL_PREFIX, &v2::GrantExpandable::full_name()].concat(),
                value: expansion.clone(),
            });
        }
        Ok(v2::Grant {
            id: row.id.clone(),
            entitlement: Some(self.whole_entitlement(&entitlement)?),
            principal: Some(principal),
            annotations,
            ..v2::Grant::default()
        })
    }

    /// The row of the entitlement that a grant is of. Where several have its
    /// id, which format v3 allows, it is the one on the grant's resource.
    fn granted_entitlement(&self, grant: &OwnedRow) -> Result<Option<OwnedRow>> {
        let snapshot = self.snapshot()?;
        match snapshot.get_only(Table::Entitlements, &grant.entitlement_id) {
            Err(FileError::DuplicateId { .. }) => {}
            found => return Ok(found?),
        }
        let mut search = Search::new(&grant.entitlement_id);
        let filter = Filter {
            resource: Some((&grant.resource_type_id, &grant.resource_id)),
            ..Filter::default()
        };
        snapshot.scan(Table::Entitlements, &filter, &mut |row| {
            search.see(row, row.id, &NoNames);
            Ok(ControlFlow::Continue(()))
        })?;
        match search.end(self.path(), Kind::Entitlement) {
            Outcome::None(_) => Ok(None),
            outcome => the_only(outcome).map(Some),
        }
    }

    fn stored_resource(&self, type_id: &str, id: &str) -> Result<Option<v2::Resource>> {
        let row = self.snapshot()?.get_only_resource(type_id, id)?;
        row.map(|row| self.decoded(Table::Resources, &row))
            .transpose()
    }

    fn decoded<M: Message + Default>(&self, table: Table, row: &OwnedRow) -> Result<M> {
        M::decode(row.data.as_slice())
            .map_err(|_| malformed(self.path(), table, &row.as_row()).into())
    }

    fn dangling(&self, kind: Kind, row: &OwnedRow, missing: Kind, missing_id: &str) -> Error {
        Error::Dangling(Box::new(Dangling {
            path: self.path().to_owned(),
            kind,
            id: row.id.clone(),
            missing,
            missing_id: missing_id.to_owned(),
        }))
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

fn malformed(path: &Path, table: Table, row: &Row<'_>) -> FileError {
    FileError::Row {
        path: path.to_owned(),
        table,
        id: row.id.to_owned(),
        reason: "its content is no protobuf message",
    }
}

fn resource_kind(type_id: &str) -> Kind {
    Kind::Resource(type_id.to_owned())
}

fn check_given(text: &str, what: &'static str) -> Result<()> {
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

fn the_only(outcome: Outcome) -> Result<OwnedRow> {
    match outcome {
        Outcome::Only(row) => Ok(row),
        Outcome::Several(ambiguous) => Err(Error::Ambiguous(Box::new(ambiguous))),
        Outcome::None(not_found) => Err(Error::NotFound(Box::new(not_found))),
    }
}

/// The entitlement's resource was copied from another connector's file.
fn is_on_external(entitlement: &v2::Entitlement) -> bool {
    let annotations = entitlement
        .resource
        .iter()
        .map(|resource| &resource.annotations);
    annotations
        .into_iter()
        .any(|list| any::contains::<v2::BatonId>(list))
}
