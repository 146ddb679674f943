//! The directory of an identity provider: people who are provisioned over SCIM,
//! with a base URL and a token of its own.

use baton_connector::http::{Credential, FieldError, Fields, HttpClient, Request};
use baton_connector::{Answer, Call, Result, Write};
use serde_json::{Value, json};
use url::Url;

use super::answer::{self, Read};
use super::endpoints::{SCIM_USER, SCIM_USERS};

/// Where a record names its Atlassian account.
const ACCOUNT_EXTENSION: &str = "urn:scim:schemas:extension:atlassian-external:1.0";

/// Largest page of records (`atlassian-api.md` §11).
const PAGE: &str = "100";

/// A record of the directory.
#[derive(Debug, Clone)]
pub(crate) struct ScimUser {
    /// The record's own id, which is never an account id.
    pub id: String,
    pub user_name: String,
    /// Absent until Atlassian has linked an account.
    pub account_id: Option<String>,
    pub active: bool,
    pub display_name: Option<String>,
    pub email: Option<String>,
}

impl Read for ScimUser {
    fn read(fields: &Fields<'_>) -> std::result::Result<Self, FieldError> {
        let account = fields.part(ACCOUNT_EXTENSION);
        let account_id = account.and_then(|account| account.reference("atlassianAccountId"));
        let emails = fields.parts("emails").unwrap_or_default();
        let mut primary = emails
            .iter()
            .filter(|email| email.flag("primary") == Some(true));
        let email = primary.next().or(emails.first());
        Ok(Self {
            id: fields.id("id")?,
            user_name: fields.text("userName").unwrap_or_default(),
            account_id: account_id.filter(|id| !id.is_empty()),
            active: fields.flag("active").unwrap_or(true),
            display_name: fields.text("displayName"),
            email: email.and_then(|email| email.text("value")),
        })
    }
}

/// The directory, and how it is reached.
#[derive(Debug)]
pub(crate) struct IdentityProvider {
    pub client: HttpClient,
    pub base: Url,
    pub token: Credential,
}

impl IdentityProvider {
    /// Creates a record; `kept` gets it as the answer shows it. A repetition is
    /// refused, so a lost answer is read back.
    pub fn write_user(&self, body: &Value, kept: Answer<ScimUser>) -> Result<Write> {
        let request = Request::post(&self.base, SCIM_USERS, &[])?.credential(&self.token);
        let write = Write::http_read(&self.client, request.json(body)?, move |response| {
            kept.keep(answer::written(response)?);
            Ok(())
        });
        Ok(write)
    }

    /// The record with this name, in whatever case.
    pub async fn by_user_name(&self, call: &Call, name: &str) -> Result<Option<ScimUser>> {
        // A JSON text is what the filter's grammar calls a string.
        let filter = format!("userName eq {}", json!(name));
        let request = Request::get(&self.base, SCIM_USERS, &[])?
            .credential(&self.token)
            .query("filter", &filter)
            .query("count", PAGE);
        let response = self.client.on(call).send(&request).await?;
        let records: Vec<ScimUser> = answer::bare_list(&response, Some("Resources"))?;
        // The filter may be ignored. Names outside ASCII may be cased by other rules.
        let is_named = |record: &ScimUser| {
            record.user_name == name || record.user_name.to_lowercase() == name.to_lowercase()
        };
        Ok(records.into_iter().find(is_named))
    }

    /// The record with this id.
    pub async fn by_id(&self, call: &Call, id: &str) -> Result<ScimUser> {
        let request = Request::get(&self.base, SCIM_USER, &[id])?.credential(&self.token);
        let response = self.client.on(call).send(&request).await?;
        answer::bare(&response)
    }
}
