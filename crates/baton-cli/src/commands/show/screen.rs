//! One object on one screen. Memory grows with the entitlements of one
//! resource, not with its grants.

use baton_c1z::{Filter, Table as Rows};
use baton_proto::figures::{count, counted};
use baton_query::Value;
use baton_term::clean;

use super::fields::Fields;
use super::{Found, Sync, grants_of};
use crate::error::CliError;
use crate::layout::fit;
use crate::scan::each_row;

/// Lines of each part of the screen.
const MAX_LINES: usize = 10;
/// Names on a line.
const MAX_NAMES: usize = 5;

/// Writes lines for people.
pub(super) struct Screen<'s, 'c, 'e> {
    pub sync: &'s mut Sync<'c, 'e>,
}

impl Screen<'_, '_, '_> {
    fn line(&mut self, indent: usize, text: &str) -> Result<(), CliError> {
        let text = fit(&clean(text), "", indent, self.sync.style.terminal);
        Ok(writeln!(self.sync.out, "{}{text}", " ".repeat(indent))?)
    }

    pub fn show(&mut self, found: &Found) -> Result<(), CliError> {
        self.fields(found)?;
        let (held, has) = grants_of(found);
        let holders = match found {
            Found::Resource(row) => {
                format!(
                    "baton grants -t {} -r {}",
                    row.resource_type_id, row.resource_id
                )
            }
            Found::Entitlement(row) => format!("baton grants -e {}", row.id),
        };
        self.lines("who has it", &held, false, &holders)?;
        if let Some(has) = has {
            let all = format!("baton access --principal {}", found.row().id);
            self.lines("what it has", &has, true, &all)?;
        }
        Ok(())
    }

    /// The object's name and id, then each field that has a value.
    fn fields(&mut self, found: &Found) -> Result<(), CliError> {
        let (name, others) = found.fields();
        let names = std::iter::once(name).chain(others.iter().copied());
        let fields = Fields::new(self.sync.snapshot, found, names)?;
        let row = found.row().as_row();
        let record = fields.record(&row);
        for (field, label) in fields.labelled() {
            match record.value(field)? {
                title if field.name() == name => {
                    self.line(0, &format!("{title} ({})", row.id))?;
                }
                value if value.is_empty() => {}
                Value::Map(map) => {
                    let entries = map.entries();
                    for (key, value) in entries.iter().take(MAX_LINES) {
                        self.line(2, &format!("{label}.{key}: {value}"))?;
                    }
                    self.more(2, entries.len(), MAX_LINES, "entries")?;
                }
                value => self.line(2, &format!("{label}: {value}"))?,
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
