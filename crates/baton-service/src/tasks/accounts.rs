//! Accounts and credentials. Secrets are encrypted to the recipients of the task only.

use baton_grpc::methods::connector_v2::account_manager_service::CREATE_ACCOUNT;
use baton_grpc::methods::connector_v2::credential_manager_service::{
    ISSUE_CREDENTIAL, ROTATE_CREDENTIAL,
};
use baton_proto::c1::connector::v2;
use baton_proto::c1::connectorapi::baton::v1::task::{
    CreateAccountTask, IssueCredentialTask, RotateCredentialsTask,
};

use super::Calls;
use super::answers::{answered, wrong};
use crate::finish::{Failure, Outcome};

pub(crate) async fn create(
    calls: &Calls<'_>,
    task: &CreateAccountTask,
) -> Result<Outcome, Failure> {
    if task.account_info.is_none() {
        return Err(wrong("malformed create account task"));
    }
    let request = v2::CreateAccountRequest {
        account_info: task.account_info.clone(),
        credential_options: task.credential_options.clone(),
        encryption_configs: task.encryption_configs.clone(),
        resource_type_id: task.resource_type_id.clone(),
    };
    let answer = calls.change(CREATE_ACCOUNT, &request).await?;
    Ok(answered(&answer, answer.annotations.clone()))
}

pub(crate) async fn rotate(
    calls: &Calls<'_>,
    task: &RotateCredentialsTask,
) -> Result<Outcome, Failure> {
    if task.resource_id.is_none() {
        return Err(wrong("malformed rotate credentials task"));
    }
    let request = v2::RotateCredentialRequest {
        resource_id: task.resource_id.clone(),
        credential_options: task.credential_options.clone(),
        encryption_configs: task.encryption_configs.clone(),
    };
    let answer = calls.change(ROTATE_CREDENTIAL, &request).await?;
    Ok(answered(&answer, answer.annotations.clone()))
}

pub(crate) async fn issue(
    calls: &Calls<'_>,
    task: &IssueCredentialTask,
) -> Result<Outcome, Failure> {
    let complete = task.identity_id.is_some()
        && task.credential_options.is_some()
        && !task.encryption_configs.is_empty();
    if !complete {
        return Err(wrong("malformed issue credential task"));
    }
    let request = v2::IssueCredentialRequest {
        identity_id: task.identity_id.clone(),
        credential_options: task.credential_options.clone(),
        encryption_configs: task.encryption_configs.clone(),
        // A task that is handed out again asks for the same credential.
        request_id: calls.task_id.to_owned(),
        expires_at: task.expires_at,
    };
    let answer = calls.change(ISSUE_CREDENTIAL, &request).await?;
    Ok(answered(&answer, answer.annotations.clone()))
}
