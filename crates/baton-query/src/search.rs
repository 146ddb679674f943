//! One pass over rows for what no key leads to: objects by name, objects that
//! share an id, and near matches when there is nothing else.

use baton_c1z::{OwnedRow, Row};

use crate::error::{Ambiguous, Kind, NotFound, Object};
use crate::names::Names;
use crate::nearest::Nearest;

/// Objects of one name that an error lists.
const MAX_LISTED: usize = 3;

/// Collects what a pass over rows finds.
#[derive(Debug)]
pub(crate) struct Search<'w> {
    wanted: &'w str,
    by_id: Matches,
    by_name: Matches,
    nearest: Nearest<Object>,
    /// Rows that were looked at.
    rows: u64,
}

/// What a search ends with.
#[derive(Debug)]
pub(crate) enum Outcome {
    Only(OwnedRow),
    Several(Ambiguous),
    None(NotFound),
}

/// Objects that are what was asked for.
#[derive(Debug, Default)]
struct Matches {
    first: Option<OwnedRow>,
    listed: Vec<Object>,
    total: u64,
}

impl Matches {
    fn add(&mut self, row: &Row<'_>, object: impl FnOnce() -> Object) {
        self.total += 1;
        if self.first.is_none() {
            self.first = Some(row.to_owned());
        }
        if self.listed.len() < MAX_LISTED {
            self.listed.push(object());
        }
    }
}

impl<'w> Search<'w> {
    pub fn new(wanted: &'w str) -> Self {
        Self {
            wanted,
            by_id: Matches::default(),
            by_name: Matches::default(),
            nearest: Nearest::new(wanted),
            rows: 0,
        }
    }

    /// Whether there was any row.
    pub fn saw_rows(&self) -> bool {
        self.rows > 0
    }

    /// Looks at one row, whose id is `id`.
    pub fn see(&mut self, row: &Row<'_>, id: &str, names: &dyn Names) {
        self.see_under(row, id, id, names);
    }

    /// Looks at a resource among those of all types: its id stands alone or
    /// behind the type.
    pub fn see_resource(&mut self, row: &Row<'_>, names: &dyn Names) {
        self.see_under(row, row.id, row.resource_id, names);
    }

    /// Looks at one row that has two ids, of which the first one is shown.
    fn see_under(&mut self, row: &Row<'_>, id: &str, other_id: &str, names: &dyn Names) {
        self.rows += 1;
        let object = || Object {
            id: id.to_owned(),
            name: names.shown().to_owned(),
            resource: (row.resource_type_id.to_owned(), row.resource_id.to_owned()),
        };
        if id == self.wanted || other_id == self.wanted {
            self.by_id.add(row, object);
        } else if names.is_called(self.wanted) {
            self.by_name.add(row, object);
        } else if self.by_id.total == 0 && self.by_name.total == 0 {
            let mut best = self.nearest.measure(id);
            let mut measure = |text: &str| {
                let nearness = self.nearest.measure(text);
                best = match (best, nearness) {
                    (Some(a), Some(b)) => Some(a.min(b)),
                    (a, b) => a.or(b),
                };
            };
            if other_id != id {
                measure(other_id);
            }
            names.visit(&mut measure);
            if let Some(nearness) = best {
                self.nearest.keep(nearness, object());
            }
        }
    }

    /// What was found among all rows. An id wins over a name.
    pub fn end(self, path: &std::path::Path, kind: Kind) -> Outcome {
        let is_id = self.by_id.total > 0;
        let matches = if is_id { self.by_id } else { self.by_name };
        match (matches.total, matches.first) {
            (1, Some(row)) => Outcome::Only(row),
            (0, _) | (_, None) => Outcome::None(NotFound {
                path: path.to_owned(),
                kind,
                wanted: self.wanted.to_owned(),
                nearest: self.nearest.into_items(),
                other_types: Vec::new(),
            }),
            (total, Some(_)) => Outcome::Several(Ambiguous {
                path: path.to_owned(),
                kind,
                wanted: self.wanted.to_owned(),
                is_id,
                found: matches.listed,
                total,
            }),
        }
    }
}
