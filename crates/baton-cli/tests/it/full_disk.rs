//! Disks that are full or cannot be written, below every command that writes:
//! what failed on what is reported, the input stays, and nothing is left.
//!
//! The disks are real and small, so these tests run where file systems can be
//! mounted, and report that they were skipped elsewhere.

use std::path::{Path, PathBuf};
use std::process::Command;

use baton_proto::c1::connector::v2;
use prost::Message as _;

use crate::kinds::skipped;
use crate::program::{packed, unpacked};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../baton-c1z/tests/fixtures")
        .join(name)
}

/// A file system in memory, unmounted when it is dropped.
struct Disk {
    folder: tempfile::TempDir,
}

impl Disk {
    /// `None` if this user cannot mount one.
    fn mount(options: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(folder.path())
            .output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self { folder });
        }
        skipped("this user cannot mount a file system");
        None
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.path()).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let done = Command::new("umount").arg(self.path()).status();
        assert!(done.is_ok_and(|status| status.success()));
    }
}

/// Commands that make a file, with the file that each reads.
const MAKING: [(&[&str], &str); 13] = [
    (&["export", "c1z"], "atlassian-org/sync.c1z"),
    (&["export", "c1z"], "atlassian-org/sync-v3.c1z"),
    (&["to-pebble"], "atlassian-org/sync.c1z"),
    (&["to-sqlite"], "atlassian-org/sync-v3.c1z"),
    (&["expand"], "atlassian-org/sync.c1z"),
    (&["rollback-expansion"], "baton-cli/v1-rollback.c1z"),
    (&["dump-db"], "atlassian-org/sync.c1z"),
    (&["dump-db"], "atlassian-org/sync-v3.c1z"),
    (&["export", "csv"], "atlassian-org/sync.c1z"),
    (
        &["export", "csv", "--layout", "tables"],
        "atlassian-org/sync-v3.c1z",
    ),
    (&["sanitize"], "atlassian-org/sync.c1z"),
    (&["sanitize"], "atlassian-org/sync-v3.c1z"),
    (&["export", "xlsx"], "atlassian-org/sync-v3.c1z"),
];

/// A path that the command accepts.
fn new_file(folder: &Path, words: &[&str]) -> PathBuf {
    folder.join(if words.contains(&"xlsx") {
        "new.xlsx"
    } else {
        "new.c1z"
    })
}

fn baton(words: &[&str], file: &Path, more: &[&str], temp: &Path) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_baton"))
        .args(words)
        .arg("-f")
        .arg(file)
        .args(more)
        .env_clear()
        .env("BATON_TMPDIR", temp)
        .env("TMPDIR", temp)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), said)
}

#[test]
fn a_full_disk_below_the_new_file_ends_every_command_with_8_and_leaves_nothing() {
    let Some(disk) = Disk::mount("size=4k") else {
        return;
    };
    std::fs::write(disk.path().join("filler"), vec![7; 4096]).unwrap();
    let temp = tempfile::tempdir().unwrap();
    for (words, file) in MAKING {
        let out = new_file(disk.path(), words);
        let (status, said) = baton(
            words,
            &fixture(file),
            &["--out", out.to_str().unwrap()],
            temp.path(),
        );
        assert_eq!(status, Some(8), "{words:?} {file}: {said}");
        assert!(said.contains(disk.path().to_str().unwrap()), "{said}");
        assert_eq!(disk.names(), ["filler"], "{words:?} {file}: {said}");
        assert_eq!(
            std::fs::read_dir(temp.path()).unwrap().count(),
            0,
            "{words:?}"
        );
    }
}

#[test]
fn a_full_disk_below_the_temporary_files_is_reported_with_both_numbers() {
    let Some(disk) = Disk::mount("size=64k") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("new.c1z");
    let out_words = ["--out", out.to_str().unwrap()];
    let reading: [(&[&str], &str); 2] = [
        (&["grants"], "atlassian-org/sync.c1z"),
        (&["resources"], "atlassian-org/sync.c1z"),
    ];
    // What is in format v3 fits into memory, and v1 is dumped without a copy.
    let unpacking = |words: &[&str], file: &str| !file.contains("v3") && words != ["dump-db"];
    let making = MAKING
        .iter()
        .map(|(words, file)| (*words, *file, &out_words[..]));
    let reading = reading.iter().map(|(words, file)| (*words, *file, &[][..]));
    for (words, file, more) in making.chain(reading).filter(|(w, f, _)| unpacking(w, f)) {
        let (status, said) = baton(words, &fixture(file), more, disk.path());
        assert_eq!(status, Some(8), "{words:?} {file}: {said}");
        let first = said.lines().next().unwrap_or_default();
        assert!(
            first.contains("are needed, and ") && first.contains(" are free"),
            "{said}"
        );
        assert_eq!(
            disk.names(),
            Vec::<String>::new(),
            "{words:?} {file}: {said}"
        );
        assert!(!out.exists());
    }
}

