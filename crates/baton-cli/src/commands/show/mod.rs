//! `show`: one resource, principal or entitlement whole, on one screen. Memory
//! grows with the entitlements of one resource, not with its grants.

use baton_c1z::{Filter, OwnedRow, Table as Rows};
use baton_flags::{Command, Positionals};
use baton_proto::figures::{count, counted};
use baton_query::{Error as QueryError, Field, Records, Table, Value, View};
use baton_term::clean;

use super::filters::or_warning;
use super::flags::{self, SYNC_ID};
use super::listing::{Sync, named, resource_context, with_sync};
use super::{Cmd, Cx, Given, Runs};
use crate::error::CliError;
use crate::json::Fields;
use crate::layout::fit;
use crate::output::Output;
use crate::scan::each_row;

/// Lines of each part of the screen.
const MAX_LINES: usize = 10;
/// Names on a line.
const MAX_NAMES: usize = 5;

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
        if matches!(cx.output, Output::Csv | Output::Markdown) {
            return Err(CliError::usage(format!(
                "one object has no form in {}: pass console, json, ndjson or yaml",
                cx.output.word()
            )));
        }
        with_sync(cx, self.sync_id.as_deref(), |sync| {
            let found = find(sync, &self.wanted)?;
            match (&found, sync.output) {
                (Found::Resource(row), Output::Console) => Screen { sync }.resource(row),
                (Found::Entitlement(row), Output::Console) => Screen { sync }.entitlement(row),
                _ => json(sync, &found),
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
            Err(QueryError::NotFound(resource).into())
        }
        (Err(resource), Err(_)) => or_warning(Err(resource))?.map_or_else(
            |warning| Err(CliError::usage(warning.unwrap_or_default())),
            |row| Ok(Found::Resource(row)),
        ),
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

fn json(sync: &mut Sync<'_, '_>, found: &Found) -> Result<(), CliError> {
    let types = sync.lookups.types();
    let mut text = Vec::new();
    let mut fields = Fields::open(&mut text);
    let lookups = &mut sync.lookups;
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
        each_row(sync.snapshot, Rows::Grants, &filter, |row| {
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
    sync.output.write_object(&text, sync.out)
}

/// Writes lines for people.
struct Screen<'s, 'c, 'e> {
    sync: &'s mut Sync<'c, 'e>,
}

impl Screen<'_, '_, '_> {
    fn line(&mut self, indent: usize, text: &str) -> Result<(), CliError> {
        let text = fit(&clean(text), "", indent, self.sync.style.terminal);
        Ok(writeln!(self.sync.out, "{}{text}", " ".repeat(indent))?)
    }

    fn resource(&mut self, row: &OwnedRow) -> Result<(), CliError> {
        self.values(
            Table::Resources,
            row,
            "resource.display_name",
            &[
                "resource.description",
                "resource.parent_id",
                "resource.status",
                "resource.email",
                "resource.login",
                "resource.last_login",
                "resource.account_type",
                "resource.created_at",
                "resource.traits",
                "resource.profile",
            ],
        )?;
        let found = Found::Resource(row.clone());
        let (on, to) = grants_of(&found);
        let id = &row.id;
        self.lines(
            "who has it",
            &on,
            false,
            &format!(
                "baton grants -t {} -r {}",
                row.resource_type_id, row.resource_id
            ),
        )?;
        self.lines(
            "what it has",
            &to.unwrap_or_default(),
            true,
            &format!("baton access --principal {id}"),
        )
    }

    fn entitlement(&mut self, row: &OwnedRow) -> Result<(), CliError> {
        self.values(
            Table::Entitlements,
            row,
            "entitlement.display_name",
            &[
                "entitlement.slug",
                "entitlement.purpose",
                "resource.display_name",
                "resource.type",
                "resource.id",
            ],
        )?;
        let found = Found::Entitlement(row.clone());
        let (of, _) = grants_of(&found);
        self.lines(
            "who has it",
            &of,
            false,
            &format!("baton grants -e {}", row.id),
        )
    }

    /// The object's name and id, then each field that has a value.
    fn values(
        &mut self,
        table: Table,
        row: &OwnedRow,
        name: &str,
        names: &[&str],
    ) -> Result<(), CliError> {
        let fields: Vec<Field> = names
            .iter()
            .map(|name| Field::parse(name))
            .collect::<Result<_, _>>()?;
        let name = Field::parse(name)?;
        let view = View::new(table).with(name).with_all(fields.iter().copied());
        let records = Records::new(self.sync.snapshot, view);
        let stored = row.as_row();
        let record = records.record(&stored);
        let title = record.value(name)?.to_string();
        self.line(0, &format!("{title} ({})", row.id))?;
        for field in fields {
            match record.value(field)? {
                value if value.is_empty() => {}
                Value::Map(map) => {
                    let entries = map.entries();
                    for (key, value) in entries.iter().take(MAX_LINES) {
                        self.line(2, &format!("{}.{key}: {value}", part(field)))?;
                    }
                    self.more(2, entries.len(), MAX_LINES, "entries")?;
                }
                value => self.line(2, &format!("{}: {value}", part(field)))?,
            }
        }
        Ok(())
    }

    /// One line per entitlement with its holders, or per resource with what is
    /// held on it. The id comes last: it is what a narrow terminal cuts.
    fn lines(
        &mut self,
        title: &str,
        filter: &Filter<'_>,
        is_held: bool,
        all: &str,
    ) -> Result<(), CliError> {
        let mut lines: Vec<(String, String, u64, Vec<String>)> = Vec::new();
        let mut grants = 0;
        let (snapshot, lookups) = (self.sync.snapshot, &mut self.sync.lookups);
        each_row(snapshot, Rows::Grants, filter, |row| {
            grants += 1;
            let key = if is_held {
                [row.resource_type_id, ":", row.resource_id].concat()
            } else {
                row.entitlement_id.to_owned()
            };
            let at = match lines.iter().position(|(other, ..)| *other == key) {
                Some(at) => at,
                None if lines.len() < MAX_LINES => {
                    lines.push((key, String::new(), 0, Vec::new()));
                    lines.len() - 1
                }
                None => return Ok(()),
            };
            let Some((_, label, count, names)) = lines.get_mut(at) else {
                return Ok(());
            };
            *count += 1;
            if names.len() < MAX_NAMES {
                let entitlement = lookups.entitlement(row.entitlement_id)?;
                if !is_held && names.is_empty() {
                    *label = format!("{}: ", entitlement.name);
                }
                names.push(if is_held {
                    entitlement.name.to_string()
                } else {
                    lookups
                        .resource(row.principal_type_id, row.principal_id)?
                        .name
                        .to_string()
                });
            }
            Ok(())
        })?;
        writeln!(self.sync.out)?;
        self.line(
            0,
            &format!("{title}: {}", counted(grants, "grant", "grants")),
        )?;
        let mut listed = 0;
        for (key, label, total, names) in lines {
            listed += total;
            let more = total.saturating_sub(u64::try_from(names.len()).unwrap_or(total));
            let more = match more {
                0 => String::new(),
                more => format!(" and {} more", count(more)),
            };
            let names = names.join(", ");
            self.line(2, &format!("{label}{names}{more} ({key})"))?;
        }
        if listed < grants {
            let rest = counted(grants - listed, "more grant", "more grants");
            self.line(2, &format!("and {rest}: {all}"))?;
        }
        Ok(())
    }

    fn more(
        &mut self,
        indent: usize,
        all: usize,
        shown: usize,
        what: &str,
    ) -> Result<(), CliError> {
        match all.saturating_sub(shown) {
            0 => Ok(()),
            more => self.line(indent, &format!("and {more} more {what}")),
        }
    }
}

/// The name of a field without that of the object.
fn part(field: Field) -> &'static str {
    let name = field.name();
    match name.split_once('.') {
        Some(("resource" | "entitlement", part)) => part,
        _ => name,
    }
}
