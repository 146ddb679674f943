//! Roles on workspaces, of users and of groups.

use std::sync::Arc;

use async_trait::async_trait;
use baton_connector::resource::{GrantBuilder, ResourceExt as _};
use baton_connector::{Call, Change, Error, Held, Provisioner, Result, Write};
use baton_proto::Code;
use baton_proto::c1::connector::v2;

use super::asked::{self, Principal, grant_id, named, resource_of, role_of};
use super::held::{Holding, held};
use super::refusals::Attempt;
use super::{before, derived, parts, settling, unknown};
use crate::api::{Api, Direction, RoleFilter};
use crate::roles::{ORGANIZATION_ADMIN, role_slug};
use crate::syncers::{Shared, Workspaces};

const RULE: &str = "only users and groups can have a role on a workspace";

/// What ids of the organization and its sites begin with: they are not
/// workspaces.
const PLATFORM: &str = "ari:cloud:platform::";

/// A role that is to be given or taken.
struct Asked<'a> {
    workspace: &'a v2::Resource,
    role: &'a str,
    principal: &'a v2::Resource,
    who: Principal<'a>,
}

impl<'a> Asked<'a> {
    fn of(entitlement: &'a v2::Entitlement, principal: &'a v2::Resource) -> Result<Self> {
        let asked = Self {
            workspace: resource_of(entitlement)?,
            role: role_of(entitlement)?,
            principal,
            who: Principal::of(principal, RULE)?,
        };
        if asked.workspace.id().starts_with(PLATFORM) {
            return Err(asked::foreign(entitlement));
        }
        // The API ignores the resource of this role, and would make the user an
        // admin of the whole organization, or end that.
        if asked.role == ORGANIZATION_ADMIN {
            let text = format!(
                "`{ORGANIZATION_ADMIN}` cannot be changed on workspace {}: it is a role of the \
                 organization",
                named(asked.workspace)
            );
            return Err(Error::stated(Code::InvalidArgument, text)
                .with_hint("name the entitlement of the organization instead"));
        }
        Ok(asked)
    }

    fn filter(&self) -> RoleFilter<'a> {
        RoleFilter {
            role: self.role,
            resource: Some(self.workspace.id()),
        }
    }

    fn grant_id(&self) -> String {
        grant_id(self.workspace, &role_slug(self.role), self.principal)
    }

    fn what(&self) -> String {
        format!("`{}` on {}", self.role, named(self.workspace))
    }

    fn attempt(&self, direction: Direction) -> Attempt {
        let kind = match self.who {
            Principal::User(_) => "user",
            Principal::Group(_) => "group",
        };
        let (who, what) = (named(self.principal), self.what());
        Attempt {
            doing: match direction {
                Direction::Assign => format!("give {kind} {who} the role {what}"),
                Direction::Revoke => format!("take the role {what} from {kind} {who}"),
            },
            product: format!("workspace {}", named(self.workspace)),
            role: Some(self.role.to_owned()),
            ends: direction == Direction::Revoke,
        }
    }

    /// How it is held; `None` if the principal does not exist. With `groups`,
    /// those that give it to a user are named.
    async fn held(&self, api: &Api, groups: bool) -> Result<Option<Held>> {
        let filter = self.filter();
        let items = match self.who {
            Principal::User(id) => api.held_by_user(id, filter).await?,
            Principal::Group(id) => api.held_by_group(id, filter).await?,
        };
        let Some(items) = items else { return Ok(None) };
        let workspace = self.workspace.id();
        let holding = Holding::of(&items, self.role, |item| item.resource_id == workspace);
        let held = match self.who {
            Principal::User(id) => held(api, id, filter, holding, groups).await?,
            // Nothing gives a group a role but itself.
            Principal::Group(_) if holding.present => Held::directly(),
            Principal::Group(_) => Held::No,
        };
        Ok(Some(held))
    }

    /// The write; `None` if the group is gone.
    async fn write(
        &self,
        shared: &Shared,
        api: &Api,
        direction: Direction,
    ) -> Result<Option<Write>> {
        let organization = &shared.organization;
        let attempt = self.attempt(direction);
        let what = (self.role, self.workspace.id());
        let write = match self.who {
            Principal::User(user) => {
                let id = organization.id.clone();
                organization
                    .write_user_role(direction, user, what)?
                    .judged(move |error| attempt.by_support(&id, error))
            }
            Principal::Group(group) => {
                let Some(directory) = super::directory_of(api, self.principal, group).await? else {
                    return Ok(None);
                };
                let write = organization.write_group_role(direction, (&directory, group), what)?;
                let organization = Arc::clone(organization);
                let place = (directory, group.to_owned());
                write.judged_by_reading(move |call, error| {
                    let (organization, place) = (Arc::clone(&organization), place.clone());
                    let attempt = attempt.clone();
                    async move {
                        let place = (place.0.as_str(), place.1.as_str());
                        attempt.on_group(&organization, place, call, error).await
                    }
                })
            }
        };
        Ok(Some(write.noticed(
            shared.recent.noting(&self.grant_id(), direction),
        )))
    }

    fn unknown(&self) -> Error {
        match self.who {
            Principal::User(id) => unknown("user", id),
            Principal::Group(id) => unknown("group", id),
        }
    }
}

