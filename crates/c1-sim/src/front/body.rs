//! Bodies that the front makes itself.

use baton_grpc::Status;
use bytes::{BufMut as _, Bytes, BytesMut};
use futures_util::{StreamExt as _, stream};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Frame;

pub(super) type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// The body of an answer.
pub(super) type Body = UnsyncBoxBody<Bytes, BoxError>;

/// Bytes that are made at once of a body that is too large to hold.
const PIECE_BYTES: usize = 64 * 1024;

/// A body in one piece.
pub(super) fn whole(bytes: Bytes) -> Body {
    Full::new(bytes)
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// An answer that is not one of gRPC.
pub(super) fn page(
    status: StatusCode,
    content_type: &'static str,
    text: &'static str,
) -> Response<Body> {
    let mut response = Response::new(whole(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    let content_type = HeaderValue::from_static(content_type);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, content_type);
    response
}

fn grpc(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    let content_type = HeaderValue::from_static("application/grpc");
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, content_type);
    response
}

/// The header of a message.
fn frame_header(length: u32) -> Bytes {
    let mut header = BytesMut::with_capacity(5);
    header.put_u8(0);
    header.put_u32(length);
    header.freeze()
}

/// One message, and success.
pub(super) fn message(message: &[u8]) -> Response<Body> {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    let frames = [
        Frame::data(frame_header(length)),
        Frame::data(Bytes::copy_from_slice(message)),
        success(),
    ];
    let frames = stream::iter(frames).map(Ok::<_, BoxError>);
    grpc(StreamBody::new(frames).boxed_unsync())
}

/// A message of so many zeros, made while it is sent.
pub(super) fn huge(bytes: u64) -> Response<Body> {
    let length = u32::try_from(bytes).unwrap_or(u32::MAX);
    let piece = Bytes::from(vec![0; PIECE_BYTES]);
    let pieces = u64::from(length).div_ceil(PIECE_BYTES as u64);
    let rest = u64::from(length) % PIECE_BYTES as u64;
    let data = (0..pieces).map(move |number| {
        let is_last = number + 1 == pieces;
        match usize::try_from(rest) {
            Ok(rest) if is_last && rest > 0 => Frame::data(piece.slice(..rest)),
            _ => Frame::data(piece.clone()),
        }
    });
    let first = std::iter::once(Frame::data(frame_header(length)));
    let last = std::iter::once_with(success);
    let frames = stream::iter(first.chain(data).chain(last)).map(Ok::<_, BoxError>);
    grpc(StreamBody::new(frames).boxed_unsync())
}

/// A status, and nothing else.
pub(super) fn status(status: &Status) -> Response<Body> {
    let mut response = grpc(whole(Bytes::new()));
    let headers = response.headers_mut();
    headers.insert(
        "grpc-status",
        HeaderValue::from(u16::from(status.code.as_u8())),
    );
    // Texts of the front are ASCII without percent signs.
    if let Ok(text) = HeaderValue::from_str(&status.message) {
        headers.insert("grpc-message", text);
    }
    response
}

fn success() -> Frame<Bytes> {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    Frame::trailers(trailers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_huge_message_has_its_length() {
        for bytes in [0, 1, PIECE_BYTES as u64, 200_001] {
            let body = huge(bytes).into_body().collect().await.unwrap();
            assert_eq!(body.to_bytes().len() as u64, bytes + 5);
        }
    }
}
