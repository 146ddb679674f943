//! The header of a SQLite database: how long the database can be.
//!
//! The header states the number of pages, and counts changes twice. Where both
//! counts agree, the number of pages is right, and SQLite reads no page behind
//! it. Where they differ, a writer that does not update the number has changed
//! the file since, and the file's length counts (SQLite file format, §1.3.7).

/// Bytes of the header.
pub(super) const HEADER_BYTES: usize = 100;
/// What every database that is not empty begins with.
pub(super) const MAGIC: &[u8] = b"SQLite format 3\0";
/// A database whose header does not state its length may be so many times as
/// long as its compressed form, and so many bytes longer.
const MAX_RATIO: u64 = 256;
const MAX_EXTRA_BYTES: u64 = 256 << 20;

/// How many bytes of content there can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    /// As many as the header states.
    Announced(u64),
    /// The header does not state it; at most this many.
    AtMost(u64),
}

/// Reads the header at the beginning of content; `file_bytes` is the length
/// of its compressed form. `None` if it is not that of a database.
pub(super) fn length(content: &[u8], file_bytes: u64) -> Option<Length> {
    let header = content.get(..HEADER_BYTES)?;
    if !header.starts_with(MAGIC) {
        return None;
    }
    let number = |at: usize| {
        let bytes = header.get(at..at + 4).unwrap_or_default();
        bytes.iter().fold(0, |n, b| n << 8 | u64::from(*b))
    };
    let page_bytes = match number(16) >> 16 {
        1 => 65_536,
        size if (512..=32_768).contains(&size) && size.is_power_of_two() => size,
        _ => return None,
    };
    let (pages, is_current) = (number(28), number(24) == number(92));
    if pages > 0 && is_current {
        return Some(Length::Announced(pages * page_bytes));
    }
    let believed = file_bytes
        .saturating_mul(MAX_RATIO)
        .saturating_add(MAX_EXTRA_BYTES);
    Some(Length::AtMost(believed.max(pages * page_bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(page: u16, pages: u32, changes: u32, valid_for: u32) -> Vec<u8> {
        let mut bytes = vec![0; HEADER_BYTES];
        bytes[..16].copy_from_slice(MAGIC);
        bytes[16..18].copy_from_slice(&page.to_be_bytes());
        bytes[24..28].copy_from_slice(&changes.to_be_bytes());
        bytes[28..32].copy_from_slice(&pages.to_be_bytes());
        bytes[92..96].copy_from_slice(&valid_for.to_be_bytes());
        bytes
    }

    #[test]
    fn a_current_header_says_how_long_the_database_is() {
        let announced = |page, pages| length(&header(page, pages, 7, 7), 1000);
        assert_eq!(announced(4096, 3), Some(Length::Announced(12_288)));
        assert_eq!(announced(1, 2), Some(Length::Announced(131_072)));
        let most = length(&header(1, u32::MAX, 7, 7), 0);
        assert_eq!(most, Some(Length::Announced(u64::from(u32::MAX) * 65_536)));
    }

    #[test]
    fn a_stale_header_leaves_a_bound_that_grows_with_the_file() {
        for stale in [header(4096, 3, 7, 6), header(4096, 0, 7, 7)] {
            let Some(Length::AtMost(bytes)) = length(&stale, 1000) else {
                panic!("announced");
            };
            assert_eq!(bytes, MAX_EXTRA_BYTES + 256_000);
        }
        let large = length(&header(1, 1 << 20, 7, 6), 0);
        assert_eq!(large, Some(Length::AtMost(1 << 36)));
    }

    #[test]
    fn what_is_no_header_is_refused() {
        let good = header(4096, 3, 7, 7);
        for len in 0..HEADER_BYTES {
            assert_eq!(length(&good[..len], 1000), None, "{len}");
        }
        for page in [0, 2, 256, 511, 513, 4095, 65_535] {
            assert_eq!(length(&header(page, 3, 7, 7), 1000), None, "{page}");
        }
        assert_eq!(length(&[0; 4096], 1000), None);
    }
}
