//! A block as it is stored: data, a byte for the compression, a checksum.
//! Spec §5.5.

use bytes::Bytes;
use xxhash_rust::xxh64::xxh64;

use crate::crc;
use crate::error::Fault;
use crate::wire::{Wire, uvarint};

/// Compression byte and checksum after a block's data.
pub(crate) const BLOCK_TRAILER: usize = 5;
/// Most bytes of a block, stored or decompressed.
pub const MAX_BLOCK_BYTES: usize = 256 << 20;
/// Most bytes that a stored byte may become. Blocks of up to
/// `FREE_BLOCK_BYTES` may expand more, as small ones of equal rows do.
pub const MAX_EXPANSION: usize = 1024;
const FREE_BLOCK_BYTES: usize = 1 << 20;

/// Where a block is in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handle {
    /// Of its first byte.
    pub offset: u64,
    /// Of its data as stored, in bytes, without compression byte and checksum.
    pub len: u64,
}

impl Handle {
    pub(crate) fn read(wire: &mut Wire<'_>) -> Result<Self, Fault> {
        let (offset, len) = (wire.uvarint()?, wire.uvarint()?);
        Ok(Self { offset, len })
    }

    /// The handle at the start of `value`.
    pub(crate) fn parse(value: &[u8]) -> Result<Self, Fault> {
        Self::read(&mut Wire::new(value, "a block's handle"))
    }

    /// Offset behind the whole block.
    pub(crate) fn end(self) -> Option<u64> {
        self.offset
            .checked_add(self.len)?
            .checked_add(BLOCK_TRAILER as u64)
    }
}

/// How blocks of a table are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checksum {
    /// Masked CRC-32C.
    Crc32c,
    /// Low half of the 64-bit xxHash.
    XxHash64,
}

impl Checksum {
    pub(crate) fn of(kind: u8) -> Result<Self, Fault> {
        match kind {
            1 => Ok(Self::Crc32c),
            3 => Ok(Self::XxHash64),
            0 | 2 => Err(Fault::Unsupported(
                format!("the block checksum of kind {kind}").into(),
            )),
            _ => Err(Fault::Damaged(
                format!("blocks have the unknown checksum kind {kind}").into(),
            )),
        }
    }

    fn sum(self, data: &[u8]) -> u32 {
        match self {
            Self::Crc32c => crc::masked(data),
            #[allow(
                clippy::cast_possible_truncation,
                reason = "the low half is what is stored"
            )]
            Self::XxHash64 => xxh64(data, 0) as u32,
        }
    }
}

/// Checks a stored block, with compression byte and checksum, and returns
/// its data, decompressed.
///
/// # Errors
/// A wrong checksum, compressions other than none, Snappy and zstd, and data
/// beyond [`MAX_BLOCK_BYTES`] or [`MAX_EXPANSION`].
pub fn decode_block(stored: &Bytes, checksum: Checksum) -> Result<Bytes, Fault> {
    let (covered, sum) = stored
        .split_last_chunk::<4>()
        .ok_or(Fault::damaged("a block is cut off"))?;
    let (compression, data) = covered
        .split_last()
        .ok_or(Fault::damaged("a block is cut off"))?;
    if checksum.sum(covered) != u32::from_le_bytes(*sum) {
        return Err(Fault::damaged("the checksum of a block does not match"));
    }
    match compression {
        0 => Ok(stored.slice_ref(data)),
        1 => snappy(data),
        7 => zstandard(data),
        8 => Err(Fault::unsupported("MinLZ compression")),
        other => Err(Fault::Unsupported(
            format!("the block compression of kind {other}").into(),
        )),
    }
}

/// Refuses to decompress `stored` bytes to `len`.
fn check_expansion(stored: usize, len: usize) -> Result<(), Fault> {
    if len > MAX_BLOCK_BYTES {
        return Err(Fault::Limit {
            what: "a decompressed block's size in bytes",
            limit: MAX_BLOCK_BYTES as u64,
        });
    }
    if len > FREE_BLOCK_BYTES && len / MAX_EXPANSION > stored {
        return Err(Fault::Limit {
            what: "the expansion of a compressed block",
            limit: MAX_EXPANSION as u64,
        });
    }
    Ok(())
}

fn snappy(data: &[u8]) -> Result<Bytes, Fault> {
    let broken = || Fault::damaged("a Snappy block cannot be decompressed");
    let len = snap::raw::decompress_len(data).map_err(|_| broken())?;
    check_expansion(data.len(), len)?;
    let plain = snap::raw::Decoder::new()
        .decompress_vec(data)
        .map_err(|_| broken())?;
    Ok(plain.into())
}

