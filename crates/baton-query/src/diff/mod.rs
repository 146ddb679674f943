//! What changed from one sync to another, of one file or of two, in any
//! formats.
//!
//! Both sides are read in canonical order and merged, so memory is bounded by
//! a few rows. Rows with equal bytes are never decoded. Others are compared as
//! messages, by [`baton_proto::json::compare`].
//!
//! Which rows are the same object:
//!
//! - Resource types, resources: those with the same id.
//! - Entitlements and grants of two v1 syncs: those with the same id, as in
//!   the Go tool, also if the entitlement moved to another resource or the
//!   grant to another principal.
//! - Else entitlements with the same resource and id, and grants with the same
//!   entitlement and principal: format v3 holds one of these.
//!
//! Other tools may write several rows with one id into a v1 file. If one of
//! them equals a row of the other side, nothing changed; otherwise the last
//! one counts. Of several grants of one principal in a v1 file, compared with
//! a v3 file, the same holds.
//!
//! Between formats, only what both can hold counts (c1z specification §2.4):
//! of embedded objects the ids, and none of the fields that format v3 drops.

mod fields;
mod merge;

pub use fields::{FieldChange, FieldValue};
pub use merge::{Counts, diff};

use std::fmt;

use baton_c1z::{Format, Row, Snapshot, Table as Rows};

use crate::error::{BadIgnore, Error, Result};
use crate::nearest::Nearest;
use fields::Comparer;

/// What happened to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ChangeKind {
    /// Only the new side has it.
    Added,
    /// Only the old side has it.
    Removed,
    /// Both sides have it, and it differs.
    Changed,
}

impl ChangeKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Added, Self::Removed, Self::Changed];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
        }
    }
}

impl fmt::Display for ChangeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What is compared.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DiffSettings {
    /// The tables, in this order.
    pub tables: Vec<Rows>,
    /// Only this resource (type and id), what is on it, and what it holds.
    pub resource: Option<(String, String)>,
    /// Fields that do not count.
    pub ignored: Vec<Ignored>,
    /// Times of last use count: when a user logged in last, when a secret was
    /// used last.
    pub include_times: bool,
}

impl Default for DiffSettings {
    fn default() -> Self {
        Self {
            tables: Rows::ALL.to_vec(),
            resource: None,
            ignored: Vec::new(),
            include_times: false,
        }
    }
}

/// A field that does not count, with all below it: a path in JSON names, as
/// [`FieldChange::path`] shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ignored(Vec<String>);

impl Ignored {
    /// Reads a path, such as `displayName` or `profile.department`.
    ///
    /// # Errors
    /// [`Error::BadIgnore`] if no row has a field with its first name.
    pub fn parse(text: &str) -> Result<Self> {
        let path: Vec<String> = text.split('.').map(str::to_owned).collect();
        let names = fields::top_names();
        if path.first().is_some_and(|first| names.contains(first)) {
            return Ok(Self(path));
        }
        let mut nearest = Nearest::new(path.first().map_or("", String::as_str));
        for name in names {
            if let Some(nearness) = nearest.measure(&name) {
                nearest.keep(nearness, name);
            }
        }
        Err(Error::BadIgnore(Box::new(BadIgnore {
            field: text.to_owned(),
            nearest: nearest.into_items(),
        })))
    }

    fn covers(&self, path: &[String]) -> bool {
        path.starts_with(&self.0)
    }
}

/// The two sides of a diff.
#[derive(Debug, Clone, Copy)]
pub struct Sides<'s> {
    /// The old side.
    pub old: Snapshot<'s>,
    /// The new side.
    pub new: Snapshot<'s>,
}

impl Sides<'_> {
    /// Whether they are of two formats, so that only what both can hold
    /// counts.
    pub fn are_of_two_formats(&self) -> bool {
        self.old.file().format() != self.new.file().format()
    }

    /// Whether ids identify entitlements and grants.
    fn have_ids(&self) -> bool {
        [self.old, self.new]
            .iter()
            .all(|side| side.file().format() == Format::V1)
    }
}

/// A change of one object. Its rows are borrowed while it is visited.
#[derive(Debug)]
pub struct Change<'c> {
    /// What happened.
    pub kind: ChangeKind,
    /// The table.
    pub table: Rows,
    /// The row of the old side; `None` if it was added.
    pub old: Option<Row<'c>>,
    /// The row of the new side; `None` if it was removed.
    pub new: Option<Row<'c>>,
    comparer: &'c Comparer<'c>,
}

impl<'c> Change<'c> {
    /// The row that shows the object: the new one, else the old one.
    pub fn row(&self) -> Row<'c> {
        // One of them is there.
        self.new.or(self.old).unwrap_or_default()
    }

    /// The fields that changed; none of an object that was added or removed.
    ///
    /// # Errors
    /// Of rows that cannot be read.
    pub fn fields(&self) -> Result<Vec<FieldChange>> {
        match (self.old, self.new) {
            (Some(old), Some(new)) => self.comparer.fields(self.table, &old, &new),
            _ => Ok(Vec::new()),
        }
    }
}
