//! From JSON text to wire bytes, in the order of Go's deterministic encoder.
//!
//! Fields are encoded as they come and put in order at the end of their
//! message; maps are ordered by key, entries written whole. What protojson
//! refuses is refused: unknown keys, a field or oneof set twice, `null` in
//! lists, numbers out of range.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::scan::{Next, Scanner};
use super::{ParseOptions, number};
use crate::encode::nested;
use crate::field::google::protobuf::any;
use crate::schema::{Field, Kind, Message, Schema, Shape, WellKnown};
use crate::{Result, time, wire};

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

pub(super) fn message(index: usize, json: &str, options: ParseOptions) -> Result<Vec<u8>> {
    let reader = Reader {
        schema: Schema::get(),
        options,
    };
    let mut scanner = Scanner::new(json);
    let mut out = Vec::with_capacity(json.len() / 2);
    reader.message(&mut scanner, index, &mut out)?;
    scanner.end()?;
    Ok(out)
}

#[derive(Clone, Copy)]
struct Reader {
    schema: &'static Schema,
    options: ParseOptions,
}

/// A map key, ordered as Go orders it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Bool(bool),
    Integer(i128),
    Text(String),
}

/// One encoded scalar, before its tag.
enum Scalar<'j> {
    Varint(u64),
    Fixed64([u8; 8]),
    Fixed32([u8; 4]),
    Bytes(Cow<'j, [u8]>),
}

impl Scalar<'_> {
    fn is_default(&self) -> bool {
        match self {
            Scalar::Varint(value) => *value == 0,
            Scalar::Fixed64(bytes) => *bytes == [0; 8],
            Scalar::Fixed32(bytes) => *bytes == [0; 4],
            Scalar::Bytes(bytes) => bytes.is_empty(),
        }
    }

    fn put(&self, out: &mut Vec<u8>, number: u32) {
        match self {
            Scalar::Varint(value) => wire::put_varint(out, number, *value),
            Scalar::Fixed64(bytes) => wire::put_fixed64(out, number, *bytes),
            Scalar::Fixed32(bytes) => wire::put_fixed32(out, number, *bytes),
            Scalar::Bytes(bytes) => wire::put_bytes(out, number, bytes),
        }
    }

    fn put_packed(&self, out: &mut Vec<u8>) {
        match self {
            Scalar::Varint(value) => wire::put_raw_varint(out, *value),
            Scalar::Fixed64(bytes) => out.extend_from_slice(bytes),
            Scalar::Fixed32(bytes) => out.extend_from_slice(bytes),
            Scalar::Bytes(bytes) => out.extend_from_slice(bytes),
        }
    }
}

impl Reader {
    /// Appends the content of one message.
    fn message(self, scanner: &mut Scanner<'_>, index: usize, out: &mut Vec<u8>) -> Result<()> {
        let table = self.table(scanner, index)?;
        match table.well_known {
            None => self.members(scanner, table, false, out),
            Some(WellKnown::Any) => self.any(scanner, out),
            Some(WellKnown::Timestamp) => {
                let value = time::parse(&expect_text(scanner)?);
                let value = value.map_err(|e| scanner.error(e.to_string()))?;
                put_instant(out, value.seconds, value.nanos);
                Ok(())
            }
            Some(WellKnown::Duration) => {
                let value = time::parse_duration(&expect_text(scanner)?);
                let value = value.map_err(|e| scanner.error(e.to_string()))?;
                put_instant(out, value.seconds, value.nanos);
                Ok(())
            }
            Some(WellKnown::Wrapper) => match table.fields.first() {
                Some(field) => self.singular(scanner, field, out),
                None => Err(scanner.error("type missing from the compiled tables")),
            },
            Some(WellKnown::Struct) => self.struct_value(scanner, table, out),
            Some(WellKnown::ListValue) => self.list_value(scanner, table, out),
            Some(WellKnown::Value) => self.json_value(scanner, table, out),
        }
    }

