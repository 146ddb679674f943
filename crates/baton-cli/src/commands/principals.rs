//! `principals`.

use std::collections::{HashMap, HashSet};

use baton_c1z::{Filter, Row, Table as Rows};
use baton_flags::{Command, Field, Relation};

use super::flags::{self, ENTITLEMENT, GrantFilter, RESOURCE, SYNC_ID};
use super::listing::{List, RESOURCE_COLUMNS, resource_cells, resource_context};
use super::{Given, Runs};
use crate::error::CliError;
use crate::json::Fields;
use crate::lookups::Lookups;
use crate::rows::Cells;
use crate::table::Column;

const TYPE: Field<String> = flags::resource_type("the type of --resource");
const ON: Field<String> = RESOURCE.about("only holders of grants on this resource");
const OF: Field<String> = ENTITLEMENT.about("only holders of this entitlement");

pub(super) struct Principals {
    filter: GrantFilter,
    sync_id: Option<String>,
}

impl List for Principals {
    const KEY: &'static str = "resources";
    const COLUMNS: &'static [Column] = RESOURCE_COLUMNS;

    fn define() -> Command<Runs> {
        Command::new("principals", "list holders of grants, each once")
            .field(TYPE)
            .field(ON)
            .field(OF)
            .field(SYNC_ID)
            .relation(Relation::RequiredTogether(vec![TYPE.name(), ON.name()]))
            .relation(Relation::MutuallyExclusive(vec![ON.name(), OF.name()]))
            .example("all holders of grants", "principals")
            .example("who is in a group", "principals -t group -r g1")
            .example("who holds one entitlement", "principals -e group:g1:member")
    }

    fn parse(given: &Given) -> Result<Self, CliError> {
        let filter = if given.config.was_set(&ON) {
            let (type_id, id) = flags::typed_id(given, &TYPE, &ON)?;
            GrantFilter::Resource { type_id, id }
        } else {
            // Unlike in `grants`, an empty value is an id that matches no entitlement.
            let id = given.config.given(&OF);
            id.map_or(GrantFilter::All, |id| {
                GrantFilter::Entitlement(id.to_owned())
            })
        };
        Ok(Self {
            filter,
            sync_id: flags::sync_id(given),
        })
    }

    fn sync_id(&self) -> Option<&str> {
        self.sync_id.as_deref()
    }

    fn rows(&self) -> (Rows, Filter<'_>) {
        (Rows::Grants, self.filter.rows())
    }

    /// Each holder once, in the order of first appearance among the grants.
    fn selection(&self) -> Box<dyn FnMut(&Row<'_>) -> bool + '_> {
        let mut seen = Seen::default();
        Box::new(move |row| seen.is_first(row))
    }

    fn cells(
        &self,
        row: &Row<'_>,
        lookups: &mut Lookups<'_>,
        cells: &mut Cells,
    ) -> Result<(), CliError> {
        let id = (row.principal_type_id, row.principal_id);
        let principal = lookups.resource(id.0, id.1)?;
        resource_cells(lookups, id, &principal.name, principal.parent(), cells)
    }

    fn fields(
        &self,
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
