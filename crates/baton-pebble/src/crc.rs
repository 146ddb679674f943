//! The checksum of blocks, footers and log chunks: CRC-32C, rotated and
//! offset ("masked"), so that a checksum over data with embedded checksums
//! stays useful. Spec §5.0.

const DELTA: u32 = 0xa282_ead8;

/// The masked CRC-32C of `data`.
pub fn masked(data: &[u8]) -> u32 {
    mask(crc32c::crc32c(data))
}

/// The masked CRC-32C of `first` followed by `then`.
pub fn masked_of_two(first: &[u8], then: &[u8]) -> u32 {
    mask(crc32c::crc32c_append(crc32c::crc32c(first), then))
}

fn mask(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(DELTA)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_value_is_masked() {
        // The usual check value of CRC-32C.
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(masked(b"123456789"), 0xc78a_b0e5);
    }

    #[test]
    fn parts_have_the_checksum_of_the_whole() {
        for cut in 0..=9 {
            let (a, b) = b"123456789".split_at(cut);
            assert_eq!(masked_of_two(a, b), masked(b"123456789"));
        }
    }
}
