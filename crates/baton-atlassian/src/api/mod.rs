//! The client of the admin APIs: one method per list, newest generation of an
//! endpoint first, the older one while it lives. Endpoints that are retired
//! have no method here.
//!
//! What a list answers is strict where rows depend on it (see `models`);
//! where it goes on is a [`Position`] in a page token, so that nothing is
//! remembered between calls but which generation of an endpoint is alive.

mod counts;
mod endpoints;
mod error_body;
pub(crate) mod models;
mod refusals;
mod survey;

use std::sync::atomic::{AtomicBool, Ordering};

use baton_connector::http::{Credential, HttpClient, Request};
use baton_connector::paging::{Chunk, Position, page};
use baton_connector::{Counted, Error, Page, Result};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use url::Url;

use endpoints::{
    API_TOKENS, GROUP_ROLES, GROUPS, GROUPS_SEARCH, ORGANIZATION, USER_ROLES, USERS, USERS_SEARCH,
    WORKSPACES,
};
use models::{ListAnswer, OneAnswer};
pub(crate) use refusals::Refusals;
pub(crate) use survey::{SurveyedGroup, SurveyedUser, is_unwilling};

/// Steps of a list's position: which generation, or which part of it.
const NEWER: u8 = 0;
const OLDER: u8 = 1;
/// A group's roles come after its members.
const GROUP_ROLE_STEP: u8 = 2;

/// Largest pages that the endpoints are documented to give.
pub(crate) const DIRECTORY_PAGE: u32 = 100;
const WORKSPACE_PAGE: u32 = 100;
const TOKEN_PAGE: u32 = 1000;

/// A page of the API's objects, with the page token of what follows.
#[derive(Debug)]
pub(crate) struct ListPage<T> {
    pub items: Vec<T>,
    pub next: String,
    /// The API's own count of the list.
    pub counted: Counted,
}

impl<T> From<Page<T>> for ListPage<T> {
    fn from(page: Page<T>) -> Self {
        Self {
            items: page.items,
            next: page.next.into_string(),
            counted: page.counted,
        }
    }
}

/// A page of the two lists that make up a group's grants.
#[derive(Debug)]
pub(crate) enum GroupStep {
    Members(ListPage<models::Member>),
    Roles(ListPage<models::RoleAssignment>),
}

/// Two generations of one list. Which one is alive is found out by trying.
#[derive(Debug, Default)]
struct Generations {
    older_only: AtomicBool,
}

/// The admin APIs of one organization.
#[derive(Debug)]
pub(crate) struct Api {
    client: HttpClient,
    base: Url,
    organization_id: String,
    key: Credential,
    /// Send only the requests that the Go connector sends.
    go_compatible: bool,
    users: Generations,
    groups: Generations,
}

impl Api {
    pub fn new(
        client: HttpClient,
        base: Url,
        organization_id: String,
        key: Credential,
        go_compatible: bool,
    ) -> Self {
        Self {
            client,
            base,
            organization_id,
            key,
            go_compatible,
            users: Generations::default(),
            groups: Generations::default(),
        }
    }

    pub fn organization_id(&self) -> &str {
        &self.organization_id
    }

    pub fn go_compatible(&self) -> bool {
        self.go_compatible
    }

    /// The organization itself.
    pub async fn organization(&self) -> Result<models::Organization> {
        let request = self.get(ORGANIZATION, &[])?;
        let answer: OneAnswer<models::Organization> = self.client.json(&request).await?;
        Ok(answer.data)
    }

    /// One user, whoever it is: shows whether the key may read users.
    pub async fn any_user(&self) -> Result<()> {
        let at = Position::default();
        let list = self.directory_page::<models::Member>(&self.users, at, 1, UserQuery::All);
        list.await.map(drop)
    }

    /// A page of all users.
    pub async fn users(&self, token: &str) -> Result<ListPage<models::User>> {
        let list = format!("users of organization `{}`", self.organization_id);
        let fetch = async |at| {
            self.directory_page(&self.users, at, DIRECTORY_PAGE, UserQuery::All)
                .await
        };
        Ok(page(&list, token, fetch).await?.into())
    }

