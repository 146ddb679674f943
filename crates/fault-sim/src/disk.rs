//! A file layer that fails on command, and forgets what a loss of power would.
//!
//! It writes through to real files, so that readers that know nothing of it
//! (and SQLite) see what is there. Beside them it remembers, for each file,
//! what was forced to the device and what was only written, and the changes
//! of folders since they were last forced. A kill stops everything from that
//! operation on; a loss of power then undoes a part of what was not
//! forced: the last changes of folders, and of the writes to a file all after
//! some point (the last of them perhaps torn), or any of them.

use std::collections::HashMap;
use std::fs;
use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use baton_c1z::{Access, DataFile, Files, Open, SystemFiles};
use tokio::sync::Notify;

use crate::random::Dice;

/// A seal begins by making this folder.
const SEAL: &str = "seal";

/// Something that goes wrong on the disk. Operations that change something
/// are counted from 1 in each attempt; reads are counted apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskFault {
    /// This operation fails; of a write the first half arrives.
    Fails(u64),
    /// From this operation on the disk is full: what needs room fails.
    FullFrom(u64),
    /// This read fails.
    ReadFails(u64),
    /// The process is killed in this operation, which arrives in part.
    Kill(u64),
    /// As `Kill`, and the power is lost.
    PowerLoss(u64),
}

/// What a file holds for sure, and what was written since.
#[derive(Debug, Default)]
struct Content {
    forced: Vec<u8>,
    since: Vec<Write>,
}

#[derive(Debug, Clone)]
enum Write {
    At(u64, Vec<u8>),
    Length(u64),
}

impl Write {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::At(offset, new) => {
                let start = usize::try_from(*offset).unwrap_or(usize::MAX);
                let end = start + new.len();
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                bytes[start..end].copy_from_slice(new);
            }
            Self::Length(len) => {
                bytes.resize(usize::try_from(*len).unwrap_or(usize::MAX), 0);
            }
        }
    }
}

/// A change of a folder, with what takes it back.
#[derive(Debug)]
enum Entry {
    Created(PathBuf),
    Renamed {
        from: PathBuf,
        to: PathBuf,
        replaced: Option<Vec<u8>>,
    },
    Removed(PathBuf, Vec<u8>),
}

#[derive(Debug, Default)]
struct State {
    faults: Vec<DiskFault>,
    changes: u64,
    reads: u64,
    full: bool,
    /// Nothing goes wrong before the seal begins, nor is it counted.
    collecting: bool,
    killed: bool,
    power_lost: bool,
    contents: HashMap<PathBuf, Arc<Mutex<Content>>>,
    entries: Vec<Entry>,
}

/// The disk of one simulated machine. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Disk {
    state: Arc<Mutex<State>>,
    killed: Arc<Notify>,
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

fn dead() -> Error {
    Error::other("the simulated process is dead")
}

/// What is to become of an operation.
enum Fate {
    Done,
    Fails(Error),
    /// It arrives in part, and nothing after it does.
    Dies,
}

impl Disk {
    /// The process starts with these faults ahead of it, or ahead of its seal.
    pub fn start(&self, faults: Vec<DiskFault>, in_seal: bool) {
        let mut state = lock(&self.state);
        (state.faults, state.collecting) = (faults, in_seal);
        (state.changes, state.reads) = (0, 0);
        (state.full, state.killed, state.power_lost) = (false, false, false);
    }

    /// Kills the process now; the power goes too if `power` is set.
    pub fn kill(&self, power: bool) {
        let mut state = lock(&self.state);
        if !state.killed {
            (state.killed, state.power_lost) = (true, power);
            self.killed.notify_one();
        }
    }

    /// Returns when the process is killed.
    pub async fn until_killed(&self) {
        while !self.is_killed() {
            self.killed.notified().await;
        }
    }

    /// Whether the process is dead.
    pub fn is_killed(&self) -> bool {
        lock(&self.state).killed
    }

    /// Operations of this attempt that changed something.
    pub fn changes(&self) -> u64 {
        lock(&self.state).changes
    }

