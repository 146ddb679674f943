//! Every crate introduces itself, and the lints of the workspace apply to it.

use std::fs;
use std::path::{Path, PathBuf};

/// Most lines of a README: what fits on a page.
const MAX_LINES: usize = 75;

/// What a README must have: a runnable example, and the limits of the crate.
const SECTIONS: [&str; 2] = ["\n## Example\n\n```", "\n## What it does not know\n"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn crates() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for parent in ["crates", "examples"] {
        for entry in fs::read_dir(root().join(parent)).unwrap() {
            found.push(entry.unwrap().path());
        }
    }
    found
}

/// What is wrong with a README.
fn faults(text: &str) -> Vec<String> {
    let lines = text.lines().count();
    let mut found = Vec::new();
    if lines > MAX_LINES {
        found.push(format!("{lines} lines are more than a page"));
    }
    for section in SECTIONS {
        if !text.contains(section) {
            found.push(format!("lacks {section:?}"));
        }
    }
    found
}

#[test]
fn each_crate_has_a_readme_of_a_page_with_an_example_and_its_limits() {
    let mut wrong = Vec::new();
    for folder in crates() {
        let text = fs::read_to_string(folder.join("README.md")).unwrap_or_default();
        let found = faults(&text);
        wrong.extend(
            found
                .iter()
                .map(|fault| format!("{}: {fault}", folder.display())),
        );
        // Rust examples are tests of the crate.
        let library = fs::read_to_string(folder.join("src/lib.rs")).unwrap_or_default();
        if text.contains("\n```rust") && !library.contains("include_str!(\"../README.md\")") {
            let place = folder.display();
            wrong.push(format!("{place}: the example of its README is not tested"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_readme_without_example_or_too_long_is_found() {
    assert_eq!(faults("# x\n").len(), 2);
    let sections = SECTIONS.concat();
    assert_eq!(faults(&sections), Vec::<String>::new());
    assert_eq!(faults(&format!("{sections}{}", "x\n".repeat(80))).len(), 1);
}

#[test]
fn each_crate_has_the_lints_of_the_workspace() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    // A public name without a doc comment fails clippy, which denies warnings.
    assert!(manifest.contains("\nmissing_docs = \"warn\"\n"));
    for folder in crates() {
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        assert!(
            manifest.contains("[lints]\nworkspace = true"),
            "{} does not take the lints of the workspace",
            folder.display()
        );
    }
}
