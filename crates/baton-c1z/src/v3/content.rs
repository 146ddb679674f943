//! Bytes to be read at any place, wherever they lie: in the c1z itself, in
//! memory, or in a private file because memory would pass its budget.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use baton_pebble::FileBytes;
use bytes::Bytes;

use crate::error::{Error, Result};
use crate::files::SystemFiles;
use crate::room::{self, Work};
use crate::stop;

/// An open file.
pub(super) struct DiskFile {
    /// Locked for the pair of seek and read.
    file: Mutex<File>,
    len: u64,
}

impl DiskFile {
    /// Takes a file as long as it is now.
    pub fn new(file: File) -> io::Result<Self> {
        let len = file.metadata()?.len();
        Ok(Self {
            file: Mutex::new(file),
            len,
        })
    }
}

impl FileBytes for DiskFile {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, len: usize) -> io::Result<Bytes> {
        check_range(offset, len, self.len)?;
        let mut data = vec![0; len];
        // A poisoned lock does no harm: each read seeks first.
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(offset))?;
        file.read_exact(&mut data)?;
        Ok(data.into())
    }
}

fn check_range(offset: u64, len: usize, size: u64) -> io::Result<()> {
    match offset.checked_add(len as u64) {
        Some(end) if end <= size => Ok(()),
        _ => Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "a range leaves the file",
        )),
    }
}

/// A part of something larger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub start: u64,
    pub len: u64,
}

/// The bytes of a [`Span`], as a file.
pub(super) struct Part {
    pub whole: Arc<dyn FileBytes>,
    pub span: Span,
}

impl FileBytes for Part {
    fn len(&self) -> u64 {
        self.span.len
    }

    fn read_at(&self, offset: u64, len: usize) -> io::Result<Bytes> {
        check_range(offset, len, self.span.len)?;
        // In range: a span lies in its whole.
        self.whole.read_at(self.span.start + offset, len)
    }
}

/// A part of something larger, as a stream.
pub(super) struct Stream<'a> {
    whole: &'a dyn FileBytes,
    at: u64,
    end: u64,
}

impl<'a> Stream<'a> {
    /// The bytes of `span`, which must lie in `whole`.
    pub fn new(whole: &'a dyn FileBytes, span: Span) -> Self {
        Self {
            whole,
            at: span.start,
            end: span.start + span.len,
        }
    }
}

impl Read for Stream<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let len = buf.len().min(left);
        let bytes = self.whole.read_at(self.at, len)?;
        if let Some(target) = buf.get_mut(..len) {
            target.copy_from_slice(&bytes);
        }
        self.at += len as u64;
        Ok(len)
    }
}

/// Content as it is decoded: in memory as far as a budget goes, behind that
/// in a private file.
pub(super) struct Unpacked {
    memory: Vec<u8>,
    budget: u64,
    temp_dir: PathBuf,
    /// Bytes that are going to come, as far as that is known.
    expected: u64,
    work: Work,
    file: Option<(File, u64)>,
}

impl Unpacked {
    pub fn new(budget: u64, expected: u64, temp_dir: Option<&Path>, work: Work) -> Self {
        Self {
            memory: Vec::new(),
            budget,
            temp_dir: temp_dir.map_or_else(tempfile::env::temp_dir, Path::to_owned),
            expected,
            work,
            file: None,
        }
    }

    fn failed(&self) -> impl FnOnce(io::Error) -> Error {
        |e| Error::io("write a private copy in", &self.temp_dir, e)
    }

    /// Takes the next bytes.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        stop::check()?;
        if self.file.is_none() && (self.memory.len() + bytes.len()) as u64 <= self.budget {
            self.memory.extend_from_slice(bytes);
            return Ok(());
        }
        if self.file.is_none() {
            room::check(
                &SystemFiles,
                &self.temp_dir,
                self.expected.max((self.memory.len() + bytes.len()) as u64),
                self.work,
            )?;
            // It has no name, so that not even a killed process leaves it.
            let mut file = tempfile::tempfile_in(&self.temp_dir).map_err(self.failed())?;
            let memory = std::mem::take(&mut self.memory);
            file.write_all(&memory).map_err(self.failed())?;
            self.file = Some((file, memory.len() as u64));
        }
        if let Some((mut file, len)) = self.file.take() {
            file.write_all(bytes).map_err(self.failed())?;
            self.file = Some((file, len + bytes.len() as u64));
        }
        Ok(())
    }

    /// All that was written.
    pub fn finish(self) -> Arc<dyn FileBytes> {
        match self.file {
            Some((file, len)) => Arc::new(DiskFile {
                file: Mutex::new(file),
                len,
            }),
            None => Arc::new(Bytes::from(self.memory)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole() -> Arc<dyn FileBytes> {
        Arc::new(Bytes::from_static(b"0123456789"))
    }

    #[test]
    fn a_part_ends_where_it_ends_although_the_whole_goes_on() {
        let part = Part {
            whole: whole(),
            span: Span { start: 2, len: 3 },
        };
        assert_eq!(&part.read_at(0, 3).expect("all")[..], b"234");
        assert_eq!(&part.read_at(3, 0).expect("nothing")[..], b"");
        for (offset, len) in [(0, 4), (3, 1), (4, 0), (u64::MAX, 2), (0, usize::MAX)] {
            assert!(part.read_at(offset, len).is_err(), "{offset}+{len}");
        }
        let mut text = String::new();
        let whole = whole();
        Stream::new(whole.as_ref(), part.span)
            .read_to_string(&mut text)
            .expect("text");
        assert_eq!(text, "234");
    }

    #[test]
    fn what_passes_the_budget_goes_to_a_private_file_without_a_name() {
        let folder = tempfile::tempdir().expect("folder");
        let files = || std::fs::read_dir(folder.path()).expect("listed").count();
        for budget in [10, 9, 0] {
            let mut unpacked = Unpacked::new(budget, 10, Some(folder.path()), Work::Unpack);
            unpacked.write(b"01234").expect("written");
            unpacked.write(b"56789").expect("written");
            let content = unpacked.finish();
            if cfg!(unix) {
                assert_eq!(files(), 0, "{budget}");
            }
            assert_eq!(content.len(), 10);
            assert_eq!(&content.read_at(4, 3).expect("in range")[..], b"456");
            assert!(content.read_at(8, 3).is_err());
            drop(content);
            assert_eq!(files(), 0);
        }
    }

    #[test]
    fn what_does_not_fit_on_the_disk_is_refused_before_a_file_is_made() {
        let folder = tempfile::tempdir().expect("folder");
        if room::free_bytes(folder.path()).is_none() {
            return;
        }
        let mut unpacked = Unpacked::new(0, u64::MAX, Some(folder.path()), Work::Unpack);
        let error = unpacked.write(b"0").expect_err("too much");
        assert!(matches!(error, Error::NoRoom { .. }), "{error}");
    }
}
