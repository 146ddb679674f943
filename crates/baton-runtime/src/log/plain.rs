//! Events as plain sentences, on a terminal without a log.
//!
//! Warnings become `warning:` lines, results become plain lines, all else is left to the progress
//! display. Of one kind of warning the first few are shown; the summary counts them all.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tracing::callsite::Identifier;
use tracing::{Event, Level};

use super::RESULT_TARGET;
use super::line::Record;
use crate::terminal::Stderr;

/// Warnings of one kind that are shown.
const SHOWN_PER_KIND: u32 = 10;

/// How many warnings of each kind came, by the place in the code.
#[derive(Default)]
pub(super) struct PlainLines {
    seen: Mutex<HashMap<Identifier, u32>>,
}

impl PlainLines {
    /// Shows an event, if it is one for people.
    pub(super) fn show(&self, stderr: &Stderr, event: &Event<'_>, record: &Record) {
        let metadata = event.metadata();
        let mut block = baton_term::Block::new();
        if *metadata.level() <= Level::WARN {
            match self.count(metadata.callsite()) {
                count if count <= SHOWN_PER_KIND => block.warning(record.sentence()),
                count if count == SHOWN_PER_KIND + 1 => {
                    block.note("more warnings of this kind follow; --log-level warn shows them all")
                }
                _ => return,
            };
        } else if metadata.target() == RESULT_TARGET {
            block.line(record.sentence());
        } else {
            return;
        }
        stderr.print(&block);
    }

    fn count(&self, kind: Identifier) -> u32 {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let count = seen.entry(kind).or_default();
        *count = count.saturating_add(1);
        *count
    }
}
