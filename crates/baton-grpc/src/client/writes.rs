//! The calls that write: each is one write of a described change, so it is recorded,
//! is not sent in a dry run, and is sent once.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use baton_connector::{
    Accounts, Answer, Answered, Call, Change, Code, Creating, Credentials, Deleted, Deleting,
    Error, Granted, Held, Operation, Provisioning, Result, Revoked, Write, v2,
};
use baton_proto::any;
use bytes::Bytes;
use prost::Message;
use v2::create_account_response as account;

use super::{RemoteConnector, decoded};
use crate::method::Method;
use crate::methods::connector_v2::{
    account_manager_service, credential_manager_service, grant_manager_service,
    resource_manager_service,
};

/// A write on its way.
pub(super) struct Writing<'a, Q, A> {
    pub operation: Operation,
    /// What the change is about; the write is added to it.
    pub change: Change,
    pub method: Method<Q, A>,
    pub request: &'a Q,
    /// Whether an answer means that things were as wanted already.
    pub already: fn(&A) -> bool,
    /// Ids of what was made.
    pub ids: fn(&A) -> Vec<String>,
    /// Why nothing was made, if an answer reports a failure.
    pub failure: fn(&A) -> Option<String>,
    /// Time for the answer beyond the time limit of a call.
    pub wait: Duration,
}

impl<'a, Q, A> Writing<'a, Q, A> {
    pub(super) fn new(operation: Operation, method: Method<Q, A>, request: &'a Q) -> Self {
        Self {
            operation,
            change: Change::create(),
            method,
            request,
            already: |_| false,
            ids: |_| Vec::new(),
            failure: |_| None,
            wait: Duration::ZERO,
        }
    }
}

impl RemoteConnector {
    /// The answer to a write; `None` in a dry run.
    pub(super) async fn write<Q, A>(
        &self,
        call: &Call,
        writing: Writing<'_, Q, A>,
    ) -> Result<Option<A>>
    where
        Q: Message,
        A: Message + Default + 'static,
    {
        let Writing {
            operation,
            change,
            method,
            request,
            already,
            ids,
            failure,
            wait,
        } = writing;
        let path = method.path();
        let message = Bytes::from(request.encode_to_vec());
        let (unary, settings) = (Arc::clone(&self.unary), Arc::new(self.settings.clone()));
        let doing = format!(
            "call {} of the connector at {}",
            path.trim_start_matches('/'),
            settings.peer
        );
        let limit = settings.call_timeout.saturating_add(wait);
        let answer = Answer::new();
        let (kept, failed) = (answer.clone(), answer.clone());
        let send = move |call: Call| {
            let (unary, settings) = (Arc::clone(&unary), Arc::clone(&settings));
            let (message, kept) = (message.clone(), kept.clone());
            async move {
                if call.stop().is_cancelled() {
                    return Err(Call::stopped_error());
                }
                let answered = unary.call(path, message, limit).await;
                let answered = answered.map_err(|failure| {
                    let open = failure.leaves_outcome_open();
                    let error = failure.into_error(&settings.peer);
                    if open {
                        error.with_outcome_open()
                    } else {
                        error
                    }
                })?;
                let message: A = decoded(&answered, path).map_err(Error::with_outcome_open)?;
                let (already, failure) = (already(&message), failure(&message));
                kept.keep(message);
                match failure {
                    Some(failure) => Err(Error::stated(Code::Unknown, failure)),
                    None => Ok(already),
                }
            }
        };
        let change = change.write(Write::remote(doing, send));
        let creation = change.gives(move |_call, _made| async move {
            let missing = || Error::stated(Code::Internal, "the connector's answer is missing");
            answer.take().ok_or_else(missing)
        });
        match creation.carry_out(call, operation, ids).await {
            Err(error) => match failed.take() {
                // It is recorded as failed, and is an answer all the same.
                Some(answer) if failure(&answer).is_some() => Ok(Some(answer)),
                _ => Err(error),
            },
            made => made,
        }
    }
}

/// Type and id of a resource, as records have them.
fn id_of(resource: Option<&v2::Resource>) -> Vec<String> {
    let id = resource.and_then(|resource| resource.id.as_ref());
    let id = id.filter(|id| !id.resource.is_empty());
    let id = id.map(|id| format!("{}:{}", id.resource_type, id.resource));
    id.into_iter().collect()
}

