//! Flags that several commands have, and what they mean.

use std::path::PathBuf;

use baton_c1z::Filter;
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

/// What a list of one table can be narrowed to.
pub(super) struct OfType {
    pub type_id: Option<String>,
    pub sync_id: Option<String>,
}

impl OfType {
    /// Reads the command's own type flag and the chosen sync.
    pub fn parse(given: &Given, type_id: &Field<String>) -> Self {
        Self {
            type_id: text(given, type_id),
            sync_id: sync_id(given),
        }
    }
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

/// Which grants a command looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum GrantFilter {
    All,
    Resource { type_id: String, id: String },
    Type(String),
    Entitlement(String),
}

impl GrantFilter {
    /// The rows that it selects.
    pub fn rows(&self) -> Filter<'_> {
        match self {
            Self::All => Filter::default(),
            Self::Resource { type_id, id } => Filter {
                resource: Some((type_id, id)),
                ..Filter::default()
            },
            Self::Type(type_id) => Filter {
                resource_type_id: Some(type_id),
                ..Filter::default()
            },
            Self::Entitlement(id) => Filter {
                entitlement_id: Some(id),
                ..Filter::default()
            },
        }
    }
}
