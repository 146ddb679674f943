//! The help of the program, as people see it.

use std::collections::BTreeMap;
use std::io::{Cursor, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use baton_runtime::{Process, Stderr};

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn shown(columns: usize, args: &[&str]) -> String {
    let stdout = Sink::default();
    let process = Process {
        asks: false,
        args: args.iter().map(Into::into).collect(),
        env: BTreeMap::new(),
        stdin: Box::new(Cursor::new(Vec::new())),
        stdout: Box::new(stdout.clone()),
        stderr: Stderr::new(Box::new(std::io::sink()), false, false),
        columns: Some(columns),
        ..Process::current().unwrap()
    };
    let status = baton_runtime::run(&baton_atlassian::app(), process);
    assert_eq!(status.code(), 0, "{args:?}");
    let bytes = stdout.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

/// Compares with a file; `UPDATE_FIXTURES=1` rewrites it.
#[track_caller]
fn snapshot(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name);
    if std::env::var_os("UPDATE_FIXTURES").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let want = std::fs::read_to_string(&path)
        .unwrap_or_default()
        .replace("\r\n", "\n");
    assert!(text == want, "{name} differs:\n{text}");
}

#[test]
fn help_keeps_its_form_at_80_and_120_columns() {
    for columns in [80, 120] {
        snapshot(
            &format!("help-root-{columns}.txt"),
            &shown(columns, &["--help"]),
        );
        snapshot(
            &format!("help-demo-{columns}.txt"),
            &shown(columns, &["demo", "--help"]),
        );
    }
}

#[test]
fn flags_without_an_effect_are_accepted_and_not_shown() {
    let help = shown(80, &["--help"]);
    let schema = shown(80, &["config"]);
    assert!(!help.contains("--skip-grants"));
    shown(80, &["--skip-grants=0", "--help"]);
    for exported in ["scim-token", "scim-base-url"] {
        assert!(schema.contains(&format!("\"{exported}\"")), "{exported}");
        assert!(help.contains(&format!("--{exported}")), "{exported}");
    }
    let ends = help.find("Examples:").map(|at| &help[at..]).unwrap();
    assert_eq!(ends.matches("    baton-atlassian ").count(), 5, "{ends}");
}
