//! Messages whose JSON form is not an object of their fields: `Any`, times,
//! wrappers, and the JSON values of `google.protobuf.Struct`.

use super::value::{default_value, low32};
use super::{Joined, UnknownAny, Writer, unknown_index};
use crate::schema::{Kind, Message, WellKnown};
use crate::time;
use crate::wire::{AnyRef, Value};
use crate::{Error, Result};

impl<'a> Writer<'a, '_> {
    /// Whether this message is an `Any` to be left out.
    pub(super) fn is_dropped(&self, target: usize, bytes: &[u8]) -> Result<bool> {
        if self.options.unknown_any == UnknownAny::Fail {
            return Ok(false);
        }
        let table = self.schema.message(target);
        if table.and_then(|t| t.well_known) != Some(WellKnown::Any) {
            return Ok(false);
        }
        Ok(self.schema.find(AnyRef::read(bytes)?.type_name()).is_none())
    }

    pub(super) fn any(&mut self, bytes: &'a [u8]) -> Result<()> {
        let any = AnyRef::read(bytes)?;
        if any.type_url.is_empty() && any.value.is_empty() {
            self.out.extend_from_slice(b"{}");
            return Ok(());
        }
        let Some(index) = self.schema.find(any.type_name()) else {
            return Err(Error::UnknownType {
                name: any.type_url.to_owned(),
            });
        };
        let table = self.table(index)?;
        if table.well_known.is_none() {
            return self.object(table, any.value, Some(any.type_url));
        }
        let mut empty = true;
        self.open(b'{');
        self.next(&mut empty);
        self.name(b"\"@type\":");
        self.text(any.type_url.as_bytes())?;
        self.next(&mut empty);
        self.name(b"\"value\":");
        if self.is_dropped(index, any.value)? {
            self.out.extend_from_slice(b"{}");
        } else {
            self.message(index, any.value)?;
        }
        self.close(b'}', empty);
        Ok(())
    }

    pub(super) fn well_known(
        &mut self,
        known: WellKnown,
        table: &'static Message,
        bytes: &'a [u8],
    ) -> Result<()> {
        let base = self.collect(table, bytes)?;
        let end = self.slots.len();
        match known {
            WellKnown::Timestamp | WellKnown::Duration => {
                let (seconds, nanos) = self.instant(base, end);
                self.out.push(b'"');
                if known == WellKnown::Timestamp {
                    time::put_timestamp(self.out, seconds, nanos)?;
                } else {
                    time::put_duration(self.out, seconds, nanos)?;
                }
                self.out.push(b'"');
            }
            WellKnown::Wrapper => {
                let kind = table.fields.first().map_or(Kind::Bool, |f| f.kind);
                let value = self.last(base, end).unwrap_or(default_value(kind));
                self.scalar(kind, &value)?;
            }
            WellKnown::Value => self.json_value(table, base, end)?,
            WellKnown::Struct | WellKnown::ListValue => {
                let Some(field) = table.fields.first() else {
                    return Err(unknown_index());
                };
                if known == WellKnown::Struct {
                    self.map(field, base, end, None)?;
                } else {
                    self.list(field, base, end, None)?;
                }
            }
            WellKnown::Any => return Err(unknown_index()),
        }
        self.slots.truncate(base);
        Ok(())
    }

    /// Seconds and nanoseconds of a timestamp or duration.
    pub(super) fn instant(&self, base: usize, end: usize) -> (i64, i32) {
        let mut parts = (0, 0);
        for slot in self.slots.get(base..end).unwrap_or_default() {
            match (slot.field, slot.value) {
                (0, Value::Varint(value)) => parts.0 = value.cast_signed(),
                (_, Value::Varint(value)) => parts.1 = low32(value),
                _ => {}
            }
        }
        parts
    }

    /// A `google.protobuf.Value`: its one member, without a name.
    pub(super) fn json_value(
        &mut self,
        table: &'static Message,
        base: usize,
        end: usize,
    ) -> Result<()> {
        let field = self
            .slots
            .get(base)
            .and_then(|slot| table.fields.get(slot.field));
        let Some(field) = field else {
            return Err(Error::Value {
                what: "google.protobuf.Value without a value",
            });
        };
        match (field.kind, self.last(base, end)) {
            (Kind::Message(target), _) => match self.joined(base, end) {
                Joined::One(bytes) => self.message(target, bytes),
                Joined::Many(bytes) => self.sub().message(target, &bytes),
            },
            (Kind::Double, Some(Value::Fixed64(bytes)))
                if !f64::from_le_bytes(bytes).is_finite() =>
            {
                Err(Error::Value {
                    what: "google.protobuf.Value with a number that is not finite",
                })
            }
            (kind, Some(value)) => self.scalar(kind, &value),
            (_, None) => Ok(()),
        }
    }
}
