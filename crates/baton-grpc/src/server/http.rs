//! From an HTTP request to a response: the checks in Go's order.

use std::time::Duration;

use baton_proto::Code;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use tokio::time::Instant;
use tracing::{Instrument as _, Span};

use super::access::Logged;
use super::body::{Head, ResponseBody, code_of, trailers_only};
use super::call::{CallOptions, Calls, deadline, deadline_exceeded, passed, stopping};
use super::frame::{self, Encoding, Messages};
use super::router::{Answer, ClientStream, Entry, Found, Router};
use super::timeout;
use crate::Status;
use crate::trace;

const GRPC: &str = "application/grpc";
const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
const ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");

/// Answers one request.
pub(crate) async fn answer(
    router: &Router,
    calls: &Calls,
    request: Request<Incoming>,
) -> Response<ResponseBody> {
    let (content_type, timeout) = match head(&request) {
        Ok(head) => head,
        Err(response) => return *response,
    };
    let path = request.uri().path().to_owned();
    let mut logged = Logged {
        path: &path,
        streams: false,
        began: Instant::now(),
        timeout,
    };
    let plain = Head {
        content_type,
        encoding: Encoding::Identity,
    };
    let response = match router.find(&path) {
        Found::Extra(serve) => serve(request).await,
        Found::Nothing(status) => plain.failed(status),
        Found::Method(_) | Found::ClientStream(_) if calls.stop.is_cancelled() => {
            plain.failed(stopping())
        }
        Found::Method(entry) => {
            logged.streams = entry.streams;
            let span = router.span(&path, request.headers());
            let served = serve(entry, calls, plain, request, deadline(timeout));
            traced(span, served).await
        }
        Found::ClientStream(stream) => {
            logged.streams = true;
            let span = router.span(&path, request.headers());
            let served = serve_stream(stream, calls, plain, request, deadline(timeout));
            traced(span, served).await
        }
    };
    logged.ended(code(&response));
    response
}

fn code(response: &Response<ResponseBody>) -> Code {
    code_of(response.headers()).unwrap_or(Code::Ok)
}

/// Serves a call in its span.
async fn traced(
    span: Span,
    served: impl Future<Output = Response<ResponseBody>>,
) -> Response<ResponseBody> {
    let response = served.instrument(span.clone()).await;
    trace::ended(&span, code(&response));
    response
}

/// Content type and timeout of a request that is one of gRPC.
fn head(
    request: &Request<Incoming>,
) -> Result<(HeaderValue, Option<Duration>), Box<Response<ResponseBody>>> {
    let given = request.headers().get(header::CONTENT_TYPE);
    let text = given.map(HeaderValue::as_bytes).unwrap_or_default();
    let text = String::from_utf8_lossy(text);
    let grpc = HeaderValue::from_static(GRPC);
    let refused = |http, code, text: String| {
        Box::new(trailers_only(http, &grpc, Some(&Status::new(code, text))))
    };
    let rest = text.strip_prefix(GRPC);
    let content_type = match (given, rest) {
        (Some(given), Some(rest)) if rest.is_empty() || rest.starts_with(['+', ';']) => given,
        _ => {
            return Err(refused(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                Code::InvalidArgument,
                format!("invalid gRPC request content-type {text:?}"),
            ));
        }
    };
    let timeout = timeout_of(request.headers()).map_err(|text| {
        let text = format!("malformed grpc-timeout: {text}");
        refused(StatusCode::BAD_REQUEST, Code::Internal, text)
    })?;
    if request.method() != Method::POST {
        let method = request.method().as_str();
        let text = format!("Received a HEADERS frame with :method {method:?} which should be POST");
        return Err(refused(
            StatusCode::METHOD_NOT_ALLOWED,
            Code::Internal,
            text,
        ));
    }
    Ok((content_type.clone(), timeout))
}

fn timeout_of(headers: &HeaderMap) -> Result<Option<Duration>, String> {
    let Some(value) = headers.get(&TIMEOUT) else {
        return Ok(None);
    };
    timeout::parse(&String::from_utf8_lossy(value.as_bytes())).map(Some)
}

async fn serve(
    entry: &Entry,
    calls: &Calls,
    plain: Head,
    request: Request<Incoming>,
    deadline: Option<Instant>,
) -> Response<ResponseBody> {
    let (parts, body) = request.into_parts();
    let encoding = match encoding_of(&parts.headers) {
        Ok(encoding) => encoding,
        Err(status) => return plain.failed(status),
    };
    let message = tokio::select! {
        biased;
        () = passed(deadline) => Err(deadline_exceeded()),
        () = calls.stop.cancelled() => Err(stopping()),
        message = frame::read(body, encoding) => message,
    };
    let head = Head { encoding, ..plain };
    let answer = match message {
        Ok(message) => {
            let options = CallOptions::until(deadline);
            calls.serve(entry, message, parts.headers, options).await
        }
        Err(status) => Err(status),
    };
    answered(&head, answer).await
}

async fn serve_stream(
    stream: &ClientStream,
    calls: &Calls,
    plain: Head,
    request: Request<Incoming>,
    deadline: Option<Instant>,
) -> Response<ResponseBody> {
    let (parts, body) = request.into_parts();
    let encoding = match encoding_of(&parts.headers) {
        Ok(encoding) => encoding,
        Err(status) => return plain.failed(status),
    };
    let head = Head { encoding, ..plain };
    let messages = Messages::new(body, encoding);
    let options = CallOptions::until(deadline);
    let answer = calls.serve_stream(stream, messages, parts.headers, options);
    answered(&head, answer.await).await
}

fn encoding_of(headers: &HeaderMap) -> Result<Encoding, Status> {
    Encoding::of(headers.get(&ENCODING).map(HeaderValue::as_bytes))
}

async fn answered(head: &Head, answer: Result<Answer, Status>) -> Response<ResponseBody> {
    match answer {
        Ok(Answer::One(message)) => head.one(message),
        Ok(Answer::Many(messages)) => head.many(messages).await,
        Err(status) => head.failed(status),
    }
}
