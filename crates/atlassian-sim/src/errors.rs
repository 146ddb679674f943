//! Error answers of the simulated API: one value, rendered in the form that the endpoint's family uses (A to E).
//!
//! The code is the stable part; titles and details are our own words, as clients must not depend on them.

use axum::response::Response;
use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::clock::iso_millis;
use crate::query::decode_segment;

/// Which forms an endpoint's errors take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// Errors list (form A).
    Admin,
    /// Single object (form B), for 401 and 429 the proxy's (form C).
    Workspaces,
    /// Writes of roles: as [`Family::Admin`], for 401 and 429 the proxy's (form C).
    Roles,
    /// Account lifecycle (form E).
    Lifecycle,
    /// Identity provider (form F), for 401 and 403 form G.
    Scim,
}

/// A refusal: status, code and what is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub status: StatusCode,
    pub code: &'static str,
    pub detail: String,
    /// From the gateway in front (form D), whatever the endpoint.
    pub gateway: bool,
}

impl ApiError {
    fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            gateway: false,
        }
    }

    pub(crate) fn gateway_not_found(message: &str) -> Self {
        Self {
            gateway: true,
            ..Self::new(StatusCode::NOT_FOUND, "", message)
        }
    }

    pub(crate) fn wrong_method(method: &str) -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "ADMIN-405-1",
            format!("{method} is not served here"),
        )
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "ADMIN-401-2",
            "the API key is missing, unknown or expired",
        )
    }

    pub(crate) fn scope_unauthorized(scope: Option<&str>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "ADMIN-401-2", scope_detail(scope))
    }

    pub(crate) fn scope_forbidden(scope: Option<&str>) -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "ADMIN-UAM-403-1",
            scope_detail(scope),
        )
    }

    pub(crate) fn bad_cursor() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "ADMIN-400-1",
            "the cursor is broken, expired or made for another request",
        )
    }

    pub(crate) fn bad_parameter(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "ADMIN-UAM-400-1", detail)
    }

    pub(crate) fn bad_body(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "ADMIN-400-24", detail)
    }

    pub(crate) fn bad_date(name: &str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "ADMIN-400-3",
            format!("`{name}` is not a date in milliseconds"),
        )
    }

    pub(crate) fn media_type() -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "ADMIN-UAM-415-1",
            "a body must be application/json",
        )
    }

    pub(crate) fn body_too_large() -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "ADMIN-400-24",
            "the body is too large",
        )
    }

    pub(crate) fn unknown(code: &'static str, what: &str, id: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            code,
            format!("no {what} with id {id}"),
        )
    }

    pub(crate) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "ADMIN-UAM-403-1", detail)
    }

    pub(crate) fn not_enabled() -> Self {
        Self::forbidden("this endpoint is not enabled for the organization; ask Atlassian support")
    }

    pub(crate) fn group_forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "ADMIN-403-5", detail)
    }

    pub(crate) fn inactive_user(id: &str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "ADMIN-UAM-400-2",
            format!("the account {id} is not active"),
        )
    }

    pub(crate) fn invalid_role(role: &str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "ADMIN-UAM-400-3",
            format!("the role {role} is not valid for this resource"),
        )
    }

    pub(crate) fn resource_missing(name: &str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "ADMIN-UAM-400-5",
            format!("`{name}` is empty"),
        )
    }

    pub(crate) fn last_admin() -> Self {
        Self::bad_parameter("the organization needs at least one admin")
    }

    pub(crate) fn organization_admin() -> Self {
        Self::bad_parameter("access of an organization admin cannot be suspended")
    }

    pub(crate) fn default_group(admins: bool) -> Self {
        let code = if admins { "ADMIN-403-7" } else { "ADMIN-403-6" };
        Self::new(
            StatusCode::FORBIDDEN,
            code,
            "a group that gives default access or admin rights cannot be deleted",
        )
    }

    pub(crate) fn default_group_exists() -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "ADMIN-UAM-409-1",
            "a default group has this name",
        )
    }

    pub(crate) fn group_not_empty() -> Self {
        Self::new(StatusCode::CONFLICT, "ADMIN-409-5", "the group has members")
    }

    /// A refusal of the identity provider API; `kind` is its `scimType`.
    pub(crate) fn scim(status: StatusCode, kind: &'static str, detail: impl Into<String>) -> Self {
        Self::new(status, kind, detail)
    }

    /// A refusal of the account API with one of its own keys.
    pub(crate) fn lifecycle_forbidden(key: &'static str, detail: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, key, detail)
    }

    pub(crate) fn lifecycle_conflict(detail: &str) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict.lifecycleErrors", detail)
    }

    pub(crate) fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "ADMIN-UAM-409-2", detail)
    }

    pub(crate) fn licence_limit(resource_id: &str) -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "ADMIN-UAM-409-3",
            format!("the licence of {resource_id} has no free seat"),
        )
    }

    pub(crate) fn retired() -> Self {
        Self::new(
            StatusCode::GONE,
            "ADMIN-404-1",
            "this endpoint has been retired",
        )
    }

    pub(crate) fn too_many() -> Self {
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "ADMIN-429-1",
            "the request quota of this endpoint is used up",
        )
    }

    pub(crate) fn of_status(status: StatusCode) -> Self {
        let code = match status {
            StatusCode::INTERNAL_SERVER_ERROR => "ADMIN-500-1",
            StatusCode::FORBIDDEN => "ADMIN-UAM-403-1",
            StatusCode::NOT_FOUND => "ADMIN-404-1",
            StatusCode::UNAUTHORIZED => "ADMIN-401-2",
            StatusCode::BAD_REQUEST => "ADMIN-400-1",
            StatusCode::TOO_MANY_REQUESTS => "ADMIN-429-1",
            _ => "ADMIN-UAM-500-1",
        };
        Self::new(
            status,
            code,
            status
                .canonical_reason()
                .unwrap_or("request failed")
                .to_owned(),
        )
    }
}

