//! Every command of the built program, with standard output or standard error
//! broken in every way.
#![cfg(unix)]

use std::fs::{self, File, OpenOptions};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::program::fixture;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Broken {
    /// A pipe whose reader has left.
    ClosedPipe,
    /// A device without room.
    Full,
    /// A descriptor that is not open.
    ClosedFd,
    /// A file that is open for reading only.
    ReadOnly,
}

const BROKEN: [Broken; 4] = [
    Broken::ClosedPipe,
    Broken::Full,
    Broken::ClosedFd,
    Broken::ReadOnly,
];

impl Broken {
    /// A stream in this state; a closed descriptor is made by the shell.
    fn stdio(self) -> Stdio {
        match self {
            Self::ClosedPipe => std::io::pipe().unwrap().1.into(),
            Self::Full => {
                let full = OpenOptions::new().write(true).open("/dev/full");
                full.unwrap().into()
            }
            Self::ClosedFd => Stdio::null(),
            Self::ReadOnly => File::open(fixture("cases.tsv")).unwrap().into(),
        }
    }
}

/// What a command leaves behind.
#[derive(Debug, PartialEq)]
struct Left {
    status: Option<i32>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

/// Runs the program with one of its streams broken, or none.
fn run(words: &[String], stdout: Option<Broken>, stderr: Option<Broken>) -> Left {
    let close = match (stdout, stderr) {
        (Some(Broken::ClosedFd), _) => r#"exec "$0" "$@" >&-"#,
        (_, Some(Broken::ClosedFd)) => r#"exec "$0" "$@" 2>&-"#,
        _ => r#"exec "$0" "$@""#,
    };
    let mut command = Command::new("sh");
    command
        .args(["-c", close, env!("CARGO_BIN_EXE_baton")])
        .args(words)
        .env_remove("RUST_BACKTRACE")
        .stdin(Stdio::null())
        .stdout(stdout.map_or_else(Stdio::piped, Broken::stdio))
        .stderr(stderr.map_or_else(Stdio::piped, Broken::stdio));
    let left = command.spawn().unwrap().wait_with_output().unwrap();
    Left {
        status: left.status.code(),
        stdout: left.stdout,
        stderr: left.stderr,
    }
}

struct Case {
    words: Vec<String>,
    /// The file that the command makes.
    makes: Option<&'static str>,
    /// Whether it writes to standard output.
    shows: bool,
}

const DANGLING: &str = "v1-missing-entitlement.c1z";

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |line: &str, makes: Option<&'static str>, shows: bool| {
        let words = line.split(' ').map(ToOwned::to_owned).collect();
        cases.push(Case {
            words,
            makes,
            shows,
        });
    };
    for line in ["--help", "--version", "grants --help", "completion bash"] {
        add(line, None, true);
    }
    for line in [
        "resource-types",
        "resources",
        "entitlements",
        "grants",
        "principals",
        "access -t user -r u1",
        "syncs",
        "stats",
    ] {
        for format in ["console", "json"] {
            add(&format!("{line} -o {format} -f in.c1z"), None, true);
        }
    }
    add("rollback-expansion --dry-run -f rolled.c1z", None, true);
    add("recalculate-stats -f in.c1z", None, true);
    for (line, shows) in [
        ("export c1z --out made -f in.c1z", false),
        ("dump-db --out made -f in.c1z", false),
        ("to-pebble --out made -f in.c1z", true),
        ("to-sqlite --out made -f v3.c1z", true),
        ("expand --out made -f in.c1z", true),
        ("rollback-expansion --out made -f rolled.c1z", true),
        ("rollback-expansion --replay --out made -f rolled.c1z", true),
    ] {
        add(line, Some("made"), shows);
    }
    cases
}

/// The words with paths in a fresh folder.
fn placed(words: &[String], folder: &Path) -> Vec<String> {
    fs::copy(fixture(DANGLING), folder.join("in.c1z")).unwrap();
    fs::copy(fixture("v3-small.c1z"), folder.join("v3.c1z")).unwrap();
    fs::copy(fixture("v1-rollback.c1z"), folder.join("rolled.c1z")).unwrap();
    let place = |word: &String| match word.as_str() {
        "made" | "in.c1z" | "v3.c1z" | "rolled.c1z" => folder.join(word).display().to_string(),
        _ => word.clone(),
    };
    words.iter().map(place).collect()
}

