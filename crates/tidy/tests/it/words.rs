//! Words that `STYLE.md` bans, in texts for users, comments and documents.
//!
//! Checked are string literals and comments of sources without tests, and all
//! Markdown files. A word that no list can judge ("is no file", "save" for
//! "except") is left to review.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::source::{Text, sources, texts};

/// The banned words, and what to write instead.
const BANNED: &[(&str, &str)] = &[
    ("told", "reported, shown, stated"),
    ("tells", "shows, states, distinguishes"),
    ("tell of", "report, mention"),
    ("says", "states, requires, shows"),
    ("said", "stated, reported"),
    ("anew", "again, from the start"),
    ("meanwhile", "at the same time, since then, during the sync"),
    ("in vain", "without success"),
    ("whoever", "the caller, the process that"),
    ("somebody", "another process, another user"),
    ("nobody", "no process, no user"),
    ("go on", "continue"),
    ("goes on", "continues"),
    ("went on", "continued"),
    ("gone on", "continued"),
    ("any more", "no longer"),
    ("due", "expected, scheduled, because of"),
    ("at all", "leave it out"),
    ("as good as", "almost"),
    ("make do", "use, manage with"),
    ("makes do", "uses, manages with"),
    ("hand on", "pass"),
    ("hands on", "passes"),
    ("handed on", "passed"),
    ("bring along", "include, embed"),
    ("brings along", "includes, embeds"),
    ("brought along", "included, embedded"),
    ("take back", "undo, withdraw"),
    ("takes back", "undoes, withdraws"),
    ("taken back", "undone, withdrawn"),
    ("made good", "completed, repaired"),
];

/// Texts that stay: (a part of the path, the text), with the reason above each.
const KEPT: &[(&str, &str)] = &[];

/// The banned words in a text, with word borders at both ends. A line break
/// inside a phrase counts as a space.
fn banned(text: &str) -> Vec<&'static str> {
    let lower = text.to_lowercase();
    let words: Vec<&str> = lower
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
        .collect();
    let is_there = |phrase: &str| {
        let phrase: Vec<&str> = phrase.split(' ').collect();
        words.windows(phrase.len()).any(|found| found == phrase)
    };
    BANNED
        .iter()
        .map(|(word, _)| *word)
        .filter(|word| is_there(word))
        .collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The findings of one file: where, and which word.
fn findings(path: &Path, pieces: &[(usize, String)]) -> Vec<String> {
    let mut found = Vec::new();
    let place = path.display().to_string();
    for (line, text) in pieces {
        let kept = KEPT
            .iter()
            .any(|(file, known)| place.contains(file) && text.contains(known));
        for word in banned(text) {
            if !kept {
                found.push(format!("{place}:{line} has \"{word}\""));
            }
        }
    }
    found
}

/// String literals, and comments with neighbouring lines joined, so that a
/// phrase is found across a line break.
fn pieces(source: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let mut last_comment = 0;
    for text in texts(source) {
        match text {
            Text::Literal(line, text) => found.push((line, text)),
            Text::Comment(line, text) => {
                let joins = last_comment > 0 && line == last_comment + 1;
                last_comment = line;
                match found.last_mut() {
                    Some((_, before)) if joins => {
                        before.push(' ');
                        before.push_str(&text);
                    }
                    _ => found.push((line, text)),
                }
            }
        }
    }
    found
}

/// The folders of our crates.
fn crate_folders() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for parent in ["crates", "examples"] {
        for entry in fs::read_dir(root().join(parent)).unwrap() {
            found.push(entry.unwrap().path());
        }
    }
    found.sort();
    found
}

fn name(folder: &Path) -> String {
    folder.file_name().unwrap().to_string_lossy().into_owned()
}

#[test]
fn texts_and_comments_use_no_banned_word() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for folder in crate_folders() {
        // These tests name the words themselves.
        if name(&folder) == "tidy" {
            continue;
        }
        for file in sources(&folder.join("src")) {
            let pieces = pieces(&fs::read_to_string(&file).unwrap());
            seen += pieces.len();
            wrong.extend(findings(&file, &pieces));
        }
    }
    assert!(seen > 5000, "only {seen} texts were found");
    assert!(wrong.is_empty(), "STYLE.md bans these words: {wrong:#?}");
}

#[test]
fn documents_use_no_banned_word() {
    let out = Command::new("git")
        .args(["ls-files", "*.md"])
        .current_dir(root())
        .output()
        .unwrap();
    // An exported source tree has no git data.
    if !out.status.success() {
        return;
    }
    let mut wrong = Vec::new();
    for file in String::from_utf8_lossy(&out.stdout).lines() {
        // The list of these words.
        if file == "STYLE.md" {
            continue;
        }
        let Ok(text) = fs::read_to_string(root().join(file)) else {
            continue;
        };
        wrong.append(&mut findings(Path::new(file), &paragraphs(&text)));
    }
    assert!(wrong.is_empty(), "STYLE.md bans these words: {wrong:#?}");
}

/// The paragraphs, list items and table rows of a document with the lines where
/// they begin.
fn paragraphs(text: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let mut inside = false;
    for (at, line) in text.lines().enumerate() {
        inside &= !line.trim_start().starts_with(['-', '|', '#']);
        match found.last_mut() {
            Some((_, before)) if inside && !line.trim().is_empty() => {
                before.push(' ');
                before.push_str(line);
            }
            _ if !line.trim().is_empty() => found.push((at + 1, line.to_owned())),
            _ => {}
        }
        inside = !line.trim().is_empty();
    }
    found
}

#[test]
fn a_banned_word_is_found_in_any_case_and_across_lines_and_not_inside_another() {
    assert_eq!(banned("It was TOLD."), ["told"]);
    assert_eq!(banned("the sync goes\n   on"), ["goes on"]);
    assert_eq!(
        banned("residue, untold, saids, go only"),
        Vec::<&str>::new()
    );
    let source = "// it goes\n// on\nlet x = \"told\"; // goes\nlet y = \"on\";";
    let found = pieces(source);
    let words: Vec<_> = found.iter().flat_map(|(_, text)| banned(text)).collect();
    assert_eq!(words, ["goes on", "told"]);
    assert_eq!(
        paragraphs("a\nb\n\nc"),
        [(1, "a b".into()), (4, "c".into())]
    );
}
