//! Takes numbers and slices off the front of bytes, never beyond their end.

use bytes::Bytes;

use crate::error::Fault;

/// A position in bytes of which more is expected.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wire<'a> {
    rest: &'a [u8],
    /// What the bytes are, for the fault at their end.
    what: &'static str,
}

impl<'a> Wire<'a> {
    pub(crate) fn new(rest: &'a [u8], what: &'static str) -> Self {
        Self { rest, what }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    fn cut_off(&self) -> Fault {
        Fault::Damaged(format!("{} is cut off", self.what).into())
    }

    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8], Fault> {
        let (head, rest) = self
            .rest
            .split_at_checked(len)
            .ok_or_else(|| self.cut_off())?;
        self.rest = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (head, rest) = self
            .rest
            .split_first_chunk()
            .ok_or_else(|| self.cut_off())?;
        self.rest = rest;
        Ok(*head)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Fault> {
        self.array().map(|[byte]| byte)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Fault> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Fault> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn uvarint(&mut self) -> Result<u64, Fault> {
        match uvarint(self.rest) {
            Some((value, len)) => {
                self.take(len)?;
                Ok(value)
            }
            None if self.rest.len() < MAX_UVARINT => Err(self.cut_off()),
            None => Err(Fault::Damaged(
                format!("a number in {} is too long", self.what).into(),
            )),
        }
    }

    /// A slice with its length before it.
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Fault> {
        let len = self.uvarint()?;
        let len = usize::try_from(len).map_err(|_| self.cut_off())?;
        self.take(len)
    }
}

/// Most bytes of a number of 64 bits.
const MAX_UVARINT: usize = 10;

/// The unsigned LEB128 number at the start of `data`, and its length.
#[inline]
pub(crate) fn uvarint(data: &[u8]) -> Option<(u64, usize)> {
    match data.first() {
        Some(&byte) if byte < 0x80 => Some((u64::from(byte), 1)),
        _ => long_uvarint(data),
    }
}

fn long_uvarint(data: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0;
    for (i, &byte) in data.iter().take(MAX_UVARINT).enumerate() {
        let bits = u64::from(byte & 0x7f);
        if i == MAX_UVARINT - 1 && byte > 1 {
            return None;
        }
        value |= bits << (7 * i);
        if byte < 0x80 {
            return Some((value, i + 1));
        }
    }
    None
}

/// `part`, which must lie in `whole`, as a slice that shares its memory.
pub(crate) fn share(whole: &Bytes, part: &[u8]) -> Bytes {
    whole.slice_ref(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_are_cut_off_or_too_long_are_faults() {
        for bytes in [
            &[][..],
            &[0x80],
            &[0xff; 9],
            &[0xff; 10],
            &[0xff; 11],
            &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 2],
        ] {
            assert!(Wire::new(bytes, "it").uvarint().is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn a_length_beyond_the_end_is_a_fault() {
        for bytes in [
            &[5, 1, 2][..],
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
        ] {
            let fault = Wire::new(bytes, "it").bytes().unwrap_err();
            assert_eq!(fault, Fault::damaged("it is cut off"));
        }
    }

    #[test]
    fn numbers_of_every_length_are_read() {
        let max = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
        assert_eq!(uvarint(&max), Some((u64::MAX, 10)));
        assert_eq!(uvarint(&[0x7f, 9]), Some((127, 1)));
        assert_eq!(uvarint(&[0xac, 0x02]), Some((300, 2)));
    }
}