#[async_trait]
impl Provisioner for Workspaces {
    async fn grant(
        &self,
        call: &Call,
        entitlement: &v2::Entitlement,
        principal: &v2::Resource,
    ) -> Result<Change> {
        let asked = Asked::of(entitlement, principal)?;
        let api = self.0.organization.on(call);
        let held = asked.held(&api, false).await?;
        let held = held.ok_or_else(|| asked.unknown())?;
        let unsettled = self.0.recent.until(&asked.grant_id(), Direction::Assign);
        let held = before(held, Direction::Assign, unsettled);
        let workspace = asked::by_id(asked.workspace);
        let grant = GrantBuilder::new(workspace, role_slug(asked.role), principal).build()?;
        let is_done = held.is_direct();
        let change = Change::grant(grant, held);
        if is_done {
            return Ok(change);
        }
        let write = asked.write(&self.0, &api, Direction::Assign).await?;
        let change = change.write(write.ok_or_else(|| asked.unknown())?);
        Ok(settling(
            change,
            Direction::Assign,
            unsettled,
            self.clone(),
            (entitlement, principal),
        ))
    }

    async fn revoke(&self, call: &Call, grant: &v2::Grant) -> Result<Change> {
        let (entitlement, principal) = parts(grant)?;
        let asked = Asked::of(entitlement, principal)?;
        let api = self.0.organization.on(call);
        let held = asked.held(&api, true).await?.unwrap_or(Held::No);
        let unsettled = self.0.recent.until(&asked.grant_id(), Direction::Revoke);
        let held = before(held, Direction::Revoke, unsettled);
        if let (Held::Indirectly { through }, Principal::User(id)) = (&held, asked.who)
            && through.is_empty()
        {
            return Err(derived(id, &asked.what()));
        }
        let is_direct = held.is_direct();
        let change = Change::revoke(asked.grant_id(), held);
        if !is_direct {
            return Ok(change);
        }
        let Some(write) = asked.write(&self.0, &api, Direction::Revoke).await? else {
            return Ok(Change::revoke(asked.grant_id(), Held::No));
        };
        let change = change.write(write);
        Ok(settling(
            change,
            Direction::Revoke,
            unsettled,
            self.clone(),
            (entitlement, principal),
        ))
    }

    async fn holds(
        &self,
        call: &Call,
        entitlement: &v2::Entitlement,
        principal: &v2::Resource,
    ) -> Result<Held> {
        let asked = Asked::of(entitlement, principal)?;
        let api = self.0.organization.on(call);
        Ok(asked.held(&api, false).await?.unwrap_or(Held::No))
    }
}
