//! The files of one run of a program, compared with each other.
//!
//! Two names mean the same file if device and inode agree; names of files that
//! do not exist yet, if folder and name do. The streams of the process count:
//! a list that is appended to the file that it is read from destroys it.

use std::fs;
use std::path::{Path, PathBuf};

use super::resolve;
use crate::error::{Error, Result};
use crate::save;
use crate::workdir;

/// What a run does with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// It is read.
    Read,
    /// It is written as a whole, in place of what is there.
    Replace,
    /// Text is added at its end.
    Append,
}

/// The files that a run uses.
#[derive(Debug, Clone, Default)]
pub struct RunPaths {
    entries: Vec<Entry>,
}

#[derive(Debug, Clone)]
struct Entry {
    role: &'static str,
    how: Use,
    /// As it was named, for messages.
    path: PathBuf,
    /// Where it is; unknown for streams, and where the folder is missing.
    place: Option<PathBuf>,
    /// Device and inode, if it exists.
    id: Option<(u64, u64)>,
    /// A standard stream of the process, which others may share with it.
    is_stream: bool,
    /// Everything in this folder belongs to it as well.
    is_folder: bool,
}

impl RunPaths {
    /// Without any file.
    pub fn new() -> Self {
        Self::default()
    }

    /// With the standard streams of this process, as far as they are files.
    pub fn of_process() -> Self {
        let mut this = Self::default();
        for (name, how, id) in standard_streams() {
            this.entries.push(Entry {
                role: "stream",
                how,
                path: PathBuf::from(name),
                place: None,
                id: Some(id),
                is_stream: true,
                is_folder: false,
            });
        }
        this
    }

    /// Adds a file. What it is, and whether it exists, is not looked at here.
    /// Adding the same file in the same role again changes nothing.
    ///
    /// # Errors
    /// [`Error::SameFile`] if a file that is written is also another one of
    /// the run.
    pub fn add(&mut self, role: &'static str, path: &Path, how: Use) -> Result<()> {
        self.insert(role, path, how, false)
    }

    /// Adds a sync file that is written to, and what is made beside it while
    /// that lasts: its working folder and the file that takes its place.
    ///
    /// # Errors
    /// As [`RunPaths::add`].
    pub fn add_target(
        &mut self,
        role: &'static str,
        path: &Path,
        temp_dir: Option<&Path>,
    ) -> Result<()> {
        self.insert(role, path, Use::Replace, false)?;
        let Ok(real) = resolve(path) else {
            // Its errors are reported when it is used.
            return Ok(());
        };
        let between = save::locked_name(&real);
        self.insert("temporary file", &between, Use::Replace, false)?;
        match workdir::folder_of(&real, temp_dir) {
            Ok(folder) => self.insert("working folder", &folder, Use::Replace, true),
            Err(_) => Ok(()),
        }
    }

    fn insert(&mut self, role: &'static str, path: &Path, how: Use, is_folder: bool) -> Result<()> {
        let entry = Entry {
            role,
            how,
            path: path.to_owned(),
            place: resolve(path).ok(),
            id: fs::metadata(path).ok().and_then(|found| id_of(&found)),
            is_stream: false,
            is_folder,
        };
        let known = |other: &&Entry| other.role == role && other.path == entry.path;
        if self.entries.iter().any(|other| known(&other)) {
            return Ok(());
        }
        if let Some(other) = self.entries.iter().find(|other| other.clashes(&entry)) {
            return Err(Error::SameFile {
                path: entry.path,
                role,
                other: other.path.clone(),
                other_role: other.role,
            });
        }
        self.entries.push(entry);
        Ok(())
    }
}

