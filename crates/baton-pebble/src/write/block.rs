//! Row blocks (c1z specification §5.8), appended to a table's bytes in place.

use super::put_varint;
use crate::crc;

/// Compression byte of a block that is stored as it is.
const UNCOMPRESSED: u8 = 0;

/// Where a finished block lies, without its trailer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Handle {
    pub offset: u64,
    pub len: u64,
}

impl Handle {
    /// Bytes of the compression byte and the checksum behind a block.
    pub const TRAILER_BYTES: u64 = 5;

    pub fn put(self, out: &mut Vec<u8>) {
        put_varint(out, self.offset);
        put_varint(out, self.len);
    }
}

/// A block that is being written at the end of a vector of bytes. The vector
/// is passed to every call: it may hold other blocks before this one.
#[derive(Debug)]
pub(super) struct RowBlock {
    start: usize,
    interval: usize,
    entries: usize,
    restarts: Vec<u32>,
    last_key: Vec<u8>,
}

impl RowBlock {
    /// A block at the end of `out` in which every `interval`-th key is whole.
    pub fn begin(out: &[u8], interval: usize) -> Self {
        Self {
            start: out.len(),
            interval: interval.max(1),
            entries: 0,
            restarts: vec![0],
            last_key: Vec::new(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// The key of the last entry, as far as it was given as the key.
    pub fn last_key(&self) -> &[u8] {
        &self.last_key
    }

    /// Size of the block if it ended at the end of `out`.
    pub fn size(&self, out: &[u8]) -> usize {
        out.len() - self.start + 4 * (self.restarts.len() + 1)
    }

    /// Most bytes by which an entry makes the block larger.
    pub fn most_bytes(key: &[u8], suffix: &[u8], value: &[u8]) -> usize {
        // Three lengths of 32 bits, and a restart.
        key.len() + suffix.len() + value.len() + 3 * 5 + 4
    }

    /// Appends an entry whose key is `key` and then `suffix`. Only `key` is
    /// shared with the entry before.
    pub fn push(&mut self, out: &mut Vec<u8>, key: &[u8], suffix: &[u8], value: &[u8]) {
        let mut shared = 0;
        if !self.entries.is_multiple_of(self.interval) {
            shared = common_prefix(&self.last_key, key);
        } else if !self.is_empty() {
            // Blocks stay far below 4 GiB: rows are limited, and a block is
            // cut before it would exceed its size by more than one row.
            self.restarts
                .push(u32::try_from(out.len() - self.start).unwrap_or(u32::MAX));
        }
        let (_, unshared) = key.split_at(shared);
        put_varint(out, shared as u64);
        put_varint(out, (unshared.len() + suffix.len()) as u64);
        put_varint(out, value.len() as u64);
        out.extend_from_slice(unshared);
        out.extend_from_slice(suffix);
        out.extend_from_slice(value);
        self.last_key.truncate(shared);
        self.last_key.extend_from_slice(unshared);
        self.entries += 1;
    }

    /// Moves the entries to `start`: they were built apart, and their offsets
    /// are relative.
    pub fn move_to(&mut self, start: usize) {
        self.start = start;
    }

    /// Completes the block with its restarts and trailer, and begins the
    /// next one behind it.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Handle {
        for restart in &self.restarts {
            out.extend_from_slice(&restart.to_le_bytes());
        }
        let count = u32::try_from(self.restarts.len()).unwrap_or(u32::MAX);
        out.extend_from_slice(&count.to_le_bytes());
        let handle = Handle {
            offset: self.start as u64,
            len: (out.len() - self.start) as u64,
        };
        out.push(UNCOMPRESSED);
        let content = out.get(self.start..).unwrap_or_default();
        let crc = crc::masked(content);
        out.extend_from_slice(&crc.to_le_bytes());
        self.start = out.len();
        self.entries = 0;
        self.restarts.clear();
        self.restarts.push(0);
        self.last_key.clear();
        handle
    }
}

/// How many bytes two keys begin with in common. Keys share much, so eight
/// bytes are compared at a time.
fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    let mut same = 0;
    for (a, b) in a.chunks_exact(8).zip(b.chunks_exact(8)) {
        if a != b {
            break;
        }
        same += 8;
    }
    let rest = |key| <[u8]>::get(key, same..).unwrap_or_default();
    let tail = rest(a).iter().zip(rest(b));
    same + tail.take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_prefixes_end_where_the_keys_do() {
        for (a, b, same) in [
            ("", "", 0),
            ("abc", "abd", 2),
            ("abcdefgh", "abcdefgh", 8),
            ("abcdefghi", "abcdefgh", 8),
            ("abcdefghij", "abcdefghik", 9),
            ("abcdefgX", "abcdefghij", 7),
        ] {
            assert_eq!(common_prefix(a.as_bytes(), b.as_bytes()), same, "{a} {b}");
        }
    }

    #[test]
    fn an_empty_block_has_one_restart() {
        let mut out = b"before".to_vec();
        let handle = RowBlock::begin(&out, 16).finish(&mut out);
        assert_eq!(handle, Handle { offset: 6, len: 8 });
        assert_eq!(out[6..15], [0, 0, 0, 0, 1, 0, 0, 0, 0]);
        assert_eq!(out.len(), 19);
    }

    #[test]
    fn keys_are_whole_at_restarts_and_shared_between_them() {
        let mut out = Vec::new();
        let mut block = RowBlock::begin(&out, 2);
        for key in ["ab", "abc", "abd"] {
            block.push(&mut out, key.as_bytes(), b"!", b"v");
        }
        let handle = block.finish(&mut out);
        let entries = [
            &[0, 3, 1][..],
            b"ab!v",
            &[2, 2, 1],
            b"c!v",
            &[0, 4, 1],
            b"abd!v",
            &[0, 0, 0, 0, 13, 0, 0, 0, 2, 0, 0, 0],
        ]
        .concat();
        assert_eq!(out[..usize::try_from(handle.len).expect("small")], entries);
    }
}
