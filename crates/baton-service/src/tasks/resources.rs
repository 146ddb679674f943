//! Creation and deletion of resources.

use baton_grpc::methods::connector_v2::resource_manager_service::{
    CREATE_RESOURCE, DELETE_RESOURCE,
};
use baton_proto::c1::connector::v2;
use baton_proto::c1::connectorapi::baton::v1::task::{CreateResourceTask, DeleteResourceTask};

use super::Calls;
use super::answers::{answered, wrong};
use crate::finish::{Failure, Outcome};

pub(crate) async fn create(
    calls: &Calls<'_>,
    task: &CreateResourceTask,
) -> Result<Outcome, Failure> {
    let Some(resource) = &task.resource else {
        return Err(wrong("malformed create resource task"));
    };
    let request = v2::CreateResourceRequest {
        resource: Some(resource.clone()),
    };
    let answer = calls.change(CREATE_RESOURCE, &request).await?;
    Ok(answered(&answer, answer.annotations.clone()))
}

pub(crate) async fn delete(
    calls: &Calls<'_>,
    task: &DeleteResourceTask,
) -> Result<Outcome, Failure> {
    let complete = |id: &&v2::ResourceId| !id.resource_type.is_empty() && !id.resource.is_empty();
    let Some(id) = task.resource_id.as_ref().filter(complete) else {
        return Err(wrong("malformed delete resource task"));
    };
    let request = v2::DeleteResourceRequest {
        resource_id: Some(id.clone()),
        parent_resource_id: task.parent_resource_id.clone(),
    };
    let answer = calls.change(DELETE_RESOURCE, &request).await?;
    Ok(answered(&answer, answer.annotations.clone()))
}
