//! Responses: headers, messages, and trailers with the status.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use baton_proto::Code;
use baton_proto::google::rpc;
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty, StreamBody};
use prost::Message as _;

use super::frame::{self, Encoding};
use crate::Status;

/// Errors of bodies that other services make.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// The body of every response.
pub(crate) type ResponseBody = UnsyncBoxBody<Bytes, BoxError>;

const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");
const ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");

/// The headers of a response.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    /// The content type of the request.
    pub(crate) content_type: HeaderValue,
    pub(crate) encoding: Encoding,
}

impl Head {
    fn response(&self, body: ResponseBody) -> Response<ResponseBody> {
        let mut response = Response::new(body);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, self.content_type.clone());
        if self.encoding == Encoding::Gzip {
            headers.insert(ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    }

    /// One message, and success.
    pub(crate) fn one(&self, message: Vec<u8>) -> Response<ResponseBody> {
        let data = frame::write(message, self.encoding).map(Frame::data);
        let frames = data.chain([Frame::trailers(trailers(None))]);
        self.response(boxed(stream::iter(frames.map(Ok))))
    }

    /// Messages until the stream ends or fails. A stream without any message is
    /// answered like an error: with trailers only.
    pub(crate) async fn many<S>(&self, messages: S) -> Response<ResponseBody>
    where
        S: Stream<Item = Result<Vec<u8>, Status>> + Send + 'static,
    {
        let mut messages = Box::pin(messages);
        let first = match messages.next().await {
            None => return trailers_only(StatusCode::OK, &self.content_type, None),
            Some(Err(status)) => {
                return trailers_only(StatusCode::OK, &self.content_type, Some(&status));
            }
            Some(Ok(first)) => first,
        };
        let encoding = self.encoding;
        let all = stream::once(async { Ok(first) }).chain(messages);
        // After the status nothing follows.
        let frames = all
            .map(Some)
            .chain(stream::once(async { None }))
            .scan(false, move |ended, item| {
                let frames: Vec<_> = match item {
                    _ if *ended => return std::future::ready(None),
                    Some(Ok(message)) => frame::write(message, encoding).map(Frame::data).collect(),
                    Some(Err(status)) => {
                        *ended = true;
                        vec![Frame::trailers(trailers(Some(&status.cut())))]
                    }
                    None => vec![Frame::trailers(trailers(None))],
                };
                std::future::ready(Some(stream::iter(frames.into_iter().map(Ok))))
            })
            .flatten();
        self.response(boxed(frames))
    }

    /// The status of a call that failed.
    pub(crate) fn failed(&self, status: Status) -> Response<ResponseBody> {
        trailers_only(StatusCode::OK, &self.content_type, Some(&status.cut()))
    }
}

fn boxed<S>(frames: S) -> ResponseBody
where
    S: Stream<Item = Result<Frame<Bytes>, BoxError>> + Send + 'static,
{
    StreamBody::new(frames).boxed_unsync()
}

/// A response of headers alone, in which the status is.
pub(crate) fn trailers_only(
    http: StatusCode,
    content_type: &HeaderValue,
    status: Option<&Status>,
) -> Response<ResponseBody> {
    let empty = Empty::new().map_err(|never| match never {}).boxed_unsync();
    let mut response = Response::new(empty);
    *response.status_mut() = http;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, content_type.clone());
    headers.extend(trailers(status));
    response
}

/// `grpc-status` and what belongs to it; `None` is success.
fn trailers(status: Option<&Status>) -> HeaderMap {
    let mut trailers = HeaderMap::with_capacity(3);
    let Some(status) = status else {
        trailers.insert(STATUS, HeaderValue::from_static("0"));
        trailers.insert(MESSAGE, HeaderValue::from_static(""));
        return trailers;
    };
    trailers.insert(STATUS, HeaderValue::from(u16::from(status.code.as_u8())));
    let message = HeaderValue::from_str(&percent_encoded(&status.message));
    trailers.insert(MESSAGE, message.unwrap_or(HeaderValue::from_static("")));
    if !status.details.is_empty() {
        let wire = rpc::Status {
            code: i32::from(status.code.as_u8()),
            message: status.message.clone(),
            details: status.details.clone(),
        };
        let text = STANDARD_NO_PAD.encode(wire.encode_to_vec());
        if let Ok(value) = HeaderValue::from_str(&text) {
            trailers.insert(DETAILS, value);
        }
    }
    trailers
}

/// Bytes outside printable ASCII, and `%`, as `%XX`.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'%' | ..b' ' | 0x7f.. => {
                // Writing to a string cannot fail.
                let _ = write!(encoded, "%{byte:02X}");
            }
            _ => encoded.push(char::from(byte)),
        }
    }
    encoded
}

/// The status of a call in the trailers, for the log.
pub(crate) fn code_of(headers: &HeaderMap) -> Option<Code> {
    let number = headers.get(&STATUS)?.to_str().ok()?.parse().ok()?;
    Code::from_number(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_encoded_as_go_encodes_them() {
        assert_eq!(
            percent_encoded("Zoë 100%\n\u{1} end "),
            "Zo%C3%AB 100%25%0A%01 end "
        );
    }

    async fn frames(response: Response<ResponseBody>) -> (Vec<Bytes>, Option<HeaderMap>) {
        let collected = response.into_body().collect().await.unwrap();
        let trailers = collected.trailers().cloned();
        (vec![collected.to_bytes()], trailers)
    }

    #[tokio::test]
    async fn a_stream_that_fails_ends_with_its_status_and_nothing_after_it() {
        let head = Head {
            content_type: HeaderValue::from_static("application/grpc"),
            encoding: Encoding::Identity,
        };
        let messages = stream::iter([
            Ok(vec![1]),
            Err(Status::new(Code::DataLoss, "cut off")),
            Ok(vec![2]),
        ]);
        let (data, trailers) = frames(head.many(messages).await).await;
        assert_eq!(data, [Bytes::from_static(&[0, 0, 0, 0, 1, 1])]);
        assert_eq!(trailers.unwrap()["grpc-status"], "15");
        let empty = head.many(stream::empty()).await;
        assert_eq!(empty.headers()["grpc-status"], "0");
    }
}
