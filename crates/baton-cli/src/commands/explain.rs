//! How a list found its rows, for people who ask with `--explain`.

use baton_c1z::{Table as Rows, Way};
use baton_proto::figures::{count, counted};
use baton_term::{Block, Label};

use crate::lookups::Asked;

/// Passes over the rows; a table for people takes two.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Passes {
    pub count: u64,
    /// Rows that were read, in the last pass.
    read: u64,
    /// Rows that were shown, in the last pass.
    pub shown: u64,
}

impl Passes {
    /// Counts a pass that read so many rows.
    pub fn add(&mut self, read: u64) {
        self.count += 1;
        self.read = read;
    }
}

/// How rows were found.
pub(super) struct Found<'f> {
    pub table: Rows,
    pub way: Way,
    /// Names that were resolved.
    pub names: &'f [String],
    pub steps: Vec<String>,
    pub passes: Passes,
    pub asked: Asked,
}

impl Found<'_> {
    /// One note per step.
    pub fn report(&self) -> Block {
        let mut block = Block::new();
        for name in self.names {
            block.note(format!("name: {name}"));
        }
        let table = self.table.name();
        block.note(match &self.way {
            Way::AllRows => format!("rows: scan of {table}"),
            Way::KeyRange => format!("rows: range of keys of {table}"),
            Way::Index(name) => format!("rows: index `{name}` of {table}"),
            _ => format!("rows: none of {table}"),
        });
        for step in &self.steps {
            block.note(step.as_str());
        }
        block.note(format!(
            "{} in {}, {} shown",
            counted(self.passes.read, "row read", "rows read"),
            counted(self.passes.count, "pass", "passes"),
            count(self.passes.shown),
        ));
        let asked = self.asked;
        block.note(format!(
            "look-ups: {}, {}, {}",
            counted(asked.resource_types, "resource type", "resource types"),
            counted(asked.resources, "resource", "resources"),
            counted(asked.entitlements, "entitlement", "entitlements"),
        ));
        block
    }
}

/// Rows that a condition has no value for.
pub(super) fn undecided(rows: u64, first: &str) -> Block {
    let rows = counted(rows, "row", "rows");
    let mut block = Block::new();
    block.warning(format!("the condition has no value for {rows}, not shown"));
    block.labelled(Label::CausedBy, first);
    block
}
