//! What an answer that is no success means, and what the user can do.

use baton_connector::http::{ApiError, ErrorResponse, ReadApiError};

use super::endpoints::{EVENTS_STREAM, is_of_account, is_scim, is_write, scope};
use super::error_body::ErrorBody;

/// Reads the error bodies of the Atlassian APIs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Refusals;

impl ReadApiError for Refusals {
    fn read(&self, answer: &ErrorResponse<'_>) -> ApiError {
        let body = ErrorBody::parse(answer.body);
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        ApiError {
            code: some(&body.code),
            message: some(&body.message),
            vanished: answer.status == 404 && body.means_gone(),
            hint: hint(answer, &body),
            ..ApiError::default()
        }
    }
}

fn hint(answer: &ErrorResponse<'_>, body: &ErrorBody) -> Option<String> {
    if is_scim(answer.endpoint) {
        return hint_of_scim(answer.status, body).map(str::to_owned);
    }
    if is_of_account(answer.endpoint) && matches!(answer.status, 401 | 403 | 429) {
        return Some(hint_of_account(answer.status, body).to_owned());
    }
    if is_write(answer.endpoint) && matches!(answer.status, 401 | 403 | 429) {
        return Some(hint_of_write(answer.status).to_owned());
    }
    let needed = scope(answer.endpoint);
    match answer.status {
        401 => Some(format!(
            "the API key is wrong or expired, or it is a key with scopes that lacks `{needed}`: \
             create one without scopes as an organization admin, and give it with --access-token"
        )),
        403 if answer.endpoint == EVENTS_STREAM => Some(format!(
            "the audit log needs a plan that has one (Atlassian Guard or an Enterprise plan), and a \
             key without scopes or with `{needed}`"
        )),
        403 => Some(format!(
            "the API key may not read this: use a key without scopes, or one with `{needed}`, \
             made by an organization admin"
        )),
        404 if !body.means_gone() => Some(
            "check --organization-id (the id in https://admin.atlassian.com/o/<id>/) and that \
             the API key belongs to that organization"
                .to_owned(),
        ),
        429 => Some(
            "the API's rate limit was hit for too long: run again later; finished pages are kept"
                .to_owned(),
        ),
        _ => None,
    }
}

fn hint_of_write(status: u16) -> &'static str {
    match status {
        401 => {
            "the API key is wrong, expired, or a key with scopes, which may change nothing: create \
             one without scopes as an organization admin, and give it with --access-token"
        }
        403 => "changes need an organization API key without scopes, made by an organization admin",
        _ => "the API's rate limit was hit for too long: run again later",
    }
}

fn hint_of_account(status: u16, body: &ErrorBody) -> &'static str {
    match status {
        403 if names_a_scope(&body.message) => {
            "a key with scopes may not manage accounts: create an organization API key without \
             scopes as an organization admin, and give it with --access-token"
        }
        403 => {
            "an organization can manage the accounts of its verified domains only, with the API \
             key of an organization admin"
        }
        status => hint_of_write(status),
    }
}

/// Whether a refusal names the scope that a key lacks. No key can have it.
pub(crate) fn names_a_scope(message: &str) -> bool {
    message.contains("scope") || message.contains("manage:org")
}

fn hint_of_scim(status: u16, body: &ErrorBody) -> Option<&'static str> {
    match status {
        401 | 403 => Some(
            "the SCIM token is wrong, expired or of another directory: create one for the \
             identity provider at https://admin.atlassian.com, and give it with --scim-token",
        ),
        404 => Some(
            "check --scim-base-url: it is https://api.atlassian.com/scim/directory/<directory id>, \
             as https://admin.atlassian.com shows it for the identity provider",
        ),
        400 if body.message.to_lowercase().contains("domain") => Some(
            "use an address of a domain that is verified for the organization, or verify the \
             domain at https://admin.atlassian.com",
        ),
        429 => Some("the API's rate limit was hit for too long: run again later"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::endpoints::GROUPS_SEARCH;
    use baton_connector::http::Method;

    fn read(status: u16, body: &str) -> ApiError {
        Refusals.read(&ErrorResponse {
            endpoint: GROUPS_SEARCH,
            method: &Method::POST,
            status,
            content_type: Some("application/json"),
            body: body.as_bytes(),
        })
    }

    #[test]
    fn a_refusal_names_the_scope_of_its_endpoint() {
        let refusal = read(
            403,
            r#"{"errors":[{"code":"ADMIN-UAM-403-1","detail":"no"}]}"#,
        );
        assert!(
            refusal
                .hint
                .is_some_and(|hint| hint.contains("read:groups:admin"))
        );
        assert_eq!(refusal.code.as_deref(), Some("ADMIN-UAM-403-1"));
    }

    #[test]
    fn a_refusal_of_a_write_asks_for_a_key_without_scopes() {
        for status in [401, 403] {
            let refusal = Refusals.read(&ErrorResponse {
                endpoint: crate::api::endpoints::MEMBERSHIPS,
                method: &Method::POST,
                status,
                content_type: None,
                body: b"",
            });
            let hint = refusal.hint.unwrap_or_default();
            assert!(hint.contains("without scopes"), "{hint}");
            assert!(!hint.contains("read:"), "{hint}");
        }
    }

    #[test]
    fn a_gateways_404_points_to_the_organization_and_is_nothing_gone() {
        let refusal = read(404, r#"{"status":404,"message":"TCS validation failed"}"#);
        assert!(!refusal.vanished);
        assert!(
            refusal
                .hint
                .is_some_and(|hint| hint.contains("--organization-id"))
        );
        let gone = read(
            404,
            r#"{"errors":[{"code":"ADMIN-404-10","detail":"gone"}]}"#,
        );
        assert!(gone.vanished && gone.hint.is_none());
    }
}
