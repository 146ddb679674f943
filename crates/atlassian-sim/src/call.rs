//! One request as the endpoint handlers see it: matched, authenticated, decoded.

use std::time::Duration;

use jiff::Timestamp;

use crate::audit::Audit;
use crate::config::{Answers, Paging, Writes};
use crate::cursor::CursorSeal;
use crate::endpoint::Endpoint;
use crate::errors::ApiError;
use crate::model::scim::ScimAccountId;
use crate::model::{Organization, Scope};
use crate::query::Query;

#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub endpoint: &'static Endpoint,
    /// Values of the path's placeholders.
    pub params: &'a [(&'static str, String)],
    pub query: Query,
    pub body: &'a [u8],
    pub now: Timestamp,
    /// Time on the simulator's clock.
    pub elapsed: Duration,
    pub seed: u64,
    pub seal: &'a CursorSeal,
    pub paging: &'a Paging,
    pub answers: &'a Answers,
    pub writes: &'a Writes,
    pub audit: &'a Audit,
    /// How often cursors of the stream were forgotten.
    pub forgotten: u32,
    pub scim_account_id: ScimAccountId,
    /// Belongs to another organization.
    pub foreign: bool,
    /// Scheme, host and path of the request, for links that are URLs.
    pub url: String,
}

impl Call<'_> {
    pub(crate) fn param(&self, name: &str) -> &str {
        self.params
            .iter()
            .find(|(n, _)| *n == name)
            .map_or("", |(_, v)| v.as_str())
    }

    /// The date of a moment on the simulator's clock.
    pub(crate) fn date_of(&self, elapsed: Duration) -> Timestamp {
        let ago = self.elapsed.saturating_sub(elapsed);
        self.now.saturating_sub(ago).unwrap_or(self.now)
    }

    /// How long a cursor of this request is valid; `None`: for ever.
    pub(crate) fn cursor_lifetime(&self) -> Option<Duration> {
        if self.endpoint.cursors_last {
            self.audit.cursor_lifetime
        } else {
            Some(self.paging.cursor_lifetime)
        }
    }

    /// What cursors of this request are bound to.
    pub(crate) fn binding(&self) -> String {
        let mut text = self.endpoint.name.to_owned();
        for (_, value) in self.params {
            text.push('|');
            text.push_str(value);
        }
        if self.endpoint.cursors_last {
            text.push('|');
            text.push_str(&self.forgotten.to_string());
        }
        text
    }

    /// The directories that the path names.
    pub(crate) fn scope(&self, org: &Organization) -> Result<Scope, ApiError> {
        match self.param("directory") {
            "-" => Ok(Scope::All),
            id => org
                .find_directory(id)
                .map(Scope::One)
                .ok_or_else(|| ApiError::unknown("ADMIN-UAM-404-1", "directory", id)),
        }
    }

    /// The request's own URL with the given cursor as its query.
    pub(crate) fn url_with_cursor(&self, cursor: &str) -> String {
        use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
        format!(
            "{}?cursor={}",
            self.url,
            utf8_percent_encode(cursor, NON_ALPHANUMERIC)
        )
    }

    /// The body as a JSON object; an empty one is an empty object.
    pub(crate) fn json_object(
        &self,
    ) -> Result<serde_json::Map<String, serde_json::Value>, ApiError> {
        if self.body.iter().all(u8::is_ascii_whitespace) {
            return Ok(serde_json::Map::new());
        }
        serde_json::from_slice(self.body)
            .map_err(|_| ApiError::bad_body("the body is not a JSON object"))
    }
}
