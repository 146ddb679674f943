//! `resources`.

use baton_c1z::{Row, Table as Rows};
use baton_flags::{Command, Field};

use super::filters::{Options, PRINCIPAL, not_empty};
use super::flags::{self, ENTITLEMENT, RESOURCE};
use super::listing::{List, RESOURCE_COLUMNS, named, resource_cells, resource_context};
use super::{Given, Runs};
use crate::error::CliError;
use crate::json::Fields;
use crate::lookups::{Lookups, name_of};
use crate::rows::Cells;
use crate::table::Column;
use baton_query::Table as Records;

const TYPE: Field<String> = flags::resource_type("only resources of this type");
const ONE: Field<String> =
    RESOURCE.about("only this resource, by id or unique name; needs --resource-type");
const HELD: Field<String> = PRINCIPAL
    .about("only resources that this principal holds something on: id, TYPE:ID or unique name");

const OF: Field<String> =
    ENTITLEMENT.about("only the resource that this entitlement is on, by id or unique name");

pub(super) struct Resources;

impl List for Resources {
    const KEY: &'static str = "resources";
    const COLUMNS: &'static [Column] = RESOURCE_COLUMNS;
    const RECORDS: Records = Records::Resources;

    fn define() -> Command<Runs> {
        Command::new("resources", "list resources")
            .field(TYPE)
            .field(ONE)
            .field(OF)
            .field(HELD)
            .example("all resources", "resources")
            .example("all groups", "resources -t group")
            .example("all users for another program", "resources -t user -o json")
    }

    fn parse(given: &Given) -> Result<Options, CliError> {
        let mut options = Options {
            type_id: flags::text(given, &TYPE),
            ..Options::parse(given, Self::RECORDS)?
        };
        options.entitlement = not_empty(given, &OF)?;
        options.with_resource(given, &TYPE, &ONE)
    }

    fn cells(row: &Row<'_>, lookups: &mut Lookups<'_>, cells: &mut Cells) -> Result<(), CliError> {
        let id = (row.resource_type_id, row.resource_id);
        let name = name_of(Rows::Resources, row)?;
        resource_cells(lookups, id, name, row.parent, cells)
    }

    fn fields(
        row: &Row<'_>,
        lookups: &mut Lookups<'_>,
        fields: &mut Fields<'_>,
    ) -> Result<(), CliError> {
        let message_type = lookups.types().resource;
        fields.message("resource", message_type, row.data, || {
            named("resource", row.id)
        })?;
        resource_context(lookups, fields, row.resource_type_id, row.parent)
    }
}
