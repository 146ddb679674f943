//! `resource-types`, `resources` and `entitlements`.

use std::ops::ControlFlow;

use baton_c1z::{Filter, Row, Snapshot, Table as Rows};
use baton_proto::wire::{self, Value};

use super::Listing;
use crate::args::Output;
use crate::error::CliError;
use crate::json::{Fields, ListWriter};
use crate::lookups::{Lookups, name_of};
use crate::table::{Column, Table, id, text};

/// Field numbers of the stored messages.
const TYPE_NAME: u32 = 2;
const TYPE_TRAITS: u32 = 3;
const RESOURCE_NAME: u32 = 3;
const ENTITLEMENT_NAME: u32 = 3;
const ENTITLEMENT_SLUG: u32 = 8;

pub(super) const RESOURCE_COLUMNS: [Column; 4] = [
    id("ID"),
    text("Display Name"),
    text("Resource Type"),
    text("Parent Resource"),
];

/// Visits rows with a function that can fail in its own way.
pub(super) fn each(
    snapshot: &Snapshot<'_>,
    table: Rows,
    filter: &Filter<'_>,
    mut visit: impl FnMut(&Row<'_>) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let mut failure = None;
    snapshot.scan(table, filter, &mut |row| match visit(row) {
        Ok(()) => Ok(ControlFlow::Continue(())),
        Err(error) => {
            failure = Some(error);
            Ok(ControlFlow::Break(()))
        }
    })?;
    failure.map_or(Ok(()), Err)
}

/// Shows rows as a table in two passes, or as a JSON list in one.
pub(super) fn show<const N: usize>(
    listing: &mut Listing<'_>,
    source: (Rows, &Filter<'_>),
    columns: &[Column; N],
    key: &'static str,
    mut cells: impl FnMut(&Row<'_>, &mut Lookups<'_>) -> Result<[String; N], CliError>,
    mut fields: impl FnMut(&Row<'_>, &mut Lookups<'_>, &mut Fields<'_>) -> Result<(), CliError>,
    mut wanted: impl FnMut(&Row<'_>) -> bool,
) -> Result<(), CliError> {
    let (rows, filter) = source;
    let lookups = &mut listing.lookups;
    if listing.output == Output::Json {
        let mut list = ListWriter::new(listing.out, key);
        each(listing.snapshot, rows, filter, |row| {
            if wanted(row) {
                list.item(|item| fields(row, lookups, item))?;
            }
            Ok(())
        })?;
        return Ok(list.finish()?);
    }
    let mut table = Table::new(columns, listing.style);
    each(listing.snapshot, rows, filter, |row| {
        if wanted(row) {
            table.measure(&cells(row, lookups)?);
        }
        Ok(())
    })?;
    table.header(listing.out)?;
    let out = &mut *listing.out;
    lookups.silent();
    each(listing.snapshot, rows, filter, |row| {
        if wanted(row) {
            table.row(out, &cells(row, lookups)?)?;
        }
        Ok(())
    })?;
    Ok(Table::end(listing.out)?)
}

pub(super) fn resource_types(listing: &mut Listing<'_>) -> Result<(), CliError> {
    let shape = listing.shapes.resource_type;
    show(
        listing,
        (Rows::ResourceTypes, &Filter::default()),
        &[id("ID"), text("Display Name"), text("Traits")],
        "resourceTypes",
        |row, _| {
            let name = name_of(row.data, TYPE_NAME, row.id)?.to_owned();
            Ok([row.id.to_owned(), name, traits(row.data)?])
        },
        |row, _, item| {
            item.message("resourceType", shape, row.data, || {
                named("resource type", row.id)
            })
        },
        |_| true,
    )
}

pub(super) fn resources(listing: &mut Listing<'_>, type_id: Option<&str>) -> Result<(), CliError> {
    let shape = listing.shapes.resource;
    let filter = Filter {
        resource_type_id: type_id,
        ..Filter::default()
    };
    show(
        listing,
        (Rows::Resources, &filter),
        &RESOURCE_COLUMNS,
        "resources",
        |row, lookups| {
            let name = name_of(row.data, RESOURCE_NAME, row.id)?.to_owned();
            resource_cells(
                lookups,
                (row.resource_type_id, row.resource_id),
                name,
                row.parent,
            )
        },
        |row, lookups, item| {
            item.message("resource", shape, row.data, || named("resource", row.id))?;
            resource_context(lookups, item, row.resource_type_id, row.parent)
        },
        |_| true,
    )
}

pub(super) fn entitlements(
    listing: &mut Listing<'_>,
    type_id: Option<&str>,
) -> Result<(), CliError> {
    let shape = listing.shapes.entitlement;
    show(
        listing,
        (Rows::Entitlements, &Filter::default()),
        &[
            id("ID"),
            text("Display Name"),
            text("Resource Type"),
            text("Resource"),
            text("Permission"),
        ],
        "entitlements",
        |row, lookups| {
            Ok([
                row.id.to_owned(),
                name_of(row.data, ENTITLEMENT_NAME, row.id)?.to_owned(),
                lookups
                    .resource_type(row.resource_type_id)?
                    .name
                    .to_string(),
                lookups
                    .resource(row.resource_type_id, row.resource_id)?
                    .name
                    .to_string(),
                name_of(row.data, ENTITLEMENT_SLUG, row.id)?.to_owned(),
            ])
        },
        |row, lookups, item| {
            item.message("entitlement", shape, row.data, || {
                named("entitlement", row.id)
            })?;
            let resource = lookups.resource(row.resource_type_id, row.resource_id)?;
            item.json("resource", &resource.json);
            let resource_type = lookups.resource_type(row.resource_type_id)?;
            item.json("resourceType", &resource_type.json);
            Ok(())
        },
        |row| type_id.is_none_or(|wanted| wanted == row.resource_type_id),
    )
}

/// The cells of a resource: its own id, name, type and parent.
pub(super) fn resource_cells(
    lookups: &mut Lookups<'_>,
    (type_id, id): (&str, &str),
    name: String,
    parent: Option<(&str, &str)>,
) -> Result<[String; 4], CliError> {
    let type_name = lookups.resource_type(type_id)?.name.to_string();
    let parent = match parent {
        Some((parent_type, parent_id)) => {
            let parent = lookups.resource(parent_type, parent_id)?;
            format!("{} ({parent_type})", parent.name)
        }
        None => "-".to_owned(),
    };
    Ok([id.to_owned(), name, type_name, parent])
}

/// What stands beside a resource in JSON: its type and its parent.
pub(super) fn resource_context(
    lookups: &mut Lookups<'_>,
    item: &mut Fields<'_>,
    type_id: &str,
    parent: Option<(&str, &str)>,
) -> Result<(), CliError> {
    let resource_type = lookups.resource_type(type_id)?;
    item.json("resourceType", &resource_type.json);
    if let Some((parent_type, parent_id)) = parent {
        let parent = lookups.resource(parent_type, parent_id)?;
        item.json("parent", &parent.json);
    }
    Ok(())
}

pub(super) fn named(kind: &str, id: &str) -> String {
    format!("{kind} `{id}`")
}

/// The names of a type's traits, joined as in the Go tool.
fn traits(data: &[u8]) -> Result<String, CliError> {
    use baton_proto::c1::connector::v2::resource_type::Trait;
    let unreadable = |source| CliError::Render {
        what: "the traits of a resource type".to_owned(),
        source,
    };
    let mut names = Vec::new();
    let mut push = |number: u64| {
        let known = i32::try_from(number)
            .ok()
            .and_then(|n| Trait::try_from(n).ok());
        names.push(known.map_or_else(|| number.to_string(), |t| t.as_str_name().to_owned()));
    };
    for field in wire::fields(data) {
        let field = field.map_err(unreadable)?;
        match field.value {
            Value::Varint(number) if field.number == TYPE_TRAITS => push(number),
            Value::Bytes(packed) if field.number == TYPE_TRAITS => {
                for number in wire::packed_varints(packed) {
                    push(number.map_err(unreadable)?);
                }
            }
            _ => {}
        }
    }
    Ok(names.join(", "))
}