fn zstandard(data: &[u8]) -> Result<Bytes, Fault> {
    let broken = || Fault::damaged("a zstd block cannot be decompressed");
    let (len, header) = uvarint(data).ok_or_else(broken)?;
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    check_expansion(data.len(), len)?;
    let frame = data.get(header..).ok_or_else(broken)?;
    let plain = zstd::bulk::decompress(frame, len).map_err(|_| broken())?;
    if plain.len() != len {
        return Err(Fault::damaged("a zstd block does not have its stated size"));
    }
    Ok(plain.into())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn stored(data: &[u8], compression: u8) -> Bytes {
        let mut block = data.to_vec();
        block.push(compression);
        let sum = crc::masked(&block);
        block.extend(sum.to_le_bytes());
        block.into()
    }

    fn decode(data: &[u8], compression: u8) -> Result<Bytes, Fault> {
        decode_block(&stored(data, compression), Checksum::Crc32c)
    }

    #[test]
    fn every_flipped_bit_is_found() {
        let block = stored(b"some data", 0);
        for bit in 0..block.len() * 8 {
            let mut flipped = block.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let fault = decode_block(&flipped.into(), Checksum::Crc32c).unwrap_err();
            assert!(matches!(fault, Fault::Damaged(_)));
        }
    }

    #[test]
    fn a_block_shorter_than_its_trailer_is_damaged() {
        for len in 0..5 {
            let block = Bytes::from(vec![0; len]);
            assert!(decode_block(&block, Checksum::Crc32c).is_err());
        }
    }

    #[test]
    fn other_compressions_are_refused_by_name() {
        let fault = decode(b"x", 8).unwrap_err();
        assert_eq!(fault.to_string(), "MinLZ compression is not supported");
        for kind in [2, 3, 4, 5, 6, 9, 255] {
            let fault = decode(b"x", kind).unwrap_err();
            assert_eq!(
                fault.to_string(),
                format!("the block compression of kind {kind} is not supported")
            );
        }
    }

    #[test]
    fn a_declared_size_is_not_believed() {
        // 2 GB from nothing, as Snappy and zstd write sizes.
        let size = [0xff, 0xff, 0xff, 0xff, 0x07];
        for compression in [1, 7] {
            assert!(matches!(
                decode(&size, compression),
                Err(Fault::Limit { .. })
            ));
        }
        // 200 MB from a few bytes.
        let size = [0x80, 0x84, 0xaf, 0x5f, 0, 0];
        for compression in [1, 7] {
            assert!(matches!(
                decode(&size, compression),
                Err(Fault::Limit { .. })
            ));
        }
        // More and less than there is.
        let mut frame = zstd::bulk::compress(&[7; 1000], 3).unwrap();
        for (low, high) in [(0xe7, 0x07), (0xe9, 0x07)] {
            let mut block = vec![low, high];
            block.append(&mut frame.clone());
            assert!(matches!(decode(&block, 7), Err(Fault::Damaged(_))));
        }
        frame.truncate(frame.len() / 2);
        let mut block = vec![0xe8, 0x07];
        block.append(&mut frame);
        assert!(matches!(decode(&block, 7), Err(Fault::Damaged(_))));
    }

    #[test]
    fn checksums_that_nobody_writes_are_refused() {
        assert!(matches!(Checksum::of(0), Err(Fault::Unsupported(_))));
        assert!(matches!(Checksum::of(2), Err(Fault::Unsupported(_))));
        assert!(matches!(Checksum::of(4), Err(Fault::Damaged(_))));
    }

    #[test]
    fn all_compressions_and_checksums_give_the_data() {
        let plain = vec![7; 1000];
        assert_eq!(decode(&plain, 0).unwrap(), plain);
        let packed = snap::raw::Encoder::new().compress_vec(&plain).unwrap();
        assert_eq!(decode(&packed, 1).unwrap(), plain);
        let mut packed = vec![0xe8, 0x07];
        packed.extend(zstd::bulk::compress(&plain, 3).unwrap());
        assert_eq!(decode(&packed, 7).unwrap(), plain);

        let mut block = b"abc\0".to_vec();
        let [a, b, c, d, ..] = xxh64(&block, 0).to_le_bytes();
        block.extend([a, b, c, d]);
        let got = decode_block(&block.into(), Checksum::XxHash64).unwrap();
        assert_eq!(got, "abc");
    }
}
