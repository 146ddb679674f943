//! The beginning of a database, as a database of its own.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use super::leave_write_ahead_mode;
use crate::ReadOptions;
use crate::envelope::Content;
use crate::error::{Error, Result};
use crate::room::Work;
use crate::scratch::Scratch;

/// Bytes decoded at a time.
const DECODED_BYTES: usize = 256 << 10;
/// Bytes of a database's header (SQLite file format §1.3).
const HEADER_BYTES: usize = 100;
/// Where it has the size of a page, 1 meaning 65,536, and their number.
const PAGE_SIZE_OFFSET: usize = 16;
const PAGE_COUNT_OFFSET: u64 = 28;

/// Decodes up to `bytes` of `file`, cut to whole pages. `None` if that is no
/// beginning of a database, or if there is no more than that.
pub(super) fn unpack(
    path: &Path,
    file: &File,
    bytes: u64,
    options: &ReadOptions,
) -> Result<Option<Scratch>> {
    let mut content = Content::of_file(path, file, &options.limits)?;
    let scratch = Scratch::with_room(options.temp_dir.as_deref(), bytes, Work::UnpackBeginning)?;
    let failed = |e| Error::io("write", scratch.file_path(), e);
    let mut out = scratch.create_file()?;
    let mut buf = vec![0; DECODED_BYTES];
    let mut header = Vec::with_capacity(HEADER_BYTES);
    let mut done = 0;
    while done < bytes {
        let want = usize::try_from(bytes - done).unwrap_or(DECODED_BYTES);
        let want = want.min(DECODED_BYTES);
        let n = content.read(buf.get_mut(..want).unwrap_or_default())?;
        let read = buf.get(..n).unwrap_or_default();
        if n == 0 {
            return Ok(None);
        }
        header.extend(read.iter().take(HEADER_BYTES.saturating_sub(header.len())));
        out.write_all(read).map_err(failed)?;
        done += n as u64;
    }
    let Some(page_bytes) = page_bytes(&header) else {
        return Ok(None);
    };
    let Some(pages) = u32::try_from(done / page_bytes).ok().filter(|n| *n > 0) else {
        return Ok(None);
    };
    out.set_len(u64::from(pages) * page_bytes)
        .and_then(|()| out.seek(SeekFrom::Start(PAGE_COUNT_OFFSET)))
        .and_then(|_| out.write_all(&pages.to_be_bytes()))
        .map_err(failed)?;
    drop(out);
    leave_write_ahead_mode(scratch.file_path())?;
    Ok(Some(scratch))
}

fn page_bytes(header: &[u8]) -> Option<u64> {
    let magic = header.strip_prefix(super::header::MAGIC)?;
    let size = magic.first_chunk::<2>()?;
    debug_assert_eq!(PAGE_SIZE_OFFSET, super::header::MAGIC.len());
    match u64::from(u16::from_be_bytes(*size)) {
        1 => Some(1 << 16),
        size if size.is_power_of_two() && size >= 512 => Some(size),
        _ => None,
    }
}