    /// A page of all groups.
    pub async fn groups(&self, token: &str) -> Result<ListPage<models::Group>> {
        let list = format!("groups of organization `{}`", self.organization_id);
        let fetch = async |at| {
            self.directory_page(&self.groups, at, DIRECTORY_PAGE, GroupQuery)
                .await
        };
        Ok(page(&list, token, fetch).await?.into())
    }

    /// A page of all workspaces.
    pub async fn workspaces(&self, token: &str) -> Result<ListPage<models::Workspace>> {
        let list = format!("workspaces of organization `{}`", self.organization_id);
        let mut total = None;
        let fetch = async |at: Position| {
            let answer: ListAnswer<models::Workspace> = match &at.cursor {
                // With a cursor no other field may be there.
                Some(cursor) => {
                    let body = json!({ "cursor": cursor });
                    self.list(&self.post(WORKSPACES, &body)?).await?
                }
                None if self.go_compatible => {
                    self.list(&self.post(WORKSPACES, &json!({}))?).await?
                }
                None => {
                    self.sized(WORKSPACE_PAGE, |limit| {
                        let body = limit.map_or_else(|| json!({}), |n| json!({ "limit": n }));
                        self.post(WORKSPACES, &body)
                    })
                    .await?
                }
            };
            total = answer.meta.as_ref().and_then(|meta| meta.total);
            Ok(chunk(NEWER, answer))
        };
        let page = page(&list, token, fetch).await?;
        Ok(page
            .counted(total.map_or(Counted::Untold, Counted::Rows))
            .into())
    }

    /// A page of all API tokens.
    pub async fn api_tokens(&self, token: &str) -> Result<ListPage<models::ApiToken>> {
        let list = format!("API tokens of organization `{}`", self.organization_id);
        let fetch = async |at: Position| {
            // The Go connector's `limit` is not known to this endpoint.
            let (name, size) = if self.go_compatible {
                ("limit", DIRECTORY_PAGE)
            } else {
                ("pageSize", TOKEN_PAGE)
            };
            let cursor = at.cursor.as_deref();
            let request = |size: Option<u32>| {
                let request = self.get(API_TOKENS, &[])?.maybe_query("cursor", cursor);
                Ok(request.maybe_query(name, size.map(|n| n.to_string()).as_deref()))
            };
            let answer = if cursor.is_some() {
                self.list(&request(self.later(size))?).await?
            } else {
                self.sized(size, request).await?
            };
            Ok(chunk(NEWER, answer))
        };
        Ok(page(&list, token, fetch).await?.into())
    }

    /// A page of a user's effective roles.
    pub async fn user_roles(
        &self,
        user_id: &str,
        token: &str,
    ) -> Result<ListPage<models::RoleAssignment>> {
        let list = format!("roles of user `{user_id}`");
        let fetch = async |at| self.role_page(USER_ROLES, user_id, at, NEWER).await;
        Ok(page(&list, token, fetch).await?.into())
    }

    /// The token of the page that begins a group's roles.
    pub fn roles_token(group_id: &str) -> String {
        let begin = Position::begin(GROUP_ROLE_STEP);
        begin.token(&group_list(group_id)).into_string()
    }

    /// A page of what a group grants: first its members, then its roles.
    pub async fn group_step(&self, group_id: &str, token: &str) -> Result<GroupStep> {
        let list = group_list(group_id);
        let at = Position::read(&list, token)?;
        if at.step == GROUP_ROLE_STEP {
            let fetch = async |at| {
                self.role_page(GROUP_ROLES, group_id, at, GROUP_ROLE_STEP)
                    .await
            };
            return Ok(GroupStep::Roles(page(&list, token, fetch).await?.into()));
        }
        Ok(GroupStep::Members(self.members(group_id, token).await?))
    }

    /// A page of a group's members. The roles follow the last of them.
    pub async fn members(&self, group_id: &str, token: &str) -> Result<ListPage<models::Member>> {
        let fetch = async |at| {
            let query = UserQuery::MembersOf(group_id);
            let mut chunk = self
                .directory_page(&self.users, at, DIRECTORY_PAGE, query)
                .await?;
            chunk.next = chunk.next.or(Some(Position::begin(GROUP_ROLE_STEP)));
            Ok(chunk)
        };
        Ok(page(&group_list(group_id), token, fetch).await?.into())
    }

