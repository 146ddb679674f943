//! The pages of a database file: new ones are appended, many at a time.

use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::files::DataFile;

/// The page size of every c1z (c1z specification §1.1).
pub(super) const PAGE_BYTES: usize = 4096;
/// SQLite has a page at this offset that it never uses, for locks.
const LOCK_OFFSET: u64 = 1 << 30;
/// Pages that are gathered before they are written.
const GATHERED: usize = 256;

/// The pages of one file.
#[derive(Debug)]
pub(super) struct Pages {
    file: Box<dyn DataFile>,
    path: PathBuf,
    /// Number of the page appended next.
    next: u32,
    /// Appended pages that are not written yet.
    gathered: Vec<u8>,
    /// Number of the first of them.
    first: u32,
}

impl Pages {
    /// Appends behind `count` pages.
    pub fn new(file: Box<dyn DataFile>, path: PathBuf, count: u32) -> Self {
        Self {
            file,
            path,
            next: count + 1,
            gathered: Vec::with_capacity(GATHERED * PAGE_BYTES),
            first: count + 1,
        }
    }

    /// Number of the page that is appended next.
    pub fn next_number(&self) -> u32 {
        usable(self.next)
    }

    /// Number of the page that is appended after that one.
    pub fn number_behind_next(&self) -> u32 {
        usable(self.next_number().saturating_add(1))
    }

    /// Appends a page and gives its number.
    pub fn append(&mut self, page: &[u8; PAGE_BYTES]) -> Result<u32> {
        let number = self.next_number();
        if number != self.next {
            self.gathered.extend_from_slice(&[0; PAGE_BYTES]);
        }
        self.next = number.checked_add(1).ok_or_else(|| self.too_large())?;
        self.gathered.extend_from_slice(page);
        if self.gathered.len() >= GATHERED * PAGE_BYTES {
            self.flush()?;
        }
        Ok(number)
    }

    /// Writes over a page that exists.
    pub fn write(&mut self, number: u32, page: &[u8]) -> Result<()> {
        self.write_at(offset(number), page)
    }

    /// Writes over a few bytes of what exists.
    pub fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.file
            .write_all_at(bytes, offset)
            .map_err(|e| Error::io("write", &self.path, e))
    }

    /// Writes what is gathered, and gives how many pages there are.
    pub fn finish(&mut self) -> Result<u32> {
        self.flush()?;
        Ok(self.next - 1)
    }

    fn flush(&mut self) -> Result<()> {
        let bytes = std::mem::take(&mut self.gathered);
        self.write_at(offset(self.first), &bytes)?;
        self.first = self.next;
        self.gathered = bytes;
        self.gathered.clear();
        Ok(())
    }

    fn too_large(&self) -> Error {
        let source = std::io::Error::other("SQLite holds no more pages");
        Error::io("write", &self.path, source)
    }
}

/// The number itself, or the one behind the page for locks.
fn usable(number: u32) -> u32 {
    if offset(number) == LOCK_OFFSET {
        return number + 1;
    }
    number
}

/// Where a page begins.
fn offset(number: u32) -> u64 {
    u64::from(number.saturating_sub(1)) * PAGE_BYTES as u64
}
