//! Members of groups.

use std::sync::Arc;

use async_trait::async_trait;
use baton_connector::resource::{GrantBuilder, ResourceExt as _};
use baton_connector::{Call, Change, Held, Provisioner, Result, Write};
use baton_proto::c1::connector::v2;

use super::admins::OrganizationAdmins;
use super::asked::{self, Principal, grant_id, named, profile_text, resource_of, slug_of};
use super::refusals::{Attempt, managed};
use super::{before, parts, settling, unknown};
use crate::api::{Direction, models};
use crate::mapping::{self, MEMBER, profile_keys};
use crate::syncers::{Groups, Shared};

const RULE: &str = "only users can be members of a group";

/// A membership that is to begin or to end.
struct Membership<'a> {
    group: &'a v2::Resource,
    principal: &'a v2::Resource,
    user: &'a str,
}

impl<'a> Membership<'a> {
    fn of(entitlement: &'a v2::Entitlement, principal: &'a v2::Resource) -> Result<Self> {
        if slug_of(entitlement)? != MEMBER {
            return Err(asked::foreign(entitlement));
        }
        Ok(Self {
            group: resource_of(entitlement)?,
            user: Principal::user(principal, RULE)?,
            principal,
        })
    }

    fn grant_id(&self) -> String {
        grant_id(self.group, MEMBER, self.principal)
    }

    fn attempt(&self, direction: Direction) -> Attempt {
        let (who, group) = (named(self.principal), named(self.group));
        Attempt {
            doing: match direction {
                Direction::Assign => format!("add user {who} to group {group}"),
                Direction::Revoke => format!("remove user {who} from group {group}"),
            },
            product: format!("a product that group {group} gives"),
            role: None,
            ends: direction == Direction::Revoke,
        }
    }

    fn write(&self, shared: &Shared, direction: Direction, directory: &str) -> Result<Write> {
        let organization = &shared.organization;
        let group = self.group.id();
        let write = organization.write_membership(direction, (directory, group), self.user)?;
        let organization = Arc::clone(organization);
        let place = (directory.to_owned(), group.to_owned());
        let attempt = self.attempt(direction);
        let write = write.judged_by_reading(move |call, error| {
            let (organization, place) = (Arc::clone(&organization), place.clone());
            let attempt = attempt.clone();
            async move {
                let place = (place.0.as_str(), place.1.as_str());
                attempt.on_group(&organization, place, call, error).await
            }
        });
        Ok(write.noticed(shared.recent.noting(&self.grant_id(), direction)))
    }
}

/// Whether the file knows that an identity provider fills the group.
fn refuse_managed(group: &v2::Resource, attempt: &Attempt) -> Result<()> {
    if mapping::is_stored_as_managed_elsewhere(group) {
        return Err(managed(&attempt.doing, None));
    }
    Ok(())
}

fn held(row: Option<&models::Group>) -> Held {
    row.map_or(Held::No, |_| Held::directly())
}

#[async_trait]
impl Provisioner for Groups {
    async fn grant(
        &self,
        call: &Call,
        entitlement: &v2::Entitlement,
        principal: &v2::Resource,
    ) -> Result<Change> {
        let shared = &self.0;
        let asked = Membership::of(entitlement, principal)?;
        let attempt = asked.attempt(Direction::Assign);
        refuse_managed(asked.group, &attempt)?;
        let api = shared.organization.on(call);
        let group = asked.group.id();
        let row = api.membership(asked.user, group).await?;
        let unsettled = shared.recent.until(&asked.grant_id(), Direction::Assign);
        let grant = GrantBuilder::new(asked.group, MEMBER, asked::by_id(principal)).build()?;
        let change = Change::grant(
            grant,
            before(held(row.as_ref()), Direction::Assign, unsettled),
        );
        if row.is_some() && unsettled.is_none() {
            return Ok(change);
        }
        let stored = profile_text(asked.group, profile_keys::DIRECTORY_ID);
        let directory = match (stored, row) {
            (Some(directory), _) => directory.to_owned(),
            (None, Some(row)) => super::directory(row.directory_id, group)?,
            (None, None) => {
                let found = api.group(group).await?;
                let found = found.ok_or_else(|| unknown("group", group))?;
                if mapping::is_managed_elsewhere(&found) {
                    return Err(managed(&attempt.doing, None));
                }
                super::directory(found.directory_id, group)?
            }
        };
        let change = change.write(asked.write(shared, Direction::Assign, &directory)?);
        Ok(settling(
            change,
            Direction::Assign,
            unsettled,
            self.clone(),
            (entitlement, principal),
        ))
    }

    async fn revoke(&self, call: &Call, grant: &v2::Grant) -> Result<Change> {
        let shared = &self.0;
        let (entitlement, principal) = parts(grant)?;
        let asked = Membership::of(entitlement, principal)?;
        let attempt = asked.attempt(Direction::Revoke);
        refuse_managed(asked.group, &attempt)?;
        let api = shared.organization.on(call);
        let group = asked.group.id();
        let row = api.membership(asked.user, group).await?;
        let unsettled = shared.recent.until(&asked.grant_id(), Direction::Revoke);
        let held = before(held(row.as_ref()), Direction::Revoke, unsettled);
        let change = Change::revoke(asked.grant_id(), held.clone());
        if !held.is_direct() {
            return Ok(change);
        }
        let directory = match row {
            Some(row) if mapping::is_managed_elsewhere(&row) => {
                return Err(managed(&attempt.doing, None));
            }
            Some(row) => Some(super::directory(row.directory_id, group)?),
            None => super::directory_of(&api, asked.group, group).await?,
        };
        let Some(directory) = directory else {
            // The group is gone, and its memberships with it.
            return Ok(Change::revoke(asked.grant_id(), Held::No));
        };
        let mut change = change.write(asked.write(shared, Direction::Revoke, &directory)?);
        if let Some(admins) = OrganizationAdmins::lost_with_group(&api, asked.user, group).await? {
            change = change.takes(Arc::new(admins.of(shared)));
        }
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
        let asked = Membership::of(entitlement, principal)?;
        let api = self.0.organization.on(call);
        let row = api.membership(asked.user, asked.group.id()).await?;
        Ok(held(row.as_ref()))
    }
}