    async fn role_page(
        &self,
        template: &'static str,
        id: &str,
        at: Position,
        step: u8,
    ) -> Result<Chunk<models::RoleAssignment>> {
        let cursor = at.cursor.as_deref();
        let request = |limit: Option<u32>| {
            let request = self.get(template, &[id])?.maybe_query("cursor", cursor);
            Ok(request.maybe_query("limit", limit.map(|n| n.to_string()).as_deref()))
        };
        let answer = if cursor.is_some() {
            self.list(&request(self.later(DIRECTORY_PAGE))?).await?
        } else {
            self.sized(DIRECTORY_PAGE, request).await?
        };
        Ok(chunk(step, answer))
    }

    /// A page of users or groups: by search, or by the older list where the
    /// search is not there (or not wanted).
    async fn directory_page<T: DeserializeOwned>(
        &self,
        generations: &Generations,
        at: Position,
        size: u32,
        query: impl DirectoryQuery,
    ) -> Result<Chunk<T>> {
        let begins = at.cursor.is_none();
        let older_only = self.go_compatible || generations.older_only.load(Ordering::Relaxed);
        if begins && !older_only {
            let search = self.search_page(&at, size, &query).await;
            match search {
                Err(error) if is_absent(&error) => {
                    let chunk = self.list_page(&at, size, &query).await?;
                    generations.older_only.store(true, Ordering::Relaxed);
                    tracing::info!(
                        endpoint = query.search(),
                        "the search endpoint is not there: using the older list"
                    );
                    return Ok(chunk);
                }
                other => return other,
            }
        }
        // A cursor belongs to the generation that gave it.
        if begins || at.step == OLDER {
            self.list_page(&at, size, &query).await
        } else {
            self.search_page(&at, size, &query).await
        }
    }

    async fn search_page<T: DeserializeOwned>(
        &self,
        at: &Position,
        size: u32,
        query: &impl DirectoryQuery,
    ) -> Result<Chunk<T>> {
        let answer = match &at.cursor {
            Some(cursor) => {
                // The page size lives in the cursor.
                let mut body = query.body();
                body["cursor"] = json!(cursor);
                self.list(&self.post(query.search(), &body)?).await?
            }
            None => {
                self.sized(size, |limit| {
                    let mut body = query.body();
                    if let Some(limit) = limit {
                        body["limit"] = json!(limit);
                    }
                    self.post(query.search(), &body)
                })
                .await?
            }
        };
        Ok(chunk(NEWER, answer))
    }

    async fn list_page<T: DeserializeOwned>(
        &self,
        at: &Position,
        size: u32,
        query: &impl DirectoryQuery,
    ) -> Result<Chunk<T>> {
        let cursor = at.cursor.as_deref();
        let request = |limit: Option<u32>| {
            let request = self.get(query.list(), &[])?.maybe_query("cursor", cursor);
            let request = request.maybe_query("groupIds", query.group_id());
            Ok(request.maybe_query("limit", limit.map(|n| n.to_string()).as_deref()))
        };
        let answer = if cursor.is_some() {
            self.list(&request(self.later(size))?).await?
        } else {
            self.sized(size, request).await?
        };
        Ok(chunk(OLDER, answer))
    }

    /// The size that later pages ask for: none, since it lives in the cursor;
    /// the Go connector repeats it.
    fn later(&self, size: u32) -> Option<u32> {
        self.go_compatible.then_some(size)
    }

    /// The first page of a list at the size wanted; where that size is refused
    /// (and only then), at the endpoint's own default.
    async fn sized<T: DeserializeOwned>(
        &self,
        size: u32,
        request: impl Fn(Option<u32>) -> Result<Request>,
    ) -> Result<ListAnswer<T>> {
        match self.list(&request(Some(size))?).await {
            Err(error) if !self.go_compatible && error.status() == Some(400) => {
                // If it was not the size, the same refusal comes again, and counts.
                let answer = self.list(&request(None)?).await?;
                tracing::warn!(size, "a page size was refused: using the default size");
                Ok(answer)
            }
            other => other,
        }
    }

