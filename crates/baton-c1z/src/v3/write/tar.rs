//! What a tar archive of a directory without folders is made of.
//!
//! Owner, group and time are left at zero, so that equal files give equal
//! archives.

use std::io;

use tar::{EntryType, Header};

const BLOCK_BYTES: usize = 512;

/// Two empty blocks end an archive.
pub(super) const END: [u8; 2 * BLOCK_BYTES] = [0; 2 * BLOCK_BYTES];

/// The header of a regular file.
pub(super) fn header(name: &str, bytes: u64) -> io::Result<[u8; BLOCK_BYTES]> {
    let mut header = Header::new_ustar();
    header.set_path(name)?;
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(bytes);
    header.set_cksum();
    Ok(*header.as_bytes())
}

/// What follows a file's content up to the next header.
pub(super) fn padding(bytes: u64) -> &'static [u8] {
    let block = BLOCK_BYTES as u64;
    let missing = bytes.next_multiple_of(block) - bytes;
    // Less than a block, which is half of the end.
    let missing = usize::try_from(missing).unwrap_or(0);
    END.get(..missing).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_does_not_fit_is_refused() {
        assert!(header(&"n".repeat(300), 0).is_err());
        assert!(header("/rooted", 0).is_err());
    }

    #[test]
    fn headers_of_equal_files_are_equal_and_hold_name_and_size() {
        let block = header("000004.sst", 0o1734).expect("fits");
        assert_eq!(block, header("000004.sst", 0o1734).expect("fits"));
        assert!(block.starts_with(b"000004.sst\0"));
        assert_eq!(Header::from_byte_slice(&block).size().ok(), Some(0o1734));
    }

    #[test]
    fn files_are_filled_up_to_whole_blocks() {
        for (bytes, padded) in [(0, 0), (1, 511), (511, 1), (512, 0), (513, 511)] {
            assert_eq!(padding(bytes).len(), padded);
        }
    }
}