    /// Ends an attempt: after a loss of power, what was not forced to the
    /// device is lost in part. No operation may run at the same time.
    #[expect(
        clippy::disallowed_methods,
        reason = "the simulated disk keeps its files on the real one"
    )]
    pub fn settle(&self, dice: &mut Dice) {
        let mut state = lock(&self.state);
        if state.power_lost {
            let kept = dice.below(state.entries.len() as u64 + 1);
            let lost = state.entries.split_off(usize::try_from(kept).unwrap_or(0));
            for entry in lost.into_iter().rev() {
                undo(&mut state, entry);
            }
            let mut files: Vec<_> = state.contents.iter().collect();
            files.sort_unstable_by_key(|(path, _)| *path);
            for (path, content) in files {
                let content = lock(content);
                if !content.since.is_empty() && path.is_file() {
                    // A test without its disk is none: nothing to save here.
                    let _ = fs::write(path, survivors(&content, dice));
                }
            }
        }
        // What the loss of power did not hit reaches the device in the end.
        state.contents.clear();
        state.entries.clear();
    }

    fn fate(&self, needs_room: bool) -> Fate {
        let mut state = lock(&self.state);
        if state.killed {
            return Fate::Fails(dead());
        }
        if state.collecting {
            return Fate::Done;
        }
        state.changes += 1;
        let now = state.changes;
        let mut fate = Fate::Done;
        for fault in state.faults.clone() {
            match fault {
                DiskFault::Fails(at) if at == now => {
                    fate = Fate::Fails(Error::from_raw_os_error(5));
                }
                DiskFault::FullFrom(at) if at == now => state.full = true,
                DiskFault::Kill(at) | DiskFault::PowerLoss(at) if at == now => {
                    state.killed = true;
                    state.power_lost = matches!(fault, DiskFault::PowerLoss(_));
                    self.killed.notify_one();
                    return Fate::Dies;
                }
                _ => {}
            }
        }
        if state.full && needs_room {
            fate = Fate::Fails(ErrorKind::StorageFull.into());
        }
        fate
    }

    /// For operations that happen as a whole or have no effect.
    fn whole(&self, needs_room: bool) -> Result<()> {
        match self.fate(needs_room) {
            Fate::Done => Ok(()),
            Fate::Fails(error) => Err(error),
            Fate::Dies => Err(dead()),
        }
    }

    fn content(&self, path: &Path) -> Arc<Mutex<Content>> {
        let mut state = lock(&self.state);
        let known = state.contents.entry(path.to_owned()).or_insert_with(|| {
            let forced = fs::read(path).unwrap_or_default();
            let since = Vec::new();
            Arc::new(Mutex::new(Content { forced, since }))
        });
        Arc::clone(known)
    }

    fn note(&self, entry: Entry) {
        let mut state = lock(&self.state);
        match &entry {
            Entry::Created(_) => {}
            Entry::Renamed { from, to, .. } => {
                if let Some(content) = state.contents.remove(from) {
                    state.contents.insert(to.clone(), content);
                }
            }
            Entry::Removed(path, _) => {
                state.contents.remove(path);
            }
        }
        state.entries.push(entry);
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the simulated disk keeps its files on the real one"
)]
fn undo(state: &mut State, entry: Entry) {
    // What cannot be undone because of a later kill is as it would be.
    match entry {
        Entry::Created(path) => {
            let _ = fs::remove_file(&path);
            state.contents.remove(&path);
        }
        Entry::Renamed { from, to, replaced } => {
            let _ = fs::rename(&to, &from);
            if let Some(content) = state.contents.remove(&to) {
                state.contents.insert(from, content);
            }
            if let Some(bytes) = replaced {
                let _ = fs::write(&to, bytes);
            }
        }
        Entry::Removed(path, bytes) => {
            if let Some(folder) = path.parent() {
                let _ = fs::create_dir_all(folder);
            }
            let _ = fs::write(&path, bytes);
        }
    }
}

/// What a loss of power leaves of a file.
fn survivors(content: &Content, dice: &mut Dice) -> Vec<u8> {
    let mut bytes = content.forced.clone();
    if dice.one_in(3) {
        // The device wrote in an order of its own.
        for write in &content.since {
            if dice.one_in(2) {
                write.apply(&mut bytes);
            }
        }
        return bytes;
    }
    let whole = usize::try_from(dice.below(content.since.len() as u64 + 1)).unwrap_or(0);
    for write in &content.since[..whole] {
        write.apply(&mut bytes);
    }
    if let Some(Write::At(offset, new)) = content.since.get(whole) {
        let torn = usize::try_from(dice.below(new.len() as u64 + 1)).unwrap_or(0);
        Write::At(*offset, new[..torn].to_vec()).apply(&mut bytes);
    }
    bytes
}

