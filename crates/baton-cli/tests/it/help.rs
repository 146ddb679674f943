//! Help, the manual page and the reference page.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use crate::program::{on_terminal, words};

/// Compares with a file; `UPDATE_FIXTURES=1` rewrites it.
#[track_caller]
fn snapshot(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/help")
        .join(name);
    if std::env::var_os("UPDATE_FIXTURES").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let want = std::fs::read_to_string(&path)
        .unwrap_or_default()
        .replace("\r\n", "\n");
    assert!(text == want, "{name} differs:\n{text}");
}

const COMMANDS: [&str; 24] = [
    "resource-types",
    "resources",
    "entitlements",
    "grants",
    "principals",
    "principals compare",
    "access",
    "show",
    "syncs",
    "stats",
    "diff",
    "export",
    "export c1z",
    "export csv",
    "export xlsx",
    "recalculate-stats",
    "to-pebble",
    "to-sqlite",
    "expand",
    "rollback-expansion",
    "sanitize",
    "dump-db",
    "optimize",
    "completion",
];

/// Commands that the help and the manual page leave out.
const HIDDEN: [&str; 2] = ["dump-db", "optimize"];

#[test]
fn help_keeps_its_form_at_80_and_120_columns() {
    for columns in [80, 120] {
        let help = |args: &[&str]| {
            let outcome = on_terminal(columns, args);
            assert_eq!((outcome.status, &*outcome.stderr), (0, ""), "{args:?}");
            outcome.stdout
        };
        let root = help(&["--help"]);
        snapshot(&format!("root-{columns}.txt"), &root);
        for same in [&["help"][..], &["-h"], &[]] {
            assert_eq!(help(same), root, "{same:?}");
        }
        let mut all = String::new();
        for command in COMMANDS {
            let words: Vec<&str> = command.split(' ').collect();
            let text = help(&[&words[..], &["--help"]].concat());
            assert_eq!(help(&[&["help"], &words[..]].concat()), text, "{command}");
            writeln!(all, "$ baton {command} --help\n{text}").unwrap();
        }
        snapshot(&format!("commands-{columns}.txt"), &all);
    }
}

#[test]
fn each_command_is_in_the_help_or_hidden_on_purpose() {
    let root = on_terminal(80, &["--help"]).stdout;
    for command in COMMANDS.iter().filter(|command| !command.contains(' ')) {
        let shown = root.contains(&format!("\n  {command} "));
        assert_eq!(shown, !HIDDEN.contains(command), "{command}");
    }
}

/// Each example gets as far as the file that it names, which is not there.
#[test]
fn each_command_has_examples_that_are_command_lines() {
    for command in COMMANDS {
        let topic: Vec<&str> = ["help"].into_iter().chain(command.split(' ')).collect();
        let help = on_terminal(120, &topic).stdout;
        let examples = help
            .split_once("\nExamples:\n")
            .map_or("", |(_, rest)| rest);
        let mut count = 0;
        for line in examples.lines().filter(|line| line.starts_with("    ")) {
            count += 1;
            let example: Vec<&str> = line.split_whitespace().collect();
            let (program, args) = example.split_first().unwrap();
            assert_eq!(*program, "baton", "{line}");
            let folder = tempfile::tempdir().unwrap();
            let output = Command::new(env!("CARGO_BIN_EXE_baton"))
                .args(args)
                .current_dir(folder.path())
                .env_clear()
                .output()
                .unwrap();
            let stderr = String::from_utf8(output.stderr).unwrap();
            // Where the Go tool does, a file that is not there counts as one without syncs.
            let understood = output.status.success()
                || stderr.contains(".c1z does not exist or is empty\n")
                || stderr.contains("sync.c1z holds no sync");
            assert!(understood, "{line}: {stderr}");
        }
        let needs = !["export", "dump-db", "completion"].contains(&command);
        assert!(count > 0 || !needs, "{command}");
    }
}

#[test]
fn an_unknown_topic_is_an_unknown_command() {
    for (topic, root) in [
        (&["nope"][..], "baton"),
        (&["export", "nope"], "baton export"),
    ] {
        let outcome = words(&[&["help"], topic].concat());
        let expected = format!("error: unknown command \"nope\" for \"{root}\"\n");
        assert_eq!((outcome.status, &*outcome.stdout), (2, ""));
        assert!(outcome.stderr.starts_with(&expected), "{}", outcome.stderr);
    }
}

#[test]
fn the_manual_page_names_each_shown_command() {
    let page = words(&["man"]).stdout;
    assert!(page.starts_with(".TH \"BATON\" 1"), "{page}");
    for command in COMMANDS {
        let title = command.to_uppercase().replace('-', "\\-");
        let shown = page.contains(&format!(".SH \"BATON {title}\"\n"));
        assert_eq!(shown, !HIDDEN.contains(&command), "{command}");
    }
}

#[test]
fn a_folder_gets_a_manual_page_for_each_shown_command() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().display().to_string();
    // The second time the pages are replaced.
    for _ in 0..2 {
        let outcome = words(&["man", "--out", &out]);
        assert_eq!(
            (outcome.status, &*outcome.stderr, &*outcome.stdout),
            (0, "", "")
        );
    }
    let page = |name: &str| std::fs::read_to_string(folder.path().join(name));
    assert_eq!(page("baton.1").unwrap(), words(&["man"]).stdout);
    for command in COMMANDS {
        let name = format!("baton-{}", command.replace(' ', "-"));
        let title = name.to_uppercase().replace('-', "\\-");
        let page = page(&format!("{name}.1"));
        let is_hidden = matches!(command, "dump-db" | "optimize");
        assert_eq!(page.is_err(), is_hidden, "{command}");
        let Ok(page) = page else { continue };
        assert!(page.starts_with(&format!(".TH \"{title}\" 1 ")), "{page}");
        // Each flag that the help shows is in the page.
        let topic: Vec<&str> = command.split(' ').collect();
        let help = words(&[&topic[..], &["--help"]].concat()).stdout;
        let flags = help
            .lines()
            .filter_map(|line| line.trim_start().strip_prefix('-'));
        for flag in flags.filter_map(|line| line.split("--").nth(1)) {
            let name = flag.split([' ', '=']).next().unwrap_or_default();
            let shown = format!("\\-\\-{}", name.replace('-', "\\-"));
            assert!(page.contains(&shown), "{command} --{name}: {page}");
        }
    }
    let outcome = words(&["man", "--out", "no/such/folder"]);
    assert_eq!(outcome.status, 5, "{}", outcome.stderr);
}

/// The page in the repository is the generated one. To refresh it, run this test with
/// `UPDATE_DOCS=1`.
#[test]
fn the_reference_page_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/baton.md");
    let generated = baton_cli::reference_markdown();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &generated).unwrap();
    }
    let committed = std::fs::read_to_string(&path)
        .unwrap_or_default()
        .replace("\r\n", "\n");
    assert!(
        committed == generated,
        "docs/baton.md is stale: run this test with UPDATE_DOCS=1"
    );
}
