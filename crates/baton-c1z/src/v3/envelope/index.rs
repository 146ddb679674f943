//! The index behind indexed frames: which frame is which file, with its
//! size and checksum.
//!
//! The index is found from the end of the file and is itself summed, so that
//! with it every byte of the file is covered by some checksum.

use std::path::Path;

use baton_pebble::FileBytes;
use baton_proto::field::c1::c1z::v3::{indexed_frame_entry, indexed_frame_index};
use baton_proto::wire::{self, Value};
use bytes::Bytes;
use xxhash_rust::xxh64::xxh64;

use super::{Places, add};
use crate::Limits;
use crate::error::{Error, Result};
use crate::v3::directory::{Frame, Place};
use crate::v3::fault::damaged;

/// Longest index.
const MAX_INDEX_BYTES: usize = 64 << 20;
/// Offset, length and checksum of the index, and a magic.
const FOOTER_BYTES: usize = 28;
const FOOTER_MAGIC: &[u8; 8] = b"C1ZIDX1\0";
const SHA256_BYTES: usize = 32;

/// The index's bytes, which match their checksum.
pub(super) struct Index {
    pub bytes: Bytes,
    /// What the frames lie in.
    frames: std::ops::Range<u64>,
}

/// Finds the index of a file whose payload begins at `payload`.
pub(super) fn read(path: &Path, disk: &dyn FileBytes, payload: u64) -> Result<Index> {
    let size = disk.len();
    let read = |offset, len| {
        disk.read_at(offset, len)
            .map_err(|e| Error::io("read", path, e))
    };
    let footer_at = size
        .checked_sub(FOOTER_BYTES as u64)
        .filter(|at| *at >= payload)
        .ok_or_else(|| damaged(path, "it is cut off: its index is missing"))?;
    let footer = read(footer_at, FOOTER_BYTES)?;
    let Footer { start, len, sum } = Footer::parse(&footer)
        .ok_or_else(|| damaged(path, "it is cut off, or something was appended to it"))?;
    if len as usize > MAX_INDEX_BYTES {
        return Err(damaged(path, "its index is longer than 64 MiB"));
    }
    if start < payload || start.checked_add(u64::from(len)) != Some(footer_at) {
        return Err(damaged(
            path,
            "its index does not end where its footer begins",
        ));
    }
    let bytes = read(start, len as usize)?;
    if xxh64(&bytes, 0) != sum {
        return Err(damaged(path, "its index does not match its checksum"));
    }
    Ok(Index {
        bytes,
        frames: payload..start,
    })
}

struct Footer {
    start: u64,
    len: u32,
    sum: u64,
}

impl Footer {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let (start, rest) = bytes.split_first_chunk()?;
        let (len, rest) = rest.split_first_chunk()?;
        let (sum, magic) = rest.split_first_chunk()?;
        (magic == FOOTER_MAGIC).then_some(Self {
            start: u64::from_be_bytes(*start),
            len: u32::from_be_bytes(*len),
            sum: u64::from_be_bytes(*sum),
        })
    }
}

impl Index {
    /// Checks the manifest against its checksum; returns whether there is one.
    pub fn check_manifest(&self, path: &Path, manifest: &[u8]) -> Result<bool> {
        let mut sum = 0;
        for field in wire::fields(&self.bytes) {
            let field = field.map_err(|_| malformed(path))?;
            if let (indexed_frame_index::MANIFEST_XXH64, Value::Fixed64(value)) =
                (field.number, field.value)
            {
                sum = u64::from_le_bytes(value);
            }
        }
        if sum != 0 && sum != xxh64(manifest, 0) {
            return Err(damaged(path, "its manifest does not match its checksum"));
        }
        Ok(sum != 0)
    }