impl Files for Disk {
    fn open(&self, path: &Path, how: Open) -> Result<Box<dyn DataFile>> {
        let is_new = !path.exists();
        let old = self.content(path);
        if how == Open::Modify {
            if self.is_killed() {
                return Err(dead());
            }
        } else {
            self.whole(is_new)?;
        }
        let file = SystemFiles.open(path, how)?;
        if is_new {
            *lock(&old) = Content::default();
            self.note(Entry::Created(path.to_owned()));
        } else if how == Open::Create {
            lock(&old).since.push(Write::Length(0));
        }
        Ok(Box::new(OnDisk {
            file,
            disk: self.clone(),
            content: old,
        }))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        let fate = self.fate(false);
        if let Fate::Fails(error) = fate {
            return Err(error);
        }
        let replaced = fs::read(to).ok();
        SystemFiles.rename(from, to)?;
        self.note(Entry::Renamed {
            from: from.to_owned(),
            to: to.to_owned(),
            replaced,
        });
        // A process that dies in a rename never learns that it happened.
        if matches!(fate, Fate::Dies) {
            return Err(dead());
        }
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> Result<()> {
        if !path.exists() {
            return Err(ErrorKind::NotFound.into());
        }
        self.whole(false)?;
        let bytes = fs::read(path).unwrap_or_default();
        SystemFiles.remove_file(path)?;
        self.note(Entry::Removed(path.to_owned(), bytes));
        Ok(())
    }

    fn create_dir_all(&self, path: &Path) -> Result<()> {
        if path.ends_with(SEAL) {
            lock(&self.state).collecting = false;
        }
        if path.is_dir() {
            return if self.is_killed() {
                Err(dead())
            } else {
                Ok(())
            };
        }
        self.whole(true)?;
        SystemFiles.create_dir_all(path)
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the simulated disk keeps its files on the real one"
    )]
    fn remove_dir_all(&self, path: &Path) -> Result<()> {
        if !path.is_dir() {
            return Err(ErrorKind::NotFound.into());
        }
        let fate = self.fate(false);
        if lock(&self.state).killed && !matches!(fate, Fate::Dies) {
            return Err(dead());
        }
        let mut files: Vec<PathBuf> = fs::read_dir(path)?
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .filter(|path| path.is_file())
            .collect();
        files.sort_unstable();
        if !matches!(fate, Fate::Done) {
            // Half of it is gone when it fails.
            files.truncate(files.len() / 2);
        }
        for file in files {
            let bytes = fs::read(&file).unwrap_or_default();
            fs::remove_file(&file)?;
            self.note(Entry::Removed(file, bytes));
        }
        match fate {
            Fate::Done => SystemFiles.remove_dir_all(path),
            Fate::Fails(error) => Err(error),
            Fate::Dies => Err(dead()),
        }
    }

    fn sync_dir(&self, path: &Path) -> Result<()> {
        self.whole(false)?;
        let mut state = lock(&self.state);
        state.entries.retain(|entry| {
            let of = match entry {
                Entry::Created(path) | Entry::Removed(path, _) => path,
                Entry::Renamed { to, .. } => to,
            };
            of.parent() != Some(path)
        });
        Ok(())
    }
}

/// An open file of a [`Disk`].
#[derive(Debug)]
struct OnDisk {
    file: Box<dyn DataFile>,
    disk: Disk,
    content: Arc<Mutex<Content>>,
}

