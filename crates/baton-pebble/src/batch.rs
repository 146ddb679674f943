//! A batch: the payload of one record of a write-ahead log. Spec §5.3.

use bytes::Bytes;

use crate::error::Fault;
use crate::key::Kind;
use crate::wire::{Wire, share};

/// One entry of a batch, with its own sequence number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchEntry {
    /// What it does.
    pub kind: Kind,
    /// Where it stands among all writes.
    pub sequence: u64,
    /// The user key, or the start of the range.
    pub key: Bytes,
    /// The value, or the end of the range; empty for a delete.
    pub value: Bytes,
}

/// Kind of an entry for readers of the log, not for the database.
const LOG_DATA: u8 = 3;
/// Sized delete: a delete with a value.
const SIZED_DELETE: u8 = 23;
/// Sequence numbers have 56 bits.
const MAX_SEQUENCE: u64 = 1 << 56;

/// Calls `each` for every entry of the batch in `record`, in order.
///
/// # Errors
/// A batch that is cut off or counts wrong, and kinds that are not supported.
pub fn entries(
    record: &Bytes,
    mut each: impl FnMut(BatchEntry) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut wire = Wire::new(record, "a batch");
    let first = wire.u64()?;
    let count = u64::from(wire.u32()?);
    if first
        .checked_add(count)
        .is_none_or(|end| end >= MAX_SEQUENCE)
    {
        return Err(Fault::damaged(
            "the sequence number of a batch is too large",
        ));
    }
    let mut seen = 0;
    while !wire.is_empty() {
        let byte = wire.u8()?;
        if byte == LOG_DATA {
            wire.bytes()?;
            continue;
        }
        let kind = Kind::of(byte)?;
        let key = wire.bytes()?;
        let value = if kind != Kind::Delete || byte == SIZED_DELETE {
            wire.bytes()?
        } else {
            &[]
        };
        each(BatchEntry {
            kind,
            sequence: first + seen,
            key: share(record, key),
            // The value of a sized delete is a size, which is not used.
            value: share(record, if kind == Kind::Delete { &[] } else { value }),
        })?;
        seen += 1;
        if seen > count {
            break;
        }
    }
    if seen != count {
        return Err(Fault::damaged(
            "a batch does not hold the number of entries in its header",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(first: u64, count: u32, entries: &[u8]) -> Bytes {
        let mut bytes = first.to_le_bytes().to_vec();
        bytes.extend(count.to_le_bytes());
        bytes.extend(entries);
        bytes.into()
    }

    fn read(record: &Bytes) -> Result<Vec<BatchEntry>, Fault> {
        let mut all = Vec::new();
        entries(record, |entry| {
            all.push(entry);
            Ok(())
        })?;
        Ok(all)
    }

    #[test]
    fn a_wrong_count_is_damage() {
        for count in [0, 2, u32::MAX] {
            let record = batch(10, count, b"\x01\x01k\x01v");
            assert!(matches!(read(&record), Err(Fault::Damaged(_))), "{count}");
        }
    }

    #[test]
    fn a_batch_that_is_cut_off_is_damage() {
        let record = batch(10, 2, b"\x01\x01k\x01v\x0f\x01a\x01b");
        for len in 0..record.len() {
            assert!(read(&record.slice(..len)).is_err(), "{len}");
        }
    }

    #[test]
    fn a_sequence_number_that_overflows_is_damage() {
        for first in [u64::MAX, 1 << 56, (1 << 56) - 1] {
            assert!(read(&batch(first, 1, b"\0\x01k")).is_err());
        }
    }

    #[test]
    fn entries_that_are_not_supported_are_refused() {
        for kind in [2, 19, 20, 21, 22, 24] {
            let record = batch(10, 1, &[kind, 1, b'k', 1, b'v']);
            assert!(matches!(read(&record), Err(Fault::Unsupported(_))));
        }
    }

    #[test]
    fn entries_are_numbered_from_the_first_and_log_data_is_not_counted() {
        let record = batch(
            10,
            4,
            b"\x03\x02xx\x01\x01a\x01v\x00\x01b\x17\x01c\x01\x05\x0f\x01d\x01e",
        );
        let got: Vec<_> = read(&record)
            .unwrap()
            .into_iter()
            .map(|e| (e.kind, e.sequence, e.key, e.value))
            .collect();
        let of = |kind, seq, key: &'static str, value: &'static str| {
            (kind, seq, Bytes::from(key), Bytes::from(value))
        };
        assert_eq!(
            got,
            [
                of(Kind::Set, 10, "a", "v"),
                of(Kind::Delete, 11, "b", ""),
                of(Kind::Delete, 12, "c", ""),
                of(Kind::RangeDelete, 13, "d", "e"),
            ]
        );
    }
}
