//! A row of another file on its way through a sort: when it was found, its
//! expansion and its message, as one piece of bytes.

use prost_types::Timestamp;

use crate::row::Row;

const FLAG_BYTES: usize = 1;
const TIME_BYTES: usize = 12;
const NO_EXPANSION: u32 = u32::MAX;

/// The parts of a packed row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Dated<'a> {
    pub at: Timestamp,
    /// Its expansion is still to be done.
    pub needs_expansion: bool,
    pub expansion: Option<&'a [u8]>,
    pub data: &'a [u8],
}

impl<'a> Dated<'a> {
    /// Replaces `out` by the packed form of a row.
    pub(crate) fn pack(row: &Row<'_>, at: Timestamp, needs_expansion: bool, out: &mut Vec<u8>) {
        out.clear();
        out.push(needs_expansion.into());
        out.extend_from_slice(&at.seconds.to_le_bytes());
        out.extend_from_slice(&at.nanos.to_le_bytes());
        let expansion = row.expansion.unwrap_or_default();
        // An expansion is a part of a row, whose size is limited.
        let length = row.expansion.map_or(NO_EXPANSION, |bytes| {
            u32::try_from(bytes.len()).unwrap_or(NO_EXPANSION)
        });
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(expansion);
        out.extend_from_slice(row.data);
    }

    /// Takes a packed row apart. Only what [`Dated::pack`] made has all parts;
    /// of anything else what is missing is empty.
    pub(crate) fn unpack(packed: &'a [u8]) -> Self {
        let (needs_expansion, rest) = packed.split_at_checked(FLAG_BYTES).unwrap_or_default();
        let (time, rest) = rest.split_at_checked(TIME_BYTES).unwrap_or_default();
        let (seconds, nanos) = time.split_first_chunk().unwrap_or((&[0; 8], &[]));
        let nanos = nanos.first_chunk().copied().unwrap_or_default();
        let (length, rest) = rest.split_first_chunk().unwrap_or((&[0; 4], &[]));
        let length = u32::from_le_bytes(*length);
        let (expansion, data) = match usize::try_from(length) {
            Ok(length) if length <= rest.len() => {
                let (expansion, data) = rest.split_at(length);
                (Some(expansion), data)
            }
            _ => (None, rest),
        };
        Self {
            at: Timestamp {
                seconds: i64::from_le_bytes(*seconds),
                nanos: i32::from_le_bytes(nanos),
            },
            needs_expansion: needs_expansion != [0],
            expansion,
            data,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packed_row_comes_back_whole() {
        let at = Timestamp {
            seconds: -5,
            nanos: 7,
        };
        for expansion in [None, Some(&b""[..]), Some(b"abc")] {
            let row = Row {
                data: b"message",
                expansion,
                ..Row::default()
            };
            let mut packed = Vec::new();
            for needs_expansion in [false, true] {
                Dated::pack(&row, at, needs_expansion, &mut packed);
                let data = b"message";
                let dated = Dated {
                    at,
                    needs_expansion,
                    expansion,
                    data,
                };
                assert_eq!(Dated::unpack(&packed), dated);
            }
        }
    }

    #[test]
    fn bytes_of_another_kind_are_no_panic() {
        for length in 0..20 {
            Dated::unpack(&vec![0xff; length]);
            Dated::unpack(&vec![1; length]);
        }
    }
}