    /// The files. Their sizes are summed against the limit here, before
    /// anything is decoded.
    pub fn places(&self, path: &Path, limits: &Limits) -> Result<Places> {
        let mut places = Places::new();
        let mut total = 0_u64;
        for field in wire::fields(&self.bytes) {
            let field = field.map_err(|_| malformed(path))?;
            let (indexed_frame_index::ENTRIES, Value::Bytes(entry)) = (field.number, field.value)
            else {
                continue;
            };
            let (name, frame) = entry_of(entry)
                .map_err(|_| malformed(path))?
                .ok_or_else(|| damaged(path, "an entry of its index is incomplete"))?;
            let end = frame.start.checked_add(frame.len);
            if frame.start < self.frames.start || end.is_none_or(|end| end > self.frames.end) {
                return Err(damaged(
                    path,
                    "an entry of its index points outside its frames",
                ));
            }
            total = total.saturating_add(frame.raw_len);
            if total > limits.max_decoded_bytes {
                return Err(Error::TooLarge {
                    path: path.to_owned(),
                    limit: limits.max_decoded_bytes,
                });
            }
            add(path, &mut places, name, Place::Frame(frame))?;
        }
        Ok(places)
    }
}

fn malformed(path: &Path) -> Error {
    damaged(path, "its index is not a protobuf message")
}