    fn table(self, scanner: &Scanner<'_>, index: usize) -> Result<&'static Message> {
        self.schema
            .message(index)
            .ok_or_else(|| scanner.error("type missing from the compiled tables"))
    }

    /// Reads an object as an ordinary message. `in_any` passes over `@type`.
    fn members(
        self,
        scanner: &mut Scanner<'_>,
        table: &'static Message,
        in_any: bool,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let start = out.len();
        let mut parts: Vec<(u32, usize)> = Vec::new();
        let mut seen = vec![false; table.fields.len()];
        let mut seen_oneofs = vec![false; table.oneofs];
        scanner.object(|scanner, key| {
            if in_any && key == "@type" {
                return scanner.skip();
            }
            let Some((at, field)) = table.by_key(&key) else {
                if self.options.ignore_unknown {
                    return scanner.skip();
                }
                return Err(
                    scanner.error(format!("unknown field `{key}` in `{}`", table.full_name))
                );
            };
            if seen.get(at).copied().unwrap_or(true) {
                return Err(scanner.error(format!("field `{key}` occurs twice")));
            }
            if let Some(seen) = seen.get_mut(at) {
                *seen = true;
            }
            if scanner.peek()? == Next::Null && !self.takes_null(field) {
                return scanner.null();
            }
            if let Some(seen) = field.oneof.and_then(|oneof| seen_oneofs.get_mut(oneof)) {
                if *seen {
                    return Err(
                        scanner.error(format!("field `{key}` is a second choice of one oneof"))
                    );
                }
                *seen = true;
            }
            parts.push((field.wire_order, out.len()));
            self.member(scanner, field, out)
        })?;
        order(out, start, &parts);
        Ok(())
    }

    /// `null` is a value of its own for these types, not a field left unset.
    fn takes_null(self, field: &Field) -> bool {
        match (field.shape, field.kind) {
            (Shape::One, Kind::Message(index)) => {
                self.schema.message(index).and_then(|m| m.well_known) == Some(WellKnown::Value)
            }
            (Shape::One, Kind::Enum(index)) => self.is_null_enum(index),
            _ => false,
        }
    }

    fn is_null_enum(self, index: usize) -> bool {
        self.schema.enumeration(index).is_some_and(|e| e.is_null)
    }

    fn member(
        self,
        scanner: &mut Scanner<'_>,
        field: &'static Field,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        match field.shape {
            Shape::One => self.singular(scanner, field, out),
            Shape::List => self.list(scanner, field, out),
            Shape::Map => self.map(scanner, field, out),
        }
    }

