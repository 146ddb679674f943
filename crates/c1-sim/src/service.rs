//! `BatonService`: each call is checked by the rules, and then by what the simulator knows.

use std::sync::Arc;

use baton_grpc::methods::connectorapi_v1::baton_service as methods;
use baton_grpc::{Context, Method, Router, Status};
use baton_proto::c1::connectorapi::baton::v1::{
    BatonServiceFinishTaskRequest, BatonServiceGetTaskRequest, BatonServiceGetTaskResponse,
    BatonServiceGetTasksRequest, BatonServiceGetTasksResponse, BatonServiceHeartbeatRequest,
    BatonServiceHeartbeatResponse, BatonServiceHelloRequest, BatonServiceUploadAssetRequest,
    BatonServiceUploadAssetResponse, StartDebuggingRequest, StartDebuggingResponse,
};
use baton_proto::{Code, encode};
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use http::HeaderName;
use prost::{Message, Name};

use crate::faults::Action;
use crate::simulator::Shared;
use crate::state::{Polled, State, Uploading};

/// The number of the call, which the front of the server adds to its request.
pub(crate) const NUMBER: HeaderName = HeaderName::from_static("c1-sim-call");

/// The methods of the service.
pub(crate) fn router(shared: &Arc<Shared>) -> Router {
    let mut router = Router::new();
    unary(&mut router, shared, methods::HELLO, State::hello);
    unary(&mut router, shared, methods::GET_TASK, get_task);
    unary(&mut router, shared, methods::GET_TASKS, get_tasks);
    unary(&mut router, shared, methods::HEARTBEAT, heartbeat);
    unary(&mut router, shared, methods::FINISH_TASK, State::finish);
    unary(
        &mut router,
        shared,
        methods::START_DEBUGGING,
        |state, number, _| start_debugging(state, number),
    );
    let shared = Arc::clone(shared);
    router.client_stream(methods::UPLOAD_ASSET, move |messages, context| {
        upload(Arc::clone(&shared), messages, context)
    });
    router
}

/// What a request names.
trait Named: Message + Name + Default + 'static {
    /// The host id; empty if the request has none.
    fn host(&self) -> &str;
    /// The task id; empty if the request has none.
    fn task(&self) -> &str;
}

impl Named for BatonServiceHelloRequest {
    fn host(&self) -> &str {
        &self.host_id
    }
    fn task(&self) -> &str {
        &self.task_id
    }
}

impl Named for BatonServiceGetTaskRequest {
    fn host(&self) -> &str {
        &self.host_id
    }
    fn task(&self) -> &'static str {
        ""
    }
}

impl Named for BatonServiceGetTasksRequest {
    fn host(&self) -> &str {
        &self.host_id
    }
    fn task(&self) -> &'static str {
        ""
    }
}

impl Named for BatonServiceHeartbeatRequest {
    fn host(&self) -> &str {
        &self.host_id
    }
    fn task(&self) -> &str {
        &self.task_id
    }
}

impl Named for BatonServiceFinishTaskRequest {
    fn host(&self) -> &str {
        &self.host_id
    }
    fn task(&self) -> &str {
        &self.task_id
    }
}

impl Named for StartDebuggingRequest {
    fn host(&self) -> &'static str {
        ""
    }
    fn task(&self) -> &'static str {
        ""
    }
}

fn unary<Q, A>(
    router: &mut Router,
    shared: &Arc<Shared>,
    method: Method<Q, A>,
    serve: fn(&mut State, u64, &Q) -> Result<A, Status>,
) where
    Q: Named,
    A: Message + Name + 'static,
{
    let shared = Arc::clone(shared);
    router.read(method, move |request: Q, context| {
        let answer = number(&context).and_then(|number| {
            shared.change(|state| {
                let set = |text: &str| (!text.is_empty()).then(|| text.to_owned());
                let (host, task) = (set(request.host()), set(request.task()));
                if let Some(live) = state.live(number) {
                    (live.host, live.task) = (host, task.clone());
                }
                state.search_for_forbidden(number, &encode::to_vec(&request));
                if let Some(Action::Status(status)) = state.action(number) {
                    state.refused_by_fault(number, task.as_deref());
                    return Err(status);
                }
                serve(state, number, &request)
            })
        });
        std::future::ready(answer)
    });
}