impl Entry {
    fn clashes(&self, other: &Self) -> bool {
        if !self.is_same(other) {
            return false;
        }
        match (self.how, other.how) {
            (Use::Read, Use::Read) | (Use::Append, Use::Append) => false,
            // Secrets come by standard input; what else it is, is not read.
            _ => !(self.is_stream && other.is_stream),
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        if self.id.is_some() && self.id == other.id {
            return true;
        }
        let (Some(here), Some(there)) = (&self.place, &other.place) else {
            return false;
        };
        here == there
            || (self.is_folder && there.starts_with(here))
            || (other.is_folder && here.starts_with(there))
    }
}

#[cfg(unix)]
#[allow(clippy::unnecessary_wraps)]
fn id_of(found: &fs::Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    Some((found.dev(), found.ino()))
}

#[cfg(not(unix))]
fn id_of(_: &fs::Metadata) -> Option<(u64, u64)> {
    None
}

/// Name, use, device and inode of each standard stream that is a regular file.
#[cfg(unix)]
fn standard_streams() -> Vec<(&'static str, Use, (u64, u64))> {
    use std::os::fd::{AsFd, BorrowedFd};
    let look = |stream: BorrowedFd<'_>| {
        let found = fs::File::from(stream.try_clone_to_owned().ok()?)
            .metadata()
            .ok()?;
        found.is_file().then(|| id_of(&found)).flatten()
    };
    [
        ("standard input", Use::Read, look(std::io::stdin().as_fd())),
        (
            "standard output",
            Use::Append,
            look(std::io::stdout().as_fd()),
        ),
        (
            "standard error",
            Use::Append,
            look(std::io::stderr().as_fd()),
        ),
    ]
    .into_iter()
    .filter_map(|(name, how, id)| Some((name, how, id?)))
    .collect()
}

#[cfg(not(unix))]
fn standard_streams() -> Vec<(&'static str, Use, (u64, u64))> {
    Vec::new()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// Every pair of names of one file, in every pair of uses.
    #[test]
    fn a_file_that_is_written_is_no_other_file_of_the_run_by_any_name() {
        let folder = tempfile::tempdir().expect("folder");
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("sub")).expect("folder");
        fs::write(path("old"), "x").expect("written");
        fs::hard_link(path("old"), path("hard")).expect("link");
        symlink("old", path("link")).expect("link");
        symlink("link", path("far")).expect("link");
        symlink("new", path("dangling")).expect("link");
        symlink(folder.path(), path("here")).expect("link");
        let groups: [&[&str]; 2] = [
            &[
                "old",
                "hard",
                "link",
                "far",
                "sub/../old",
                "here/old",
                "./old",
            ],
            &["new", "dangling", "sub/../new", "here/new", "here/dangling"],
        ];
        let uses = [Use::Read, Use::Replace, Use::Append];
        for (at, names) in groups.iter().enumerate() {
            for (first, second) in names.iter().flat_map(|a| names.iter().map(move |b| (a, b))) {
                for (one, two) in uses.iter().flat_map(|a| uses.map(|b| (*a, b))) {
                    let mut paths = RunPaths::new();
                    paths.add("first", &path(first), one).expect("alone");
                    let added = paths.add("second", &path(second), two);
                    let fine = one == two && one != Use::Replace;
                    assert_eq!(added.is_ok(), fine, "{first} {one:?}, {second} {two:?}");
                    let other = groups[1 - at][0];
                    paths.add("third", &path(other), two).expect("another file");
                }
            }
        }
    }

    #[test]
    fn what_is_made_beside_a_target_is_no_other_file_either() {
        let folder = tempfile::tempdir().expect("folder");
        let path = |name: &str| folder.path().join(name);
        let mut paths = RunPaths::new();
        paths
            .add_target("sync file", &path("a.c1z"), None)
            .expect("alone");
        paths
            .add_target("sync file", &path("a.c1z"), None)
            .expect("the same");
        fs::create_dir(path(".a.c1z.baton-work")).expect("folder");
        for name in [
            ".a.c1z.new.tmp",
            ".a.c1z.baton-work",
            ".a.c1z.baton-work/pages.log",
        ] {
            let error = paths.add("log", &path(name), Use::Append).expect_err(name);
            assert!(matches!(error, Error::SameFile { .. }), "{error}");
        }
        paths.add("log", &path("a.log"), Use::Append).expect("free");
        paths
            .add("log", &path("a.log"), Use::Append)
            .expect("the same");
    }
}