    fn singular(
        self,
        scanner: &mut Scanner<'_>,
        field: &'static Field,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        if let Kind::Message(target) = field.kind {
            return nested(out, field.number, |out| self.message(scanner, target, out));
        }
        if let Some(value) = self.scalar(scanner, field.kind)?
            && (field.presence || !value.is_default())
        {
            value.put(out, field.number);
        }
        Ok(())
    }

    fn list(
        self,
        scanner: &mut Scanner<'_>,
        field: &'static Field,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        if field.packed {
            let mut packed = Vec::new();
            scanner.list(|scanner| {
                if let Some(value) = self.scalar(scanner, field.kind)? {
                    value.put_packed(&mut packed);
                }
                Ok(())
            })?;
            if !packed.is_empty() {
                wire::put_bytes(out, field.number, &packed);
            }
            return Ok(());
        }
        scanner.list(|scanner| match field.kind {
            Kind::Message(target) => {
                nested(out, field.number, |out| self.message(scanner, target, out))
            }
            kind => {
                if let Some(value) = self.scalar(scanner, kind)? {
                    value.put(out, field.number);
                }
                Ok(())
            }
        })
    }

    fn map(
        self,
        scanner: &mut Scanner<'_>,
        field: &'static Field,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let Kind::Message(entry) = field.kind else {
            return Err(scanner.error("type missing from the compiled tables"));
        };
        let table = self.table(scanner, entry)?;
        let (Some((_, key_field)), Some((_, value_field))) =
            (table.by_number(1), table.by_number(2))
        else {
            return Err(scanner.error("type missing from the compiled tables"));
        };
        let mut entries: BTreeMap<Key, Vec<u8>> = BTreeMap::new();
        scanner.object(|scanner, key| {
            let mut content = Vec::new();
            let sort_key = map_key(scanner, key_field, &key, &mut content)?;
            match value_field.kind {
                Kind::Message(target) => nested(&mut content, value_field.number, |out| {
                    self.message(scanner, target, out)
                })?,
                kind => match self.scalar(scanner, kind)? {
                    Some(value) => value.put(&mut content, value_field.number),
                    None => return Ok(()),
                },
            }
            if entries.insert(sort_key, content).is_some() {
                return Err(scanner.error(format!("key `{key}` occurs twice in a map")));
            }
            Ok(())
        })?;
        for content in entries.values() {
            wire::put_bytes(out, field.number, content);
        }
        Ok(())
    }

    /// Reads a scalar; `None` for an unknown enum name that is to be ignored.
    fn scalar<'j>(self, scanner: &mut Scanner<'j>, kind: Kind) -> Result<Option<Scalar<'j>>> {
        Ok(Some(match kind {
            Kind::Bool => match scanner.peek()? {
                Next::Bool => Scalar::Varint(u64::from(scanner.boolean()?)),
                _ => return Err(scanner.error("expected `true` or `false`")),
            },
            Kind::String => Scalar::Bytes(match expect_text(scanner)? {
                Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
                Cow::Owned(text) => Cow::Owned(text.into_bytes()),
            }),
            Kind::Bytes => Scalar::Bytes(Cow::Owned(base64(scanner)?)),
            Kind::Enum(index) => match self.enumeration(scanner, index)? {
                Some(value) => Scalar::Varint(i64::from(value).cast_unsigned()),
                None => return Ok(None),
            },
            Kind::Double => {
                let value = parsed(scanner, "a number", number::double)?;
                Scalar::Fixed64(value.to_le_bytes())
            }
            Kind::Float => {
                let value = parsed(scanner, "a number of 32 bits", number::float)?;
                Scalar::Fixed32(value.to_le_bytes())
            }
            _ => {
                let value = parsed(scanner, "a whole number", number::integer)?;
                integer(kind, value).ok_or_else(|| scanner.error("number out of range"))?
            }
        }))
    }

    fn enumeration(self, scanner: &mut Scanner<'_>, index: usize) -> Result<Option<i32>> {
        let Some(table) = self.schema.enumeration(index) else {
            return Err(scanner.error("type missing from the compiled tables"));
        };
        match scanner.peek()? {
            Next::Text => {
                let name = scanner.string()?;
                match table.number_of(&name) {
                    None if !self.options.ignore_unknown => Err(scanner.error(format!(
                        "unknown name `{name}` of enum `{}`",
                        table.full_name
                    ))),
                    number => Ok(number),
                }
            }
            Next::Number => {
                let value = number::integer(scanner.number()?);
                match value.and_then(|value| i32::try_from(value).ok()) {
                    Some(value) => Ok(Some(value)),
                    None => Err(scanner.error("enum number out of range")),
                }
            }
            Next::Null if table.is_null => scanner.null().map(|()| Some(0)),
            _ => Err(scanner.error("expected the name or number of an enum value")),
        }
    }

    /// Reads `{"@type": …}`; the type may stand anywhere in the object.
    fn any(self, scanner: &mut Scanner<'_>, out: &mut Vec<u8>) -> Result<()> {
        let Some(type_url) = any_type(scanner)? else {
            return scanner.object(|scanner, _| Err(scanner.error("missing `@type`")));
        };
        let Some(index) = self.schema.find(wire::type_name(&type_url)) else {
            return Err(scanner.error(format!("unknown message type `{type_url}`")));
        };
        let table = self.table(scanner, index)?;
        wire::put_bytes(out, any::TYPE_URL, type_url.as_bytes());
        let value_at = out.len();
        nested(out, any::VALUE, |out| {
            if table.well_known.is_none() {
                self.members(scanner, table, true, out)
            } else {
                self.any_value(scanner, index, out)
            }
        })?;
        // An empty payload is not written: its tag and length are all there is.
        if out.len() == value_at + 2 {
            out.truncate(value_at);
        }
        Ok(())
    }

    /// Reads `{"@type": …, "value": …}` for types with a JSON form of their own.
    fn any_value(self, scanner: &mut Scanner<'_>, index: usize, out: &mut Vec<u8>) -> Result<()> {
        let mut found = false;
        scanner.object(|scanner, key| match key.as_ref() {
            "@type" => scanner.skip(),
            "value" if found => Err(scanner.error("field `value` occurs twice")),
            "value" => {
                found = true;
                self.message(scanner, index, out)
            }
            _ if self.options.ignore_unknown => scanner.skip(),
            _ => Err(scanner.error(format!("unknown field `{key}` in an Any"))),
        })?;
        if found {
            Ok(())
        } else {
            Err(scanner.error("missing `value`"))
        }
    }

    fn struct_value(
        self,
        scanner: &mut Scanner<'_>,
        table: &'static Message,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        match (scanner.peek()?, table.fields.first()) {
            (Next::Object, Some(field)) => self.map(scanner, field, out),
            _ => Err(scanner.error("expected an object")),
        }
    }

    fn list_value(
        self,
        scanner: &mut Scanner<'_>,
        table: &'static Message,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        match (scanner.peek()?, table.fields.first()) {
            (Next::List, Some(field)) => self.list(scanner, field, out),
            _ => Err(scanner.error("expected a list")),
        }
    }

    /// Any JSON value, as the member of the oneof that fits it.
    fn json_value(
        self,
        scanner: &mut Scanner<'_>,
        table: &'static Message,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let name = match scanner.peek()? {
            Next::Null => "null_value",
            Next::Number => "number_value",
            Next::Text => "string_value",
            Next::Bool => "bool_value",
            Next::Object => "struct_value",
            Next::List => "list_value",
        };
        match table.by_key(name) {
            Some((_, field)) => self.singular(scanner, field, out),
            None => Err(scanner.error("type missing from the compiled tables")),
        }
    }
}

