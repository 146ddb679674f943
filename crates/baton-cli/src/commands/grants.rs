//! `grants` and `principals`.

use std::collections::{HashMap, HashSet};

use baton_c1z::{Format, Row, Table as Rows};
use baton_proto::c1::connector::v2;
use baton_proto::wire;
use prost::Name;

use super::lists::{RESOURCE_COLUMNS, each, named, resource_cells, resource_context, show};
use super::{Listing, grant_rows};
use crate::args::{GrantFilter, Output};
use crate::error::CliError;
use crate::json::ListWriter;
use crate::table::{Table, id, text};

pub(super) fn grants(listing: &mut Listing<'_>, filter: &GrantFilter) -> Result<(), CliError> {
    let shape = listing.shapes.grant;
    // The Go tool's listings show what a grant expands to only on this format.
    let shows_expansion = listing.snapshot.file().format() == Format::V3;
    show(
        listing,
        (Rows::Grants, &grant_rows(filter)),
        &[
            id("ID"),
            text("Resource Type"),
            text("Resource"),
            text("Entitlement"),
            text("Principal"),
        ],
        "grants",
        |row, lookups| {
            Ok([
                row.id.to_owned(),
                lookups
                    .resource_type(row.resource_type_id)?
                    .name
                    .to_string(),
                lookups
                    .resource(row.resource_type_id, row.resource_id)?
                    .name
                    .to_string(),
                lookups.entitlement(row.entitlement_id)?.name.to_string(),
                lookups
                    .resource(row.principal_type_id, row.principal_id)?
                    .name
                    .to_string(),
            ])
        },
        |row, lookups, item| {
            let expanded = match row.expansion.filter(|_| shows_expansion) {
                Some(expansion) => Some(with_expansion(row, expansion)?),
                None => None,
            };
            let data = expanded.as_deref().unwrap_or(row.data);
            item.message("grant", shape, data, || named("grant", row.id))?;
            let entitlement = lookups.entitlement(row.entitlement_id)?;
            item.json("entitlement", &entitlement.json);
            let resource = lookups.resource(row.resource_type_id, row.resource_id)?;
            item.json("resource", &resource.json);
            let resource_type = lookups.resource_type(row.resource_type_id)?;
            item.json("resourceType", &resource_type.json);
            let principal = lookups.resource(row.principal_type_id, row.principal_id)?;
            item.json("principal", &principal.json);
            Ok(())
        },
        |_| true,
    )
}

/// A grant with its expansion at the end of its annotations.
fn with_expansion(row: &Row<'_>, expansion: &[u8]) -> Result<Vec<u8>, CliError> {
    const ANNOTATIONS: u32 = 4;
    let name = v2::GrantExpandable::full_name();
    wire::append_annotation(row.data, ANNOTATIONS, &name, expansion).map_err(|source| {
        CliError::Render {
            what: named("grant", row.id),
            source,
        }
    })
}

/// Principals seen so far. Grows with principals, not with grants.
#[derive(Default)]
struct Seen(HashMap<String, HashSet<Box<str>>>);

impl Seen {
    /// True the first time.
    fn first(&mut self, row: &Row<'_>) -> bool {
        if !self.0.contains_key(row.principal_type_id) {
            self.0
                .insert(row.principal_type_id.to_owned(), HashSet::new());
        }
        self.0.get_mut(row.principal_type_id).is_some_and(|ids| {
            !ids.contains(row.principal_id) && ids.insert(row.principal_id.into())
        })
    }
}

/// Each holder once, in the order of first appearance among the grants.
pub(super) fn principals(listing: &mut Listing<'_>, filter: &GrantFilter) -> Result<(), CliError> {
    let rows = grant_rows(filter);
    let lookups = &mut listing.lookups;
    if listing.output == Output::Json {
        let mut list = ListWriter::new(listing.out, "resources");
        let mut seen = Seen::default();
        each(listing.snapshot, Rows::Grants, &rows, |row| {
            if !seen.first(row) {
                return Ok(());
            }
            let found = lookups.resource(row.principal_type_id, row.principal_id)?;
            list.item(|item| {
                item.json("resource", &found.json);
                let parent = found
                    .parent
                    .as_deref()
                    .map(|(t, i)| (t.as_str(), i.as_str()));
                resource_context(lookups, item, row.principal_type_id, parent)
            })
        })?;
        return Ok(list.finish()?);
    }
    let mut lines = |visit: &mut dyn FnMut([String; 4]) -> Result<(), CliError>| {
        let mut seen = Seen::default();
        each(listing.snapshot, Rows::Grants, &rows, |row| {
            if !seen.first(row) {
                return Ok(());
            }
            let found = lookups.resource(row.principal_type_id, row.principal_id)?;
            let parent = found
                .parent
                .as_deref()
                .map(|(t, i)| (t.as_str(), i.as_str()));
            let id = (row.principal_type_id, row.principal_id);
            visit(resource_cells(lookups, id, found.name.to_string(), parent)?)
        })?;
        lookups.silent();
        Ok::<(), CliError>(())
    };
    let mut table = Table::new(&RESOURCE_COLUMNS, listing.style);
    lines(&mut |line| {
        table.measure(&line);
        Ok(())
    })?;
    table.header(listing.out)?;
    let out = &mut *listing.out;
    lines(&mut |line| Ok(table.row(out, &line)?))?;
    Ok(Table::end(listing.out)?)
}
