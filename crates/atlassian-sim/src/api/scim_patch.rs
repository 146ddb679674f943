//! Operations of a patch (§11).

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::scim_objects::{Attributes, invalid};
use crate::errors::ApiError;

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Add,
    Replace,
    Remove,
}

/// One operation.
#[derive(Debug)]
pub(super) struct Operation<'a> {
    pub kind: Kind,
    pub path: Option<&'a str>,
    pub value: Option<&'a Value>,
}

/// The operations of a body, under either spelling of their name.
pub(super) fn operations(body: &Attributes) -> Result<Vec<Operation<'_>>, ApiError> {
    let list = body.get("Operations").or(body.get("operations"));
    let list = list
        .and_then(Value::as_array)
        .ok_or_else(|| invalid("`Operations` must be a list"))?;
    list.iter().map(operation).collect()
}

fn operation(given: &Value) -> Result<Operation<'_>, ApiError> {
    let word = given["op"].as_str().unwrap_or_default();
    let kind = match word.to_ascii_lowercase().as_str() {
        "add" => Kind::Add,
        "replace" => Kind::Replace,
        "remove" => Kind::Remove,
        _ => return Err(invalid("`op` must be add, replace or remove")),
    };
    let path = match given.get("path") {
        None | Some(Value::Null) => None,
        Some(Value::String(path)) => Some(path.as_str()).filter(|p| !p.is_empty()),
        Some(_) => return Err(no_path("`path` must be a text")),
    };
    if kind == Kind::Remove && path.is_none() {
        let detail = "`remove` needs a `path`";
        return Err(ApiError::scim(StatusCode::BAD_REQUEST, "noTarget", detail));
    }
    Ok(Operation {
        kind,
        path,
        value: given.get("value"),
    })
}

pub(super) fn no_path(detail: impl Into<String>) -> ApiError {
    ApiError::scim(StatusCode::BAD_REQUEST, "invalidPath", detail)
}

/// Applies an operation to attributes. A path is an attribute, or an attribute and one of its members.
pub(super) fn apply(
    attributes: &mut Attributes,
    operation: &Operation<'_>,
) -> Result<(), ApiError> {
    let Some(path) = operation.path else {
        let members = operation.value.and_then(Value::as_object);
        let members = members.ok_or_else(|| invalid("`value` must be an object without `path`"))?;
        attributes.extend(members.clone());
        return Ok(());
    };
    let (outer, inner) = split(path)?;
    let value = operation.value.cloned().unwrap_or(Value::Null);
    match (operation.kind, inner) {
        (Kind::Remove, None) => {
            attributes.remove(outer);
        }
        (Kind::Remove, Some(inner)) => {
            if let Some(members) = attributes.get_mut(outer).and_then(Value::as_object_mut) {
                members.remove(inner);
            }
        }
        (_, None) => {
            attributes.insert(outer.to_owned(), value);
        }
        (_, Some(inner)) => {
            member_of(attributes, outer)?.insert(inner.to_owned(), value);
        }
    }
    Ok(())
}

fn member_of<'a>(
    attributes: &'a mut Attributes,
    outer: &str,
) -> Result<&'a mut Map<String, Value>, ApiError> {
    attributes
        .entry(outer)
        .or_insert_with(|| json!({}))
        .as_object_mut()
        .ok_or_else(|| no_path(format!("`{outer}` has no members")))
}

/// A path in its parts. Selections like `emails[type eq "work"]` are not understood (assumed).
fn split(path: &str) -> Result<(&str, Option<&str>), ApiError> {
    if path.contains(['[', ']']) {
        return Err(no_path(format!("`{path}` selects by a filter")));
    }
    // A schema's name ends with a version and may be followed by a member.
    if path.starts_with("urn:") {
        return match path.rsplit_once(':') {
            Some((schema, member)) if schema.contains("2.0:") => Ok((schema, Some(member))),
            _ => Ok((path, None)),
        };
    }
    match path.split_once('.') {
        Some((outer, inner)) => Ok((outer, Some(inner))),
        None => Ok((path, None)),
    }
}
