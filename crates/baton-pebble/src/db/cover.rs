//! The range tombstones that matter at the place of an iteration.
//!
//! Each table that is entered adds its own, within its bounds; those that
//! were passed are dropped. Between two ends of spans the answer does not
//! change, so that most rows cost one comparison.

use std::sync::Arc;

use bytes::Bytes;

use crate::table::Span;

/// Tombstones at and after a place that only moves forward.
#[derive(Debug, Default)]
pub(super) struct Cover {
    lists: Vec<List>,
    /// Entries below this sequence number are gone, from where it was asked
    /// last up to `until`.
    below: u64,
    /// `None`: ask again.
    until: Option<Bytes>,
}

/// Ordered spans without overlaps.
#[derive(Debug)]
struct List {
    spans: Arc<[Span]>,
    at: usize,
}

impl Cover {
    pub fn clear(&mut self) {
        self.lists.clear();
        self.until = None;
    }

    pub fn add(&mut self, spans: Arc<[Span]>) {
        if !spans.is_empty() {
            self.lists.push(List { spans, at: 0 });
            self.until = None;
        }
    }

    /// Whether an entry of `key` with this sequence number is gone. Keys must
    /// not go back, except after [`Cover::clear`].
    #[inline]
    pub fn hides(&mut self, key: &[u8], sequence: u64) -> bool {
        if self.lists.is_empty() {
            return false;
        }
        if self.until.as_ref().is_none_or(|until| key >= until) {
            self.look(key);
        }
        sequence < self.below
    }

    fn look(&mut self, key: &[u8]) {
        self.below = 0;
        let mut until: Option<&Bytes> = None;
        self.lists.retain_mut(|list| {
            let rest = list.spans.get(list.at..).unwrap_or_default();
            list.at += rest.partition_point(|span| span.end <= *key);
            list.at < list.spans.len()
        });
        for list in &self.lists {
            let Some(span) = list.spans.get(list.at) else {
                continue;
            };
            let next = if span.start <= *key {
                self.below = self.below.max(span.sequence);
                &span.end
            } else {
                &span.start
            };
            until = Some(until.map_or(next, |until| until.min(next)));
        }
        self.until = until.cloned();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(list: &[(&'static str, &'static str, u64)]) -> Arc<[Span]> {
        list.iter()
            .map(|(start, end, sequence)| Span {
                start: (*start).into(),
                end: (*end).into(),
                sequence: *sequence,
            })
            .collect()
    }

    #[test]
    fn older_entries_within_a_span_are_hidden_and_no_others() {
        let mut cover = Cover::default();
        assert!(!cover.hides(b"a", 0));
        cover.add(spans(&[("b", "d", 5), ("d", "e", 9)]));
        assert!(!cover.hides(b"a", 0));
        assert!(cover.hides(b"b", 4));
        assert!(!cover.hides(b"b", 5));
        // A table that is entered later.
        cover.add(spans(&[("bb", "c", 7)]));
        assert!(!cover.hides(b"ba", 6));
        assert!(cover.hides(b"bb", 6));
        assert!(!cover.hides(b"c", 6));
        assert!(cover.hides(b"d", 8));
        assert!(!cover.hides(b"e", 0));
        assert!(cover.lists.is_empty());
    }

    #[test]
    fn spans_that_were_jumped_over_are_passed() {
        let mut cover = Cover::default();
        cover.add(spans(&[("a", "b", 5), ("c", "d", 6), ("x", "z", 7)]));
        assert!(cover.hides(b"y", 6));
        assert!(!cover.hides(b"y", 7));
        cover.clear();
        assert!(!cover.hides(b"a", 0));
    }
}
