//! Byte strings put aside: in memory up to a budget, then in a temporary file
//! that has no name and goes away with us.

use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use tempfile::SpooledTempFile;

use crate::error::{Error, Result};

/// Where a byte string lies.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Blob {
    offset: u64,
    length: u32,
}

/// Opens a spool with a budget of bytes in memory; beyond it the content moves
/// to `dir`, or the system's folder for temporary files.
pub(crate) fn spool(dir: Option<&Path>, memory_bytes: usize) -> SpooledTempFile {
    match dir {
        Some(dir) => tempfile::spooled_tempfile_in(memory_bytes, dir),
        None => tempfile::spooled_tempfile(memory_bytes),
    }
}

pub(crate) fn failed(action: &'static str) -> impl FnOnce(std::io::Error) -> Error {
    move |source| Error::Spool { action, source }
}

/// The byte strings.
#[derive(Debug)]
pub(crate) struct Blobs {
    file: SpooledTempFile,
    end: u64,
    position: u64,
    compared: Vec<u8>,
}

impl Blobs {
    pub(crate) fn new(file: SpooledTempFile) -> Self {
        Self {
            file,
            end: 0,
            position: 0,
            compared: Vec::new(),
        }
    }

    pub(crate) fn put(&mut self, bytes: &[u8]) -> Result<Blob> {
        let length = u32::try_from(bytes.len()).map_err(|_| Error::TooMany {
            what: "bytes in one row",
            limit: u64::from(u32::MAX),
        })?;
        self.seek(self.end)?;
        self.file.write_all(bytes).map_err(failed("write"))?;
        let offset = self.end;
        self.end += u64::from(length);
        self.position = self.end;
        Ok(Blob { offset, length })
    }

    /// Appends the content of `blob` to `out`.
    pub(crate) fn append(&mut self, blob: Blob, out: &mut Vec<u8>) -> Result<()> {
        self.seek(blob.offset)?;
        let start = out.len();
        out.resize(start + blob.length as usize, 0);
        self.file
            .read_exact(&mut out[start..])
            .map_err(failed("read"))?;
        self.position += u64::from(blob.length);
        Ok(())
    }

    pub(crate) fn equals(&mut self, blob: Blob, bytes: &[u8]) -> Result<bool> {
        if blob.length as usize != bytes.len() {
            return Ok(false);
        }
        let mut content = std::mem::take(&mut self.compared);
        content.clear();
        self.append(blob, &mut content)?;
        let same = content == bytes;
        self.compared = content;
        Ok(same)
    }

    fn seek(&mut self, to: u64) -> Result<()> {
        if self.position != to {
            self.file
                .seek(SeekFrom::Start(to))
                .map_err(failed("seek"))?;
            self.position = to;
        }
        Ok(())
    }
}

impl Blob {
    /// Bytes in the string.
    pub(crate) fn len(self) -> usize {
        self.length as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_comes_back_from_memory_and_from_disk() {
        for budget in [0, 4, 1 << 20] {
            let dir = tempfile::tempdir().expect("folder");
            let mut blobs = Blobs::new(spool(Some(dir.path()), budget));
            let put: Vec<_> = [&b"one"[..], b"", b"three"]
                .iter()
                .map(|bytes| (blobs.put(bytes).expect("room"), *bytes))
                .collect();
            for &(blob, bytes) in put.iter().rev() {
                let mut out = b">".to_vec();
                blobs.append(blob, &mut out).expect("readable");
                assert_eq!(&out[1..], bytes);
                assert!(blobs.equals(blob, bytes).expect("readable"));
                assert!(!blobs.equals(blob, b"other").expect("readable"));
            }
        }
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error_and_not_a_panic() {
        let gone = Path::new("/nonexistent/folder");
        let mut blobs = Blobs::new(spool(Some(gone), 2));
        assert!(matches!(blobs.put(b"long"), Err(Error::Spool { .. })));
    }
}
