//! Calls over a stream, made with hyper and not with the client under test.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::time::Duration;

use baton_grpc::Method;
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tokio::io::{AsyncRead, AsyncWrite};

/// No call of these tests takes longer.
const LIMIT: Duration = Duration::from_mins(1);

/// A connection that makes calls. Clones share it.
#[derive(Debug, Clone)]
pub struct Calls(SendRequest<Full<Bytes>>);

/// Code and text of a failed call.
#[derive(Debug, PartialEq, Eq)]
pub struct Failed {
    /// `grpc-status`.
    pub code: u8,
    /// `grpc-message`, decoded.
    pub text: String,
}

impl Calls {
    /// A connection over a stream that is ready for HTTP/2.
    pub async fn over(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Self {
        let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
        let (sender, connection) = handshake.await.unwrap();
        tokio::spawn(connection);
        Self(sender)
    }

    /// Makes a call; an error of the connection is a panic.
    pub async fn call<Q, A>(&mut self, method: Method<Q, A>, request: &Q) -> Result<A, Failed>
    where
        Q: Message,
        A: Message + Default,
    {
        let bytes = self
            .call_path(method.path(), &request.encode_to_vec())
            .await?;
        Ok(A::decode(bytes.as_slice()).unwrap())
    }

    /// Makes a call with an empty request.
    pub async fn ask<Q, A>(&mut self, method: Method<Q, A>) -> Result<A, Failed>
    where
        Q: Message + Default,
        A: Message + Default,
    {
        self.call(method, &Q::default()).await
    }

    /// Makes a call with encoded messages; an error of the connection is a panic.
    pub async fn call_path(&mut self, path: &str, message: &[u8]) -> Result<Vec<u8>, Failed> {
        self.try_call(path, message).await.unwrap()
    }

    /// Makes a call; the outer error is of the connection.
    pub async fn try_call(
        &mut self,
        path: &str,
        message: &[u8],
    ) -> hyper::Result<Result<Vec<u8>, Failed>> {
        let length = u32::try_from(message.len()).unwrap();
        let framed = [&[0], &length.to_be_bytes()[..], message].concat();
        let request = Request::post(format!("https://127.0.0.1{path}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(Full::new(Bytes::from(framed)))
            .unwrap();
        let answered = async {
            let response = self.0.send_request(request).await?;
            let headers = response.headers().clone();
            let body = response.into_body().collect().await?;
            let status = body.trailers().cloned().unwrap_or(headers);
            let text = |name| {
                let value = status.get(name).map_or(&b""[..], |value| value.as_bytes());
                let decoded = percent_encoding::percent_decode(value);
                decoded.decode_utf8().unwrap().into_owned()
            };
            let code = text("grpc-status").parse().unwrap();
            Ok(match code {
                0 => Ok(body.to_bytes()[5..].to_vec()),
                _ => Err(Failed {
                    code,
                    text: text("grpc-message"),
                }),
            })
        };
        tokio::time::timeout(LIMIT, answered)
            .await
            .expect("an answer")
    }
}
