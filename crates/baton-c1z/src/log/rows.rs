//! What a seal asks of a log: pages that count, and rows by their place.

use std::ops::Range;

use super::codec::{self, Cursor, FRAME_BYTES, Malformed};
use super::{ListId, LogEvent, LoggedPage, MAX_RECORD_BYTES, PageLog, RowRef, decode};
use crate::error::{Error, Result};
use crate::files::Forward;
use crate::row::Table;

/// Parts of a log are at least this large, but for the last.
const PART_BYTES: u64 = 4 << 20;
/// Nearly all page headers fit in this many bytes.
const HEADER_READ_BYTES: usize = 512;

impl RowRef {
    /// The row's offset in the log.
    pub(crate) fn offset(self) -> u64 {
        self.0
    }
}

/// Notes that a record ends at `end`, if it is far enough from the last note.
pub(super) fn note_milestone(milestones: &mut Vec<u64>, start: u64, end: u64) {
    let last = milestones.last().copied().unwrap_or(start);
    if end - last >= PART_BYTES {
        milestones.push(end);
    }
}

impl PageLog {
    /// Pieces of the log, each some megabytes of whole records.
    pub(crate) fn parts(&self) -> Vec<Range<u64>> {
        let ends = self.milestones.iter().copied();
        let mut start = self.start;
        let parts = ends.chain([self.end]).map(|end| {
            let part = start..end;
            start = end;
            part
        });
        parts.filter(|part| !part.is_empty()).collect()
    }

    /// Visits the pages in a part in the order of the log, each with the
    /// offset of its record, whether they count or not.
    pub(crate) fn scan_pages(
        &self,
        part: Range<u64>,
        visit: &mut dyn FnMut(u64, LoggedPage<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut records = self.records_in(part);
        while let Some(record) = records.next()? {
            let offset = record.offset;
            let mut list = ListId::default();
            if let LogEvent::Page(page) =
                decode(&record, &mut list).map_err(|Malformed| self.damaged(offset))?
            {
                visit(offset, page)?;
            }
        }
        Ok(())
    }

    /// Whether pages of `list` in `generation` are to be in the file.
    pub(crate) fn counts(&self, list: &ListId, generation: u32) -> bool {
        match self.special.get(list) {
            Some(state) => state.dropped.is_none() && state.generation == generation,
            None => generation == 0,
        }
    }

    /// Number of lists that are dropped.
    pub(crate) fn dropped_lists(&self) -> u64 {
        let states = self.special.values();
        states.filter(|state| state.dropped.is_some()).count() as u64
    }

    /// List and page number of the page whose record is at `offset`.
    pub(crate) fn page_at(&self, offset: u64) -> Result<(ListId, u32)> {
        let mut chunk = HEADER_READ_BYTES;
        loop {
            let mut reader = Forward::new(self.file.as_ref(), offset, self.end, chunk);
            let n = chunk.min(usize::try_from(reader.remaining()).unwrap_or(chunk));
            let bytes = reader
                .peek(n)
                .map_err(|e| Error::io("read", &self.path, e))?
                .unwrap_or_default();
            let mut at = Cursor::new(bytes.get(FRAME_BYTES..).unwrap_or_default());
            let list = codec::list(&mut at);
            let page = list.and_then(|list| Ok((list, codec::page_body(&mut at)?.page)));
            match page {
                Ok(page) => return Ok(page),
                Err(Malformed) if n < chunk || chunk > MAX_RECORD_BYTES => {
                    return Err(self.damaged(offset));
                }
                Err(Malformed) => chunk *= 16,
            }
        }
    }

    /// Whether no list has the row at an offset from its page's record.
    pub(crate) fn is_added(&self, page: u64, row: u32) -> Result<bool> {
        let mut first = [0];
        self.file
            .read_exact_at(&mut first, page + u64::from(row))
            .map_err(|e| Error::io("read", &self.path, e))?;
        Ok(codec::is_added(first[0]))
    }

    /// The row at an offset from its page's record.
    pub(crate) fn row_at(&self, page: u64, row: u32) -> Result<(Table, Vec<u8>)> {
        self.read(RowRef(page + u64::from(row)))
    }
}
