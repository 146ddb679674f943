//! How a list found its rows, for people who ask with `--explain`.

use baton_c1z::{Table as Rows, Way};
use baton_proto::figures::{count, counted};
use baton_term::Block;

use crate::lookups::Asked;

/// Passes over the rows; a table for people takes two.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Passes {
    pub count: u64,
    /// Rows that were read, in the last pass.
    pub read: u64,
    /// Rows that were shown, in the last pass.
    pub shown: u64,
}

impl Passes {
    /// One that has just begun.
    pub fn one() -> Self {
        Self {
            count: 1,
            ..Self::default()
        }
    }

    /// Counts a further pass.
    pub fn add(&mut self, pass: Self) {
        *self = Self {
            count: self.count + pass.count,
            ..pass
        };
    }
}

/// One note per step.
pub(super) fn report(
    table: Rows,
    way: &Way,
    names: &[String],
    passes: &Passes,
    asked: Asked,
) -> Block {
    let mut block = Block::new();
    for name in names {
        block.note(format!("name: {name}"));
    }
    let table = table.name();
    block.note(match way {
        Way::AllRows => format!("rows: scan of {table}"),
        Way::KeyRange => format!("rows: range of keys of {table}"),
        Way::Index(name) => format!("rows: index `{name}` of {table}"),
        _ => format!("rows: none of {table}"),
    });
    block.note(format!(
        "{} in {}, {} shown",
        counted(passes.read, "row read", "rows read"),
        counted(passes.count, "pass", "passes"),
        count(passes.shown),
    ));
    block.note("order: as stored, no sort");
    block.note(format!(
        "look-ups: {}, {}, {}",
        counted(asked.resource_types, "resource type", "resource types"),
        counted(asked.resources, "resource", "resources"),
        counted(asked.entitlements, "entitlement", "entitlements"),
    ));
    block
}
