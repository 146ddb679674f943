//! Help texts and completions.

use crate::stage::Stage;

/// Compares with a file; `UPDATE_FIXTURES=1` rewrites it.
#[track_caller]
fn snapshot(name: &str, text: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
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
fn help_of_the_root_keeps_its_form() {
    let outcome = Stage::new().run(&["--help"]);
    assert_eq!(outcome.status.code(), 0);
    assert_eq!(outcome.stderr, "");
    snapshot("help-root.txt", &outcome.stdout);
    assert_eq!(Stage::new().run(&["help"]).stdout, outcome.stdout);
    assert_eq!(Stage::new().run(&["-h"]).stdout, outcome.stdout);
}

#[test]
fn help_of_commands_keeps_its_form() {
    for command in ["capabilities", "config", "completion", "help"] {
        let outcome = Stage::new().run(&[command, "--help"]);
        assert_eq!(outcome.status.code(), 0);
        snapshot(&format!("help-{command}.txt"), &outcome.stdout);
        assert_eq!(Stage::new().run(&["help", command]).stdout, outcome.stdout);
    }
    let outcome = Stage::new().run(&["completion"]);
    assert!(
        outcome
            .stdout
            .starts_with("Print a completion script for a shell\n")
    );
    assert_eq!(outcome.status.code(), 0);
    let outcome = Stage::new().run(&["completion", "zsh", "--help"]);
    assert!(
        outcome.stdout.contains("--no-descriptions"),
        "{}",
        outcome.stdout
    );
}

#[test]
fn an_unknown_topic_is_answered_with_a_complaint_and_the_usage() {
    let outcome = Stage::new().run(&["help", "nope"]);
    assert_eq!(outcome.status.code(), 0);
    assert_eq!(outcome.stdout, "");
    assert!(
        outcome
            .stderr
            .starts_with("unknown help topic `nope`\n\nbaton-toy\n\nUsage:")
    );
}

#[test]
fn hidden_flags_are_not_in_the_help() {
    let help = Stage::new().run(&["--help"]).stdout;
    for hidden in ["base-url ", "c1z-temp-dir"] {
        assert!(!help.contains(&format!("--{hidden}")), "{hidden}");
    }
}

#[test]
fn each_shell_has_a_completion_script() {
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let full = Stage::new().run(&["completion", shell]);
        assert_eq!(full.status.code(), 0);
        for word in ["organization-id", "capabilities", "sync-resource-types"] {
            assert!(full.stdout.contains(word), "{shell} lacks {word}");
        }
        let bare = Stage::new().run(&["completion", shell, "--no-descriptions"]);
        assert!(!bare.stdout.contains("Organization that will"), "{shell}");
        assert!(bare.stdout.len() <= full.stdout.len(), "{shell}");
    }
}
