//! Whole lists, for the plan of requests: the overview that the searches give
//! with all their expansions, and the plain answers that it is compared with.

use std::borrow::Cow;

use baton_connector::paging::{Chunk, LoopGuard, Position};
use baton_connector::{Error, Result};
use serde::Deserialize;
use serde_json::{Value, json};

use super::endpoints::{GROUP_ROLES, GROUPS_SEARCH, USER_ROLES, USERS_SEARCH};
use super::models::{self, lenient, text_or_empty};
use super::{Api, DIRECTORY_PAGE, DirectoryQuery, NEWER, UserQuery};

/// A user as the search shows it with all expansions. What is absent, null or
/// of an odd form is no fact.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct SurveyedUser {
    #[serde(deserialize_with = "text_or_empty")]
    pub account_id: String,
    #[serde(deserialize_with = "lenient")]
    pub counts: Option<Counts>,
    #[serde(deserialize_with = "lenient")]
    pub platform_roles: Option<Vec<Value>>,
    #[serde(deserialize_with = "lenient")]
    pub product_access: Option<Vec<Value>>,
    #[serde(deserialize_with = "lenient")]
    pub groups: Option<Vec<GroupRef>>,
}

/// A group that a user is in.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct GroupRef {
    pub id: String,
}

/// A group as the search shows it with all expansions.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct SurveyedGroup {
    #[serde(deserialize_with = "text_or_empty")]
    pub id: String,
    #[serde(deserialize_with = "lenient")]
    pub counts: Option<Counts>,
}

/// Numbers that the searches give on request.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Counts {
    /// Members of a group.
    #[serde(deserialize_with = "lenient")]
    pub users: Option<u64>,
    /// Things on which roles are held.
    #[serde(deserialize_with = "lenient")]
    pub resources: Option<u64>,
}

/// All users, with everything that the search can tell.
struct AllUsers;

impl DirectoryQuery for AllUsers {
    fn search(&self) -> &'static str {
        USERS_SEARCH
    }

    fn list(&self) -> &'static str {
        super::USERS
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
        super::GROUPS
    }

    fn body(&self) -> Value {
        json!({ "expand": ["counts.resources", "counts.users"] })
    }

    fn group_id(&self) -> Option<&str> {
        None
    }
}

/// Where a walk through a list stands.
struct Walk {
    guard: LoopGuard,
    at: Option<Position>,
    requests: u64,
}

impl Walk {
    fn new(list: String) -> Self {
        Self {
            guard: LoopGuard::new(list),
            at: Some(Position::default()),
            requests: 0,
        }
    }

    /// Goes to the page after `chunk`, which was asked for at `at`.
    fn pass<T>(
        &mut self,
        at: &Position,
        chunk: &Chunk<T>,
        id_of: impl Fn(&T) -> &str,
    ) -> Result<()> {
        fn cursor(at: &Position) -> &str {
            at.cursor.as_deref().unwrap_or_default()
        }
        let next = chunk.next.as_ref().map(cursor).unwrap_or_default();
        let ids = chunk.items.iter().map(|item| Cow::Borrowed(id_of(item)));
        self.guard.check(cursor(at), next, ids)?;
        self.requests += 1;
        self.at.clone_from(&chunk.next);
        Ok(())
    }
}

impl Api {
    /// All groups as the search shows them; gives the number of requests.
    pub async fn survey_groups(&self, mut see: impl FnMut(SurveyedGroup) + Send) -> Result<u64> {
        let mut walk = Walk::new("groups with their counts".to_owned());
        while let Some(at) = walk.at.take() {
            let page = self.search_page(&at, DIRECTORY_PAGE, &AllGroups);
            let chunk: Chunk<SurveyedGroup> = page.await?;
            walk.pass(&at, &chunk, |group| &group.id)?;
            chunk.items.into_iter().for_each(&mut see);
        }
        Ok(walk.requests)
    }

    /// All users as the search shows them; gives the number of requests.
    pub async fn survey_users(&self, mut see: impl FnMut(SurveyedUser) + Send) -> Result<u64> {
        let mut walk = Walk::new("users with their groups and counts".to_owned());
        while let Some(at) = walk.at.take() {
            let page = self.search_page(&at, DIRECTORY_PAGE, &AllUsers);
            let chunk: Chunk<SurveyedUser> = page.await?;
            walk.pass(&at, &chunk, |user| &user.account_id)?;
            chunk.items.into_iter().for_each(&mut see);
        }
        Ok(walk.requests)
    }

    /// All of a user's roles, asked plainly; with the number of requests.
    pub async fn every_user_role(&self, id: &str) -> Result<(Vec<models::RoleAssignment>, u64)> {
        self.every_role(USER_ROLES, "user", id).await
    }

    /// All of a group's roles, asked plainly; with the number of requests.
    pub async fn every_group_role(&self, id: &str) -> Result<(Vec<models::RoleAssignment>, u64)> {
        self.every_role(GROUP_ROLES, "group", id).await
    }

    async fn every_role(
        &self,
        template: &'static str,
        kind: &str,
        id: &str,
    ) -> Result<(Vec<models::RoleAssignment>, u64)> {
        let mut walk = Walk::new(format!("roles of {kind} `{id}`"));
        let mut all = Vec::new();
        while let Some(at) = walk.at.take() {
            let chunk = self.role_page(template, id, at.clone(), NEWER).await?;
            walk.pass(&at, &chunk, |item| &item.resource_id)?;
            all.extend(chunk.items);
        }
        Ok((all, walk.requests))
    }

    /// All members of a group, asked plainly; with the number of requests.
    pub async fn every_member(&self, id: &str) -> Result<(Vec<models::Member>, u64)> {
        let mut walk = Walk::new(format!("members of group `{id}`"));
        let mut all = Vec::new();
        while let Some(at) = walk.at.take() {
            let query = UserQuery::MembersOf(id);
            let page = self.directory_page(&self.users, at.clone(), DIRECTORY_PAGE, query);
            let chunk: Chunk<models::Member> = page.await?;
            walk.pass(&at, &chunk, |member| &member.account_id)?;
            all.extend(chunk.items);
        }
        Ok((all, walk.requests))
    }
}

/// Whether a failure tells that the server cannot or will not answer such a
/// request, as opposed to a server that cannot be reached or a key that is no
/// good: those would meet any other request as well.
pub(crate) fn is_unwilling(error: &Error) -> bool {
    match error.status() {
        Some(401 | 408 | 429) => false,
        Some(400..=499 | 501) => true,
        _ => error.code() == baton_proto::Code::Internal,
    }
}
