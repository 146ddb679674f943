//! Records as SQLite stores them: a header of serial types, then the values.

/// Longest encoding of a variable-length integer.
pub(super) const MAX_VARINT: usize = 9;

const NULL: u64 = 0;
const ZERO: u64 = 8;
const ONE: u64 = 9;

/// One value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Null,
    Int(i64),
    Text(&'a [u8]),
    Blob(&'a [u8]),
}

/// Appends an integer of variable length.
pub(super) fn push_varint(out: &mut Vec<u8>, value: u64) {
    if value >> 56 != 0 {
        // The ninth byte holds eight bits.
        let low = value & 0xff;
        for at in (0..8).rev() {
            out.push(low_byte(value >> (8 + 7 * at)) | 0x80);
        }
        out.push(low.to_le_bytes()[0]);
        return;
    }
    let groups = (u64::BITS - (value | 1).leading_zeros()).div_ceil(7);
    for at in (0..groups).rev() {
        let more = if at == 0 { 0 } else { 0x80 };
        out.push(low_byte(value >> (7 * at)) | more);
    }
}

fn low_byte(value: u64) -> u8 {
    value.to_le_bytes()[0] & 0x7f
}

/// How many bytes [`push_varint`] appends.
pub(super) fn varint_len(value: u64) -> usize {
    if value >> 56 != 0 {
        return MAX_VARINT;
    }
    ((u64::BITS - (value | 1).leading_zeros()).div_ceil(7)) as usize
}

impl Value<'_> {
    fn serial(self) -> u64 {
        match self {
            Self::Null => NULL,
            Self::Int(0) => ZERO,
            Self::Int(1) => ONE,
            Self::Int(value) => match int_len(value) {
                8 => 6,
                6 => 5,
                len => len as u64,
            },
            Self::Blob(bytes) => 2 * bytes.len() as u64 + 12,
            Self::Text(bytes) => 2 * bytes.len() as u64 + 13,
        }
    }

    fn push(self, out: &mut Vec<u8>) {
        match self {
            Self::Null | Self::Int(0 | 1) => {}
            Self::Int(value) => {
                let bytes = value.to_be_bytes();
                out.extend_from_slice(&bytes[bytes.len() - int_len(value)..]);
            }
            Self::Blob(bytes) | Self::Text(bytes) => out.extend_from_slice(bytes),
        }
    }
}

/// Bytes of a stored integer: 1, 2, 3, 4, 6 or 8.
fn int_len(value: i64) -> usize {
    let bits = i64::BITS + 1 - value.unsigned_abs().max(1).leading_zeros();
    match bits.div_ceil(8) {
        len @ 1..=4 => len as usize,
        5 | 6 => 6,
        _ => 8,
    }
}

/// Appends a record.
pub(super) fn push_record(out: &mut Vec<u8>, values: &[Value<'_>]) {
    let types: usize = values.iter().map(|v| varint_len(v.serial())).sum();
    // The header's length counts itself.
    let mut len = types + 1;
    if varint_len(len as u64) > 1 {
        len = types + varint_len(len as u64 + 1);
    }
    push_varint(out, len as u64);
    for value in values {
        push_varint(out, value.serial());
    }
    for value in values {
        value.push(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_of_variable_length_are_those_of_the_format() {
        for (value, bytes) in [
            (0, &[0][..]),
            (127, &[0x7f]),
            (128, &[0x81, 0]),
            (16_383, &[0xff, 0x7f]),
            (16_384, &[0x81, 0x80, 0]),
            (u64::MAX, &[0xff; 9]),
            (
                1 << 56,
                &[0x80, 0xc0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0],
            ),
        ] {
            let mut out = Vec::new();
            push_varint(&mut out, value);
            assert_eq!(out, bytes, "{value}");
            assert_eq!(varint_len(value), bytes.len());
        }
    }

    #[test]
    fn integers_take_as_many_bytes_as_they_need() {
        for (value, len) in [
            (-1, 1),
            (127, 1),
            (-128, 2),
            (128, 2),
            (32_767, 2),
            (32_768, 3),
            (8_388_607, 3),
            (8_388_608, 4),
            (i64::from(i32::MAX), 4),
            (i64::from(i32::MAX) + 1, 6),
            (1 << 46, 6),
            (1 << 47, 8),
            (i64::MIN, 8),
        ] {
            assert_eq!(int_len(value), len, "{value}");
        }
    }

    #[test]
    fn long_headers_count_themselves() {
        let value = Value::Text(b"a");
        let mut out = Vec::new();
        push_record(&mut out, &vec![value; 126]);
        assert_eq!(&out[..2], [127, 15]);
        out.clear();
        push_record(&mut out, &vec![value; 127]);
        assert_eq!(&out[..3], [0x81, 0x01, 15]);
    }
}
