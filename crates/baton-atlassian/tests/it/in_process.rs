//! The simulator without a network.

use std::fmt;

use async_trait::async_trait;
use atlassian_sim::{Simulator, TransportFault};
use baton_connector::http::{BodyStream, Transport, TransportError, TransportErrorKind};
use bytes::Bytes;
use futures_util::StreamExt;
use tower::ServiceExt;

/// The simulator's router as a network.
#[derive(Clone)]
pub(crate) struct InProcess(pub Simulator);

impl fmt::Debug for InProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InProcess")
    }
}

#[async_trait]
impl Transport for InProcess {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<BodyStream>, TransportError> {
        let request = request.map(axum::body::Body::from);
        let response = self.0.router().oneshot(request).await.unwrap();
        if response.extensions().get() == Some(&TransportFault::ConnectionReset) {
            return Err(TransportError::new(TransportErrorKind::Reset, "scripted"));
        }
        Ok(response.map(|body| {
            let pieces = body.into_data_stream().map(|piece| {
                piece.map_err(|_| TransportError::new(TransportErrorKind::Truncated, "scripted"))
            });
            Box::pin(pieces) as BodyStream
        }))
    }
}
