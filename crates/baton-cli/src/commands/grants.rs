//! `grants`.

use baton_c1z::{Format, Row};
use baton_flags::{Command, Field};
use baton_proto::c1::connector::v2;
use baton_proto::field::c1::connector::v2::grant::ANNOTATIONS;
use baton_proto::wire;
use prost::Name;

use super::filters::{Options, PRINCIPAL};
use super::flags::{self, ENTITLEMENT, RESOURCE};
use super::listing::{List, named};
use super::{Given, Runs};
use crate::error::CliError;
use crate::json::Fields;
use crate::lookups::Lookups;
use crate::rows::Cells;
use crate::table::{Column, id, text};
use baton_query::Table as Records;

const TYPE: Field<String> = flags::resource_type("only grants on resources of this type");
const ON: Field<String> =
    RESOURCE.about("only grants on this resource, by id or unique name; needs --resource-type");
const OF: Field<String> =
    ENTITLEMENT.about("only grants of this entitlement, by id or unique name");
const TO: Field<String> =
    PRINCIPAL.about("only grants to this principal: id, TYPE:ID or unique name");

pub(super) struct Grants;

impl List for Grants {
    const KEY: &'static str = "grants";
    const COLUMNS: &'static [Column] = &[
        id("ID"),
        text("Resource Type"),
        text("Resource"),
        text("Entitlement"),
        text("Principal"),
    ];
    const RECORDS: Records = Records::Grants;

    fn define() -> Command<Runs> {
        Command::new("grants", "list grants")
            .field(TYPE)
            .field(ON)
            .field(OF)
            .field(TO)
            .example("who is in a group", "grants -t group -r g1")
            .example("who has one entitlement", "grants -e group:g1:member")
            .example("what one person has", "grants --principal kim@example.com")
            .example(
                "all grants for another program",
                "grants -o json -f sync.c1z",
            )
    }

    fn parse(given: &Given) -> Result<Options, CliError> {
        let mut options = Options::parse(given, Self::RECORDS)?.with_resource(given, &TYPE, &ON)?;
        if options.resource.is_none() {
            options.type_id = match given.config.given(&TYPE) {
                Some("") => return Err(CliError::usage("--resource-type is required")),
                type_id => type_id.map(ToOwned::to_owned),
            };
        }
        options.entitlement = match given.config.given(&OF) {
            // The flag is called --entitlement; the words are what scripts know.
            Some("") => {
                return Err(CliError::Usage {
                    message: "--entitlement-id is required".to_owned(),
                    hint: Some("give --entitlement a value, or leave it out".to_owned()),
                });
            }
            id => id.map(ToOwned::to_owned),
        };
        Ok(options)
    }

    fn cells(row: &Row<'_>, lookups: &mut Lookups<'_>, cells: &mut Cells) -> Result<(), CliError> {
        cells.push(row.id);
        cells.push(&lookups.resource_type(row.resource_type_id)?.name);
        let resource = lookups.resource(row.resource_type_id, row.resource_id)?;
        cells.push(&resource.name);
        cells.push(&lookups.entitlement(row.entitlement_id)?.name);
        let principal = lookups.resource(row.principal_type_id, row.principal_id)?;
        cells.push(&principal.name);
        Ok(())
    }

    fn fields(
        row: &Row<'_>,
        lookups: &mut Lookups<'_>,
        fields: &mut Fields<'_>,
    ) -> Result<(), CliError> {
        // The Go tool's listings show what a grant expands to only on this format.
        let shows_expansion = lookups.format() == Format::V3;
        let expanded = match row.expansion.filter(|_| shows_expansion) {
            Some(expansion) => Some(with_expansion(row, expansion)?),
            None => None,
        };
        let data = expanded.as_deref().unwrap_or(row.data);
        let message_type = lookups.types().grant;
        fields.message("grant", message_type, data, || named("grant", row.id))?;
        let entitlement = lookups.entitlement(row.entitlement_id)?;
        fields.json("entitlement", &entitlement.json);
        let resource = lookups.resource(row.resource_type_id, row.resource_id)?;
        fields.json("resource", &resource.json);
        let resource_type = lookups.resource_type(row.resource_type_id)?;
        fields.json("resourceType", &resource_type.json);
        let principal = lookups.resource(row.principal_type_id, row.principal_id)?;
        fields.json("principal", &principal.json);
        Ok(())
    }
}

/// A grant with its expansion at the end of its annotations.
fn with_expansion(row: &Row<'_>, expansion: &[u8]) -> Result<Vec<u8>, CliError> {
    let name = v2::GrantExpandable::full_name();
    wire::append_annotation(row.data, ANNOTATIONS, &name, expansion).map_err(|source| {
        CliError::Render {
            what: named("grant", row.id),
            source,
        }
    })
}
