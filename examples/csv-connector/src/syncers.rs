//! One syncer per resource type: what there is, what can be held, who holds
//! it.

use std::sync::Arc;

use baton_connector::paging::slice;
use baton_connector::resource::{
    EntitlementBuilder, EntitlementId, GrantBuilder, Profile, ResourceBuilder, ResourceExt as _,
    ResourceTypeBuilder, RoleTraitBuilder, Status, UserTraitBuilder, resource_id,
};
use baton_connector::v2::resource_type::Trait;
use baton_connector::{
    AccountField, AccountSchema, Call, CredentialKinds, Error, Page, ResourceSyncer, Result,
    TypeSpec, Types, async_trait, v2,
};

use crate::actions::SetActive;
use crate::folder::{Kind, Link, Row, User};
use crate::tables::Tables;
use crate::tickets::Tickets;

fn resource_type(kind: Kind) -> Result<v2::ResourceType> {
    let built = match kind {
        Kind::User => ResourceTypeBuilder::new("user", "User")
            .with_trait(Trait::User)
            .skip_entitlements_and_grants(),
        Kind::Group => ResourceTypeBuilder::new("group", "Group").with_trait(Trait::Group),
        Kind::Role => ResourceTypeBuilder::new("role", "Role").with_trait(Trait::Role),
    };
    built.build()
}

/// The types, and how each is served of a folder.
pub(crate) fn types() -> Result<Types<Arc<Tables>>> {
    let collections = |kind| {
        let made = move |tables: &Arc<Tables>| Collections::new(kind, tables);
        Ok::<_, Error>(TypeSpec::new(resource_type(kind)?, made).provisioner())
    };
    let users = TypeSpec::new(resource_type(Kind::User)?, |tables: &Arc<Tables>| {
        Ok(Users(Arc::clone(tables)))
    });
    let kinds = CredentialKinds::random_password();
    let users = users
        .account_manager(account_schema(), kinds.clone().or_no_password())
        .credential_manager(kinds)
        .deleter();
    let types = Types::new()
        .with(users)
        .tickets(|tables: &Arc<Tables>| Ok(Tickets(Arc::clone(tables))));
    let types = [false, true].into_iter().fold(types, |types, active| {
        types.action(SetActive::schema(active), move |tables: &Arc<Tables>| {
            Ok(SetActive::new(tables, active))
        })
    });
    Ok(types
        .with(collections(Kind::Group)?)
        .with(collections(Kind::Role)?))
}

/// What a user is made of.
fn account_schema() -> AccountSchema {
    AccountSchema::new()
        .field(AccountField::text("id", "Id").required().or_login())
        .field(AccountField::text("name", "Name"))
        .field(
            AccountField::address("email", "E-mail")
                .required()
                .or_email(),
        )
}

/// Users hold things and have nothing to hold.
pub(crate) struct Users(pub(crate) Arc<Tables>);

pub(crate) fn user(row: &Row<User>) -> Result<v2::Resource> {
    let User {
        id,
        name,
        email,
        active,
        ..
    } = &row.fields;
    let status = if *active {
        Status::Enabled
    } else {
        Status::Disabled
    };
    ResourceBuilder::new(Kind::User.word(), id)
        .display_name(name)
        .profile(Profile::new().text("email", email))
        .user(
            UserTraitBuilder::new()
                .primary_email(email)
                .login(id)
                .status(status, ""),
        )
        .build()
}

#[async_trait]
impl ResourceSyncer for Users {
    async fn list(
        &self,
        call: &Call,
        _parent: Option<&v2::ResourceId>,
    ) -> Result<Page<v2::Resource>> {
        slice("users", call, &self.0.of(call)?.users, user)
    }
}

/// Groups and roles differ in names and in who can be inside.
pub(crate) struct Collections {
    pub(crate) kind: Kind,
    pub(crate) tables: Arc<Tables>,
    /// Types of those who can hold one.
    holders: Vec<v2::ResourceType>,
}

