//! Index blocks: which block holds which keys. Spec §5.6, §5.7.

use bytes::Bytes;

use super::block::Handle;
use super::columns::{Columns, Numbers, Slices, Type, damaged};
use super::rows::RowCursor;
use crate::error::Fault;
use crate::key;

/// Goes through the entries of an index block of either layout.
#[derive(Debug)]
pub struct IndexCursor {
    form: Form,
    handle: Handle,
}

#[derive(Debug)]
enum Form {
    Rows(RowCursor),
    Columns(ColumnIndex),
}

#[derive(Debug)]
struct ColumnIndex {
    block: Bytes,
    rows: usize,
    next: usize,
    separators: Slices,
    offsets: Numbers,
    lens: Numbers,
}

impl IndexCursor {
    /// Before the first entry of a block.
    ///
    /// # Errors
    /// A block that has not the form of an index.
    pub fn new(block: Bytes, columnar: bool) -> Result<Self, Fault> {
        let form = if columnar {
            Form::Columns(ColumnIndex::parse(block)?)
        } else {
            Form::Rows(RowCursor::new(block)?)
        };
        let handle = Handle { offset: 0, len: 0 };
        Ok(Self { form, handle })
    }

    /// Goes to the next entry; `false` at the end.
    ///
    /// # Errors
    /// A malformed entry.
    pub fn advance(&mut self) -> Result<bool, Fault> {
        let found = match &mut self.form {
            Form::Rows(cursor) => cursor.advance()?,
            Form::Columns(index) => index.go_to(index.next),
        };
        self.settle(found)
    }

    /// Goes to the first block that may hold keys from `target` on; `false`
    /// if there is none.
    ///
    /// # Errors
    /// A malformed entry.
    pub fn seek(&mut self, target: &[u8]) -> Result<bool, Fault> {
        let found = match &mut self.form {
            Form::Rows(cursor) => {
                cursor.seek(|separator| Ok(row_separator(separator)? < target))?
            }
            Form::Columns(index) => {
                let row = index.first_from(target)?;
                index.go_to(row)
            }
        };
        self.settle(found)
    }

    fn settle(&mut self, found: bool) -> Result<bool, Fault> {
        if found {
            self.handle = match &self.form {
                Form::Rows(cursor) => Handle::parse(cursor.value())?,
                Form::Columns(index) => index.handle().ok_or_else(damaged)?,
            };
        }
        Ok(found)
    }

    /// The block of the current entry.
    pub fn handle(&self) -> Handle {
        self.handle
    }

    /// A user key that no key of the current entry's block is greater than.
    ///
    /// # Errors
    /// A malformed entry.
    pub fn separator(&self) -> Result<&[u8], Fault> {
        match &self.form {
            Form::Rows(cursor) => row_separator(cursor.key()),
            Form::Columns(index) => index.separator().ok_or_else(damaged),
        }
    }
}

fn row_separator(key: &[u8]) -> Result<&[u8], Fault> {
    match key::split(key) {
        Some((user, _)) => Ok(user),
        None => Err(Fault::damaged("a key of an index is too short")),
    }
}

impl ColumnIndex {
    fn parse(block: Bytes) -> Result<Self, Fault> {
        let types = [Type::Slices, Type::Numbers, Type::Numbers, Type::Slices];
        let columns = Columns::parse(&block, 0, types)?;
        let rows = columns.rows as usize;
        let separators = columns.column(0, |at| Slices::parse(&block, at, rows))?;
        let offsets = columns.column(1, |at| Numbers::parse(&block, at, rows))?;
        let lens = columns.column(2, |at| Numbers::parse(&block, at, rows))?;
        // What a block may be skipped by; no filter is asked for here.
        columns.column(3, |at| Slices::parse(&block, at, rows))?;
        Ok(Self {
            block,
            rows,
            next: 0,
            separators,
            offsets,
            lens,
        })
    }

    fn go_to(&mut self, row: usize) -> bool {
        self.next = row.saturating_add(1);
        row < self.rows
    }

    /// The current row; only asked for after it was found.
    fn row(&self) -> usize {
        self.next.saturating_sub(1)
    }

