//! The files of a tar archive, listed without reading them.
//!
//! The archive stays where it is; what is kept of a file is its place. Names
//! that leave the folder, anything but files and folders, and an archive
//! without its end mark are refused.

use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use baton_pebble::FileBytes;
use tar::{Archive, EntryType};

use super::{Places, add};
use crate::error::{Error, Result};
use crate::v3::content::Span;
use crate::v3::directory::Place;
use crate::v3::fault::{damaged, unsupported};

/// Size of an archive's blocks.
const BLOCK_BYTES: usize = 512;
/// Most bytes of headers, long names included.
const MAX_HEADER_BYTES: u64 = 64 << 20;

/// Lists the archive from `start` to the end of the content.
pub(super) fn list(path: &Path, content: &Arc<dyn FileBytes>, start: u64) -> Result<Places> {
    let failed = |e: io::Error| match e.kind() {
        io::ErrorKind::UnexpectedEof => damaged(path, "its archive is cut off"),
        _ => match e.downcast::<Error>() {
            Ok(ours) => ours,
            _ => damaged(path, "its archive is malformed"),
        },
    };
    let mut archive = Archive::new(Headers {
        content: content.as_ref(),
        start,
        at: 0,
        left: MAX_HEADER_BYTES,
    });
    let mut places = Places::new();
    let mut end = 0;
    for entry in archive.entries_with_seek().map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let (from, len) = (entry.raw_file_position(), entry.size());
        let behind = from
            .checked_add(len)
            .and_then(|behind| behind.checked_next_multiple_of(BLOCK_BYTES as u64))
            .filter(|behind| *behind <= content.len().saturating_sub(start))
            .ok_or_else(|| damaged(path, "its archive is cut off"))?;
        end = behind;
        let kind = entry.header().entry_type();
        match kind {
            EntryType::Regular => {
                let name = entry.path_bytes();
                let name = name.strip_prefix(b"./").unwrap_or(&name);
                let span = Span {
                    start: start + from,
                    len,
                };
                add(path, &mut places, name, Place::Span(span))?;
            }
            EntryType::Directory | EntryType::XGlobalHeader => {}
            other => {
                let code = char::from(other.as_byte()).escape_default();
                return Err(unsupported(
                    path,
                    format!("an archive entry of type `{code}`"),
                ));
            }
        }
    }
    // Without the mark, entries may be missing.
    let mark = content.read_at(start + end, BLOCK_BYTES).map_err(failed)?;
    if mark.iter().any(|b| *b != 0) {
        return Err(damaged(path, "its archive has no end"));
    }
    Ok(places)
}

/// The archive as a stream, of which only the headers are read.
struct Headers<'a> {
    content: &'a dyn FileBytes,
    /// Where the archive begins.
    start: u64,
    /// Position in the archive.
    at: u64,
    /// How much may still be read.
    left: u64,
}

impl Read for Headers<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let Some(rest) = self.content.len().checked_sub(self.start + self.at) else {
            return Ok(0);
        };
        let len = buf.len().min(usize::try_from(rest).unwrap_or(usize::MAX));
        self.left = self.left.checked_sub(len as u64).ok_or_else(|| {
            io::Error::other(Error::Limit {
                what: "list of files in a c1z",
                limit: MAX_HEADER_BYTES,
            })
        })?;
        let bytes = self.content.read_at(self.start + self.at, len)?;
        if let Some(target) = buf.get_mut(..len) {
            target.copy_from_slice(&bytes);
        }
        self.at += len as u64;
        Ok(len)
    }
}

impl Seek for Headers<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => (self.content.len() - self.start).checked_add_signed(by),
        };
        // So that adding the start of the archive cannot overflow.
        match at.filter(|at| i64::try_from(*at).is_ok()) {
            Some(at) => {
                self.at = at;
                Ok(at)
            }
            None => Err(io::ErrorKind::InvalidInput.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tar::{Builder, Header};

    fn header(name: &str, kind: EntryType, len: u64) -> Header {
        let mut header = Header::new_ustar();
        // Past the checks of the writer.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(kind);
        header.set_size(len);
        header.set_cksum();
        header
    }

    fn archive(entries: &[(&str, EntryType, &[u8])]) -> Vec<u8> {
        let mut builder = Builder::new(Vec::new());
        for (name, kind, content) in entries {
            builder
                .append(&header(name, *kind, content.len() as u64), *content)
                .expect("in memory");
        }
        builder.into_inner().expect("in memory")
    }

    fn listed(bytes: &[u8], start: u64) -> Result<Places> {
        let content: Arc<dyn FileBytes> = Arc::new(bytes::Bytes::copy_from_slice(bytes));
        list(Path::new("x.c1z"), &content, start)
    }

    #[test]
    fn names_that_leave_the_folder_and_other_things_than_files_are_refused() {
        for name in ["../a", "/a", "a/../../b", "a\\b"] {
            let archive = archive(&[(name, EntryType::Regular, b"x")]);
            assert!(
                matches!(listed(&archive, 0), Err(Error::Envelope { .. })),
                "{name}"
            );
        }
        for kind in [
            EntryType::Symlink,
            EntryType::Link,
            EntryType::Fifo,
            EntryType::Char,
        ] {
            let archive = archive(&[("a", kind, b"")]);
            let error = listed(&archive, 0).expect_err("refused");
            assert!(matches!(error, Error::Unsupported { .. }), "{error}");
        }
        let twice = archive(&[
            ("a", EntryType::Regular, b""),
            ("a", EntryType::Regular, b""),
        ]);
        assert!(listed(&twice, 0).is_err());
    }

    #[test]
    fn an_archive_cut_off_anywhere_before_its_end_mark_is_refused() {
        let whole = archive(&[
            ("a", EntryType::Regular, b"x"),
            ("b", EntryType::Regular, b""),
        ]);
        let end = 3 * 512;
        for len in (0..end).chain([end + 1, end + 511]) {
            assert!(listed(&whole[..len], 0).is_err(), "{len}");
        }
        assert_eq!(listed(&whole, 0).expect("whole").len(), 2);
        assert!(listed(&whole, 10_000).is_err());
    }

    #[test]
    fn a_size_beyond_the_end_is_no_allocation() {
        let mut bytes = header("a", EntryType::Regular, 1 << 40).as_bytes().to_vec();
        bytes.resize(2048, 0);
        assert!(listed(&bytes, 0).is_err());
        // A name as long as that is no allocation either.
        let mut bytes = header("a", EntryType::GNULongName, 1 << 40)
            .as_bytes()
            .to_vec();
        bytes.resize(4096, b'n');
        assert!(listed(&bytes, 0).is_err());
    }

    #[test]
    fn files_are_found_where_they_are() {
        let mut bytes = vec![7; 100];
        bytes.extend(archive(&[
            ("dir/", EntryType::Directory, b""),
            ("./a", EntryType::Regular, b"xyz"),
            ("dir/b", EntryType::Regular, b""),
        ]));
        let places = listed(&bytes, 100).expect("valid");
        let span = |start, len| Place::Span(Span { start, len });
        assert_eq!(places.get("a"), Some(&span(100 + 1024, 3)));
        assert_eq!(places.get("dir/b"), Some(&span(100 + 2048, 0)));
        assert_eq!(places.len(), 2);
    }
}
