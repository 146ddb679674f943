//! From wire bytes to JSON text.
//!
//! One pass per message: its fields are noted as borrowed slices, put in the
//! order of the declaration, and printed. What protobuf's merge rules say about
//! repeated occurrences is applied to the slices: the last scalar counts, split
//! sub-messages are joined (concatenation is merging), the last member of a
//! oneof counts. Fields with a wire type that does not fit are unknown fields,
//! and unknown fields do not show.

mod known;
mod layout;
mod scalar;
pub(super) mod value;

use std::cmp::Ordering;

use self::layout::Container;
use self::value::{Class, Key, default_value, entry_key, fits, is_default, wire_class};
use crate::schema::{Field, Kind, Message, Schema, Shape, WellKnown};
use crate::wire::{self, MAX_DEPTH, Value};
use crate::{Error, Result};

/// What to do with an `Any` whose type is not compiled in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnknownAny {
    /// Fail, as protojson does.
    #[default]
    Fail,
    /// Leave it out of its list or map, or clear its field.
    Drop,
}

/// How JSON is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// What to do with unknown annotations.
    pub unknown_any: UnknownAny,
    /// Spaces per level; one line without spaces when `None`. Go's multi-line
    /// form has 2.
    pub indent: Option<usize>,
    /// Escape `<`, `>`, `&`, U+2028 and U+2029, as Go's `encoding/json` does.
    pub emit_html_escapes: bool,
}

pub(super) fn message(
    out: &mut Vec<u8>,
    index: usize,
    bytes: &[u8],
    options: &Options,
) -> Result<()> {
    let mut writer = Writer {
        schema: Schema::get(),
        options,
        out,
        slots: Vec::new(),
        entries: Vec::new(),
        depth: 0,
        level: 0,
    };
    writer.message(index, bytes)
}

/// One occurrence of a known field.
#[derive(Clone, Copy)]
struct Slot<'a> {
    /// Index in the message's table.
    field: usize,
    value: Value<'a>,
}

/// One map entry, its key read.
#[derive(Clone, Copy)]
struct Entry<'a> {
    key: Key<'a>,
    bytes: &'a [u8],
}

/// The state of one rendering. `slots` and `entries` are stacks that all levels
/// share, so that a row costs few allocations.
struct Writer<'a, 'o> {
    schema: &'static Schema,
    options: &'o Options,
    out: &'o mut Vec<u8>,
    slots: Vec<Slot<'a>>,
    entries: Vec<Entry<'a>>,
    depth: usize,
    level: usize,
}

