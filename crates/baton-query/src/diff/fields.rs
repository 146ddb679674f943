//! The fields in which two rows differ.

use std::collections::BTreeSet;
use std::path::PathBuf;

use baton_c1z::{Error as FileError, Row, Table as Rows};
use baton_proto::DESCRIPTOR_SET;
use baton_proto::c1::connector::v2;
use baton_proto::json::compare::{Content, Difference, Rules, differences};
use baton_proto::json::{MessageId, Options, Registry, UnknownAny};
use prost::Message;
use prost_types::FileDescriptorSet;

use super::{DiffSettings, Sides};
use crate::error::Result;
use crate::record::sources;

/// Times that change with each use, wherever they are in a row.
const TIMES: [&str; 4] = ["lastLogin", "lastUsedAt", "observedAt", "discoveredAt"];
/// Messages of rows.
const MESSAGES: [&str; 4] = ["ResourceType", "Resource", "Entitlement", "Grant"];
/// The name under which an expansion is compared, which is stored apart.
const EXPANSION: [&str; 2] = ["annotations", "GrantExpandable"];

/// A field that changed.
#[derive(Debug)]
#[non_exhaustive]
pub struct FieldChange {
    /// Its path in JSON names, such as `annotations.UserTrait.login`.
    pub path: Vec<String>,
    /// Its values.
    pub value: FieldValue,
}

/// How a field changed.
#[derive(Debug)]
pub enum FieldValue {
    /// From one value to another, as JSON; `None`: there is none.
    Value {
        /// The old value.
        old: Option<String>,
        /// The new value.
        new: Option<String>,
    },
    /// Keys that a set gained and lost: the sources of a grant, which are ids
    /// of entitlements.
    Set {
        /// Keys that only the new side has.
        added: Vec<String>,
        /// Keys that only the old side has.
        removed: Vec<String>,
    },
    /// Encoded in another way, with the same content.
    Encoding,
}

/// JSON names of the fields of rows.
pub(super) fn top_names() -> Vec<String> {
    // The set is compiled in.
    let set = FileDescriptorSet::decode(DESCRIPTOR_SET).unwrap_or_default();
    let messages = set
        .file
        .iter()
        .filter(|file| file.package() == "c1.connector.v2")
        .flat_map(|file| &file.message_type)
        .filter(|message| MESSAGES.contains(&message.name()));
    let mut names: Vec<String> = messages
        .flat_map(|message| {
            message
                .field
                .iter()
                .map(|field| field.json_name().to_owned())
        })
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The message of a table's rows.
fn type_of(table: Rows) -> Option<MessageId> {
    let registry = Registry::get();
    let found = match table {
        Rows::ResourceTypes => registry.message_of::<v2::ResourceType>(),
        Rows::Resources => registry.message_of::<v2::Resource>(),
        Rows::Entitlements => registry.message_of::<v2::Entitlement>(),
        Rows::Grants => registry.message_of::<v2::Grant>(),
    };
    found.ok()
}

/// Compares rows by the settings.
#[derive(Debug)]
pub(super) struct Comparer<'s> {
    settings: &'s DiffSettings,
    /// Of two formats.
    is_across: bool,
    /// The files, for errors.
    paths: [PathBuf; 2],
}

impl<'s> Comparer<'s> {
    pub fn new(sides: &Sides<'_>, settings: &'s DiffSettings) -> Self {
        Self {
            settings,
            is_across: sides.are_of_two_formats(),
            paths: [sides.old, sides.new].map(|side| side.file().path().to_owned()),
        }
    }

    /// Whether two rows of one object differ in anything that counts.
    pub fn differ(&self, table: Rows, old: &Row<'_>, new: &Row<'_>) -> Result<bool> {
        if old.data == new.data && old.expansion == new.expansion {
            return Ok(false);
        }
        Ok(!self.differences(table, old, new)?.is_empty())
    }

