//! Reads and splices protobuf wire bytes without decoding messages.
//!
//! Rows are stored and copied as bytes; where one must change, the change is
//! made on its fields, so that unknown fields survive. Every read is bounded
//! by the slice it works on, nothing here panics, and nothing recurses without
//! the limit [`MAX_DEPTH`].

use crate::field::google::protobuf::any;
use crate::{Error, Result};

/// Deepest nesting of messages (and groups) that any reader of this crate follows.
pub const MAX_DEPTH: usize = 256;

/// Largest field number that the wire format knows.
pub const MAX_FIELD_NUMBER: u32 = (1 << 29) - 1;

/// The part of a type URL before the full name of the message.
pub const TYPE_URL_PREFIX: &str = "type.googleapis.com/";

/// Most bytes that a varint takes.
pub(crate) const MAX_VARINT_BYTES: usize = 10;

const VARINT: u8 = 0;
const FIXED64: u8 = 1;
const BYTES: u8 = 2;
const GROUP_START: u8 = 3;
const GROUP_END: u8 = 4;
const FIXED32: u8 = 5;

/// One field as it stands in the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// The field number, 1 to [`MAX_FIELD_NUMBER`].
    pub number: u32,
    /// The value, borrowed.
    pub value: Value<'a>,
    /// Tag and value, for copying the field as it is.
    pub raw: &'a [u8],
}

/// The value of one field, by wire type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// Integers, booleans and enums.
    Varint(u64),
    /// `fixed64`, `sfixed64` and `double`, little endian.
    Fixed64([u8; 8]),
    /// Strings, bytes, messages and packed lists.
    Bytes(&'a [u8]),
    /// `fixed32`, `sfixed32` and `float`, little endian.
    Fixed32([u8; 4]),
    /// The content of an old-style group. No Baton message has one; it is
    /// carried so that unknown fields can be copied.
    Group(&'a [u8]),
}

impl<'a> Value<'a> {
    /// The slice of a length-delimited value.
    #[must_use]
    pub fn bytes(&self) -> Option<&'a [u8]> {
        match *self {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The number of a varint value.
    #[must_use]
    pub fn varint(&self) -> Option<u64> {
        match *self {
            Value::Varint(number) => Some(number),
            _ => None,
        }
    }
}

/// The fields of one message, in the order of the bytes.
///
/// Ends after the first error.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// Iterates over the fields of a message.
#[must_use]
pub fn fields(bytes: &[u8]) -> Fields<'_> {
    Fields { bytes, at: 0 }
}

/// Numbers and values of the fields of a message, without their raw bytes: what
/// hot loops need. Ends after the first error.
pub fn values(bytes: &[u8]) -> impl Iterator<Item = Result<(u32, Value<'_>)>> {
    let mut fields = fields(bytes);
    std::iter::from_fn(move || match fields.step() {
        Ok(field) => field.map(Ok),
        Err(error) => {
            fields.at = fields.bytes.len();
            Some(Err(error))
        }
    })
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.bytes.len() {
            return None;
        }
        let start = self.at;
        let result = self.read(start);
        if result.is_err() {
            self.at = self.bytes.len();
        }
        Some(result)
    }
}

impl<'a> Fields<'a> {
    /// Number and value of the next field; what hot loops need, and no more.
    #[inline]
    pub(crate) fn step(&mut self) -> Result<Option<(u32, Value<'a>)>> {
        if self.at >= self.bytes.len() {
            return Ok(None);
        }
        let (number, wire_type) = self.tag()?;
        let value = if wire_type == BYTES {
            Value::Bytes(self.delimited()?)
        } else {
            self.value(number, wire_type)?
        };
        Ok(Some((number, value)))
    }

