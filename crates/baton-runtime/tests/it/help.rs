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

/// Help of a command line at a width.
fn at(columns: usize, args: &[&str]) -> String {
    let mut stage = Stage::new();
    stage.columns = Some(columns);
    let outcome = stage.run(args);
    assert_eq!(outcome.status.code(), 0, "{args:?}: {}", outcome.stderr);
    assert_eq!(outcome.stderr, "");
    outcome.stdout
}

#[test]
fn help_keeps_its_form_at_80_and_120_columns() {
    for columns in [80, 120] {
        let help = at(columns, &["--help"]);
        snapshot(&format!("help-root-{columns}.txt"), &help);
        assert_eq!(at(columns, &["help"]), help);
        assert_eq!(at(columns, &["-h"]), help);
        for command in ["capabilities", "config", "completion", "help"] {
            let help = at(columns, &[command, "--help"]);
            snapshot(&format!("help-{command}-{columns}.txt"), &help);
            assert_eq!(at(columns, &["help", command]), help);
        }
    }
    let help = at(80, &["completion"]);
    assert!(help.starts_with("print a completion script for a shell\n"));
    let help = at(80, &["help", "completion", "zsh"]);
    assert!(help.contains("--no-descriptions"), "{help}");
    assert_eq!(at(80, &["completion", "zsh", "--help"]), help);
}

#[test]
fn no_line_of_help_is_wider_than_the_terminal_unless_one_word_is() {
    for columns in [1, 40, 80, 100, 120, 500] {
        let help = at(columns, &["--help"]);
        let most = columns.clamp(40, 120);
        for line in help.lines().filter(|line| line.chars().count() > most) {
            let words = line.split_whitespace().count();
            assert!(words <= 2, "{columns}: {line}");
        }
    }
}

/// Every flag of the root that is not hidden, from the reference page.
fn shown_flags() -> Vec<String> {
    let page = baton_runtime::common_flags_markdown()
        + &baton_runtime::flags_markdown(&crate::stage::fields());
    page.lines()
        .filter(|line| !line.contains("not shown in the help"))
        .filter_map(|line| line.strip_prefix("| `--")?.split_once('`'))
        .map(|(name, _)| name.to_owned())
        .collect()
}

#[test]
fn each_flag_that_is_shown_is_in_help_manual_page_and_completions() {
    let help = at(80, &["--help"]);
    let page = at(80, &["man"]).replace("\\-", "-");
    let scripts = ["bash", "fish", "zsh"].map(|shell| at(80, &["completion", shell]));
    let flags = shown_flags();
    assert!(flags.len() > 20, "{flags:?}");
    for flag in flags {
        assert!(
            help.contains(&format!("--{flag} ")) || help.contains(&format!("--{flag}\n")),
            "{flag}"
        );
        assert!(page.contains(&format!("--{flag}\\fR")), "{flag}");
        for script in &scripts {
            assert!(script.contains(&flag), "{flag}");
        }
    }
}

#[test]
fn the_manual_page_names_each_shown_flag_and_command() {
    let page = at(80, &["man"]);
    assert!(page.starts_with(".TH \"BATON\\-TOY\" 1"), "{page}");
    for word in [
        "organization\\-id",
        "capabilities",
        "sync\\-resource\\-types",
    ] {
        assert!(page.contains(word), "{word}");
    }
    for hidden in ["base\\-url", "c1z\\-temp\\-dir"] {
        assert!(!page.contains(&format!("\\-\\-{hidden}\\fR")), "{hidden}");
    }
    assert!(!at(80, &["--help"]).contains("  man "));
}

#[test]
fn an_unknown_topic_is_answered_with_a_complaint_and_the_usage() {
    let outcome = Stage::new().run(&["help", "nope"]);
    assert_eq!(outcome.status.code(), 0);
    assert_eq!(outcome.stdout, "");
    assert!(
        outcome
            .stderr
            .starts_with("unknown help topic `nope`\n\nread who has access")
    );
}

#[test]
fn hidden_flags_are_not_in_the_help() {
    let help = Stage::new().run(&["--help"]).stdout;
    for hidden in ["base-url ", "c1z-temp-dir", "skip-grants"] {
        assert!(!help.contains(&format!("--{hidden}")), "{hidden}");
    }
}

#[test]
fn each_shell_has_a_completion_script() {
    for shell in ["bash", "elvish", "zsh", "fish", "powershell"] {
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
