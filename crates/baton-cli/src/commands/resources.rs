//! `resources`.

use baton_c1z::{Filter, Row, Table as Rows};
use baton_flags::{Command, Field};

use super::flags::{self, OfType, SYNC_ID};
use super::listing::{List, RESOURCE_COLUMNS, named, resource_cells, resource_context};
use super::{Given, Runs};
use crate::error::CliError;
use crate::json::Fields;
use crate::lookups::{Lookups, name_of};
use crate::rows::Cells;
use crate::table::Column;

const TYPE: Field<String> = flags::resource_type("only resources of this type");

pub(super) struct Resources(OfType);

impl List for Resources {
    const KEY: &'static str = "resources";
    const COLUMNS: &'static [Column] = RESOURCE_COLUMNS;

    fn define() -> Command<Runs> {
        Command::new("resources", "list resources")
            .field(TYPE)
            .field(SYNC_ID)
            .example("all resources", "resources")
            .example("all groups", "resources -t group")
            .example("all users for another program", "resources -t user -o json")
    }

    fn parse(given: &Given) -> Result<Self, CliError> {
        Ok(Self(OfType::parse(given, &TYPE)))
    }

    fn sync_id(&self) -> Option<&str> {
        self.0.sync_id.as_deref()
    }

    fn rows(&self) -> (Rows, Filter<'_>) {
        let filter = Filter {
            resource_type_id: self.0.type_id.as_deref(),
            ..Filter::default()
        };
        (Rows::Resources, filter)
    }

    fn cells(
        &self,
        row: &Row<'_>,
        lookups: &mut Lookups<'_>,
        cells: &mut Cells,
    ) -> Result<(), CliError> {
        let id = (row.resource_type_id, row.resource_id);
        let name = name_of(Rows::Resources, row)?;
        resource_cells(lookups, id, name, row.parent, cells)
    }

    fn fields(
        &self,
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
