//! The footer: version, checksum kind, and where everything else is found
//! from. Spec §5.5.

use super::block::{Checksum, Handle};
use crate::crc;
use crate::error::Fault;
use crate::wire::Wire;

/// Length of the longest footer: these many bytes from the end suffice.
pub const MAX_FOOTER_BYTES: usize = 61;
/// Where the two handles and their padding end.
const HANDLES_END: usize = 41;
/// Version and magic at the very end.
const END_BYTES: usize = 12;
const MAGIC: [u8; 8] = [0xf0, 0x9f, 0xaa, 0xb3, 0xf0, 0x9f, 0xaa, 0xb3];
const LEVELDB_MAGIC: [u8; 8] = [0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb];
const ROCKSDB_MAGIC: [u8; 8] = [0xf7, 0xcf, 0xf4, 0x85, 0xb7, 0x41, 0xe2, 0x88];

/// Bits of [`Footer::attributes`].
pub mod attribute {
    /// Some values are in value blocks.
    pub const VALUE_BLOCKS: u32 = 1;
    /// Range keys are set.
    pub const RANGE_KEY_SETS: u32 = 2;
    /// Range keys are unset.
    pub const RANGE_KEY_UNSETS: u32 = 4;
    /// Range keys are deleted.
    pub const RANGE_KEY_DELETES: u32 = 8;
    /// There are range tombstones.
    pub const RANGE_TOMBSTONES: u32 = 16;
    /// The index has two levels.
    pub const TWO_LEVEL_INDEX: u32 = 32;
    /// Some values are in blob files.
    pub const BLOB_VALUES: u32 = 64;
    /// There are point entries.
    pub const POINTS: u32 = 128;
}

/// The end of a table file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Footer {
    /// Table format, 1 to 7.
    pub version: u32,
    /// How blocks are checked.
    pub checksum: Checksum,
    /// The block that names the others.
    pub metaindex: Handle,
    /// The block that finds data blocks.
    pub index: Handle,
    /// Bits of [`attribute`]; `None` before version 7.
    pub attributes: Option<u32>,
}

impl Footer {
    /// Reads the footer from the last [`MAX_FOOTER_BYTES`] of a file (or all
    /// of a shorter one) of `file_bytes` bytes.
    ///
    /// # Errors
    /// Files of other programs, versions above 7, wrong checksums, handles
    /// that leave the file, and attributes that stand for range keys or blob
    /// files.
    pub fn parse(tail: &[u8], file_bytes: u64) -> Result<Self, Fault> {
        let (rest, magic) = tail
            .split_last_chunk::<8>()
            .ok_or(Fault::damaged("the file is too short for a table"))?;
        check_magic(*magic)?;
        let (_, version) = rest
            .split_last_chunk::<4>()
            .ok_or(Fault::damaged("the file is too short for a table"))?;
        let version = u32::from_le_bytes(*version);
        let (attribute_bytes, sum_bytes) = match version {
            1..=5 => (0, 0),
            6 => (0, 4),
            7 => (4, 4),
            0 => return Err(Fault::damaged("the table has the version 0")),
            _ => {
                return Err(Fault::Unsupported(
                    format!("the table format version {version}").into(),
                ));
            }
        };
        let len = HANDLES_END + attribute_bytes + sum_bytes + END_BYTES;
        let footer = tail
            .len()
            .checked_sub(len)
            .and_then(|start| tail.get(start..))
            .ok_or(Fault::damaged("the file is too short for its footer"))?;
        let mut wire = Wire::new(footer, "the footer");
        let head = wire.take(HANDLES_END + attribute_bytes)?;
        if sum_bytes > 0 {
            let sum = wire.u32()?;
            if crc::masked_of_two(head, wire.rest()) != sum {
                return Err(Fault::damaged("the checksum of the footer does not match"));
            }
        }
        let (handles, attributes) = head
            .split_at_checked(HANDLES_END)
            .ok_or(Fault::damaged("the footer is cut off"))?;
        let attributes = match attribute_bytes {
            0 => None,
            _ => Some(Wire::new(attributes, "the footer").u32()?),
        };
        let mut wire = Wire::new(handles, "the footer");
        let footer = Self {
            version,
            checksum: Checksum::of(wire.u8()?)?,
            metaindex: Handle::read(&mut wire)?,
            index: Handle::read(&mut wire)?,
            attributes,
        };
        footer.check(file_bytes.saturating_sub(len as u64))?;
        Ok(footer)
    }

