//! Value blocks: older versions of values, stored apart from their keys.
//! Spec §5.7.

use bytes::Bytes;

use super::block::Handle;
use crate::error::Fault;
use crate::wire::{Wire, uvarint};

/// A number in the value index has at most 8 bytes.
const MAX_WIDTH: u8 = 8;

/// Bits of a value's prefix: where the value is.
mod place {
    pub(super) const MASK: u8 = 0xc0;
    pub(super) const BLOB: u8 = 0x40;
    pub(super) const VALUE_BLOCK: u8 = 0x80;
}

/// Where the list of value blocks is, and how wide its numbers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ValueIndex {
    pub handle: Handle,
    widths: [usize; 3],
}

impl ValueIndex {
    /// Reads the entry of the metaindex.
    pub fn parse(entry: &[u8]) -> Result<Self, Fault> {
        let mut wire = Wire::new(entry, "the place of the value blocks");
        let handle = Handle::read(&mut wire)?;
        let mut widths = [0; 3];
        for width in &mut widths {
            let byte = wire.u8()?;
            if byte > MAX_WIDTH {
                return Err(Fault::damaged(
                    "the list of value blocks has an unknown form",
                ));
            }
            *width = usize::from(byte);
        }
        Ok(Self { handle, widths })
    }

    /// The value block with the number `number`, according to `list`.
    pub fn find(&self, list: &[u8], number: u64) -> Result<Handle, Fault> {
        let damaged = || Fault::damaged("a value is in a block that is not listed");
        let row_bytes: usize = self.widths.iter().sum();
        let row = usize::try_from(number)
            .ok()
            .and_then(|number| number.checked_mul(row_bytes))
            .and_then(|start| list.get(start..))
            .ok_or_else(damaged)?;
        let mut wire = Wire::new(row, "the list of value blocks");
        let mut numbers = [0; 3];
        for (number, width) in numbers.iter_mut().zip(self.widths) {
            let mut bytes = [0; MAX_WIDTH as usize];
            for (to, from) in bytes.iter_mut().zip(wire.take(width)?) {
                *to = *from;
            }
            *number = u64::from_le_bytes(bytes);
        }
        let [listed, offset, len] = numbers;
        if listed != number {
            return Err(damaged());
        }
        Ok(Handle { offset, len })
    }
}

/// Where one value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ValueHandle {
    /// Number of the value block.
    pub block: u64,
    offset: usize,
    len: usize,
}

impl ValueHandle {
    /// Reads what is stored instead of a value.
    pub fn parse(stored: &[u8]) -> Result<Self, Fault> {
        let damaged = || Fault::damaged("the place of a value is malformed");
        let (prefix, rest) = stored.split_first().ok_or_else(damaged)?;
        match prefix & place::MASK {
            place::VALUE_BLOCK => {}
            place::BLOB => return Err(Fault::unsupported("a value in a blob file")),
            _ => return Err(damaged()),
        }
        let mut at = 0;
        let mut number = || {
            let (value, len) = uvarint(rest.get(at..)?)?;
            at += len;
            Some(value)
        };
        let (len, block, offset) = (number(), number(), number());
        let size = |value: Option<u64>| usize::try_from(value?).ok();
        Ok(Self {
            block: block.ok_or_else(damaged)?,
            offset: size(offset).ok_or_else(damaged)?,
            len: size(len).ok_or_else(damaged)?,
        })
    }

    /// The value in its decoded block.
    pub fn slice(&self, block: &Bytes) -> Result<Bytes, Fault> {
        match self.offset.checked_add(self.len) {
            Some(end) if end <= block.len() => Ok(block.slice(self.offset..end)),
            _ => Err(Fault::damaged("a value leaves its value block")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index() -> ValueIndex {
        ValueIndex::parse(&[5, 9, 1, 2, 1]).unwrap()
    }

    const LIST: [u8; 8] = [0, 10, 0, 20, 1, 35, 1, 7];

    #[test]
    fn malformed_lists_and_places_are_damage() {
        assert!(ValueIndex::parse(&[5, 9, 1, 2]).is_err());
        assert!(ValueIndex::parse(&[5, 9, 1, 2, 9]).is_err());
        for number in [2, u64::MAX, u64::MAX / 4 + 1] {
            assert!(index().find(&LIST, number).is_err());
        }
        let mut misnumbered = LIST;
        misnumbered[4] = 7;
        assert!(index().find(&misnumbered, 1).is_err());
        assert!(index().find(&LIST[..7], 1).is_err());
        for stored in [
            &[][..],
            &[0x80],
            &[0x80, 1, 2],
            &[0, 1, 2, 3],
            &[0xc0, 1, 2, 3],
        ] {
            assert!(matches!(ValueHandle::parse(stored), Err(Fault::Damaged(_))));
        }
        let blob = ValueHandle::parse(&[0x40, 1, 2, 3]);
        assert!(matches!(blob, Err(Fault::Unsupported(_))));
        let handle = ValueHandle::parse(&[0x80, 2, 0, 3]).unwrap();
        assert!(handle.slice(&Bytes::from_static(b"abcd")).is_err());
    }

    #[test]
    fn values_are_found() {
        let handle = index().find(&LIST, 1).unwrap();
        assert_eq!(
            handle,
            Handle {
                offset: 0x123,
                len: 7
            }
        );
        let value = ValueHandle::parse(&[0xa7, 2, 1, 3]).unwrap();
        assert_eq!(value.block, 1);
        assert_eq!(value.slice(&Bytes::from_static(b"abcde")).unwrap(), "de");
    }
}
