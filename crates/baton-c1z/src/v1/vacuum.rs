//! A database without free pages.

use std::path::Path;

use super::db::{self, Budget};
use super::reader::Reader;
use super::writer::save_database;
use crate::error::Result;
use crate::maintain::RewriteOptions;
use crate::room::{self, Work};
use crate::save::Saver;
use crate::scratch::Scratch;

/// Replaces the v1 file `path` by one whose database was built again.
pub(crate) fn vacuum(path: &Path, saver: &Saver, options: &RewriteOptions) -> Result<()> {
    let (reader, _) = Reader::open_kept(path, &options.read_options())?;
    let Some(old) = reader.into_copy() else {
        return Ok(());
    };
    let bytes = old.file_bytes()?;
    let needed = room::rewritten(bytes, true);
    let new = Scratch::with_room(options.temp_dir.as_deref(), needed, Work::Rewrite)?;
    let rebuild = || {
        let mut conn = db::open_write(old.file_path())?;
        let budget = Budget::set(&mut conn, bytes)?;
        budget.refill();
        conn.execute("vacuum into ?", [db::new_uri(new.file_path())])?;
        conn.close().map_err(|(_, e)| e)
    };
    rebuild().map_err(db::read_error(path, "read its tables"))?;
    drop(old);
    save_database(
        new.file_path(),
        path,
        saver,
        options.compression_level,
        &mut |_| (),
    )?;
    Ok(())
}
