//! In what two messages of one type differ, field by field.
//!
//! Works on wire bytes, with the same rules as the writer: the last scalar
//! counts, split messages are joined, an absent scalar equals its default,
//! maps have no order. Equal bytes are never looked into. An `Any` is compared
//! by its type URL and bytes, as protobuf does; where the type is known, the
//! differences inside are named.

use std::collections::BTreeMap;

use super::write::value::{fits, low32};
use super::{MessageId, Options};
use crate::schema::{Field, Kind, Message, Schema, Shape, WellKnown};
use crate::wire::{self, AnyRef, MAX_DEPTH, Value};
use crate::{Error, Result};

/// Which differences count.
pub trait Rules {
    /// Whether the field or key at the end of a path counts. What is below one
    /// that does not is not looked at.
    fn counts(&self, path: &[String]) -> bool;

    /// Whether fields count that the message type does not have.
    fn unknown_fields_count(&self) -> bool;
}

/// Everything counts.
#[derive(Debug, Clone, Copy, Default)]
pub struct All;

impl Rules for All {
    fn counts(&self, _: &[String]) -> bool {
        true
    }

    fn unknown_fields_count(&self) -> bool {
        true
    }
}

/// A difference at one place.
#[derive(Debug, Clone)]
pub struct Difference {
    /// JSON names of fields, keys of maps, and short names of the types of
    /// annotations, from the outside.
    pub path: Vec<String>,
    /// The old value; `None`: there is none.
    pub old: Option<Content>,
    /// The new value; `None`: there is none.
    pub new: Option<Content>,
}

/// The value at a place. It is shown as JSON when it is asked for.
#[derive(Debug, Clone)]
pub struct Content {
    message: usize,
    bytes: Vec<u8>,
    /// The bytes are of a message with this one field, whose value is meant.
    field: Option<usize>,
}

impl Content {
    /// Appends the value as JSON.
    ///
    /// # Errors
    /// Those of [`super::write`].
    pub fn write_json(&self, out: &mut Vec<u8>, options: &Options) -> Result<()> {
        let Some(field) = self.field else {
            return super::write::message(out, self.message, &self.bytes, options);
        };
        let table = Schema::get().message(self.message);
        let prefix = table
            .and_then(|table| table.fields.get(field))
            .map_or(0, |field| field.json_prefix.len());
        let mut object = Vec::new();
        super::write::message(&mut object, self.message, &self.bytes, options)?;
        // An object with one field, or with none where its value is dropped.
        match object.get(prefix..object.len().saturating_sub(1)) {
            Some(value) if !value.is_empty() => out.extend_from_slice(value),
            _ => out.extend_from_slice(b"null"),
        }
        Ok(())
    }
}

/// The differences of two messages of one type, in the order of the fields.
///
/// # Errors
/// Of bytes that are not of a message, or nested too deep.
pub fn differences(
    message: MessageId,
    old: &[u8],
    new: &[u8],
    rules: &dyn Rules,
) -> Result<Vec<Difference>> {
    let mut compare = Compare {
        schema: Schema::get(),
        rules,
        path: Vec::new(),
        found: Vec::new(),
        depth: 0,
    };
    compare.message(message.0, old, new)?;
    Ok(compare.found)
}

/// The occurrences of the fields of one message.
struct Parts<'m> {
    fields: Vec<Vec<wire::Field<'m>>>,
    unknown: Vec<u8>,
}

fn split<'m>(table: &Message, bytes: &'m [u8]) -> Result<Parts<'m>> {
    let mut parts = Parts {
        fields: vec![Vec::new(); table.fields.len()],
        unknown: Vec::new(),
    };
    for part in wire::fields(bytes) {
        let part = part?;
        let known = table.by_number(part.number);
        match known.filter(|(_, field)| fits(field, &part.value)) {
            Some((at, _)) => parts.fields[at].push(part),
            None => parts.unknown.extend_from_slice(part.raw),
        }
    }
    // Of a oneof, the last member counts.
    for oneof in 0..table.oneofs {
        let of_it = |at: &usize| table.fields[*at].oneof == Some(oneof);
        let members: Vec<usize> = (0..table.fields.len()).filter(of_it).collect();
        let place = |at: &usize| parts.fields[*at].last().map(|part| part.raw.as_ptr());
        let last = members.iter().copied().max_by_key(place);
        for member in members.into_iter().filter(|member| Some(*member) != last) {
            parts.fields[member].clear();
        }
    }
    Ok(parts)
}

