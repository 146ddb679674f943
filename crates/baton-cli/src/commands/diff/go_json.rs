//! The Go tool's object: per table the created, deleted and modified messages.
//!
//! Created messages are written as they are found. The others follow from
//! memory; if they are too many for it, the table is compared again.

use std::io::Write;

use baton_c1z::Table as Rows;
use baton_query::diff::{ChangeKind, Counts, DiffSettings, Sides};

use super::changes::{each_change, shown, side_of};
use super::noun_of;
use crate::commands::listing::named;
use crate::error::CliError;
use crate::json::{self, MessageTypes};

/// Bytes of one list that are kept until it is its turn.
const MAX_KEPT_BYTES: usize = 32 << 20;

/// Lists behind the created messages, in this order.
const WAITING: [(&str, ChangeKind); 2] = [
    ("deleted", ChangeKind::Removed),
    ("modified", ChangeKind::Changed),
];

/// Writes the object. Resource types are not a part of it.
pub(super) fn write(
    sides: &Sides<'_>,
    settings: &DiffSettings,
    out: &mut dyn Write,
) -> Result<Counts, CliError> {
    let types = MessageTypes::new()?;
    let tables = [Rows::Resources, Rows::Entitlements, Rows::Grants];
    if !tables.iter().any(|table| settings.tables.contains(table)) {
        return Err(CliError::Usage {
            message: "this output format has no resource types".to_owned(),
            hint: Some("pass --output-format summary, ndjson or markdown".to_owned()),
        });
    }
    let mut counts = Counts::default();
    for (number, table) in tables.into_iter().enumerate() {
        let separator = if number == 0 { "{" } else { "," };
        write!(out, "{separator}\"{}\":{{", table.name())?;
        if settings.tables.contains(&table) {
            let mut settings = settings.clone();
            settings.tables = vec![table];
            let section = Section {
                sides,
                settings,
                types,
                is_empty: true,
            };
            counts.join(&section.write(out)?);
        }
        out.write_all(b"}")?;
    }
    out.write_all(b"}")?;
    Ok(counts)
}

/// The lists of one table.
struct Section<'d, 's> {
    sides: &'d Sides<'s>,
    settings: DiffSettings,
    types: MessageTypes,
    is_empty: bool,
}

/// Messages of one list that wait for their turn.
#[derive(Default)]
struct Kept {
    json: Vec<u8>,
    /// There were too many: none is kept.
    is_dropped: bool,
}

impl Section<'_, '_> {
    fn write(mut self, out: &mut dyn Write) -> Result<Counts, CliError> {
        let mut kept = [Kept::default(), Kept::default()];
        let mut message = Vec::new();
        let mut created = 0;
        let counts = each_change(self.sides, &self.settings, |change| {
            message.clear();
            self.append(&mut message, change)?;
            let waits = match change.kind {
                ChangeKind::Added => {
                    created += 1;
                    let before = if created == 1 { "\"created\":[" } else { "," };
                    out.write_all(before.as_bytes())?;
                    return Ok(out.write_all(&message)?);
                }
                ChangeKind::Removed => &mut kept[0],
                ChangeKind::Changed => &mut kept[1],
            };
            waits.add(&message);
            Ok(())
        })?;
        if created > 0 {
            out.write_all(b"]")?;
            self.is_empty = false;
        }
        for (kept, (key, kind)) in kept.iter().zip(WAITING) {
            self.rest(out, kept, key, kind)?;
        }
        Ok(counts)
    }

    /// Writes a list that waited.
    fn rest(
        &mut self,
        out: &mut dyn Write,
        kept: &Kept,
        key: &str,
        kind: ChangeKind,
    ) -> Result<(), CliError> {
        if kept.json.is_empty() && !kept.is_dropped {
            return Ok(());
        }
        let separator = if self.is_empty { "" } else { "," };
        self.is_empty = false;
        write!(out, "{separator}\"{key}\":[")?;
        if kept.is_dropped {
            let mut message = Vec::new();
            let mut is_first = true;
            each_change(self.sides, &self.settings, |change| {
                if change.kind != kind {
                    return Ok(());
                }
                message.clear();
                self.append(&mut message, change)?;
                let before = if is_first { "" } else { "," };
                is_first = false;
                out.write_all(before.as_bytes())?;
                Ok(out.write_all(&message)?)
            })?;
        } else {
            out.write_all(&kept.json)?;
        }
        Ok(out.write_all(b"]")?)
    }

    fn append(
        &self,
        out: &mut Vec<u8>,
        change: &baton_query::diff::Change<'_>,
    ) -> Result<(), CliError> {
        let row = change.row();
        let data = shown(side_of(self.sides, change), &row)?;
        let what = || named(noun_of(change.table), row.id);
        json::append(out, self.types.of(change.table), &data, what)
    }
}

impl Kept {
    fn add(&mut self, message: &[u8]) {
        if self.is_dropped {
            return;
        }
        if self.json.len() + message.len() > MAX_KEPT_BYTES {
            self.is_dropped = true;
            self.json = Vec::new();
            return;
        }
        if !self.json.is_empty() {
            self.json.push(b',');
        }
        self.json.extend_from_slice(message);
    }
}
