//! The unit file for systemd starts the program with flags that it has.

use std::path::{Path, PathBuf};
use std::process::Command;

const PROGRAM: &str = "/usr/local/bin/baton-atlassian";

fn unit_file() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.join("packaging/systemd/baton-atlassian.service")
}

/// The settings of the unit, with continued lines joined.
fn settings() -> Vec<(String, String)> {
    let text = std::fs::read_to_string(unit_file()).unwrap();
    let text = text.replace("\\\n", " ");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let pairs = lines.filter_map(|line| line.split_once('='));
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn setting(name: &str) -> String {
    let found = settings().into_iter().find(|(key, _)| key == name);
    found.unwrap().1
}

#[test]
fn every_flag_of_the_command_line_exists() {
    let command = setting("ExecStart");
    let mut words = command.split_whitespace();
    assert_eq!(words.next(), Some(PROGRAM));
    let words: Vec<&str> = words.collect();
    assert!(words.iter().any(|word| word.starts_with("--")), "{words:?}");
    // Words are checked before help is shown.
    let run = |words: &[&str]| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_baton-atlassian"));
        program.args(words).arg("--help").output().unwrap()
    };
    let shown = run(&words);
    let text = String::from_utf8_lossy(&shown.stderr);
    assert!(shown.status.success(), "{text}");
    assert!(!run(&["--no-such-flag"]).status.success());
}

#[test]
fn secrets_come_from_files_and_the_time_to_stop_suffices() {
    let command = setting("ExecStart");
    let credentials: Vec<String> = settings()
        .into_iter()
        .filter(|(name, _)| name == "LoadCredential")
        .map(|(_, value)| value.split_once(':').unwrap().0.to_owned())
        .collect();
    assert_eq!(credentials, ["access-token", "client-secret"]);
    for name in credentials {
        assert!(
            command.contains(&format!("--{name} @%d/{name}")),
            "{command}"
        );
    }
    assert_eq!(setting("Type"), "notify");
    // The program ends within 29 s.
    let limit: u64 = setting("TimeoutStopSec").parse().unwrap();
    assert!(limit > 29, "{limit}");
}

#[test]
fn systemd_accepts_the_unit_where_it_is_installed() {
    let dir = tempfile::tempdir().unwrap();
    let verify = |text: &str| {
        let path = dir.path().join("baton-atlassian.service");
        std::fs::write(&path, text).unwrap();
        let mut command = Command::new("systemd-analyze");
        command.args(["verify", "--man=no"]).arg(path).output()
    };
    // The program itself is not installed here.
    let text = std::fs::read_to_string(unit_file()).unwrap();
    let text = text.replace(PROGRAM, "/bin/true");
    let Ok(verified) = verify(&text) else {
        // systemd is not installed; the other tests checked the flags.
        return;
    };
    let complaints = String::from_utf8_lossy(&verified.stderr).into_owned();
    assert!(
        verified.status.success() && complaints.is_empty(),
        "{complaints}"
    );
    let broken = verify(&text.replace("ProtectClock=", "ProtectClok=")).unwrap();
    assert!(!broken.stderr.is_empty());
}