/// A number, bare or in quotes.
fn parsed<T>(
    scanner: &mut Scanner<'_>,
    what: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<T> {
    let text = match scanner.peek()? {
        Next::Number => Cow::Borrowed(scanner.number()?),
        Next::Text => scanner.string()?,
        _ => return Err(scanner.error(format!("expected {what}"))),
    };
    parse(&text).ok_or_else(|| scanner.error(format!("expected {what} within range")))
}

fn expect_text<'j>(scanner: &mut Scanner<'j>) -> Result<Cow<'j, str>> {
    match scanner.peek()? {
        Next::Text => scanner.string(),
        _ => Err(scanner.error("expected a string")),
    }
}

fn base64(scanner: &mut Scanner<'_>) -> Result<Vec<u8>> {
    let text = expect_text(scanner)?;
    let engine = if text.contains(['-', '_']) {
        &BASE64_URL
    } else {
        &BASE64
    };
    engine
        .decode(text.as_bytes())
        .map_err(|_| scanner.error("expected base64"))
}

/// Looks ahead for `@type`; `None` for an empty object, which is an empty `Any`.
fn any_type(scanner: &Scanner<'_>) -> Result<Option<String>> {
    let mut ahead = scanner.clone();
    let mut found: Option<String> = None;
    let mut empty = true;
    if ahead.peek()? != Next::Object {
        return Err(ahead.error("expected an object with `@type`"));
    }
    ahead.object(|ahead, key| {
        empty = false;
        if key != "@type" {
            return ahead.skip();
        }
        if ahead.peek()? != Next::Text {
            return Err(ahead.error("`@type` is not a string"));
        }
        let url = ahead.string()?;
        if url.is_empty() {
            return Err(ahead.error("`@type` is empty"));
        }
        match found.replace(url.into_owned()) {
            None => Ok(()),
            Some(_) => Err(ahead.error("`@type` occurs twice")),
        }
    })?;
    if found.is_none() && !empty {
        return Err(scanner.error("missing `@type`"));
    }
    Ok(found)
}

