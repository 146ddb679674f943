//! Writes on accounts as values, and the reads that they go by: invitations,
//! and the account API, which lies beside the admin APIs.

use baton_connector::http::{FieldError, Fields, Method, Request};
use baton_connector::paging::{Position, every_page};
use baton_connector::{Answer, Error, Result, Write};
use serde_json::json;

use super::answer::{self, Read};
use super::directory::UserQuery;
use super::endpoints::{ACCOUNT_DELETE, ACCOUNT_TOKEN, ACCOUNT_TOKENS, INVITE};
use super::models::{ApiToken, User};
use super::{Api, DIRECTORY_PAGE, Organization};

/// The key of an answer that an account is gone.
pub(crate) const NO_ACCOUNT: &str = "accountNotFound";

/// The id that an invitation gave.
struct Invited(String);

impl Read for Invited {
    fn read(fields: &Fields<'_>) -> std::result::Result<Self, FieldError> {
        fields.id("id").map(Self)
    }
}

/// A token of one account.
struct TokenId(String);

impl Read for TokenId {
    fn read(fields: &Fields<'_>) -> std::result::Result<Self, FieldError> {
        fields.id("id").map(Self)
    }
}

impl Organization {
    /// Invites a person; `kept` gets the account id. A second one may send a
    /// second e-mail, so a lost answer is read back.
    pub fn write_invitation(&self, email: &str, kept: Answer<String>) -> Result<Write> {
        let body = json!({ "emails": [email] });
        let request = Request::post(&self.base, INVITE, &[&self.id])?
            .credential(&self.key)
            .json(&body)?;
        Ok(Write::http_read(&self.client, request, move |response| {
            let invalid = baton_connector::http::InvalidValues::default();
            let list = answer::list::<Invited>(response, &invalid)?;
            if let Some(Invited(id)) = list.items.into_iter().next() {
                kept.keep(id);
            }
            Ok(())
        }))
    }

    /// Schedules the deletion of an account. A second one may be refused, so a
    /// lost answer is read back.
    pub fn write_deletion(&self, user: &str) -> Result<Write> {
        let request = Request::post(&self.account_base, ACCOUNT_DELETE, &[user])?;
        Ok(Write::http(&self.client, request.credential(&self.key)))
    }

    /// Revokes one token of an account.
    pub fn write_revocation(&self, owner: &str, token: &str) -> Result<Write> {
        let params = [owner, token];
        let request = Request::new(Method::DELETE, &self.account_base, ACCOUNT_TOKEN, &params)?;
        let write = Write::http(&self.client, request.credential(&self.key));
        Ok(write.repeatable())
    }
}

impl Api {
    /// The user with this e-mail address, as far as the first page of a search
    /// shows.
    pub async fn user_with_email(&self, email: &str) -> Result<Option<User>> {
        let query = UserQuery::WithEmail(email);
        let page = self.directory_page::<User>(Position::default(), DIRECTORY_PAGE, query);
        let found = page.await?.items.into_iter();
        // The filter may be ignored, and the older list searches names, too.
        let mut found = found.filter(|user| {
            let own = user.email.as_deref();
            own.is_some_and(|own| own.to_lowercase() == email.to_lowercase())
        });
        Ok(found.next())
    }

    /// The ids of an account's tokens; `None` if there is no such account.
    pub async fn tokens_of(&self, owner: &str) -> Result<Option<Vec<String>>> {
        let base = &self.organization.account_base;
        let request = Request::get(base, ACCOUNT_TOKENS, &[owner])?;
        let request = request.credential(&self.organization.key);
        match self.client.send(&request).await {
            Ok(response) => {
                let tokens: Vec<TokenId> = answer::bare_list(&response, None)?;
                Ok(Some(tokens.into_iter().map(|TokenId(id)| id).collect()))
            }
            Err(error) if names_no_account(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A token of the organization by its id, found in the list of all.
    pub async fn api_token(&self, id: &str) -> Result<Option<ApiToken>> {
        let mut found = None;
        let list = format!("API tokens of organization `{}`", self.organization_id());
        let fetch = |at: Position| async move { self.token_page(&at).await };
        every_page(
            list,
            fetch,
            |token: &ApiToken| &token.id,
            |tokens| {
                let own = tokens.into_iter().find(|token| token.id == id);
                found = found.take().or(own);
            },
        )
        .await?;
        Ok(found)
    }
}

/// Whether the account API answers that there is no such account.
pub(crate) fn names_no_account(error: &Error) -> bool {
    error.status() == Some(404) && api_code(error) == NO_ACCOUNT
}

/// The code of an error answer; empty if it has none.
pub(crate) fn api_code(error: &Error) -> &str {
    let request = error.request();
    request
        .and_then(|request| request.api_code.as_deref())
        .unwrap_or_default()
}
