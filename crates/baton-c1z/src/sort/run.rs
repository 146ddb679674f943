//! A sorted run on disk: entries back to back, written and read forward.
//!
//! An entry is `key length u32 | data length u32 | page u64 | row u32 | key |
//! data`, little endian. Runs live as long as one seal, so they carry no
//! checksum; lengths are still checked against the end of the file.

use std::path::{Path, PathBuf};

use super::{Entry, MERGE_READ_BYTES};
use crate::error::{Error, Result};
use crate::files::{DataFile, Files, Forward, Open};
use crate::stop;

const HEAD_BYTES: usize = 20;
/// Write buffer: large enough to make calls rare, small beside any budget.
const WRITE_BYTES: usize = 256 << 10;

/// A finished run.
#[derive(Debug)]
pub(crate) struct RunFile {
    file: Box<dyn DataFile>,
    path: PathBuf,
    len: u64,
    /// Where keys with a new first byte begin, ascending.
    starts: Vec<(u8, u64)>,
    last_key: Vec<u8>,
    last_at: (u64, u32),
}

impl RunFile {
    /// The order of the last entry.
    pub(super) fn last(&self) -> (&[u8], u64, u32) {
        (&self.last_key, self.last_at.0, self.last_at.1)
    }

    /// Continues writing at the end.
    pub(super) fn reopen(self) -> RunWriter {
        RunWriter {
            run: self,
            buf: Vec::with_capacity(WRITE_BYTES),
        }
    }

    /// Reads from the first key that begins with `from` or more.
    pub(crate) fn read_from(&self, from: u8) -> RunReader<'_> {
        let found = self.starts.iter().find(|(first, _)| *first >= from);
        self.read_range(found.map_or(self.len, |(_, at)| *at), self.len)
    }

    /// Reads the entries between two offsets that the writer gave.
    pub(crate) fn read_range(&self, start: u64, end: u64) -> RunReader<'_> {
        RunReader {
            reader: Forward::new(self.file.as_ref(), start, end, MERGE_READ_BYTES),
            path: &self.path,
            head: None,
        }
    }

    pub(crate) fn remove(self, files: &dyn Files) -> Result<()> {
        let Self { file, path, .. } = self;
        drop(file);
        files
            .remove_file(&path)
            .map_err(|e| Error::io("remove", &path, e))
    }
}

/// Writes a run. Entries come in order; the caller sees to it.
#[derive(Debug)]
pub(crate) struct RunWriter {
    run: RunFile,
    buf: Vec<u8>,
}

impl RunWriter {
    pub(super) fn create(files: &dyn Files, path: &Path) -> Result<Self> {
        let file = files
            .open(path, Open::Create)
            .map_err(|e| Error::io("create", path, e))?;
        Ok(Self {
            run: RunFile {
                file,
                path: path.to_owned(),
                len: 0,
                starts: Vec::new(),
                last_key: Vec::new(),
                last_at: (0, 0),
            },
            buf: Vec::with_capacity(WRITE_BYTES),
        })
    }

    /// Offset of the next entry.
    pub(crate) fn offset(&self) -> u64 {
        self.run.len + self.buf.len() as u64
    }

    pub(crate) fn push(&mut self, entry: &Entry<'_>) -> Result<()> {
        let first = entry.key.first().copied().unwrap_or_default();
        let at = self.offset();
        if self.run.starts.last().is_none_or(|(last, _)| *last < first) {
            self.run.starts.push((first, at));
        }
        let size = HEAD_BYTES + entry.key.len() + entry.data.len();
        if self.buf.len() + size > WRITE_BYTES {
            self.write_out()?;
        }
        self.run.last_key.clear();
        self.run.last_key.extend_from_slice(entry.key);
        self.run.last_at = (entry.page, entry.row);
        put(&mut self.buf, entry);
        Ok(())
    }

    pub(crate) fn finish(mut self) -> Result<RunFile> {
        self.write_out()?;
        Ok(self.run)
    }

    fn write_out(&mut self) -> Result<()> {
        self.run
            .file
            .write_all_at(&self.buf, self.run.len)
            .map_err(|e| Error::io("write", &self.run.path, e))?;
        self.run.len += self.buf.len() as u64;
        self.buf.clear();
        self.buf.shrink_to(WRITE_BYTES);
        Ok(())
    }
}

/// Lengths are at most those of a row and its ids, which fit 32 bits.
fn put(out: &mut Vec<u8>, entry: &Entry<'_>) {
    let len = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes();
    out.extend_from_slice(&len(entry.key));
    out.extend_from_slice(&len(entry.data));
    out.extend_from_slice(&entry.page.to_le_bytes());
    out.extend_from_slice(&entry.row.to_le_bytes());
    out.extend_from_slice(entry.key);
    out.extend_from_slice(entry.data);
}

#[derive(Debug, Clone, Copy)]
struct Head {
    key_len: usize,
    data_len: usize,
    page: u64,
    row: u32,
}

impl Head {
    fn read(bytes: &[u8]) -> Option<Self> {
        let (key_len, rest) = bytes.split_first_chunk()?;
        let (data_len, rest) = rest.split_first_chunk()?;
        let (page, rest) = rest.split_first_chunk()?;
        let (row, _) = rest.split_first_chunk()?;
        Some(Self {
            key_len: usize::try_from(u32::from_le_bytes(*key_len)).ok()?,
            data_len: usize::try_from(u32::from_le_bytes(*data_len)).ok()?,
            page: u64::from_le_bytes(*page),
            row: u32::from_le_bytes(*row),
        })
    }

    fn size(self) -> usize {
        HEAD_BYTES + self.key_len + self.data_len
    }
}

/// Reads a run forward, one entry at a time.
#[derive(Debug)]
pub(crate) struct RunReader<'a> {
    reader: Forward<'a>,
    path: &'a Path,
    /// The current entry, still at the front of the reader's buffer.
    head: Option<Head>,
}

impl RunReader<'_> {
    /// Goes to the next entry. `false` at the end.
    pub(crate) fn advance(&mut self) -> Result<bool> {
        stop::check()?;
        self.step().map_err(|e| Error::io("read", self.path, e))
    }

    fn step(&mut self) -> std::io::Result<bool> {
        if let Some(head) = self.head.take() {
            self.reader.take(head.size())?;
        }
        if self.reader.remaining() == 0 {
            return Ok(false);
        }
        let cut_off = || std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
        let head = self.reader.peek(HEAD_BYTES)?.and_then(Head::read);
        let head = head.ok_or_else(cut_off)?;
        self.reader.peek(head.size())?.ok_or_else(cut_off)?;
        self.head = Some(head);
        Ok(true)
    }

    /// The entry that [`RunReader::advance`] went to.
    pub(crate) fn entry(&self) -> Option<Entry<'_>> {
        let head = self.head?;
        let bytes = self.reader.peeked(head.size()).get(HEAD_BYTES..)?;
        let (key, data) = bytes.split_at_checked(head.key_len)?;
        Some(Entry {
            key,
            page: head.page,
            row: head.row,
            data,
        })
    }
}
