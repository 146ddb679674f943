//! Reads the fields of a message that have rules from its encoded form, as any
//! proto3 decoder does: of a field that occurs twice the last value counts, and
//! messages are merged; of a oneof the last arm counts; of a map the last pair of
//! each key counts.

use std::borrow::Cow;
use std::collections::BTreeMap;

use baton_proto::wire::{self, Value};

use super::table::{Field, Kind, Message, Shape};

/// The field numbers of a map entry.
const KEY: u32 = 1;
const VALUE: u32 = 2;

/// One value of a field.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Item<'a> {
    Number(i64),
    /// A string, bytes, or an encoded message. Messages that occur twice are
    /// joined, which merges them.
    Bytes(Cow<'a, [u8]>),
}

impl Item<'_> {
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Number(_) => &[],
        }
    }

    pub(super) fn number(&self) -> i64 {
        match self {
            Self::Number(number) => *number,
            Self::Bytes(_) => 0,
        }
    }
}

/// What a message holds of one field.
#[derive(Debug, PartialEq)]
pub(super) enum Content<'a> {
    One(Option<Item<'a>>),
    List(List<'a>),
    /// By key.
    Map(BTreeMap<Cow<'a, [u8]>, Item<'a>>),
}

/// The items of a list. Packed ones stay as they are, so that a list takes no more
/// memory than its message.
#[derive(Debug, Default, PartialEq)]
pub(super) struct List<'a> {
    parts: Vec<Part<'a>>,
    len: usize,
}

#[derive(Debug, PartialEq)]
enum Part<'a> {
    Item(Item<'a>),
    Packed(&'a [u8]),
}

impl<'a> List<'a> {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The items, which are of this kind.
    pub(super) fn items(&self, kind: Kind) -> impl Iterator<Item = Item<'a>> {
        self.parts.iter().flat_map(move |part| {
            let (item, packed) = match part {
                Part::Item(item) => (Some(item.clone()), [].as_slice()),
                Part::Packed(packed) => (None, *packed),
            };
            // Adding them has read them all.
            let numbers = wire::packed_varints(packed).map_while(Result::ok);
            item.into_iter()
                .chain(numbers.map(move |number| Item::Number(integer(kind, number))))
        })
    }

    fn add(&mut self, kind: Kind, value: Value<'a>) -> Option<()> {
        match (kind, value) {
            (Kind::Uint32 | Kind::Int64 | Kind::Enum(_), Value::Bytes(packed)) => {
                for number in wire::packed_varints(packed) {
                    number.ok()?;
                    self.len += 1;
                }
                self.parts.push(Part::Packed(packed));
            }
            (kind, value) => {
                if let Some(item) = item(kind, value) {
                    self.len += 1;
                    self.parts.push(Part::Item(item));
                }
            }
        }
        Some(())
    }
}

/// The content of each field of `message`, in the order of the table. `None` if
/// the bytes are not a message.
pub(super) fn read<'a>(message: &Message, bytes: &'a [u8]) -> Option<Vec<Content<'a>>> {
    let mut contents: Vec<Content<'a>> = message.fields.iter().map(empty).collect();
    for value in wire::values(bytes) {
        let (number, value) = value.ok()?;
        let found = message
            .fields
            .binary_search_by_key(&number, |field| field.number);
        let Some((field, at)) = found
            .ok()
            .and_then(|at| Some((message.fields.get(at)?, at)))
        else {
            continue;
        };
        if field.oneof.is_some() {
            clear_other_arms(message, at, &mut contents);
        }
        if let Some(content) = contents.get_mut(at) {
            add(field, content, value)?;
        }
    }
    Some(contents)
}

fn empty<'a>(field: &Field) -> Content<'a> {
    match field.shape {
        Shape::One => Content::One(None),
        Shape::List => Content::List(List::default()),
        Shape::Map => Content::Map(BTreeMap::new()),
    }
}

fn clear_other_arms(message: &Message, arm: usize, contents: &mut [Content<'_>]) {
    let oneof = message.fields.get(arm).and_then(|field| field.oneof);
    for (at, (field, content)) in message.fields.iter().zip(contents).enumerate() {
        if at != arm && field.oneof == oneof {
            *content = empty(field);
        }
    }
}

/// Adds one value as it is on the wire. Values of another wire type are unknown
/// fields.
fn add<'a>(field: &Field, content: &mut Content<'a>, value: Value<'a>) -> Option<()> {
    match content {
        Content::One(slot) => {
            if let Some(item) = item(field.kind, value) {
                merge(field.kind, slot, item);
            }
        }
        Content::List(list) => list.add(field.kind, value)?,
        Content::Map(pairs) => {
            let (key, value) = entry(field.kind, value.bytes()?)?;
            pairs.insert(key, value);
        }
    }
    Some(())
}

/// Key and value of a map entry; what is missing is empty.
fn entry(kind: Kind, bytes: &[u8]) -> Option<(Cow<'_, [u8]>, Item<'_>)> {
    let mut key = Cow::Borrowed([].as_slice());
    let mut value = None;
    for part in wire::values(bytes) {
        match part.ok()? {
            (KEY, Value::Bytes(bytes)) => key = Cow::Borrowed(bytes),
            (VALUE, wire) => {
                if let Some(item) = item(kind, wire) {
                    merge(kind, &mut value, item);
                }
            }
            _ => {}
        }
    }
    Some((key, value.unwrap_or_else(|| default(kind))))
}

/// The value of a field that is not there.
pub(super) fn default<'a>(kind: Kind) -> Item<'a> {
    match kind {
        Kind::Uint32 | Kind::Int64 | Kind::Enum(_) => Item::Number(0),
        _ => Item::Bytes(Cow::Borrowed(&[])),
    }
}

fn merge<'a>(kind: Kind, slot: &mut Option<Item<'a>>, item: Item<'a>) {
    match (kind, slot, item) {
        (Kind::Message(_) | Kind::Duration, Some(Item::Bytes(old)), Item::Bytes(new)) => {
            old.to_mut().extend_from_slice(&new);
        }
        (_, slot, item) => *slot = Some(item),
    }
}

fn item(kind: Kind, value: Value<'_>) -> Option<Item<'_>> {
    match (kind, value) {
        (Kind::Uint32 | Kind::Int64 | Kind::Enum(_), Value::Varint(number)) => {
            Some(Item::Number(integer(kind, number)))
        }
        (
            Kind::Text | Kind::Bytes | Kind::Duration | Kind::Message(_) | Kind::Opaque,
            Value::Bytes(bytes),
        ) => Some(Item::Bytes(Cow::Borrowed(bytes))),
        // Only its presence counts.
        (Kind::Opaque, _) => Some(Item::Number(0)),
        _ => None,
    }
}

/// A varint as a number of its type: what does not fit is cut off.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "decoders of protobuf cut numbers to the size of their type"
)]
fn integer(kind: Kind, number: u64) -> i64 {
    match kind {
        Kind::Uint32 => i64::from(number as u32),
        Kind::Enum(_) => i64::from(number as i32),
        _ => number as i64,
    }
}
