//! The sync runs of a large v1 file from its first pages alone.
//!
//! Writers put the schema and the runs before the rows. So the beginning of
//! the stream, laid into a file of the full size whose rest is a hole, is a
//! database that answers for its runs. Whatever lies in the hole reads as
//! zeros: a page that is none, or a text of NULs. Both mean "not reached".

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use super::{Opened, db, leave_write_ahead_mode, open_content, runs};
use crate::ReadOptions;
use crate::error::Result;
use crate::room::Work;
use crate::run::SyncRun;
use crate::scratch::Scratch;

/// How much is decompressed.
const PREFIX_BYTES: usize = 1 << 20;

/// The runs, or `None` if only the whole file has them.
pub(crate) fn runs_in_prefix(path: &Path, options: &ReadOptions) -> Result<Option<Vec<SyncRun>>> {
    let Opened {
        mut content,
        first,
        limit,
        ..
    } = open_content(path, &options.limits)?;
    let Some(size) = content.declared() else {
        return Ok(None);
    };
    let mut len = first.len();
    let mut prefix = first;
    prefix.resize(PREFIX_BYTES, 0);
    while len < prefix.len() {
        let n = content.read(&mut prefix[len..])?;
        if n == 0 {
            break;
        }
        len += n;
    }
    if size > limit {
        // The limit is checked, and reported, when all of it is unpacked.
        return Ok(None);
    }
    // The rest is a hole.
    let temp_dir = options.temp_dir.as_deref();
    let scratch = Scratch::with_room(temp_dir, len as u64, Work::UnpackBeginning)?;
    let file = scratch.create_file()?;
    if fill(file, &prefix[..len], size).is_err() {
        return Ok(None);
    }
    leave_write_ahead_mode(scratch.file_path())?;
    // What is wrong here may be right in the whole file, so an error of the
    // database is not reported yet.
    let found = db::open_read(scratch.file_path(), len as u64)
        .and_then(|(conn, _budget)| runs::read(&conn));
    Ok(found.ok().filter(|runs| runs.iter().all(is_reached)))
}

fn fill(mut file: File, prefix: &[u8], size: u64) -> io::Result<()> {
    file.write_all(prefix)?;
    file.set_len(size.max(prefix.len() as u64))
}

fn is_reached(run: &SyncRun) -> bool {
    let texts = [
        &run.id,
        &run.sync_type,
        &run.sync_token,
        &run.parent_sync_id,
        &run.linked_sync_id,
    ];
    // Stored counts in the hole would have failed to parse and be absent.
    let whole_stats = run.stats.is_some() || !run.is_finished();
    whole_stats && texts.iter().all(|text| !text.contains('\0'))
}
