//! `show`: one resource, principal or entitlement whole: on one screen for
//! people, as one object, or as a table of its parts.

mod fields;
mod parts;
mod screen;

use baton_c1z::{Filter, OwnedRow, Snapshot, Table as Rows};
use baton_flags::{Command, Positionals};
use baton_query::{Error as QueryError, Kind};

use super::flags::{self, SYNC_ID};
use super::listing::{Sync, named, resource_context, with_sync};
use super::{Cmd, Cx, Given, Runs};
use crate::error::CliError;
use crate::json::Fields;
use crate::lookups::Lookups;
use crate::output::Output;
use crate::scan::each_row;
use parts::Parts;
use screen::Screen;

pub(super) struct Show {
    wanted: String,
    sync_id: Option<String>,
}

impl Cmd for Show {
    fn define() -> Command<Runs> {
        Command::new(
            "show",
            "show one resource, principal or entitlement: what it is, who has it, what it has",
        )
        .positionals(Positionals::Named {
            shown: "ID-OR-NAME",
            help: "id, TYPE:ID of a resource, or a name that only one object has",
        })
        .field(SYNC_ID)
        .example("a person by e-mail", "show kim@example.com")
        .example("a group", "show group:g1")
        .example("an entitlement", "show group:g1:member")
        .example(
            "its fields, holders and access as a table",
            "show group:g1 -o csv",
        )
    }

    fn used_words() -> usize {
        1
    }

    fn parse(given: &Given) -> Result<Self, CliError> {
        let word = given.words.first().and_then(|word| word.to_str());
        let wanted = word.filter(|word| !word.is_empty());
        Ok(Self {
            wanted: wanted
                .map(ToOwned::to_owned)
                .ok_or_else(|| CliError::Usage {
                    message: "no object is named".to_owned(),
                    hint: Some(
                        "pass an id or a name, as in `baton show kim@example.com`".to_owned(),
                    ),
                })?,
            sync_id: flags::sync_id(given),
        })
    }

    fn run(self, cx: &mut Cx<'_, '_>) -> Result<(), CliError> {
        with_sync(cx, self.sync_id.as_deref(), |sync| {
            let found = find(sync, &self.wanted)?;
            match sync.output {
                Output::Console => Screen { sync }.show(&found),
                Output::Json | Output::Yaml => {
                    let json = json_of(sync.snapshot, &mut sync.lookups, &found)?;
                    sync.output.write_object(&json, sync.out)
                }
                Output::Ndjson | Output::Csv | Output::Markdown => {
                    let sink = sync.output.sink(sync.style);
                    let mut parts = Parts {
                        snapshot: sync.snapshot,
                        lookups: &mut sync.lookups,
                        found: &found,
                    };
                    sink.write(&mut parts, sync.out)
                }
            }
        })
    }
}

enum Found {
    Resource(OwnedRow),
    Entitlement(OwnedRow),
}

/// The object. Ids win over names, whatever has them.
fn find(sync: &Sync<'_, '_>, wanted: &str) -> Result<Found, CliError> {
    let finder = sync.finder();
    let (resource, entitlement) = (finder.any_resource(wanted), finder.entitlement(wanted));
    let by_id = |row: &OwnedRow| row.id == wanted || row.resource_id == wanted;
    match (resource, entitlement) {
        (Ok(resource), Ok(entitlement)) => match (by_id(&resource), entitlement.id == wanted) {
            (true, false) => Ok(Found::Resource(resource)),
            (false, true) => Ok(Found::Entitlement(entitlement)),
            _ => Err(CliError::Usage {
                message: format!("`{wanted}` is a resource and an entitlement"),
                hint: Some(format!(
                    "name one of them: `{}` or `{}`",
                    resource.id, entitlement.id
                )),
            }),
        },
        (Ok(resource), Err(_)) => Ok(Found::Resource(resource)),
        (Err(_), Ok(entitlement)) => Ok(Found::Entitlement(entitlement)),
        (Err(QueryError::NotFound(_)), Err(entitlement @ QueryError::Ambiguous(_))) => {
            Err(entitlement.into())
        }
        (Err(QueryError::NotFound(mut resource)), Err(QueryError::NotFound(entitlement))) => {
            resource.nearest.extend(entitlement.nearest);
            resource.kind = Kind::ResourceOrEntitlement;
            Err(QueryError::NotFound(resource).into())
        }
        (Err(resource), Err(_)) => Err(resource.into()),
    }
}

/// Grants on a resource or of an entitlement, and to a principal.
fn grants_of(found: &Found) -> (Filter<'_>, Option<Filter<'_>>) {
    match found {
        Found::Resource(row) => {
            let key = Some((row.resource_type_id.as_str(), row.resource_id.as_str()));
            let on = Filter {
                resource: key,
                ..Filter::default()
            };
            let to = Filter {
                principal: key,
                ..Filter::default()
            };
            (on, Some(to))
        }
        Found::Entitlement(row) => {
            let of = Filter {
                entitlement_id: Some(&row.id),
                ..Filter::default()
            };
            (of, None)
        }
    }
}

/// The object with its holders and what it holds.
fn json_of(
    snapshot: &Snapshot<'_>,
    lookups: &mut Lookups<'_>,
    found: &Found,
) -> Result<Vec<u8>, CliError> {
    let types = lookups.types();
    let mut text = Vec::new();
    let mut fields = Fields::open(&mut text);
    match found {
        Found::Resource(row) => {
            fields.message("resource", types.resource, &row.data, || {
                named("resource", &row.id)
            })?;
            let parent = row.as_row().parent;
            resource_context(lookups, &mut fields, &row.resource_type_id, parent)?;
        }
        Found::Entitlement(row) => {
            let what = || named("entitlement", &row.id);
            fields.message("entitlement", types.entitlement, &row.data, what)?;
            let resource = lookups.resource(&row.resource_type_id, &row.resource_id)?;
            fields.json("resource", &resource.json);
            let resource_type = lookups.resource_type(&row.resource_type_id)?;
            fields.json("resourceType", &resource_type.json);
        }
    }
    let (held, has) = grants_of(found);
    for (key, filter) in [("holders", Some(held)), ("access", has)] {
        let Some(filter) = filter else { continue };
        let mut items = Vec::new();
        each_row(snapshot, Rows::Grants, &filter, |row| {
            let mut item = Vec::new();
            let mut fields = Fields::open(&mut item);
            let entitlement = lookups.entitlement(row.entitlement_id)?;
            fields.json("entitlement", &entitlement.json);
            let (name, type_id, id) = if key == "holders" {
                ("principal", row.principal_type_id, row.principal_id)
            } else {
                ("resource", row.resource_type_id, row.resource_id)
            };
            fields.json(name, &lookups.resource(type_id, id)?.json);
            fields.close();
            items.push(item);
            Ok(())
        })?;
        fields.array(key, items, |out, item| out.extend_from_slice(&item));
    }
    fields.close();
    Ok(text)
}
