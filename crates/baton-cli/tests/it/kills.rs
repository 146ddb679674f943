//! Kills at many moments of every command that unpacks: after the next start
//! nothing is left but what the command was given.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Kills per command, spread evenly over its run.
const KILLS: u32 = 8;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../baton-c1z/tests/fixtures")
        .join(name)
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn start(folder: &Path, temp: &Path, words: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_baton"))
        .args(words)
        .current_dir(folder)
        .env_clear()
        .env("TMPDIR", temp)
        .env("BATON_TMPDIR", temp)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn after_a_kill_the_next_start_leaves_nothing_behind() {
    let commands: [(&[&str], &str); 12] = [
        (&["grants", "-o", "json"], "atlassian-org/sync.c1z"),
        (
            &["export", "c1z", "--out", "new.c1z"],
            "atlassian-org/sync.c1z",
        ),
        (&["to-pebble", "--out", "new.c1z"], "atlassian-org/sync.c1z"),
        (
            &["to-sqlite", "--out", "new.c1z"],
            "atlassian-org/sync-v3.c1z",
        ),
        (&["expand", "--out", "new.c1z"], "atlassian-org/sync.c1z"),
        (&["recalculate-stats"], "atlassian-org/sync.c1z"),
        (&["recalculate-stats"], "atlassian-org/sync-v3.c1z"),
        (&["dump-db", "--out", "new.db"], "atlassian-org/sync-v3.c1z"),
        (&["optimize"], "atlassian-org/sync.c1z"),
        (
            &["export", "csv", "--layout", "tables", "--out", "new.csv"],
            "atlassian-org/sync.c1z",
        ),
        (
            &["export", "xlsx", "--out", "new.xlsx"],
            "atlassian-org/sync-v3.c1z",
        ),
        (&["sanitize", "--out", "new.c1z"], "atlassian-org/sync.c1z"),
    ];
    for (words, file) in commands {
        let folder = tempfile::tempdir().unwrap();
        let temp = tempfile::tempdir().unwrap();
        let input = folder.path().join("sync.c1z");
        fs::copy(fixture(file), &input).unwrap();
        let before = fs::read(&input).unwrap();
        let is_list = words[0] == "grants";
        let begun = Instant::now();
        let mut whole = start(folder.path(), temp.path(), words);
        drain(&mut whole);
        assert!(whole.wait().unwrap().success(), "{words:?}");
        let took = begun.elapsed();
        let made = |name: &String| name.starts_with("new");
        for kill in 0..KILLS {
            for name in names(folder.path()).iter().filter(|name| made(name)) {
                let path = folder.path().join(name);
                let _ = fs::remove_dir_all(&path).or_else(|_| fs::remove_file(&path));
            }
            let mut child = start(folder.path(), temp.path(), words);
            if is_list {
                // It waits with its copy open, since its pipe is full.
                let mut first = [0; 1];
                let out = child.stdout.as_mut().unwrap();
                out.read_exact(&mut first).unwrap();
            } else {
                std::thread::sleep(took * kill / KILLS + Duration::from_millis(1));
            }
            child.kill().unwrap();
            child.wait().unwrap();
            if is_list {
                let left = names(temp.path());
                assert_eq!(left, Vec::<String>::new(), "a list's copy has no name");
            }
            let mut next = start(folder.path(), temp.path(), &["syncs"]);
            drain(&mut next);
            assert!(next.wait().unwrap().success(), "{words:?}");
            assert_eq!(names(temp.path()), Vec::<String>::new(), "{words:?}");
            let mut left = names(folder.path());
            left.retain(|name| !made(name));
            assert_eq!(left, ["sync.c1z"], "{words:?}");
            if !["recalculate-stats", "optimize"].contains(&words[0]) {
                assert_eq!(fs::read(&input).unwrap(), before);
            }
        }
    }
}

fn drain(child: &mut Child) {
    let mut all = Vec::new();
    child
        .stdout
        .as_mut()
        .unwrap()
        .read_to_end(&mut all)
        .unwrap();
}
