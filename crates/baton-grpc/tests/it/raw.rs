//! A client that sends what it is told, also what no gRPC library sends.

use std::time::Duration;

use base64::Engine as _;
use baton_grpc::{Router, Server};
use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) http: u16,
    pub(crate) trailers_only: bool,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    status: HeaderMap,
}

impl Answer {
    pub(crate) fn code(&self) -> u8 {
        let code = self.status.get("grpc-status").expect("a status");
        code.to_str().unwrap().parse().unwrap()
    }

    pub(crate) fn message(&self) -> String {
        let text = self.status.get("grpc-message").expect("a message");
        let decoded = percent_encoding::percent_decode(text.as_bytes());
        decoded.decode_utf8().unwrap().into_owned()
    }

    pub(crate) fn details(&self) -> Option<Vec<u8>> {
        let text = self.status.get("grpc-status-details-bin")?;
        let engine = base64::engine::general_purpose::STANDARD_NO_PAD;
        Some(engine.decode(text.as_bytes()).unwrap())
    }

    /// The first message, decompressed.
    pub(crate) fn only_message(&self) -> Vec<u8> {
        let length = u32::from_be_bytes(self.body[1..5].try_into().unwrap()) as usize;
        let content = &self.body[5..5 + length];
        match self.body[0] {
            0 => content.to_vec(),
            _ => {
                let mut plain = Vec::new();
                let mut decoder = flate2::read::GzDecoder::new(content);
                std::io::Read::read_to_end(&mut decoder, &mut plain).unwrap();
                plain
            }
        }
    }
}

/// A request, with the usual headers.
pub(crate) fn request(path: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    Request::post(format!("https://127.0.0.1{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Full::new(body.into()))
        .unwrap()
}

/// A message with its frame.
pub(crate) fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap();
    [&[0], &length.to_be_bytes()[..], message].concat()
}

/// A connection to a server in this process. Clones share it.
#[derive(Clone)]
pub(crate) struct Connection {
    sender: http2::SendRequest<Full<Bytes>>,
}

impl Connection {
    pub(crate) async fn to(server: &Server) -> Self {
        let (near, far) = tokio::io::duplex(1 << 16);
        let server = server.clone();
        tokio::spawn(async move { server.serve(far).await });
        Self::over(near).await.unwrap()
    }

    pub(crate) async fn over<I>(io: I) -> hyper::Result<Self>
    where
        I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder.max_header_list_size(1 << 20);
        let (sender, connection) = builder.handshake(TokioIo::new(io)).await?;
        tokio::spawn(connection);
        Ok(Self { sender })
    }

    pub(crate) async fn of(router: Router) -> Self {
        Self::to(&Server::new(router)).await
    }

    pub(crate) async fn send(&mut self, request: Request<Full<Bytes>>) -> Answer {
        self.try_send(request).await.unwrap()
    }

    pub(crate) async fn try_send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> hyper::Result<Answer> {
        let answer = async {
            let response = self.sender.send_request(request).await?;
            let (parts, body) = response.into_parts();
            let collected = body.collect().await?;
            let trailers = collected.trailers().cloned();
            Ok(Answer {
                http: parts.status.as_u16(),
                trailers_only: trailers.is_none(),
                status: trailers.unwrap_or_else(|| parts.headers.clone()),
                headers: parts.headers,
                body: collected.to_bytes(),
            })
        };
        let limit = Duration::from_mins(1);
        tokio::time::timeout(limit, answer)
            .await
            .expect("an answer")
    }
}
