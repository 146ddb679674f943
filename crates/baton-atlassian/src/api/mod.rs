//! The client of the admin APIs: one method per list, newest generation of an
//! endpoint first, the older one while it lives. Endpoints that are retired
//! have no method here.
//!
//! One module decides which answers count (`answer`). Their content is checked
//! strictly where rows depend on it (`models`). A page token holds the
//! [`Position`] in a list. The sync's session keeps that a search is gone. So
//! nothing is remembered between calls.

mod access_changes;
mod account_changes;
mod answer;
mod changes;
mod counts;
mod directory;
pub(crate) mod endpoints;
mod error_body;
mod events;
mod held;
mod invalid_values;
pub(crate) mod models;
mod overview;
mod refusals;
mod scim;
mod single;
mod sizes;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use baton_connector::http::{CallClient, Credential, HttpClient, InvalidValues, Request};
use baton_connector::paging::{Chunk, Position, page};
use baton_connector::session::Session;
use baton_connector::{Call, Result, RunLocal, RunView, UpstreamCount};
use baton_proto::figures::counted;
use serde_json::{Value, json};
use url::Url;

pub(crate) use access_changes::Access;
pub(crate) use account_changes::{api_code, names_no_account};
use answer::{ListAnswer, Read};
pub(crate) use changes::{Direction, is_missing};
use directory::{DirectoryQuery, GroupQuery, UserQuery};
use endpoints::{
    API_TOKENS, GROUP_ROLES, GROUPS_SEARCH, ORGANIZATION, USER_ROLES, USERS_SEARCH, WORKSPACES,
};
pub(crate) use events::{AuditEvent, Named, StreamStart, is_bad_cursor};
pub(crate) use held::RoleFilter;
use invalid_values::InvalidValueLog;
#[cfg(test)]
pub(crate) use overview::overview_row;
pub(crate) use overview::{OverviewGroup, OverviewUser, is_unwilling};
pub(crate) use refusals::{Refusals, names_a_scope};
pub(crate) use scim::{IdentityProvider, ScimUser};

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
    pub counted: UpstreamCount,
    /// It has as many items as a page can have: the size asked for, or where
    /// that is refused the server's own.
    pub full: bool,
}

/// A page of the two lists that make up a group's grants.
#[derive(Debug)]
pub(crate) enum GroupStep {
    Members(ListPage<models::Member>),
    Roles(ListPage<models::RoleAssignment>),
}

/// An organization and how it is reached. Requests are sent for a call:
/// [`Organization::on`].
#[derive(Debug)]
pub(crate) struct Organization {
    pub client: HttpClient,
    pub base: Url,
    /// Where the account API lies: beside the admin APIs.
    pub account_base: Url,
    pub id: String,
    pub key: Credential,
    /// Send only the requests that the Go connector sends.
    pub go_compatible: bool,
    odd: RunLocal<InvalidValueLog>,
    /// Audit events of a run that name nothing known.
    unknown_events: RunLocal<AtomicU64>,
}

impl Organization {
    pub fn new(
        client: HttpClient,
        base: Url,
        id: String,
        key: Credential,
        go_compatible: bool,
    ) -> Self {
        Self {
            client,
            account_base: beside_admin(&base),
            base,
            id,
            key,
            go_compatible,
            odd: RunLocal::new(),
            unknown_events: RunLocal::new(),
        }
    }

    /// The admin APIs, asked for one call.
    pub fn on(self: &Arc<Self>, call: &Call) -> Api {
        Api {
            organization: Arc::clone(self),
            client: self.client.on(call),
            session: call.session().prefixed("api/"),
            odd: self.odd.of(call, InvalidValueLog::default),
        }
    }

    /// Counts audit events of a run that name nothing known.
    pub fn count_unknown_events(&self, call: &Call, count: u64) {
        let unknown = self.unknown_events.of(call, AtomicU64::default);
        unknown.fetch_add(count, Ordering::Relaxed);
    }

    /// A sentence about the audit events of a run that name nothing known.
    pub fn unknown_events(&self, run: &RunView) -> Option<String> {
        let count = self.unknown_events.in_run(run)?.load(Ordering::Relaxed);
        let events = counted(count, "audit event", "audit events");
        (count > 0).then(|| format!("left out {events} that name nothing known"))
    }

