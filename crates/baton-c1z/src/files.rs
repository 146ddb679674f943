//! The file layer under a sync: few calls, all positional.
//!
//! What a sync writes to be there after a crash goes through [`Files`]: the
//! page log, the sort, the working folder, and the file that replaces the
//! target; so a test can make any single call fail. Not part of it are locks,
//! which are always the operating system's, and what SQLite writes by itself:
//! the database of a v1 file until it is whole. No crash leaves anything
//! there that is read again.

use std::fmt::Debug;
#[cfg(unix)]
use std::fs::Permissions;
use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::path::Path;

use crate::room;

/// The mode of a new file in place of one with `mode`. Members of a group that
/// the new file has instead were strangers to the old one.
#[cfg(unix)]
fn kept_mode(mode: u32, is_group_kept: bool) -> u32 {
    let mode = mode & 0o777;
    if is_group_kept {
        mode
    } else {
        mode & (0o707 | (mode & 0o007) << 3)
    }
}

/// How [`Files::open`] opens a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Open {
    /// For reading and writing; an existing file is emptied.
    Create,
    /// For reading and writing; the file must not exist.
    CreateNew,
    /// For reading and writing; the file must exist.
    Modify,
}

/// The operations on files and folders that a sync needs.
pub trait Files: Debug + Send + Sync {
    /// Opens a file. New files are readable by their owner only, where the
    /// system knows modes.
    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn DataFile>>;
    /// Renames a file over another.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Renames a file to a name that nothing has, not even a dangling link;
    /// else that is [`io::ErrorKind::AlreadyExists`] and nothing changes. By
    /// default another process may still take the name between look and rename.
    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        must_be_free(to)?;
        self.rename(from, to)
    }
    /// Removes a file.
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    /// Creates a folder and its parents, for their owner only where the system
    /// knows modes; an existing one is fine.
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;
    /// Removes a folder with all that is in it.
    fn remove_dir_all(&self, path: &Path) -> io::Result<()>;
    /// Returns when what was created, renamed and removed in a folder is on
    /// the device. Where the system has no such notion, that is at once.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// Bytes that can still be written in a folder; `None` if that is not
    /// known, as by default.
    fn free_bytes(&self, folder: &Path) -> Option<u64> {
        let _ = folder;
        None
    }
}

/// An open file. Positions are given with each call: no hidden cursor.
pub trait DataFile: Debug + Send + Sync {
    /// Reads at `offset`; returns how many bytes, 0 at the end.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes all of `bytes` at `offset`.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Cuts or extends the file.
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// The file's length in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Whether the file is empty.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
    /// Returns when the content is on the device.
    fn sync(&self) -> io::Result<()>;
    /// Gives the file the owner, group and mode of another, as far as that is
    /// permitted. By default nothing happens.
    fn set_access(&self, access: &Access) -> io::Result<()> {
        let _ = access;
        Ok(())
    }
}

/// Who may do what with a file.
#[derive(Debug, Clone)]
pub struct Access {
    found: Metadata,
}

impl Access {
    /// That of a file with these facts.
    pub fn of(found: Metadata) -> Self {
        Self { found }
    }

    /// Gives it to a new file of ours, without set-id bits. A failure to set
    /// owner or group is ignored; the new file then allows no user more than the
    /// old one.
    #[cfg(unix)]
    fn give(&self, file: &File) -> io::Result<()> {
        use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
        let new = file.metadata()?;
        let (owner, group) = (self.found.uid(), self.found.gid());
        let mut is_group_kept = new.gid() == group;
        if !is_group_kept {
            is_group_kept = fchown(file, None, Some(group)).is_ok();
        }
        let mode = kept_mode(self.found.mode(), is_group_kept);
        file.set_permissions(Permissions::from_mode(mode))?;
        if new.uid() != owner {
            // Last, since only the owner may do the rest.
            let _ = fchown(file, Some(owner), None);
        }
        Ok(())
    }

    #[cfg(not(unix))]
    fn give(&self, _: &File) -> io::Result<()> {
        Ok(())
    }
}

impl dyn DataFile + '_ {
    /// Fills `buf` from `offset`; an earlier end of the file is an error.
    pub(crate) fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let mut done = 0;
        while done < buf.len() {
            let n = match self.read_at(&mut buf[done..], offset + done as u64) {
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(e),
            };
            if n == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            done += n;
        }
        Ok(())
    }
}

fn must_be_free(path: &Path) -> io::Result<()> {
    match path.symlink_metadata() {
        Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(e),
    }
}

