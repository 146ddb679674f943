//! Data blocks: the entries of a table in order, whatever the layout.
//! Spec §5.7, §5.8.
//!
//! Both cursors check that keys ascend, newest entry of a key first. That
//! bounds the work (columns may declare billions of rows that take no room),
//! and gives for free whether an entry is of the same user key as the one
//! before, which is what hides older entries.

mod by_column;
mod by_row;

use bytes::Bytes;

use crate::error::Fault;
use by_column::ColumnPoints;
use by_row::RowPoints;

/// How data blocks of a table are stored; its version decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PointFormat {
    /// By column instead of by row.
    pub columnar: bool,
    /// Whether a byte before values states where they are (rows only).
    pub value_prefix: bool,
    /// Whether entries may be marked as hidden by others (rows only).
    pub obsolete_bit: bool,
}

impl PointFormat {
    /// The format of tables of version `version`.
    pub fn of_version(version: u32) -> Self {
        Self {
            columnar: version >= 5,
            value_prefix: matches!(version, 3 | 4),
            obsolete_bit: version == 4,
        }
    }
}

/// Where the value of an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ValueAt {
    /// Start and end in the block, inside of it.
    pub span: (usize, usize),
    /// Whether the bytes there are not the value, but its place.
    pub external: bool,
}

/// Goes through the entries of a data block.
#[derive(Debug)]
pub struct PointCursor {
    form: Form,
}

#[derive(Debug)]
enum Form {
    Rows(RowPoints),
    Columns(ColumnPoints),
}

pub(super) fn unordered() -> Fault {
    Fault::damaged("the keys of a data block are not in order")
}

impl PointCursor {
    /// Before the first entry of a block.
    ///
    /// # Errors
    /// A block that has not the form of a data block.
    pub fn new(block: Bytes, format: PointFormat) -> Result<Self, Fault> {
        let form = if format.columnar {
            Form::Columns(ColumnPoints::parse(block)?)
        } else {
            Form::Rows(RowPoints::parse(block, format)?)
        };
        Ok(Self { form })
    }

    /// Goes to the next entry; `false` at the end.
    ///
    /// # Errors
    /// A malformed entry, or one that is out of order.
    #[inline]
    pub fn advance(&mut self) -> Result<bool, Fault> {
        match &mut self.form {
            Form::Rows(points) => points.advance(),
            Form::Columns(points) => points.advance(),
        }
    }

    /// Goes to the first entry whose user key is not less than `target`;
    /// `false` if there is none.
    ///
    /// # Errors
    /// As for [`PointCursor::advance`].
    pub fn seek(&mut self, target: &[u8]) -> Result<bool, Fault> {
        match &mut self.form {
            Form::Rows(points) => points.seek(target),
            Form::Columns(points) => points.seek(target),
        }
    }

    /// The user key of the current entry; empty before the first.
    #[inline]
    pub fn key(&self) -> &[u8] {
        match &self.form {
            Form::Rows(points) => points.key(),
            Form::Columns(points) => points.key(),
        }
    }

    /// Sequence number (upper 56 bits) and kind of the current entry.
    #[inline]
    pub fn trailer(&self) -> u64 {
        match &self.form {
            Form::Rows(points) => points.trailer(),
            Form::Columns(points) => points.trailer(),
        }
    }

    /// Whether the user key is that of the entry before.
    #[inline]
    pub fn repeats(&self) -> bool {
        match &self.form {
            Form::Rows(points) => points.repeats(),
            Form::Columns(points) => points.repeats(),
        }
    }

    /// The stored value of the current entry, and whether it is only the place
    /// of the value.
    pub fn stored_value(&self) -> (&[u8], bool) {
        let (block, at) = self.value_at();
        let (from, to) = at.span;
        (block.get(from..to).unwrap_or_default(), at.external)
    }

    #[inline]
    fn value_at(&self) -> (&Bytes, ValueAt) {
        match &self.form {
            Form::Rows(points) => points.value(),
            Form::Columns(points) => points.value(),
        }
    }

    /// The stored value of the current entry as a part of its block.
    pub(crate) fn shared_value(&self) -> Bytes {
        let (block, at) = self.value_at();
        let (from, to) = at.span;
        if from <= to && to <= block.len() {
            block.slice(from..to)
        } else {
            Bytes::new()
        }
    }
}

#[cfg(test)]
mod tests;
