//! Makes checksums right again, so that mutations reach what is behind them.
//! Whatever cannot be found is left as it is.

use baton_pebble::crc;
use baton_pebble::table::{Checksum, Footer, Handle, IndexCursor, Layout, decode_block, pairs};
use bytes::Bytes;
use xxhash_rust::xxh64::xxh64;

/// Chunks of logs do not cross multiples of this.
const LOG_BLOCK: usize = 32 << 10;
/// Checksum, length and kind of a chunk.
const CHUNK_HEADER: usize = 7;
/// Compression and checksum behind a block's data.
const BLOCK_TRAILER: usize = 5;
/// Fixed part of a page log's header, which ends with length and checksum.
const PAGE_LOG_HEADER: usize = 20;
/// Most blocks of a table that are repaired.
const MAX_BLOCKS: usize = 256;

/// Repairs the chunks of a manifest or log.
pub fn chunks(data: &mut [u8]) {
    for block in data.chunks_mut(LOG_BLOCK) {
        let mut rest = block;
        while let [_, _, _, _, low, high, kind, ..] = *rest {
            let header = match kind {
                1..=4 => CHUNK_HEADER,
                5..=8 => CHUNK_HEADER + 4,
                9..=12 => CHUNK_HEADER + 12,
                _ => break,
            };
            let len = header + usize::from(u16::from_le_bytes([low, high]));
            let Some((chunk, after)) = rest.split_at_mut_checked(len) else {
                break;
            };
            if let Some((sum, covered)) = chunk.split_first_chunk_mut::<4>()
                && let Some(covered) = covered.get(2..)
            {
                *sum = crc::masked(covered).to_le_bytes();
            }
            rest = after;
        }
    }
}

/// Repairs the footer of a table; it ends where `data` does.
pub fn footer(data: &mut [u8]) {
    // Versions from 6 on have a checksum between handles and version.
    let Some((rest, end)) = data.split_last_chunk_mut::<12>() else {
        return;
    };
    let head = match end.first() {
        Some(6) => 41,
        Some(7) => 45,
        _ => return,
    };
    if let Some((rest, sum)) = rest.split_last_chunk_mut::<4>()
        && let Some(at) = rest.len().checked_sub(head)
        && let Some(head) = rest.get(at..)
    {
        *sum = crc::masked_of_two(head, end).to_le_bytes();
    }
}

/// Repairs the checksums of a table: that of the footer, and those of the
/// blocks that are found from there.
pub fn table(data: &mut [u8]) {
    footer(data);
    let Ok(footer) = Footer::parse(data, data.len() as u64) else {
        return;
    };
    let mut left = MAX_BLOCKS;
    if let Some(block) = repaired(data, footer.metaindex, footer.checksum, &mut left) {
        let layout = if footer.has_columnar_metaindex() {
            Layout::Columns
        } else {
            Layout::Rows
        };
        let mut handles = Vec::new();
        // What is malformed has no more handles.
        let _ = pairs(&block, layout, |_, value| {
            handles.extend(handle(value));
            Ok(())
        });
        for handle in handles {
            repaired(data, handle, footer.checksum, &mut left);
        }
    }
    let Some(index) = repaired(data, footer.index, footer.checksum, &mut left) else {
        return;
    };
    for block in blocks(data, index, &footer, &mut left) {
        // If the index has two levels, this is the lower one.
        blocks(data, block, &footer, &mut left);
    }
}

/// Repairs the blocks that an index block points to.
fn blocks(data: &mut [u8], index: Bytes, footer: &Footer, left: &mut usize) -> Vec<Bytes> {
    let mut found = Vec::new();
    if let Ok(mut cursor) = IndexCursor::new(index, footer.has_columnar_blocks()) {
        while *left > 0 && matches!(cursor.advance(), Ok(true)) {
            found.extend(repaired(data, cursor.handle(), footer.checksum, left));
        }
    }
    found
}

/// Repairs the block at `handle` and decodes it.
fn repaired(
    data: &mut [u8],
    handle: Handle,
    checksum: Checksum,
    left: &mut usize,
) -> Option<Bytes> {
    *left = left.checked_sub(1)?;
    let start = usize::try_from(handle.offset).ok()?;
    let len = usize::try_from(handle.len).ok()?;
    let end = start.checked_add(len)?.checked_add(BLOCK_TRAILER)?;
    let stored = data.get_mut(start..end)?;
    let (covered, sum) = stored.split_last_chunk_mut::<4>()?;
    *sum = block_sum(checksum, covered);
    decode_block(&Bytes::copy_from_slice(stored), checksum).ok()
}

/// Repairs the header and the records of a page log.
pub fn page_log(data: &mut [u8]) {
    let Some((header, rest)) = data.split_at_mut_checked(PAGE_LOG_HEADER) else {
        return;
    };
    let mut rest = rest;
    let [.., l0, l1, l2, l3, s0, s1, s2, s3] = header else {
        return;
    };
    let mut sum = [s0, s1, s2, s3];
    let mut len = u32::from_le_bytes([*l0, *l1, *l2, *l3]);
    let mut kind = 0;
    loop {
        let Some((payload, after)) = usize::try_from(len)
            .ok()
            .and_then(|len| std::mem::take(&mut rest).split_at_mut_checked(len))
        else {
            return;
        };
        let mut crc = crc32fast::Hasher::new();
        crc.update(&u64::from(len).to_le_bytes());
        crc.update(&[kind]);
        crc.update(payload);
        for (to, from) in sum.iter_mut().zip(crc.finalize().to_le_bytes()) {
            **to = from;
        }
        let [l0, l1, l2, l3, s0, s1, s2, s3, its_kind, after @ ..] = after else {
            return;
        };
        sum = [s0, s1, s2, s3];
        len = u32::from_le_bytes([*l0, *l1, *l2, *l3]);
        kind = *its_kind;
        rest = after;
    }
}

/// The checksum behind a block.
pub fn block_sum(checksum: Checksum, covered: &[u8]) -> [u8; 4] {
    match checksum {
        Checksum::Crc32c => crc::masked(covered).to_le_bytes(),
        Checksum::XxHash64 => {
            let [a, b, c, d, ..] = xxh64(covered, 0).to_le_bytes();
            [a, b, c, d]
        }
    }
}

/// The handle that `value` starts with.
fn handle(value: &[u8]) -> Option<Handle> {
    let (offset, rest) = varint(value)?;
    let (len, _) = varint(rest)?;
    Some(Handle { offset, len })
}

fn varint(data: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0;
    for (n, byte) in data.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f) << (7 * n).min(63);
        if byte & 0x80 == 0 {
            return Some((value, data.get(n + 1..)?));
        }
    }
    None
}
