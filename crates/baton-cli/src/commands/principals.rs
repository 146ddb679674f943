//! `principals`.

use std::collections::{HashMap, HashSet};

use baton_c1z::{Row, Table as Rows};
use baton_flags::{Command, Field, Relation};

use super::flags::{self, ENTITLEMENT, GrantFilter, RESOURCE, SYNC_ID};
use super::listing::{Listing, RESOURCE_COLUMNS, each, list, resource_cells, resource_context};
use super::{Cmd, Cx, Given, Runs};
use crate::error::CliError;
use crate::json::ListWriter;
use crate::output::Output;
use crate::table::Table;

const TYPE: Field<String> = flags::resource_type("the type of --resource");
const ON: Field<String> = RESOURCE.about("only holders of grants on this resource");
const OF: Field<String> = ENTITLEMENT.about("only holders of this entitlement");

pub(super) struct Principals {
    filter: GrantFilter,
    sync_id: Option<String>,
}

impl Cmd for Principals {
    fn define() -> Command<Runs> {
        Command::new("principals", "list holders of grants, each once")
            .field(TYPE)
            .field(ON)
            .field(OF)
            .field(SYNC_ID)
            .relation(Relation::RequiredTogether(vec![TYPE.name(), ON.name()]))
            .relation(Relation::MutuallyExclusive(vec![ON.name(), OF.name()]))
            .example("everybody who holds something", "principals")
            .example("who is in a group", "principals -t group -r g1")
            .example("who holds one entitlement", "principals -e group:g1:member")
    }

    fn parse(given: &Given) -> Result<Self, CliError> {
        let filter = if given.config.was_set(&ON) {
            let (type_id, id) = flags::typed_id(given, &TYPE, &ON)?;
            GrantFilter::Resource { type_id, id }
        } else {
            // Unlike in `grants`, an empty value is an id that nobody has.
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

    fn run(self, cx: &mut Cx<'_, '_>) -> Result<(), CliError> {
        let file = cx.file;
        list(cx, file, self.sync_id.as_deref(), |listing| {
            show_some(listing, &self.filter)
        })
    }
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
fn show_some(listing: &mut Listing<'_>, filter: &GrantFilter) -> Result<(), CliError> {
    let rows = filter.rows();
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