/// A scalar, such that equal values are equal.
#[derive(PartialEq, Eq, PartialOrd, Ord, Clone, Copy)]
enum Scalar<'m> {
    Bits(u64),
    Bytes(&'m [u8]),
}

fn scalar<'m>(kind: Kind, value: &Value<'m>) -> Scalar<'m> {
    match *value {
        Value::Varint(value) => Scalar::Bits(match kind {
            Kind::Bool => u64::from(value != 0),
            Kind::Int32 | Kind::Uint32 | Kind::Sint32 | Kind::Enum(_) => {
                u64::from(low32(value).cast_unsigned())
            }
            _ => value,
        }),
        Value::Fixed64(bytes) => Scalar::Bits(u64::from_le_bytes(bytes)),
        Value::Fixed32(bytes) => Scalar::Bits(u64::from(u32::from_le_bytes(bytes))),
        Value::Bytes(bytes) | Value::Group(bytes) => Scalar::Bytes(bytes),
    }
}

fn default_of(kind: Kind) -> Scalar<'static> {
    match kind {
        Kind::String | Kind::Bytes => Scalar::Bytes(&[]),
        _ => Scalar::Bits(0),
    }
}

/// All scalars of a list, packed or not.
fn scalars<'m>(kind: Kind, parts: &[wire::Field<'m>]) -> Result<Vec<Scalar<'m>>> {
    let mut all = Vec::new();
    for part in parts {
        match part.value {
            Value::Bytes(packed) if !matches!(kind, Kind::String | Kind::Bytes) => match kind {
                Kind::Double | Kind::Fixed64 | Kind::Sfixed64 => {
                    let (chunks, _) = packed.as_chunks::<8>();
                    let bits = chunks.iter().map(|chunk| u64::from_le_bytes(*chunk));
                    all.extend(bits.map(Scalar::Bits));
                }
                Kind::Float | Kind::Fixed32 | Kind::Sfixed32 => {
                    let (chunks, _) = packed.as_chunks::<4>();
                    let bits = chunks.iter().map(|chunk| u32::from_le_bytes(*chunk));
                    all.extend(bits.map(|bits| Scalar::Bits(bits.into())));
                }
                _ => {
                    for number in wire::packed_varints(packed) {
                        all.push(scalar(kind, &Value::Varint(number?)));
                    }
                }
            },
            value => all.push(scalar(kind, &value)),
        }
    }
    Ok(all)
}

