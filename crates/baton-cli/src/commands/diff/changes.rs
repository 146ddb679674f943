//! Changes as rows: one JSON object each, or cells of a table.

use std::ops::ControlFlow;

use baton_c1z::{Format, Row, Snapshot, Table as Rows};
use baton_proto::c1::connector::v2;
use baton_proto::field::c1::connector::v2::grant::ANNOTATIONS;
use baton_proto::wire;
use baton_query::diff::{
    Change, ChangeKind, Counts, DiffSettings, FieldChange, FieldValue, Sides, diff,
};
use prost::Name;

use super::{noun_of, word_of};
use crate::commands::listing::named;
use crate::error::CliError;
use crate::json::{Fields, MessageTypes};
use crate::rows::{Cells, RowSource, Visit};
use crate::table::{Column, id, text};

const COLUMNS: &[Column] = &[
    text("Change"),
    text("Kind"),
    id("ID"),
    id("Resource"),
    id("Principal"),
    text("Fields"),
];

/// The changes of two syncs.
pub(super) struct Changes<'d, 's> {
    sides: &'d Sides<'s>,
    settings: &'d DiffSettings,
    types: MessageTypes,
    counts: Counts,
}

impl<'d, 's> Changes<'d, 's> {
    pub fn new(sides: &'d Sides<'s>, settings: &'d DiffSettings) -> Result<Self, CliError> {
        Ok(Self {
            sides,
            settings,
            types: MessageTypes::new()?,
            counts: Counts::default(),
        })
    }

    /// Of the last pass.
    pub fn counts(&self) -> Counts {
        self.counts
    }
}

/// Visits changes with a function that can fail in its own way.
pub(super) fn each_change(
    sides: &Sides<'_>,
    settings: &DiffSettings,
    mut visit: impl FnMut(&Change<'_>) -> Result<(), CliError>,
) -> Result<Counts, CliError> {
    let mut failure = None;
    let counts = diff(sides, settings, &mut |change| {
        Ok(match visit(change) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failure = Some(error);
                ControlFlow::Break(())
            }
        })
    })?;
    failure.map_or(Ok(counts), Err)
}

/// The message of a row as it is shown: an expansion is shown where the Go
/// tool's lists show it.
pub(super) fn shown<'r>(
    side: &Snapshot<'_>,
    row: &Row<'r>,
) -> Result<std::borrow::Cow<'r, [u8]>, CliError> {
    let Some(expansion) = row.expansion.filter(|_| side.file().format() == Format::V3) else {
        return Ok(row.data.into());
    };
    let name = v2::GrantExpandable::full_name();
    let whole = wire::append_annotation(row.data, ANNOTATIONS, &name, expansion);
    let whole = whole.map_err(|source| CliError::Render {
        what: named("grant", row.id),
        source,
    })?;
    Ok(whole.into())
}

/// The side that shows the object of a change.
pub(super) fn side_of<'d, 's>(sides: &'d Sides<'s>, change: &Change<'_>) -> &'d Snapshot<'s> {
    match change.kind {
        ChangeKind::Removed => &sides.old,
        ChangeKind::Added | ChangeKind::Changed => &sides.new,
    }
}

fn json_text(out: &mut Vec<u8>, text: &str) {
    baton_query::Value::Text(text.into()).write_json(out);
}

/// A field that changed, as JSON.
fn write_field(out: &mut Vec<u8>, field: &FieldChange) {
    let mut path = Vec::new();
    json_text(&mut path, &field.path.join("."));
    let mut fields = Fields::open(out);
    fields.json("path", &path);
    match &field.value {
        FieldValue::Value { old, new } => {
            for (key, value) in [("old", old), ("new", new)] {
                if let Some(value) = value {
                    fields.json(key, value.as_bytes());
                }
            }
        }
        FieldValue::Set { added, removed } => {
            fields.array("added", added, |out, key| json_text(out, key));
            fields.array("removed", removed, |out, key| json_text(out, key));
        }
        FieldValue::Encoding => {}
    }
    fields.close();
}

impl RowSource for Changes<'_, '_> {
    fn key(&self) -> &'static str {
        "changes"
    }

    fn columns(&self) -> &[Column] {
        COLUMNS
    }

    fn cells(&mut self, visit: &mut Visit<'_, [String]>) -> Result<(), CliError> {
        let mut cells = Cells::default();
        self.counts = each_change(self.sides, self.settings, |change| {
            let row = change.row();
            cells.clear();
            cells.push(change.kind.name());
            cells.push(noun_of(change.table));
            cells.push(match change.table {
                Rows::Resources => row.resource_id,
                _ => row.id,
            });
            match change.table {
                Rows::ResourceTypes => cells.push(""),
                _ => cells.push_parts(&[row.resource_type_id, ":", row.resource_id]),
            }
            match change.table {
                Rows::Grants => cells.push_parts(&[row.principal_type_id, ":", row.principal_id]),
                _ => cells.push(""),
            }
            let fields: Vec<String> = change.fields()?.iter().map(field_text).collect();
            cells.push(&fields.join("; "));
            visit(cells.as_slice())
        })?;
        Ok(())
    }

    fn objects(&mut self, visit: &mut Visit<'_, [u8]>) -> Result<(), CliError> {
        let mut json = Vec::with_capacity(4096);
        let (sides, types) = (self.sides, self.types);
        self.counts = each_change(sides, self.settings, |change| {
            json.clear();
            write_change(&mut json, sides, types, change)?;
            visit(&json)
        })?;
        Ok(())
    }
}

fn write_change(
    json: &mut Vec<u8>,
    sides: &Sides<'_>,
    types: MessageTypes,
    change: &Change<'_>,
) -> Result<(), CliError> {
    let row = change.row();
    let mut text = Vec::new();
    let mut fields = Fields::open(json);
    let mut put = |fields: &mut Fields<'_>, key, value| {
        text.clear();
        json_text(&mut text, value);
        fields.json(key, &text);
    };
    put(&mut fields, "change", change.kind.name());
    put(&mut fields, "kind", word_of(change.table));
    put(&mut fields, "id", row.id);
    if change.table != Rows::ResourceTypes {
        put(&mut fields, "resourceType", row.resource_type_id);
        put(&mut fields, "resource", row.resource_id);
    }
    if change.table == Rows::Grants {
        put(&mut fields, "entitlement", row.entitlement_id);
        put(&mut fields, "principalType", row.principal_type_id);
        put(&mut fields, "principal", row.principal_id);
    }
    let changed = change.fields()?;
    if !changed.is_empty() {
        fields.array("fields", &changed, write_field);
    }
    let data = shown(side_of(sides, change), &row)?;
    fields.message("object", types.of(change.table), &data, || {
        named(noun_of(change.table), row.id)
    })?;
    fields.close();
    Ok(())
}

/// A field that changed, for people.
pub(super) fn field_text(field: &FieldChange) -> String {
    let path = field.path.join(".");
    let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "(none)".to_owned());
    match &field.value {
        FieldValue::Value { old, new } => format!("{path}: {} → {}", value(old), value(new)),
        FieldValue::Set { added, removed } => {
            let signed = |sign: &str, keys: &[String]| -> Vec<String> {
                keys.iter().map(|key| format!("{sign}{key}")).collect()
            };
            let all = [signed("+", added), signed("-", removed)].concat();
            format!("{path}: {}", all.join(" "))
        }
        FieldValue::Encoding => format!("{path}: other content"),
    }
}