#[async_trait]
impl Provisioning for RemoteConnector {
    async fn grant(
        &self,
        call: &Call,
        entitlement: &v2::Entitlement,
        principal: &v2::Resource,
    ) -> Result<Granted> {
        let request = v2::GrantManagerServiceGrantRequest {
            entitlement: Some(entitlement.clone()),
            principal: Some(principal.clone()),
            annotations: call.annotations().to_vec(),
        };
        let mut writing = Writing::new(Operation::Grant, grant_manager_service::GRANT, &request);
        writing.already = |answer| any::contains::<v2::GrantAlreadyExists>(&answer.annotations);
        writing.ids = |answer| answer.grants.iter().map(|grant| grant.id.clone()).collect();
        let answer = self.write(call, writing).await?.unwrap_or_default();
        Ok(Granted {
            grants: answer.grants,
            annotations: answer.annotations,
        })
    }

    async fn revoke(&self, call: &Call, grant: &v2::Grant) -> Result<Revoked> {
        let request = v2::GrantManagerServiceRevokeRequest {
            grant: Some(grant.clone()),
            annotations: call.annotations().to_vec(),
        };
        let mut writing = Writing::new(Operation::Revoke, grant_manager_service::REVOKE, &request);
        // Whether it is held, only the connector knows: it is asked in any case.
        writing.change = Change::revoke(grant.id.clone(), Held::directly());
        writing.already = |answer| any::contains::<v2::GrantAlreadyRevoked>(&answer.annotations);
        let answer = self.write(call, writing).await?.unwrap_or_default();
        Ok(Revoked {
            annotations: answer.annotations,
        })
    }
}

#[async_trait]
impl Deleting for RemoteConnector {
    async fn delete(&self, call: &Call, resource: &v2::Resource) -> Result<Deleted> {
        let request = v2::DeleteResourceRequest {
            resource_id: resource.id.clone(),
            parent_resource_id: resource.parent_resource_id.clone(),
        };
        let method = resource_manager_service::DELETE_RESOURCE;
        let mut writing = Writing::new(Operation::Delete, method, &request);
        writing.already = |answer| any::contains::<v2::ResourceDoesNotExist>(&answer.annotations);
        let answer = self.write(call, writing).await?.unwrap_or_default();
        Ok(Deleted {
            annotations: answer.annotations,
        })
    }
}

#[async_trait]
impl Creating for RemoteConnector {
    async fn create(&self, call: &Call, resource: &v2::Resource) -> Result<Option<v2::Resource>> {
        let request = v2::CreateResourceRequest {
            resource: Some(resource.clone()),
        };
        let method = resource_manager_service::CREATE_RESOURCE;
        let mut writing = Writing::new(Operation::CreateResource, method, &request);
        writing.ids = |answer| id_of(answer.created.as_ref());
        let answer = self.write(call, writing).await?;
        Ok(answer.and_then(|answer| answer.created))
    }
}

/// The account of an answer, as far as it is there.
fn account_of(result: Option<&account::Result>) -> Option<&v2::Resource> {
    match result? {
        account::Result::Success(result) => result.resource.as_ref(),
        account::Result::ActionRequired(result) => result.resource.as_ref(),
        account::Result::AlreadyExists(result) => result.resource.as_ref(),
        account::Result::InProgress(result) => result.resource.as_ref(),
    }
}

fn answered<T>(response: T) -> Answered<T> {
    // Warnings do not cross a process boundary.
    Answered {
        response,
        warnings: Vec::new(),
    }
}

#[async_trait]
impl Accounts for RemoteConnector {
    async fn create_account(
        &self,
        call: &Call,
        request: &v2::CreateAccountRequest,
    ) -> Result<Answered<v2::CreateAccountResponse>> {
        let method = account_manager_service::CREATE_ACCOUNT;
        let mut writing = Writing::new(Operation::CreateAccount, method, request);
        writing.already = |answer| matches!(answer.result, Some(account::Result::AlreadyExists(_)));
        writing.ids = |answer| id_of(account_of(answer.result.as_ref()));
        let answer = self.write(call, writing).await?;
        Ok(answered(answer.unwrap_or_default()))
    }
}

#[async_trait]
impl Credentials for RemoteConnector {
    async fn rotate(
        &self,
        call: &Call,
        request: &v2::RotateCredentialRequest,
    ) -> Result<Answered<v2::RotateCredentialResponse>> {
        let method = credential_manager_service::ROTATE_CREDENTIAL;
        let writing = Writing::new(Operation::RotateCredential, method, request);
        let answer = self.write(call, writing).await?;
        Ok(answered(answer.unwrap_or_default()))
    }

    async fn issue(
        &self,
        call: &Call,
        request: &v2::IssueCredentialRequest,
    ) -> Result<Answered<v2::IssueCredentialResponse>> {
        let method = credential_manager_service::ISSUE_CREDENTIAL;
        let mut writing = Writing::new(Operation::IssueCredential, method, request);
        writing.ids = |answer| id_of(answer.secret.as_ref());
        let answer = self.write(call, writing).await?;
        Ok(answered(answer.unwrap_or_default()))
    }
}
