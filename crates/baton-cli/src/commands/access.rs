//! `access`: what one principal can access, from the stored grants alone.
//! Memory grows with that principal's grants, not with the file.

use std::collections::HashMap;
use std::rc::Rc;

use baton_c1z::{Filter, Table as Rows};
use baton_flags::{Command, Field, Relation};
use baton_term::clean;
use unicode_width::UnicodeWidthStr as _;

use super::flags::{self, RESOURCE};
use super::listing::{Listing, each, list};
use super::{Cmd, Cx, Given, Runs};
use crate::error::CliError;
use crate::json::{Fields, ListWriter};
use crate::layout::fit;
use crate::lookups::Found;
use crate::output::Output;

const TYPE: Field<String> = flags::resource_type("the principal's type");
const ID: Field<String> = RESOURCE.about("the principal's id");

pub(super) struct Access {
    type_id: String,
    id: String,
}

impl Cmd for Access {
    fn define() -> Command<Runs> {
        Command::new("access", "show what one principal can access")
            .field(TYPE)
            .field(ID)
            .relation(Relation::RequiredTogether(vec![TYPE.name(), ID.name()]))
            .example("what one user can access", "access -t user -r u1")
            .example(
                "what the members of a group can access",
                "access -t group -r g1",
            )
            .example("for another program", "access -t user -r u1 -o json")
    }

    fn parse(given: &Given) -> Result<Self, CliError> {
        let (type_id, id) = flags::typed_id(given, &TYPE, &ID)?;
        Ok(Self { type_id, id })
    }

    fn run(self, cx: &mut Cx<'_, '_>) -> Result<(), CliError> {
        let file = cx.file;
        list(cx, file, None, |listing| {
            show_one(listing, &self.type_id, &self.id)
        })
    }
}

/// A resource and what the principal holds on it, in grant order.
struct Group {
    resource: Rc<Found>,
    resource_type: Rc<Found>,
    entitlements: Vec<Rc<Found>>,
}

fn show_one(listing: &mut Listing<'_>, type_id: &str, id: &str) -> Result<(), CliError> {
    let principal = listing.lookups.asked_for(type_id, id)?;
    let groups = groups(listing, type_id, id)?;
    match listing.output {
        Output::Json => json(listing, &principal, &groups),
        Output::Console => tree(listing, type_id, &principal, &groups),
    }
}

/// Groups in the order of their first grant.
fn groups(listing: &mut Listing<'_>, type_id: &str, id: &str) -> Result<Vec<Group>, CliError> {
    let mut groups: Vec<Group> = Vec::new();
    let mut places: HashMap<(String, String), usize> = HashMap::new();
    let filter = Filter {
        principal: Some((type_id, id)),
        ..Filter::default()
    };
    let lookups = &mut listing.lookups;
    each(listing.snapshot, Rows::Grants, &filter, |row| {
        let entitlement = lookups.entitlement(row.entitlement_id)?;
        let key = (row.resource_type_id.to_owned(), row.resource_id.to_owned());
        let place = match places.get(&key) {
            Some(place) => *place,
            None => {
                groups.push(Group {
                    resource: lookups.resource(row.resource_type_id, row.resource_id)?,
                    resource_type: lookups.resource_type(row.resource_type_id)?,
                    entitlements: Vec::new(),
                });
                places.insert(key, groups.len() - 1);
                groups.len() - 1
            }
        };
        if let Some(group) = groups.get_mut(place) {
            group.entitlements.push(entitlement);
        }
        Ok(())
    })?;
    Ok(groups)
}

fn json(listing: &mut Listing<'_>, principal: &Found, groups: &[Group]) -> Result<(), CliError> {
    let mut text = Vec::new();
    let mut fields = Fields::open(&mut text);
    fields.json("principal", &principal.json);
    if !groups.is_empty() {
        let mut inner = Vec::new();
        let mut list = ListWriter::new(&mut inner, "access");
        for group in groups {
            list.item(|item| {
                item.json("resource", &group.resource.json);
                item.json("resourceType", &group.resource_type.json);
                let parts: Vec<&[u8]> =
                    group.entitlements.iter().map(|e| e.json.as_ref()).collect();
                item.json(
                    "entitlements",
                    &[b"[", parts.join(&b',').as_slice(), b"]"].concat(),
                );
                Ok(())
            })?;
        }
        list.finish()?;
        // The list writer makes an object of its own: only its value is wanted.
        let value = inner
            .strip_prefix(b"{\"access\":")
            .and_then(|rest| rest.strip_suffix(b"}"))
            .unwrap_or(b"[]");
        fields.json("access", value);
    }
    fields.close();
    Ok(listing.out.write_all(&text)?)
}

fn tree(
    listing: &mut Listing<'_>,
    type_id: &str,
    principal: &Found,
    groups: &[Group],
) -> Result<(), CliError> {
    let style = listing.style;
    let mut branch = |stem: &str, text: &str, behind: &str| {
        let text = fit(&clean(text), &clean(behind), stem.width(), style.terminal);
        let (dim, plain) = if style.colour {
            ("\x1b[90m", "\x1b[0m")
        } else {
            ("", "")
        };
        writeln!(listing.out, "{dim}{stem}{plain}{text}")
    };
    let root = if groups.is_empty() {
        "└──"
    } else {
        "└─┬"
    };
    branch(
        root,
        &format!("Effective Access for {}", principal.name),
        &format!(" ({type_id})"),
    )?;
    for (index, group) in groups.iter().enumerate() {
        let last_group = index + 1 == groups.len();
        let stem = if last_group {
            "  └─┬"
        } else {
            "  ├─┬"
        };
        let kind = format!(" ({})", group.resource_type.name);
        branch(stem, &group.resource.name, &kind)?;
        let stem = if last_group { "    " } else { "  │ " };
        for (place, entitlement) in group.entitlements.iter().enumerate() {
            let corner = if place + 1 == group.entitlements.len() {
                "└──"
            } else {
                "├──"
            };
            // A stand-in has no slug: its name says what is missing.
            let label = if entitlement.slug.is_empty() {
                &entitlement.name
            } else {
                &entitlement.slug
            };
            branch(&format!("{stem}{corner}"), label, "")?;
        }
    }
    Ok(listing.out.write_all(b"\n")?)
}
