//! One object as a table: its fields, who has it, and what it has.

use baton_c1z::{Snapshot, Table as Rows};
use baton_query::Value;

use super::fields::Fields;
use super::{Found, grants_of, json_of};
use crate::error::CliError;
use crate::lookups::Lookups;
use crate::rows::{Cells, RowSource, Visit};
use crate::scan::each_row;
use crate::table::{Column, id, text};

const COLUMNS: &[Column] = &[
    text("Part"),
    text("Name"),
    id("Value"),
    id("Entitlement ID"),
];

/// The parts of an object. Memory does not grow with its grants.
pub(super) struct Parts<'p, 's> {
    pub snapshot: &'p Snapshot<'s>,
    pub lookups: &'p mut Lookups<'s>,
    pub found: &'p Found,
}

impl Parts<'_, '_> {
    fn fields(
        &self,
        mut visit: impl FnMut(&[&str], &str) -> Result<(), CliError>,
    ) -> Result<(), CliError> {
        let (name, others) = self.found.fields();
        let ids: &[&str] = match self.found {
            Found::Resource(_) => &["resource.id", "resource.type"],
            Found::Entitlement(_) => &["entitlement.id"],
        };
        let names = ids.iter().chain([&name]).chain(others).copied();
        let fields = Fields::new(self.snapshot, self.found, names)?;
        let row = self.found.row().as_row();
        let record = fields.record(&row);
        for (field, label) in fields.labelled() {
            match record.value(field)? {
                value if value.is_empty() => {}
                Value::Map(map) => {
                    for (key, value) in map.entries() {
                        visit(&[label, ".", key], &value.to_string())?;
                    }
                }
                value => visit(&[label], &value.to_string())?,
            }
        }
        Ok(())
    }
}

impl RowSource for Parts<'_, '_> {
    fn key(&self) -> &'static str {
        "parts"
    }

    fn columns(&self) -> &[Column] {
        COLUMNS
    }

    fn cells(&mut self, visit: &mut Visit<'_, [String]>) -> Result<(), CliError> {
        let mut cells = Cells::default();
        self.fields(|name, value| {
            cells.clear();
            cells.push("field");
            cells.push_parts(name);
            cells.push(value);
            cells.push("");
            visit(cells.as_slice())
        })?;
        let (held, has) = grants_of(self.found);
        let lookups = &mut *self.lookups;
        for (part, filter) in [("holder", Some(held)), ("access", has)] {
            let Some(filter) = filter else { continue };
            each_row(self.snapshot, Rows::Grants, &filter, |row| {
                let (type_id, id) = match part {
                    "holder" => (row.principal_type_id, row.principal_id),
                    _ => (row.resource_type_id, row.resource_id),
                };
                cells.clear();
                cells.push(part);
                cells.push(&lookups.resource(type_id, id)?.name);
                cells.push_parts(&[type_id, ":", id]);
                cells.push(row.entitlement_id);
                visit(cells.as_slice())
            })?;
        }
        Ok(())
    }

    /// The object is one, and whole.
    fn objects(&mut self, visit: &mut Visit<'_, [u8]>) -> Result<(), CliError> {
        visit(&json_of(self.snapshot, self.lookups, self.found)?)
    }
}
