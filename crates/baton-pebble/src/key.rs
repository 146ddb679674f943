//! Internal keys: a user key and eight bytes of sequence number and kind.
//! Spec §5.4.

use std::cmp::Ordering;

use bytes::Bytes;

use crate::error::Fault;
use crate::wire;

/// Bytes after the user key.
pub const TRAILER_BYTES: usize = 8;
/// The greatest sequence number, which only bounds have: the bound excludes
/// its user key.
pub(crate) const SENTINEL_SEQUENCE: u64 = (1 << 56) - 1;

/// What an entry is. Spec §5.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The key has this value.
    Set,
    /// The key has no value.
    Delete,
    /// No key from this one up to the value has a value.
    RangeDelete,
}

impl Kind {
    /// The kind of an entry in a table or a log.
    ///
    /// # Errors
    /// Kinds that need support which this crate lacks, and unknown ones.
    pub(crate) fn of(byte: u8) -> Result<Self, Fault> {
        match byte {
            1 | 18 => Ok(Self::Set),
            0 | 7 | 23 => Ok(Self::Delete),
            15 => Ok(Self::RangeDelete),
            2 => Err(Fault::unsupported("an entry that merges values")),
            19..=21 => Err(Fault::unsupported("an entry for a range of keys")),
            22 => Err(Fault::unsupported("a log entry that ingests tables")),
            24 => Err(Fault::unsupported("a log entry that excises a range")),
            _ => Err(Fault::Damaged(
                format!("an entry is of the unknown kind {byte}").into(),
            )),
        }
    }

    /// The kind in a trailer.
    #[inline]
    pub(crate) fn in_trailer(trailer: u64) -> Result<Self, Fault> {
        // The usual one first: this is asked for each row.
        match trailer & 0xff {
            1 | 18 => Ok(Self::Set),
            #[allow(clippy::cast_possible_truncation, reason = "masked to a byte")]
            other => Self::of(other as u8),
        }
    }
}

/// The sequence number in a trailer.
#[inline]
pub(crate) const fn sequence(trailer: u64) -> u64 {
    trailer >> 8
}

/// Splits an internal key.
#[inline]
pub(crate) fn split(key: &[u8]) -> Option<(&[u8], u64)> {
    let (user, trailer) = key.split_last_chunk::<TRAILER_BYTES>()?;
    Some((user, u64::from_le_bytes(*trailer)))
}

/// Order of two internal keys: user key ascending, then newest first.
pub(crate) fn compare(a: (&[u8], u64), b: (&[u8], u64)) -> Ordering {
    a.0.cmp(b.0).then(b.1.cmp(&a.1))
}

/// An internal key of a table's bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InternalKey {
    /// The key as the database's user knows it.
    pub user: Bytes,
    /// Sequence number (upper 56 bits) and kind.
    pub trailer: u64,
}

impl InternalKey {
    /// The key that `part` of `whole` holds.
    pub(crate) fn parse(whole: &Bytes, part: &[u8]) -> Result<Self, Fault> {
        let (user, trailer) =
            split(part).ok_or(Fault::damaged("a table's bound is too short for a key"))?;
        Ok(Self {
            user: wire::share(whole, user),
            trailer,
        })
    }

    /// Whether rows of this user key lie outside the bound.
    pub fn is_exclusive(&self) -> bool {
        sequence(self.trailer) == SENTINEL_SEQUENCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_that_would_be_misread_are_refused_by_name() {
        for (kind, name) in [
            (2, "merges"),
            (19, "range of keys"),
            (20, "range of keys"),
            (21, "range of keys"),
            (22, "ingests"),
            (24, "excises"),
        ] {
            let fault = Kind::of(kind).unwrap_err();
            assert!(matches!(fault, Fault::Unsupported(_)));
            assert!(fault.to_string().contains(name), "{fault}");
        }
        for kind in [3, 4, 16, 17, 25, 64 + 1, 255] {
            assert!(matches!(Kind::of(kind), Err(Fault::Damaged(_))));
        }
    }

    #[test]
    fn a_key_without_room_for_a_trailer_is_none() {
        assert_eq!(split(b"1234567"), None);
        assert_eq!(split(b"\x01\0\0\0\0\0\0\0"), Some((&b""[..], 1)));
    }

    #[test]
    fn newer_entries_of_a_key_come_first() {
        let of = |seq: u64| (&b"k"[..], seq << 8 | 1);
        assert_eq!(compare(of(5), of(4)), Ordering::Less);
        assert_eq!(compare(of(5), of(5)), Ordering::Equal);
        assert_eq!(compare((b"j", 0), of(9)), Ordering::Less);
    }
}
