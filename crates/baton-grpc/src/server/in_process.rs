//! Calls of the services of a [`Router`] in this process.
//!
//! They pass the same request rules, ends of calls and panics as calls over a
//! connection, without its bytes.

use std::sync::Arc;
use std::time::Duration;

use baton_proto::Code;
use bytes::Bytes;
use http::HeaderMap;
use prost::Message;
use tokio::time::timeout;
use tracing::Instrument as _;

use super::call::{CallOptions, Calls, stopping};
use super::router::{Answer, Found, Router};
use crate::{Method, Status, trace};

/// Calls of services in this process. Clones share the calls that are under way.
#[derive(Debug, Clone)]
pub struct InProcess(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    router: Router,
    calls: Calls,
}

impl InProcess {
    /// Calls of the services of `router`.
    pub fn new(router: Router) -> Self {
        Self(Arc::new(Inner {
            router,
            calls: Calls::default(),
        }))
    }

    /// Calls a method. A read ends when this future is dropped; a write is asked to end,
    /// and what it has begun is brought to its end.
    ///
    /// # Errors
    /// The status that a caller over a connection would get; `Canceled` for a read whose
    /// [`cancel`](CallOptions::cancel) came first; `Unavailable` once this was stopped.
    pub async fn call<Q, A>(
        &self,
        method: Method<Q, A>,
        request: &Q,
        options: CallOptions,
    ) -> Result<A, Status>
    where
        Q: Message,
        A: Message + Default,
    {
        let inner = &self.0;
        let entry = match inner.router.find(method.path()) {
            Found::Method(_) if inner.calls.stop.is_cancelled() => return Err(stopping()),
            Found::Method(entry) => entry,
            Found::Nothing(status) => return Err(status),
            Found::ClientStream(_) | Found::Extra(_) => return Err(not_callable(&method)),
        };
        let message = Bytes::from(request.encode_to_vec());
        let span = trace::internal_span(method.path());
        let served = inner
            .calls
            .serve(entry, message, HeaderMap::new(), options)
            .instrument(span.clone())
            .await;
        let code = served.as_ref().err().map_or(Code::Ok, |status| status.code);
        trace::ended(&span, code);
        match served? {
            Answer::One(answer) => A::decode(answer.as_slice()).map_err(|error| {
                let path = method.path();
                Status::new(Code::Internal, format!("the answer of {path}: {error}"))
            }),
            Answer::Many(_) => Err(not_callable(&method)),
        }
    }

    /// Stops: no new calls; reads are cancelled at once; writes are asked to end and
    /// get up to `limit`. False if some did not end in time.
    pub async fn stop(&self, limit: Duration) -> bool {
        let calls = &self.0.calls;
        calls.stop.cancel();
        calls.writes.close();
        timeout(limit, calls.writes.wait()).await.is_ok()
    }
}

fn not_callable<Q, A>(method: &Method<Q, A>) -> Status {
    let path = method.path();
    let text = format!("{path} cannot be called in the same process");
    Status::new(Code::Unimplemented, text)
}
