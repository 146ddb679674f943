//! Adds rows to a table, replaces or removes them. Every other byte of the file
//! stays.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use csv::{Reader, StringRecord, Terminator, WriterBuilder};

use crate::folder::{FolderError, Link, rows};

/// What becomes of the rows of one table.
pub(crate) trait Edit {
    /// Whether the row is one of those that are meant.
    fn is_meant(&self, columns: &StringRecord, row: &StringRecord) -> csv::Result<bool>;

    /// What takes the place of such a row; of `None` where the table has none.
    fn instead(
        &self,
        columns: &StringRecord,
        row: Option<&StringRecord>,
    ) -> csv::Result<Option<StringRecord>>;
}

/// Makes the table `file` have the row of `link`, or have none of it.
pub(crate) fn set(
    folder: &Path,
    file: &'static str,
    link: &Link,
    wanted: bool,
) -> Result<(), FolderError> {
    apply(folder, file, &LinkEdit { link, wanted }).map(drop)
}

/// Edits the table `file`. False if it is as wanted and was not touched.
///
/// The folder is locked from reading to renaming, so no change that another
/// process makes at the same time is lost. The lock ends with the process.
pub(crate) fn apply(
    folder: &Path,
    file: &'static str,
    edit: &dyn Edit,
) -> Result<bool, FolderError> {
    let path = || folder.join(file);
    let write = |source| FolderError::Write {
        path: path(),
        source,
    };
    // If the table is a symbolic link, its file is replaced.
    let table = fs::canonicalize(path()).map_err(write)?;
    let place = File::open(table.parent().unwrap_or(folder)).map_err(write)?;
    place.lock().map_err(write)?;
    let old = fs::read(&table).map_err(write)?;
    let new = edited(&old, edit).map_err(|source| FolderError::Table { file, source })?;
    let Some(new) = new else { return Ok(false) };
    replace(&table, &new).map_err(write)?;
    let sync = |source| FolderError::Sync {
        path: path(),
        source,
    };
    place.sync_all().map_err(sync)?;
    Ok(true)
}

/// The table after the change; `None` if it is as wanted.
fn edited(old: &[u8], edit: &dyn Edit) -> csv::Result<Option<Vec<u8>>> {
    let mut reader = rows(old);
    let columns = reader.headers()?.clone();
    let position = |reader: &Reader<&[u8]>| {
        let byte = usize::try_from(reader.position().byte());
        byte.map_or(old.len(), |byte| byte.min(old.len()))
    };
    let line_end = match old.split_at(position(&reader)) {
        ([.., b'\r'], [b'\n', ..]) => Terminator::CRLF,
        ([.., b'\r'], _) => Terminator::Any(b'\r'),
        _ => Terminator::Any(b'\n'),
    };
    let (mut new, mut kept, mut found, mut differs) = (Vec::new(), 0, false, false);
    let mut row = StringRecord::new();
    let mut start = position(&reader);
    while reader.read_record(&mut row)? {
        let end = position(&reader);
        if edit.is_meant(&columns, &row)? {
            found = true;
            let instead = edit.instead(&columns, Some(&row))?;
            if instead.as_ref() != Some(&row) {
                differs = true;
                // A row begins after line ends and ends with one.
                let is_line_end = |byte: &&u8| matches!(byte, b'\r' | b'\n');
                let begin = start + old[start..].iter().take_while(is_line_end).count();
                new.extend_from_slice(&old[kept..begin]);
                let split = old[..end].ends_with(b"\r") && old[end..].starts_with(b"\n");
                kept = end + usize::from(split);
                if let Some(instead) = instead {
                    append(&mut new, &instead, line_end)?;
                }
            }
        }
        start = end;
    }
    new.extend_from_slice(&old[kept..]);
    if !found && let Some(added) = edit.instead(&columns, None)? {
        differs = true;
        append(&mut new, &added, line_end)?;
    }
    Ok(differs.then_some(new))
}

/// The names of a table's columns.
pub(crate) fn columns(folder: &Path, file: &'static str) -> Result<StringRecord, FolderError> {
    let path = folder.join(file);
    let table = fs::read(&path).map_err(|source| FolderError::Read { path, source })?;
    let columns = rows(&table).headers().cloned();
    columns.map_err(|source| FolderError::Table { file, source })
}

struct LinkEdit<'a> {
    link: &'a Link,
    wanted: bool,
}

impl Edit for LinkEdit<'_> {
    fn is_meant(&self, columns: &StringRecord, row: &StringRecord) -> csv::Result<bool> {
        Ok(row.deserialize::<Link>(Some(columns))? == *self.link)
    }

    fn instead(
        &self,
        columns: &StringRecord,
        row: Option<&StringRecord>,
    ) -> csv::Result<Option<StringRecord>> {
        if let (Some(row), true) = (row, self.wanted) {
            return Ok(Some(row.clone()));
        }
        let value = |column| match column {
            "group" | "role" | "to" => &self.link.to,
            "kind" => self.link.kind.word(),
            "id" => &self.link.id,
            _ => "",
        };
        let row: StringRecord = columns.iter().map(value).collect();
        // A table without these columns gets no row.
        row.deserialize::<Link>(Some(columns))?;
        Ok(self.wanted.then_some(row))
    }
}

fn append(table: &mut Vec<u8>, row: &StringRecord, line_end: Terminator) -> csv::Result<()> {
    if !table.ends_with(b"\n") && !table.ends_with(b"\r") {
        table.extend_from_slice(match line_end {
            Terminator::CRLF => b"\r\n",
            Terminator::Any(b'\r') => b"\r",
            _ => b"\n",
        });
    }
    let mut writer = WriterBuilder::new().terminator(line_end).from_writer(table);
    writer.write_record(row)?;
    Ok(writer.flush()?)
}

/// Puts a file with this content in the place of the table, or leaves all as it
/// is.
#[expect(
    clippy::disallowed_methods,
    reason = "the tables are the application's; they are no sync files"
)]
fn replace(table: &Path, content: &[u8]) -> io::Result<()> {
    let permissions = fs::metadata(table)?.permissions();
    if permissions.readonly() {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let draft = table.with_extension("csv.new");
    let mut file = File::create(&draft)?;
    let written = file
        .set_permissions(permissions)
        .and_then(|()| file.write_all(content))
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&draft, table));
    if written.is_err() {
        let _ = fs::remove_file(&draft);
    }
    written
}
