//! The calls of the service, each with a time limit.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use baton_grpc::methods::connectorapi_v1::baton_service as methods;
use baton_grpc::{CallError, CallErrorKind, Caller, Method};
use baton_proto::Code;
use baton_proto::c1::connectorapi::baton::v1::{
    BatonServiceFinishTaskRequest as FinishTask, BatonServiceGetTaskRequest as GetTask,
    BatonServiceGetTasksRequest as GetTasks, BatonServiceGetTasksResponse as Tasks,
    BatonServiceHeartbeatRequest as Heartbeat, BatonServiceHeartbeatResponse as HeartbeatAnswer,
    BatonServiceHelloRequest as Hello, Task,
};
use futures_util::TryStreamExt as _;
use http::{HeaderMap, header};
use prost::Message;
use tokio::time::Instant;

use crate::credentials::Credentials;
use crate::error::ApiError;
use crate::upload;

/// Limits of the calls. Go sets one on `FinishTask` only, and a service that never
/// answers stops it.
const HELLO_LIMIT: Duration = Duration::from_mins(1);
const POLL_LIMIT: Duration = Duration::from_mins(1);
const HEARTBEAT_LIMIT: Duration = Duration::from_secs(20);

/// The service of ConductorOne, as one client of it sees it.
#[derive(Clone)]
pub struct Api {
    caller: Caller,
    credentials: Arc<Credentials>,
    host_id: Arc<str>,
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Api")
            .field("host_id", &self.host_id)
            .finish_non_exhaustive()
    }
}

/// An answer to a request for tasks.
#[derive(Debug, Default)]
pub(crate) struct Polled {
    pub(crate) tasks: Vec<Task>,
    pub(crate) next_poll: Duration,
}

impl Api {
    /// Calls over `caller`, with tokens of `credentials`, as this host.
    pub fn new(caller: Caller, credentials: Arc<Credentials>, host_id: &str) -> Self {
        Self {
            caller,
            credentials,
            host_id: host_id.into(),
        }
    }

    pub(crate) fn host_id(&self) -> &str {
        &self.host_id
    }

    pub(crate) async fn hello(&self, mut hello: Hello) -> Result<(), ApiError> {
        self.host_id().clone_into(&mut hello.host_id);
        let answer = self.call(methods::HELLO, &hello, HELLO_LIMIT);
        answer.await.map(drop)
    }

    pub(crate) async fn task(&self) -> Result<Polled, ApiError> {
        let request = GetTask {
            host_id: self.host_id().to_owned(),
        };
        let answer = self.call(methods::GET_TASK, &request, POLL_LIMIT).await?;
        Ok(Polled {
            tasks: answer.task.into_iter().collect(),
            next_poll: wait(answer.next_poll),
        })
    }

    pub(crate) async fn tasks(&self, count: u32, known: Vec<String>) -> Result<Polled, ApiError> {
        let request = GetTasks {
            host_id: self.host_id().to_owned(),
            page_size: count,
            known_task_ids: known,
            annotations: Vec::new(),
        };
        let answer: Tasks = self.call(methods::GET_TASKS, &request, POLL_LIMIT).await?;
        Ok(Polled {
            tasks: answer.tasks,
            next_poll: wait(answer.next_poll),
        })
    }

    pub(crate) async fn heartbeat(&self, task_id: &str) -> Result<HeartbeatAnswer, ApiError> {
        let request = Heartbeat {
            host_id: self.host_id().to_owned(),
            task_id: task_id.to_owned(),
            ..Heartbeat::default()
        };
        self.call(methods::HEARTBEAT, &request, HEARTBEAT_LIMIT)
            .await
    }

    pub(crate) async fn finish(
        &self,
        request: &FinishTask,
        limit: Duration,
    ) -> Result<(), ApiError> {
        let answer = self.call(methods::FINISH_TASK, request, limit);
        answer.await.map(drop)
    }

    /// Uploads a file of a task, once. `uploading` gets the bytes of each chunk that is sent.
    pub(crate) async fn upload(
        &self,
        task_id: &str,
        path: &Path,
        uploading: impl Fn(u64) + Send + 'static,
    ) -> Result<(), ApiError> {
        let asset = upload::Asset::open(path).await.map_err(ApiError::File)?;
        let limit = asset.limit();
        let headers = self.headers().await?;
        let messages = asset.messages(self.host_id(), task_id);
        let messages = messages.map_err(Into::into).inspect_ok(move |message| {
            if let Some(bytes) = upload::data_bytes(message) {
                uploading(bytes);
            }
        });
        let sent = self
            .caller
            .client_stream(methods::UPLOAD_ASSET, messages, &headers, limit);
        match sent.await {
            Ok(_) => Ok(()),
            Err(error) => {
                self.note_refusal(&error, &headers);
                Err(error.into())
            }
        }
    }

    /// The metadata of a call.
    async fn headers(&self) -> Result<HeaderMap, ApiError> {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::AUTHORIZATION,
            self.credentials.authorization().await?,
        );
        Ok(headers)
    }

    /// Gives the token up if the service refused it.
    fn note_refusal(&self, error: &CallError, headers: &HeaderMap) -> bool {
        let refused =
            error.kind == CallErrorKind::Answered && error.status.code == Code::Unauthenticated;
        let token = headers.get(header::AUTHORIZATION);
        if let Some(token) = token.filter(|_| refused) {
            self.credentials.renew(token);
        }
        refused
    }

    /// A call; once more with a new token if the service refuses the token.
    async fn call<Q, A>(
        &self,
        method: Method<Q, A>,
        request: &Q,
        limit: Duration,
    ) -> Result<A, ApiError>
    where
        Q: Message,
        A: Message + Default,
    {
        let end = Instant::now() + limit;
        let mut again = true;
        loop {
            let headers = self.headers().await?;
            let left = end.saturating_duration_since(Instant::now());
            match self.caller.unary(method, request, &headers, left).await {
                Ok(answer) => return Ok(answer),
                Err(error) if self.note_refusal(&error, &headers) && again => again = false,
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// A duration of the wire; a negative or malformed one is zero.
pub(crate) fn wait(duration: Option<prost_types::Duration>) -> Duration {
    duration
        .and_then(|duration| Duration::try_from(duration).ok())
        .unwrap_or_default()
}
