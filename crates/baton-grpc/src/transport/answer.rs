//! Reads the answer to a unary call: headers, one message, trailers.

use std::io::Read as _;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use baton_proto::Code;
use baton_proto::google::rpc;
use bytes::{Buf as _, Bytes, BytesMut};
use flate2::read::GzDecoder;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use percent_encoding::percent_decode;
use prost::Message as _;
use prost_types::Any;

use super::failure::{Broken, Failure, Reach};
use crate::MAX_MESSAGE_BYTES;
use crate::status::Status;

/// Bytes before each message: a flag and a length.
pub(crate) const HEADER_BYTES: usize = 5;

/// Peers differ in whether they pad.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The message of a call that succeeded, decompressed and of at most `max` bytes.
pub(crate) async fn read(response: Response<Incoming>, max: usize) -> Result<Bytes, Failure> {
    let (head, mut body) = response.into_parts();
    if let Some(end) = status(&head.headers) {
        // The whole answer: a success has a message before its status.
        return Err(end.map_or_else(Failure::Answered, |()| no_message()));
    }
    check_is_grpc(head.status, &head.headers)?;
    let mut reading = Reading::new(max);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Failure::of_transport(&error, None, false))?;
        match frame.into_data() {
            Ok(data) => reading.add(&data)?,
            Err(frame) => {
                let trailers = frame.into_trailers().unwrap_or_default();
                match status(&trailers) {
                    Some(Ok(())) => return reading.message(&head.headers),
                    Some(Err(status)) => return Err(Failure::Answered(status)),
                    None => break,
                }
            }
        }
    }
    Err(broken("ended its answer without a status"))
}

fn broken(what: impl Into<String>) -> Failure {
    Broken::new(Code::Internal, what).into()
}

fn no_message() -> Failure {
    broken("answered with success and without a message")
}

fn too_large(bytes: usize, max: usize) -> Failure {
    let what = "answered with a message that is too large";
    let mut broken = Broken::new(Code::ResourceExhausted, what);
    // The words of the Go library.
    let words = format!("grpc: received message larger than max ({bytes} vs. {max})");
    broken.cause = Some(words);
    broken.into()
}

/// One message, as it comes in.
struct Reading {
    max: usize,
    bytes: BytesMut,
    /// Whether it is compressed, and how long it is.
    header: Option<(bool, usize)>,
}

impl Reading {
    fn new(max: usize) -> Self {
        Self {
            max,
            bytes: BytesMut::new(),
            header: None,
        }
    }

    fn add(&mut self, data: &[u8]) -> Result<(), Failure> {
        self.bytes.extend_from_slice(data);
        if self.header.is_none() && self.bytes.len() >= HEADER_BYTES {
            let flag = self.bytes.get_u8();
            if flag > 1 {
                return Err(broken(format!(
                    "sent a message with the unknown flag {flag}"
                )));
            }
            let length = usize::try_from(self.bytes.get_u32()).unwrap_or(usize::MAX);
            if length > self.max {
                return Err(too_large(length, self.max));
            }
            self.header = Some((flag == 1, length));
            // Not more than a usual page on the word of the peer.
            let missing = length.saturating_sub(self.bytes.len());
            self.bytes.reserve(missing.min(MAX_MESSAGE_BYTES));
        }
        match self.header {
            Some((_, length)) if self.bytes.len() > length => {
                Err(broken("answered with more than one message"))
            }
            _ => Ok(()),
        }
    }

    /// The message, once a success was reported.
    fn message(self, headers: &HeaderMap) -> Result<Bytes, Failure> {
        let Some((compressed, length)) = self.header else {
            return Err(no_message());
        };
        if self.bytes.len() < length {
            return Err(broken("cut its message off"));
        }
        let bytes = self.bytes.freeze();
        if !compressed {
            return Ok(bytes);
        }
        let encoding = headers.get("grpc-encoding").map(HeaderValue::as_bytes);
        if encoding != Some(b"gzip") {
            return Err(broken(
                "compressed its message in a way that was not offered",
            ));
        }
        let mut message = Vec::new();
        let limit = u64::try_from(self.max)
            .unwrap_or(u64::MAX)
            .saturating_add(1);
        let read = GzDecoder::new(bytes.reader())
            .take(limit)
            .read_to_end(&mut message);
        read.map_err(|error| {
            let mut broken = Broken::new(Code::Internal, "sent a message that is not gzip");
            broken.cause = Some(error.to_string());
            broken
        })?;
        if message.len() > self.max {
            return Err(too_large(message.len(), self.max));
        }
        Ok(message.into())
    }
}

/// Refuses what does not come from a gRPC server.
fn check_is_grpc(status: StatusCode, headers: &HeaderMap) -> Result<(), Failure> {
    let content_type = headers.get(header::CONTENT_TYPE);
    let is_grpc =
        content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"));
    if status == StatusCode::OK && is_grpc {
        return Ok(());
    }
    let code = match status.as_u16() {
        200 | 400 => Code::Internal,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::Unimplemented,
        429 | 502 | 503 | 504 => Code::Unavailable,
        _ => Code::Unknown,
    };
    let kind = match content_type.and_then(|value| value.to_str().ok()) {
        Some(kind) => format!("content type `{kind}`"),
        None => "no content type".to_owned(),
    };
    let what = format!(
        "answered HTTP status {} with {kind}, not gRPC",
        status.as_u16()
    );
    Err(Failure::Broken(Broken {
        reach: Reach::Http,
        ..Broken::new(code, what)
    }))
}

/// How a call ended, if these headers or trailers have it.
fn status(headers: &HeaderMap) -> Option<Result<(), Status>> {
    let number = headers.get("grpc-status")?.to_str().ok();
    let code = number.and_then(|number| number.parse().ok());
    let code = code.and_then(Code::from_number).unwrap_or(Code::Unknown);
    if code == Code::Ok {
        return Some(Ok(()));
    }
    let message = headers.get("grpc-message").map(HeaderValue::as_bytes);
    let message = percent_decode(message.unwrap_or_default()).decode_utf8_lossy();
    Some(Err(Status {
        code,
        message: message.into_owned(),
        details: details(headers),
    }))
}

/// The details of a status. Those that cannot be read are left out: code and
/// text matter more.
fn details(headers: &HeaderMap) -> Vec<Any> {
    let Some(value) = headers.get("grpc-status-details-bin") else {
        return Vec::new();
    };
    let bytes = BASE64.decode(value.as_bytes()).ok();
    match bytes.and_then(|bytes| rpc::Status::decode(bytes.as_slice()).ok()) {
        Some(status) => status.details,
        None => {
            tracing::debug!("the details of a status cannot be read");
            Vec::new()
        }
    }
}
