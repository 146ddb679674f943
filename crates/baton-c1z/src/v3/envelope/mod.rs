//! The envelope of format v3: header, manifest, and which file of the
//! directory lies where in the payload (c1z specification §2.1).
//!
//! Opening reads the manifest and the list of files, whatever their sizes;
//! only a compressed archive must be decoded as a whole to be listed. All
//! sizes are checked against the limits before anything is decoded.

mod archive;
mod index;
mod manifest;
mod walk;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use baton_pebble::FileBytes;
use baton_proto::c1::c1z::v3::SyncRunSummary;

use super::content::{DiskFile, Unpacked};
use super::directory::{Directory, Place, Storage};
use super::fault::damaged;
use crate::envelope::{Content, Identity, MAGIC_LEN};
use crate::error::{Error, Result};
use crate::paths::open_regular;
use crate::room::Work;
use crate::{Limits, ReadOptions};

pub(crate) use manifest::Encoding;
use manifest::Manifest;
use walk::Walk;

/// Longest name of a file in bytes.
pub(super) const MAX_NAME_BYTES: usize = 4096;
/// Most files that a directory may have. Ours have one per 8 MiB of rows.
const MAX_FILES: usize = 100_000;
/// Bytes of the manifest's length, behind the magic.
const LENGTH_BYTES: usize = 4;

/// An envelope whose parts have been found and checked.
pub(super) struct Envelope {
    pub directory: Directory,
    /// The syncs as the manifest sums them up.
    pub runs: Vec<SyncRunSummary>,
    /// A checksum covers the manifest.
    pub is_manifest_checked: bool,
    pub identity: Identity,
    /// The limits for a file of this size.
    pub limits: Limits,
}

/// Files by name.
type Places = BTreeMap<String, Place>;

impl Envelope {
    /// Opens a file that is known to be of format v3.
    pub fn open(path: &Path, options: &ReadOptions) -> Result<Self> {
        let file = open_regular(path)?;
        let disk = DiskFile::new(file).map_err(|e| Error::io("read", path, e))?;
        let disk: Arc<dyn FileBytes> = Arc::new(disk);
        let limits = limits(&options.limits, disk.len());
        let (manifest_bytes, payload) = read_manifest(path, disk.as_ref())?;
        let manifest = Manifest::parse(path, &manifest_bytes)?;

        let mut sum = crc32fast::Hasher::new();
        sum.update(&manifest_bytes);
        let mut is_manifest_checked = false;
        let (storage, places) = match manifest.encoding {
            Encoding::IndexedZstd => {
                let index = index::read(path, disk.as_ref(), payload)?;
                is_manifest_checked = index.check_manifest(path, &manifest_bytes)?;
                sum.update(&index.bytes);
                let places = index.places(path, &limits)?;
                (Storage::Frames(Arc::clone(&disk)), places)
            }
            Encoding::Tar => {
                let archive = Arc::clone(&disk);
                let places = archive::list(path, &archive, payload)?;
                sum_places(&mut sum, &places);
                (Storage::Spans(archive), places)
            }
            Encoding::TarZstd => {
                let (archive, identity) = unpack(path, payload, &limits, options)?;
                sum.update(&identity.crc.to_be_bytes());
                let places = archive::list(path, &archive, 0)?;
                (Storage::Spans(archive), places)
            }
        };
        Ok(Self {
            runs: manifest.runs,
            is_manifest_checked,
            identity: Identity {
                bytes: disk.len(),
                crc: sum.finalize(),
            },
            directory: Directory::new(path, storage, places, limits.clone(), options),
            limits,
        })
    }
}

/// How the file's directory is packed, and the syncs as the manifest sums
/// them up. Nothing else is looked at.
pub(crate) fn read_summary(path: &Path) -> Result<(Encoding, Vec<SyncRunSummary>)> {
    let file = open_regular(path)?;
    let disk = DiskFile::new(file).map_err(|e| Error::io("read", path, e))?;
    let (bytes, _) = read_manifest(path, &disk)?;
    let manifest = Manifest::parse(path, &bytes)?;
    Ok((manifest.encoding, manifest.runs))
}

/// The caller's limits for a file of this size: what may be decoded grows
/// with the file.
fn limits(limits: &Limits, file_bytes: u64) -> Limits {
    let grown = file_bytes.saturating_mul(limits.decoded_bytes_per_byte);
    Limits {
        max_decoded_bytes: limits.max_decoded_bytes.max(grown),
        ..limits.clone()
    }
}

