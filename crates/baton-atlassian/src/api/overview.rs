//! Whole lists, for the plan of requests: the overview that the searches give
//! with all their expansions, and the plain answers that it is compared with.

#[cfg(test)]
use baton_connector::http::{Document, InvalidValues};
use baton_connector::http::{FieldError, Fields, Json};
use baton_connector::paging::every_page;
use baton_connector::{Error, Result};
use baton_proto::Code;
use serde_json::{Value, json};

use super::answer::Read;
use super::endpoints::{GROUP_ROLES, GROUPS, GROUPS_SEARCH, USER_ROLES, USERS, USERS_SEARCH};
use super::{Api, DIRECTORY_PAGE, DirectoryQuery, NEWER, UserQuery, models};

/// A user as the search shows it with all expansions. What is absent, null or
/// of an odd form is no fact.
#[derive(Debug, Default)]
pub(crate) struct OverviewUser {
    pub account_id: String,
    pub counts: Option<Counts>,
    pub platform_roles: Option<Vec<()>>,
    pub product_access: Option<Vec<()>>,
    pub groups: Option<Vec<GroupRef>>,
}

impl Read for OverviewUser {
    fn read(fields: &Fields<'_>) -> std::result::Result<Self, FieldError> {
        let groups = fact(fields, "groups").and_then(Json::list);
        let groups = groups.and_then(|groups| {
            let groups = groups.into_iter();
            groups.map(|group| GroupRef::of(group, fields)).collect()
        });
        Ok(Self {
            account_id: fields.id("accountId")?,
            counts: Counts::of(fields),
            platform_roles: entries(fields, "platformRoles"),
            product_access: entries(fields, "productAccess"),
            groups,
        })
    }
}

/// A member that is there once; one that comes twice is not a fact.
fn fact<'a>(fields: &Fields<'a>, name: &str) -> Option<Json<'a>> {
    fields.value(name).ok().flatten()
}

/// A list of which only the length matters.
fn entries(fields: &Fields<'_>, name: &str) -> Option<Vec<()>> {
    Some(vec![(); fact(fields, name)?.list()?.len()])
}

/// A group that a user is in.
#[derive(Debug, Default)]
pub(crate) struct GroupRef {
    pub id: String,
}

impl GroupRef {
    /// `None` if it has no usable id.
    fn of(value: Json<'_>, user: &Fields<'_>) -> Option<Self> {
        let id = user.inner(value, "groups").ok()?.id("id").ok()?;
        Some(Self { id })
    }
}

/// A group as the search shows it with all expansions.
#[derive(Debug, Default)]
pub(crate) struct OverviewGroup {
    pub id: String,
    pub counts: Option<Counts>,
}

impl Read for OverviewGroup {
    fn read(fields: &Fields<'_>) -> std::result::Result<Self, FieldError> {
        Ok(Self {
            id: fields.id("id")?,
            counts: Counts::of(fields),
        })
    }
}

/// Numbers that the searches give on request.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Members of a group.
    pub users: Option<u64>,
    /// Things on which roles are held.
    pub resources: Option<u64>,
}

impl Counts {
    fn of(fields: &Fields<'_>) -> Option<Self> {
        let counts = fields.inner(fact(fields, "counts")?, "counts").ok()?;
        let count = |name| fact(&counts, name).and_then(Json::count);
        Some(Self {
            users: count("users"),
            resources: count("resources"),
        })
    }
}

/// All users, with everything that the search can tell.
struct AllUsers;

impl DirectoryQuery for AllUsers {
    fn search(&self) -> &'static str {
        USERS_SEARCH
    }

    fn list(&self) -> &'static str {
        USERS
    }

    fn body(&self) -> Value {
        json!({ "expand": ["counts.resources", "groups", "platformRoles", "productAccess"] })
    }

    fn group_id(&self) -> Option<&str> {
        None
    }
}

/// All groups, with everything that the search can tell.
struct AllGroups;

impl DirectoryQuery for AllGroups {
    fn search(&self) -> &'static str {
        GROUPS_SEARCH
    }

    fn list(&self) -> &'static str {
        GROUPS
    }

    fn body(&self) -> Value {
        json!({ "expand": ["counts.resources", "counts.users"] })
    }

    fn group_id(&self) -> Option<&str> {
        None
    }
}

impl Api {
    /// Reads all groups as the search shows them. Returns the number of
    /// requests.
    pub async fn overview_groups(
        &self,
        mut visit: impl FnMut(OverviewGroup) + Send,
    ) -> Result<u64> {
        let fetch = |at| async move { self.search_page(&at, DIRECTORY_PAGE, &AllGroups).await };
        every_page(
            "groups with their counts",
            fetch,
            |group: &OverviewGroup| &group.id,
            |page| page.into_iter().for_each(&mut visit),
        )
        .await
    }

    /// Reads all users as the search shows them. Returns the number of
    /// requests.
    pub async fn overview_users(&self, mut visit: impl FnMut(OverviewUser) + Send) -> Result<u64> {
        let fetch = |at| async move { self.search_page(&at, DIRECTORY_PAGE, &AllUsers).await };
        every_page(
            "users with their groups and counts",
            fetch,
            |user: &OverviewUser| &user.account_id,
            |page| page.into_iter().for_each(&mut visit),
        )
        .await
    }

    /// All roles of a user from the plain endpoint, and the number of requests.
    pub async fn every_user_role(&self, id: &str) -> Result<(Vec<models::RoleAssignment>, u64)> {
        self.every_role(USER_ROLES, "user", id).await
    }

    /// All roles of a group from the plain endpoint, and the number of requests.
    pub async fn every_group_role(&self, id: &str) -> Result<(Vec<models::RoleAssignment>, u64)> {
        self.every_role(GROUP_ROLES, "group", id).await
    }

    async fn every_role(
        &self,
        template: &'static str,
        kind: &str,
        id: &str,
    ) -> Result<(Vec<models::RoleAssignment>, u64)> {
        let mut all = Vec::new();
        let requests = every_page(
            format!("roles of {kind} `{id}`"),
            |at| self.role_page(template, id, at, NEWER),
            |role: &models::RoleAssignment| &role.resource_id,
            |page| all.extend(page),
        )
        .await?;
        Ok((all, requests))
    }

    /// All members of a group from the plain endpoint, and the number of
    /// requests.
    pub async fn every_member(&self, id: &str) -> Result<(Vec<models::Member>, u64)> {
        let mut all = Vec::new();
        let requests = every_page(
            format!("members of group `{id}`"),
            |at| self.directory_page(at, DIRECTORY_PAGE, UserQuery::MembersOf(id)),
            |member: &models::Member| &member.account_id,
            |page| all.extend(page),
        )
        .await?;
        Ok((all, requests))
    }
}

/// Whether a failure means that the server cannot or will not answer such a
/// request. An unreachable server or a wrong key would fail every other request,
/// too.
pub(crate) fn is_unwilling(error: &Error) -> bool {
    match error.status() {
        Some(401 | 408 | 429) => false,
        Some(400..=499 | 501) => true,
        _ => matches!(error.code(), Code::Internal | Code::OutOfRange),
    }
}

/// Reads what a search shows of a user or a group, for tests.
#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) fn overview_row<T: Read>(value: &Value) -> T {
    let document = Document::parse(value.to_string().as_bytes()).unwrap();
    let invalid = InvalidValues::default();
    T::read(&Fields::of(document.root(), String::new(), &invalid).unwrap()).unwrap()
}
