//! Every command of the built program, with standard output or standard error
//! broken in every way.
#![cfg(unix)]

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::process::{Command, Stdio};

use atlassian_sim::Simulator;
use tokio::net::TcpListener;

use crate::simulated::{simulator, spec};

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
            Self::ReadOnly => File::open("/dev/null").unwrap().into(),
        }
    }
}

struct Left {
    status: Option<i32>,
    stdout: Vec<u8>,
    stderr: String,
}

fn run(folder: &Path, words: &[&str], stdout: Option<Broken>, stderr: Option<Broken>) -> Left {
    let close = match (stdout, stderr) {
        (Some(Broken::ClosedFd), _) => r#"exec "$0" "$@" >&-"#,
        (_, Some(Broken::ClosedFd)) => r#"exec "$0" "$@" 2>&-"#,
        _ => r#"exec "$0" "$@""#,
    };
    let left = Command::new("/bin/sh")
        .args(["-c", close, env!("CARGO_BIN_EXE_baton-atlassian")])
        .args(words)
        .current_dir(folder)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(stdout.map_or_else(Stdio::piped, Broken::stdio))
        .stderr(stderr.map_or_else(Stdio::piped, Broken::stdio))
        .spawn()
        .unwrap()
        .wait_with_output()
        .unwrap();
    Left {
        status: left.status.code(),
        stdout: left.stdout,
        stderr: String::from_utf8_lossy(&left.stderr).into_owned(),
    }
}

const SHOWS: [&[&str]; 5] = [
    &["--help"],
    &["--version"],
    &["completion", "bash"],
    &["config"],
    &["capabilities"],
];

#[test]
fn what_commands_show_does_not_depend_on_stderr() {
    let folder = tempfile::tempdir().unwrap();
    for words in SHOWS {
        let sound = run(folder.path(), words, None, None);
        assert_eq!(sound.status, Some(0), "{words:?}: {}", sound.stderr);
        assert!(!sound.stdout.is_empty());
        for broken in BROKEN {
            let left = run(folder.path(), words, None, Some(broken));
            assert_eq!(left.status, Some(0), "{words:?} {broken:?}");
            assert_eq!(left.stdout, sound.stdout, "{words:?} {broken:?}");
        }
    }
}

#[test]
fn what_could_not_be_shown_is_no_success_unless_its_reader_left() {
    let folder = tempfile::tempdir().unwrap();
    for (words, broken) in SHOWS.iter().flat_map(|w| BROKEN.map(|broken| (*w, broken))) {
        let left = run(folder.path(), words, Some(broken), None);
        let is_quiet = broken == Broken::ClosedPipe;
        let status = if is_quiet { 0 } else { 2 };
        assert_eq!(left.status, Some(status), "{words:?} {broken:?}");
        let error = "error: cannot write to standard output\n";
        assert_eq!(left.stderr.contains(error), !is_quiet, "{}", left.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_and_a_demo_make_their_file_whatever_the_streams_do() {
    let simulator = simulator(spec(5, 2));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let server = simulator.serve(listener).unwrap();
    let base = Simulator::base_url(server.address());
    let sync = [
        "--access-token",
        simulator.access_token(),
        "--organization-id",
        simulator.organization_id(),
        "--base-url",
        &base,
    ];
    let log = [&sync[..], &["--log-path", "stdout"]].concat();
    for broken in BROKEN {
        for (words, file, writes) in [
            (&sync[..], "sync.c1z", false),
            (&["demo"], "demo.c1z", false),
            (&log, "sync.c1z", true),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let left = run(folder.path(), words, None, Some(broken));
            assert_eq!(left.status, Some(0), "{words:?} 2 {broken:?}");
            assert!(folder.path().join(file).exists(), "{words:?}");
            let folder = tempfile::tempdir().unwrap();
            let left = run(folder.path(), words, Some(broken), None);
            // A log that was asked for and could not be written is a failure.
            let status = if writes { 2 } else { 0 };
            assert_eq!(left.status, Some(status), "{words:?} {}", left.stderr);
            assert!(folder.path().join(file).exists(), "{words:?}");
        }
    }
    server.shutdown().await.unwrap();
}

#[test]
fn errors_keep_their_status_when_nobody_reads_them() {
    let folder = tempfile::tempdir().unwrap();
    for broken in BROKEN {
        for words in [&["--nope"][..], &["nope"], &[], &["capabilities", "--nope"]] {
            assert_eq!(
                run(folder.path(), words, None, Some(broken)).status,
                Some(2)
            );
            let left = run(folder.path(), words, Some(broken), None);
            assert_eq!(left.status, Some(2));
            assert_eq!(left.stderr.matches("error:").count(), 1, "{}", left.stderr);
        }
    }
}
