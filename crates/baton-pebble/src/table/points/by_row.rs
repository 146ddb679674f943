//! Data blocks of table versions 1 to 4.

use std::cmp::Ordering;

use bytes::Bytes;

use super::{PointFormat, ValueAt, unordered};
use crate::error::Fault;
use crate::key::{self, TRAILER_BYTES};
use crate::table::rows::RowBlock;

/// Bit of the kind that marks an entry as hidden by others.
const OBSOLETE: u64 = 0x40;
/// The one kind whose value may have a prefix.
const SET: u64 = 1;

/// Bits of a value's prefix.
mod prefix {
    pub(super) const PLACE: u8 = 0xc0;
    pub(super) const IN_PLACE: u8 = 0x00;
    pub(super) const BLOB: u8 = 0x40;
    pub(super) const VALUE_BLOCK: u8 = 0x80;
}

#[derive(Debug)]
pub(super) struct RowPoints {
    block: RowBlock,
    format: PointFormat,
    next: usize,
    /// With the trailer as stored, which the next key may share bytes of.
    key: Vec<u8>,
    user_len: usize,
    trailer: u64,
    value: ValueAt,
    repeats: bool,
    /// Whether `key` holds an entry.
    started: bool,
}

impl RowPoints {
    pub(super) fn parse(block: Bytes, format: PointFormat) -> Result<Self, Fault> {
        Ok(Self {
            block: RowBlock::new(block)?,
            format,
            next: 0,
            key: Vec::new(),
            user_len: 0,
            trailer: 0,
            value: ValueAt {
                span: (0, 0),
                external: false,
            },
            repeats: false,
            started: false,
        })
    }

    #[inline]
    pub(super) fn advance(&mut self) -> Result<bool, Fault> {
        if self.next >= self.block.entries_end {
            return Ok(false);
        }
        let (entry, next) = self.block.entry(self.next)?;
        let rest = self.block.slice(entry.key);
        let shared = entry.shared;
        if shared > self.key.len() {
            return Err(unordered());
        }
        let Some(user_len) = (shared + rest.len()).checked_sub(TRAILER_BYTES) else {
            return Err(Fault::damaged("a key of a data block is too short"));
        };
        let order = if !self.started {
            Ordering::Less
        } else if shared <= self.user_len && shared <= user_len {
            // What both share is equal: the rest decides.
            let old = self.key.get(shared..self.user_len).unwrap_or_default();
            let new = rest.get(..user_len - shared).unwrap_or_default();
            old.cmp(new)
        } else {
            self.user_len.cmp(&user_len)
        };
        self.key.truncate(shared);
        self.key.extend_from_slice(rest);
        self.user_len = user_len;
        // The key has at least eight bytes, as checked above.
        let (_, mut trailer) = key::split(&self.key).ok_or_else(unordered)?;
        if self.format.obsolete_bit {
            trailer &= !OBSOLETE;
        }
        self.repeats = match order {
            Ordering::Less => false,
            Ordering::Equal if trailer < self.trailer => true,
            _ => return Err(unordered()),
        };
        self.trailer = trailer;
        self.value = self.place(entry.value)?;
        self.next = next;
        self.started = true;
        Ok(true)
    }

    /// Where the value is, of which `span` is what is stored.
    #[inline]
    fn place(&self, span: (usize, usize)) -> Result<ValueAt, Fault> {
        if !self.format.value_prefix || self.trailer & 0xff != SET {
            return Ok(ValueAt {
                span,
                external: false,
            });
        }
        let prefix = self.block.slice(span).first();
        match prefix.map(|byte| byte & prefix::PLACE) {
            Some(prefix::IN_PLACE) => Ok(ValueAt {
                span: (span.0 + 1, span.1),
                external: false,
            }),
            Some(prefix::VALUE_BLOCK) => Ok(ValueAt {
                span,
                external: true,
            }),
            Some(prefix::BLOB) => Err(Fault::unsupported("a value in a blob file")),
            _ => Err(Fault::damaged("a value has an unknown prefix")),
        }
    }

    pub(super) fn seek(&mut self, target: &[u8]) -> Result<bool, Fault> {
        self.next = self.block.seek_restart(|key| match key::split(key) {
            Some((user, _)) => Ok(user < target),
            None => Err(Fault::damaged("a key of a data block is too short")),
        })?;
        self.started = false;
        self.key.clear();
        self.user_len = 0;
        while self.advance()? {
            if self.key() >= target {
                return Ok(true);
            }
        }
        Ok(false)
    }

    #[inline]
    pub(super) fn key(&self) -> &[u8] {
        self.key.get(..self.user_len).unwrap_or_default()
    }

    #[inline]
    pub(super) fn trailer(&self) -> u64 {
        self.trailer
    }

    #[inline]
    pub(super) fn repeats(&self) -> bool {
        self.repeats
    }

    #[inline]
    pub(super) fn value(&self) -> (&Bytes, ValueAt) {
        (&self.block.data, self.value)
    }
}
