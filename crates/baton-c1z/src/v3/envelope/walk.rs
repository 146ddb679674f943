//! An archive looked at while it is decoded: content that is longer than its
//! own entries announce is refused before it fills a disk.

/// Bytes of a block, and of an entry's header.
const BLOCK_BYTES: usize = 512;
/// Blocks of zeros that end an archive.
const END_BLOCKS: u32 = 2;
/// Bytes that may follow the end: writers fill up to a size of their own.
const MAX_TAIL_BYTES: u64 = 1 << 20;
/// Where a header has the size of its entry, and its sum.
const SIZE: std::ops::Range<usize> = 124..136;
const SUM: std::ops::Range<usize> = 148..156;

/// Where in an archive the decoding is.
pub(super) struct Walk {
    block: [u8; BLOCK_BYTES],
    filled: usize,
    /// Bytes of the present entry that are still to come.
    left: u64,
    end_blocks: u32,
    tail: u64,
}

impl Walk {
    pub fn new() -> Self {
        Self {
            block: [0; BLOCK_BYTES],
            filled: 0,
            left: 0,
            end_blocks: 0,
            tail: 0,
        }
    }

    /// Takes the next bytes; the error describes what is wrong with them.
    pub fn take(&mut self, mut bytes: &[u8]) -> Result<(), &'static str> {
        while !bytes.is_empty() {
            if self.end_blocks == END_BLOCKS {
                self.tail += bytes.len() as u64;
                if self.tail > MAX_TAIL_BYTES {
                    return Err("data follows the end of its archive");
                }
                return Ok(());
            }
            if self.left > 0 {
                let n = usize::try_from(self.left)
                    .unwrap_or(usize::MAX)
                    .min(bytes.len());
                self.left -= n as u64;
                bytes = bytes.get(n..).unwrap_or_default();
                continue;
            }
            let n = (BLOCK_BYTES - self.filled).min(bytes.len());
            let (now, later) = bytes.split_at(n);
            if let Some(room) = self.block.get_mut(self.filled..self.filled + n) {
                room.copy_from_slice(now);
            }
            self.filled += n;
            bytes = later;
            if self.filled == BLOCK_BYTES {
                self.filled = 0;
                self.header()?;
            }
        }
        Ok(())
    }

    fn header(&mut self) -> Result<(), &'static str> {
        if self.block.iter().all(|byte| *byte == 0) {
            self.end_blocks += 1;
            return Ok(());
        }
        self.end_blocks = 0;
        let sum = octal(self.block.get(SUM).unwrap_or_default());
        // The sum's own bytes count as blanks.
        let blanks = SUM.len() as u64 * u64::from(b' ');
        let others = self.block.iter().enumerate();
        let others = others.filter(|(at, _)| !SUM.contains(at));
        let found = others.map(|(_, byte)| u64::from(*byte)).sum::<u64>() + blanks;
        if sum != Some(found) {
            return Err("its archive has a malformed entry");
        }
        let size = number(self.block.get(SIZE).unwrap_or_default());
        let size = size.ok_or("its archive has a malformed entry")?;
        self.left = size
            .checked_next_multiple_of(BLOCK_BYTES as u64)
            .ok_or("its archive has a malformed entry")?;
        Ok(())
    }
}

/// A size: in octal digits, or in binary behind a set first bit.
fn number(field: &[u8]) -> Option<u64> {
    match field.split_first() {
        Some((first, rest)) if first & 0x80 != 0 => {
            let (high, low) = rest.split_at_checked(rest.len().checked_sub(8)?)?;
            let is_small = *first == 0x80 && high.iter().all(|byte| *byte == 0);
            is_small.then(|| low.iter().fold(0, |n, byte| n << 8 | u64::from(*byte)))
        }
        _ => octal(field),
    }
}

fn octal(field: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(field).ok()?;
    let text = text.trim_matches([' ', '\0']);
    if text.is_empty() {
        return Some(0);
    }
    u64::from_str_radix(text, 8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(files: &[(&str, usize)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, len) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(*len as u64);
            header.set_mode(0o600);
            let content = vec![b'x'; *len];
            builder
                .append_data(&mut header, name, content.as_slice())
                .expect("in memory");
        }
        builder.into_inner().expect("in memory")
    }

    fn walk(bytes: &[u8], step: usize) -> Result<(), &'static str> {
        let mut walk = Walk::new();
        bytes.chunks(step).try_for_each(|part| walk.take(part))
    }

    #[test]
    fn archives_pass_whatever_the_pieces() {
        let long = "d/".repeat(100) + "name";
        let whole = archive(&[("empty", 0), ("a", 1), ("b", 512), (&long, 5000)]);
        for step in [1, 7, 511, 512, 513, 100_000] {
            assert_eq!(walk(&whole, step), Ok(()), "{step}");
        }
        let mut filled_up = whole.clone();
        filled_up.resize(whole.len().next_multiple_of(10_240), 0);
        assert_eq!(walk(&filled_up, 1000), Ok(()));
    }

    #[test]
    fn what_no_entry_announces_is_refused() {
        let zeros = vec![0; 2 << 20];
        assert!(walk(&zeros, 4096).is_err());
        let mut whole = archive(&[("a", 1)]);
        whole.extend_from_slice(&zeros);
        assert!(walk(&whole, 4096).is_err());
        let mut damaged = archive(&[("a", 1)]);
        damaged[0] ^= 1;
        assert!(walk(&damaged, 4096).is_err());
        assert!(walk(&vec![b'x'; 4096], 4096).is_err());
    }

    #[test]
    fn sizes_are_read_in_both_notations() {
        assert_eq!(number(b"00000001750\0"), Some(1000));
        let mut binary = [0; 12];
        binary[0] = 0x80;
        binary[10] = 1;
        assert_eq!(number(&binary), Some(256));
        binary[1] = 1;
        assert_eq!(number(&binary), None);
        assert_eq!(number(b"0000000175x\0"), None);
    }
}
