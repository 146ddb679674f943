//! What all writes share: their outcome, their bodies, and the objects that their paths name.
//!
//! A write decides on the latest state, whether or not that is visible yet, and returns the steps to take. The service
//! takes them under the same lock, so that two requests never decide on the same state.

use http::StatusCode;
use serde_json::{Map, Value};

use crate::call::Call;
use crate::errors::ApiError;
use crate::model::change::Change;
use crate::model::{Organization, User};

/// An accepted write.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub status: StatusCode,
    pub body: Vec<u8>,
    /// Taken in this order. A step that finds everything as it should be changes nothing.
    pub changes: Vec<Change>,
}

impl Outcome {
    /// 204 after these changes.
    pub(crate) fn done(changes: Vec<Change>) -> Self {
        Self {
            status: StatusCode::NO_CONTENT,
            body: Vec::new(),
            changes,
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

/// A user by account id.
pub(crate) fn user<'a>(org: &'a Organization, id: &str) -> Result<(u32, &'a User), ApiError> {
    org.find_user(id)
        .and_then(|n| org.user(n).map(|u| (n, u)))
        .ok_or_else(|| ApiError::unknown("ADMIN-UAM-404-1", "user", id))
}
