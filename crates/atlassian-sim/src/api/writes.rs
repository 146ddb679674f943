//! What all writes share: their outcome, their bodies, and the objects that their paths name.
//!
//! A write decides on the latest state, whether or not that is visible yet, and returns the steps to take. The service
//! takes them under the same lock, so that two requests never decide on the same state.

use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::call::Call;
use crate::errors::ApiError;
use crate::model::change::Change;
use crate::model::step::Step;
use crate::model::{Organization, User};
use crate::paging::to_json;

/// An accepted write.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub status: StatusCode,
    pub body: Vec<u8>,
    /// Taken in this order. A step that finds everything as it should be changes nothing.
    pub steps: Vec<Step>,
}

impl Outcome {
    /// 204 after these changes.
    pub(crate) fn done(changes: Vec<Change>) -> Self {
        Self {
            status: StatusCode::NO_CONTENT,
            body: Vec::new(),
            steps: changes.into_iter().map(Step::Change).collect(),
        }
    }

    /// 200 with a JSON body after these steps.
    pub(crate) fn answered(body: &Value, steps: Vec<Step>) -> Self {
        Self {
            status: StatusCode::OK,
            body: to_json(body),
            steps,
        }
    }
}

/// The members of a write's body.
pub(crate) fn members(call: &Call<'_>) -> Result<Map<String, Value>, ApiError> {
    call.json_object()
        .map_err(|_| ApiError::bad_parameter("the body is not a JSON object"))
}

/// A required text of a body.
pub(crate) fn required<'a>(body: &'a Map<String, Value>, name: &str) -> Result<&'a str, ApiError> {
    match body.get(name) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text),
        Some(Value::String(_) | Value::Null) | None => {
            Err(ApiError::bad_parameter(format!("`{name}` is required")))
        }
        Some(_) => Err(ApiError::bad_parameter(format!("`{name}` must be a text"))),
    }
}

/// The directory of the path. Writes need a certain one (assumed).
pub(crate) fn directory(call: &Call<'_>, org: &Organization) -> Result<u8, ApiError> {
    match call.param("directory") {
        "-" => Err(ApiError::bad_parameter(
            "a change needs the id of a directory",
        )),
        id => org
            .find_directory(id)
            .ok_or_else(|| ApiError::unknown("ADMIN-UAM-404-1", "directory", id)),
    }
}

/// The group of the path, which must be in the path's directory.
pub(crate) fn group(call: &Call<'_>, org: &Organization) -> Result<u32, ApiError> {
    let directory = directory(call, org)?;
    let id = call.param("id");
    org.find_group(id)
        .filter(|n| org.group(*n).is_some_and(|g| g.directory == directory))
        .ok_or_else(|| ApiError::unknown("ADMIN-UAM-404-3", "group", id))
}

/// 200 with the message of older endpoints, after these changes.
pub(super) fn message(text: &str, changes: Vec<Change>) -> Outcome {
    let steps = changes.into_iter().map(Step::Change).collect();
    Outcome::answered(&json!({ "message": text }), steps)
}

/// An optional text of a body.
pub(crate) fn optional<'a>(
    body: &'a Map<String, Value>,
    name: &str,
) -> Result<Option<&'a str>, ApiError> {
    match body.get(name) {
        Some(Value::String(text)) => Ok(Some(text)),
        None | Some(Value::Null) => Ok(None),
        Some(_) => Err(ApiError::bad_parameter(format!("`{name}` must be a text"))),
    }
}

/// A user by account id.
pub(crate) fn user<'a>(org: &'a Organization, id: &str) -> Result<(u32, &'a User), ApiError> {
    org.find_user(id)
        .and_then(|n| org.user(n).map(|u| (n, u)))
        .ok_or_else(|| ApiError::unknown("ADMIN-UAM-404-1", "user", id))
}
