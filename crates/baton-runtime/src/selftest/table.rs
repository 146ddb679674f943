//! The outcome of a test as text.

use baton_term::Block;

use super::{CheckResult, Verdict};

/// Findings of one check that are shown.
const SHOWN_FINDINGS: usize = 3;

/// The table, and whether no check failed.
pub(crate) fn table(checks: &[CheckResult]) -> (Block, bool) {
    let mut block = Block::new();
    for check in checks {
        match &check.verdict {
            Verdict::Pass => drop(block.line(format!("pass  {}", check.name))),
            Verdict::Skip(reason) => {
                block.line(format!("skip  {}: {reason}", check.name));
            }
            Verdict::Fail(found) => list(&mut block, "FAIL", check.name, found),
            Verdict::Note(found) => list(&mut block, "note", check.name, found),
        }
    }
    (block, !checks.iter().any(CheckResult::failed))
}

fn list(block: &mut Block, word: &str, name: &str, found: &[String]) {
    block.line(format!("{word}  {name}"));
    for line in found.iter().take(SHOWN_FINDINGS) {
        block.indented(6, line.as_str());
    }
    if let more @ 1.. = found.len().saturating_sub(SHOWN_FINDINGS) {
        block.indented(6, format!("and {more} more"));
    }
}