    #[inline]
    fn read(&mut self, start: usize) -> Result<Field<'a>> {
        let (number, wire_type) = self.tag()?;
        let value = self.value(number, wire_type)?;
        let raw = self.bytes.get(start..self.at).unwrap_or_default();
        Ok(Field { number, value, raw })
    }

    #[inline]
    fn tag(&mut self) -> Result<(u32, u8)> {
        let start = self.at;
        let tag = self.varint()?;
        let number = tag >> 3;
        match u32::try_from(number) {
            Ok(number @ 1..=MAX_FIELD_NUMBER) => Ok((number, (tag & 7) as u8)),
            _ => Err(malformed("field number out of range", start)),
        }
    }

    #[inline]
    fn value(&mut self, number: u32, wire_type: u8) -> Result<Value<'a>> {
        match wire_type {
            VARINT => Ok(Value::Varint(self.varint()?)),
            FIXED64 => Ok(Value::Fixed64(self.array()?)),
            BYTES => Ok(Value::Bytes(self.delimited()?)),
            FIXED32 => Ok(Value::Fixed32(self.array()?)),
            GROUP_START => self.group(number),
            GROUP_END => Err(malformed("end of a group that was not begun", self.at)),
            _ => Err(malformed("unknown wire type", self.at)),
        }
    }

    #[inline]
    fn varint(&mut self) -> Result<u64> {
        match self.bytes.get(self.at) {
            Some(&byte) if byte < 0x80 => {
                self.at += 1;
                Ok(u64::from(byte))
            }
            _ => {
                let rest = self.bytes.get(self.at..).unwrap_or_default();
                let (value, size) = long_varint(rest).map_err(|what| malformed(what, self.at))?;
                self.at += size;
                Ok(value)
            }
        }
    }

    #[inline]
    fn delimited(&mut self) -> Result<&'a [u8]> {
        let start = self.at;
        let length = self.varint()?;
        let taken = usize::try_from(length)
            .ok()
            .and_then(|length| self.at.checked_add(length))
            .and_then(|end| Some((self.bytes.get(self.at..end)?, end)));
        match taken {
            Some((value, end)) => {
                self.at = end;
                Ok(value)
            }
            None => Err(malformed("length beyond the end", start)),
        }
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        match rest.first_chunk::<N>() {
            Some(value) => {
                self.at += N;
                Ok(*value)
            }
            None => Err(malformed("value beyond the end", self.at)),
        }
    }

    /// Passes over a group, nested ones included, up to its own end tag.
    fn group(&mut self, number: u32) -> Result<Value<'a>> {
        let start = self.at;
        let mut open = vec![number];
        loop {
            let end = self.at;
            let (inner, wire_type) = self.tag()?;
            match wire_type {
                GROUP_START if open.len() >= MAX_DEPTH => {
                    return Err(Error::TooDeep { limit: MAX_DEPTH });
                }
                GROUP_START => open.push(inner),
                GROUP_END => {
                    if open.pop() != Some(inner) {
                        return Err(malformed("end of another group", end));
                    }
                    if open.is_empty() {
                        let content = self.bytes.get(start..end).unwrap_or_default();
                        return Ok(Value::Group(content));
                    }
                }
                _ => {
                    self.value(inner, wire_type)?;
                }
            }
        }
    }
}

/// Reads a varint at the start of `bytes`: the value and its size.
#[cold]
fn long_varint(bytes: &[u8]) -> std::result::Result<(u64, usize), &'static str> {
    let mut value = 0_u64;
    for (at, &byte) in bytes.iter().take(10).enumerate() {
        if at == 9 && byte > 1 {
            return Err("number of more than 64 bits");
        }
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte < 0x80 {
            return Ok((value, at + 1));
        }
    }
    if bytes.len() < 10 {
        Err("number beyond the end")
    } else {
        Err("number of more than ten bytes")
    }
}

/// Reads the varints of a packed list.
pub fn packed_varints(bytes: &[u8]) -> impl Iterator<Item = Result<u64>> + '_ {
    let mut reader = fields(bytes);
    std::iter::from_fn(move || {
        if reader.at >= reader.bytes.len() {
            return None;
        }
        let value = reader.varint();
        if value.is_err() {
            reader.at = reader.bytes.len();
        }
        Some(value)
    })
}

