//! Entitlements, principals and grants, by id or by name, with the stored
//! objects that they refer to.

use std::ops::ControlFlow;

use baton_c1z::{Error as FileError, Filter, OwnedRow, Table};
use baton_proto::any;
use baton_proto::c1::connector::v2;
use prost::{Message, Name};
use prost_types::Any;

use crate::error::{Dangling, Error, Kind, Result};
use crate::file::SyncFile;
use crate::finder::{Finder, check_given, malformed, the_only};
use crate::names::NoNames;
use crate::search::{Outcome, Search};

impl SyncFile {
    fn finder(&self) -> Result<Finder<'_>> {
        Ok(Finder::new(&self.snapshot()?, self.path()))
    }

    /// The entitlement with this id; if there is none, the only one with this
    /// name: its display name, or its slug or display name behind the id or
    /// the display name of its resource and a colon (`jira-users:member`).
    /// Its resource is the stored one.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Ambiguous`]; [`Error::Dangling`] if its
    /// resource is not in the file.
    pub fn entitlement(&self, id_or_name: &str) -> Result<v2::Entitlement> {
        let row = self.finder()?.entitlement(id_or_name)?;
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
        let row = self.finder()?.resource(type_id, id_or_name)?;
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
        let row = self.finder()?.grant(id)?;
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

fn resource_kind(type_id: &str) -> Kind {
    Kind::Resource(type_id.to_owned())
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
