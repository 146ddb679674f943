//! Running the program, in process with process made up by the test.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use baton_cli::{Paging, Process, Signals, StandardInput, Stopping, run};

/// What came of a command line.
pub struct Outcome {
    pub status: u8,
    pub stdout: String,
    pub stderr: String,
}

/// The path of a recorded file.
pub fn fixture(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name)
        .display()
        .to_string()
}

/// The process of `baton <args>`, with its output in a pipe.
pub fn process<S: AsRef<str>>(args: &[S]) -> Process {
    let args = args.iter().map(|word| word.as_ref().into());
    Process {
        args: std::iter::once("baton".into()).chain(args).collect(),
        temp_dir: None,
        max_decoded_mb: None,
        max_window_mb: None,
        colour: false,
        terminal: None,
        colour_err: false,
        // A day after the fixtures were made, whatever the clock says.
        now: SystemTime::UNIX_EPOCH + Duration::from_hours(498_760),
        home: None,
        sheet_rows: None,
        signals: Signals::Given(Stopping::default()),
        stdin: StandardInput::Given([].into()),
        paging: Paging::default(),
    }
}

/// Runs `baton <args>`.
pub fn baton<S: AsRef<str>>(args: &[S]) -> Outcome {
    run_in(&process(args))
}

/// Runs `baton <args>` so long after 1970.
pub fn baton_at<S: AsRef<str>>(args: &[S], now: Duration) -> Outcome {
    run_in(&Process {
        now: SystemTime::UNIX_EPOCH + now,
        ..process(args)
    })
}

/// Runs `baton <args>` on a terminal with so many columns.
pub fn on_terminal(columns: usize, args: &[&str]) -> Outcome {
    run_in(&Process {
        terminal: Some(columns),
        ..process(args)
    })
}

pub fn run_in(process: &Process) -> Outcome {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let status = run(process, &mut out, &mut err);
    Outcome {
        status,
        stdout: String::from_utf8(out).unwrap(),
        stderr: String::from_utf8(err).unwrap(),
    }
}

/// Runs a command line given as separate words.
pub fn words(args: &[&str]) -> Outcome {
    baton(args)
}

/// The database of a v1 file, unpacked into a folder.
pub fn unpacked(path: &str, folder: &Path) -> PathBuf {
    let database = folder.join("unpacked.db");
    let out = database.display().to_string();
    let outcome = words(&["dump-db", "-f", path, "--out", &out]);
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    database
}

/// A v1 file of a database.
pub fn packed(database: &Path, path: &Path) -> String {
    let content = zstd::encode_all(&std::fs::read(database).unwrap()[..], 1).unwrap();
    std::fs::write(path, [b"C1ZF\0", &content[..]].concat()).unwrap();
    path.display().to_string()
}
