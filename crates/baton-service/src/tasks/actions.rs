//! Actions.

use baton_grpc::methods::connector_v2::action_service::{
    GET_ACTION_SCHEMA, GET_ACTION_STATUS, INVOKE_ACTION, LIST_ACTION_SCHEMAS,
};
use baton_proto::Code;
use baton_proto::c1::connector::v2;
use baton_proto::c1::connectorapi::baton::v1::task::{
    ActionGetSchemaTask, ActionInvokeTask, ActionListSchemasTask, ActionStatusTask,
};
use prost_types::Struct;
use prost_types::value::Kind;

use super::Calls;
use super::answers::answered;
use crate::finish::{Failure, Outcome};

/// The reason of a failure, as a field of an action's response.
const ERROR: &str = "error";

pub(crate) async fn list_schemas(
    calls: &Calls<'_>,
    task: &ActionListSchemasTask,
) -> Result<Outcome, Failure> {
    let request = v2::ListActionSchemasRequest {
        annotations: task.annotations.clone(),
        resource_type_id: task.resource_type_id.clone(),
    };
    let answer = calls.call(LIST_ACTION_SCHEMAS, &request).await;
    Ok(answered(&answer.map_err(Failure::of)?, Vec::new()))
}

pub(crate) async fn get_schema(
    calls: &Calls<'_>,
    task: &ActionGetSchemaTask,
) -> Result<Outcome, Failure> {
    required(&task.name, "action name required")?;
    let request = v2::GetActionSchemaRequest {
        name: task.name.clone(),
        annotations: task.annotations.clone(),
    };
    let answer = calls.call(GET_ACTION_SCHEMA, &request).await;
    Ok(answered(&answer.map_err(Failure::of)?, Vec::new()))
}

pub(crate) async fn invoke(calls: &Calls<'_>, task: &ActionInvokeTask) -> Result<Outcome, Failure> {
    required(&task.name, "action name required")?;
    let request = v2::InvokeActionRequest {
        name: task.name.clone(),
        args: task.args.clone(),
        annotations: task.annotations.clone(),
        resource_type_id: task.resource_type_id.clone(),
        // The service asks for the status of an action that is under way.
        inline_wait: None,
    };
    let answer = calls.call(INVOKE_ACTION, &request).await;
    let answer = answer.map_err(Failure::of)?;
    if answer.status() == v2::BatonActionStatus::Failed {
        let text = reason(answer.response.as_ref()).unwrap_or("action failed");
        return Err(Failure::retryable(Code::Unknown, text));
    }
    Ok(answered(&answer, Vec::new()))
}

pub(crate) async fn status(calls: &Calls<'_>, task: &ActionStatusTask) -> Result<Outcome, Failure> {
    required(&task.id, "action id required")?;
    // The name of the action is deprecated in the request: the id is enough.
    let request = v2::GetActionStatusRequest {
        id: task.id.clone(),
        annotations: task.annotations.clone(),
        ..v2::GetActionStatusRequest::default()
    };
    let answer = calls.call(GET_ACTION_STATUS, &request).await;
    Ok(answered(&answer.map_err(Failure::of)?, Vec::new()))
}

fn required(value: &str, text: &str) -> Result<(), Failure> {
    if value.is_empty() {
        return Err(Failure::retryable(Code::Unknown, text));
    }
    Ok(())
}

/// Why an action failed, from its response.
fn reason(response: Option<&Struct>) -> Option<&str> {
    match &response?.fields.get(ERROR)?.kind {
        Some(Kind::StringValue(text)) if !text.is_empty() => Some(text),
        _ => None,
    }
}
