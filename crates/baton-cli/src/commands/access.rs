//! `access`: what one principal can access, from the stored grants alone.
//! Memory grows with that principal's grants, not with the file.

use std::collections::HashMap;
use std::rc::Rc;

use baton_c1z::{Filter, Table};
use baton_flags::{Command, Field, Relation};
use baton_term::clean;
use unicode_width::UnicodeWidthStr as _;

use super::filters::{PRINCIPAL, not_empty, typed};
use super::flags::{self, RESOURCE, SYNC_ID};
use super::listing::{Sync, with_sync};
use super::{Cmd, Cx, Given, Runs};
use crate::column::{self, Column};
use crate::error::CliError;
use crate::json::Fields;
use crate::layout::fit;
use crate::lookups::Referenced;
use crate::output::Output;
use crate::rows::{Cells, RowSource, Visit};
use crate::scan::each_row;

const TYPE: Field<String> = flags::resource_type("the principal's type");
const ID: Field<String> = RESOURCE.about("the principal, by id or unique name");
const ONE: Field<String> =
    PRINCIPAL.about("the principal without its type: id, TYPE:ID or unique name");

pub(super) struct Access {
    wanted: Wanted,
    sync_id: Option<String>,
}

/// Which principal.
enum Wanted {
    Typed(String, String),
    Any(String),
}

impl Cmd for Access {
    fn define() -> Command<Runs> {
        Command::new("access", "show what one principal can access")
            .field(TYPE)
            .field(ID)
            .field(ONE)
            .field(SYNC_ID)
            .relation(Relation::RequiredTogether(vec![TYPE.name(), ID.name()]))
            .relation(Relation::MutuallyExclusive(vec![ID.name(), ONE.name()]))
            .example("what one user can access", "access -t user -r u1")
            .example("by e-mail or name", "access --principal kim@example.com")
            .example(
                "what the members of a group can access",
                "access -t group -r g1",
            )
            .example("for another program", "access -t user -r u1 -o json")
    }

    fn parse(given: &Given) -> Result<Self, CliError> {
        let wanted = match not_empty(given, &ONE)? {
            Some(principal) => Wanted::Any(principal),
            None => {
                let (type_id, id) = flags::typed_id(given, &TYPE, &ID)?;
                Wanted::Typed(type_id, id)
            }
        };
        Ok(Self {
            wanted,
            sync_id: flags::sync_id(given),
        })
    }

    fn run(self, cx: &mut Cx<'_, '_>) -> Result<(), CliError> {
        with_sync(cx, self.sync_id.as_deref(), |sync| {
            let (type_id, id) = self.wanted.choose(sync)?;
            show_one(sync, &type_id, &id)
        })
    }
}

impl Wanted {
    /// Its type and id in the file. One that is not in it may hold grants.
    fn choose(self, sync: &mut Sync<'_, '_>) -> Result<(String, String), CliError> {
        let finder = sync.finder();
        let (found, as_given) = match self {
            Self::Typed(type_id, id) => (finder.resource(&type_id, &id), (type_id, id)),
            Self::Any(principal) => (finder.any_resource(&principal), typed(&principal)),
        };
        let row = sync.found(found)?;
        Ok(row.map_or(as_given, |row| (row.resource_type_id, row.resource_id)))
    }
}

/// A resource and what the principal holds on it, in grant order.
struct Group {
    resource: Rc<Referenced>,
    resource_type: Rc<Referenced>,
    /// Ids, and what is shown of each.
    entitlements: Vec<(String, Rc<Referenced>)>,
}

fn show_one(sync: &mut Sync<'_, '_>, type_id: &str, id: &str) -> Result<(), CliError> {
    let principal = sync.lookups.asked_for(type_id, id)?;
    let groups = groups(sync, type_id, id)?;
    match sync.output {
        Output::Console => tree(sync, type_id, &principal, &groups),
        Output::Json | Output::Yaml => {
            let json = json(&principal, &groups);
            sync.output.write_object(&json, sync.out)
        }
        Output::Ndjson | Output::Csv | Output::Markdown => {
            let sink = sync.output.sink(sync.style);
            sink.write(&mut Rows { groups: &groups }, sync.out)
        }
    }
}