/// The last occurrence of a length-delimited field, which is the one that counts
/// for strings and bytes. `None` when there is none.
pub fn last_bytes(bytes: &[u8], number: u32) -> Result<Option<&[u8]>> {
    let mut last = None;
    for field in values(bytes) {
        let (found, value) = field?;
        if found == number
            && let Value::Bytes(value) = value
        {
            last = Some(value);
        }
    }
    Ok(last)
}

/// The last occurrence of a string field; empty when there is none.
pub fn last_str(bytes: &[u8], number: u32) -> Result<&str> {
    text(last_bytes(bytes, number)?.unwrap_or_default())
}

/// The last occurrence of a varint field; 0 when there is none.
pub fn last_varint(bytes: &[u8], number: u32) -> Result<u64> {
    let mut last = 0;
    for field in values(bytes) {
        let (found, value) = field?;
        if found == number
            && let Value::Varint(value) = value
        {
            last = value;
        }
    }
    Ok(last)
}

/// A string value: `bytes` as UTF-8.
pub fn text(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|e| malformed("text is not UTF-8", e.valid_up_to()))
}

/// The message without the fields of these numbers; all else byte by byte as it was.
pub fn without(bytes: &[u8], numbers: &[u32]) -> Result<Vec<u8>> {
    let mut rest = Vec::with_capacity(bytes.len());
    for field in fields(bytes) {
        let field = field?;
        if !numbers.contains(&field.number) {
            rest.extend_from_slice(field.raw);
        }
    }
    Ok(rest)
}

/// The message with one more length-delimited field, set behind the last field
/// whose number is not larger: where an encoder would have written it.
pub fn insert_bytes(bytes: &[u8], number: u32, value: &[u8]) -> Result<Vec<u8>> {
    let mut split = 0;
    let mut at = 0;
    for field in fields(bytes) {
        let field = field?;
        at += field.raw.len();
        if field.number <= number {
            split = at;
        }
    }
    let (before, after) = bytes.split_at_checked(split).unwrap_or((bytes, &[]));
    let mut out = Vec::with_capacity(bytes.len() + value.len() + 2 * MAX_VARINT_BYTES);
    out.extend_from_slice(before);
    put_bytes(&mut out, number, value);
    out.extend_from_slice(after);
    Ok(out)
}

/// Writes a bare varint, without a tag.
#[inline]
pub fn put_raw_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

#[inline]
fn put_tag(out: &mut Vec<u8>, number: u32, wire_type: u8) {
    put_raw_varint(out, u64::from(number) << 3 | u64::from(wire_type));
}

/// Writes an integer, boolean or enum field, also when it is 0.
#[inline]
pub fn put_varint(out: &mut Vec<u8>, number: u32, value: u64) {
    put_tag(out, number, VARINT);
    put_raw_varint(out, value);
}

/// Writes a string, bytes or message field, also when it is empty.
#[inline]
pub fn put_bytes(out: &mut Vec<u8>, number: u32, value: &[u8]) {
    put_tag(out, number, BYTES);
    put_raw_varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

/// Writes a string field unless it is empty, as proto3 encoders do.
#[inline]
pub fn put_str(out: &mut Vec<u8>, number: u32, value: &str) {
    if !value.is_empty() {
        put_bytes(out, number, value.as_bytes());
    }
}

/// Writes a `double` or 64-bit fixed field.
#[inline]
pub fn put_fixed64(out: &mut Vec<u8>, number: u32, value: [u8; 8]) {
    put_tag(out, number, FIXED64);
    out.extend_from_slice(&value);
}

/// Writes a `float` or 32-bit fixed field.
#[inline]
pub fn put_fixed32(out: &mut Vec<u8>, number: u32, value: [u8; 4]) {
    put_tag(out, number, FIXED32);
    out.extend_from_slice(&value);
}

/// An encoded `google.protobuf.Any`, borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnyRef<'a> {
    /// The type URL as written.
    pub type_url: &'a str,
    /// The packed message.
    pub value: &'a [u8],
}