    /// A sentence about the describing values that a run found odd.
    pub fn odd_values(&self, run: &RunView) -> Option<String> {
        self.odd.in_run(run)?.sentence()
    }
}

/// The admin APIs of one organization, asked for one call. Whatever works for
/// the call can have a copy.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    organization: Arc<Organization>,
    client: CallClient,
    /// Keeps which searches are gone.
    session: Session,
    odd: Arc<InvalidValueLog>,
}

impl Api {
    pub fn organization_id(&self) -> &str {
        &self.organization.id
    }

    pub fn go_compatible(&self) -> bool {
        self.organization.go_compatible
    }

    /// Waits for `wait`, unless the call is to end first.
    pub async fn unless_stopped<F: Future>(&self, wait: F) -> Result<F::Output> {
        self.client.unless_stopped(wait).await
    }

    /// The organization itself.
    pub async fn organization(&self) -> Result<models::Organization> {
        let request = self.get(ORGANIZATION, &[])?;
        self.one(&request).await
    }

    /// Any one user: shows whether the key may read users.
    pub async fn any_user(&self) -> Result<()> {
        let at = Position::default();
        let list = self.directory_page::<models::Member>(at, 1, UserQuery::All);
        list.await.map(drop)
    }

    /// A page of all users.
    pub async fn users(&self, token: &str) -> Result<ListPage<models::User>> {
        let list = format!("users of organization `{}`", self.organization_id());
        let fetch = async |at| {
            self.directory_page(at, DIRECTORY_PAGE, UserQuery::All)
                .await
        };
        let page = page(&list, token, fetch).await?;
        self.measured(USERS_SEARCH, DIRECTORY_PAGE, page).await
    }

    /// A page of all groups.
    pub async fn groups(&self, token: &str) -> Result<ListPage<models::Group>> {
        let list = format!("groups of organization `{}`", self.organization_id());
        let fetch = async |at| {
            self.directory_page(at, DIRECTORY_PAGE, self.group_query(None))
                .await
        };
        let page = page(&list, token, fetch).await?;
        self.measured(GROUPS_SEARCH, DIRECTORY_PAGE, page).await
    }

    /// The number of members that the API states for a group; `None` if it
    /// states none.
    pub async fn group_size(&self, id: &str) -> Result<Option<u64>> {
        let begin = Position::default();
        let query = self.group_query(Some(id));
        // Read without what describes it, which counts as odd once only.
        let page: Chunk<OverviewGroup> = self.directory_page(begin, DIRECTORY_PAGE, query).await?;
        let group = page.items.into_iter().find(|group| group.id == id);
        Ok(group.and_then(|group| group.counts?.users))
    }

