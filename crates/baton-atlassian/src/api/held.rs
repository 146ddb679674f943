//! Reads that changes go by: who is a member, who holds a role, and which groups
//! give it.

use std::collections::BTreeSet;

use baton_connector::Result;
use baton_connector::http::{FieldError, Fields};
use baton_connector::paging::{Chunk, Position, every_page};
use serde_json::{Value, json};

use super::answer::Read;
use super::directory::DirectoryQuery;
use super::endpoints::{GROUP_ROLES, GROUPS, GROUPS_SEARCH, USER_ROLES, USERS, USERS_SEARCH};
use super::models::{Group, RoleAssignment};
use super::{Api, DIRECTORY_PAGE, NEWER, chunk};
use crate::roles::is_filterable;

/// How the API calls the owner of the organization and its sites.
const PLATFORM: &str = "platform";
/// How the API calls a user who can work.
const ACTIVE: &str = "active";

/// Which role assignments are asked for. What comes is checked again: a filter
/// may be ignored.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RoleFilter<'a> {
    pub role: &'a str,
    /// On this resource; otherwise on the organization and its sites.
    pub resource: Option<&'a str>,
}

impl<'a> RoleFilter<'a> {
    /// Name and value of each filter. Filters by role know a closed set.
    fn pairs(self) -> Vec<(&'static str, &'a str)> {
        let place = match self.resource {
            Some(resource) => ("resourceIds", resource),
            None => ("resourceOwners", PLATFORM),
        };
        let role = is_filterable(self.role).then_some(("roleIds", self.role));
        std::iter::once(place).chain(role).collect()
    }
}

/// Groups of one user, narrowed down.
struct GroupsOf<'a> {
    user: &'a str,
    group: Option<&'a str>,
    role: Option<RoleFilter<'a>>,
}

impl DirectoryQuery for GroupsOf<'_> {
    fn search(&self) -> &'static str {
        GROUPS_SEARCH
    }

    fn list(&self) -> &'static str {
        GROUPS
    }

    fn body(&self) -> Value {
        let mut body = json!({});
        for (name, value) in self.filters() {
            body[name] = json!([value]);
        }
        if let Some(group) = self.group {
            body["groupIds"] = json!([group]);
        }
        body
    }

    fn group_id(&self) -> Option<&str> {
        self.group
    }

    fn filters(&self) -> Vec<(&'static str, &str)> {
        let mut filters = vec![("accountIds", self.user)];
        filters.extend(self.role.into_iter().flat_map(RoleFilter::pairs));
        filters
    }
}

/// A user who holds a role somewhere.
#[derive(Debug)]
pub(crate) struct Holder {
    pub account_id: String,
    pub status: Option<String>,
    /// Roles on the organization, where the answer has them.
    pub platform_roles: Option<Vec<String>>,
}

impl Read for Holder {
    fn read(fields: &Fields<'_>) -> std::result::Result<Self, FieldError> {
        Ok(Self {
            account_id: fields.id("accountId")?,
            status: fields.text("status"),
            platform_roles: fields.texts("platformRoles"),
        })
    }
}

impl Holder {
    /// Whether the user can work with a role on the organization.
    fn is_active_with(&self, role: &str) -> bool {
        let is_active = self.status.as_deref().is_none_or(|status| status == ACTIVE);
        let roles = self.platform_roles.as_deref();
        is_active && roles.is_none_or(|roles| roles.iter().any(|held| held == role))
    }
}

/// Users who hold one of some roles somewhere.
struct HoldersOf<'a> {
    roles: &'a [&'a str],
    active: bool,
}

impl DirectoryQuery for HoldersOf<'_> {
    fn search(&self) -> &'static str {
        USERS_SEARCH
    }

    fn list(&self) -> &'static str {
        USERS
    }

    fn body(&self) -> Value {
        let mut body = json!({ "roleIds": self.roles, "expand": ["platformRoles"] });
        if self.active {
            body["status"] = json!([ACTIVE]);
        }
        body
    }

    fn group_id(&self) -> Option<&str> {
        None
    }

    fn filters(&self) -> Vec<(&'static str, &str)> {
        let mut filters: Vec<_> = self.roles.iter().map(|role| ("roleIds", *role)).collect();
        filters.extend(self.active.then_some(("status", ACTIVE)));
        filters
    }
}

