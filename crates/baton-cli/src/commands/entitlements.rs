//! `entitlements`.

use baton_c1z::{Filter, Row, Table as Rows};
use baton_flags::{Command, Field};
use baton_proto::field::c1::connector::v2::entitlement::SLUG;

use super::flags::{self, OfType, SYNC_ID};
use super::listing::{List, named};
use super::{Given, Runs};
use crate::error::CliError;
use crate::json::Fields;
use crate::lookups::{Lookups, name_of, text_of};
use crate::rows::Cells;
use crate::table::{Column, id, text};

const TYPE: Field<String> = flags::resource_type("only entitlements of resources of this type");

pub(super) struct Entitlements(OfType);

impl List for Entitlements {
    const KEY: &'static str = "entitlements";
    const COLUMNS: &'static [Column] = &[
        id("ID"),
        text("Display Name"),
        text("Resource Type"),
        text("Resource"),
        text("Permission"),
    ];

    fn define() -> Command<Runs> {
        Command::new("entitlements", "list entitlements")
            .field(TYPE)
            .field(SYNC_ID)
            .example("all entitlements", "entitlements")
            .example("what can be held on groups", "entitlements -t group")
            .example("for another program", "entitlements -o json")
    }

    fn parse(given: &Given) -> Result<Self, CliError> {
        Ok(Self(OfType::parse(given, &TYPE)))
    }

    fn sync_id(&self) -> Option<&str> {
        self.0.sync_id.as_deref()
    }

    fn rows(&self) -> (Rows, Filter<'_>) {
        (Rows::Entitlements, Filter::default())
    }

    fn selection(&self) -> Box<dyn FnMut(&Row<'_>) -> bool + '_> {
        let wanted = self.0.type_id.as_deref();
        Box::new(move |row| wanted.is_none_or(|wanted| wanted == row.resource_type_id))
    }

    fn cells(
        &self,
        row: &Row<'_>,
        lookups: &mut Lookups<'_>,
        cells: &mut Cells,
    ) -> Result<(), CliError> {
        cells.push(row.id);
        cells.push(name_of(Rows::Entitlements, row)?);
        cells.push(&lookups.resource_type(row.resource_type_id)?.name);
        let resource = lookups.resource(row.resource_type_id, row.resource_id)?;
        cells.push(&resource.name);
        cells.push(text_of(row.data, SLUG, row.id)?);
        Ok(())
    }

    fn fields(
        &self,
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
