//! Flags that several commands have, and what they mean.

use std::path::PathBuf;

use baton_flags::Field;

use super::Given;
use crate::error::CliError;

pub(super) const SYNC_ID: Field<String> = Field::string(
    "sync-id",
    "look at this sync (default: the newest finished one)",
)
.value_name("id");
pub(super) const RESOURCE: Field<String> =
    Field::string("resource", "").short('r').value_name("id");
pub(super) const ENTITLEMENT: Field<String> =
    Field::string("entitlement", "").short('e').value_name("id");

pub(super) const fn resource_type(help: &'static str) -> Field<String> {
    Field::string("resource-type", help)
        .short('t')
        .value_name("type")
}

/// The path of a new file.
pub(super) const fn new_file(default: &'static str) -> Field<PathBuf> {
    Field::path("out", "the file to write; it must not exist").default(default)
}

/// A text; none where it is empty.
pub(super) fn text(given: &Given, field: &Field<String>) -> Option<String> {
    let text = given.config.get(field);
    (!text.is_empty()).then(|| text.to_owned())
}

pub(super) fn sync_id(given: &Given) -> Option<String> {
    text(given, &SYNC_ID)
}

/// A path that must not be empty.
pub(super) fn output_path(given: &Given, field: &Field<PathBuf>) -> Result<PathBuf, CliError> {
    let path = given.config.find(field).map(ToOwned::to_owned);
    path.ok_or_else(|| CliError::Usage {
        message: "an output path is required".to_owned(),
        hint: Some("pass it with --out".to_owned()),
    })
}

/// A resource, of which both parts must be given.
pub(super) fn typed_id(
    given: &Given,
    type_id: &Field<String>,
    id: &Field<String>,
) -> Result<(String, String), CliError> {
    match (text(given, type_id), text(given, id)) {
        (Some(type_id), Some(id)) => Ok((type_id, id)),
        _ => Err(CliError::usage(
            "--resource-type and --resource are required",
        )),
    }
}