    /// Whether the resource of the settings, if any, is what a row is about.
    pub fn selects(&self, table: Rows, row: &Row<'_>) -> bool {
        let Some((type_id, id)) = &self.settings.resource else {
            return true;
        };
        let wanted = (type_id.as_str(), id.as_str());
        match table {
            Rows::ResourceTypes => row.id == wanted.0,
            Rows::Resources | Rows::Entitlements => {
                (row.resource_type_id, row.resource_id) == wanted
            }
            Rows::Grants => {
                (row.resource_type_id, row.resource_id) == wanted
                    || (row.principal_type_id, row.principal_id) == wanted
            }
        }
    }

    fn differences(&self, table: Rows, old: &Row<'_>, new: &Row<'_>) -> Result<Vec<Difference>> {
        let mut found = self.all_differences(table, old, new)?;
        if self.is_across {
            // Format v3 does not store empty messages, nor a parent without id.
            let is_without_id = |row: &Row<'_>| row.parent.is_some_and(|(_, id)| id.is_empty());
            let no_parent = is_without_id(old) || is_without_id(new);
            found.retain(|difference| {
                let is_parent = difference.path == ["parentResourceId"];
                !(is_parent && no_parent || is_empty_on_one_side(difference))
            });
        }
        Ok(found)
    }

    fn all_differences(
        &self,
        table: Rows,
        old: &Row<'_>,
        new: &Row<'_>,
    ) -> Result<Vec<Difference>> {
        let rules = RowRules {
            settings: self.settings,
            is_across: self.is_across,
            table,
            below: &[],
        };
        let row = old;
        let malformed = |_| self.malformed(table, row);
        let compare = |message: Option<MessageId>, old: &[u8], new: &[u8], rules: &RowRules<'_>| {
            // All types of rows are compiled in.
            let message = message.ok_or_else(|| self.malformed(table, row))?;
            differences(message, old, new, rules).map_err(malformed)
        };
        let mut found = compare(type_of(table), old.data, new.data, &rules)?;
        let path = EXPANSION.map(str::to_owned);
        if old.expansion == new.expansion || !rules.counts(&path) {
            return Ok(found);
        }
        let rules = RowRules {
            below: &path,
            ..rules
        };
        let nothing: &[u8] = &[];
        let (a, b) = (old.expansion, new.expansion);
        let message = Registry::get().message_of::<v2::GrantExpandable>().ok();
        let mut inside = compare(message, a.unwrap_or(nothing), b.unwrap_or(nothing), &rules)?;
        for difference in &mut inside {
            difference.path.splice(0..0, path.clone());
        }
        if inside.is_empty() && a.is_some() != b.is_some() {
            inside.push(Difference {
                path: path.to_vec(),
                old: None,
                new: None,
            });
        }
        found.extend(inside);
        Ok(found)
    }

    /// The fields in which two rows differ.
    pub fn fields(&self, table: Rows, old: &Row<'_>, new: &Row<'_>) -> Result<Vec<FieldChange>> {
        let mut changes = Vec::new();
        let mut sources_differ = false;
        for difference in self.differences(table, old, new)? {
            let is_sources = difference
                .path
                .first()
                .is_some_and(|step| step == "sources");
            let is_on_one_side = difference.old.is_some() != difference.new.is_some();
            if table == Rows::Grants && is_sources && is_on_one_side {
                sources_differ = true;
            } else {
                changes.push(self.change(table, old, difference)?);
            }
        }
        if sources_differ {
            changes.push(self.sources(old, new)?);
        }
        Ok(changes)
    }

    /// Sources of a grant, as ids that were added and removed.
    fn sources(&self, old: &Row<'_>, new: &Row<'_>) -> Result<FieldChange> {
        let read = |row: &Row<'_>| -> Result<BTreeSet<String>> {
            let ids = sources(row.data).map_err(|_| self.malformed(Rows::Grants, row))?;
            Ok(ids.into_iter().map(str::to_owned).collect())
        };
        let (old, new) = (read(old)?, read(new)?);
        Ok(FieldChange {
            path: vec!["sources".to_owned()],
            value: FieldValue::Set {
                added: new.difference(&old).cloned().collect(),
                removed: old.difference(&new).cloned().collect(),
            },
        })
    }

    fn change(&self, table: Rows, old: &Row<'_>, difference: Difference) -> Result<FieldChange> {
        let json = |content: Option<&Content>| -> Result<Option<String>> {
            let Some(content) = content else {
                return Ok(None);
            };
            let options = Options {
                unknown_any: UnknownAny::Drop,
                ..Options::default()
            };
            let mut out = Vec::new();
            let written = content.write_json(&mut out, &options);
            written.map_err(|_| self.malformed(table, old))?;
            Ok(Some(String::from_utf8_lossy(&out).into_owned()))
        };
        let (old, new) = (
            json(difference.old.as_ref())?,
            json(difference.new.as_ref())?,
        );
        // What is not known is named by its place alone.
        let value = match (&old, &new) {
            (None, None) => FieldValue::Encoding,
            _ => FieldValue::Value { old, new },
        };
        Ok(FieldChange {
            path: difference.path,
            value,
        })
    }

    fn malformed(&self, table: Rows, row: &Row<'_>) -> FileError {
        let [old, _] = &self.paths;
        FileError::Row {
            path: old.clone(),
            table,
            id: row.id.to_owned(),
            reason: "its content, or that of the same row in the other sync, cannot be read",
        }
    }
}

