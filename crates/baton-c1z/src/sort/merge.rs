//! Merging sorted runs: a binary heap of readers, smallest first.
//!
//! The top is replaced in place, so input that is one run after the other
//! costs two comparisons per entry whatever the number of runs.

use super::Entry;
use super::chunk::Chunk;
use super::run::{RunFile, RunReader};
use crate::error::Result;
use crate::stop;

#[derive(Debug)]
enum Source<'a> {
    Memory {
        chunk: &'a Chunk,
        /// Position of the current entry plus one; at the start before it.
        next: usize,
    },
    File(RunReader<'a>),
}

impl Source<'_> {
    fn advance(&mut self) -> Result<bool> {
        match self {
            Self::Memory { chunk, next } => {
                *next += 1;
                Ok(chunk.get(*next - 1).is_some())
            }
            Self::File(reader) => reader.advance(),
        }
    }

    fn entry(&self) -> Option<Entry<'_>> {
        match self {
            Self::Memory { chunk, next } => chunk.get(next.checked_sub(1)?),
            Self::File(reader) => reader.entry(),
        }
    }

    fn is_before(&self, other: &Self) -> bool {
        match (self.entry(), other.entry()) {
            (Some(a), Some(b)) => a.order() < b.order(),
            _ => false,
        }
    }
}

/// The entries of several runs in order.
#[derive(Debug)]
pub(crate) struct Merge<'a> {
    /// A heap once begun.
    heap: Vec<Source<'a>>,
    begun: bool,
}

impl<'a> Merge<'a> {
    pub(super) fn new(chunks: &'a [Chunk], runs: &'a [RunFile], from: u8) -> Self {
        let memory = chunks.iter().map(|chunk| Source::Memory {
            chunk,
            next: chunk.position(from),
        });
        let files = runs.iter().map(|run| Source::File(run.read_from(from)));
        Self {
            heap: memory.chain(files).collect(),
            begun: false,
        }
    }

    /// The next entry, or `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Entry<'_>>> {
        stop::check()?;
        if self.begun {
            if let Some(top) = self.heap.first_mut()
                && !top.advance()?
            {
                self.heap.swap_remove(0);
            }
            self.sink(0);
        } else {
            self.begun = true;
            let mut at = 0;
            while let Some(source) = self.heap.get_mut(at) {
                if source.advance()? {
                    at += 1;
                } else {
                    self.heap.swap_remove(at);
                }
            }
            for at in (0..self.heap.len() / 2).rev() {
                self.sink(at);
            }
        }
        Ok(self.current())
    }

    /// The entry that the last [`Merge::next`] gave.
    pub(crate) fn current(&self) -> Option<Entry<'_>> {
        self.heap.first().and_then(Source::entry)
    }

    /// Restores the heap below `at`.
    fn sink(&mut self, mut at: usize) {
        loop {
            let mut least = at;
            for child in [2 * at + 1, 2 * at + 2] {
                if child < self.heap.len() && self.heap[child].is_before(&self.heap[least]) {
                    least = child;
                }
            }
            if least == at {
                return;
            }
            self.heap.swap(at, least);
            at = least;
        }
    }
}