fn number(context: &Context) -> Result<u64, Status> {
    let number = context.headers.get(&NUMBER);
    let number = number.and_then(|number| number.to_str().ok()?.parse().ok());
    number.ok_or_else(|| Status::new(Code::Internal, "the call has no number"))
}

fn get_task(
    state: &mut State,
    number: u64,
    request: &BatonServiceGetTaskRequest,
) -> Result<BatonServiceGetTaskResponse, Status> {
    let polled = match state.action(number) {
        Some(Action::Message(message)) => {
            state.poll_answered(number, &request.host_id, &[], &message)?
        }
        _ => state.poll(number, &request.host_id, 1, &[])?,
    };
    answer_with(state, number, polled);
    Ok(BatonServiceGetTaskResponse::default())
}

fn get_tasks(
    state: &mut State,
    number: u64,
    request: &BatonServiceGetTasksRequest,
) -> Result<BatonServiceGetTasksResponse, Status> {
    let polled = match state.action(number) {
        Some(Action::Message(message)) => {
            state.poll_answered(number, &request.host_id, &request.known_task_ids, &message)?
        }
        _ => {
            let most = State::page(request.page_size)?;
            state.poll(number, &request.host_id, most, &request.known_task_ids)?
        }
    };
    answer_with(state, number, polled);
    Ok(BatonServiceGetTasksResponse::default())
}

/// The answer is sent as these bytes: tasks can have fields that are not known.
fn answer_with(state: &mut State, number: u64, polled: Polled) {
    if let Some(live) = state.live(number) {
        live.message = Some(polled.message);
    }
}

fn heartbeat(
    state: &mut State,
    number: u64,
    request: &BatonServiceHeartbeatRequest,
) -> Result<BatonServiceHeartbeatResponse, Status> {
    let answer = state.heartbeat(number, &request.host_id, &request.task_id)?;
    if let Some(Action::Message(message)) = state.action(number)
        && let Ok(instead) = BatonServiceHeartbeatResponse::decode(message.as_slice())
    {
        state.heartbeat_answered(&request.task_id, &instead);
    }
    Ok(answer)
}

fn start_debugging(state: &mut State, number: u64) -> Result<StartDebuggingResponse, Status> {
    let text = "clients do not call StartDebugging";
    state.complain(number, text);
    Err(Status::new(Code::Unimplemented, text))
}

async fn upload(
    shared: Arc<Shared>,
    mut messages: BoxStream<'static, Result<BatonServiceUploadAssetRequest, Status>>,
    context: Context,
) -> Result<BatonServiceUploadAssetResponse, Status> {
    let number = number(&context)?;
    let (action, connection) = shared.change(|state| {
        let connection = state.live(number).map(|live| live.connection.clone());
        (state.action(number), connection.unwrap_or_default())
    });
    let mut upload = Uploading::new(number);
    loop {
        match &action {
            Some(Action::DropAfter(chunks)) if upload.chunks() >= *chunks => {
                connection.cancel();
                std::future::pending::<()>().await;
            }
            Some(Action::StatusAfter(chunks, status)) if upload.chunks() >= *chunks => {
                return Err(status.clone());
            }
            _ => {}
        }
        let Some(message) = messages.next().await else {
            break;
        };
        // A rule requires the arm.
        if let Some(message) = message?.msg {
            shared.change(|state| state.upload_message(&mut upload, message))?;
        }
    }
    if let Some(Action::Status(status)) = action {
        return Err(status);
    }
    shared.change(|state| state.upload_closed(upload))?;
    Ok(BatonServiceUploadAssetResponse::default())
}