/// Reads a map key, appends its field, and gives what it is sorted by.
fn map_key(scanner: &Scanner<'_>, field: &Field, text: &str, out: &mut Vec<u8>) -> Result<Key> {
    let (key, value) = match (field.kind, text) {
        (Kind::String, _) => (
            Key::Text(text.to_owned()),
            Some(Scalar::Bytes(Cow::Borrowed(text.as_bytes()))),
        ),
        (Kind::Bool, "true") => (Key::Bool(true), Some(Scalar::Varint(1))),
        (Kind::Bool, "false") => (Key::Bool(false), Some(Scalar::Varint(0))),
        (Kind::Bool, _) => (Key::Bool(false), None),
        (kind, _) => match number::integer(text) {
            Some(value) => (Key::Integer(value), integer(kind, value)),
            None => (Key::Integer(0), None),
        },
    };
    match value {
        Some(value) => value.put(out, field.number),
        None => return Err(scanner.error(format!("`{text}` is no key of this map"))),
    }
    Ok(key)
}

/// Encodes a whole number; `None` when the type cannot hold it.
fn integer(kind: Kind, value: i128) -> Option<Scalar<'static>> {
    let signed32 = || i32::try_from(value).ok();
    let signed64 = || i64::try_from(value).ok();
    let unsigned32 = || u32::try_from(value).ok();
    let unsigned64 = || u64::try_from(value).ok();
    Some(match kind {
        Kind::Int32 => Scalar::Varint(i64::from(signed32()?).cast_unsigned()),
        Kind::Int64 => Scalar::Varint(signed64()?.cast_unsigned()),
        Kind::Uint32 => Scalar::Varint(u64::from(unsigned32()?)),
        Kind::Uint64 => Scalar::Varint(unsigned64()?),
        Kind::Sint32 => {
            let value = signed32()?;
            Scalar::Varint(u64::from(((value << 1) ^ (value >> 31)).cast_unsigned()))
        }
        Kind::Sint64 => {
            let value = signed64()?;
            Scalar::Varint(((value << 1) ^ (value >> 63)).cast_unsigned())
        }
        Kind::Fixed32 => Scalar::Fixed32(unsigned32()?.to_le_bytes()),
        Kind::Sfixed32 => Scalar::Fixed32(signed32()?.to_le_bytes()),
        Kind::Fixed64 => Scalar::Fixed64(unsigned64()?.to_le_bytes()),
        Kind::Sfixed64 => Scalar::Fixed64(signed64()?.to_le_bytes()),
        _ => return None,
    })
}

/// The two fields of a timestamp or duration.
fn put_instant(out: &mut Vec<u8>, seconds: i64, nanos: i32) {
    if seconds != 0 {
        wire::put_varint(out, 1, seconds.cast_unsigned());
    }
    if nanos != 0 {
        wire::put_varint(out, 2, i64::from(nanos).cast_unsigned());
    }
}

/// Puts encoded fields, of which `parts` gives sort key and start, in order.
fn order(out: &mut Vec<u8>, start: usize, parts: &[(u32, usize)]) {
    if parts.is_sorted_by_key(|(key, _)| *key) {
        return;
    }
    let end = out.len();
    let ends = parts.iter().skip(1).map(|(_, at)| *at).chain([end]);
    let mut ranges: Vec<_> = parts
        .iter()
        .zip(ends)
        .map(|(&(key, from), to)| (key, from..to))
        .collect();
    ranges.sort_by_key(|(key, _)| *key);
    let mut ordered = Vec::with_capacity(end - start);
    for (_, range) in ranges {
        ordered.extend_from_slice(out.get(range).unwrap_or_default());
    }
    out.truncate(start);
    out.extend_from_slice(&ordered);
}
