//! Columns of yes and no, in words of 64 rows. Spec §5.7.

use super::{aligned, damaged};
use crate::error::Fault;

const WORD: usize = 8;

/// A column of bits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bits {
    /// Where the words are; `None` if all rows are `false`.
    at: Option<usize>,
}

impl Bits {
    /// The column of `count` bits at `at`, and its end.
    pub fn parse(block: &[u8], at: usize, count: usize) -> Result<(Self, usize), Fault> {
        match block.get(at).ok_or_else(damaged)? {
            1 => Ok((Self { at: None }, at + 1)),
            0 => {
                let at = aligned(at + 1, WORD);
                let words = count.div_ceil(64);
                // Behind the words is one bit for each, which marks the zeros.
                let end = at + WORD * (words + words.div_ceil(64));
                if end > block.len() {
                    return Err(damaged());
                }
                Ok((Self { at: Some(at) }, end))
            }
            _ => Err(Fault::damaged("a column of bits has an unknown encoding")),
        }
    }

    /// Bit `n`; `None` if it would lie outside of the block.
    #[inline]
    pub fn get(&self, block: &[u8], n: usize) -> Option<bool> {
        let Some(at) = self.at else {
            return Some(false);
        };
        // Words are little endian, so bytes count up as bits do.
        Some(block.get(at + n / 8)? >> (n % 8) & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_that_leave_the_block_are_damage() {
        assert!(Bits::parse(&[], 0, 1).is_err());
        assert!(Bits::parse(&[2], 0, 1).is_err());
        // One word and one word that summarizes it.
        assert!(Bits::parse(&[0; 23], 0, 64).is_err());
        assert!(Bits::parse(&[0; 24], 0, 65).is_err());
    }

    #[test]
    fn bits_are_read_from_their_word() {
        let mut block = vec![0; 8 + 16 + 8];
        block[8] = 0b10;
        block[8 + 8] = 0b1;
        let (bits, end) = Bits::parse(&block, 0, 65).unwrap();
        let set: Vec<_> = (0..65).filter(|n| bits.get(&block, *n).unwrap()).collect();
        assert_eq!((set, end), (vec![1, 64], 32));
        let (bits, end) = Bits::parse(&[1], 0, 1000).unwrap();
        assert_eq!((bits.get(&[], 999), end), (Some(false), 1));
    }
}
