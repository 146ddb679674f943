//! Brackets, commas, keys and indentation.

use super::Writer;
use crate::schema::Field;

impl Writer<'_, '_> {
    pub(super) fn key(&mut self, field: &Field, empty: &mut bool) {
        if self.options.indent.is_none() {
            // The prefix begins with the comma, which the first member lacks.
            let from = usize::from(*empty);
            *empty = false;
            let prefix = field.json_prefix.get(from..).unwrap_or_default();
            self.out.extend_from_slice(prefix);
        } else {
            self.next(empty);
            self.name(field.json_prefix.get(1..).unwrap_or_default());
        }
    }

    /// A key or the colon behind one.
    pub(super) fn name(&mut self, prefix: &[u8]) {
        self.out.extend_from_slice(prefix);
        if self.options.indent.is_some() {
            self.out.push(b' ');
        }
    }

    pub(super) fn open(&mut self, bracket: u8) {
        self.out.push(bracket);
        self.level += 1;
    }

    pub(super) fn next(&mut self, empty: &mut bool) {
        if !*empty {
            self.out.push(b',');
        }
        *empty = false;
        self.new_line();
    }

    pub(super) fn close(&mut self, bracket: u8, empty: bool) {
        self.level = self.level.saturating_sub(1);
        if !empty {
            self.new_line();
        }
        self.out.push(bracket);
    }

    pub(super) fn new_line(&mut self) {
        if let Some(width) = self.options.indent {
            self.out.push(b'\n');
            let end = self.out.len() + width * self.level;
            self.out.resize(end, b' ');
        }
    }
}

/// A list or map being written. As a member of an object it appears, with its
/// key, only when its first item does; on its own it is always there.
pub(super) struct Container<'m> {
    bracket: u8,
    field: &'static Field,
    owner: Option<&'m mut bool>,
    opened: bool,
    empty: bool,
}

impl<'m> Container<'m> {
    pub(super) fn new(
        bracket: u8,
        field: &'static Field,
        owner: Option<&'m mut bool>,
    ) -> Container<'m> {
        Container {
            bracket,
            field,
            owner,
            opened: false,
            empty: true,
        }
    }

    pub(super) fn item(&mut self, writer: &mut Writer<'_, '_>) {
        self.ensure_open(writer);
        writer.next(&mut self.empty);
    }

    pub(super) fn ensure_open(&mut self, writer: &mut Writer<'_, '_>) {
        if !self.opened {
            self.opened = true;
            if let Some(owner) = self.owner.as_deref_mut() {
                writer.key(self.field, owner);
            }
            writer.open(self.bracket);
        }
    }

    pub(super) fn end(mut self, writer: &mut Writer<'_, '_>, bracket: u8) {
        if self.owner.is_none() {
            self.ensure_open(writer);
        }
        if self.opened {
            writer.close(bracket, self.empty);
        }
    }
}