impl Api {
    /// The group, if the user is a member of it.
    pub async fn membership(&self, user: &str, group: &str) -> Result<Option<Group>> {
        let query = || GroupsOf {
            user,
            group: Some(group),
            role: None,
        };
        let list = format!("groups of user `{user}`");
        let groups = self.every_row(list, query, |row: &Group| &row.id).await?;
        Ok(groups.into_iter().find(|found| found.id == group))
    }

    /// The groups that give a user a role.
    pub async fn groups_giving(&self, user: &str, role: RoleFilter<'_>) -> Result<Vec<Group>> {
        let query = || GroupsOf {
            user,
            group: None,
            role: Some(role),
        };
        let list = format!("groups that give user `{user}` a role");
        let mut groups = self.every_row(list, query, |row: &Group| &row.id).await?;
        groups.sort_by(|a, b| a.id.cmp(&b.id));
        groups.dedup_by(|a, b| a.id == b.id);
        Ok(groups)
    }

    /// A user's roles; `None` if there is no such user.
    pub async fn held_by_user(
        &self,
        user: &str,
        role: RoleFilter<'_>,
    ) -> Result<Option<Vec<RoleAssignment>>> {
        self.held(USER_ROLES, user, role).await
    }

    /// A group's roles; `None` if there is no such group.
    pub async fn held_by_group(
        &self,
        group: &str,
        role: RoleFilter<'_>,
    ) -> Result<Option<Vec<RoleAssignment>>> {
        self.held(GROUP_ROLES, group, role).await
    }

    /// How many active users hold a role on the organization; `except` does not
    /// count.
    pub async fn active_holders(&self, role: &str, except: Option<&str>) -> Result<u32> {
        let roles = [role];
        let query = || HoldersOf {
            roles: &roles,
            active: true,
        };
        let list = format!("active users with the role `{role}`");
        let holders = self
            .every_row(list, query, |row: &Holder| &row.account_id)
            .await?;
        let counted = holders.iter().filter(|holder| holder.is_active_with(role));
        let ids: BTreeSet<&str> = counted.map(|holder| holder.account_id.as_str()).collect();
        let others = ids.into_iter().filter(|id| Some(*id) != except).count();
        Ok(u32::try_from(others).unwrap_or(u32::MAX))
    }

    /// A page of users who hold one of the roles somewhere.
    pub async fn some_holders(&self, roles: &[&str]) -> Result<Vec<Holder>> {
        let query = HoldersOf {
            roles,
            active: false,
        };
        let page = self.directory_page(Position::default(), DIRECTORY_PAGE, query);
        Ok(page.await?.items)
    }

    async fn every_row<T: Read, Q: DirectoryQuery>(
        &self,
        list: String,
        query: impl Fn() -> Q,
        id: impl Fn(&T) -> &str,
    ) -> Result<Vec<T>> {
        let mut all = Vec::new();
        let fetch = |at: Position| self.directory_page::<T>(at, DIRECTORY_PAGE, query());
        every_page(list, fetch, id, |rows| all.extend(rows)).await?;
        Ok(all)
    }

    async fn held(
        &self,
        template: &'static str,
        id: &str,
        role: RoleFilter<'_>,
    ) -> Result<Option<Vec<RoleAssignment>>> {
        let mut all = Vec::new();
        let fetch = |at: Position| async move { self.held_page(template, id, &at, role).await };
        let pages = every_page(
            format!("roles of `{id}`"),
            fetch,
            |item: &RoleAssignment| &item.resource_id,
            |items| all.extend(items),
        );
        match pages.await {
            Ok(_) => Ok(Some(all)),
            // A gateway's 404 is not about the principal.
            Err(error) if error.is_vanished() => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn held_page(
        &self,
        template: &'static str,
        id: &str,
        at: &Position,
        role: RoleFilter<'_>,
    ) -> Result<Chunk<RoleAssignment>> {
        let cursor = at.cursor.as_deref();
        let request = |limit: Option<u32>| {
            let mut request = self.get(template, &[id])?.maybe_query("cursor", cursor);
            for (name, value) in role.pairs() {
                request = request.query(name, value);
            }
            Ok(request.maybe_query("limit", limit.map(|n| n.to_string()).as_deref()))
        };
        let answer = if cursor.is_some() {
            self.list(&request(self.later(DIRECTORY_PAGE))?).await?
        } else {
            self.sized(template, DIRECTORY_PAGE, request).await?
        };
        Ok(chunk(NEWER, answer))
    }
}
