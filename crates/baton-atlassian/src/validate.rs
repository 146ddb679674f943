//! The check before a sync: real calls that tell a wrong key from a missing
//! scope from a wrong organization, each with its own advice.

use baton_connector::{Error, Result};
use baton_proto::Code;

use crate::api::Api;

/// Whether the key was refused, as opposed to any other failure.
fn is_refusal(error: &Error) -> bool {
    matches!(error.status(), Some(401 | 403))
}

/// Reads the organization; when the key is refused there, asks for one user,
/// which distinguishes a wrong key from one that lacks a scope.
pub(crate) async fn validate(api: &Api) -> Result<()> {
    let id = api.organization_id();
    let Err(error) = api.organization().await else {
        return Ok(());
    };
    if error.status() == Some(404) {
        return Err(error
            .during(format!("there is no organization `{id}` for this API key"))
            .with_hint(
                "check --organization-id: it is the id in https://admin.atlassian.com/o/<id>/, \
                 and the API key must belong to that organization",
            ));
    }
    if !is_refusal(&error) || api.go_compatible() {
        return Err(error.during(format!("cannot read organization `{id}`")));
    }
    match api.any_user().await {
        Ok(()) => Err(Error::stated(
            error.code(),
            format!("the API key may read users, but not organization `{id}`"),
        )
        .with_hint(
            "the key lacks the scope `read:orgs:admin`: add it, or create a key without scopes",
        )),
        Err(second) if is_refusal(&second) => {
            Err(error.during("the API key was refused").with_hint(
                "it is wrong, expired or of another kind: an organization admin creates an \
                 organization API key without scopes at https://admin.atlassian.com (Settings, \
                 API keys); give it with --access-token",
            ))
        }
        // Another failure is not about the key.
        Err(second) => Err(second.during(format!(
            "cannot find out why organization `{id}` may not be read ({})",
            Code::PermissionDenied
        ))),
    }
}
