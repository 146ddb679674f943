//! What a client does around each call to a connector with a rate limiter.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use baton_connector::Clock;
use baton_proto::Code;
use baton_proto::c1::ratelimit::v1::rate_limit_description::Status as Answer;
use baton_proto::c1::ratelimit::v1::rate_limit_descriptors::Entry;
use baton_proto::c1::ratelimit::v1::{
    DoRequest, DoResponse, RateLimitDescription, RateLimitDescriptors, ReportRequest,
};
use baton_proto::field::c1::connector::v2::{resource, resource_id};
use baton_proto::wire::{self, AnyRef};
use bytes::Bytes;
use prost::{Message as _, Name as _};
use tokio::time::{Instant, sleep};

use crate::Status;

/// The service that the calls are reported to have.
const SERVICE: &str = "connector";
/// Keys of the descriptors.
const METHOD: &str = "connector_method";
const RESOURCE_TYPE: &str = "connector_resource_type";
/// How long a call waits for the limit to be renewed, each time and in total.
const MIN_WAIT: Duration = Duration::from_secs(1);
const MAX_WAIT: Duration = Duration::from_mins(65);

/// The `RateLimiterService` of a connector.
#[async_trait]
pub trait LimiterService: Send + Sync {
    /// `Do`: whether a call may begin.
    async fn ask(&self, request: DoRequest) -> Result<DoResponse, Status>;

    /// `Report`: how a call ended.
    async fn report(&self, request: ReportRequest) -> Result<(), Status>;
}

/// Calls behind the rate limiter of a connector.
pub struct LimitedCalls<S> {
    service: S,
    descriptors: Vec<(String, String)>,
    clock: Arc<dyn Clock>,
}

/// Facts about a method that the limiter needs; from the descriptor set.
pub(crate) struct LimitedMethod {
    pub(crate) path: &'static str,
    /// The field of the request that holds a resource, or the id of a type.
    pub(crate) resource: Option<u32>,
    pub(crate) resource_type_id: Option<u32>,
    /// The field `annotations` of the response.
    pub(crate) annotations: Option<u32>,
}

include!(concat!(env!("OUT_DIR"), "/limited.rs"));

impl<S: LimiterService> LimitedCalls<S> {
    /// Calls behind `service`, each with `descriptors` beside its own ones.
    pub fn new(service: S, descriptors: Vec<(String, String)>, clock: Arc<dyn Clock>) -> Self {
        Self {
            service,
            descriptors,
            clock,
        }
    }

    /// Makes one unary call when the limiter lets it begin, and reports how it
    /// ended. `request` is the encoded request, as is the answer. If the limiter
    /// answers with a status that is not known, the call is not made and the
    /// answer is an empty message, as in Go.
    pub async fn around<E: From<Status>>(
        &self,
        path: &str,
        request: &[u8],
        call: impl Future<Output = Result<Bytes, E>>,
    ) -> Result<Bytes, E> {
        let method = LIMITED_METHODS.iter().find(|known| known.path == path);
        let descriptors = self.descriptors_of(path, method, request);
        if !self.may_begin(&descriptors).await? {
            return Ok(Bytes::new());
        }
        let answer = call.await;
        let report = |description| ReportRequest {
            request_token: String::new(),
            description: Some(description),
            service: SERVICE.to_owned(),
            descriptors: Some(descriptors.clone()),
        };
        match &answer {
            Ok(message) => {
                if let Some(annotations) = method.and_then(|method| method.annotations) {
                    let description = found_in(message, annotations);
                    let description = description.unwrap_or_else(|| described(Answer::Ok));
                    if let Err(error) = self.service.report(report(description)).await {
                        tracing::debug!(%error, path, "cannot report a call to the rate limiter");
                    }
                }
            }
            Err(_) => {
                let reported = self.service.report(report(described(Answer::Error))).await;
                reported.map_err(|error| {
                    let prefix = "ratelimit: error reporting ratelimit after request error: ";
                    go_error(&error).prefixed(prefix)
                })?;
            }
        }
        answer
    }

