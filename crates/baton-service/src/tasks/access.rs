//! Grants and revokes.

use baton_grpc::methods::connector_v2::grant_manager_service::{GRANT, REVOKE};
use baton_proto::c1::connector::v2;
use baton_proto::c1::connectorapi::baton::v1::task::{GrantTask, RevokeTask};

use super::Calls;
use super::answers::{answered, wrong};
use crate::finish::{Failure, Outcome};

pub(crate) async fn grant(calls: &Calls<'_>, task: &GrantTask) -> Result<Outcome, Failure> {
    let (Some(entitlement), Some(principal)) = (&task.entitlement, &task.principal) else {
        return Err(wrong("malformed grant task"));
    };
    let request = v2::GrantManagerServiceGrantRequest {
        entitlement: Some(entitlement.clone()),
        principal: Some(principal.clone()),
        annotations: Vec::new(),
    };
    let answer = calls.change(GRANT, &request).await?;
    Ok(answered(&answer, answer.annotations.clone()))
}

pub(crate) async fn revoke(calls: &Calls<'_>, task: &RevokeTask) -> Result<Outcome, Failure> {
    let Some(grant) = &task.grant else {
        return Err(wrong("invalid task type"));
    };
    let request = v2::GrantManagerServiceRevokeRequest {
        grant: Some(grant.clone()),
        annotations: Vec::new(),
    };
    let answer = calls.change(REVOKE, &request).await?;
    Ok(answered(&answer, answer.annotations.clone()))
}
