//! `resource-types`.

use baton_c1z::{Filter, Table as Rows};
use baton_flags::Command;
use baton_proto::wire::{self, Value};

use super::flags::{self, SYNC_ID};
use super::listing::{Listing, list, named, show};
use super::{Cmd, Cx, Given, Runs};
use crate::error::CliError;
use crate::lookups::name_of;
use crate::table::{id, text};

/// Field numbers of the stored message.
const TYPE_NAME: u32 = 2;
const TYPE_TRAITS: u32 = 3;

pub(super) struct ResourceTypes {
    sync_id: Option<String>,
}

impl Cmd for ResourceTypes {
    fn define() -> Command<Runs> {
        Command::new("resource-types", "list resource types")
            .field(SYNC_ID)
            .example("the types in the default file", "resource-types")
            .example("the types in another file", "resource-types -f old.c1z")
            .example("for another program", "resource-types -o json")
    }

    fn parse(given: &Given) -> Result<Self, CliError> {
        Ok(Self {
            sync_id: flags::sync_id(given),
        })
    }

    fn run(self, cx: &mut Cx<'_, '_>) -> Result<(), CliError> {
        let file = cx.file;
        list(cx, file, self.sync_id.as_deref(), show_all)
    }
}

fn show_all(listing: &mut Listing<'_>) -> Result<(), CliError> {
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