    fn group_query<'a>(&self, only: Option<&'a str>) -> GroupQuery<'a> {
        GroupQuery {
            only,
            sizes: !self.go_compatible(),
        }
    }

    /// A page of all workspaces.
    pub async fn workspaces(&self, token: &str) -> Result<ListPage<models::Workspace>> {
        let list = format!("workspaces of organization `{}`", self.organization_id());
        let fetch = async |at: Position| {
            let answer: ListAnswer<models::Workspace> = match &at.cursor {
                // With a cursor no other field may be there.
                Some(cursor) => {
                    let body = json!({ "cursor": cursor });
                    self.list(&self.post(WORKSPACES, &body)?).await?
                }
                None if self.go_compatible() => {
                    self.list(&self.post(WORKSPACES, &json!({}))?).await?
                }
                None => {
                    self.sized(WORKSPACES, WORKSPACE_PAGE, |limit| {
                        let body = limit.map_or_else(|| json!({}), |n| json!({ "limit": n }));
                        self.post(WORKSPACES, &body)
                    })
                    .await?
                }
            };
            Ok(chunk(NEWER, answer))
        };
        let page = page(&list, token, fetch).await?;
        self.measured(WORKSPACES, WORKSPACE_PAGE, page).await
    }

    /// A page of all API tokens.
    pub async fn api_tokens(&self, token: &str) -> Result<ListPage<models::ApiToken>> {
        let list = format!("API tokens of organization `{}`", self.organization_id());
        let page = page(&list, token, async |at| self.token_page(&at).await).await?;
        let asked = if self.go_compatible() {
            DIRECTORY_PAGE
        } else {
            TOKEN_PAGE
        };
        self.measured(API_TOKENS, asked, page).await
    }

    async fn token_page(&self, at: &Position) -> Result<Chunk<models::ApiToken>> {
        // The Go connector's `limit` is not known to this endpoint.
        let (name, size) = if self.go_compatible() {
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
            self.sized(API_TOKENS, size, request).await?
        };
        Ok(chunk(NEWER, answer))
    }

    /// A page of a user's effective roles.
    pub async fn user_roles(
        &self,
        user_id: &str,
        token: &str,
    ) -> Result<ListPage<models::RoleAssignment>> {
        let list = format!("roles of user `{user_id}`");
        let fetch = async |at| self.role_page(USER_ROLES, user_id, at, NEWER).await;
        let page = page(&list, token, fetch).await?;
        self.measured(USER_ROLES, DIRECTORY_PAGE, page).await
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
            let page = page(&list, token, fetch).await?;
            let roles = self.measured(GROUP_ROLES, DIRECTORY_PAGE, page).await?;
            return Ok(GroupStep::Roles(roles));
        }
        Ok(GroupStep::Members(self.members(group_id, token).await?))
    }

    /// A page of a group's members. The roles follow the last of them.
    pub async fn members(&self, group_id: &str, token: &str) -> Result<ListPage<models::Member>> {
        let fetch = async |at| {
            let query = UserQuery::MembersOf(group_id);
            let mut chunk = self.directory_page(at, DIRECTORY_PAGE, query).await?;
            chunk.next = chunk.next.or(Some(Position::begin(GROUP_ROLE_STEP)));
            Ok(chunk)
        };
        let page = page(&group_list(group_id), token, fetch).await?;
        self.measured(USERS_SEARCH, DIRECTORY_PAGE, page).await
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
            self.sized(template, DIRECTORY_PAGE, request).await?
        };
        Ok(chunk(step, answer))
    }

    /// The size that later pages ask for: none, since it lives in the cursor;
    /// the Go connector repeats it.
    fn later(&self, size: u32) -> Option<u32> {
        self.go_compatible().then_some(size)
    }

    async fn list<T: Read>(&self, request: &Request) -> Result<ListAnswer<T>> {
        let response = self.client.send(request).await?;
        let invalid = InvalidValues::default();
        let list = answer::list(&response, &invalid);
        self.odd.note(&invalid, request);
        list
    }

    async fn one<T: Read>(&self, request: &Request) -> Result<T> {
        let response = self.client.send(request).await?;
        let invalid = InvalidValues::default();
        let one = answer::one(&response, &invalid);
        self.odd.note(&invalid, request);
        one
    }

    fn get(&self, template: &'static str, params: &[&str]) -> Result<Request> {
        let request = Request::get(&self.organization.base, template, &self.params(params))?;
        Ok(request.credential(&self.organization.key))
    }

    /// A search: a read that happens to be a POST, so it may be repeated.
    fn post(&self, template: &'static str, body: &Value) -> Result<Request> {
        let request = Request::post(&self.organization.base, template, &self.params(&[]))?;
        request
            .credential(&self.organization.key)
            .idempotent(true)
            .json(body)
    }

    fn params<'a>(&'a self, further: &[&'a str]) -> Vec<&'a str> {
        let mut params = vec![self.organization_id()];
        params.extend_from_slice(further);
        params
    }
}

/// The base URL without its last segment `admin`.
fn beside_admin(base: &Url) -> Url {
    let mut beside = base.clone();
    let path = base.path();
    if let Some(path) = path.strip_suffix("/admin") {
        beside.set_path(path);
    }
    beside
}

fn group_list(group_id: &str) -> String {
    format!("members and roles of group `{group_id}`")
}

fn chunk<T>(step: u8, answer: ListAnswer<T>) -> Chunk<T> {
    Chunk {
        total: answer.total,
        items: answer.items,
        next: Position::after(step, Some(answer.next)),
    }
}
