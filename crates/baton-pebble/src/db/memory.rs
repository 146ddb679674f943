//! What is only in logs, replayed to memory. Spec §5.3.

use std::sync::Arc;

use bytes::Bytes;

use super::directory::read;
use super::{Found, covering};
use crate::batch::{self, BatchEntry};
use crate::error::{Fault, Result};
use crate::key::Kind;
use crate::log::{Records, Tail};
use crate::source::Source;
use crate::table::{Span, fragment};

/// Most bytes that all live logs together may have.
pub const MAX_LOG_BYTES: u64 = 1 << 30;
/// Most entries that all live logs together may have.
pub const MAX_LOG_ENTRIES: usize = 4 << 20;

/// The newest entry of one key.
#[derive(Debug)]
struct Entry {
    key: Bytes,
    sequence: u64,
    /// `None`: deleted.
    value: Option<Bytes>,
}

/// Logs, while they are being read.
#[derive(Debug, Default)]
pub(super) struct LogState {
    entries: Vec<Entry>,
    spans: Vec<Span>,
    bytes: u64,
}

/// The logs, after they were read.
#[derive(Debug)]
pub(super) struct Memory {
    /// By key; each key once.
    entries: Vec<Entry>,
    spans: Arc<[Span]>,
}

impl LogState {
    /// Reads one log. Only the newest may end within a record: the writer
    /// may have been stopped, and what it had not finished never counted.
    pub fn replay(
        &mut self,
        source: &dyn Source,
        number: u64,
        name: &str,
        newest: bool,
    ) -> Result<()> {
        let data = read(source, name, MAX_LOG_BYTES - self.bytes)?;
        self.bytes += data.len() as u64;
        let fault = |fault: Fault| fault.of_file(name);
        let mut records = Records::of_log(data, number);
        while let Some(record) = records.next().map_err(fault)? {
            batch::entries(&record, |entry| self.add(entry)).map_err(fault)?;
        }
        if !newest && records.tail() == Some(Tail::Torn) {
            return Err(fault(Fault::damaged(
                "the log ends too early: a newer one follows",
            )));
        }
        Ok(())
    }

    fn add(&mut self, entry: BatchEntry) -> std::result::Result<(), Fault> {
        if self.entries.len() + self.spans.len() >= MAX_LOG_ENTRIES {
            return Err(Fault::Limit {
                what: "the number of entries in logs",
                limit: MAX_LOG_ENTRIES as u64,
            });
        }
        let BatchEntry {
            kind,
            sequence,
            key,
            value,
        } = entry;
        match kind {
            Kind::RangeDelete => self.spans.push(Span {
                start: key,
                end: value,
                sequence,
            }),
            Kind::Set => self.entries.push(Entry {
                key,
                sequence,
                value: Some(value),
            }),
            Kind::Delete => self.entries.push(Entry {
                key,
                sequence,
                value: None,
            }),
        }
        Ok(())
    }

    pub fn finish(mut self) -> Memory {
        // Newest first within a key, which is the one that stays.
        self.entries
            .sort_by(|a, b| a.key.cmp(&b.key).then(b.sequence.cmp(&a.sequence)));
        self.entries.dedup_by(|later, kept| later.key == kept.key);
        Memory {
            entries: self.entries,
            spans: fragment(self.spans).into(),
        }
    }
}

impl Memory {
    fn position(&self, key: &[u8]) -> usize {
        self.entries.partition_point(|entry| entry.key < *key)
    }

    /// The newest entry of `key`.
    pub fn get(&self, key: &[u8]) -> Option<Found> {
        let entry = self.entries.get(self.position(key))?;
        (entry.key == *key).then(|| Found {
            // Wins against tables with the same sequence number.
            place: (entry.sequence, u32::MAX),
            value: entry.value.clone(),
        })
    }

    /// Entries of `key` below this sequence number are gone.
    pub fn covered_below(&self, key: &[u8]) -> u64 {
        covering(&self.spans, key)
    }

    pub fn spans(&self) -> &Arc<[Span]> {
        &self.spans
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// A position among the entries before `end`.
    pub fn entries_before(&self, end: Option<&Bytes>) -> MemoryIter<'_> {
        let to = end.map_or(self.entries.len(), |end| self.position(end));
        MemoryIter {
            entries: self.entries.get(..to).unwrap_or_default(),
            at: to,
        }
    }
}

/// A position among the entries of [`Memory`], each key once.
#[derive(Debug)]
pub(super) struct MemoryIter<'a> {
    entries: &'a [Entry],
    at: usize,
}

impl MemoryIter<'_> {
    pub fn seek(&mut self, target: &[u8]) {
        self.at = self.entries.partition_point(|entry| entry.key < *target);
    }

    pub fn advance(&mut self) {
        self.at += 1;
    }

    fn entry(&self) -> Option<&Entry> {
        self.entries.get(self.at)
    }

    pub fn is_done(&self) -> bool {
        self.entry().is_none()
    }

    pub fn key(&self) -> &[u8] {
        self.entry().map_or(&[], |entry| &entry.key)
    }

    pub fn sequence(&self) -> u64 {
        self.entry().map_or(0, |entry| entry.sequence)
    }

    pub fn shows(&self) -> bool {
        self.entry().is_some_and(|entry| entry.value.is_some())
    }

    pub fn value(&self) -> &[u8] {
        self.entry()
            .and_then(|entry| entry.value.as_deref())
            .unwrap_or_default()
    }
}
