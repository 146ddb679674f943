//! Data blocks of table versions 5 to 7.

use std::cmp::Ordering;

use bytes::Bytes;

use super::{ValueAt, unordered};
use crate::error::Fault;
use crate::table::columns::{Bits, Columns, Numbers, Prefixed, Slices, Type, damaged};

/// The block's own header: the length of its longest key.
const CUSTOM_HEADER: usize = 4;

/// The columns that are read, and where they are.
#[derive(Debug, Clone, Copy)]
struct DataColumns {
    keys: Prefixed,
    trailers: Numbers,
    values: Slices,
    external: Bits,
}

#[derive(Debug)]
pub(super) struct ColumnPoints {
    block: Bytes,
    rows: usize,
    /// `None` for a block without rows.
    columns: Option<DataColumns>,
    next: usize,
    /// The user key of the current row. Its start, `prefix_len` bytes, is
    /// shared by the rows of its bundle.
    key: Vec<u8>,
    prefix_len: usize,
    /// The key before that of a bundle's first row.
    before: Vec<u8>,
    trailer: u64,
    value: ValueAt,
    repeats: bool,
    started: bool,
}

impl DataColumns {
    fn parse(block: &[u8]) -> Result<(usize, Option<Self>), Fault> {
        let types = [
            Type::Prefixed,
            Type::Slices,
            Type::Numbers,
            Type::Bits,
            Type::Slices,
            Type::Bits,
            Type::Bits,
        ];
        let columns = Columns::parse(block, CUSTOM_HEADER, types)?;
        let rows = columns.rows as usize;
        if rows == 0 {
            return Ok((0, None));
        }
        let keys = columns.column(0, |at| Prefixed::parse(block, at, rows))?;
        let suffixes = columns.column(1, |at| Slices::parse(block, at, rows))?;
        if !suffixes.are_empty(block, rows) {
            return Err(Fault::unsupported("a key with a version suffix"));
        }
        let trailers = columns.column(2, |at| Numbers::parse(block, at, rows))?;
        // Which rows start a new key: seen from the keys themselves.
        columns.column(3, |at| Bits::parse(block, at, rows))?;
        let values = columns.column(4, |at| Slices::parse(block, at, rows))?;
        let external = columns.column(5, |at| Bits::parse(block, at, rows))?;
        // Which rows are hidden by others: seen when they are merged.
        columns.column(6, |at| Bits::parse(block, at, rows))?;
        let data = Self {
            keys,
            trailers,
            values,
            external,
        };
        Ok((rows, Some(data)))
    }
}

impl ColumnPoints {
    pub(super) fn parse(block: Bytes) -> Result<Self, Fault> {
        let (rows, columns) = DataColumns::parse(&block)?;
        Ok(Self {
            block,
            rows,
            columns,
            next: 0,
            key: Vec::new(),
            prefix_len: 0,
            before: Vec::new(),
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
        let row = self.next;
        let Some(columns) = self.columns.filter(|_| row < self.rows) else {
            return Ok(false);
        };
        let order = if row & (columns.keys.bundle_rows() - 1) == 0 || !self.started {
            self.start_bundle(columns.keys, row)?
        } else {
            self.next_in_bundle(columns.keys, row)?
        };
        let block = &self.block[..];
        let trailer = columns.trailers.get(block, row).ok_or_else(damaged)?;
        self.repeats = match order {
            Ordering::Less => false,
            Ordering::Equal if trailer < self.trailer => true,
            _ => return Err(unordered()),
        };
        self.trailer = trailer;
        let span = columns.values.span(block, row).ok_or_else(damaged)?;
        if span.0 > span.1 || span.1 > block.len() {
            return Err(damaged());
        }
        let external = columns.external.get(block, row).ok_or_else(damaged)?;
        self.value = ValueAt { span, external };
        self.next = row + 1;
        self.started = true;
        Ok(true)
    }

    /// Makes the key of `row` from all its parts. It must be the first of its
    /// bundle, since an empty rest stands for the key before.
    fn start_bundle(&mut self, keys: Prefixed, row: usize) -> Result<Ordering, Fault> {
        let block = &self.block[..];
        std::mem::swap(&mut self.key, &mut self.before);
        self.key.clear();
        let prefixes = [keys.block_prefix(block), keys.bundle_prefix(block, row)];
        for part in prefixes {
            self.key.extend_from_slice(part.ok_or_else(damaged)?);
        }
        self.prefix_len = self.key.len();
        let rest = keys.suffix(block, row).ok_or_else(damaged)?;
        self.key.extend_from_slice(rest);
        if self.started {
            Ok(self.before.cmp(&self.key))
        } else {
            Ok(Ordering::Less)
        }
    }

    #[inline]
    fn next_in_bundle(&mut self, keys: Prefixed, row: usize) -> Result<Ordering, Fault> {
        let rest = keys.suffix(&self.block, row).ok_or_else(damaged)?;
        if rest.is_empty() {
            return Ok(Ordering::Equal);
        }
        let order = self
            .key
            .get(self.prefix_len..)
            .unwrap_or_default()
            .cmp(rest);
        self.key.truncate(self.prefix_len);
        self.key.extend_from_slice(rest);
        Ok(order)
    }

    pub(super) fn seek(&mut self, target: &[u8]) -> Result<bool, Fault> {
        let Some(columns) = self.columns else {
            return Ok(false);
        };
        let per_bundle = columns.keys.bundle_rows();
        // Bundles below `low` start before the target.
        let (mut low, mut high) = (0, self.rows.div_ceil(per_bundle));
        while low < high {
            let middle = low + (high - low) / 2;
            self.started = false;
            self.start_bundle(columns.keys, middle * per_bundle)?;
            if &self.key[..] < target {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        self.next = low.saturating_sub(1) * per_bundle;
        self.started = false;
        while self.advance()? {
            if &self.key[..] >= target {
                return Ok(true);
            }
        }
        Ok(false)
    }

    #[inline]
    pub(super) fn key(&self) -> &[u8] {
        &self.key
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
        (&self.block, self.value)
    }
}
