//! Columns of sorted byte strings: one prefix for the block, one for each
//! bundle of rows, and what is left per row. Spec §5.7.

use super::{Numbers, damaged};
use crate::error::Fault;

/// Bundles of more rows than 2 to this do not occur.
const MAX_BUNDLE_SHIFT: u8 = 16;

/// A column of sorted byte strings.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Prefixed {
    offsets: Numbers,
    data: usize,
    shift: u8,
}

impl Prefixed {
    /// The column of `count` strings, at least one, at `at`, and its end.
    pub fn parse(block: &[u8], at: usize, count: usize) -> Result<(Self, usize), Fault> {
        let shift = *block.get(at).ok_or_else(damaged)?;
        if shift > MAX_BUNDLE_SHIFT || count == 0 {
            return Err(Fault::damaged("a column of keys has an unknown form"));
        }
        let bundles = count.div_ceil(1 << shift);
        let last = bundles.checked_add(count).ok_or_else(damaged)?;
        let numbers = last.checked_add(1).ok_or_else(damaged)?;
        let (offsets, data) = Numbers::parse(block, at + 1, numbers)?;
        if !offsets.are_offsets() {
            return Err(Fault::damaged("the offsets of a column are no offsets"));
        }
        let end = offsets
            .offset(block, last)
            .and_then(|len| data.checked_add(len))
            .filter(|end| *end <= block.len())
            .ok_or_else(damaged)?;
        let column = Self {
            offsets,
            data,
            shift,
        };
        Ok((column, end))
    }

    /// Rows of a bundle.
    #[inline]
    pub fn bundle_rows(&self) -> usize {
        1 << self.shift
    }

    /// Slice `n` of bundle prefixes and rows' own parts.
    #[inline]
    fn slice<'a>(&self, block: &'a [u8], n: usize) -> Option<&'a [u8]> {
        let from = self.offsets.offset(block, n)?;
        let to = self.offsets.offset(block, n + 1)?;
        block.get(self.data + from..self.data + to)
    }

    /// What all strings start with.
    pub fn block_prefix<'a>(&self, block: &'a [u8]) -> Option<&'a [u8]> {
        let len = self.offsets.offset(block, 0)?;
        block.get(self.data..self.data + len)
    }

    /// What the strings of the bundle of `row` start with besides.
    pub fn bundle_prefix<'a>(&self, block: &'a [u8], row: usize) -> Option<&'a [u8]> {
        let bundle = row >> self.shift;
        self.slice(block, bundle * (self.bundle_rows() + 1))
    }

    /// What is left of the string of `row`. Empty, except in a bundle's first
    /// row, stands for the same string as the row before.
    #[inline]
    pub fn suffix<'a>(&self, block: &'a [u8], row: usize) -> Option<&'a [u8]> {
        self.slice(block, row + (row >> self.shift) + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_that_do_not_occur_are_damage() {
        assert!(Prefixed::parse(&[], 0, 1).is_err());
        assert!(Prefixed::parse(&[17, 0], 0, 1).is_err());
        assert!(Prefixed::parse(&[4, 0], 0, 0).is_err());
        assert!(Prefixed::parse(&[4, 0], 0, usize::MAX).is_err());
        // Four offsets: one bundle of two rows, of which the end is too far.
        assert!(Prefixed::parse(&[4, 1, 0, 0, 0, 1], 0, 2).is_err());
    }

    #[test]
    fn strings_are_put_together_from_three_parts() {
        // "ab", then bundles of two rows: "c" with "d", "e"; "f" with "".
        let block = [1, 1, 2, 3, 4, 5, 6, 6, b'a', b'b', b'c', b'd', b'e', b'f'];
        let (column, end) = Prefixed::parse(&block, 0, 3).unwrap();
        assert_eq!(end, block.len());
        let parts = |row| {
            [
                column.block_prefix(&block).unwrap(),
                column.bundle_prefix(&block, row).unwrap(),
                column.suffix(&block, row).unwrap(),
            ]
            .concat()
        };
        assert_eq!(
            [parts(0), parts(1), parts(2)],
            [&b"abcd"[..], b"abce", b"abf"]
        );
    }
}
