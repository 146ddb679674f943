//! The texts of refusals and the words around errors (`service-mode.md` §4.4).

use baton_connector::Error;
use baton_proto::Code;
use baton_proto::c1::connector::v2;

use crate::Status;

/// An error with `prefix` before its text, unless it is about credentials, whose
/// errors have texts of their own.
pub(crate) fn failed(prefix: &str, error: &Error) -> Status {
    match error {
        Error::Credential(_) => Status::from(error),
        _ => Status::from(error).prefixed(prefix),
    }
}

/// As [`failed`] for an error that the Go SDK makes itself: it shows the code of
/// the inner error as well.
pub(crate) fn failed_with_code(prefix: &str, error: &Error) -> Status {
    let mut status = Status::from(error);
    let code = status.code.name();
    status.message = format!("{prefix}rpc error: code = {code} desc = {}", status.message);
    status
}

pub(crate) fn unimplemented(text: impl Into<String>) -> Status {
    Status::new(Code::Unimplemented, text)
}

pub(crate) fn invalid(text: impl Into<String>) -> Status {
    Status::new(Code::InvalidArgument, text)
}

/// A list is asked for a type that the connector does not have.
pub(crate) fn unknown_type(doing: &str, type_id: &str) -> Status {
    Status::new(
        Code::NotFound,
        format!("error: {doing} with unknown resource type {type_id}"),
    )
}

/// A resource id in Go's text form; nothing is `<nil>`.
pub(crate) fn go_text(id: Option<&v2::ResourceId>) -> String {
    let Some(id) = id else {
        return "<nil>".to_owned();
    };
    let mut parts = Vec::new();
    if !id.resource_type.is_empty() {
        parts.push(format!("resource_type:{:?}", id.resource_type));
    }
    if !id.resource.is_empty() {
        parts.push(format!("resource:{:?}", id.resource));
    }
    if id.baton_resource {
        parts.push("baton_resource:true".to_owned());
    }
    parts.join("  ")
}
