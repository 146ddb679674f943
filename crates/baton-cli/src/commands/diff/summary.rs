//! Changes for people, grouped by the resource that they are about.

use std::collections::BTreeMap;
use std::io::Write;

use baton_c1z::{Snapshot, Table as Rows};
use baton_proto::figures::{count, counted};
use baton_query::diff::{Change, ChangeKind, Counts, DiffSettings, Sides};
use baton_term::clean;

use super::changes::{each_change, field_text};
use super::sides::Chosen;
use super::{Cx, noun_of};
use crate::commands::run_text::seconds;
use crate::error::CliError;
use crate::json::MessageTypes;
use crate::lookups::{Detail, Lookups};
use crate::missing::Missing;

/// Changes that are listed; all are counted.
const MAX_LISTED: u64 = 5_000;
/// Characters of a line about a field.
const MAX_FIELD_CHARS: usize = 200;

/// Of each resource, the lines about it.
type Groups = BTreeMap<(String, String), Vec<String>>;

/// Writes which syncs were compared, how many objects changed, and what
/// changed in each resource.
pub(super) fn write(
    sides: &Sides<'_>,
    settings: &DiffSettings,
    chosen: &Chosen,
    cx: &mut Cx<'_, '_>,
) -> Result<Counts, CliError> {
    let mut names = Names::new(sides)?;
    let mut groups = Groups::new();
    let mut listed = 0;
    let counts = each_change(sides, settings, |change| {
        listed += 1;
        if listed > MAX_LISTED {
            return Ok(());
        }
        let row = change.row();
        let resource = match change.table {
            Rows::ResourceTypes => (row.id.to_owned(), String::new()),
            _ => (row.resource_type_id.to_owned(), row.resource_id.to_owned()),
        };
        let lines = groups.entry(resource).or_default();
        lines.push(format!("  {}", names.line(change)?));
        if change.table != Rows::Grants || change.kind == ChangeKind::Changed {
            let fields = change.fields()?;
            lines.extend(
                fields
                    .iter()
                    .map(|field| format!("      {}", shortened(&field_text(field)))),
            );
        }
        Ok(())
    })?;
    head(sides, chosen, &counts, settings, cx.out)?;
    for ((type_id, id), lines) in &groups {
        line(cx.out, "")?;
        line(cx.out, &names.heading(type_id, id)?)?;
        for text in lines {
            line(cx.out, text)?;
        }
    }
    if let Some(more) = counts
        .total()
        .checked_sub(MAX_LISTED)
        .filter(|more| *more > 0)
    {
        line(cx.out, "")?;
        line(
            cx.out,
            &format!("and {} more; list all with -o ndjson", count(more)),
        )?;
    }
    Ok(counts)
}

/// Text from files passes the gate of terminals.
fn line(out: &mut dyn Write, text: &str) -> Result<(), CliError> {
    Ok(writeln!(out, "{}", clean(text))?)
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= MAX_FIELD_CHARS {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(MAX_FIELD_CHARS).collect();
    short.push('…');
    short
}

fn head(
    sides: &Sides<'_>,
    chosen: &Chosen,
    counts: &Counts,
    settings: &DiffSettings,
    out: &mut dyn Write,
) -> Result<(), CliError> {
    let [old_path, new_path] = chosen.paths();
    for (label, side, path) in [("old", sides.old, old_path), ("new", sides.new, new_path)] {
        let run = match side.sync() {
            Some(run) if run.is_finished() => {
                format!(
                    "sync {}, ended {}",
                    run.id,
                    seconds(run.ended_at.as_ref()).unwrap_or_default()
                )
            }
            Some(run) => format!("sync {}, unfinished", run.id),
            None => "all rows".to_owned(),
        };
        line(out, &format!("{label}: {run}, {}", path.display()))?;
    }
    if counts.total() == 0 {
        return line(out, "no changes");
    }
    let mut parts = Vec::new();
    for table in &settings.tables {
        let of = |kind| counts.of(*table, kind);
        let all: u64 = ChangeKind::ALL.iter().map(|kind| of(*kind)).sum();
        if all > 0 {
            let (one, many) = (noun_of(*table), format!("{}s", noun_of(*table)));
            let kinds = ChangeKind::ALL.iter().filter(|kind| of(**kind) > 0);
            let kinds: Vec<String> = kinds
                .map(|kind| format!("{} {kind}", count(of(*kind))))
                .collect();
            parts.push(format!(
                "{} ({})",
                counted(all, one, &many),
                kinds.join(", ")
            ));
        }
    }
    line(out, &parts.join("; "))
}

/// Names of objects, from the new side, or else from the old one.
struct Names<'s> {
    new: Lookups<'s>,
    old: Lookups<'s>,
}

impl<'s> Names<'s> {
    fn new(sides: &Sides<'s>) -> Result<Self, CliError> {
        let types = MessageTypes::new()?;
        let lookups =
            |side: &Snapshot<'s>| Lookups::new(side, types, Detail::Names, Missing::new(false));
        Ok(Self {
            new: lookups(&sides.new),
            old: lookups(&sides.old),
        })
    }

    /// The display name of a resource; empty if it has none.
    fn resource(&mut self, type_id: &str, id: &str) -> Result<String, CliError> {
        let mut found = self.new.resource(type_id, id)?;
        if found.is_missing {
            found = self.old.resource(type_id, id)?;
        }
        Ok(if found.is_missing {
            String::new()
        } else {
            found.name.to_string()
        })
    }

    fn entitlement(&mut self, id: &str) -> Result<String, CliError> {
        if id.is_empty() {
            return Ok(String::new());
        }
        let mut found = self.new.entitlement(id)?;
        if found.is_missing {
            found = self.old.entitlement(id)?;
        }
        Ok(if found.is_missing {
            String::new()
        } else {
            found.name.to_string()
        })
    }

    fn heading(&mut self, type_id: &str, id: &str) -> Result<String, CliError> {
        if id.is_empty() {
            return Ok(format!("resource type `{type_id}`"));
        }
        let name = self.resource(type_id, id)?;
        Ok(format!("{type_id} {}", with_name(id, &name)))
    }

    fn line(&mut self, change: &Change<'_>) -> Result<String, CliError> {
        let row = change.row();
        let sign = match change.kind {
            ChangeKind::Added => '+',
            ChangeKind::Removed => '-',
            ChangeKind::Changed => '~',
        };
        Ok(match change.table {
            Rows::ResourceTypes | Rows::Resources => {
                format!("{sign} {} {}", noun_of(change.table), change.kind)
            }
            Rows::Entitlements => {
                let name = self.entitlement(row.id)?;
                format!("{sign} entitlement {}", with_name(row.id, &name))
            }
            Rows::Grants => {
                let name = self.resource(row.principal_type_id, row.principal_id)?;
                let entitlement = self.entitlement(row.entitlement_id)?;
                format!(
                    "{sign} {} {}: {}",
                    row.principal_type_id,
                    with_name(row.principal_id, &name),
                    with_name(row.entitlement_id, &entitlement),
                )
            }
        })
    }
}

fn with_name(id: &str, name: &str) -> String {
    if name.is_empty() || name == id {
        format!("`{id}`")
    } else {
        format!("`{id}` ({name})")
    }
}
