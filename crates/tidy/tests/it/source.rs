//! Takes Rust sources apart: string literals and comments, without tests.

use std::fs;
use std::path::{Path, PathBuf};

/// A string literal or a comment, with the line where it begins.
#[derive(Debug, PartialEq, Eq)]
pub enum Text {
    Literal(usize, String),
    Comment(usize, String),
}

/// The source files below a folder, without test modules in files of their own.
pub fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "tests" {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") && !name.contains("tests") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The string literals of a source with their lines.
pub fn literals(source: &str) -> Vec<(usize, String)> {
    texts(source)
        .into_iter()
        .filter_map(|text| match text {
            Text::Literal(line, text) => Some((line, text)),
            Text::Comment(..) => None,
        })
        .collect()
}

/// The string literals and comments of a source in order. The test module at
/// the end of a file is left out.
pub fn texts(source: &str) -> Vec<Text> {
    let end = source
        .match_indices("#[cfg(test)]")
        .map(|(at, _)| at)
        .find(|at| {
            source[*at..]
                .lines()
                .nth(1)
                .is_some_and(|next| next.ends_with('{'))
        });
    let code: Vec<char> = source[..end.unwrap_or(source.len())].chars().collect();
    let peek = |at: usize| code.get(at).copied().unwrap_or('\0');
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let begins_word = |at: usize| at == 0 || !is_word(peek(at - 1)) || peek(at - 1) == 'b';
    let mut found = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < code.len() {
        match (peek(at), peek(at + 1)) {
            ('/', '/') => {
                let begin = at;
                while at < code.len() && peek(at) != '\n' {
                    at += 1;
                }
                found.push(Text::Comment(line, code[begin..at].iter().collect()));
                continue;
            }
            ('/', '*') => {
                let (begin, begun) = (at, line);
                while at < code.len() && (peek(at), peek(at + 1)) != ('*', '/') {
                    line += usize::from(peek(at) == '\n');
                    at += 1;
                }
                found.push(Text::Comment(begun, code[begin..at].iter().collect()));
                at += 1;
            }
            // Raw strings; `br` ends the same way.
            ('r', '"' | '#') if begins_word(at) => {
                let hashes = (at + 1..code.len()).take_while(|i| peek(*i) == '#').count();
                if peek(at + 1 + hashes) == '"' {
                    let begin = at + 2 + hashes;
                    let closes =
                        |i: &usize| peek(*i) == '"' && (1..=hashes).all(|k| peek(*i + k) == '#');
                    let end = (begin..code.len()).find(closes).unwrap_or(code.len());
                    let text: String = code[begin..end].iter().collect();
                    found.push(Text::Literal(line, text.clone()));
                    line += text.matches('\n').count();
                    at = end + hashes;
                }
            }
            ('"', _) => {
                let begun = line;
                let mut text = String::new();
                at += 1;
                while at < code.len() && peek(at) != '"' {
                    line += usize::from(peek(at) == '\n');
                    if peek(at) == '\\' {
                        at += 1;
                        line += usize::from(peek(at) == '\n');
                    }
                    text.push(peek(at));
                    at += 1;
                }
                found.push(Text::Literal(begun, text));
            }
            // A character, not a lifetime.
            ('\'', '\\') => at += 3,
            ('\'', _) if peek(at + 2) == '\'' => at += 2,
            ('\n', _) => line += 1,
            _ => {}
        }
        at += 1;
    }
    found
}

#[test]
fn literals_and_comments_are_found_and_characters_and_tests_are_not() {
    let source = "// \"--a\"\nlet x = '\"'; /* \"--b\" */ let y: &'a str = \"one \\\n two\";\n\
                  let z = r#\"three \"3\" \"#;\n#[cfg(test)]\nmod tests {\n\"four\"";
    let found = [
        Text::Comment(1, "// \"--a\"".to_owned()),
        Text::Comment(2, "/* \"--b\" ".to_owned()),
        Text::Literal(2, "one \n two".to_owned()),
        Text::Literal(4, "three \"3\" ".to_owned()),
    ];
    assert_eq!(texts(source), found);
    assert_eq!(literals(source).len(), 2);
    assert_eq!(literals("let a = \"x\";\n\nlet b = \"y\";")[1].0, 3);
}