    async fn list<T: DeserializeOwned>(&self, request: &Request) -> Result<ListAnswer<T>> {
        let response = self.client.send(request).await?;
        let answer: ListAnswer<T> = response.json()?;
        if answer.data.is_none() && answer.links.is_none() {
            // Some gateways answer 200 with a message of their own.
            return Err(response.unusable("data", "the list is missing"));
        }
        Ok(answer)
    }

    fn get(&self, template: &'static str, params: &[&str]) -> Result<Request> {
        let request = Request::get(&self.base, template, &self.params(params))?;
        Ok(request.credential(&self.key))
    }

    /// A search: a read that happens to be a POST, so it may be repeated.
    fn post(&self, template: &'static str, body: &Value) -> Result<Request> {
        let request = Request::post(&self.base, template, &self.params(&[]))?;
        request.credential(&self.key).idempotent(true).json(body)
    }

    fn params<'a>(&'a self, further: &[&'a str]) -> Vec<&'a str> {
        let mut params = vec![self.organization_id.as_str()];
        params.extend_from_slice(further);
        params
    }
}

/// A search endpoint and the older list with the same content.
trait DirectoryQuery {
    fn search(&self) -> &'static str;
    fn list(&self) -> &'static str;
    /// The search's body, without paging.
    fn body(&self) -> Value;
    fn group_id(&self) -> Option<&str>;
}

enum UserQuery<'a> {
    All,
    MembersOf(&'a str),
}

impl DirectoryQuery for UserQuery<'_> {
    fn search(&self) -> &'static str {
        USERS_SEARCH
    }

    fn list(&self) -> &'static str {
        USERS
    }

    fn body(&self) -> Value {
        match self {
            Self::All => json!({ "expand": ["productAccess"] }),
            Self::MembersOf(group) => json!({ "groupIds": [group] }),
        }
    }

    fn group_id(&self) -> Option<&str> {
        match self {
            Self::All => None,
            Self::MembersOf(group) => Some(group),
        }
    }
}

struct GroupQuery;

impl DirectoryQuery for GroupQuery {
    fn search(&self) -> &'static str {
        GROUPS_SEARCH
    }

    fn list(&self) -> &'static str {
        GROUPS
    }

    fn body(&self) -> Value {
        json!({})
    }

    fn group_id(&self) -> Option<&str> {
        None
    }
}

fn group_list(group_id: &str) -> String {
    format!("members and roles of group `{group_id}`")
}

/// Whether an endpoint is not there (any more), as opposed to refusing.
fn is_absent(error: &Error) -> bool {
    matches!(error.status(), Some(404 | 405 | 410 | 501))
}

fn chunk<T>(step: u8, answer: ListAnswer<T>) -> Chunk<T> {
    let next = answer.links.map(|links| links.next).unwrap_or_default();
    Chunk {
        items: answer.data.unwrap_or_default(),
        next: Position::after(step, Some(cursor_of(next))),
    }
}

/// A cursor is opaque; where an endpoint gives a whole URL instead, it is the
/// URL's `cursor` value.
fn cursor_of(next: String) -> String {
    let url = Url::parse(&next).ok().filter(Url::has_host);
    match url {
        Some(url) => url
            .query_pairs()
            .find(|(name, _)| name == "cursor")
            .map_or(next, |(_, value)| value.into_owned()),
        None => next,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_may_come_inside_a_url() {
        let bare = "eyJvIjoyMH0=";
        assert_eq!(cursor_of(bare.to_owned()), bare);
        let url = "https://api.test/admin/v2/orgs/o/workspaces?cursor=eyJvIjoyMH0%3D&limit=20";
        assert_eq!(cursor_of(url.to_owned()), bare);
        assert_eq!(
            cursor_of("https://api.test/x".to_owned()),
            "https://api.test/x"
        );
        assert_eq!(
            cursor_of("cursor:with:colons".to_owned()),
            "cursor:with:colons"
        );
    }
}
