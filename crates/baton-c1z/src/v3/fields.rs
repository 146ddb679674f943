//! Reading the fields of a record in one pass, and writing messages whose
//! parts are short and known, without a buffer per level.

use baton_proto::field::c1::connector::v2::{resource, resource_id};
use baton_proto::wire::{self, Value};

type Result<T> = baton_proto::Result<T>;

/// The fields of a record, with the last occurrence of each singular one.
pub(super) struct Record<'a> {
    bytes: &'a [u8],
    fields: [&'a [u8]; Record::FIELDS],
    numbers: [u64; Record::FIELDS],
    seen: u32,
}

impl<'a> Record<'a> {
    /// One more than the largest field number that is read.
    const FIELDS: usize = 14;

    pub fn read(bytes: &'a [u8]) -> Result<Self> {
        let mut this = Self {
            bytes,
            fields: [&[]; Self::FIELDS],
            numbers: [0; Self::FIELDS],
            seen: 0,
        };
        for field in wire::values(bytes) {
            let (number, value) = field?;
            let at = number as usize;
            match value {
                Value::Bytes(value) => {
                    if let Some(slot) = this.fields.get_mut(at) {
                        *slot = value;
                        this.seen |= 1 << number;
                    }
                }
                Value::Varint(value) => {
                    if let Some(slot) = this.numbers.get_mut(at) {
                        *slot = value;
                    }
                }
                _ => {}
            }
        }
        Ok(this)
    }

    pub fn has(&self, number: u32) -> bool {
        self.seen & 1 << number != 0
    }

    pub fn bytes(&self, number: u32) -> &'a [u8] {
        self.fields
            .get(number as usize)
            .copied()
            .unwrap_or_default()
    }

    pub fn text(&self, number: u32) -> Result<&'a str> {
        wire::text(self.bytes(number))
    }

    pub fn number(&self, number: u32) -> u64 {
        self.numbers
            .get(number as usize)
            .copied()
            .unwrap_or_default()
    }

    /// Copies a text field unless it is empty.
    pub fn copy_text(&self, from: u32, out: &mut Vec<u8>, to: u32) -> Result<()> {
        wire::put_str(out, to, self.text(from)?);
        Ok(())
    }

    /// Copies a message field if it is there, also an empty one.
    pub fn copy_message(&self, from: u32, out: &mut Vec<u8>, to: u32) {
        if self.has(from) {
            wire::put_bytes(out, to, self.bytes(from));
        }
    }

    /// Visits all values of a repeated field of text or messages.
    pub fn each(&self, number: u32, mut visit: impl FnMut(&'a [u8]) -> Result<()>) -> Result<()> {
        if !self.has(number) {
            return Ok(());
        }
        for field in wire::fields(self.bytes) {
            let field = field?;
            if let (true, Value::Bytes(value)) = (field.number == number, field.value) {
                visit(value)?;
            }
        }
        Ok(())
    }

    /// Copies a list of messages as they are.
    pub fn copy_list(&self, from: u32, out: &mut Vec<u8>, to: u32) -> Result<()> {
        self.each(from, |value| {
            wire::put_bytes(out, to, value);
            Ok(())
        })
    }
}

/// Writes a `Resource` of ids only.
pub(super) fn put_stub(
    out: &mut Vec<u8>,
    number: u32,
    id: (&str, &str),
    parent: Option<(&str, &str)>,
) {
    let parent_len = parent.map_or(0, |parent| message_len(id_len(parent)));
    put_header(out, number, message_len(id_len(id)) + parent_len);
    put_id(out, resource::ID, id);
    if let Some(parent) = parent {
        put_id(out, resource::PARENT_RESOURCE_ID, parent);
    }
}

/// Writes a `ResourceId`.
pub(super) fn put_id(out: &mut Vec<u8>, number: u32, (type_id, id): (&str, &str)) {
    put_header(out, number, id_len((type_id, id)));
    wire::put_str(out, resource_id::RESOURCE_TYPE, type_id);
    wire::put_str(out, resource_id::RESOURCE, id);
}

/// Bytes of a `ResourceId`.
pub(super) fn id_len((type_id, id): (&str, &str)) -> usize {
    text_field_len(type_id) + text_field_len(id)
}

/// Bytes of a text field, which is left out when empty.
pub(super) fn text_field_len(text: &str) -> usize {
    if text.is_empty() {
        0
    } else {
        message_len(text.len())
    }
}

/// Bytes of a field, whose number is below 16, with `len` bytes of content.
pub(super) fn message_len(len: usize) -> usize {
    let bits = (usize::BITS - len.leading_zeros()).max(1);
    1 + bits.div_ceil(7) as usize + len
}

/// Writes the tag and the length of a field whose content follows.
pub(super) fn put_header(out: &mut Vec<u8>, number: u32, len: usize) {
    const LENGTH_DELIMITED: u32 = 2;
    wire::put_raw_varint(out, u64::from(number << 3 | LENGTH_DELIMITED));
    wire::put_raw_varint(out, len as u64);
}
