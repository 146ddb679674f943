//! Requests to stop: a command that makes a file ends with the signal's exit
//! status and leaves nothing but what it was given.

use std::fs;
use std::path::Path;

use baton_cli::{Process, Signal, Signals, Stopping};

use crate::program::{fixture, process, run_in};

/// Every command that makes or changes a file, and the file that it is given.
const COMMANDS: [(&[&str], &str); 14] = [
    (
        &["export", "c1z", "--out", "new.c1z"],
        "v1-missing-entitlement.c1z",
    ),
    (
        &["dump-db", "--out", "new.db"],
        "v1-missing-entitlement.c1z",
    ),
    (&["dump-db", "--out", "new.db"], "v3-small.c1z"),
    (
        &["to-pebble", "--out", "new.c1z"],
        "v1-missing-entitlement.c1z",
    ),
    (&["to-sqlite", "--out", "new.c1z"], "v3-small.c1z"),
    (
        &["expand", "--out", "new.c1z"],
        "v1-missing-entitlement.c1z",
    ),
    (&["recalculate-stats"], "v1-missing-entitlement.c1z"),
    (&["recalculate-stats"], "v3-small.c1z"),
    (&["optimize"], "v1-missing-entitlement.c1z"),
    (
        &["export", "csv", "--out", "new.csv"],
        "v1-missing-entitlement.c1z",
    ),
    (
        &["export", "xlsx", "--layout", "tables", "--out", "new.xlsx"],
        "v3-small.c1z",
    ),
    (
        &["sanitize", "--out", "new.c1z"],
        "v1-missing-entitlement.c1z",
    ),
    (&["sanitize", "--out", "new.c1z"], "v3-small.c1z"),
    (
        &["rollback-expansion", "--out", "new.c1z"],
        "v1-rollback.c1z",
    ),
];

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name();
    let mut names: Vec<_> = entries
        .map(|entry| name(entry).into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_signal_ends_every_command_that_makes_a_file_and_leaves_nothing_behind() {
    for (words, file) in COMMANDS {
        for (signal, status, name) in [
            (Signal::INTERRUPT, 130, "SIGINT"),
            (Signal::TERMINATE, 143, "SIGTERM"),
        ] {
            let (folder, temp) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            let input = folder.path().join("in.c1z");
            fs::copy(fixture(file), &input).unwrap();
            let before = fs::read(&input).unwrap();
            let place = |word: &&str| {
                if word.starts_with("new") {
                    folder.path().join(word).display().to_string()
                } else {
                    (*word).to_owned()
                }
            };
            let mut words: Vec<String> = words.iter().map(place).collect();
            words.extend(["-f".to_owned(), input.display().to_string()]);
            let stopping = Stopping::default();
            stopping.request(signal);
            let outcome = run_in(&Process {
                signals: Signals::Given(stopping),
                temp_dir: Some(temp.path().to_owned()),
                ..process(&words)
            });
            assert_eq!(outcome.status, status, "{words:?}: {}", outcome.stderr);
            assert!(
                outcome
                    .stderr
                    .starts_with(&format!("error: stopped by {name} while running")),
                "{words:?}: {}",
                outcome.stderr
            );
            assert_eq!(names(folder.path()), ["in.c1z"], "{words:?}");
            assert_eq!(names(temp.path()), Vec::<String>::new(), "{words:?}");
            assert_eq!(fs::read(&input).unwrap(), before, "{words:?}");
        }
    }
}

#[cfg(unix)]
mod processes {
    use std::path::PathBuf;
    use std::process::{Child, Command, Stdio};
    use std::time::{Duration, Instant};

    use rustix::process::{Pid, Signal, kill_process};

    use super::*;

    fn start(folder: &Path, temp: &Path, words: &[&str]) -> Child {
        Command::new(env!("CARGO_BIN_EXE_baton"))
            .args(words)
            .current_dir(folder)
            .env_clear()
            .env("TMPDIR", temp)
            .env("BATON_TMPDIR", temp)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    /// Signals at many moments: the process ends by itself or with the
    /// signal's status, and in both cases no temporary file is left.
    #[test]
    fn a_signal_at_any_moment_leaves_the_whole_file_or_none() {
        let large = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../baton-c1z/tests/fixtures/atlassian-org/sync.c1z");
        let commands: [(&[&str], Option<&str>); 3] = [
            (&["to-pebble", "--out", "new.c1z"], Some("new.c1z")),
            (&["expand", "--out", "new.c1z"], Some("new.c1z")),
            (&["recalculate-stats"], None),
        ];
        for (words, makes) in commands {
            let mut stopped = 0;
            for step in 0..12u32 {
                let (folder, temp) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
                fs::copy(&large, folder.path().join("sync.c1z")).unwrap();
                let mut child = start(folder.path(), temp.path(), words);
                // Nothing can be caught before the program runs: wait until
                // it has a thread that does.
                let caught = PathBuf::from(format!("/proc/{}/task", child.id()));
                let begun = Instant::now();
                while fs::read_dir(&caught).map_or(0, Iterator::count) < 2
                    && child.try_wait().unwrap().is_none()
                    && begun.elapsed() < Duration::from_secs(20)
                {
                    std::thread::yield_now();
                }
                std::thread::sleep(Duration::from_millis(u64::from(step)));
                let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
                // It may have ended by itself.
                let _ = kill_process(pid, Signal::TERM);
                let status = child.wait().unwrap();
                let mut left = names(folder.path());
                match status.code() {
                    Some(143) => {
                        stopped += 1;
                        assert_eq!(left, ["sync.c1z"], "{words:?}");
                    }
                    Some(0) => {
                        left.retain(|name| Some(name.as_str()) != makes);
                        assert_eq!(left, ["sync.c1z"], "{words:?}");
                    }
                    // The signal came before it was caught.
                    None => {}
                    other => panic!("{words:?}: {other:?}"),
                }
                if status.code().is_some() {
                    assert_eq!(names(temp.path()), Vec::<String>::new(), "{words:?}");
                }
            }
            assert!(stopped > 0, "{words:?}: no signal came in time");
        }
    }
}