/// Durations and the path of the folder differ from run to run.
fn comparable(text: &[u8], folder: &Path) -> String {
    let text = String::from_utf8_lossy(text).replace(&folder.display().to_string(), "");
    let words = text.split_inclusive([' ', '\n', '(', ')']);
    let is_time =
        |word: &&str| word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('s');
    words.filter(|word| !is_time(word)).collect()
}

#[test]
fn a_failing_stderr_changes_neither_data_nor_outcome() {
    for case in cases() {
        let sound = tempfile::tempdir().unwrap();
        let expected = run(&placed(&case.words, sound.path()), None, None);
        assert_eq!(expected.status, Some(0), "{:?}: {expected:?}", case.words);
        assert_eq!(expected.stdout.is_empty(), !case.shows, "{:?}", case.words);
        for broken in BROKEN {
            let folder = tempfile::tempdir().unwrap();
            let left = run(&placed(&case.words, folder.path()), None, Some(broken));
            assert_eq!(left.status, Some(0), "{:?} {broken:?}", case.words);
            assert_eq!(
                comparable(&left.stdout, folder.path()),
                comparable(&expected.stdout, sound.path()),
                "{:?} {broken:?}",
                case.words
            );
            if let Some(made) = case.makes {
                assert!(folder.path().join(made).exists(), "{:?}", case.words);
            }
        }
    }
}

#[test]
fn a_failing_stdout_fails_all_but_lists_whose_reader_left_and_files_are_made() {
    for case in cases() {
        for broken in BROKEN {
            let folder = tempfile::tempdir().unwrap();
            let left = run(&placed(&case.words, folder.path()), Some(broken), None);
            let stderr = String::from_utf8_lossy(&left.stderr);
            let is_quiet = !case.shows
                || (broken == Broken::ClosedPipe
                    && case.makes.is_none()
                    && case.words[0] != "recalculate-stats");
            let expected = if is_quiet { 0 } else { 2 };
            assert_eq!(
                left.status,
                Some(expected),
                "{:?} {broken:?}: {stderr}",
                case.words
            );
            let errors = stderr.matches("error: cannot write the output").count();
            assert_eq!(errors, usize::from(!is_quiet), "{:?}: {stderr}", case.words);
            if let Some(made) = case.makes {
                assert!(folder.path().join(made).exists(), "{:?}", case.words);
            }
        }
    }
}

#[test]
fn errors_keep_their_status_when_nobody_reads_them() {
    for broken in BROKEN {
        for (words, status) in [
            (&["grants", "-f", "no-such-file.c1z"][..], 2),
            (&["grants", "--nope"], 2),
            (&["nope"], 2),
        ] {
            let words: Vec<String> = words.iter().map(ToString::to_string).collect();
            assert_eq!(run(&words, None, Some(broken)).status, Some(status));
            let left = run(&words, Some(broken), None);
            assert_eq!(left.status, Some(status), "{broken:?}");
            let stderr = String::from_utf8_lossy(&left.stderr);
            assert_eq!(stderr.matches("error:").count(), 1, "{stderr}");
        }
    }
}

#[test]
fn a_reader_of_messages_that_leaves_early_leaves_the_document_whole() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.json");
    let line = r#"{ "$0" grants --verbose -o json -f "$1" 2>&1 >"$2"; echo $? >"$2.status"; } | head -c 1"#;
    let ran = Command::new("sh")
        .args(["-c", line, env!("CARGO_BIN_EXE_baton")])
        .arg(fixture(DANGLING))
        .arg(&out)
        .output()
        .unwrap();
    assert!(ran.status.success());
    let status = fs::read_to_string(folder.path().join("out.json.status")).unwrap();
    assert_eq!(status.trim(), "0");
    let text = fs::read(&out).unwrap();
    let whole: serde_json::Value = serde_json::from_slice(&text).unwrap();
    assert!(
        whole["grants"]
            .as_array()
            .is_some_and(|all| !all.is_empty())
    );
}
