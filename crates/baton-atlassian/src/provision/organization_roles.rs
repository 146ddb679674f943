//! Roles of the organization: that of its admins, and those that are really held
//! on its sites.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use baton_connector::resource::{GrantBuilder, Profile, ResourceExt as _};
use baton_connector::{Call, Change, Error, Held, Provisioner, Result, Write};
use baton_proto::c1::connector::v2;
use baton_proto::{Code, any};
use prost_types::value::Kind;

use super::admins::{self, OrganizationAdmins};
use super::asked::{self, Principal, grant_id, named, resource_of, role_of};
use super::held::{Holding, held};
use super::refusals::Attempt;
use super::{before, derived, parts, settling, sites, unknown};
use crate::api::models::RoleAssignment;
use crate::api::{Api, Direction, RoleFilter, is_missing};
use crate::mapping::RESOURCE_IDS;
use crate::roles::{ORGANIZATION_ADMIN, SITE_ROLES, role_slug};
use crate::syncers::{Organizations, Shared};

const RULE: &str = "only users can have a role of the organization here: those of groups are set \
                    in the administration of Atlassian";

/// What can be done about a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Held on the organization itself.
    Admin,
    /// Held on a site.
    OfSite,
}

/// A role that is to be given or taken.
#[derive(Clone, Copy)]
struct Asked<'a> {
    organization: &'a v2::Resource,
    role: &'a str,
    place: Place,
    principal: &'a v2::Resource,
    user: &'a str,
}

impl<'a> Asked<'a> {
    fn of(
        shared: &Shared,
        entitlement: &'a v2::Entitlement,
        principal: &'a v2::Resource,
    ) -> Result<Self> {
        let (organization, role) = (resource_of(entitlement)?, role_of(entitlement)?);
        let own = &shared.organization.id;
        if organization.id() != own {
            let text = format!(
                "entitlement `{}` is one of another organization; this connector serves `{own}`",
                entitlement.id
            );
            return Err(Error::stated(Code::InvalidArgument, text));
        }
        let user = Principal::user(principal, RULE)?;
        let place = match role {
            ORGANIZATION_ADMIN => Place::Admin,
            role if SITE_ROLES.contains(&role) => Place::OfSite,
            _ => {
                let text =
                    format!("the API cannot change who has the role `{role}` of the organization");
                return Err(Error::stated(Code::Unimplemented, text)
                    .with_hint("set it in the administration of Atlassian"));
            }
        };
        Ok(Self {
            organization,
            role,
            place,
            principal,
            user,
        })
    }
}

impl Asked<'_> {
    /// The role on any platform resource, or on one.
    fn filter<'b>(&'b self, resource: Option<&'b str>) -> RoleFilter<'b> {
        RoleFilter {
            role: self.role,
            resource,
        }
    }

    fn grant_id(&self) -> String {
        grant_id(self.organization, &role_slug(self.role), self.principal)
    }

    fn attempt(&self, direction: Direction, on: &str) -> Attempt {
        let (who, role) = (named(self.principal), self.role);
        Attempt {
            doing: match direction {
                Direction::Assign => format!("give user {who} the role `{role}` on {on}"),
                Direction::Revoke => format!("take the role `{role}` on {on} from user {who}"),
            },
            product: on.to_owned(),
            role: Some(role.to_owned()),
            ends: direction == Direction::Revoke,
        }
    }

    /// The user's assignments with the role on the organization and its sites.
    async fn items(&self, api: &Api) -> Result<Option<Vec<RoleAssignment>>> {
        api.held_by_user(self.user, self.filter(None)).await
    }

    fn on_sites(&self, items: &[RoleAssignment], sites: &BTreeSet<String>) -> Holding {
        Holding::of(items, self.role, |item| {
            sites::is_on_site(item) && sites.contains(&item.resource_id)
        })
    }

    fn write_admin(&self, shared: &Shared, direction: Direction) -> Result<Write> {
        let organization = &shared.organization;
        let on = format!("organization `{}`", organization.id);
        let (newer, older) =
            organization.writes_of_organization_role(direction, self.user, self.role)?;
        let attempt = self.attempt(direction, &on);
        let newer = newer.judged(move |error| attempt.plain(error));
        let (attempt, id) = (self.attempt(direction, &on), organization.id.clone());
        let older = older.judged(move |error| attempt.by_support(&id, error));
        let write = newer.or(is_missing, older);
        Ok(write.noticed(shared.recent.noting(&self.grant_id(), direction)))
    }

    fn write_on_site(&self, shared: &Shared, direction: Direction, site: &str) -> Result<Write> {
        let organization = &shared.organization;
        let attempt = self.attempt(direction, &format!("site `{site}`"));
        let id = organization.id.clone();
        let write = organization.write_user_role(direction, self.user, (self.role, site))?;
        let write = write.judged(move |error| attempt.by_support(&id, error));
        Ok(write.noticed(shared.recent.noting(&self.key(site), direction)))
    }

    /// The grant as far as it is on one site.
    fn key(&self, site: &str) -> String {
        format!("{}@{site}", self.grant_id())
    }

    fn grant(&self, site: Option<&str>) -> Result<v2::Grant> {
        let organization = asked::by_id(self.organization);
        let mut grant = GrantBuilder::new(organization, role_slug(self.role), self.principal);
        if let Some(site) = site {
            grant = grant.metadata(Profile::new().texts(RESOURCE_IDS, [site]));
        }
        grant.build()
    }
}

