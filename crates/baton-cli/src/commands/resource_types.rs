//! `resource-types`.

use baton_c1z::{Row, Table as Rows};
use baton_flags::{Command, Field};
use baton_proto::field::c1::connector::v2::resource_type::TRAITS;
use baton_proto::wire::{self, Value};

use super::filters::Options;
use super::flags;
use super::listing::{List, named};
use super::{Given, Runs};
use crate::error::CliError;
use crate::json::Fields;
use crate::lookups::{Lookups, name_of};
use crate::rows::Cells;
use crate::table::{Column, id, text};
use baton_query::Table as Records;

const TYPE: Field<String> = flags::resource_type("only this type");

pub(super) struct ResourceTypes;

impl List for ResourceTypes {
    const KEY: &'static str = "resourceTypes";
    const COLUMNS: &'static [Column] = &[id("ID"), text("Display Name"), text("Traits")];
    const RECORDS: Records = Records::ResourceTypes;

    fn define() -> Command<Runs> {
        Command::new("resource-types", "list resource types")
            .field(TYPE)
            .example("the types in the default file", "resource-types")
            .example("the types in another file", "resource-types -f old.c1z")
            .example("for another program", "resource-types -o json")
    }

    fn parse(given: &Given) -> Result<Options, CliError> {
        Ok(Options {
            type_id: flags::text(given, &TYPE),
            ..Options::parse(given, Self::RECORDS)?
        })
    }

    fn cells(row: &Row<'_>, _: &mut Lookups<'_>, cells: &mut Cells) -> Result<(), CliError> {
        cells.push(row.id);
        cells.push(name_of(Rows::ResourceTypes, row)?);
        cells.push(&traits(row.data)?);
        Ok(())
    }

    fn fields(
        row: &Row<'_>,
        lookups: &mut Lookups<'_>,
        fields: &mut Fields<'_>,
    ) -> Result<(), CliError> {
        let message_type = lookups.types().resource_type;
        fields.message("resourceType", message_type, row.data, || {
            named("resource type", row.id)
        })
    }
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
            Value::Varint(number) if field.number == TRAITS => push(number),
            Value::Bytes(packed) if field.number == TRAITS => {
                for number in wire::packed_varints(packed) {
                    push(number.map_err(unreadable)?);
                }
            }
            _ => {}
        }
    }
    Ok(names.join(", "))
}