impl<'a> AnyRef<'a> {
    /// Reads the two fields of an encoded `Any`.
    pub fn read(bytes: &'a [u8]) -> Result<AnyRef<'a>> {
        let mut type_url: &[u8] = &[];
        let mut value: &[u8] = &[];
        for field in fields(bytes) {
            let field = field?;
            match (field.number, field.value) {
                (any::TYPE_URL, Value::Bytes(bytes)) => type_url = bytes,
                (any::VALUE, Value::Bytes(bytes)) => value = bytes,
                _ => {}
            }
        }
        Ok(AnyRef {
            type_url: text(type_url)?,
            value,
        })
    }

    /// The full message name: what stands behind the last slash of the URL.
    #[must_use]
    pub fn type_name(&self) -> &'a str {
        type_name(self.type_url)
    }
}

/// The full message name of a type URL: what stands behind its last slash.
#[must_use]
pub fn type_name(type_url: &str) -> &str {
    type_url.rsplit('/').next().unwrap_or_default()
}

/// Takes every annotation of one type out of a list of `Any`s.
///
/// Gives the message without those entries, all else byte by byte as it was,
/// and their payloads in order (annotations.md, c1z.md §1.4).
pub fn split_annotation(
    bytes: &[u8],
    annotations_field: u32,
    type_name: &str,
) -> Result<(Vec<u8>, Vec<Vec<u8>>)> {
    let mut rest = Vec::with_capacity(bytes.len());
    let mut payloads = Vec::new();
    for field in fields(bytes) {
        let field = field?;
        if field.number == annotations_field
            && let Value::Bytes(entry) = field.value
        {
            let any = AnyRef::read(entry)?;
            if any.type_name() == type_name {
                payloads.push(any.value.to_vec());
                continue;
            }
        }
        rest.extend_from_slice(field.raw);
    }
    Ok((rest, payloads))
}