fn scope_detail(scope: Option<&str>) -> String {
    match scope {
        Some(scope) => format!("the API key lacks the scope {scope}"),
        None => "this endpoint needs an API key without scopes".to_owned(),
    }
}

/// What an error body contains besides the error itself.
pub(crate) struct ErrorContext<'a> {
    pub family: Family,
    pub path: &'a str,
    pub now: Timestamp,
    /// Short, unique per request.
    pub request_id: String,
    pub numeric_status: bool,
}

fn title(status: StatusCode, code: &str) -> &'static str {
    match code {
        "ADMIN-400-1" => "Bad Cursor",
        "ADMIN-400-3" => "Bad Date",
        "ADMIN-400-24" => "Bad Body",
        "ADMIN-404-8" => "Unknown User",
        "ADMIN-404-10" => "Unknown Group",
        "ADMIN-UAM-404-1" | "ADMIN-UAM-404-3" => "Unknown Resource",
        "ADMIN-UAM-400-3" => "Invalid Role",
        "ADMIN-UAM-409-3" => "License Limit Exceeded",
        _ => status.canonical_reason().unwrap_or("Error"),
    }
}

/// The error's JSON in the form of its family.
pub(crate) fn body(error: &ApiError, context: &ErrorContext<'_>) -> Value {
    let status = error.status;
    if error.gateway {
        return json!({
            "timestamp": iso_millis(context.now),
            "path": gateway_path(context.path),
            "status": status.as_u16(),
            "error": status.canonical_reason().unwrap_or(""),
            "requestId": context.request_id,
            "message": error.detail,
        });
    }
    let single = || {
        let number = if context.numeric_status {
            json!(status.as_u16())
        } else {
            json!(status.as_str())
        };
        json!({
            "id": context.request_id,
            "status": number,
            "code": error.code,
            "title": title(status, error.code),
            "detail": error.detail,
        })
    };
    match context.family {
        Family::Workspaces | Family::Roles
            if matches!(
                status,
                StatusCode::UNAUTHORIZED | StatusCode::TOO_MANY_REQUESTS
            ) =>
        {
            json!({ "code": status.as_u16(), "message": status.canonical_reason().unwrap_or("") })
        }
        Family::Admin | Family::Roles => json!({ "errors": [single()] }),
        Family::Workspaces => single(),
        Family::Lifecycle => lifecycle(error, context.path),
        Family::Scim if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
            json!({ "error": error.detail, "traceId": context.request_id })
        }
        Family::Scim => json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
            "status": status.as_str(),
            "scimType": own_code(error),
            "detail": error.detail,
        }),
    }
}

/// The code, unless it is one of the admin API's, which other families do not have.
fn own_code(error: &ApiError) -> Option<&'static str> {
    Some(error.code).filter(|code| !code.is_empty() && !code.starts_with("ADMIN-"))
}

fn lifecycle(error: &ApiError, path: &str) -> Value {
    match error.status {
        StatusCode::UNAUTHORIZED => json!({ "key": "unauthorized" }),
        StatusCode::FORBIDDEN => {
            json!({ "key": own_code(error).unwrap_or("forbidden"), "context": error.detail })
        }
        StatusCode::CONFLICT => {
            let codes =
                [json!({ "code": "not-applicable", "message": error.detail, "link": null })];
            let account = decode_segment(path.split('/').nth(2).unwrap_or_default());
            let context =
                json!({ "message": error.detail, "accountId": account, "errorCodes": codes });
            json!({ "key": own_code(error).unwrap_or("conflict.lifecycleErrors"), "context": context })
        }
        StatusCode::NOT_FOUND if error.code == "notFound" => {
            json!({ "key": "notFound", "errorKey": "not-found", "errorDetail": format!("Error: {}", error.detail) })
        }
        StatusCode::NOT_FOUND => {
            json!({ "key": "accountNotFound", "errorKey": "account-not-found", "errorDetail": format!("Error: {}", error.detail) })
        }
        status => {
            let key = match status {
                StatusCode::BAD_REQUEST => "badRequest",
                StatusCode::TOO_MANY_REQUESTS => "tooManyRequests",
                _ => "internalServerError",
            };
            let key = own_code(error).unwrap_or(key);
            json!({ "key": key, "errorKey": key, "errorDetail": format!("Error: {}", error.detail) })
        }
    }
}

/// The gateway names the path as the service behind it sees it.
fn gateway_path(path: &str) -> String {
    if path.starts_with("/admin/") {
        format!("/api{path}")
    } else {
        format!("/api/admin{path}")
    }
}

/// The error as a response.
pub(crate) fn response(error: &ApiError, context: &ErrorContext<'_>) -> Response {
    json_response(error.status, body(error, context).to_string().into_bytes())
}

/// An answer without a body.
pub(crate) fn empty_response(status: StatusCode) -> Response {
    let mut response = Response::new(axum::body::Body::empty());
    *response.status_mut() = status;
    response
}

/// A JSON answer.
pub(crate) fn json_response(status: StatusCode, body: Vec<u8>) -> Response {
    let mut response = Response::new(axum::body::Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(
        http::header::CONTENT_TYPE,
        http::HeaderValue::from_static("application/json"),
    );
    response
}
