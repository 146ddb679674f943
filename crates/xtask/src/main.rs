//! Chores of the repository, without tools that must be installed:
//! `cargo xtask NAME`.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "an entry point reads its arguments and prints"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// A chore: its name, what it does, and its steps.
struct Chore {
    name: &'static str,
    about: &'static str,
    steps: &'static [Step],
}

/// The crates that authors of programs use, with what for: the first page of
/// the documentation.
const FOR_USERS: [(&str, &str); 5] = [
    (
        "baton_connector",
        "what a connector is: traits, builders, the HTTP client",
    ),
    ("baton_runtime", "a connector as a program"),
    ("baton_sync", "the sync engine as a library"),
    ("baton_c1z", "sync files as a library"),
    ("baton_testkit", "tests of connectors"),
];

/// A command, with the variables that are set for it.
struct Step {
    words: &'static [&'static str],
    variables: &'static [(&'static str, &'static str)],
}

const fn step(words: &'static [&'static str]) -> Step {
    Step {
        words,
        variables: &[],
    }
}

const fn step_with(
    words: &'static [&'static str],
    variables: &'static [(&'static str, &'static str)],
) -> Step {
    Step { words, variables }
}

/// Rewrites pages that tests compare with the definitions of flags and commands.
const PAGES: &[(&str, &str)] = &[("UPDATE_DOCS", "1")];
/// Rewrites the recorded help texts.
const FIXTURES: &[(&str, &str)] = &[("UPDATE_FIXTURES", "1")];

const CHORES: &[Chore] = &[
    Chore {
        name: "ci",
        about: "run what CI runs: format, clippy, tests, the demo",
        steps: &[step(&[".ci/run"])],
    },
    Chore {
        name: "check",
        about: "format, lint and check the rules of the workspace; no other tests",
        steps: &[
            step(&["cargo", "fmt", "--all"]),
            step(&[
                "cargo",
                "clippy",
                "--workspace",
                "--all-targets",
                "--locked",
                "--",
                "-D",
                "warnings",
            ]),
            step(&["cargo", "test", "-q", "-p", "tidy", "--locked"]),
        ],
    },
    Chore {
        name: "pages",
        about: "rewrite docs/flags.md, docs/baton.md and the recorded help texts",
        steps: &[
            step_with(
                &[
                    "cargo",
                    "test",
                    "-p",
                    "baton-runtime",
                    "--test",
                    "it",
                    "flags",
                ],
                PAGES,
            ),
            step_with(
                &["cargo", "test", "-p", "baton-cli", "--test", "it", "help"],
                PAGES,
            ),
            step_with(
                &[
                    "cargo",
                    "test",
                    "-p",
                    "baton-runtime",
                    "-p",
                    "baton-cli",
                    "-p",
                    "baton-atlassian",
                    "--test",
                    "it",
                    "help",
                ],
                FIXTURES,
            ),
        ],
    },
    Chore {
        name: "doc",
        about: "build the documentation of all crates, with a first page; warnings are errors",
        steps: &[step_with(
            &["cargo", "doc", "--workspace", "--no-deps", "--locked"],
            &[("RUSTDOCFLAGS", "-D warnings")],
        )],
    },
    Chore {
        name: "bench",
        about: "measure whole programs (needs GNU time); compare with benches/RESULTS.md",
        steps: &[step(&["benches/run.sh"])],
    },
    Chore {
        name: "fuzz",
        about: "run every decoder over a hundred times the usual mutations",
        steps: &[step_with(
            &["cargo", "test", "--release", "-p", "fuzz-targets"],
            &[("FUZZ_ROUNDS", "100")],
        )],
    },
    Chore {
        name: "faults",
        about: "sync under 1,000 seeds of simulated faults",
        steps: &[step(&[
            "cargo",
            "run",
            "--release",
            "-p",
            "fault-sim",
            "--bin",
            "fault-sim",
            "--",
            "1",
            "1000",
        ])],
    },
];

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_default();
    let chore = CHORES.iter().find(|chore| chore.name == name);
    let (Some(chore), None) = (chore, arguments.next()) else {
        println!("cargo xtask NAME\n");
        for chore in CHORES {
            println!("  {:7} {}", chore.name, chore.about);
        }
        let asked = name.is_empty() || name == "help";
        return ExitCode::from(if asked { 0 } else { 2 });
    };
    for step in chore.steps {
        if let Err(failure) = run(step) {
            eprintln!("error: {failure}");
            return ExitCode::FAILURE;
        }
    }
    if chore.name == "doc"
        && let Err(failure) = write_first_page()
    {
        eprintln!("error: {failure}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Writes `target/doc/index.html`, which leads to the crates that users want.
fn write_first_page() -> Result<(), String> {
    let links = FOR_USERS.map(|(name, about)| {
        format!("<li><a href=\"{name}/index.html\">{name}</a>: {about}</li>\n")
    });
    let page = format!(
        "<!doctype html>\n<meta charset=\"utf-8\">\n<title>Baton</title>\n\
         <h1>Baton</h1>\n<ul>\n{}</ul>\n",
        links.concat()
    );
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), Into::into);
    let path = target.join("doc/index.html");
    std::fs::write(&path, page)
        .map_err(|error| format!("cannot write `{}`: {error}", path.display()))?;
    println!("the first page is {}", path.display());
    Ok(())
}

/// The folder of the workspace.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn run(step: &Step) -> Result<(), String> {
    let line = step.words.join(" ");
    println!("== {line}");
    let Some((program, arguments)) = step.words.split_first() else {
        return Ok(());
    };
    let status = Command::new(program)
        .args(arguments)
        .envs(step.variables.iter().copied())
        .current_dir(root())
        .status()
        .map_err(|error| format!("cannot start `{line}`: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("`{line}` failed"))
    }
}