/// Whether one side has an empty message in a field where the other has none.
fn is_empty_on_one_side(difference: &Difference) -> bool {
    // Further in there are entries of maps, which may be empty.
    if difference.path.len() > 1 {
        return false;
    }
    let ((None, Some(only)) | (Some(only), None)) = (&difference.old, &difference.new) else {
        return false;
    };
    let mut json = Vec::new();
    only.write_json(&mut json, &Options::default()).is_ok() && json == b"{}"
}

/// What counts in a row.
#[derive(Clone, Copy)]
struct RowRules<'r> {
    settings: &'r DiffSettings,
    is_across: bool,
    table: Rows,
    /// Where the compared message is in the row.
    below: &'r [String],
}

impl Rules for RowRules<'_> {
    fn counts(&self, path: &[String]) -> bool {
        let whole;
        let path = if self.below.is_empty() {
            path
        } else {
            whole = [self.below, path].concat();
            &whole
        };
        let last = path.last().map_or("", String::as_str);
        if !self.settings.include_times && TIMES.contains(&last) && !is_in_profile(path) {
            return false;
        }
        if self.is_across && !fits_both(self.table, path) {
            return false;
        }
        !self
            .settings
            .ignored
            .iter()
            .any(|ignored| ignored.covers(path))
    }

    fn unknown_fields_count(&self) -> bool {
        !self.is_across
    }
}

/// Keys there are of applications, not of messages.
fn is_in_profile(path: &[String]) -> bool {
    path.iter().any(|step| step == "profile")
}

/// Whether both formats hold what is at a path.
fn fits_both(table: Rows, path: &[String]) -> bool {
    let names: Vec<&str> = path.iter().map(String::as_str).collect();
    match (table, names.as_slice()) {
        (
            Rows::Resources,
            ["externalId" | "creationSource" | "batonResource", ..]
            | ["id" | "parentResourceId", "batonResource"],
        ) => false,
        (Rows::Entitlements, ["resource", embedded @ ..])
        | (Rows::Grants, ["principal", embedded @ ..]) => is_id(embedded),
        (Rows::Entitlements, ["grantableTo", embedded @ ..]) => {
            matches!(embedded, [] | ["id"])
        }
        (Rows::Grants, ["entitlement", embedded @ ..]) => match embedded {
            [] | ["id"] => true,
            ["resource", embedded @ ..] => is_id(embedded),
            _ => false,
        },
        _ => true,
    }
}

/// Whether a path within an embedded resource leads to its id.
fn is_id(path: &[&str]) -> bool {
    matches!(path, [] | ["id"] | ["id", "resourceType" | "resource"])
}
