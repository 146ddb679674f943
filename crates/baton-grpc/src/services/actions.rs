//! Actions.

use std::sync::Arc;
use std::time::Duration;

use baton_connector::{Actions, Invoke};
use baton_proto::Code;
use baton_proto::c1::connector::v2;

use super::shared::Shared;
use super::texts::failed_with_code;
use crate::methods::connector_v2::action_service;
use crate::{Context, Router, Status};

pub(crate) fn add(router: &mut Router, shared: &Arc<Shared>) {
    macro_rules! read {
        ($method:expr, $serve:ident) => {{
            let shared = Arc::clone(shared);
            router.read($method, move |request, context| {
                let shared = Arc::clone(&shared);
                async move { $serve(shared.connector.actions(), request, &context).await }
            });
        }};
    }
    read!(action_service::LIST_ACTION_SCHEMAS, list);
    read!(action_service::GET_ACTION_SCHEMA, schema);
    // Not a write for the server: an action outlives its call by itself.
    read!(action_service::INVOKE_ACTION, invoke);
    read!(action_service::GET_ACTION_STATUS, status);
}

type Has<'a> = Option<&'a dyn Actions>;

fn not_found(prefix: &str, text: &str) -> Status {
    Status::new(
        Code::NotFound,
        format!("{prefix}rpc error: code = NotFound desc = {text}"),
    )
}

async fn list(
    actions: Has<'_>,
    request: v2::ListActionSchemasRequest,
    context: &Context,
) -> Result<v2::ListActionSchemasResponse, Status> {
    let type_id = Some(request.resource_type_id.as_str()).filter(|id| !id.is_empty());
    let schemas = match actions {
        None => Vec::new(),
        Some(actions) => {
            let call = Shared::call(context, request.annotations);
            let listed = actions.schemas(&call, type_id).await;
            listed.map_err(|error| {
                failed_with_code("error: listing action schemas failed: ", &error)
            })?
        }
    };
    Ok(v2::ListActionSchemasResponse {
        schemas,
        annotations: Vec::new(),
    })
}

async fn schema(
    actions: Has<'_>,
    request: v2::GetActionSchemaRequest,
    context: &Context,
) -> Result<v2::GetActionSchemaResponse, Status> {
    let prefix = format!("error: action schema {} not found: ", request.name);
    let Some(actions) = actions else {
        return Err(not_found(
            &prefix,
            &format!("action {} not found", request.name),
        ));
    };
    let call = Shared::call(context, request.annotations);
    let schema = actions.schema(&call, &request.name).await;
    let schema = schema.map_err(|error| failed_with_code(&prefix, &error))?;
    Ok(v2::GetActionSchemaResponse {
        schema: Some(schema),
        annotations: Vec::new(),
    })
}

async fn invoke(
    actions: Has<'_>,
    request: v2::InvokeActionRequest,
    context: &Context,
) -> Result<v2::InvokeActionResponse, Status> {
    let prefix = "error: invoking action failed: ";
    let Some(actions) = actions else {
        let text = match request.resource_type_id.as_str() {
            "" => format!("handler for action {} not found", request.name),
            type_id => format!("no actions found for resource type {type_id}"),
        };
        return Err(not_found(prefix, &text));
    };
    let call = Shared::call(context, request.annotations);
    let wait = request.inline_wait.map(Duration::try_from);
    let arguments = request.args.unwrap_or_default();
    let wanted = Invoke {
        name: &request.name,
        type_id: Some(&request.resource_type_id),
        arguments: &arguments,
        // The rules of the request exclude negative durations.
        inline_wait: wait.and_then(Result::ok).unwrap_or_default(),
    };
    let state = actions.invoke(&call, wanted).await;
    let state = state.map_err(|error| failed_with_code(prefix, &error))?;
    Ok(v2::InvokeActionResponse {
        id: state.id,
        status: state.status.into(),
        annotations: Vec::new(),
        response: state.response,
        name: state.name,
    })
}

async fn status(
    actions: Has<'_>,
    request: v2::GetActionStatusRequest,
    context: &Context,
) -> Result<v2::GetActionStatusResponse, Status> {
    let prefix = format!("error: action status for id {} not found: ", request.id);
    let Some(actions) = actions else {
        return Err(not_found(
            &prefix,
            &format!("action id {} not found", request.id),
        ));
    };
    let call = Shared::call(context, request.annotations);
    let state = actions.status(&call, &request.id).await;
    let state = state.map_err(|error| failed_with_code(&prefix, &error))?;
    Ok(v2::GetActionStatusResponse {
        name: state.name,
        id: state.id,
        status: state.status.into(),
        annotations: Vec::new(),
        response: state.response,
    })
}
