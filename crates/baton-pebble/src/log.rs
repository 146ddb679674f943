//! Records of a log file: the framing of MANIFEST and write-ahead logs.
//! Spec §5.3.
//!
//! A file is cut in blocks of 32 KiB, a record in chunks that do not cross
//! them. A log may be a recycled file, whose tail holds chunks of an older
//! log or parts of them; a manifest never is. So a chunk that is no chunk is
//! damage in a manifest and in a log that was not recycled, and in a recycled
//! one if chunks of this same log follow; otherwise it is the tail.

use bytes::{Bytes, BytesMut};

use crate::crc;
use crate::error::Fault;

/// A chunk never crosses a multiple of this.
pub(crate) const BLOCK_BYTES: usize = 32 << 10;
/// Header of a chunk without log number.
pub(crate) const LEGACY_HEADER: usize = 7;
const RECYCLABLE_HEADER: usize = 11;
const SYNC_HEADER: usize = 19;
/// Type of a whole record with the log's number.
const FULL_RECYCLABLE: u8 = 5;
/// Most bytes whose checksum is computed in search of chunks after damage.
const MAX_SEARCH_BYTES: usize = 64 << 20;

/// How a log ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tail {
    /// After a whole record, as a closed log does.
    Clean,
    /// In the middle of a record, or before bytes that are none: the writer
    /// was stopped, and what it wrote last may be lost.
    Torn,
}

/// Reads the records of one file, one after the other.
#[derive(Debug)]
pub struct Records {
    data: Bytes,
    at: usize,
    /// Low half of the log's number; `None` for a manifest.
    number: Option<u32>,
    /// Whether chunks carry the log's number, so that the file may have been
    /// an older log before.
    recyclable: bool,
    tail: Option<Tail>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Position {
    Full,
    First,
    Middle,
    Last,
}

/// One chunk whose checksum holds.
#[derive(Debug, Clone, Copy)]
struct Chunk {
    position: Position,
    number: Option<u32>,
    start: usize,
    end: usize,
}

enum Step {
    Chunk(Chunk),
    /// Zeros or nothing up to the end.
    End,
    /// What a writer puts behind the last record when it closes a log.
    Mark,
    /// Neither a chunk nor the end.
    Invalid,
}

impl Records {
    /// The records of a manifest. Whatever is no record in it is damage.
    pub fn of_manifest(data: Bytes) -> Self {
        Self::new(data, None)
    }

    /// The records of the write-ahead log with the number `number`.
    pub fn of_log(data: Bytes, number: u64) -> Self {
        // Chunks hold the low half only.
        #[allow(clippy::cast_possible_truncation)]
        Self::new(data, Some(number as u32))
    }

    fn new(data: Bytes, number: Option<u32>) -> Self {
        Self {
            data,
            at: 0,
            number,
            recyclable: false,
            tail: None,
        }
    }

    /// How the log ended; `None` before its end.
    pub fn tail(&self) -> Option<Tail> {
        self.tail
    }

