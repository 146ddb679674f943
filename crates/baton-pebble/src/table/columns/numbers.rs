//! Columns of unsigned numbers: a base, and per row what is added to it in
//! as few bytes as the largest needs. Spec §5.7.

use super::{aligned, damaged};
use crate::error::Fault;

/// Flag of an encoding with a base.
const WITH_BASE: u8 = 0x80;

/// A column of numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Numbers {
    at: usize,
    width: u8,
    base: u64,
}

impl Numbers {
    /// The column of `count` numbers at `at`, and its end.
    pub fn parse(block: &[u8], at: usize, count: usize) -> Result<(Self, usize), Fault> {
        if count == 0 {
            let none = Self {
                at,
                width: 0,
                base: 0,
            };
            return Ok((none, at));
        }
        let encoding = *block.get(at).ok_or_else(damaged)?;
        let width = encoding & !WITH_BASE;
        let mut at = at + 1;
        let mut base = 0;
        if encoding & WITH_BASE != 0 {
            let bytes = block.get(at..).and_then(|rest| rest.first_chunk::<8>());
            base = u64::from_le_bytes(*bytes.ok_or_else(damaged)?);
            at += 8;
        }
        if !matches!(width, 0 | 1 | 2 | 4 | 8) || (width == 8 && encoding & WITH_BASE != 0) {
            return Err(Fault::damaged(
                "a column of numbers has an unknown encoding",
            ));
        }
        if width > 0 {
            at = aligned(at, usize::from(width));
        }
        let end = count
            .checked_mul(usize::from(width))
            .and_then(|bytes| at.checked_add(bytes))
            .filter(|end| *end <= block.len())
            .ok_or_else(damaged)?;
        Ok((Self { at, width, base }, end))
    }

    /// Number `n`; `None` if it would lie outside of the block.
    #[inline]
    pub fn get(&self, block: &[u8], n: usize) -> Option<u64> {
        let more = match self.width {
            0 => return Some(self.base),
            1 => u64::from(*block.get(self.at + n)?),
            2 => u64::from(u16::from_le_bytes(*chunk(block, self.at + 2 * n)?)),
            4 => u64::from(u32::from_le_bytes(*chunk(block, self.at + 4 * n)?)),
            _ => u64::from_le_bytes(*chunk(block, self.at + 8 * n)?),
        };
        // Sums beyond 64 bits are what the writer's own arithmetic makes.
        Some(self.base.wrapping_add(more))
    }

    /// Whether the numbers are offsets: without base, of at most 32 bits.
    pub fn are_offsets(&self) -> bool {
        self.base == 0 && self.width <= 4
    }

    /// Number `n` as an offset.
    #[inline]
    pub fn offset(&self, block: &[u8], n: usize) -> Option<usize> {
        usize::try_from(self.get(block, n)?).ok()
    }
}

#[inline]
fn chunk<const N: usize>(block: &[u8], at: usize) -> Option<&[u8; N]> {
    block.get(at..)?.first_chunk()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_encodings_are_damage() {
        for encoding in [3, 5, 6, 7, 9, 0x7f, 0x83, 0x88, 0xff] {
            let block = [encoding; 64];
            assert!(Numbers::parse(&block, 0, 1).is_err(), "{encoding}");
        }
    }

    #[test]
    fn numbers_that_leave_the_block_are_damage() {
        for (block, count) in [
            (&[][..], 1),
            (&[1], 1),
            (&[1, 0], 2),
            (&[8, 0, 0, 0, 0, 0, 0, 0], 1),
            (&[0x80, 0, 0, 0, 0, 0, 0, 0], 1),
            (&[8, 0], usize::MAX),
        ] {
            assert!(Numbers::parse(block, 0, count).is_err(), "{block:?}");
        }
    }

    #[test]
    fn a_column_without_rows_has_no_bytes() {
        let (_, end) = Numbers::parse(&[], 0, 0).unwrap();
        assert_eq!(end, 0);
    }

    #[test]
    fn all_widths_and_bases_are_read() {
        let block = [9, 1, 3, 4];
        let (column, end) = Numbers::parse(&block, 1, 2).unwrap();
        assert_eq!(
            (column.get(&block, 0), column.get(&block, 1)),
            (Some(3), Some(4))
        );
        assert_eq!(end, 4);
        // Aligned to the offset in the block, not to the column's start.
        let block = [9, 2, 1, 0, 2, 0];
        let (column, end) = Numbers::parse(&block, 1, 2).unwrap();
        assert_eq!((column.get(&block, 1), end), (Some(2), 6));
        let mut block = vec![0x81];
        block.extend(1000u64.to_le_bytes());
        block.push(5);
        let (column, end) = Numbers::parse(&block, 0, 1).unwrap();
        assert_eq!((column.get(&block, 0), end), (Some(1005), 10));
        let block = [0];
        let (column, end) = Numbers::parse(&block, 0, usize::MAX).unwrap();
        assert_eq!((column.get(&block, 77), end), (Some(0), 1));
    }
}
