//! Columns of byte strings: offsets, then all of them in a row. Spec §5.7.

use super::{Numbers, damaged};
use crate::error::Fault;

/// A column of byte strings.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slices {
    offsets: Numbers,
    data: usize,
}

impl Slices {
    /// The column of `count` strings at `at`, and its end.
    pub fn parse(block: &[u8], at: usize, count: usize) -> Result<(Self, usize), Fault> {
        if count == 0 {
            let (offsets, end) = Numbers::parse(block, at, 0)?;
            return Ok((Self { offsets, data: at }, end));
        }
        let numbers = count.checked_add(1).ok_or_else(damaged)?;
        let (offsets, data) = Numbers::parse(block, at, numbers)?;
        if !offsets.are_offsets() {
            return Err(Fault::damaged("the offsets of a column are no offsets"));
        }
        let end = offsets
            .offset(block, count)
            .and_then(|len| data.checked_add(len))
            .filter(|end| *end <= block.len())
            .ok_or_else(damaged)?;
        Ok((Self { offsets, data }, end))
    }

    /// Where string `n` starts and ends in the block, which may not be
    /// inside; use with `get`.
    #[inline]
    pub fn span(&self, block: &[u8], n: usize) -> Option<(usize, usize)> {
        let from = self.offsets.offset(block, n)?;
        let to = self.offsets.offset(block, n + 1)?;
        Some((self.data + from, self.data + to))
    }

    /// Whether all `count` strings are empty.
    pub fn are_empty(&self, block: &[u8], count: usize) -> bool {
        count == 0 || self.offsets.offset(block, count) == Some(0)
    }

    /// String `n`; `None` if it would lie outside of the block.
    #[inline]
    pub fn get<'a>(&self, block: &'a [u8], n: usize) -> Option<&'a [u8]> {
        let (from, to) = self.span(block, n)?;
        block.get(from..to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_that_leave_the_block_are_damage() {
        // Three offsets of a byte: 0, 1, 9, and two bytes of data.
        assert!(Slices::parse(&[1, 0, 1, 9, 7, 7], 0, 2).is_err());
        // The same with a base.
        let with_base = [0x81, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 7, 7];
        assert!(Slices::parse(&with_base, 0, 2).is_err());
        assert!(Slices::parse(&[0], 0, usize::MAX).is_err());
    }

    #[test]
    fn offsets_that_go_back_give_no_string() {
        let block = [1, 0, 2, 1, 7];
        let (column, _) = Slices::parse(&block, 0, 2).unwrap();
        assert_eq!(column.get(&block, 1), None);
        assert_eq!(column.get(&block, 0), None);
    }

    #[test]
    fn strings_are_read() {
        let block = [9, 1, 0, 2, 2, 3, 10, 11, 12];
        let (column, end) = Slices::parse(&block, 1, 3).unwrap();
        let all: Vec<_> = (0..3).map(|n| column.get(&block, n).unwrap()).collect();
        assert_eq!(all, [&[10, 11][..], &[], &[12]]);
        assert_eq!(end, 9);
        // All strings are empty.
        let (column, end) = Slices::parse(&[0], 0, 5).unwrap();
        assert_eq!((column.get(&[0], 4), end), (Some(&[][..]), 1));
    }
}
