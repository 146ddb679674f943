//! Scalars as JSON: numbers, names of enum values, text, base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::value::{low32, zigzag32, zigzag64};
use super::{Writer, unknown_index};
use crate::Result;
use crate::json::{number, text};
use crate::schema::Kind;
use crate::wire::Value;

impl<'a> Writer<'a, '_> {
    pub(super) fn scalar(&mut self, kind: Kind, value: &Value<'a>) -> Result<()> {
        match (kind, *value) {
            (Kind::String, Value::Bytes(bytes)) => self.text(bytes)?,
            (Kind::Bytes, Value::Bytes(bytes)) => self.base64(bytes),
            (Kind::Bool, Value::Varint(value)) => {
                let word: &[u8] = if value == 0 { b"false" } else { b"true" };
                self.out.extend_from_slice(word);
            }
            (Kind::Enum(index), Value::Varint(value)) => self.enumeration(index, low32(value)),
            (Kind::Int32, Value::Varint(value)) => number::put_integer(self.out, low32(value)),
            (Kind::Uint32, Value::Varint(value)) => {
                number::put_integer(self.out, low32(value).cast_unsigned());
            }
            (Kind::Sint32, Value::Varint(value)) => number::put_integer(self.out, zigzag32(value)),
            (Kind::Int64, Value::Varint(value)) => self.quoted(value.cast_signed()),
            (Kind::Uint64, Value::Varint(value)) => self.quoted(value),
            (Kind::Sint64, Value::Varint(value)) => self.quoted(zigzag64(value)),
            (Kind::Double, Value::Fixed64(bytes)) => {
                number::put_double(self.out, f64::from_le_bytes(bytes));
            }
            (Kind::Float, Value::Fixed32(bytes)) => {
                number::put_float(self.out, f32::from_le_bytes(bytes));
            }
            (Kind::Fixed64, Value::Fixed64(bytes)) => self.quoted(u64::from_le_bytes(bytes)),
            (Kind::Sfixed64, Value::Fixed64(bytes)) => self.quoted(i64::from_le_bytes(bytes)),
            (Kind::Fixed32, Value::Fixed32(bytes)) => {
                number::put_integer(self.out, u32::from_le_bytes(bytes));
            }
            (Kind::Sfixed32, Value::Fixed32(bytes)) => {
                number::put_integer(self.out, i32::from_le_bytes(bytes));
            }
            _ => return Err(unknown_index()),
        }
        Ok(())
    }

    pub(super) fn enumeration(&mut self, index: usize, value: i32) {
        let table = self.schema.enumeration(index);
        match table.map(|table| (table.is_null, table.name_of(value))) {
            Some((true, _)) => self.out.extend_from_slice(b"null"),
            Some((false, Some(name))) => {
                self.out.push(b'"');
                self.out.extend_from_slice(name.as_bytes());
                self.out.push(b'"');
            }
            _ => number::put_integer(self.out, value),
        }
    }

    pub(super) fn base64(&mut self, bytes: &[u8]) {
        self.out.push(b'"');
        let start = self.out.len();
        self.out.resize(start + bytes.len().div_ceil(3) * 4, b'=');
        if let Some(room) = self.out.get_mut(start..) {
            // The room is exactly as long as the encoding with padding.
            let written = STANDARD.encode_slice(bytes, room);
            debug_assert!(written.is_ok());
        }
        self.out.push(b'"');
    }

    pub(super) fn text(&mut self, bytes: &[u8]) -> Result<()> {
        text::put(self.out, bytes, self.options.emit_html_escapes)
    }

    pub(super) fn quoted(&mut self, value: impl std::fmt::Display) {
        self.out.push(b'"');
        number::put_integer(self.out, value);
        self.out.push(b'"');
    }
}