/// Groups in the order of their first grant.
fn groups(sync: &mut Sync<'_, '_>, type_id: &str, id: &str) -> Result<Vec<Group>, CliError> {
    let mut groups: Vec<Group> = Vec::new();
    let mut places: HashMap<(String, String), usize> = HashMap::new();
    let filter = Filter {
        principal: Some((type_id, id)),
        ..Filter::default()
    };
    let lookups = &mut sync.lookups;
    each_row(sync.snapshot, Table::Grants, &filter, |row| {
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
            group
                .entitlements
                .push((row.entitlement_id.to_owned(), entitlement));
        }
        Ok(())
    })?;
    Ok(groups)
}

fn json(principal: &Referenced, groups: &[Group]) -> Vec<u8> {
    let mut text = Vec::new();
    let mut fields = Fields::open(&mut text);
    fields.json("principal", &principal.json);
    if !groups.is_empty() {
        fields.array("access", groups, group_json);
    }
    fields.close();
    text
}

fn group_json(out: &mut Vec<u8>, group: &Group) {
    let mut fields = Fields::open(out);
    fields.json("resource", &group.resource.json);
    fields.json("resourceType", &group.resource_type.json);
    fields.array("entitlements", &group.entitlements, |out, (_, shown)| {
        out.extend_from_slice(&shown.json);
    });
    fields.close();
}

/// A row per entitlement; an object per resource, as in the list of JSON.
struct Rows<'g> {
    groups: &'g [Group],
}

const COLUMNS: &[Column] = &[
    column::id("Entitlement ID"),
    column::text("Resource Type"),
    column::text("Resource"),
    column::text("Permission"),
];

impl RowSource for Rows<'_> {
    fn key(&self) -> &'static str {
        "access"
    }

    fn columns(&self) -> &[Column] {
        COLUMNS
    }

    fn cells(&mut self, visit: &mut Visit<'_, [String]>) -> Result<(), CliError> {
        let mut cells = Cells::default();
        for group in self.groups {
            for (id, entitlement) in &group.entitlements {
                cells.clear();
                cells.push(id);
                cells.push(&group.resource_type.name);
                cells.push(&group.resource.name);
                cells.push(label(entitlement));
                visit(cells.as_slice())?;
            }
        }
        Ok(())
    }

    fn objects(&mut self, visit: &mut Visit<'_, [u8]>) -> Result<(), CliError> {
        let mut json = Vec::new();
        self.groups.iter().try_for_each(|group| {
            json.clear();
            group_json(&mut json, group);
            visit(&json)
        })
    }
}

/// A stand-in has no slug; its name states what is missing.
fn label(entitlement: &Referenced) -> &str {
    if entitlement.slug.is_empty() {
        &entitlement.name
    } else {
        &entitlement.slug
    }
}

fn tree(
    sync: &mut Sync<'_, '_>,
    type_id: &str,
    principal: &Referenced,
    groups: &[Group],
) -> Result<(), CliError> {
    let style = sync.style;
    let mut branch = |stem: &str, text: &str, behind: &str| {
        let text = fit(&clean(text), &clean(behind), stem.width(), style.terminal);
        let (dim, plain) = if style.colour {
            ("\x1b[90m", "\x1b[0m")
        } else {
            ("", "")
        };
        writeln!(sync.out, "{dim}{stem}{plain}{text}")
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
        for (place, (_, entitlement)) in group.entitlements.iter().enumerate() {
            let corner = if place + 1 == group.entitlements.len() {
                "└──"
            } else {
                "├──"
            };
            branch(&format!("{stem}{corner}"), label(entitlement), "")?;
        }
    }
    Ok(sync.out.write_all(b"\n")?)
}
