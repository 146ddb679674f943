//! Every command that writes, with every kind of thing as its output: what is
//! not a regular file is refused and stays, and nothing else changes.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::kinds::{ALL, INPUT, Kinds};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../baton-c1z/tests/fixtures")
        .join(name)
}

/// How a command writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writes {
    /// A new file or folder.
    New,
    /// A file, in place of what is there.
    Over,
    /// The file that it reads.
    InPlace,
    /// Nothing.
    Nothing,
}

/// The commands, with the file that each works on.
const COMMANDS: [(&[&str], &str, Writes); 14] = [
    (&["export", "c1z"], "v1-small.c1z", Writes::New),
    (&["export", "c1z"], "v3-small.c1z", Writes::New),
    (&["to-pebble"], "v1-small.c1z", Writes::New),
    (&["to-sqlite"], "v3-small.c1z", Writes::New),
    (&["expand"], "v1-small.c1z", Writes::New),
    (
        &["rollback-expansion", "--replay"],
        "baton-cli/v1-rollback.c1z",
        Writes::New,
    ),
    (&["dump-db"], "v3-small.c1z", Writes::New),
    (&["dump-db"], "v1-small.c1z", Writes::New),
    (&["recalculate-stats"], "v1-small.c1z", Writes::InPlace),
    (&["recalculate-stats"], "v3-small.c1z", Writes::InPlace),
    (&["export", "csv"], "v1-small.c1z", Writes::Over),
    (
        &["sanitize", "--secret-file", INPUT],
        "v1-small.c1z",
        Writes::New,
    ),
    (&["optimize"], "v1-small.c1z", Writes::InPlace),
    (&["grants"], "v1-small.c1z", Writes::Nothing),
];

impl Writes {
    /// What changes where a command writes to this kind; `None` if it must fail.
    fn changes(self, kind: &str) -> Option<&'static str> {
        match (self, kind) {
            (Self::New | Self::Over, "new") => Some("new"),
            (Self::Over, "dangling") => Some("made"),
            (Self::InPlace | Self::Over, "regular" | "to-regular") => Some("regular"),
            (Self::InPlace, "same") => Some(INPUT),
            (Self::InPlace, "hard") => Some("hard"),
            // A list changes nothing; that it succeeds is what counts.
            (Self::Nothing, "regular" | "to-regular" | "same" | "hard") => Some(""),
            _ => None,
        }
    }
}

#[test]
fn only_regular_files_are_written_and_all_else_stays() {
    for (words, file, writes) in COMMANDS {
        for kind in ALL {
            let kinds = Kinds::new(&fixture(file));
            if kinds.missing.contains(&kind) {
                continue;
            }
            let before = kinds.snapshot();
            let temp = tempfile::tempdir().unwrap();
            let mut command = Command::new(env!("CARGO_BIN_EXE_baton"));
            command.args(words);
            match writes {
                Writes::New | Writes::Over => command.args(["-f", INPUT, "--out", kind]),
                Writes::InPlace | Writes::Nothing => command.args(["-f", kind]),
            };
            let (status, said) = kinds.run(command, temp.path());
            let what = format!("{words:?} {file} onto {kind}: {status}\n{said}");
            let mut changed = kinds.changed(&before);
            // What is in a new folder is not listed one by one.
            changed.retain(|name| name.parent() == Some(Path::new("")));
            match writes.changes(kind) {
                Some(name) => {
                    assert_eq!(status, 0, "{what}");
                    // Counts that were right are written again as they were.
                    let is_unchanged =
                        changed.is_empty() && !matches!(writes, Writes::New | Writes::Over);
                    assert!(
                        is_unchanged || changed == [PathBuf::from(name)],
                        "{changed:?} {what}"
                    );
                }
                None => {
                    // A missing file has no syncs to count, as in the Go tool.
                    let is_absent =
                        matches!(kind, "new" | "dangling" | "no/new" | "unwritable/new");
                    if !(is_absent && writes == Writes::InPlace) {
                        assert_ne!(status, 0, "{what}");
                        assert!(said.starts_with("error: "), "{what}");
                    }
                    assert_eq!(changed, Vec::<PathBuf>::new(), "{what}");
                }
            }
            let left = std::fs::read_dir(temp.path()).unwrap().count();
            assert_eq!(left, 0, "{what}");
        }
    }
}

#[test]
fn what_a_path_names_instead_of_a_file_is_said() {
    let kinds = Kinds::new(&fixture("v1-small.c1z"));
    for (kind, word) in [
        ("folder", "a folder"),
        ("pipe", "a pipe"),
        ("socket", "a socket"),
        ("null", "a device"),
        ("to-pipe", "a pipe"),
    ] {
        if kinds.missing.contains(&kind) {
            continue;
        }
        let temp = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_baton"));
        command.args(["syncs", "-f", kind]);
        let (status, said) = kinds.run(command, temp.path());
        assert_ne!(status, 0);
        let first = said.lines().next().unwrap_or_default();
        assert!(first.contains(kind) && first.contains(word), "{said}");
    }
}

/// The shell opens the file that standard output goes to.
#[test]
fn a_list_is_not_added_to_the_file_that_it_is_read_from() {
    let kinds = Kinds::new(&fixture("v1-small.c1z"));
    let before = kinds.snapshot();
    for (args, target) in [
        ("grants -f input.c1z", "input.c1z"),
        ("grants -f same", "hard"),
        ("dump-db -f input.c1z --out regular", "regular"),
        ("dump-db -f input.c1z --out /dev/stdout", "regular"),
        ("dump-db -f input.c1z --out /dev/fd/1", "regular"),
    ] {
        let temp = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        let line = format!("{} {args} >> {target}", env!("CARGO_BIN_EXE_baton"));
        command.args(["-c", &line]);
        let (status, said) = kinds.run(command, temp.path());
        assert_ne!(status, 0, "{line}: {said}");
        assert_eq!(
            kinds.changed(&before),
            Vec::<PathBuf>::new(),
            "{line}: {said}"
        );
    }
}