    /// Asks until the limiter answers something other than that the limit is used
    /// up. Whether the call is made.
    async fn may_begin(&self, descriptors: &RateLimitDescriptors) -> Result<bool, Status> {
        let began = Instant::now();
        loop {
            let request = DoRequest {
                request_token: String::new(),
                service: SERVICE.to_owned(),
                descriptors: Some(descriptors.clone()),
            };
            let answer = self.service.ask(request).await;
            let answer = answer.map_err(|error| go_error(&error))?;
            let description = answer.description.unwrap_or_default();
            match description.status() {
                Answer::Ok | Answer::Empty => return Ok(true),
                Answer::Overlimit => {
                    let left = MAX_WAIT.saturating_sub(began.elapsed());
                    if left.is_zero() {
                        return Err(Status::new(Code::ResourceExhausted, "overlimit"));
                    }
                    sleep(self.wait(&description).min(left)).await;
                }
                Answer::Unspecified | Answer::Error => return Ok(false),
            }
        }
    }

    /// How long the limit stays used up.
    fn wait(&self, description: &RateLimitDescription) -> Duration {
        let reset = description.reset_at.map(SystemTime::try_from);
        let reset = reset.and_then(Result::ok);
        let wait = reset.and_then(|reset| reset.duration_since(self.clock.now()).ok());
        wait.unwrap_or_default().clamp(MIN_WAIT, MAX_WAIT)
    }

    fn descriptors_of(
        &self,
        path: &str,
        method: Option<&LimitedMethod>,
        request: &[u8],
    ) -> RateLimitDescriptors {
        let own = self.descriptors.iter();
        let own = own.map(|(key, value)| (key.as_str(), value.as_str()));
        let kind = method.and_then(|method| resource_type(method, request));
        let entries = own
            .chain([(METHOD, path)])
            .chain(kind.map(|kind| (RESOURCE_TYPE, kind)));
        RateLimitDescriptors {
            entries: entries
                .map(|(key, value)| Entry {
                    key: key.to_owned(),
                    value: value.to_owned(),
                })
                .collect(),
        }
    }
}

impl<S> std::fmt::Debug for LimitedCalls<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LimitedCalls")
            .field("descriptors", &self.descriptors)
            .finish_non_exhaustive()
    }
}

/// The type of the resource that a request is about.
fn resource_type<'a>(method: &LimitedMethod, request: &'a [u8]) -> Option<&'a str> {
    let kind = match (method.resource, method.resource_type_id) {
        (Some(number), _) => {
            let resource = wire::last_bytes(request, number).ok()??;
            let id = wire::last_bytes(resource, resource::ID).ok()??;
            wire::last_str(id, resource_id::RESOURCE_TYPE)
        }
        (None, Some(number)) => wire::last_str(request, number),
        (None, None) => return None,
    };
    kind.ok().filter(|kind| !kind.is_empty())
}

fn described(status: Answer) -> RateLimitDescription {
    RateLimitDescription {
        status: status.into(),
        ..RateLimitDescription::default()
    }
}

/// The description among the annotations of an answer.
fn found_in(message: &[u8], annotations: u32) -> Option<RateLimitDescription> {
    let fields = wire::values(message).map_while(Result::ok);
    let packed = fields.filter(|(number, _)| *number == annotations);
    packed
        .filter_map(|(_, value)| AnyRef::read(value.bytes()?).ok())
        .find(|annotation| annotation.type_name() == RateLimitDescription::full_name())
        .and_then(|annotation| RateLimitDescription::decode(annotation.value).ok())
}

/// The error of a call as an error of unknown kind whose text holds the code, as Go
/// prints it. The text grows, so it is cut.
fn go_error(error: &Status) -> Status {
    let Status { code, message, .. } = error;
    let text = format!("rpc error: code = {} desc = {message}", code.name());
    Status::new(Code::Unknown, text).cut()
}
