//! Accounts and credentials.

use std::sync::Arc;

use baton_connector::Error;
use baton_proto::c1::connector::v2;

use super::changes::refused;
use super::shared::Shared;
use super::texts::{failed, invalid, unimplemented};
use crate::methods::connector_v2::{account_manager_service, credential_manager_service};
use crate::{Context, Router, Status};

const NO_ISSUER: &str = "resource type does not have credential issuer configured";
const NO_MANAGER: &str = "resource type does not have credential manager configured";

pub(crate) fn refuse(router: &mut Router) {
    let status = refused();
    router.refuse(account_manager_service::CREATE_ACCOUNT, &status);
    router.refuse(credential_manager_service::ROTATE_CREDENTIAL, &status);
    router.refuse(credential_manager_service::ISSUE_CREDENTIAL, &status);
}

pub(crate) fn add(router: &mut Router, shared: &Arc<Shared>) {
    macro_rules! write {
        ($method:expr, $serve:expr) => {{
            let shared = Arc::clone(shared);
            router.write($method, move |request, context| {
                let shared = Arc::clone(&shared);
                async move { ($serve)(&*shared, request, &context).await }
            });
        }};
    }
    write!(account_manager_service::CREATE_ACCOUNT, create_account);
    write!(credential_manager_service::ROTATE_CREDENTIAL, rotate);
    write!(credential_manager_service::ISSUE_CREDENTIAL, issue);
}

/// What a recipient did not get is known only here; the response has no place for
/// it.
fn log(warnings: &[String]) {
    for warning in warnings {
        tracing::warn!("{warning}");
    }
}

async fn create_account(
    shared: &Shared,
    request: v2::CreateAccountRequest,
    context: &Context,
) -> Result<v2::CreateAccountResponse, Status> {
    let connector = &shared.connector;
    let call = shared.call_with_secrets(context);
    let error = match connector.accounts() {
        Some(accounts) => match accounts.create_account(&call, &request).await {
            Ok(answered) => {
                log(&answered.warnings);
                return Ok(answered.response);
            }
            Err(Error::Unimplemented { .. }) => None,
            Err(error) => Some(error),
        },
        None => None,
    };
    if let Some(error) = error {
        return Err(failed("error: create account failed: ", &error));
    }
    let mut text = "connector does not have account manager configured".to_owned();
    if !request.resource_type_id.is_empty() && has_accounts(shared, &call).await {
        text.push_str(" for resource type: ");
        text.push_str(&request.resource_type_id);
    }
    Err(unimplemented(text))
}

/// Whether any type of the connector has accounts.
async fn has_accounts(shared: &Shared, call: &baton_connector::Call) -> bool {
    let metadata = shared.connector.metadata(call).await.unwrap_or_default();
    let all = metadata.capabilities.unwrap_or_default();
    let wanted = i32::from(v2::Capability::AccountProvisioning);
    all.connector_capabilities.contains(&wanted)
}

async fn rotate(
    shared: &Shared,
    request: v2::RotateCredentialRequest,
    context: &Context,
) -> Result<v2::RotateCredentialResponse, Status> {
    let id = request.resource_id.as_ref();
    let type_id = id.map_or("", |id| id.resource_type.as_str());
    let credentials = shared.connector.credentials();
    let credentials = credentials.filter(|_| !type_id.is_empty());
    let credentials = credentials.ok_or_else(|| unimplemented(NO_MANAGER))?;
    let call = shared.call_with_secrets(context);
    match credentials.rotate(&call, &request).await {
        Ok(answered) => {
            log(&answered.warnings);
            Ok(answered.response)
        }
        Err(Error::Unimplemented { .. }) => Err(unimplemented(NO_MANAGER)),
        Err(error) => Err(failed(
            "error: rotate credentials on resource failed: ",
            &error,
        )),
    }
}

async fn issue(
    shared: &Shared,
    request: v2::IssueCredentialRequest,
    context: &Context,
) -> Result<v2::IssueCredentialResponse, Status> {
    if request.identity_id.is_none() {
        return Err(invalid("identity id is required"));
    }
    let credentials = shared.connector.credentials();
    let credentials = credentials.ok_or_else(|| unimplemented(NO_ISSUER))?;
    let call = shared.call_with_secrets(context);
    match credentials.issue(&call, &request).await {
        Ok(answered) => {
            log(&answered.warnings);
            Ok(answered.response)
        }
        Err(Error::Unimplemented { .. }) => Err(unimplemented(NO_ISSUER)),
        Err(error) => Err(failed(
            "error: issue credential for identity failed: ",
            &error,
        )),
    }
}
