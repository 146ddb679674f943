//! Carries a fault out: answers in place of an endpoint, and damage done to its answer.

use std::io;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderValue, StatusCode, header};
use jiff::Timestamp;

use super::{Action, HANG_LIMIT, RetryAfter, TransportFault, pages};
use crate::cursor::CursorSeal;
use crate::errors::{self, ApiError, ErrorContext};

/// An answer in place of the endpoint's, if the action is of that kind.
pub(crate) fn instead(
    action: &Action,
    cursor: Option<&str>,
    page_size: Option<i64>,
    context: &ErrorContext<'_>,
) -> Option<Response> {
    match action {
        Action::TooManyRequests(retry_after) => {
            let mut response = errors::response(&ApiError::too_many(), context);
            if let Some(value) = retry_after_value(retry_after, context.now) {
                response.headers_mut().insert(header::RETRY_AFTER, value);
            }
            Some(response)
        }
        Action::Status(code) => {
            let status = StatusCode::from_u16(*code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            Some(errors::response(&ApiError::of_status(status), context))
        }
        Action::Refuse(status, code) => {
            let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let error = ApiError {
                code,
                gateway: code.is_empty(),
                ..ApiError::of_status(status)
            };
            Some(errors::response(&error, context))
        }
        Action::HtmlPage(code) => Some(html_page(
            StatusCode::from_u16(*code).unwrap_or(StatusCode::BAD_GATEWAY),
        )),
        Action::ConnectionReset => Some(reset()),
        Action::ExpireCursor if cursor.is_some() => {
            Some(errors::response(&ApiError::bad_cursor(), context))
        }
        Action::RefusePageSize(above) if page_size.is_some_and(|size| size > i64::from(*above)) => {
            let error =
                ApiError::bad_parameter(format!("a page must not hold more than {above} items"));
            Some(errors::response(&error, context))
        }
        _ => None,
    }
}

/// What takes the place of the answer to a request that was carried out, if the action is of that kind.
pub(crate) async fn afterwards(action: &Action, context: &ErrorContext<'_>) -> Option<Response> {
    match action {
        Action::LoseAnswer => Some(reset()),
        Action::Hang => {
            tokio::time::sleep(HANG_LIMIT).await;
            Some(reset())
        }
        Action::MaskAnswer(code) => {
            let status = StatusCode::from_u16(*code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            Some(errors::response(&ApiError::of_status(status), context))
        }
        _ => None,
    }
}

fn reset() -> Response {
    let mut response = Response::new(broken(Bytes::new()));
    *response.status_mut() = StatusCode::BAD_GATEWAY;
    response
        .extensions_mut()
        .insert(TransportFault::ConnectionReset);
    response
}

fn retry_after_value(retry_after: &RetryAfter, now: Timestamp) -> Option<HeaderValue> {
    let text = match retry_after {
        RetryAfter::Absent => return None,
        RetryAfter::Seconds(seconds) => seconds.to_string(),
        RetryAfter::HttpDate(seconds) => {
            let at = now.as_second().saturating_add(*seconds);
            Timestamp::from_second(at)
                .unwrap_or(now)
                .strftime("%a, %d %b %Y %H:%M:%S GMT")
                .to_string()
        }
        RetryAfter::Text(text) => text.clone(),
    };
    HeaderValue::from_str(&text).ok()
}

fn html_page(status: StatusCode) -> Response {
    let reason = status.canonical_reason().unwrap_or("Error");
    let page = format!(
        "<!DOCTYPE html>\n<html><head><title>{reason}</title></head><body><h1>{reason}</h1><hr>proxy</body></html>\n"
    );
    let mut response = Response::new(Body::from(page));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    response
}

/// A body that fails after some bytes.
fn broken(first: Bytes) -> Body {
    Body::from_stream(stream::unfold(Some(first), |rest| async move {
        match rest {
            None => None,
            Some(first) if !first.is_empty() => Some((Ok(first), Some(Bytes::new()))),
            Some(_) => {
                // Lets the server send what it has before it learns of the failure.
                tokio::task::yield_now().await;
                let kind = io::ErrorKind::ConnectionReset;
                Some((
                    Err(io::Error::new(kind, "connection broken by a fault rule")),
                    None,
                ))
            }
        }
    }))
}

/// Largest answer that is damaged; answers are pages, so all are far smaller.
const MAX_DAMAGED_BYTES: usize = 64 * 1024 * 1024;

/// Damages an answer, if the action is of that kind.
pub(crate) async fn damage(
    action: &Action,
    cursor: Option<&str>,
    seal: &CursorSeal,
    response: Response,
) -> Response {
    if !matches!(
        action,
        Action::Truncate(_)
            | Action::InvalidJson
            | Action::Shape(_)
            | Action::RepeatCursor
            | Action::CutCursor
            | Action::RepeatItems
            | Action::Total(_)
            | Action::SamePage
            | Action::EmptyPage
            | Action::SlowDrip { .. }
    ) {
        return response;
    }
    if response.status() == StatusCode::NO_CONTENT && !matches!(action, Action::Shape(_)) {
        // There is no body to damage.
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, MAX_DAMAGED_BYTES)
        .await
        .unwrap_or_default();
    if let Action::Shape(shape) = action {
        return shape.apply(Response::from_parts(parts, Body::empty()), &bytes);
    }
    match action {
        Action::Truncate(after) => {
            let kept = after
                .unwrap_or(bytes.len() / 2)
                .min(bytes.len().saturating_sub(1));
            parts
                .headers
                .insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
            parts.extensions.insert(TransportFault::Truncated);
            Response::from_parts(parts, broken(bytes.slice(..kept)))
        }
        Action::InvalidJson => {
            // Complete, with the right length, and broken in the middle.
            let mut damaged = bytes.to_vec();
            damaged.truncate(bytes.len() / 2);
            damaged.extend_from_slice(b"\x00}]!");
            Response::from_parts(parts, Body::from(damaged))
        }
        Action::RepeatCursor
        | Action::CutCursor
        | Action::RepeatItems
        | Action::Total(_)
        | Action::SamePage
        | Action::EmptyPage => {
            let body = pages::changed(action, &bytes, cursor, seal);
            parts
                .headers
                .insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
            Response::from_parts(parts, Body::from(body))
        }
        Action::SlowDrip { bytes: step, pause } => {
            parts
                .headers
                .insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
            Response::from_parts(parts, drip(bytes, (*step).max(1), *pause))
        }
        _ => Response::from_parts(parts, Body::from(bytes)),
    }
}

fn drip(bytes: Bytes, step: usize, pause: Duration) -> Body {
    Body::from_stream(stream::unfold(
        (bytes, false),
        move |(mut rest, started)| async move {
            if rest.is_empty() {
                return None;
            }
            if started {
                tokio::time::sleep(pause).await;
            }
            let piece = rest.split_to(step.min(rest.len()));
            Some((Ok::<_, io::Error>(piece), (rest, true)))
        },
    ))
}