/// The library that makes workbooks panics there.
#[test]
fn a_full_disk_below_the_rows_of_a_workbook_is_an_error_like_any_other() {
    for size in ["size=4k", "size=16k"] {
        let Some(disk) = Disk::mount(size) else {
            return;
        };
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("new.xlsx");
        let (status, said) = baton(
            &["export", "xlsx", "--layout", "tables"],
            &fixture("atlassian-org/sync-v3.c1z"),
            &["--out", out.to_str().unwrap()],
            disk.path(),
        );
        assert_eq!(status, Some(8), "{said}");
        let expected = format!(
            "error: cannot write temporary files in {}\n",
            disk.path().display()
        );
        assert!(said.starts_with(&expected), "{said}");
        assert_eq!(disk.names(), Vec::<String>::new());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

/// A file whose resources do not fit into the memory of a sort: `count` of 1 MiB.
fn large_file(folder: &Path, count: u32) -> String {
    let database = unpacked(fixture("v1-small.c1z").to_str().unwrap(), folder);
    let conn = rusqlite::Connection::open(&database).unwrap();
    conn.execute_batch("create temp table one as select * from v1_resources limit 1")
        .unwrap();
    let data: Vec<u8> = conn
        .query_row("select data from one", [], |row| row.get(0))
        .unwrap();
    let mut message = v2::Resource::decode(&data[..]).unwrap();
    message.description = "x".repeat(1 << 20);
    let data = message.encode_to_vec();
    for number in 0..count {
        conn.execute(
            "update one set id = null, external_id = ?1, data = ?2",
            (format!("user:large-{number:03}"), &data),
        )
        .unwrap();
        conn.execute_batch("insert into v1_resources select * from one")
            .unwrap();
    }
    conn.close().unwrap();
    let file = packed(&database, &folder.join("large.c1z"));
    std::fs::remove_file(database).unwrap();
    file
}

#[test]
fn a_sort_that_does_not_fit_on_the_disk_names_the_folder_and_another_way() {
    // Room for the unpacked database, and not for the rows beside it.
    let Some(disk) = Disk::mount("size=120m") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let file = large_file(folder.path(), 80);
    let file = Path::new(&file);
    let sort = [
        "resources",
        "--sort",
        "-resource.id",
        "--columns",
        "resource.id",
    ];
    let (status, said) = baton(&sort, file, &[], disk.path());
    assert_eq!(status, Some(8), "{said}");
    let lines: Vec<&str> = said.lines().collect();
    let folder_name = disk.path().to_str().unwrap();
    assert_eq!(lines.len(), 3, "{said}");
    assert!(
        lines[0].starts_with("error: cannot ") && lines[0].contains(folder_name),
        "{said}"
    );
    assert!(
        lines[1].starts_with("caused by: No space left on device"),
        "{said}"
    );
    assert_eq!(
        lines[2],
        "hint: free space on that disk, or name a folder on another disk: with BATON_TMPDIR for \
         temporary files, with --out for a new file",
    );
    assert_eq!(disk.names(), Vec::<String>::new(), "{said}");
    // The other disk has room, and without a sort so has this one.
    let (status, said) = baton(&sort, file, &[], folder.path());
    assert_eq!((status, &*said), (Some(0), ""));
    let (status, said) = baton(&["resources"], file, &[], disk.path());
    assert_eq!((status, &*said), (Some(0), ""));
}

#[test]
fn a_file_on_a_full_disk_stays_when_it_cannot_be_changed_in_place() {
    for file in ["atlassian-org/sync.c1z", "atlassian-org/sync-v3.c1z"] {
        // Room for the file, and not for a second one.
        let Some(disk) = Disk::mount("size=128k") else {
            return;
        };
        let path = disk.path().join("sync.c1z");
        std::fs::copy(fixture(file), &path).unwrap();
        let before = std::fs::read(&path).unwrap();
        let temp = tempfile::tempdir().unwrap();
        for command in ["recalculate-stats", "optimize"] {
            if command == "optimize" && file.contains("v3") {
                continue;
            }
            let (status, said) = baton(&[command], &path, &[], temp.path());
            assert_eq!(status, Some(8), "{command} {file}: {said}");
            assert_eq!(std::fs::read(&path).unwrap(), before);
            assert_eq!(disk.names(), ["sync.c1z"], "{said}");
        }
    }
}

#[test]
fn a_disk_that_cannot_be_written_is_named() {
    let Some(disk) = Disk::mount("size=16m,ro") else {
        return;
    };
    let temp = tempfile::tempdir().unwrap();
    for (words, file) in MAKING {
        let out = new_file(disk.path(), words);
        let (status, said) = baton(
            words,
            &fixture(file),
            &["--out", out.to_str().unwrap()],
            temp.path(),
        );
        assert_eq!(status, Some(2), "{words:?} {file}: {said}");
        assert!(said.contains(disk.path().to_str().unwrap()), "{said}");
        assert!(said.contains("Read-only file system"), "{said}");
        assert_eq!(
            std::fs::read_dir(temp.path()).unwrap().count(),
            0,
            "{words:?}"
        );
    }
    let (status, said) = baton(&["grants"], &fixture("v1-small.c1z"), &[], disk.path());
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("Read-only file system"), "{said}");
}
