//! `docs/write-a-connector.md` shows this connector's own text, and nothing
//! else: a block that names a file occurs in it, and a command says what the
//! guide says.

use std::fs;
use std::process::Command;

use crate::harness::{Harness, root};

struct Block {
    /// What follows the three ticks: a language, and a file or nothing.
    info: String,
    text: String,
}

fn blocks() -> Vec<Block> {
    let guide = fs::read_to_string(root().join("../../docs/write-a-connector.md")).unwrap();
    let mut found = Vec::new();
    let mut lines = guide.lines();
    while let Some(line) = lines.next() {
        if let Some(info) = line.strip_prefix("```") {
            let text = lines.by_ref().take_while(|line| *line != "```");
            found.push(Block {
                info: info.to_owned(),
                text: text.fold(String::new(), |text, line| text + line + "\n"),
            });
        }
    }
    found
}

#[test]
fn every_block_of_code_is_the_text_of_the_file_that_it_names() {
    let mut checked = 0;
    for block in blocks() {
        let Some((language, file)) = block.info.split_once(' ') else {
            assert_eq!(
                block.info, "console",
                "a block that nothing checks:\n{}",
                block.text
            );
            continue;
        };
        let source = fs::read_to_string(root().join(file)).unwrap();
        assert!(
            source.contains(&block.text),
            "{language} block is not in {file}:\n{}",
            block.text
        );
        checked += 1;
    }
    assert!(checked > 10, "only {checked} blocks name a file");
}

#[test]
fn the_commands_print_what_the_guide_shows() {
    let harness = Harness::new();
    assert_eq!(harness.sync(&[]).code, Some(0));
    let mut checked = 0;
    for block in blocks().iter().filter(|block| block.info == "console") {
        let Some((command, shown)) = block.text.split_once('\n') else {
            panic!("an empty block");
        };
        let said = if let Some(words) = command.strip_prefix("$ baton-csv ") {
            connector(words)
        } else if let Some(words) = command.strip_prefix("$ baton ") {
            let words = words.strip_suffix(" -f access.c1z").unwrap();
            let words: Vec<&str> = words.split(' ').collect();
            harness.baton(&words)
        } else {
            continue;
        };
        let said: Vec<&str> = said.lines().map(str::trim_end).collect();
        let shown: Vec<&str> = shown.lines().map(str::trim_end).collect();
        assert_eq!(said.join("\n").trim(), shown.join("\n").trim(), "{command}");
        checked += 1;
    }
    assert_eq!(checked, 4);
}

/// Standard output of the connector, started at the top of the repository.
fn connector(words: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_baton-csv"))
        .args(words.split(' '))
        .current_dir(root().join("../.."))
        .env_clear()
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_function_of_the_syncers_and_the_provisioner_is_shown() {
    let guide: String = blocks().iter().map(|block| block.text.as_str()).collect();
    for file in ["src/syncers.rs", "src/provisioner.rs"] {
        let source = fs::read_to_string(root().join(file)).unwrap();
        let source = source.split("#[cfg(test)]").next().unwrap();
        for line in source.lines().filter(|line| line.contains("fn ")) {
            assert!(
                guide.contains(line),
                "the guide leaves out `{}`",
                line.trim()
            );
        }
    }
}

#[test]
fn the_provisioner_is_as_short_as_the_guide_says() {
    let source = fs::read_to_string(root().join("src/provisioner.rs")).unwrap();
    assert!(source.lines().count() <= 120);
}