/// The manifest's bytes, and where the payload begins.
fn read_manifest(path: &Path, disk: &dyn FileBytes) -> Result<(bytes::Bytes, u64)> {
    let read = |offset: usize, len: usize| {
        disk.read_at(offset as u64, len)
            .map_err(|e| match e.kind() {
                std::io::ErrorKind::UnexpectedEof => damaged(path, "its manifest is cut off"),
                _ => Error::io("read", path, e),
            })
    };
    let length = read(MAGIC_LEN, LENGTH_BYTES)?;
    let length = length.iter().fold(0, |n, b| n << 8 | usize::from(*b));
    if length > manifest::MAX_BYTES {
        return Err(damaged(path, "its manifest is longer than 16 MiB"));
    }
    let start = MAGIC_LEN + LENGTH_BYTES;
    let bytes = read(start, length)?;
    Ok((bytes, (start + length) as u64))
}

/// Decodes a compressed archive as a whole: in memory as far as the budget
/// goes, else into a private file.
fn unpack(
    path: &Path,
    payload: u64,
    limits: &Limits,
    options: &ReadOptions,
) -> Result<(Arc<dyn FileBytes>, Identity)> {
    let mut content = Content::behind(path, payload, limits)?;
    let expected = content.declared().unwrap_or_default();
    let mut unpacked = Unpacked::new(
        options.memory_budget_bytes,
        expected,
        options.temp_dir.as_deref(),
        Work::Unpack,
    );
    let mut walk = Walk::new();
    let mut buf = vec![0; UNPACK_BYTES];
    loop {
        let n = content.read(&mut buf)?;
        let bytes = buf.get(..n).unwrap_or_default();
        if bytes.is_empty() {
            break;
        }
        walk.take(bytes).map_err(|what| damaged(path, what))?;
        unpacked.write(bytes)?;
    }
    Ok((unpacked.finish(), content.identity()))
}

/// Bytes decoded at a time.
const UNPACK_BYTES: usize = 256 << 10;

/// Adds what distinguishes two archives of the same length without reading
/// them: names, places and sizes.
fn sum_places(sum: &mut crc32fast::Hasher, places: &Places) {
    for (name, place) in places {
        let (start, len) = match place {
            Place::Span(span) => (span.start, span.len),
            Place::Frame(frame) => (frame.start, frame.raw_len),
        };
        sum.update(name.as_bytes());
        sum.update(&start.to_be_bytes());
        sum.update(&len.to_be_bytes());
    }
}

/// Adds a file to the list, if its name is one and is new.
fn add(path: &Path, places: &mut Places, name: &[u8], place: Place) -> Result<()> {
    let Some(name) = local_name(name) else {
        return Err(damaged(
            path,
            "the name of a file in it points outside its folder",
        ));
    };
    if places.len() >= MAX_FILES {
        return Err(Error::Limit {
            what: "list of files in a c1z",
            limit: MAX_FILES as u64,
        });
    }
    match places.insert(name.to_owned(), place) {
        None => Ok(()),
        Some(_) => Err(damaged(path, format!("it holds two files `{name}`"))),
    }
}

/// The name of a file below the folder, as text.
fn local_name(name: &[u8]) -> Option<&str> {
    let name = std::str::from_utf8(name).ok()?;
    let is_part = |part: &str| !matches!(part, "" | "." | "..");
    let is_local = name.len() <= MAX_NAME_BYTES
        && name.split('/').all(is_part)
        && !name.contains(['\\', ':', '\0']);
    is_local.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::super::content::Span;
    use super::*;

    #[test]
    fn names_that_leave_the_folder_are_refused() {
        for name in [
            "", "/", "/a", "a/", ".", "..", "./a", "../a", "a/../b", "a//b", "a\\b", "c:a", "a\0",
        ] {
            assert_eq!(local_name(name.as_bytes()), None, "{name:?}");
        }
        assert_eq!(local_name(b"\xff"), None);
        assert_eq!(local_name("a".repeat(MAX_NAME_BYTES + 1).as_bytes()), None);
        for name in ["a", "...", "a/b", "000004.sst", "ü"] {
            assert_eq!(local_name(name.as_bytes()), Some(name));
        }
        let span = Place::Span(Span { start: 0, len: 0 });
        let mut places = Places::new();
        let path = Path::new("x.c1z");
        add(path, &mut places, b"a", span).expect("new");
        assert!(add(path, &mut places, b"a", span).is_err());
    }

    #[test]
    fn what_may_be_decoded_grows_with_the_file_unless_the_caller_says_no() {
        let by_default = Limits::default();
        assert_eq!(limits(&by_default, 5).max_decoded_bytes, 10 << 30);
        assert_eq!(limits(&by_default, 1 << 30).max_decoded_bytes, 100 << 30);
        let strict = Limits {
            max_decoded_bytes: 7,
            decoded_bytes_per_byte: 0,
            ..by_default
        };
        assert_eq!(limits(&strict, 1 << 30).max_decoded_bytes, 7);
    }
}
