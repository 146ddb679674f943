//! `entitlements`.

use baton_c1z::{Row, Table as Rows};
use baton_flags::{Command, Field};
use baton_proto::field::c1::connector::v2::entitlement::SLUG;

use super::filters::{Options, PRINCIPAL, not_empty};
use super::flags::{self, ENTITLEMENT, RESOURCE};
use super::listing::{List, named};
use super::{Given, Runs};
use crate::error::CliError;
use crate::json::Fields;
use crate::lookups::{Lookups, name_of, text_of};
use crate::rows::Cells;
use crate::table::{Column, id, text};
use baton_query::Table as Records;

const TYPE: Field<String> = flags::resource_type("only entitlements of resources of this type");
const ON: Field<String> = RESOURCE
    .about("only entitlements of this resource, by id or unique name; needs --resource-type");
const OF: Field<String> = ENTITLEMENT.about("only this entitlement, by id or unique name");
const HELD: Field<String> =
    PRINCIPAL.about("only entitlements that this principal holds: id, TYPE:ID or unique name");

pub(super) struct Entitlements;

impl List for Entitlements {
    const KEY: &'static str = "entitlements";
    const COLUMNS: &'static [Column] = &[
        id("ID"),
        text("Display Name"),
        text("Resource Type"),
        text("Resource"),
        text("Permission"),
    ];
    const RECORDS: Records = Records::Entitlements;

    fn define() -> Command<Runs> {
        Command::new("entitlements", "list entitlements")
            .field(TYPE)
            .field(ON)
            .field(OF)
            .field(HELD)
            .example("all entitlements", "entitlements")
            .example("what can be held on groups", "entitlements -t group")
            .example("for another program", "entitlements -o json")
    }

    fn parse(given: &Given) -> Result<Options, CliError> {
        let mut options = Options {
            type_id: flags::text(given, &TYPE),
            ..Options::parse(given, Self::RECORDS)?
        };
        options.entitlement = not_empty(given, &OF)?;
        options.with_resource(given, &TYPE, &ON)
    }

    fn cells(row: &Row<'_>, lookups: &mut Lookups<'_>, cells: &mut Cells) -> Result<(), CliError> {
        cells.push(row.id);
        cells.push(name_of(Rows::Entitlements, row)?);
        cells.push(&lookups.resource_type(row.resource_type_id)?.name);
        let resource = lookups.resource(row.resource_type_id, row.resource_id)?;
        cells.push(&resource.name);
        cells.push(text_of(row.data, SLUG, row.id)?);
        Ok(())
    }

    fn fields(
        row: &Row<'_>,
        lookups: &mut Lookups<'_>,
        fields: &mut Fields<'_>,
    ) -> Result<(), CliError> {
        let message_type = lookups.types().entitlement;
        fields.message("entitlement", message_type, row.data, || {
            named("entitlement", row.id)
        })?;
        let resource = lookups.resource(row.resource_type_id, row.resource_id)?;
        fields.json("resource", &resource.json);
        let resource_type = lookups.resource_type(row.resource_type_id)?;
        fields.json("resourceType", &resource_type.json);
        Ok(())
    }
}