/// Reads back whether the role is held directly on one of the sites.
fn read_back_on(
    change: Change,
    direction: Direction,
    shared: &Shared,
    asked: Asked<'_>,
    sites: &BTreeSet<String>,
) -> Change {
    let until = sites
        .iter()
        .filter_map(|site| shared.recent.until(&asked.key(site), direction));
    let until = until.max();
    let organization = Arc::clone(&shared.organization);
    let (user, role) = (asked.user.to_owned(), asked.role.to_owned());
    let sites = sites.clone();
    change.read_back(move |call: Call| {
        let (api, user, role) = (organization.on(&call), user.clone(), role.clone());
        let sites = sites.clone();
        async move {
            if let Some(until) = until {
                tokio::time::sleep_until(until).await;
            }
            let filter = RoleFilter {
                role: &role,
                resource: None,
            };
            let items = api.held_by_user(&user, filter).await?.unwrap_or_default();
            let holding = Holding::of(&items, &role, |item| sites.contains(&item.resource_id));
            let held = held(&api, &user, filter, holding, false).await?;
            Ok(held.is_direct() == (direction == Direction::Assign))
        }
    })
}

/// The sites on which a sync found the role.
fn stored_sites(grant: &v2::Grant) -> BTreeSet<String> {
    let stored: Option<v2::GrantMetadata> = any::find(&grant.annotations).ok().flatten();
    let ids = stored
        .and_then(|stored| stored.metadata?.fields.remove(RESOURCE_IDS)?.kind)
        .and_then(|kind| match kind {
            Kind::ListValue(list) => Some(list.values),
            _ => None,
        });
    let texts = ids
        .into_iter()
        .flatten()
        .filter_map(|value| match value.kind {
            Some(Kind::StringValue(id)) if !id.is_empty() => Some(id),
            _ => None,
        });
    texts.collect()
}

impl Organizations {
    async fn grant_admin(&self, api: &Api, asked: Asked<'_>) -> Result<Change> {
        let items = asked.items(api).await?;
        let items = items.ok_or_else(|| unknown("user", asked.user))?;
        let filter = asked.filter(None);
        let held = held(api, asked.user, filter, admins::holding(&items), false).await?;
        let unsettled = self.0.recent.until(&asked.grant_id(), Direction::Assign);
        let held = before(held, Direction::Assign, unsettled);
        let change = Change::grant(asked.grant(None)?, held);
        Ok(change.write(asked.write_admin(&self.0, Direction::Assign)?))
    }

    async fn revoke_admin(&self, api: &Api, asked: Asked<'_>) -> Result<Change> {
        let items = asked.items(api).await?.unwrap_or_default();
        let filter = asked.filter(None);
        let held = held(api, asked.user, filter, admins::holding(&items), true).await?;
        let unsettled = self.0.recent.until(&asked.grant_id(), Direction::Revoke);
        let held = before(held, Direction::Revoke, unsettled);
        refuse_derived(asked, &held)?;
        let stays = !held.through().is_empty();
        let admins = OrganizationAdmins::lost(asked.user, stays).of(&self.0);
        let change = Change::revoke(asked.grant_id(), held);
        let change = change.write(asked.write_admin(&self.0, Direction::Revoke)?);
        Ok(change.takes(Arc::new(admins)))
    }

    async fn grant_on_site(&self, api: &Api, asked: Asked<'_>) -> Result<Change> {
        let shared = &self.0;
        let items = asked.items(api).await?;
        let items = items.ok_or_else(|| unknown("user", asked.user))?;
        let site = match &shared.site {
            Some(site) => site.clone(),
            None => sites::only(api, sites::named_in(&items), asked.role).await?,
        };
        let sites = BTreeSet::from([site.clone()]);
        let filter = asked.filter(Some(&site));
        let holding = asked.on_sites(&items, &sites);
        let held = held(api, asked.user, filter, holding, false).await?;
        let held = before(
            held,
            Direction::Assign,
            shared.recent.until(&asked.key(&site), Direction::Assign),
        );
        let change = Change::grant(asked.grant(Some(&site))?, held);
        let change = change.write(asked.write_on_site(shared, Direction::Assign, &site)?);
        Ok(read_back_on(
            change,
            Direction::Assign,
            shared,
            asked,
            &sites,
        ))
    }