/// The occurrences of a message field, joined: that is what merging is.
fn joined(parts: &[wire::Field<'_>]) -> Option<Vec<u8>> {
    let all: Vec<&[u8]> = parts.iter().filter_map(|part| part.value.bytes()).collect();
    (!all.is_empty()).then(|| all.concat())
}

/// The occurrences of one field as a message of its own.
fn content(message: usize, field: usize, parts: &[wire::Field<'_>]) -> Option<Content> {
    let raw: Vec<&[u8]> = parts.iter().map(|part| part.raw).collect();
    (!raw.is_empty()).then(|| Content {
        message,
        bytes: raw.concat(),
        field: Some(field),
    })
}

struct Compare<'r> {
    schema: &'static Schema,
    rules: &'r dyn Rules,
    path: Vec<String>,
    found: Vec<Difference>,
    depth: usize,
}

impl Compare<'_> {
    fn table(&self, index: usize) -> Result<&'static Message> {
        self.schema.message(index).ok_or(Error::UnknownType {
            name: String::new(),
        })
    }

    fn add(&mut self, old: Option<Content>, new: Option<Content>) {
        let path = self.path.clone();
        self.found.push(Difference { path, old, new });
    }

    /// Compares what is at a further step, if it counts.
    fn below(&mut self, step: String, compare: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        self.path.push(step);
        let compared = if self.rules.counts(&self.path) {
            compare(self)
        } else {
            Ok(())
        };
        self.path.pop();
        compared
    }

    /// Whether two messages differ in anything that counts.
    fn differ(&self, index: usize, old: &[u8], new: &[u8]) -> Result<bool> {
        let mut compare = Compare {
            schema: self.schema,
            rules: self.rules,
            path: self.path.clone(),
            found: Vec::new(),
            depth: self.depth,
        };
        compare.message(index, old, new)?;
        Ok(!compare.found.is_empty())
    }

    fn message(&mut self, index: usize, old: &[u8], new: &[u8]) -> Result<()> {
        if old == new {
            return Ok(());
        }
        if self.depth >= MAX_DEPTH {
            return Err(Error::TooDeep { limit: MAX_DEPTH });
        }
        self.depth += 1;
        let table = self.table(index)?;
        let (old, new) = (split(table, old)?, split(table, new)?);
        for (at, field) in table.fields.iter().enumerate() {
            let (old, new) = (&old.fields[at], &new.fields[at]);
            if old.is_empty() && new.is_empty() {
                continue;
            }
            if table.well_known.is_some() {
                self.field((index, at), field, old, new)?;
            } else {
                self.below(name_of(field), |this| {
                    this.field((index, at), field, old, new)
                })?;
            }
        }
        if old.unknown != new.unknown && self.rules.unknown_fields_count() {
            self.add(None, None);
        }
        self.depth -= 1;
        Ok(())
    }

    fn field(
        &mut self,
        (message, at): (usize, usize),
        field: &Field,
        old: &[wire::Field<'_>],
        new: &[wire::Field<'_>],
    ) -> Result<()> {
        let is_different = match (field.shape, field.kind) {
            (Shape::Map, Kind::Message(entry)) => return self.map(entry, old, new),
            (Shape::List, Kind::Message(item)) => {
                if self.table(item)?.well_known == Some(WellKnown::Any) {
                    return self.annotations((message, at), old, new);
                }
                self.lists_differ(item, old, new)?
            }
            (Shape::List, kind) => scalars(kind, old)? != scalars(kind, new)?,
            (_, Kind::Message(inner)) => match (joined(old), joined(new)) {
                (Some(old), Some(new)) => return self.inner((message, at), inner, &old, &new),
                (old, new) => old.is_some() != new.is_some(),
            },
            (_, kind) => {
                let last = |parts: &[wire::Field<'_>]| {
                    let last = parts.last().map(|part| part.value);
                    last.map(|value| scalar(kind, &value) == default_of(kind))
                };
                let (old_last, new_last) = (old.last(), new.last());
                match (old_last, new_last) {
                    (Some(a), Some(b)) => scalar(kind, &a.value) != scalar(kind, &b.value),
                    _ if field.presence => true,
                    // An absent value is the default.
                    _ => last(old).or(last(new)) == Some(false),
                }
            }
        };
        if is_different {
            self.add(content(message, at, old), content(message, at, new));
        }
        Ok(())
    }

    /// A message in a field of another.
    fn inner(
        &mut self,
        (message, at): (usize, usize),
        inner: usize,
        old: &[u8],
        new: &[u8],
    ) -> Result<()> {
        match self.table(inner)?.well_known {
            None | Some(WellKnown::Struct) => self.message(inner, old, new),
            Some(_) => {
                if self.differ(inner, old, new)? {
                    let one = |bytes: &[u8]| {
                        let mut raw = Vec::new();
                        let number = self.table(message)?.fields[at].number;
                        wire::put_bytes(&mut raw, number, bytes);
                        Ok::<_, Error>(Some(Content {
                            message,
                            bytes: raw,
                            field: Some(at),
                        }))
                    };
                    let (old, new) = (one(old)?, one(new)?);
                    self.add(old, new);
                }
                Ok(())
            }
        }
    }

    fn lists_differ(
        &self,
        item: usize,
        old: &[wire::Field<'_>],
        new: &[wire::Field<'_>],
    ) -> Result<bool> {
        if old.len() != new.len() {
            return Ok(true);
        }
        for (old, new) in old.iter().zip(new) {
            let bytes = |part: &wire::Field<'_>| part.value.bytes().unwrap_or_default().to_vec();
            if self.differ(item, &bytes(old), &bytes(new))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A map: a difference per key.
    fn map(
        &mut self,
        entry: usize,
        old: &[wire::Field<'_>],
        new: &[wire::Field<'_>],
    ) -> Result<()> {
        let table = self.table(entry)?;
        let (Some((_, key)), Some((value_at, value))) = (table.by_number(1), table.by_number(2))
        else {
            return Ok(());
        };
        let read = |parts: &[wire::Field<'_>]| -> Result<BTreeMap<String, Vec<u8>>> {
            let mut entries = BTreeMap::new();
            for part in parts {
                let bytes = part.value.bytes().unwrap_or_default();
                entries.insert(key_of(key, bytes)?, bytes.to_vec());
            }
            Ok(entries)
        };
        let (old, new) = (read(old)?, read(new)?);
        let mut keys: Vec<&String> = old.keys().chain(new.keys()).collect();
        keys.sort_unstable();
        keys.dedup();
        for key in keys {
            let (old, new) = (old.get(key), new.get(key));
            self.below(key.clone(), |this| {
                if let (Some(old), Some(new)) = (old, new) {
                    return this.value((entry, value_at), value, old, new);
                }
                let whole = |bytes: &Vec<u8>| value_content(entry, value_at, value, bytes);
                this.add(old.map(whole), new.map(whole));
                Ok(())
            })?;
        }
        Ok(())
    }

    /// The values of one key in two maps.
    fn value(
        &mut self,
        place: (usize, usize),
        field: &Field,
        old: &[u8],
        new: &[u8],
    ) -> Result<()> {
        let of_value = |bytes| -> Result<Vec<wire::Field<'_>>> {
            let parts: Result<Vec<_>> = wire::fields(bytes).collect();
            let is_value = |part: &wire::Field<'_>| part.number == 2 && fits(field, &part.value);
            Ok(parts?.into_iter().filter(is_value).collect())
        };
        let (old_parts, new_parts) = (of_value(old)?, of_value(new)?);
        // A map within a map, as in profiles.
        if let Kind::Message(inner) = field.kind
            && self.table(inner)?.well_known == Some(WellKnown::Value)
        {
            let old = joined(&old_parts).unwrap_or_default();
            let new = joined(&new_parts).unwrap_or_default();
            if let (Some(old), Some(new)) = (struct_of(&old)?, struct_of(&new)?)
                && let Some(index) = self.schema.find("google.protobuf.Struct")
            {
                return self.message(index, old, new);
            }
        }
        let is_message = matches!(field.kind, Kind::Message(_));
        if is_message && old_parts.is_empty() != new_parts.is_empty() {
            // An absent message of a map is an empty one.
            let (old, new) = (joined(&old_parts), joined(&new_parts));
            if old.unwrap_or_default() == new.unwrap_or_default() {
                return Ok(());
            }
        }
        self.field(place, field, &old_parts, &new_parts)
    }

    /// Annotations of one type are compared in their order.
    fn annotations(
        &mut self,
        (message, at): (usize, usize),
        old: &[wire::Field<'_>],
        new: &[wire::Field<'_>],
    ) -> Result<()> {
        let (old_named, new_named) = (named(old)?, named(new)?);
        let before = self.found.len();
        let mut counted = true;
        let mut names: Vec<&String> = old_named.iter().map(|(name, ..)| name).collect();
        names.extend(new_named.iter().map(|(name, ..)| name));
        names.sort_unstable();
        names.dedup();
        for name in names {
            let find = |list: &'_ [(String, usize)]| {
                let found = list.iter().find(|(known, _)| known == name);
                found.map(|(_, part)| *part)
            };
            let (old_at, new_at) = (find(&old_named), find(&new_named));
            self.path.push(name.clone());
            let counts = self.rules.counts(&self.path);
            counted &= counts;
            if counts {
                let whole = |parts: &[wire::Field<'_>], part: Option<usize>| {
                    part.and_then(|part| any_content(message, at, &parts[part]))
                };
                match (old_at, new_at) {
                    (Some(a), Some(b)) => {
                        let ignored = self.any(&old[a], &new[b])?;
                        counted &= !ignored;
                    }
                    _ => self.add(whole(old, old_at), whole(new, new_at)),
                }
            }
            self.path.pop();
        }
        // The same annotations in another order are another list.
        let order = |list: &[(String, usize)]| -> Vec<String> {
            list.iter().map(|(name, _)| name.clone()).collect()
        };
        if counted && self.found.len() == before && order(&old_named) != order(&new_named) {
            self.add(content(message, at, old), content(message, at, new));
        }
        Ok(())
    }

    /// Two annotations of one type. True if they differ only in what does not
    /// count.
    fn any(&mut self, old: &wire::Field<'_>, new: &wire::Field<'_>) -> Result<bool> {
        let (old_bytes, new_bytes) = (old.value.bytes(), new.value.bytes());
        let old = AnyRef::read(old_bytes.unwrap_or_default())?;
        let new = AnyRef::read(new_bytes.unwrap_or_default())?;
        if old == new {
            return Ok(false);
        }
        let before = self.found.len();
        let known = self.schema.find(old.type_name());
        if let Some(index) = known {
            let all = differences(MessageId(index), old.value, new.value, &All);
            // What is no message of its type is compared by its bytes.
            if let Ok(all) = all {
                self.message(index, old.value, new.value)?;
                if self.found.len() == before && !all.is_empty() {
                    return Ok(true);
                }
            }
        }
        if self.found.len() == before {
            self.add(None, None);
        }
        Ok(false)
    }
}

/// The short name of each annotation's type, numbered where it comes again.
fn named(parts: &[wire::Field<'_>]) -> Result<Vec<(String, usize)>> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut all = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        let any = AnyRef::read(part.value.bytes().unwrap_or_default())?;
        let name = any.type_name();
        // Types of other packages keep their full names.
        let name = name.strip_prefix("c1.connector.v2.").unwrap_or(name);
        let count = seen.entry(name.to_owned()).or_default();
        *count += 1;
        all.push(match count {
            1 => (name.to_owned(), at),
            count => (format!("{name}#{count}"), at),
        });
    }
    Ok(all)
}

fn name_of(field: &Field) -> String {
    let name = field
        .json_prefix
        .get(2..field.json_prefix.len().saturating_sub(2));
    String::from_utf8_lossy(name.unwrap_or_default()).into_owned()
}

/// The key of an entry as text.
fn key_of(field: &Field, entry: &[u8]) -> Result<String> {
    let mut key = String::new();
    for part in wire::fields(entry) {
        let part = part?;
        if part.number == 1 && fits(field, &part.value) {
            key = match scalar(field.kind, &part.value) {
                Scalar::Bits(bits) => bits.to_string(),
                Scalar::Bytes(bytes) => wire::text(bytes)?.to_owned(),
            };
        }
    }
    Ok(key)
}

/// The value of an entry.
fn value_content(entry: usize, value_at: usize, field: &Field, bytes: &[u8]) -> Content {
    let mut raw = Vec::new();
    for part in wire::fields(bytes).flatten() {
        if part.number == 2 && fits(field, &part.value) {
            raw.extend_from_slice(part.raw);
        }
    }
    match field.kind {
        // An absent message of a map is an empty one.
        Kind::Message(inner) if raw.is_empty() => Content {
            message: inner,
            bytes: raw,
            field: None,
        },
        _ => Content {
            message: entry,
            bytes: raw,
            field: Some(value_at),
        },
    }
}

/// An annotation on its own.
fn any_content(message: usize, at: usize, part: &wire::Field<'_>) -> Option<Content> {
    let Kind::Message(any) = Schema::get().message(message)?.fields.get(at)?.kind else {
        return None;
    };
    Some(Content {
        message: any,
        bytes: part.value.bytes()?.to_vec(),
        field: None,
    })
}

/// The map that a `google.protobuf.Value` holds, if it holds only one.
fn struct_of(value: &[u8]) -> Result<Option<&[u8]>> {
    const STRUCT_VALUE: u32 = 5;
    let mut found = None;
    for (count, part) in wire::values(value).enumerate() {
        match part? {
            (STRUCT_VALUE, Value::Bytes(map)) if count == 0 => found = Some(map),
            _ => return Ok(None),
        }
    }
    Ok(found)
}