    /// The next record; `None` at the end.
    ///
    /// # Errors
    /// Damage that cannot be the tail of a log whose writer was stopped.
    #[allow(
        clippy::should_implement_trait,
        reason = "an iterator of results would continue after an error"
    )]
    pub fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        if self.tail.is_some() {
            return Ok(None);
        }
        let mut parts: Option<BytesMut> = None;
        loop {
            let chunk = match self.step() {
                Step::Chunk(chunk) => chunk,
                Step::End | Step::Mark if parts.is_none() => return Ok(self.end(Tail::Clean)),
                Step::End | Step::Mark | Step::Invalid => return self.torn(),
            };
            if let (Some(theirs), Some(ours)) = (chunk.number, self.number) {
                if theirs != ours {
                    // The next log's number is the mark of a clean end.
                    return if theirs == ours.wrapping_add(1) && parts.is_none() {
                        Ok(self.end(Tail::Clean))
                    } else if parts.is_none() && self.recyclable || self.at == 0 {
                        Ok(self.end(Tail::Torn))
                    } else {
                        self.torn()
                    };
                }
                self.recyclable = true;
            }
            self.at = chunk.end;
            let payload = self.data.slice(chunk.start..chunk.end);
            match (chunk.position, parts.as_mut()) {
                (Position::Full, None) => return Ok(Some(payload)),
                (Position::First, None) => parts = Some(BytesMut::from(&payload[..])),
                (Position::Middle, Some(whole)) => whole.extend_from_slice(&payload),
                (Position::Last, Some(whole)) => {
                    whole.extend_from_slice(&payload);
                    return Ok(parts.map(BytesMut::freeze));
                }
                _ => return Err(Fault::damaged("the chunks of a record do not fit together")),
            }
        }
    }

    fn end(&mut self, tail: Tail) -> Option<Bytes> {
        self.tail = Some(tail);
        None
    }

    /// Ends the log before its end, if that is no damage.
    fn torn(&mut self) -> Result<Option<Bytes>, Fault> {
        if self.recyclable && !self.goes_on() {
            return Ok(self.end(Tail::Torn));
        }
        Err(Fault::Damaged(
            format!("the log breaks off at byte {}", self.at).into(),
        ))
    }

    /// Whether chunks of this log follow the current place, wherever they
    /// begin: the damaged chunk's own length may be what is wrong.
    fn goes_on(&self) -> bool {
        let mut budget = MAX_SEARCH_BYTES;
        for at in self.at + 1..self.data.len() {
            let Some(header) = Header::at(&self.data, at) else {
                continue;
            };
            if header.number.is_none() || header.number != self.number {
                continue;
            }
            let Some(left) = budget.checked_sub(header.covered.len()) else {
                // Too much that looks like chunks to be a tail.
                return true;
            };
            budget = left;
            if header.is_intact() {
                return true;
            }
        }
        false
    }

    /// Whether a closed log's end is at the start of `block`: the header of
    /// an empty chunk of the next log, without its checksum.
    fn is_mark(&self, block: &[u8]) -> bool {
        let (Some(ours), Some(header)) = (self.number, block.first_chunk::<RECYCLABLE_HEADER>())
        else {
            return false;
        };
        let [a, b, c, d] = ours.wrapping_add(1).to_le_bytes();
        *header == [0, 0, 0, 0, 0, 0, FULL_RECYCLABLE, a, b, c, d]
    }

    /// What is at the current place, after padding.
    fn step(&mut self) -> Step {
        loop {
            let left = BLOCK_BYTES - self.at % BLOCK_BYTES;
            let block = self.data.get(self.at..).unwrap_or_default();
            let block = block.get(..left).unwrap_or(block);
            if block.is_empty() {
                return Step::End;
            }
            let no_header = block.len() < LEGACY_HEADER;
            if no_header || block.iter().take(LEGACY_HEADER).all(|byte| *byte == 0) {
                let padding = left < SYNC_HEADER || no_header;
                if block.iter().any(|byte| *byte != 0) {
                    return Step::Invalid;
                }
                if padding && block.len() == left {
                    self.at += left;
                    continue;
                }
                let rest = self.data.get(self.at..).unwrap_or_default();
                return if rest.iter().all(|byte| *byte == 0) {
                    Step::End
                } else {
                    Step::Invalid
                };
            }
            if self.is_mark(block) {
                return Step::Mark;
            }
            return chunk_at(&self.data, self.at)
                .filter(|chunk| self.number.is_some() || chunk.number.is_none())
                .map_or(Step::Invalid, Step::Chunk);
        }
    }
}

/// What claims to be a chunk, its checksum not yet looked at.
struct Header<'a> {
    crc: u32,
    covered: &'a [u8],
    position: Position,
    number: Option<u32>,
    start: usize,
    end: usize,
}

impl<'a> Header<'a> {
    fn at(data: &'a [u8], at: usize) -> Option<Self> {
        let left = BLOCK_BYTES - at % BLOCK_BYTES;
        let block = data.get(at..)?;
        let block = block.get(..left).unwrap_or(block);
        let (crc, rest) = block.split_first_chunk::<4>()?;
        let (length, rest) = rest.split_first_chunk::<2>()?;
        let kind = rest.first()?.checked_sub(1).filter(|kind| *kind < 12)?;
        let position = match kind % 4 {
            0 => Position::Full,
            1 => Position::First,
            2 => Position::Middle,
            _ => Position::Last,
        };
        let header = match kind / 4 {
            0 => LEGACY_HEADER,
            1 => RECYCLABLE_HEADER,
            _ => SYNC_HEADER,
        };
        let number = if header == LEGACY_HEADER {
            None
        } else {
            let number = block.get(LEGACY_HEADER..)?.first_chunk::<4>()?;
            Some(u32::from_le_bytes(*number))
        };
        let len = header + usize::from(u16::from_le_bytes(*length));
        Some(Self {
            crc: u32::from_le_bytes(*crc),
            covered: block.get(6..len)?,
            position,
            number,
            start: at + header,
            end: at + len,
        })
    }

