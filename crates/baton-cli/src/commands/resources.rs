//! `resources`.

use baton_c1z::{Filter, Table as Rows};
use baton_flags::{Command, Field};

use super::flags::{self, SYNC_ID};
use super::listing::{
    Listing, RESOURCE_COLUMNS, list, named, resource_cells, resource_context, show,
};
use super::{Cmd, Cx, Given, Runs};
use crate::error::CliError;
use crate::lookups::name_of;

/// Field number of the stored message.
const RESOURCE_NAME: u32 = 3;

const TYPE: Field<String> = flags::resource_type("only resources of this type");

pub(super) struct Resources {
    type_id: Option<String>,
    sync_id: Option<String>,
}

impl Cmd for Resources {
    fn define() -> Command<Runs> {
        Command::new("resources", "list resources")
            .field(TYPE)
            .field(SYNC_ID)
            .example("all resources", "resources")
            .example("all groups", "resources -t group")
            .example("all users for another program", "resources -t user -o json")
    }

    fn parse(given: &Given) -> Result<Self, CliError> {
        Ok(Self {
            type_id: flags::text(given, &TYPE),
            sync_id: flags::sync_id(given),
        })
    }

    fn run(self, cx: &mut Cx<'_, '_>) -> Result<(), CliError> {
        let file = cx.file;
        list(cx, file, self.sync_id.as_deref(), |listing| {
            show_some(listing, self.type_id.as_deref())
        })
    }
}

fn show_some(listing: &mut Listing<'_>, type_id: Option<&str>) -> Result<(), CliError> {
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