impl DataFile for OnDisk {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        let mut state = lock(&self.disk.state);
        if state.killed {
            return Err(dead());
        }
        state.reads += u64::from(!state.collecting);
        let fault = DiskFault::ReadFails(state.reads);
        if state.faults.contains(&fault) {
            return Err(Error::from_raw_os_error(5));
        }
        drop(state);
        self.file.read_at(buf, offset)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        let fate = self.disk.fate(true);
        if let (Fate::Fails(error), true) = (&fate, self.disk.is_killed()) {
            return Err(Error::new(error.kind(), "the simulated process is dead"));
        }
        let arrives = match fate {
            Fate::Done => bytes,
            _ => &bytes[..bytes.len() / 2],
        };
        self.file.write_all_at(arrives, offset)?;
        let write = Write::At(offset, arrives.to_vec());
        lock(&self.content).since.push(write);
        match fate {
            Fate::Done => Ok(()),
            Fate::Fails(error) => Err(error),
            Fate::Dies => Err(dead()),
        }
    }

    fn set_access(&self, access: &Access) -> Result<()> {
        self.disk.whole(false)?;
        self.file.set_access(access)
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.disk.whole(false)?;
        self.file.set_len(len)?;
        lock(&self.content).since.push(Write::Length(len));
        Ok(())
    }

    fn len(&self) -> Result<u64> {
        if self.disk.is_killed() {
            return Err(dead());
        }
        self.file.len()
    }

    fn sync(&self) -> Result<()> {
        // Nothing is forced to the real device: that would only take time.
        self.disk.whole(false)?;
        let mut content = lock(&self.content);
        for write in std::mem::take(&mut content.since) {
            write.apply(&mut content.forced);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder, a disk on it, and a file with one forced and one other write.
    fn half_forced() -> (tempfile::TempDir, Disk, PathBuf) {
        let folder = tempfile::tempdir().expect("folder");
        let disk = Disk::default();
        let path = folder.path().join("file");
        let file = disk.open(&path, Open::Create).expect("created");
        file.write_all_at(b"forced", 0).expect("written");
        file.sync().expect("forced");
        disk.sync_dir(folder.path()).expect("forced");
        file.write_all_at(b"late", 6).expect("written");
        (folder, disk, path)
    }

    #[test]
    fn a_loss_of_power_takes_only_what_was_not_forced_and_a_kill_takes_nothing() {
        let mut torn = 0;
        for seed in 0..40 {
            let (_folder, disk, path) = half_forced();
            disk.kill(true);
            disk.settle(&mut Dice::new(seed, 0));
            let left = fs::read(&path).expect("read");
            assert!(b"forcedlate".starts_with(&left), "{left:?}");
            assert!(left.starts_with(b"forced"), "{left:?}");
            torn += u32::from(left.len() > 6 && left.len() < 10);
        }
        assert!(torn > 0, "no write was torn");
        let (_folder, disk, path) = half_forced();
        disk.kill(false);
        disk.settle(&mut Dice::new(1, 0));
        assert_eq!(fs::read(&path).expect("read"), b"forcedlate");
    }

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "the simulated disk keeps its files on the real one"
    )]
    fn a_rename_is_undone_unless_its_folder_was_forced() {
        let mut undone = 0;
        for seed in 0..20 {
            for forced in [false, true] {
                let (folder, disk, path) = half_forced();
                let target = folder.path().join("target");
                fs::write(&target, "old").expect("written");
                disk.rename(&path, &target).expect("renamed");
                if forced {
                    disk.sync_dir(folder.path()).expect("forced");
                }
                disk.kill(true);
                disk.settle(&mut Dice::new(seed, 0));
                let is_old = fs::read(&target).expect("read") == b"old";
                assert!(!(forced && is_old));
                assert_eq!(is_old, path.exists());
                undone += u32::from(is_old);
            }
        }
        assert!(undone > 0, "no rename was undone");
    }

    #[test]
    fn nothing_reaches_the_disk_after_the_kill() {
        let (folder, disk, path) = half_forced();
        disk.start(vec![DiskFault::Kill(2)], false);
        let file = disk.open(&path, Open::Modify).expect("opened");
        file.write_all_at(b"1", 0).expect("written");
        assert!(file.write_all_at(b"2345", 1).is_err(), "the half arrives");
        assert!(disk.is_killed());
        assert!(file.write_all_at(b"6", 9).is_err());
        assert!(file.sync().is_err());
        assert!(disk.remove_file(&path).is_err());
        assert!(disk.rename(&path, &folder.path().join("x")).is_err());
        assert!(disk.remove_dir_all(folder.path()).is_err());
        assert_eq!(fs::read(&path).expect("read"), b"123cedlate");
    }

    #[test]
    fn a_full_disk_takes_no_more_but_lets_go() {
        let (_folder, disk, path) = half_forced();
        disk.start(vec![DiskFault::FullFrom(1)], false);
        let file = disk.open(&path, Open::Modify).expect("opened");
        let error = file.write_all_at(b"1234", 0).expect_err("full");
        assert_eq!(error.kind(), ErrorKind::StorageFull);
        file.set_len(2).expect("cut off");
        disk.remove_file(&path).expect("removed");
    }
}