    fn check(&self, blocks_end: u64) -> Result<(), Fault> {
        for handle in [self.metaindex, self.index] {
            if handle.end().is_none_or(|end| end > blocks_end) {
                return Err(Fault::damaged("the footer points out of the file"));
            }
        }
        let attributes = self.attributes.unwrap_or_default();
        let range_keys =
            attribute::RANGE_KEY_SETS | attribute::RANGE_KEY_UNSETS | attribute::RANGE_KEY_DELETES;
        if attributes & range_keys != 0 {
            return Err(Fault::unsupported("a table with range keys"));
        }
        if attributes & attribute::BLOB_VALUES != 0 {
            return Err(Fault::unsupported("a table whose values are in blob files"));
        }
        Ok(())
    }

    /// Whether data, index and tombstone blocks are stored by column.
    pub fn has_columnar_blocks(&self) -> bool {
        self.version >= 5
    }

    /// Whether the metaindex is stored by column.
    pub fn has_columnar_metaindex(&self) -> bool {
        self.version >= 6
    }

    /// Whether the properties are stored by column.
    pub fn has_columnar_properties(&self) -> bool {
        self.version >= 7
    }
}

fn check_magic(magic: [u8; 8]) -> Result<(), Fault> {
    match magic {
        MAGIC => Ok(()),
        LEVELDB_MAGIC => Err(Fault::unsupported("a table of LevelDB")),
        ROCKSDB_MAGIC => Err(Fault::unsupported("a table of RocksDB")),
        _ => Err(Fault::damaged("the file does not end as a table does")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: u64 = 1000;

    fn footer(version: u32, attributes: u32) -> Vec<u8> {
        let mut bytes = vec![1, 10, 20, 35, 100];
        bytes.resize(HANDLES_END, 0);
        if version >= 7 {
            bytes.extend(attributes.to_le_bytes());
        }
        let mut end = version.to_le_bytes().to_vec();
        end.extend(MAGIC);
        if version >= 6 {
            bytes.extend(crc::masked_of_two(&bytes, &end).to_le_bytes());
        }
        bytes.extend(end);
        bytes
    }

    #[test]
    fn every_flipped_bit_under_a_checksum_is_found() {
        for version in [6, 7] {
            let bytes = footer(version, 128);
            for bit in 0..bytes.len() * 8 {
                let mut flipped = bytes.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert!(Footer::parse(&flipped, FILE).is_err(), "{version} {bit}");
            }
        }
    }

    #[test]
    fn a_footer_that_is_cut_off_is_damaged() {
        for version in 1..=7 {
            let bytes = footer(version, 0);
            for start in 1..=bytes.len() {
                let fault = Footer::parse(&bytes[start..], FILE).unwrap_err();
                assert!(matches!(fault, Fault::Damaged(_)), "{fault:?}");
            }
        }
    }

    #[test]
    fn what_is_not_supported_is_refused_by_name() {
        let named = |bytes: &[u8]| Footer::parse(bytes, FILE).unwrap_err().to_string();
        assert_eq!(
            named(&footer(8, 0)),
            "the table format version 8 is not supported"
        );
        for bit in [2, 4, 8] {
            let text = named(&footer(7, bit));
            assert_eq!(text, "a table with range keys is not supported");
        }
        assert!(named(&footer(7, 64)).contains("blob files"));
        let mut foreign = footer(1, 0);
        let at = foreign.len() - 8;
        foreign[at..].copy_from_slice(&LEVELDB_MAGIC);
        assert!(named(&foreign).contains("LevelDB"));
        foreign[at..].copy_from_slice(&ROCKSDB_MAGIC);
        assert!(named(&foreign).contains("RocksDB"));
    }

    #[test]
    fn handles_that_leave_the_file_are_damage() {
        let bytes = footer(1, 0);
        // The index ends at 140 with its trailer, the footer has 53 bytes.
        assert!(Footer::parse(&bytes, 140 + 53).is_ok());
        assert!(Footer::parse(&bytes, 140 + 52).is_err());
        assert!(Footer::parse(&bytes, 0).is_err());
        let mut huge = bytes;
        huge[3..13].copy_from_slice(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]);
        assert!(Footer::parse(&huge, FILE).is_err());
    }

    #[test]
    fn every_version_is_read() {
        for version in 1..=7 {
            let mut tail = b"before the footer".to_vec();
            tail.extend(footer(version, 144));
            let got = Footer::parse(&tail, FILE).unwrap();
            let handle = |offset, len| Handle { offset, len };
            assert_eq!(got.version, version);
            assert_eq!(
                (got.metaindex, got.index),
                (handle(10, 20), handle(35, 100))
            );
            assert_eq!(got.attributes, (version == 7).then_some(144));
        }
    }
}