/// The operating system's files.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemFiles;

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that changes sync files"
)]
impl Files for SystemFiles {
    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn DataFile>> {
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        match how {
            Open::Create => options.create(true).truncate(true),
            Open::CreateNew => options.create_new(true),
            Open::Modify => &mut options,
        };
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        Ok(Box::new(options.open(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        match std::fs::hard_link(from, to) {
            // The file is in its place; an old name that stays is harmless.
            Ok(()) => std::fs::remove_file(from).or(Ok(())),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Err(e),
            // Not every file system has hard links.
            Err(_) => {
                must_be_free(to)?;
                std::fs::rename(from, to)
            }
        }
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_dir_all(path)
    }

    #[cfg(unix)]
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        match File::open(path)?.sync_all() {
            // Some file systems have nothing to make durable here.
            Err(e)
                if matches!(
                    e.kind(),
                    io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
                ) =>
            {
                Ok(())
            }
            other => other,
        }
    }

    #[cfg(not(unix))]
    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn free_bytes(&self, folder: &Path) -> Option<u64> {
        room::free_bytes(folder)
    }
}

impl DataFile for File {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        #[cfg(unix)]
        return std::os::unix::fs::FileExt::read_at(self, buf, offset);
        #[cfg(windows)]
        return std::os::windows::fs::FileExt::seek_read(self, buf, offset);
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        #[cfg(unix)]
        return std::os::unix::fs::FileExt::write_all_at(self, bytes, offset);
        #[cfg(windows)]
        {
            let mut done = 0;
            while done < bytes.len() {
                let at = offset + done as u64;
                match std::os::windows::fs::FileExt::seek_write(self, &bytes[done..], at) {
                    Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Ok(n) => done += n,
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    Err(e) => return Err(e),
                }
            }
            Ok(())
        }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        Self::set_len(self, len)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn set_access(&self, access: &Access) -> io::Result<()> {
        access.give(self)
    }
}

/// Whether the locked file is the one that the path names: its last holder
/// may have removed the folder between our opening and our locking.
pub(crate) fn still_there(file: &File, path: &Path) -> bool {
    let (Ok(ours), Ok(named)) = (file.metadata(), path.metadata()) else {
        return false;
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        ours.dev() == named.dev() && ours.ino() == named.ino()
    }
    #[cfg(not(unix))]
    {
        // No stable file id in the standard library here; the creation time
        // distinguishes a file from its successor unless both are of one tick.
        ours.created().ok() == named.created().ok()
    }
}

/// Reads a file forward from an offset through a buffer, lending slices.
#[derive(Debug)]
pub(crate) struct Forward<'a> {
    file: &'a dyn DataFile,
    /// Offset in the file of `buf[0]`.
    base: u64,
    /// As large as was ever needed; the bytes before `filled` are the file's.
    buf: Vec<u8>,
    filled: usize,
    pos: usize,
    /// Bytes at and after this offset are not read.
    end: u64,
    chunk: usize,
}

impl<'a> Forward<'a> {
    /// Reads `file` from `start` to before `end`, `chunk` bytes at a time.
    pub(crate) fn new(file: &'a dyn DataFile, start: u64, end: u64, chunk: usize) -> Self {
        Self {
            file,
            base: start,
            buf: Vec::new(),
            filled: 0,
            pos: 0,
            end,
            chunk: chunk.max(1),
        }
    }

    /// Offset of the next byte that [`Forward::take`] will give.
    pub(crate) fn offset(&self) -> u64 {
        self.base + self.pos as u64
    }

    /// Bytes that remain before the end.
    pub(crate) fn remaining(&self) -> u64 {
        self.end.saturating_sub(self.offset())
    }

    /// The next `n` bytes without consuming them, or `None` if fewer remain.
    /// The caller bounds `n`; the buffer grows to it.
    pub(crate) fn peek(&mut self, n: usize) -> io::Result<Option<&[u8]>> {
        if (n as u64) > self.remaining() {
            return Ok(None);
        }
        if self.filled - self.pos < n {
            self.fill(n)?;
        }
        Ok(self.buf.get(self.pos..self.pos + n))
    }

    /// The next `n` bytes, or `None` if fewer remain.
    pub(crate) fn take(&mut self, n: usize) -> io::Result<Option<&[u8]>> {
        if self.peek(n)?.is_none() {
            return Ok(None);
        }
        self.pos += n;
        Ok(self.buf.get(self.pos - n..self.pos))
    }

    /// `n` bytes that an earlier [`Forward::peek`] made available.
    pub(crate) fn peeked(&self, n: usize) -> &[u8] {
        self.buf.get(self.pos..self.pos + n).unwrap_or_default()
    }

    fn fill(&mut self, need: usize) -> io::Result<()> {
        self.buf.copy_within(self.pos..self.filled, 0);
        self.base += self.pos as u64;
        self.filled -= self.pos;
        self.pos = 0;
        let after = self.base + self.filled as u64;
        let room = self.end.saturating_sub(after);
        let want = (need - self.filled).max(self.chunk);
        let n = usize::try_from(room.min(want as u64)).unwrap_or(want);
        let filled = self.filled + n;
        if self.buf.len() < filled {
            self.buf.resize(filled, 0);
        }
        self.file
            .read_exact_at(&mut self.buf[self.filled..filled], after)?;
        self.filled = filled;
        Ok(())
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn without_its_group_a_file_gives_nobody_more_than_before() {
        for (mode, kept, lost) in [
            (0o6755, 0o755, 0o755),
            (0o100_640, 0o640, 0o600),
            (0o664, 0o664, 0o644),
            (0o1777, 0o777, 0o777),
            (0o604, 0o604, 0o604),
        ] {
            assert_eq!(kept_mode(mode, true), kept, "{mode:o}");
            assert_eq!(kept_mode(mode, false), lost, "{mode:o}");
        }
    }
}
