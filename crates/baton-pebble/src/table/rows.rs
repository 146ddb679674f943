//! Row blocks: entries whose keys are given by what differs from the key
//! before, and restart points, at which they are given in full. Spec §5.8.

use bytes::Bytes;

use crate::error::Fault;
use crate::wire::uvarint;

/// Above the offset of a restart point is a flag that readers need not know.
const RESTART_MASK: u32 = 0x7fff_ffff;

/// Where the parts of an entry are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    /// Bytes of the previous key that the key starts with.
    pub shared: usize,
    pub key: (usize, usize),
    pub value: (usize, usize),
}

/// A block whose restart points are known to be inside.
#[derive(Debug, Clone)]
pub(crate) struct RowBlock {
    pub data: Bytes,
    /// Where the entries end and the restart points begin.
    pub entries_end: usize,
    pub restarts: usize,
}

fn damaged() -> Fault {
    Fault::damaged("an entry of a row block does not fit in its block")
}

impl RowBlock {
    pub fn new(data: Bytes) -> Result<Self, Fault> {
        let odd = Fault::damaged("a row block has no restart points");
        let Some((_, count)) = data.split_last_chunk::<4>() else {
            return Err(odd);
        };
        let restarts = usize::try_from(u32::from_le_bytes(*count)).unwrap_or(usize::MAX);
        let entries_end = restarts
            .checked_add(1)
            .and_then(|words| words.checked_mul(4))
            .and_then(|bytes| data.len().checked_sub(bytes));
        match entries_end {
            Some(entries_end) if restarts > 0 => Ok(Self {
                data,
                entries_end,
                restarts,
            }),
            _ => Err(odd),
        }
    }

    /// The entry at `at`, and where the next one is.
    #[inline]
    pub fn entry(&self, at: usize) -> Result<(Entry, usize), Fault> {
        let rest = self.data.get(at..self.entries_end).ok_or_else(damaged)?;
        let (shared, unshared, value, header) = match *rest {
            // The usual case: three numbers of a byte each.
            [a, b, c, ..] if (a | b | c) < 0x80 => {
                (usize::from(a), usize::from(b), usize::from(c), 3)
            }
            _ => long_header(rest).ok_or_else(damaged)?,
        };
        let key = at + header;
        let left = rest.len() - header;
        // Two lengths of at most 2^32 do not overflow.
        if unshared > left || value > left - unshared {
            return Err(damaged());
        }
        let end = key + unshared + value;
        let entry = Entry {
            shared,
            key: (key, key + unshared),
            value: (key + unshared, end),
        };
        Ok((entry, end))
    }

    #[inline]
    pub fn slice(&self, (from, to): (usize, usize)) -> &[u8] {
        self.data.get(from..to).unwrap_or_default()
    }

    /// Where the entry of restart point `n` is.
    fn restart(&self, n: usize) -> Result<usize, Fault> {
        self.data
            .get(self.entries_end + 4 * n..)
            .and_then(|bytes| bytes.first_chunk::<4>())
            .map(|bytes| (u32::from_le_bytes(*bytes) & RESTART_MASK) as usize)
            .ok_or_else(damaged)
    }