impl<'a> Writer<'a, '_> {
    /// A writer for bytes that live shorter than the row, where split
    /// sub-messages had to be joined.
    fn sub<'s>(&mut self) -> Writer<'s, '_> {
        Writer {
            schema: self.schema,
            options: self.options,
            out: self.out,
            slots: Vec::new(),
            entries: Vec::new(),
            depth: self.depth,
            level: self.level,
        }
    }

    fn message(&mut self, index: usize, bytes: &'a [u8]) -> Result<()> {
        let table = self.table(index)?;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Error::TooDeep { limit: MAX_DEPTH });
        }
        match table.well_known {
            None => self.object(table, bytes, None)?,
            Some(WellKnown::Any) => self.any(bytes)?,
            Some(known) => self.well_known(known, table, bytes)?,
        }
        self.depth -= 1;
        Ok(())
    }

    fn table(&self, index: usize) -> Result<&'static Message> {
        self.schema.message(index).ok_or_else(unknown_index)
    }

    fn object(
        &mut self,
        table: &'static Message,
        bytes: &'a [u8],
        type_url: Option<&str>,
    ) -> Result<()> {
        let mut empty = true;
        self.open(b'{');
        if let Some(url) = type_url {
            self.next(&mut empty);
            self.name(b"\"@type\":");
            self.text(url.as_bytes())?;
        }
        self.members(table, bytes, &mut empty)?;
        self.close(b'}', empty);
        Ok(())
    }

    fn members(
        &mut self,
        table: &'static Message,
        bytes: &'a [u8],
        empty: &mut bool,
    ) -> Result<()> {
        let base = self.collect(table, bytes)?;
        let end = self.slots.len();
        let mut from = base;
        while let Some(slot) = self.slots.get(from) {
            let at = slot.field;
            let run = &self.slots[from..end];
            let to = from + run.iter().take_while(|slot| slot.field == at).count();
            if let Some(field) = table.fields.get(at) {
                self.member(field, from, to, empty)?;
            }
            from = to;
            if from >= end {
                break;
            }
        }
        self.slots.truncate(base);
        Ok(())
    }

    /// Notes the known fields of a message on the stack, in the order of the
    /// declaration; gives where they begin.
    fn collect(&mut self, table: &'static Message, bytes: &'a [u8]) -> Result<usize> {
        let base = self.slots.len();
        let mut ordered = true;
        let mut last = 0;
        let mut fields = wire::fields(bytes);
        while let Some((number, value)) = fields.step()? {
            if let Some((at, def)) = table.by_number(number)
                && fits(def, &value)
            {
                ordered &= at >= last;
                last = at;
                self.slots.push(Slot { field: at, value });
            }
        }
        if table.oneofs > 0 && self.slots.len() - base > 1 {
            self.settle_oneofs(table, base);
        }
        if !ordered && let Some(slots) = self.slots.get_mut(base..) {
            slots.sort_by_key(|slot| slot.field);
        }
        Ok(base)
    }

    /// Of each oneof, keeps only the member set last, and of that only what was
    /// not cleared by another member in between.
    fn settle_oneofs(&mut self, table: &'static Message, base: usize) {
        let oneof_of = |slot: &Slot<'_>| table.fields.get(slot.field).and_then(|f| f.oneof);
        for oneof in 0..table.oneofs {
            let mut current = None;
            let mut choices = 0;
            let mut run = base;
            for (at, slot) in self.slots.iter().enumerate().skip(base) {
                if oneof_of(slot) == Some(oneof) && current.replace(slot.field) != Some(slot.field)
                {
                    choices += 1;
                    run = at;
                }
            }
            if choices > 1 {
                let mut kept = base;
                for at in base..self.slots.len() {
                    let Some(slot) = self.slots.get(at).copied() else {
                        break;
                    };
                    if at >= run || oneof_of(&slot) != Some(oneof) {
                        if let Some(place) = self.slots.get_mut(kept) {
                            *place = slot;
                        }
                        kept += 1;
                    }
                }
                self.slots.truncate(kept);
            }
        }
    }

    fn member(
        &mut self,
        field: &'static Field,
        from: usize,
        to: usize,
        empty: &mut bool,
    ) -> Result<()> {
        match (field.shape, field.kind) {
            (Shape::One, Kind::Message(target)) => match self.joined(from, to) {
                Joined::One(bytes) => self.message_member(field, target, bytes, empty),
                Joined::Many(bytes) => self.sub().message_member(field, target, &bytes, empty),
            },
            (Shape::One, _) => {
                if let Some(value) = self.last(from, to)
                    && (field.presence || !is_default(field.kind, &value))
                {
                    self.key(field, empty);
                    self.scalar(field.kind, &value)?;
                }
                Ok(())
            }
            (Shape::List, _) => self.list(field, from, to, Some(empty)),
            (Shape::Map, _) => self.map(field, from, to, Some(empty)),
        }
    }

    fn message_member(
        &mut self,
        field: &'static Field,
        target: usize,
        bytes: &'a [u8],
        empty: &mut bool,
    ) -> Result<()> {
        if self.is_dropped(target, bytes)? {
            return Ok(());
        }
        self.key(field, empty);
        self.message(target, bytes)
    }

    fn last(&self, from: usize, to: usize) -> Option<Value<'a>> {
        self.slots.get(from..to)?.last().map(|slot| slot.value)
    }

    /// The content of a singular message field, split occurrences joined.
    fn joined(&self, from: usize, to: usize) -> Joined<'a> {
        let run = self.slots.get(from..to).unwrap_or_default();
        let mut parts = run.iter().filter_map(|slot| slot.value.bytes());
        match (parts.next(), run.len()) {
            (Some(only), 1) => Joined::One(only),
            (first, _) => {
                let mut all = first.unwrap_or_default().to_vec();
                parts.for_each(|part| all.extend_from_slice(part));
                Joined::Many(all)
            }
        }
    }

    /// A list; as a member of an object (`owner`) it is left out when empty.
    fn list(
        &mut self,
        field: &'static Field,
        from: usize,
        to: usize,
        owner: Option<&mut bool>,
    ) -> Result<()> {
        let mut list = Container::new(b'[', field, owner);
        for at in from..to {
            let Some(Slot { value, .. }) = self.slots.get(at).copied() else {
                break;
            };
            match (field.kind, value) {
                (Kind::Message(target), Value::Bytes(bytes)) => {
                    if !self.is_dropped(target, bytes)? {
                        list.item(self);
                        self.message(target, bytes)?;
                    }
                }
                (Kind::String | Kind::Bytes, _)
                | (_, Value::Varint(_) | Value::Fixed32(_) | Value::Fixed64(_)) => {
                    list.item(self);
                    self.scalar(field.kind, &value)?;
                }
                (_, Value::Bytes(packed)) => self.packed(field.kind, packed, &mut list)?,
                (_, Value::Group(_)) => {}
            }
        }
        list.end(self, b']');
        Ok(())
    }

    fn packed(&mut self, kind: Kind, packed: &[u8], list: &mut Container<'_>) -> Result<()> {
        let partial = |rest: &[u8]| {
            if rest.is_empty() {
                Ok(())
            } else {
                Err(Error::Wire {
                    what: "value beyond the end",
                    offset: packed.len() - rest.len(),
                })
            }
        };
        match wire_class(kind) {
            Class::Fixed64 => {
                let (items, rest) = packed.as_chunks::<8>();
                for item in items {
                    list.item(self);
                    self.scalar(kind, &Value::Fixed64(*item))?;
                }
                partial(rest)
            }
            Class::Fixed32 => {
                let (items, rest) = packed.as_chunks::<4>();
                for item in items {
                    list.item(self);
                    self.scalar(kind, &Value::Fixed32(*item))?;
                }
                partial(rest)
            }
            Class::Varint | Class::Delimited => {
                for item in wire::packed_varints(packed) {
                    let item = item?;
                    list.item(self);
                    self.scalar(kind, &Value::Varint(item))?;
                }
                Ok(())
            }
        }
    }

    /// A map; as a member of an object (`owner`) it is left out when empty.
    fn map(
        &mut self,
        field: &'static Field,
        from: usize,
        to: usize,
        owner: Option<&mut bool>,
    ) -> Result<()> {
        let Kind::Message(entry) = field.kind else {
            return Ok(());
        };
        let table = self.table(entry)?;
        let (Some((_, key)), Some((_, value))) = (table.by_number(1), table.by_number(2)) else {
            return Err(unknown_index());
        };
        let base = self.entries.len();
        for at in from..to {
            if let Some(Value::Bytes(bytes)) = self.slots.get(at).map(|slot| slot.value) {
                let key = entry_key(key, bytes)?;
                self.entries.push(Entry { key, bytes });
            }
        }
        self.sort_entries(base);
        let mut map = Container::new(b'{', field, owner);
        for at in base..self.entries.len() {
            let Some(entry) = self.entries.get(at).copied() else {
                break;
            };
            // Of equal keys the last on the wire counts; sorting kept their order.
            let next = self.entries.get(at + 1);
            if next.is_none_or(|next| next.key != entry.key) {
                self.entry(value, entry, &mut map)?;
            }
        }
        self.entries.truncate(base);
        map.end(self, b'}');
        Ok(())
    }

    fn sort_entries(&mut self, base: usize) {
        if let Some(entries) = self.entries.get_mut(base..)
            && !entries.is_sorted_by(|a, b| a.key.cmp(&b.key) == Ordering::Less)
        {
            entries.sort_by_key(|entry| entry.key);
        }
    }

    fn entry(
        &mut self,
        def: &'static Field,
        entry: Entry<'a>,
        map: &mut Container<'_>,
    ) -> Result<()> {
        let Kind::Message(target) = def.kind else {
            let mut value = default_value(def.kind);
            for field in wire::fields(entry.bytes) {
                let field = field?;
                if field.number == 2 && fits(def, &field.value) {
                    value = field.value;
                }
            }
            self.entry_key(entry.key, map)?;
            return self.scalar(def.kind, &value);
        };
        let mut first: Option<&'a [u8]> = None;
        let mut joined: Option<Vec<u8>> = None;
        for field in wire::fields(entry.bytes) {
            let field = field?;
            if let (2, Value::Bytes(bytes)) = (field.number, field.value) {
                match first {
                    None => first = Some(bytes),
                    Some(first) => joined
                        .get_or_insert_with(|| first.to_vec())
                        .extend_from_slice(bytes),
                }
            }
        }
        match joined {
            None => {
                let bytes = first.unwrap_or_default();
                if !self.is_dropped(target, bytes)? {
                    self.entry_key(entry.key, map)?;
                    self.message(target, bytes)?;
                }
            }
            Some(bytes) => {
                let mut sub = self.sub();
                if !sub.is_dropped(target, &bytes)? {
                    sub.entry_key(entry.key, map)?;
                    sub.message(target, &bytes)?;
                }
            }
        }
        Ok(())
    }

    fn entry_key(&mut self, key: Key<'_>, map: &mut Container<'_>) -> Result<()> {
        map.item(self);
        match key {
            Key::Text(text) => self.text(text)?,
            Key::Bool(value) => self.quoted(value),
            Key::Signed(value) => self.quoted(value),
            Key::Unsigned(value) => self.quoted(value),
        }
        self.name(b":");
        Ok(())
    }
}

enum Joined<'a> {
    One(&'a [u8]),
    Many(Vec<u8>),
}

/// Indices and kinds are consistent in tables built from one descriptor set.
fn unknown_index() -> Error {
    Error::Value {
        what: "type missing from the compiled tables",
    }
}