    async fn revoke_on_sites(
        &self,
        api: &Api,
        asked: Asked<'_>,
        stored: BTreeSet<String>,
    ) -> Result<Change> {
        let shared = &self.0;
        let items = asked.items(api).await?.unwrap_or_default();
        let everywhere = sites::named_in(&items);
        let is_held = |site: &String| asked.on_sites(&items, &BTreeSet::from([site.clone()]));
        let now: BTreeSet<String> = everywhere
            .into_iter()
            .filter(|s| is_held(s).present)
            .collect();
        let wanted = match &shared.site {
            Some(site) => BTreeSet::from([site.clone()]),
            None if !stored.is_empty() => stored,
            None if now.len() > 1 => return Err(sites::which(asked.role, &now)),
            None => now.clone(),
        };
        let (mut direct, mut through) = (BTreeSet::new(), Vec::new());
        for site in &wanted {
            let (filter, holding) = (asked.filter(Some(site)), is_held(site));
            let held = held(api, asked.user, filter, holding, true).await?;
            let unsettled = shared.recent.until(&asked.key(site), Direction::Revoke);
            let held = before(held, Direction::Revoke, unsettled);
            refuse_derived(asked, &held)?;
            for group in held.through() {
                if !through.contains(group) {
                    through.push(group.clone());
                }
            }
            if held.is_direct() {
                direct.insert(site.clone());
            }
        }
        let held = match (direct.is_empty(), through.is_empty()) {
            (false, _) => Held::Directly { through },
            (true, false) => Held::Indirectly { through },
            (true, true) => Held::No,
        };
        let mut change = Change::revoke(asked.grant_id(), held);
        for site in &direct {
            change = change.write(asked.write_on_site(shared, Direction::Revoke, site)?);
        }
        for site in now.difference(&wanted) {
            change = change.warning(format!("access stays: `{}` on site `{site}`", asked.role));
        }
        Ok(read_back_on(
            change,
            Direction::Revoke,
            shared,
            asked,
            &direct,
        ))
    }
}

fn refuse_derived(asked: Asked<'_>, held: &Held) -> Result<()> {
    match held {
        Held::Indirectly { through } if through.is_empty() => {
            Err(derived(asked.user, &format!("`{}`", asked.role)))
        }
        _ => Ok(()),
    }
}

#[async_trait]
impl Provisioner for Organizations {
    async fn grant(
        &self,
        call: &Call,
        entitlement: &v2::Entitlement,
        principal: &v2::Resource,
    ) -> Result<Change> {
        let asked = Asked::of(&self.0, entitlement, principal)?;
        let api = self.0.organization.on(call);
        match asked.place {
            Place::OfSite => self.grant_on_site(&api, asked).await,
            Place::Admin => {
                let unsettled = self.0.recent.until(&asked.grant_id(), Direction::Assign);
                let change = self.grant_admin(&api, asked).await?;
                Ok(settling(
                    change,
                    Direction::Assign,
                    unsettled,
                    self.clone(),
                    (entitlement, principal),
                ))
            }
        }
    }

    async fn revoke(&self, call: &Call, grant: &v2::Grant) -> Result<Change> {
        let (entitlement, principal) = parts(grant)?;
        let asked = Asked::of(&self.0, entitlement, principal)?;
        let api = self.0.organization.on(call);
        match asked.place {
            Place::OfSite => {
                let stored = stored_sites(grant);
                self.revoke_on_sites(&api, asked, stored).await
            }
            Place::Admin => {
                let unsettled = self.0.recent.until(&asked.grant_id(), Direction::Revoke);
                let change = self.revoke_admin(&api, asked).await?;
                Ok(settling(
                    change,
                    Direction::Revoke,
                    unsettled,
                    self.clone(),
                    (entitlement, principal),
                ))
            }
        }
    }

    async fn holds(
        &self,
        call: &Call,
        entitlement: &v2::Entitlement,
        principal: &v2::Resource,
    ) -> Result<Held> {
        let asked = Asked::of(&self.0, entitlement, principal)?;
        let api = self.0.organization.on(call);
        let items = asked.items(&api).await?.unwrap_or_default();
        let holding = match asked.place {
            Place::Admin => admins::holding(&items),
            Place::OfSite => Holding::of(&items, asked.role, sites::is_on_site),
        };
        held(&api, asked.user, asked.filter(None), holding, false).await
    }
}
