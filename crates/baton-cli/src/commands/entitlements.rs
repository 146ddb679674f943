//! `entitlements`.

use baton_c1z::{Filter, Table as Rows};
use baton_flags::{Command, Field};

use super::flags::{self, SYNC_ID};
use super::listing::{Listing, list, named, show};
use super::{Cmd, Cx, Given, Runs};
use crate::error::CliError;
use crate::lookups::name_of;
use crate::table::{id, text};

/// Field numbers of the stored message.
const ENTITLEMENT_NAME: u32 = 3;
const ENTITLEMENT_SLUG: u32 = 8;

const TYPE: Field<String> = flags::resource_type("only entitlements of resources of this type");

pub(super) struct Entitlements {
    type_id: Option<String>,
    sync_id: Option<String>,
}

impl Cmd for Entitlements {
    fn define() -> Command<Runs> {
        Command::new("entitlements", "list entitlements")
            .field(TYPE)
            .field(SYNC_ID)
            .example("all entitlements", "entitlements")
            .example("what can be held on groups", "entitlements -t group")
            .example("for another program", "entitlements -o json")
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
