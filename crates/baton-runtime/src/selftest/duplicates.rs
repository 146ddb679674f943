//! Rows with the same id.

use std::collections::BTreeMap;

use baton_connector::LocalHooks;
use prost::{Message, Name};

use super::content::id;
use super::recorder::Recorded;
use super::{Verdict, canonical};

/// Rows that were listed more than once.
#[derive(Default)]
struct Repeats {
    /// With the same content each time.
    same: Vec<String>,
    /// With other content.
    other: Vec<String>,
}

impl Repeats {
    fn note<'r, M: Message + Name + 'r>(
        &mut self,
        what: &str,
        rows: impl Iterator<Item = (String, &'r M)>,
    ) {
        let mut seen: BTreeMap<String, (&M, u64, bool)> = BTreeMap::new();
        for (id, row) in rows {
            let (first, times, differs) = seen.entry(id).or_insert((row, 0, false));
            *times += 1;
            *differs |= *times > 1 && canonical::of_message(*first) != canonical::of_message(row);
        }
        for (id, (_, times, differs)) in seen {
            if times > 1 {
                let text = format!("{what} `{id}` was listed {times} times");
                if differs {
                    self.other.push(text);
                } else {
                    self.same.push(format!("{text}, with the same content"));
                }
            }
        }
    }
}

/// Whether each row was listed once. A connector in this process states what it lists
/// more than once on purpose. One in another process cannot: there, rows with the same
/// content are a note.
pub(super) fn check(recorded: &Recorded, local: Option<&dyn LocalHooks>) -> Verdict {
    let expected = |kind: &str| {
        local
            .map(|local| local.expected_duplicates(kind))
            .unwrap_or_default()
    };
    let mut repeats = Repeats::default();
    let resources = recorded.resources.iter().filter_map(|row| {
        let (kind, id) = id(Some(row))?;
        let is_meant = expected(&kind).resources.is_some();
        (!is_meant).then(|| (format!("{kind}:{id}"), row))
    });
    repeats.note("resource", resources);
    let entitlements = recorded.entitlements.iter();
    repeats.note("entitlement", entitlements.map(|row| (row.id.clone(), row)));
    let grants = recorded.grants.iter().filter(|grant| {
        let on = grant.entitlement.as_ref();
        let on = on.and_then(|on| id(on.resource.as_ref()));
        on.is_none_or(|(kind, _)| expected(&kind).grants.is_none())
    });
    repeats.note("grant", grants.map(|row| (row.id.clone(), row)));
    let Repeats { same, mut other } = repeats;
    if local.is_none() && other.is_empty() && !same.is_empty() {
        return Verdict::Note(same);
    }
    other.extend(same);
    Verdict::of(other)
}
