//! Users and groups: by search, or by the older list with the same content
//! where the search is gone. Which of the two a sync goes by is found out by
//! asking, and kept in the sync's session, also for a run that resumes it.

use baton_connector::paging::{Chunk, Position};
use baton_connector::{Error, Result};
use baton_proto::Code;
use serde_json::{Value, json};

use super::answer::Read;
use super::endpoints::{GROUPS, GROUPS_SEARCH, USERS, USERS_SEARCH};
use super::error_body::is_api_code;
use super::{Api, NEWER, OLDER, chunk};

impl Api {
    /// A page of users or groups: by search, or by the older list where the
    /// search is gone (or not wanted).
    pub(super) async fn directory_page<T: Read>(
        &self,
        at: Position,
        size: u32,
        query: impl DirectoryQuery,
    ) -> Result<Chunk<T>> {
        let begins = at.cursor.is_none();
        let older = if begins {
            self.go_compatible() || self.is_search_gone(&query).await?
        } else {
            // A cursor belongs to the generation that gave it.
            at.step == OLDER
        };
        if older {
            return self.list_page(&at, size, &query).await;
        }
        match self.search_page(&at, size, &query).await {
            Err(error) if may_be_gone(&error, query.group_id().is_none()) => {
                let first = self.list_page(&Position::default(), size, &query).await;
                let chunk = match first {
                    Ok(chunk) => chunk,
                    // The first error stands.
                    Err(second) => {
                        let both = "neither the search nor the older list can be used";
                        return Err(error.during(format!("{both} ({second})")));
                    }
                };
                self.remember_gone(&query).await?;
                tracing::info!(
                    endpoint = query.search(),
                    "the search endpoint is not there: using the older list"
                );
                if begins {
                    return Ok(chunk);
                }
                // What the search gave so far cannot be continued.
                Err(Error::stated(
                    Code::OutOfRange,
                    format!("`{}` is gone: the list begins again", query.search()),
                ))
            }
            other => other,
        }
    }

    /// Whether the sync has found out that the search is gone.
    async fn is_search_gone(&self, query: &impl DirectoryQuery) -> Result<bool> {
        match self.session.get(query.search()).await {
            Ok(mark) => Ok(mark.is_some()),
            // Outside a sync nothing is kept.
            Err(error) if error.code() == Code::FailedPrecondition => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn remember_gone(&self, query: &impl DirectoryQuery) -> Result<()> {
        match self.session.set(query.search(), "gone").await {
            Err(error) if error.code() != Code::FailedPrecondition => Err(error),
            _ => Ok(()),
        }
    }

    pub(super) async fn search_page<T: Read>(
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
                self.sized(query.search(), size, |limit| {
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

    async fn list_page<T: Read>(
        &self,
        at: &Position,
        size: u32,
        query: &impl DirectoryQuery,
    ) -> Result<Chunk<T>> {
        let cursor = at.cursor.as_deref();
        let request = |limit: Option<u32>| {
            let request = self.get(query.list(), &[])?.maybe_query("cursor", cursor);
            let mut request = request.maybe_query("groupIds", query.group_id());
            for (name, value) in query.filters() {
                request = request.query(name, value);
            }
            let sizes = query.with_sizes().then_some("true");
            let request = request.maybe_query("counts.includeUsers", sizes);
            Ok(request.maybe_query("limit", limit.map(|n| n.to_string()).as_deref()))
        };
        let answer = if cursor.is_some() {
            self.list(&request(self.later(size))?).await?
        } else {
            self.sized(query.search(), size, request).await?
        };
        Ok(chunk(OLDER, answer))
    }
}

/// A search endpoint and the older list with the same content.
pub(super) trait DirectoryQuery {
    fn search(&self) -> &'static str;
    fn list(&self) -> &'static str;
    /// The search's body, without paging.
    fn body(&self) -> Value;
    fn group_id(&self) -> Option<&str>;
    /// Further filters of the older list; the search has them in its body.
    fn filters(&self) -> Vec<(&'static str, &str)> {
        Vec::new()
    }
    /// Whether groups are to say how many members they have.
    fn with_sizes(&self) -> bool {
        false
    }
}

pub(super) enum UserQuery<'a> {
    All,
    MembersOf(&'a str),
    /// The older list searches names, too.
    WithEmail(&'a str),
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
            Self::WithEmail(email) => json!({ "emails": [email] }),
        }
    }

    fn group_id(&self) -> Option<&str> {
        match self {
            Self::All | Self::WithEmail(_) => None,
            Self::MembersOf(group) => Some(group),
        }
    }

    fn filters(&self) -> Vec<(&'static str, &str)> {
        match self {
            Self::All | Self::MembersOf(_) => Vec::new(),
            Self::WithEmail(email) => vec![("searchTerm", email)],
        }
    }
}

/// All groups, or one.
pub(super) struct GroupQuery<'a> {
    pub(super) only: Option<&'a str>,
    /// The groups are to say how many members they have.
    pub(super) sizes: bool,
}

impl DirectoryQuery for GroupQuery<'_> {
    fn search(&self) -> &'static str {
        GROUPS_SEARCH
    }

    fn list(&self) -> &'static str {
        GROUPS
    }

    fn body(&self) -> Value {
        let mut body = json!({});
        if self.sizes {
            body["expand"] = json!(["counts.users"]);
        }
        if let Some(id) = self.only {
            body["groupIds"] = json!([id]);
        }
        body
    }

    fn group_id(&self) -> Option<&str> {
        self.only
    }

    fn with_sizes(&self) -> bool {
        self.sizes
    }
}

/// Whether a failure can mean that the search endpoint itself is gone. A 404
/// with a code of the API is about what was asked for: on a list of one object
/// that object, on the list of all only where its text is "unknown resource".
pub(super) fn may_be_gone(error: &Error, is_root: bool) -> bool {
    let code = error
        .request()
        .and_then(|request| request.api_code.as_deref())
        .filter(|code| is_api_code(code));
    match (error.status(), code) {
        (Some(405 | 410 | 501), _) | (Some(404), None) => true,
        (Some(404), Some("ADMIN-404-1" | "ADMIN-UAM-404-1")) => is_root,
        _ => false,
    }
}
