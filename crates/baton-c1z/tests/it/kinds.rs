//! Every kind of thing that a path can name, in a folder of its own.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
use tempfile::TempDir;

/// The file that is read.
pub const INPUT: &str = "input.c1z";

/// Longer than any command takes here: what lasts longer waits for ever.
const HANGS: Duration = Duration::from_mins(3);

/// Names in the folder, each of another kind.
pub struct Kinds {
    folder: TempDir,
    /// Kinds that this user cannot make here.
    pub missing: Vec<&'static str>,
}

/// Every kind. `new`, `dangling` and `no/new` do not exist.
pub const ALL: [&str; 18] = [
    "regular",
    "new",
    "folder",
    "pipe",
    "null",
    "full",
    "socket",
    "to-regular",
    "to-folder",
    "to-pipe",
    "to-null",
    "to-full",
    "to-socket",
    "dangling",
    "same",
    "hard",
    "no/new",
    "unwritable/new",
];

/// Says what a test leaves out.
#[allow(clippy::print_stderr)]
pub fn skipped(why: &str) {
    eprintln!("skipped: {why}");
}

impl Kinds {
    /// `regular`, `same` and `hard` are sync files with the content of `source`.
    pub fn new(source: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let content = fs::read(source).unwrap();
        for name in ["regular", INPUT] {
            fs::write(path(name), &content).unwrap();
        }
        fs::hard_link(path(INPUT), path("hard")).unwrap();
        symlink(INPUT, path("same")).unwrap();
        fs::create_dir(path("folder")).unwrap();
        fs::write(path("folder/kept"), "kept").unwrap();
        fs::create_dir(path("unwritable")).unwrap();
        drop(UnixListener::bind(path("socket")).unwrap());
        let make = |name: &str, kind, device| {
            mknodat(CWD, path(name), kind, Mode::from_raw_mode(0o666), device)
        };
        make("pipe", FileType::Fifo, 0).unwrap();
        let mut missing = Vec::new();
        // Nodes of our own: the machine's stay as they are.
        for (name, minor) in [("null", 3), ("full", 7)] {
            if make(name, FileType::CharacterDevice, makedev(1, minor)).is_err() {
                skipped("this user cannot make a device node");
                missing.extend([name, if name == "null" { "to-null" } else { "to-full" }]);
            }
        }
        for name in ["regular", "folder", "pipe", "null", "full", "socket"] {
            symlink(name, path(&format!("to-{name}"))).unwrap();
        }
        symlink("made", path("dangling")).unwrap();
        if rustix::process::geteuid().is_root() {
            skipped("the system's own user may write to every folder");
            missing.push("unwritable/new");
        } else {
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o555);
            fs::set_permissions(path("unwritable"), mode).unwrap();
        }
        Self { folder, missing }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// See [`snapshot`].
    pub fn snapshot(&self) -> BTreeMap<PathBuf, String> {
        snapshot(self.path())
    }

    /// See [`changed`].
    pub fn changed(&self, before: &BTreeMap<PathBuf, String>) -> Vec<PathBuf> {
        changed(self.path(), before)
    }

    /// Gives up the folder, to be removed by somebody else.
    pub fn into_folder(self) -> TempDir {
        self.folder
    }

    /// Runs a program in the folder; temporary files go to `temp`. Gives the
    /// exit status and what it said. A run without an end is a failure.
    pub fn run(&self, mut command: Command, temp: &Path) -> (i32, String) {
        let said = temp.join("said");
        let mut child = command
            .current_dir(self.path())
            .env_clear()
            .env("TMPDIR", temp)
            .env("BATON_TMPDIR", temp)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&said).unwrap())
            .spawn()
            .unwrap();
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if begun.elapsed() > HANGS {
                child.kill().unwrap();
                panic!("{command:?} hangs");
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        let text = fs::read_to_string(&said).unwrap();
        fs::remove_file(said).unwrap();
        (status.code().unwrap_or(-1), text)
    }
}

/// What is in a folder, by name: kind, device, mode, and content or target.
pub fn snapshot(top: &Path) -> BTreeMap<PathBuf, String> {
    let mut seen = BTreeMap::new();
    let mut open = vec![top.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let found = path.symlink_metadata().unwrap();
            let kind = found.file_type();
            let content = if kind.is_file() {
                format!("{:?}", fs::read(&path).unwrap())
            } else if kind.is_symlink() {
                fs::read_link(&path).unwrap().display().to_string()
            } else {
                assert!(
                    kind.is_dir() || kind.is_fifo() || kind.is_socket() || kind.is_char_device()
                );
                String::new()
            };
            if kind.is_dir() {
                open.push(path.clone());
            }
            let name = path.strip_prefix(top).unwrap().to_owned();
            let text = format!("{kind:?} {} {:o} {content}", found.rdev(), found.mode());
            seen.insert(name, text);
        }
    }
    seen
}

/// The names whose entries differ from `before`.
pub fn changed(top: &Path, before: &BTreeMap<PathBuf, String>) -> Vec<PathBuf> {
    let after = snapshot(top);
    let names = before.keys().chain(after.keys());
    let mut names: Vec<_> = names
        .filter(|name| before.get(*name) != after.get(*name))
        .cloned()
        .collect();
    names.sort();
    names.dedup();
    names
}