    /// The last restart point before the first key that is not before what is
    /// sought; the first one if there is none.
    pub fn seek_restart(
        &self,
        mut is_before: impl FnMut(&[u8]) -> Result<bool, Fault>,
    ) -> Result<usize, Fault> {
        // The keys at restart points below `low` are before it.
        let (mut low, mut high) = (0, self.restarts);
        while low < high {
            let middle = low + (high - low) / 2;
            let at = self.restart(middle)?;
            if at == self.entries_end {
                // A block without entries has a restart point too.
                high = middle;
                continue;
            }
            let (entry, _) = self.entry(at)?;
            if entry.shared != 0 {
                return Err(Fault::damaged("a restart point has no full key"));
            }
            if is_before(self.slice(entry.key))? {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        self.restart(low.saturating_sub(1))
    }
}

fn long_header(rest: &[u8]) -> Option<(usize, usize, usize, usize)> {
    let mut at = 0;
    let mut number = || {
        let (value, len) = uvarint(rest.get(at..)?)?;
        at += len;
        // No length in a block has more than 32 bits.
        usize::try_from(u32::try_from(value).ok()?).ok()
    };
    let header = (number()?, number()?, number()?);
    Some((header.0, header.1, header.2, at))
}

/// Goes through the entries of a row block, whatever their keys are.
#[derive(Debug)]
pub(crate) struct RowCursor {
    block: RowBlock,
    next: usize,
    key: Vec<u8>,
    value: (usize, usize),
}

impl RowCursor {
    /// Before the first entry.
    pub fn new(data: Bytes) -> Result<Self, Fault> {
        Ok(Self {
            block: RowBlock::new(data)?,
            next: 0,
            key: Vec::new(),
            value: (0, 0),
        })
    }

    /// Goes to the next entry; `false` at the end.
    pub fn advance(&mut self) -> Result<bool, Fault> {
        if self.next >= self.block.entries_end {
            return Ok(false);
        }
        let (entry, next) = self.block.entry(self.next)?;
        if entry.shared > self.key.len() {
            return Err(damaged());
        }
        self.key.truncate(entry.shared);
        self.key.extend_from_slice(self.block.slice(entry.key));
        self.value = entry.value;
        self.next = next;
        Ok(true)
    }

    /// Goes to the first entry that is not before what is sought; `false` if
    /// all are.
    pub fn seek(
        &mut self,
        mut is_before: impl FnMut(&[u8]) -> Result<bool, Fault>,
    ) -> Result<bool, Fault> {
        self.next = self.block.seek_restart(&mut is_before)?;
        self.key.clear();
        while self.advance()? {
            if !is_before(&self.key)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub fn key(&self) -> &[u8] {
        &self.key
    }

    pub fn value(&self) -> &[u8] {
        self.block.slice(self.value)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A row block with a restart point every `interval` entries.
    pub(crate) fn block(entries: &[(&[u8], &[u8])], interval: usize) -> Bytes {
        let mut data: Vec<u8> = Vec::new();
        let mut restarts: Vec<u32> = Vec::new();
        let mut last: &[u8] = &[];
        for (n, (key, value)) in entries.iter().enumerate() {
            let mut shared = key.iter().zip(last).take_while(|(a, b)| a == b).count();
            if n % interval == 0 {
                shared = 0;
                restarts.push(data.len().try_into().unwrap());
            }
            for number in [shared, key.len() - shared, value.len()] {
                let mut number = number;
                while number >= 0x80 {
                    data.push((number % 0x80 + 0x80).try_into().unwrap());
                    number /= 0x80;
                }
                data.push(number.try_into().unwrap());
            }
            data.extend(&key[shared..]);
            data.extend(*value);
            last = key;
        }
        if restarts.is_empty() {
            restarts.push(0);
        }
        for restart in &restarts {
            data.extend(restart.to_le_bytes());
        }
        data.extend(u32::try_from(restarts.len()).unwrap().to_le_bytes());
        data.into()
    }

    type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

    fn all(data: Bytes) -> Result<Pairs, Fault> {
        let mut cursor = RowCursor::new(data)?;
        let mut all = Vec::new();
        while cursor.advance()? {
            all.push((cursor.key().to_vec(), cursor.value().to_vec()));
        }
        Ok(all)
    }

    fn tail(count: u32) -> Vec<u8> {
        let mut bytes = vec![0; 4];
        bytes.extend(count.to_le_bytes());
        bytes
    }

    #[test]
    fn a_wrong_number_of_restart_points_is_damage() {
        for count in [0, 2, u32::MAX, u32::MAX / 4] {
            assert!(RowBlock::new(tail(count).into()).is_err(), "{count}");
        }
        assert!(RowBlock::new(Bytes::new()).is_err());
    }

    #[test]
    fn entries_that_leave_the_block_are_damage() {
        for entry in [
            &[0, 200, 0][..],
            &[0, 1, 200],
            &[1, 0, 0],
            &[0],
            &[0, 0x80, 0x80],
            &[
                0, 0xff, 0xff, 0xff, 0xff, 0x0f, 0xff, 0xff, 0xff, 0xff, 0x0f,
            ],
            &[
                0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0,
            ],
        ] {
            let mut data = entry.to_vec();
            data.extend(tail(1));
            assert!(all(data.into()).is_err(), "{entry:?}");
        }
    }

    #[test]
    fn a_restart_point_that_leaves_the_entries_is_damage() {
        let mut data = b"\0\x01\x01kv".to_vec();
        data.extend(6u32.to_le_bytes());
        data.extend(1u32.to_le_bytes());
        let mut cursor = RowCursor::new(data.into()).unwrap();
        assert!(cursor.seek(|key| Ok(key < b"k".as_slice())).is_err());
    }

    #[test]
    fn a_block_without_entries_is_empty() {
        let empty = block(&[], 1);
        assert_eq!(all(empty.clone()).unwrap(), []);
        let mut cursor = RowCursor::new(empty).unwrap();
        assert!(!cursor.seek(|_| Ok(true)).unwrap());
    }

    #[test]
    fn seeking_finds_the_first_key_that_is_not_before() {
        let keys: Vec<_> = (0u32..100).map(|n| (n * 10).to_be_bytes()).collect();
        let long = vec![1; 300];
        let entries: Vec<(&[u8], &[u8])> = keys.iter().map(|k| (&k[..], &long[..])).collect();
        for interval in [1, 3, 16, 1000] {
            let mut cursor = RowCursor::new(block(&entries, interval)).unwrap();
            for target in 0u32..1000 {
                let wanted = target.to_be_bytes();
                let found = cursor.seek(|key| Ok(key < &wanted[..])).unwrap();
                let expected = target.div_ceil(10) * 10;
                assert_eq!(found, expected < 1000);
                if found {
                    assert_eq!(cursor.key(), expected.to_be_bytes());
                    assert_eq!(cursor.value(), long);
                }
            }
        }
    }
}