    fn separator(&self) -> Option<&[u8]> {
        self.separators.get(&self.block, self.row())
    }

    fn handle(&self) -> Option<Handle> {
        Some(Handle {
            offset: self.offsets.get(&self.block, self.row())?,
            len: self.lens.get(&self.block, self.row())?,
        })
    }

    fn first_from(&self, target: &[u8]) -> Result<usize, Fault> {
        let (mut low, mut high) = (0, self.rows);
        while low < high {
            let middle = low + (high - low) / 2;
            let separator = self.separators.get(&self.block, middle);
            if separator.ok_or_else(damaged)? < target {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }
}

#[cfg(test)]
mod tests {
    use super::super::columns::build;
    use super::super::rows::tests as rows;
    use super::*;

    /// Blocks up to "d", "h", "m".
    fn columnar() -> Bytes {
        build::Block::new(3, &[])
            .slices(&[b"d", b"h", b"m"])
            .numbers(&[0, 15, 300])
            .numbers(&[10, 200, 20])
            .slices(&[b"", b"", b""])
            .finish()
    }

    fn row_form(interval: usize) -> Bytes {
        let key = |user: &[u8]| [user, &[1; 8]].concat();
        let keys = [key(b"d"), key(b"h"), key(b"m")];
        let values = [&[0, 10][..], &[15, 0xc8, 1], &[0xac, 2, 20, 99]];
        let entries: Vec<_> = keys.iter().map(|k| &k[..]).zip(values).collect();
        rows::block(&entries, interval)
    }

    fn forms() -> [IndexCursor; 3] {
        [
            IndexCursor::new(columnar(), true).unwrap(),
            IndexCursor::new(row_form(1), false).unwrap(),
            IndexCursor::new(row_form(16), false).unwrap(),
        ]
    }

    #[test]
    fn a_block_that_is_cut_off_is_damaged() {
        let whole = columnar();
        for len in 0..whole.len() {
            assert!(IndexCursor::new(whole.slice(..len), true).is_err(), "{len}");
        }
    }

    #[test]
    fn flipped_bits_give_faults_or_other_entries_but_no_panic() {
        for (whole, columnar) in [(columnar(), true), (row_form(1), false)] {
            for bit in 0..whole.len() * 8 {
                let mut flipped = whole.to_vec();
                flipped[bit / 8] ^= 1 << (bit % 8);
                let Ok(mut cursor) = IndexCursor::new(flipped.into(), columnar) else {
                    continue;
                };
                let mut entries = 0;
                while let Ok(true) = cursor.advance() {
                    let _ = cursor.separator();
                    entries += 1;
                    if entries > 1000 {
                        break;
                    }
                }
                let _ = cursor.seek(b"g");
            }
        }
    }

    #[test]
    fn an_index_key_without_trailer_is_damage() {
        let block = rows::block(&[(b"short", &[0, 10])], 1);
        let mut cursor = IndexCursor::new(block, false).unwrap();
        assert!(cursor.seek(b"a").is_err());
    }

    #[test]
    fn seeking_finds_the_first_block_whose_keys_may_reach_the_target() {
        for mut cursor in forms() {
            for (target, offset) in [
                (&b""[..], Some(0)),
                (b"d", Some(0)),
                (b"da", Some(15)),
                (b"h", Some(15)),
                (b"i", Some(300)),
                (b"m", Some(300)),
                (b"n", None),
            ] {
                let found = cursor.seek(target).unwrap();
                assert_eq!(found.then(|| cursor.handle().offset), offset, "{target:?}");
            }
        }
    }

    #[test]
    fn all_entries_come_in_order() {
        for mut cursor in forms() {
            let mut all = Vec::new();
            while cursor.advance().unwrap() {
                let handle = cursor.handle();
                all.push((
                    cursor.separator().unwrap().to_vec(),
                    handle.offset,
                    handle.len,
                ));
            }
            let expected = [
                (b"d".to_vec(), 0, 10),
                (b"h".to_vec(), 15, 200),
                (b"m".to_vec(), 300, 20),
            ];
            assert_eq!(all, expected);
            assert!(!cursor.advance().unwrap());
        }
    }
}