    fn is_intact(&self) -> bool {
        crc::masked(self.covered) == self.crc
    }
}

/// The chunk that starts at `at`, if there is one with a valid checksum.
fn chunk_at(data: &[u8], at: usize) -> Option<Chunk> {
    let header = Header::at(data, at)?;
    header.is_intact().then_some(Chunk {
        position: header.position,
        number: header.number,
        start: header.start,
        end: header.end,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: u64 = 0x1_0000_0007;

    #[derive(Clone, Copy)]
    enum Kind {
        Legacy,
        Recyclable,
        Sync,
    }

    /// A writer of all kinds of chunks.
    #[derive(Default)]
    struct Writer(Vec<u8>);

    impl Writer {
        fn chunk(&mut self, kind: Kind, position: u8, number: u32, payload: &[u8]) {
            let base = match kind {
                Kind::Legacy => 1,
                Kind::Recyclable => 5,
                Kind::Sync => 9,
            };
            let mut covered = vec![base + position];
            if !matches!(kind, Kind::Legacy) {
                covered.extend(number.to_le_bytes());
            }
            if matches!(kind, Kind::Sync) {
                covered.extend((self.0.len() as u64).to_le_bytes());
            }
            covered.extend(payload);
            self.0.extend(crc::masked(&covered).to_le_bytes());
            let len = u16::try_from(payload.len()).unwrap();
            self.0.extend(len.to_le_bytes());
            self.0.extend(covered);
        }

        fn record(&mut self, kind: Kind, mut payload: &[u8]) {
            let header = match kind {
                Kind::Legacy => LEGACY_HEADER,
                Kind::Recyclable => RECYCLABLE_HEADER,
                Kind::Sync => SYNC_HEADER,
            };
            let mut first = true;
            loop {
                let left = BLOCK_BYTES - self.0.len() % BLOCK_BYTES;
                if left < header {
                    self.0.extend(vec![0; left]);
                    continue;
                }
                let take = payload.len().min(left - header);
                let last = take == payload.len();
                let position = match (first, last) {
                    (true, true) => 0,
                    (true, false) => 1,
                    (false, false) => 2,
                    (false, true) => 3,
                };
                self.chunk(kind, position, 7, &payload[..take]);
                payload = &payload[take..];
                first = false;
                if last {
                    return;
                }
            }
        }
    }

    const KINDS: [Kind; 3] = [Kind::Legacy, Kind::Recyclable, Kind::Sync];

    fn payloads() -> Vec<Vec<u8>> {
        let mut sizes = vec![0, 1, 100, 32_600, 30, 200_000];
        sizes.extend(0..80);
        sizes
            .iter()
            .zip(0u8..)
            .map(|(len, fill)| vec![fill; *len])
            .collect()
    }

    fn read(mut records: Records) -> Result<(Vec<Vec<u8>>, Tail), Fault> {
        let mut all = Vec::new();
        while let Some(record) = records.next()? {
            all.push(record.to_vec());
        }
        Ok((all, records.tail().unwrap()))
    }

    fn three(kind: Kind) -> (Vec<u8>, Vec<usize>) {
        let mut writer = Writer::default();
        let mut ends = Vec::new();
        for payload in [b"one", b"two", b"six"] {
            writer.record(kind, payload);
            ends.push(writer.0.len());
        }
        (writer.0, ends)
    }

    #[test]
    fn every_flipped_bit_of_a_manifest_is_damage() {
        let (bytes, _) = three(Kind::Legacy);
        for bit in 0..bytes.len() * 8 {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(read(Records::of_manifest(bytes.into())).is_err(), "{bit}");
        }
    }

    #[test]
    fn a_manifest_that_ends_within_a_record_is_damaged() {
        let (bytes, ends) = three(Kind::Legacy);
        for len in 0..bytes.len() {
            let records = Records::of_manifest(Bytes::copy_from_slice(&bytes[..len]));
            assert_eq!(read(records).is_ok(), len == 0 || ends.contains(&len));
        }
    }

    #[test]
    fn a_flipped_bit_of_a_log_is_damage_unless_it_is_in_the_last_record() {
        for kind in KINDS {
            let (bytes, ends) = three(kind);
            for bit in 0..bytes.len() * 8 {
                let mut bytes = bytes.clone();
                bytes[bit / 8] ^= 1 << (bit % 8);
                match read(Records::of_log(bytes.into(), LOG)) {
                    Err(_) => {}
                    Ok((records, tail)) => {
                        assert!(bit / 8 >= ends[1], "{bit}");
                        assert_eq!((records.len(), tail), (2, Tail::Torn));
                    }
                }
            }
        }
    }

    #[test]
    fn chunks_that_do_not_fit_together_are_damage() {
        for positions in [&[2][..], &[3], &[1, 0], &[1, 1], &[1, 2, 0]] {
            let mut writer = Writer::default();
            for position in positions {
                writer.chunk(Kind::Sync, *position, 7, b"x");
            }
            assert!(read(Records::of_log(writer.0.into(), LOG)).is_err());
        }
    }

    #[test]
    fn the_rest_of_an_older_log_is_not_read() {
        let mut writer = Writer::default();
        writer.chunk(Kind::Recyclable, 0, 7, b"new");
        let other = read(Records::of_log(writer.0.clone().into(), 9));
        assert_eq!(other.unwrap(), (vec![], Tail::Torn));
        let mut bytes = writer.0.clone();
        let mut older = Writer::default();
        older.chunk(Kind::Recyclable, 0, 3, &[9; 50]);
        for skip in 0..older.0.len() {
            bytes.truncate(writer.0.len());
            bytes.extend(&older.0[skip..]);
            let (records, _) = read(Records::of_log(bytes.clone().into(), LOG)).unwrap();
            assert_eq!(records, [b"new"]);
        }
    }

    #[test]
    fn the_mark_of_the_end_is_a_clean_end() {
        let mut with_sum = Writer::default();
        with_sum.chunk(Kind::Recyclable, 0, 8, b"");
        let mark = [0, 0, 0, 0, 0, 0, 5, 8, 0, 0, 0];
        for mark in [&mark[..], &with_sum.0] {
            let (whole, _) = three(Kind::Sync);
            for (records, before) in [(3, whole), (0, Vec::new())] {
                let bytes = [&before, mark, b"anything"].concat();
                let (read, tail) = read(Records::of_log(bytes.into(), LOG)).unwrap();
                assert_eq!((read.len(), tail), (records, Tail::Clean));
            }
        }
        let other = read(Records::of_log(mark.to_vec().into(), 9));
        assert!(other.is_err());
    }

    #[test]
    fn zeros_after_the_last_record_are_no_content() {
        for kind in KINDS {
            let (mut bytes, _) = three(kind);
            bytes.extend(vec![0; 100_000]);
            let (records, tail) = read(Records::of_log(bytes.clone().into(), LOG)).unwrap();
            assert_eq!((records.len(), tail), (3, Tail::Clean));
            bytes.push(1);
            // What follows zeros is not of this log; only a log with numbers in
            // its chunks can detect that.
            let odd = read(Records::of_log(bytes.into(), LOG));
            assert_eq!(odd.is_ok(), !matches!(kind, Kind::Legacy));
        }
    }

    #[test]
    fn records_of_all_sizes_and_kinds_are_read() {
        for kind in KINDS {
            let mut writer = Writer::default();
            for payload in payloads() {
                writer.record(kind, &payload);
            }
            let bytes = Bytes::from(writer.0);
            let got = read(Records::of_log(bytes.clone(), LOG)).unwrap();
            assert_eq!(got, (payloads(), Tail::Clean));
            let manifest = read(Records::of_manifest(bytes));
            assert_eq!(manifest.is_ok(), matches!(kind, Kind::Legacy));
        }
    }

    #[test]
    fn the_mark_of_a_closed_log_has_no_checksum() {
        let mut mark = [0, 0, 0, 0, 0, 0, 5, 8, 0, 0, 0];
        let mut records = Records::of_log(Bytes::copy_from_slice(&mark), LOG);
        assert_eq!(records.next(), Ok(None));
        assert_eq!(records.tail(), Some(Tail::Clean));
        // Of another log it is none.
        mark[7] = 9;
        let mut records = Records::of_log(Bytes::copy_from_slice(&mark), LOG);
        assert!(records.next().is_err());
    }
}
