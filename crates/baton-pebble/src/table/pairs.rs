//! Blocks of names and values: the metaindex and the properties. Spec §5.6.

use bytes::Bytes;

use super::columns::{Columns, Slices, Type, damaged};
use super::rows::RowCursor;
use crate::error::Fault;

/// How a block of pairs is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// As entries with restart points.
    Rows,
    /// As two columns.
    Columns,
}

/// Most pairs of one block.
const MAX_PAIRS: usize = 10_000;

/// Calls `each` for every name and value, in order.
///
/// # Errors
/// A block that has not the form, and those of `each`.
pub fn pairs(
    block: &Bytes,
    layout: Layout,
    mut each: impl FnMut(&[u8], &[u8]) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let too_many = || Fault::Limit {
        what: "the number of a table's properties",
        limit: MAX_PAIRS as u64,
    };
    match layout {
        Layout::Rows => {
            let mut cursor = RowCursor::new(block.clone())?;
            let mut seen = 0;
            while cursor.advance()? {
                seen += 1;
                if seen > MAX_PAIRS {
                    return Err(too_many());
                }
                each(cursor.key(), cursor.value())?;
            }
        }
        Layout::Columns => {
            let columns = Columns::parse(block, 0, [Type::Slices, Type::Slices])?;
            let rows = columns.rows as usize;
            if rows > MAX_PAIRS {
                return Err(too_many());
            }
            let names = columns.column(0, |at| Slices::parse(block, at, rows))?;
            let values = columns.column(1, |at| Slices::parse(block, at, rows))?;
            for row in 0..rows {
                let name = names.get(block, row).ok_or_else(damaged)?;
                let value = values.get(block, row).ok_or_else(damaged)?;
                each(name, value)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::columns::build;
    use super::super::rows::tests as rows;
    use super::*;

    type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

    fn read(block: &Bytes, layout: Layout) -> Result<Pairs, Fault> {
        let mut all = Vec::new();
        pairs(block, layout, |name, value| {
            all.push((name.to_vec(), value.to_vec()));
            Ok(())
        })?;
        Ok(all)
    }

    #[test]
    fn rows_that_take_no_room_are_bounded() {
        let mut block = build::Block::new(0, &[])
            .empty_slices()
            .empty_slices()
            .finish()
            .to_vec();
        block[3..7].copy_from_slice(&u32::MAX.to_le_bytes());
        let fault = read(&block.into(), Layout::Columns).unwrap_err();
        assert!(matches!(fault, Fault::Limit { .. }), "{fault:?}");
    }

    #[test]
    fn both_layouts_give_the_pairs() {
        let names: [&[u8]; 3] = [b"a", b"ab", b"c"];
        let values: [&[u8]; 3] = [b"1", b"", b"3"];
        let columnar = build::Block::new(3, &[])
            .slices(&names)
            .slices(&values)
            .finish();
        let entries: Vec<_> = names.into_iter().zip(values).collect();
        let expected: Vec<_> = entries
            .iter()
            .map(|(n, v)| (n.to_vec(), v.to_vec()))
            .collect();
        assert_eq!(read(&columnar, Layout::Columns).unwrap(), expected);
        assert_eq!(
            read(&rows::block(&entries, 1), Layout::Rows).unwrap(),
            expected
        );
        assert_eq!(read(&rows::block(&[], 1), Layout::Rows).unwrap(), []);
        let empty = build::Block::new(0, &[]).slices(&[]).slices(&[]).finish();
        assert_eq!(read(&empty, Layout::Columns).unwrap(), []);
    }
}