/// What one holds of a group or a role.
pub(crate) fn slug(kind: Kind) -> &'static str {
    match kind {
        Kind::Role => "assigned",
        Kind::User | Kind::Group => "member",
    }
}

/// Who can be in one.
pub(crate) fn holders(kind: Kind) -> &'static [Kind] {
    match kind {
        Kind::Role => &[Kind::User, Kind::Group, Kind::Role],
        Kind::User | Kind::Group => &[Kind::User, Kind::Group],
    }
}

impl Collections {
    fn new(kind: Kind, tables: &Arc<Tables>) -> Result<Self> {
        Ok(Self {
            kind,
            tables: Arc::clone(tables),
            holders: holders(kind)
                .iter()
                .copied()
                .map(resource_type)
                .collect::<Result<_>>()?,
        })
    }

    pub(crate) fn grant_of(&self, resource: &v2::Resource, link: &Link) -> Result<v2::Grant> {
        let principal = resource_id(link.kind.word(), &link.id);
        let grant = GrantBuilder::new(resource, slug(self.kind), &principal);
        match link.kind {
            Kind::User => grant,
            // Members of the inner one are members of this one, too.
            inner => grant.expandable([EntitlementId::of(&principal, slug(inner))]),
        }
        .build()
    }
}

#[async_trait]
impl ResourceSyncer for Collections {
    async fn list(
        &self,
        call: &Call,
        _parent: Option<&v2::ResourceId>,
    ) -> Result<Page<v2::Resource>> {
        let list = format!("{}s", self.kind.word());
        let folder = self.tables.of(call)?;
        let table = match self.kind {
            Kind::Role => &folder.roles,
            Kind::User | Kind::Group => &folder.groups,
        };
        slice(&list, call, &table.rows, |row| {
            let resource = ResourceBuilder::new(self.kind.word(), &row.fields.id)
                .display_name(&row.fields.name)
                .description(&row.fields.description);
            match self.kind {
                Kind::Role => resource.role(RoleTraitBuilder::new()),
                Kind::User | Kind::Group => resource.group(),
            }
            .build()
        })
    }

    async fn entitlements(
        &self,
        _call: &Call,
        resource: &v2::Resource,
    ) -> Result<Page<v2::Entitlement>> {
        let name = format!("{} {}", resource.display_name, slug(self.kind));
        let held = EntitlementBuilder::assignment(resource, slug(self.kind))
            .display_name(name)
            .grantable_to(&self.holders)
            .build()?;
        Ok(Page::last(vec![held]))
    }

    async fn grants(&self, call: &Call, resource: &v2::Resource) -> Result<Page<v2::Grant>> {
        let id = resource.id();
        let list = format!("{} `{id}`", self.kind.word());
        let folder = self.tables.of(call)?;
        slice(&list, call, folder.links(self.kind, id), |link| {
            self.grant_of(resource, &link.fields)
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]
    use super::*;

    #[test]
    fn only_nested_members_make_a_grant_expandable() {
        let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/sample");
        let tables = Arc::new(Tables::new(sample.as_ref()));
        let roles = Collections::new(Kind::Role, &tables).unwrap();
        let admin = ResourceBuilder::new("role", "admin").build().unwrap();
        let grant = |kind| {
            let link = Link {
                to: "admin".to_owned(),
                kind,
                id: "x".to_owned(),
            };
            roles.grant_of(&admin, &link).unwrap()
        };
        assert!(grant(Kind::User).annotations.is_empty());
        for (kind, source) in [
            (Kind::Group, "group:x:member"),
            (Kind::Role, "role:x:assigned"),
        ] {
            let expected = GrantBuilder::new(&admin, "assigned", resource_id(kind.word(), "x"))
                .annotation(&v2::GrantExpandable {
                    entitlement_ids: vec![source.to_owned()],
                    ..v2::GrantExpandable::default()
                });
            assert_eq!(grant(kind), expected.build().unwrap());
        }
    }
}