/// Whether a list of `Any`s has an entry of one of these types.
pub fn has_annotation(bytes: &[u8], annotations_field: u32, type_names: &[&str]) -> Result<bool> {
    for field in values(bytes) {
        let (number, value) = field?;
        if number == annotations_field
            && let Value::Bytes(entry) = value
            && type_names.contains(&AnyRef::read(entry)?.type_name())
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Adds a packed message at the end of a list of `Any`s.
pub fn append_annotation(
    bytes: &[u8],
    annotations_field: u32,
    type_name: &str,
    payload: &[u8],
) -> Result<Vec<u8>> {
    let mut any = Vec::with_capacity(payload.len() + type_name.len() + 32);
    put_bytes(
        &mut any,
        any::TYPE_URL,
        [TYPE_URL_PREFIX, type_name].concat().as_bytes(),
    );
    if !payload.is_empty() {
        put_bytes(&mut any, any::VALUE, payload);
    }
    insert_bytes(bytes, annotations_field, &any)
}

fn malformed(what: &'static str, offset: usize) -> Error {
    Error::Wire { what, offset }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(bytes: &[u8]) -> Vec<u32> {
        fields(bytes).map(|f| f.expect("valid").number).collect()
    }

    #[test]
    fn damaged_bytes_are_refused_with_the_place() {
        let cases: [(&[u8], &str); 9] = [
            (&[0x80], "number beyond the end"),
            (&[0x08], "number beyond the end"),
            (&[0x0a, 0x05, b'a'], "length beyond the end"),
            (&[0x0d, 1, 2, 3], "value beyond the end"),
            (&[0x09, 1, 2, 3], "value beyond the end"),
            (&[0x00, 0x01], "field number out of range"),
            (&[0x0c], "end of a group that was not begun"),
            (&[0x0e], "unknown wire type"),
            (
                &[0x08, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2],
                "more than 64 bits",
            ),
        ];
        for (bytes, what) in cases {
            let error = fields(bytes)
                .last()
                .expect("a result")
                .expect_err("damaged");
            assert!(error.to_string().contains(what), "{bytes:?}: {error}");
        }
    }

    #[test]
    fn iteration_ends_after_the_first_error() {
        assert_eq!(fields(&[0x0e, 0x08, 0x01]).count(), 1);
    }

    #[test]
    fn groups_are_passed_over_whole_and_bounded() {
        let nested = [0x0b, 0x13, 0x08, 0x01, 0x14, 0x0c, 0x18, 0x07];
        let read: Vec<_> = fields(&nested).map(|f| f.expect("valid")).collect();
        assert_eq!(read[0].value, Value::Group(&nested[1..5]));
        assert_eq!(read[1].value, Value::Varint(7));
        let deep = vec![0x0b; MAX_DEPTH + 1];
        let error = fields(&deep).next().expect("a result").expect_err("deep");
        assert!(matches!(error, Error::TooDeep { .. }));
        assert!(fields(&[0x0b, 0x14]).any(|f| f.is_err()), "wrong end tag");
    }

    #[test]
    fn the_last_value_of_a_field_counts() {
        let mut bytes = Vec::new();
        put_bytes(&mut bytes, 3, b"first");
        put_varint(&mut bytes, 4, 300);
        put_bytes(&mut bytes, 3, b"second");
        assert_eq!(last_str(&bytes, 3).expect("text"), "second");
        assert_eq!(last_str(&bytes, 9).expect("text"), "");
        assert_eq!(last_bytes(&bytes, 9).expect("none"), None);
        assert_eq!(last_varint(&bytes, 4).expect("number"), 300);
    }

    #[test]
    fn text_that_is_not_utf8_is_an_error() {
        let mut bytes = Vec::new();
        put_bytes(&mut bytes, 1, &[0xff]);
        assert!(last_str(&bytes, 1).is_err());
    }

    #[test]
    fn fields_are_taken_out_and_put_in_at_their_place() {
        let mut bytes = Vec::new();
        put_varint(&mut bytes, 1, 1);
        put_bytes(&mut bytes, 2, b"two");
        put_fixed64(&mut bytes, 5, [0; 8]);
        put_fixed32(&mut bytes, 7, [1, 2, 3, 4]);
        assert_eq!(numbers(&without(&bytes, &[2, 7]).expect("valid")), [1, 5]);
        assert_eq!(
            numbers(&insert_bytes(&bytes, 5, b"").expect("valid")),
            [1, 2, 5, 5, 7]
        );
        assert_eq!(numbers(&insert_bytes(&[], 5, b"x").expect("valid")), [5]);
    }

    #[test]
    fn annotations_of_one_type_are_split_off_and_the_rest_stays() {
        let start = append_annotation(&[], 4, "a.B", b"").expect("valid");
        let one = append_annotation(&start, 4, "a.C", b"payload").expect("valid");
        let two = append_annotation(&one, 4, "a.B", &[8, 1]).expect("valid");
        assert!(has_annotation(&two, 4, &["x.Y", "a.C"]).expect("valid"));
        assert!(!has_annotation(&two, 4, &["B"]).expect("valid"));
        let (rest, payloads) = split_annotation(&two, 4, "a.B").expect("valid");
        assert_eq!(payloads, [vec![], vec![8, 1]]);
        let expected = append_annotation(&[], 4, "a.C", b"payload").expect("valid");
        assert_eq!(rest, expected);
    }

    #[test]
    fn packed_numbers_are_read_one_by_one() {
        let mut bytes = Vec::new();
        for value in [0, 1, 300, u64::MAX] {
            put_raw_varint(&mut bytes, value);
        }
        let read: Result<Vec<_>> = packed_varints(&bytes).collect();
        assert_eq!(read.expect("valid"), [0, 1, 300, u64::MAX]);
        assert_eq!(packed_varints(&[0x80, 0x80]).count(), 1);
    }
}
