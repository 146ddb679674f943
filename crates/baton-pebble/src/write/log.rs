//! Records in chunks, and the write-ahead log made of them (c1z
//! specification §5.3, §5.12). For tests and for very small files: every open
//! replays the log.

use super::put_bytes;
use crate::crc;

/// Chunks do not cross the bounds of blocks of this size.
const BLOCK_BYTES: usize = 32 << 10;
/// Checksum, length and type of a chunk.
const HEADER_BYTES: usize = 7;
/// The sequence number of a new directory's first row.
const FIRST_SEQUENCE: u64 = 10;
const KIND_DELETE: u8 = 0;
const KIND_SET: u8 = 1;

/// Records, framed one after the other.
#[derive(Debug, Default)]
pub(super) struct Records {
    out: Vec<u8>,
}

impl Records {
    pub fn push(&mut self, record: &[u8]) {
        let mut rest = record;
        let mut first = true;
        loop {
            let room = BLOCK_BYTES - self.out.len() % BLOCK_BYTES;
            if room < HEADER_BYTES {
                self.out.resize(self.out.len() + room, 0);
                continue;
            }
            let (chunk, after) = rest.split_at(rest.len().min(room - HEADER_BYTES));
            let last = after.is_empty();
            self.chunk(kind(first, last), chunk);
            if last {
                return;
            }
            rest = after;
            first = false;
        }
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    fn chunk(&mut self, kind: u8, payload: &[u8]) {
        let crc = crc::masked_of_two(&[kind], payload);
        self.out.extend_from_slice(&crc.to_le_bytes());
        // A chunk is smaller than its block.
        let len = u16::try_from(payload.len()).unwrap_or(u16::MAX);
        self.out.extend_from_slice(&len.to_le_bytes());
        self.out.push(kind);
        self.out.extend_from_slice(payload);
    }
}

fn kind(first: bool, last: bool) -> u8 {
    match (first, last) {
        (true, true) => 1,
        (true, false) => 2,
        (false, false) => 3,
        (false, true) => 4,
    }
}

/// Changes that are one record of a log.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Batch {
    count: u32,
    entries: Vec<u8>,
}

impl Batch {
    /// Sets a row.
    pub fn set(&mut self, key: &[u8], value: &[u8]) {
        self.entries.push(KIND_SET);
        put_bytes(&mut self.entries, key);
        put_bytes(&mut self.entries, value);
        self.count += 1;
    }

    /// Removes a row.
    pub fn delete(&mut self, key: &[u8]) {
        self.entries.push(KIND_DELETE);
        put_bytes(&mut self.entries, key);
        self.count += 1;
    }
}

/// The content of a log, and the sequence number of its last change. Later
/// changes of a key override earlier ones, and those in tables.
pub fn wal(batches: &[Batch]) -> (Vec<u8>, u64) {
    let mut records = Records::default();
    let mut sequence = FIRST_SEQUENCE;
    let mut record = Vec::new();
    for batch in batches {
        record.clear();
        record.extend_from_slice(&sequence.to_le_bytes());
        record.extend_from_slice(&batch.count.to_le_bytes());
        record.extend_from_slice(&batch.entries);
        records.push(&record);
        sequence += u64::from(batch.count);
    }
    (records.into_bytes(), sequence - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Type and payload of each chunk.
    fn chunks(bytes: &[u8]) -> Vec<(u8, usize)> {
        let mut out = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            if BLOCK_BYTES - at % BLOCK_BYTES < HEADER_BYTES {
                at = at.next_multiple_of(BLOCK_BYTES);
                continue;
            }
            let len = usize::from(u16::from_le_bytes([bytes[at + 4], bytes[at + 5]]));
            out.push((bytes[at + 6], len));
            at += HEADER_BYTES + len;
        }
        out
    }

    #[test]
    fn a_record_larger_than_a_block_is_cut_in_first_middle_and_last() {
        let mut records = Records::default();
        records.push(&vec![7; 2 * BLOCK_BYTES]);
        let full = BLOCK_BYTES - HEADER_BYTES;
        assert_eq!(
            chunks(&records.into_bytes()),
            [(2, full), (3, full), (4, 2 * HEADER_BYTES)]
        );
    }

    #[test]
    fn a_record_begins_in_the_next_block_where_no_header_fits() {
        for left in 0..HEADER_BYTES {
            let mut records = Records::default();
            records.push(&vec![7; BLOCK_BYTES - HEADER_BYTES - left]);
            records.push(b"next");
            let bytes = records.into_bytes();
            assert_eq!(bytes.len(), BLOCK_BYTES + HEADER_BYTES + 4, "{left}");
            assert_eq!(chunks(&bytes).last(), Some(&(1, 4)), "{left}");
        }
    }

    #[test]
    fn a_first_chunk_may_be_empty() {
        let mut records = Records::default();
        records.push(&vec![7; BLOCK_BYTES - 2 * HEADER_BYTES]);
        records.push(b"next");
        assert_eq!(chunks(&records.into_bytes())[1..], [(2, 0), (4, 4)]);
    }

    #[test]
    fn the_last_sequence_number_counts_every_change() {
        let mut batch = Batch::default();
        batch.set(b"a", b"1");
        batch.delete(b"a");
        let (bytes, last) = wal(&[batch.clone(), batch]);
        assert_eq!(last, 13);
        assert_eq!(chunks(&bytes), [(1, 20); 2]);
    }
}
