//! `principals`.

use std::collections::{HashMap, HashSet};

use baton_c1z::Row;
use baton_flags::{Command, Field, Relation};

use super::filters::{Options, PRINCIPAL};
use super::flags::{self, ENTITLEMENT, RESOURCE};
use super::listing::{List, RESOURCE_COLUMNS, resource_cells, resource_context};
use super::{Given, Runs};
use crate::error::CliError;
use crate::json::Fields;
use crate::lookups::Lookups;
use crate::rows::Cells;
use crate::table::Column;
use baton_query::Table as Records;

const TYPE: Field<String> = flags::resource_type("the type of --resource");
const ON: Field<String> =
    RESOURCE.about("only holders of grants on this resource, by id or unique name");
const OF: Field<String> =
    ENTITLEMENT.about("only holders of this entitlement, by id or unique name");
const ONE: Field<String> = PRINCIPAL.about("only this holder: id, TYPE:ID or unique name");

pub(super) struct Principals;

impl List for Principals {
    const KEY: &'static str = "resources";
    const COLUMNS: &'static [Column] = RESOURCE_COLUMNS;
    const RECORDS: Records = Records::Principals;

    fn define() -> Command<Runs> {
        Command::new("principals", "list holders of grants, each once")
            .field(TYPE)
            .field(ON)
            .field(OF)
            .field(ONE)
            .relation(Relation::RequiredTogether(vec![TYPE.name(), ON.name()]))
            .example("all holders of grants", "principals")
            .example("who is in a group", "principals -t group -r g1")
            .example("who holds one entitlement", "principals -e group:g1:member")
    }

    fn parse(given: &Given) -> Result<Options, CliError> {
        let mut options = Options::parse(given, Self::RECORDS)?.with_resource(given, &TYPE, &ON)?;
        // Unlike in `grants`, an empty value is an id that matches no entitlement.
        options.entitlement = given.config.given(&OF).map(ToOwned::to_owned);
        Ok(options)
    }

    /// Each holder once, in the order of first appearance among the grants.
    fn selection() -> Box<dyn FnMut(&Row<'_>) -> bool> {
        let mut seen = Seen::default();
        Box::new(move |row| seen.is_first(row))
    }

    fn cells(row: &Row<'_>, lookups: &mut Lookups<'_>, cells: &mut Cells) -> Result<(), CliError> {
        let id = (row.principal_type_id, row.principal_id);
        let principal = lookups.resource(id.0, id.1)?;
        resource_cells(lookups, id, &principal.name, principal.parent(), cells)
    }

    fn fields(
        row: &Row<'_>,
        lookups: &mut Lookups<'_>,
        fields: &mut Fields<'_>,
    ) -> Result<(), CliError> {
        let principal = lookups.resource(row.principal_type_id, row.principal_id)?;
        fields.json("resource", &principal.json);
        resource_context(lookups, fields, row.principal_type_id, principal.parent())
    }
}

/// Principals seen so far. Grows with principals, not with grants.
#[derive(Default)]
pub(super) struct Seen(HashMap<String, HashSet<Box<str>>>);

impl Seen {
    /// True the first time.
    pub(super) fn is_first(&mut self, row: &Row<'_>) -> bool {
        if !self.0.contains_key(row.principal_type_id) {
            self.0
                .insert(row.principal_type_id.to_owned(), HashSet::new());
        }
        self.0.get_mut(row.principal_type_id).is_some_and(|ids| {
            !ids.contains(row.principal_id) && ids.insert(row.principal_id.into())
        })
    }
}