/// An entry's name and frame; `None` if a field does not hold what it must.
fn entry_of(bytes: &[u8]) -> baton_proto::Result<Option<(&[u8], Frame)>> {
    let mut name: &[u8] = &[];
    let (mut start, mut len, mut raw_len) = (0, 0, 0);
    let mut sum = 0;
    let mut sha256: &[u8] = &[];
    for field in wire::fields(bytes) {
        let field = field?;
        match (field.number, field.value) {
            (indexed_frame_entry::NAME, Value::Bytes(value)) => name = value,
            (indexed_frame_entry::FRAME_OFFSET, Value::Varint(value)) => start = value,
            (indexed_frame_entry::COMPRESSED_SIZE, Value::Varint(value)) => len = value,
            (indexed_frame_entry::RAW_SIZE, Value::Varint(value)) => raw_len = value,
            (indexed_frame_entry::RAW_XXH64, Value::Fixed64(value)) => {
                sum = u64::from_le_bytes(value);
            }
            (indexed_frame_entry::RAW_SHA256, Value::Bytes(value)) => sha256 = value,
            _ => {}
        }
    }
    // Sizes are signed in the schema.
    let is_size = |n: u64| i64::try_from(n).is_ok();
    let is_whole =
        len > 0 && [start, len, raw_len].into_iter().all(is_size) && sha256.len() == SHA256_BYTES;
    let frame = Frame {
        start,
        len,
        raw_len,
        sum,
    };
    Ok(is_whole.then_some((name, frame)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAYLOAD: u64 = 100;

    struct Entry {
        name: &'static str,
        start: u64,
        len: u64,
        raw: u64,
        sha256: usize,
    }

    impl Default for Entry {
        fn default() -> Self {
            Self {
                name: "a",
                start: PAYLOAD,
                len: 13,
                raw: 0,
                sha256: SHA256_BYTES,
            }
        }
    }

    fn bytes(entries: &[Entry], manifest_sum: u64) -> Vec<u8> {
        let mut index = Vec::new();
        for entry in entries {
            let mut bytes = Vec::new();
            wire::put_str(&mut bytes, indexed_frame_entry::NAME, entry.name);
            wire::put_varint(&mut bytes, indexed_frame_entry::FRAME_OFFSET, entry.start);
            wire::put_varint(&mut bytes, indexed_frame_entry::COMPRESSED_SIZE, entry.len);
            wire::put_varint(&mut bytes, indexed_frame_entry::RAW_SIZE, entry.raw);
            wire::put_fixed64(&mut bytes, indexed_frame_entry::RAW_XXH64, [0; 8]);
            wire::put_bytes(
                &mut bytes,
                indexed_frame_entry::RAW_SHA256,
                &vec![0; entry.sha256],
            );
            wire::put_bytes(&mut index, indexed_frame_index::ENTRIES, &bytes);
        }
        wire::put_fixed64(
            &mut index,
            indexed_frame_index::MANIFEST_XXH64,
            manifest_sum.to_le_bytes(),
        );
        index
    }

    /// A file of 100 bytes, a frame, and an index with its footer.
    fn file(index: &[u8]) -> Vec<u8> {
        let mut file = vec![0; 113];
        file.extend_from_slice(index);
        file.extend_from_slice(&113_u64.to_be_bytes());
        file.extend_from_slice(&u32::try_from(index.len()).expect("short").to_be_bytes());
        file.extend_from_slice(&xxh64(index, 0).to_be_bytes());
        file.extend_from_slice(FOOTER_MAGIC);
        file
    }

    fn places(entries: &[Entry]) -> Result<Places> {
        let path = Path::new("x.c1z");
        let limits = Limits {
            max_decoded_bytes: 1000,
            ..Limits::default()
        };
        read(path, &Bytes::from(file(&bytes(entries, 0))), PAYLOAD)?.places(path, &limits)
    }

    #[test]
    fn an_index_that_was_changed_cut_or_appended_to_is_refused() {
        let path = Path::new("x.c1z");
        let whole = file(&bytes(&[Entry::default()], 0));
        read(path, &Bytes::from(whole.clone()), PAYLOAD).expect("whole");
        for at in 113..whole.len() {
            for bit in 0..8 {
                let mut changed = whole.clone();
                changed[at] ^= 1 << bit;
                assert!(
                    read(path, &Bytes::from(changed), PAYLOAD).is_err(),
                    "{at}.{bit}"
                );
            }
        }
        for len in 0..whole.len() {
            let cut = Bytes::copy_from_slice(&whole[..len]);
            assert!(read(path, &cut, PAYLOAD).is_err(), "{len}");
        }
        let longer = Bytes::from([&whole[..], b"\0"].concat());
        assert!(read(path, &longer, PAYLOAD).is_err());
        // The payload cannot begin behind the index.
        assert!(read(path, &Bytes::from(whole), 114).is_err());
    }

    #[test]
    fn entries_that_do_not_hold_what_they_must_are_refused() {
        let wrong = [
            Entry {
                len: 0,
                ..Entry::default()
            },
            Entry {
                len: 14,
                ..Entry::default()
            },
            Entry {
                len: u64::MAX,
                ..Entry::default()
            },
            Entry {
                start: PAYLOAD - 1,
                ..Entry::default()
            },
            Entry {
                start: 1 << 63,
                ..Entry::default()
            },
            Entry {
                raw: 1 << 63,
                ..Entry::default()
            },
            Entry {
                sha256: 31,
                ..Entry::default()
            },
            Entry {
                sha256: 33,
                ..Entry::default()
            },
            Entry {
                name: "",
                ..Entry::default()
            },
            Entry {
                name: "../a",
                ..Entry::default()
            },
        ];
        for (at, entry) in wrong.into_iter().enumerate() {
            assert!(
                matches!(places(&[entry]), Err(Error::Envelope { .. })),
                "{at}"
            );
        }
        let twice = places(&[Entry::default(), Entry::default()]);
        assert!(matches!(twice, Err(Error::Envelope { .. })));
        assert_eq!(places(&[Entry::default()]).expect("valid").len(), 1);
    }

    #[test]
    fn sizes_are_summed_before_anything_is_decoded() {
        let half = |name| Entry {
            name,
            raw: 501,
            ..Entry::default()
        };
        assert_eq!(places(&[half("a")]).expect("fits").len(), 1);
        let both = places(&[half("a"), half("b")]);
        assert!(matches!(both, Err(Error::TooLarge { limit: 1000, .. })));
    }

    #[test]
    fn the_manifest_is_checked_only_if_its_checksum_was_recorded() {
        let path = Path::new("x.c1z");
        let index = |sum| read(path, &Bytes::from(file(&bytes(&[], sum))), PAYLOAD).expect("whole");
        assert!(
            !index(0)
                .check_manifest(path, b"m")
                .expect("nothing to check")
        );
        assert!(
            index(xxh64(b"m", 0))
                .check_manifest(path, b"m")
                .expect("equal")
        );
        assert!(index(1).check_manifest(path, b"m").is_err());
    }
}
