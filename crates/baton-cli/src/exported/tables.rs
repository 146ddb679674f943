//! A table per kind of record, by the names of the record view.

use baton_c1z::{Filter, Snapshot};
use baton_query::{Field, Records, Table, View};

use crate::error::CliError;
use crate::scan::each_row;

/// A kind of record, with what its table shows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RecordTable {
    table: Table,
    /// Its name in messages and on sheets.
    pub title: &'static str,
    /// Its name in names of files.
    pub file_name: &'static str,
    /// The fields, which are also the heads of the columns.
    pub fields: &'static [&'static str],
}

impl RecordTable {
    /// All kinds, in the order in which a sync finds them.
    pub const ALL: [Self; 4] = [
        Self {
            table: Table::ResourceTypes,
            title: "Resource types",
            file_name: "resource_types",
            fields: &[
                "resource_type.id",
                "resource_type.display_name",
                "resource_type.traits",
            ],
        },
        Self {
            table: Table::Resources,
            title: "Resources",
            file_name: "resources",
            fields: &[
                "resource.type",
                "resource.id",
                "resource.display_name",
                "resource.description",
                "resource.parent_type",
                "resource.parent_id",
                "resource.traits",
                "resource.status",
                "resource.email",
                "resource.login",
                "resource.last_login",
                "resource.account_type",
                "resource.created_at",
                "secret.expires_at",
                "secret.last_used_at",
                "secret.identity_id",
                "resource.profile",
            ],
        },
        Self {
            table: Table::Entitlements,
            title: "Entitlements",
            file_name: "entitlements",
            fields: &[
                "entitlement.id",
                "entitlement.display_name",
                "entitlement.slug",
                "entitlement.purpose",
                "entitlement.resource_type",
                "entitlement.resource_id",
                "resource.display_name",
            ],
        },
        Self {
            table: Table::Grants,
            title: "Grants",
            file_name: "grants",
            fields: &[
                "grant.id",
                "principal.type",
                "principal.id",
                "principal.display_name",
                "principal.email",
                "principal.status",
                "entitlement.id",
                "entitlement.display_name",
                "entitlement.slug",
                "resource.type",
                "resource.id",
                "resource.display_name",
                "grant.direct",
                "grant.immutable",
                "grant.expandable",
                "grant.sources",
            ],
        },
    ];
}

/// Called with the cells of each row.
pub(crate) type VisitCells<'v> = dyn FnMut(&[String]) -> Result<(), CliError> + 'v;

/// Visits the rows of a table, in stored order; gives their number.
pub(crate) fn visit_table(
    snapshot: &Snapshot<'_>,
    of: RecordTable,
    visit: &mut VisitCells<'_>,
) -> Result<u64, CliError> {
    let fields = of
        .fields
        .iter()
        .map(|name| Field::parse_in(of.table, name))
        .collect::<Result<Vec<_>, _>>()?;
    let view = View::new(of.table).with_all(fields.iter().copied());
    let records = Records::new(snapshot, view);
    let mut cells = vec![String::new(); fields.len()];
    let mut rows = 0;
    each_row(snapshot, of.table.rows(), &Filter::default(), |row| {
        let record = records.record(row);
        for (field, cell) in fields.iter().zip(&mut cells) {
            cell.clear();
            push(cell, &record.value(*field)?);
        }
        rows += 1;
        visit(&cells)
    })?;
    Ok(rows)
}

/// Appends a value as text, without a detour where it is one.
fn push(cell: &mut String, value: &baton_query::Value<'_>) {
    use std::fmt::Write as _;
    match value {
        baton_query::Value::Text(text) => cell.push_str(text),
        // Writing to a string cannot fail.
        other => {
            let _ = write!(cell, "{other}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_one_of_its_table() {
        for of in RecordTable::ALL {
            for name in of.fields {
                assert!(Field::parse_in(of.table, name).is_ok(), "{name}");
            }
        }
    }
}
