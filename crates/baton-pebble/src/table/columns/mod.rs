//! Columnar blocks: a header with the start of each column, and four kinds of
//! columns. Spec §5.7.
//!
//! Parsing a block checks that its columns lie inside it, one behind the
//! other; values are looked up when they are asked for. Offsets are those of
//! the decompressed block.

mod bits;
mod numbers;
mod prefixed;
mod slices;

pub(crate) use bits::Bits;
pub(crate) use numbers::Numbers;
pub(crate) use prefixed::Prefixed;
pub(crate) use slices::Slices;

use crate::error::Fault;
use crate::wire::Wire;

/// The only version of columnar blocks.
const VERSION: u8 = 1;
/// Version, number of columns, number of rows.
const HEADER: usize = 7;
/// Type and offset of one column.
const COLUMN_HEADER: usize = 5;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    Bits = 1,
    Numbers = 2,
    Slices = 3,
    Prefixed = 4,
}

pub(super) fn damaged() -> Fault {
    Fault::damaged("a column does not fit in its block")
}

/// Where columns are.
#[derive(Debug)]
pub(crate) struct Columns<const N: usize> {
    pub rows: u32,
    /// Start and end of each.
    spans: [(usize, usize); N],
}

impl<const N: usize> Columns<N> {
    /// Reads the header behind `custom` bytes of a header of the block's own.
    pub fn parse(block: &[u8], custom: usize, types: [Type; N]) -> Result<Self, Fault> {
        let mut wire = Wire::new(block, "a columnar block");
        wire.take(custom)?;
        if wire.u8()? != VERSION {
            return Err(Fault::damaged("a columnar block has an unknown version"));
        }
        let [low, high] = [wire.u8()?, wire.u8()?];
        if usize::from(u16::from_le_bytes([low, high])) != N {
            return Err(Fault::damaged(
                "a block has an unexpected number of columns",
            ));
        }
        let rows = wire.u32()?;
        let mut starts = [0; N];
        for (start, expected) in starts.iter_mut().zip(types) {
            if wire.u8()? != expected as u8 {
                return Err(Fault::damaged("a column has an unexpected type"));
            }
            *start = wire.u32()? as usize;
        }
        // The block's last byte is padding.
        let end = block.len().checked_sub(1).ok_or_else(damaged)?;
        if starts
            .first()
            .is_some_and(|at| *at != custom + HEADER + N * COLUMN_HEADER)
        {
            return Err(damaged());
        }
        let ends = starts.iter().copied().skip(1).chain([end]);
        let mut spans = [(0, 0); N];
        for (span, (start, end)) in spans.iter_mut().zip(starts.into_iter().zip(ends)) {
            if start > end {
                return Err(damaged());
            }
            *span = (start, end);
        }
        Ok(Self { rows, spans })
    }

    /// The column `n`, which `parse` reads from its start; it returns the end.
    pub fn column<T>(
        &self,
        n: usize,
        parse: impl FnOnce(usize) -> Result<(T, usize), Fault>,
    ) -> Result<T, Fault> {
        let &(start, end) = self.spans.get(n).ok_or_else(damaged)?;
        let (column, its_end) = parse(start)?;
        if its_end != end {
            return Err(damaged());
        }
        Ok(column)
    }
}

/// `at`, or the next multiple of `to`, a power of two, after it.
fn aligned(at: usize, to: usize) -> usize {
    at.next_multiple_of(to)
}

#[cfg(test)]
pub(crate) mod build;
