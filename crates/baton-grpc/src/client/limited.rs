//! Calls that wait for the rate limiter of the connector.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use baton_proto::Code;
use baton_proto::c1::ratelimit::v1::{DoRequest, DoResponse, ReportRequest, ReportResponse};
use bytes::Bytes;
use prost::Message;

use super::settings::Limits;
use crate::limiter::{LimitedCalls, LimiterService};
use crate::method::Method;
use crate::methods::ratelimit_v1::rate_limiter_service;
use crate::status::Status;
use crate::transport::{Broken, Failure, Reach, Unary};

/// The limiter behind the same connection.
struct Remote {
    unary: Arc<dyn Unary>,
    limit: Duration,
}

impl Remote {
    async fn call<Q: Message, A: Message + Default>(
        &self,
        method: Method<Q, A>,
        request: &Q,
    ) -> Result<A, Status> {
        let message = request.encode_to_vec().into();
        let answer = self.unary.call(method.path(), message, self.limit).await;
        let answer = answer.map_err(Failure::into_status)?;
        A::decode(answer).map_err(|error| Status::new(Code::Internal, error.to_string()))
    }
}

#[async_trait]
impl LimiterService for Remote {
    async fn ask(&self, request: DoRequest) -> Result<DoResponse, Status> {
        self.call(rate_limiter_service::DO, &request).await
    }

    async fn report(&self, request: ReportRequest) -> Result<(), Status> {
        let answer: Result<ReportResponse, _> =
            self.call(rate_limiter_service::REPORT, &request).await;
        answer.map(|_| ())
    }
}

/// See the module's header.
pub(super) struct Limited {
    unary: Arc<dyn Unary>,
    calls: LimitedCalls<Remote>,
}

impl Limited {
    /// Calls over `unary`; those of the limiter itself end after `limit`.
    pub(super) fn new(unary: Arc<dyn Unary>, limit: Duration, limits: Limits) -> Self {
        let remote = Remote {
            unary: Arc::clone(&unary),
            limit,
        };
        Self {
            unary,
            calls: LimitedCalls::new(remote, limits.descriptors, limits.clock),
        }
    }
}

#[async_trait]
impl Unary for Limited {
    async fn call(
        &self,
        path: &'static str,
        message: Bytes,
        limit: Duration,
    ) -> Result<Bytes, Failure> {
        let (made, open) = (AtomicBool::new(false), AtomicBool::new(false));
        let call = async {
            made.store(true, Ordering::Relaxed);
            let answer = self.unary.call(path, message.clone(), limit).await;
            let is_open = answer.as_ref().is_err_and(Failure::leaves_outcome_open);
            open.store(is_open, Ordering::Relaxed);
            answer
        };
        let answer = self.calls.around(path, &message, call).await;
        match answer {
            // Go takes the call for answered, and loses what it was about.
            Ok(_) if !made.load(Ordering::Relaxed) => Err(Failure::Broken(Broken {
                reach: Reach::NotSent,
                ..Broken::new(Code::Unavailable, "did not let a call begin (rate limiter)")
            })),
            // The report failed as well, and its error covers that of the call.
            Err(failure) if open.load(Ordering::Relaxed) && !failure.leaves_outcome_open() => {
                Err(Failure::Broken(Broken {
                    cause: Some(failure.into_status().message),
                    ..Broken::new(Code::Unavailable, "did not answer")
                }))
            }
            answer => answer,
        }
    }
}
