//! A piece of output: lines, each with at most one label at its beginning.
//!
//! Text is kept as it came. [`Block::render`] sends each line through the
//! gate, so the only line breaks in the output are those between lines.

use std::collections::BTreeSet;
use std::error::Error;

use baton_proto::causes;

use crate::gate::TextGate;

/// The kind of a line. Only labels are coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label {
    /// What failed.
    Error,
    /// Why it failed.
    CausedBy,
    /// What the user can do.
    Hint,
    /// What may be wrong with a result.
    Warning,
    /// What is worth knowing and not wrong.
    Note,
}

impl Label {
    fn word(self) -> &'static str {
        match self {
            Self::Error => "error:",
            Self::CausedBy => "caused by:",
            Self::Hint => "hint:",
            Self::Warning => "warning:",
            Self::Note => "note:",
        }
    }

    fn colour(self) -> &'static str {
        match self {
            Self::Error => "1;31",
            Self::CausedBy => "1",
            Self::Hint => "1;36",
            Self::Warning => "1;33",
            Self::Note => "1;34",
        }
    }
}

/// Lines for people.
#[derive(Debug, Clone, Default)]
pub struct Block {
    lines: Vec<Line>,
}

#[derive(Debug, Clone)]
struct Line {
    indent: usize,
    label: Option<Label>,
    text: String,
}

impl Block {
    /// A block without lines.
    pub fn new() -> Self {
        Self::default()
    }

    /// An error with its causes and hints; each hint appears once.
    pub fn of_error(error: &(dyn Error + '_), hints: &[String]) -> Self {
        let mut block = Self::new();
        let mut texts = causes::texts(error).into_iter();
        block.labelled(Label::Error, texts.next().unwrap_or_default());
        for cause in texts {
            block.labelled(Label::CausedBy, cause);
        }
        block.hints(hints);
        block
    }

    /// Adds a line. Line breaks in the text are replaced like any other
    /// control character.
    pub fn line(&mut self, text: impl Into<String>) -> &mut Self {
        self.push(0, None, text.into())
    }

    /// Adds a line that begins with so many spaces.
    pub fn indented(&mut self, indent: usize, text: impl Into<String>) -> &mut Self {
        self.push(indent, None, text.into())
    }

    /// Adds a line with a label.
    pub fn labelled(&mut self, label: Label, text: impl Into<String>) -> &mut Self {
        self.push(0, Some(label), text.into())
    }

    /// Adds an indented line with a label.
    pub fn labelled_at(
        &mut self,
        indent: usize,
        label: Label,
        text: impl Into<String>,
    ) -> &mut Self {
        self.push(indent, Some(label), text.into())
    }

    /// Adds a `warning:` line.
    pub fn warning(&mut self, text: impl Into<String>) -> &mut Self {
        self.labelled(Label::Warning, text)
    }

    /// Adds a `note:` line.
    pub fn note(&mut self, text: impl Into<String>) -> &mut Self {
        self.labelled(Label::Note, text)
    }

    /// Adds `hint:` lines, each text once.
    pub fn hints(&mut self, hints: &[String]) -> &mut Self {
        let mut seen = BTreeSet::new();
        for hint in hints.iter().filter(|hint| seen.insert(hint.as_str())) {
            self.labelled(Label::Hint, hint.as_str());
        }
        self
    }

    /// Adds text that the program itself laid out in lines, such as its help.
    /// Text from outside must not be in it, except where it is known to have
    /// no line break.
    pub fn laid_out(&mut self, text: &str) -> &mut Self {
        for line in text.lines() {
            self.line(line);
        }
        self
    }

    /// Adds the lines of another block.
    pub fn append(&mut self, other: Self) -> &mut Self {
        self.lines.extend(other.lines);
        self
    }

    /// Whether there are no lines.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The lines as text, each with a line break behind it, safe for a
    /// terminal.
    pub fn render(&self, gate: &TextGate, colours: bool) -> String {
        let mut text = String::new();
        for line in &self.lines {
            text.extend(std::iter::repeat_n(' ', line.indent));
            if let Some(label) = line.label {
                if colours {
                    text.push_str("\x1b[");
                    text.push_str(label.colour());
                    text.push('m');
                    text.push_str(label.word());
                    text.push_str("\x1b[0m");
                } else {
                    text.push_str(label.word());
                }
                text.push(' ');
            }
            text.push_str(&gate.pass(&line.text));
            text.push('\n');
        }
        text
    }

    fn push(&mut self, indent: usize, label: Option<Label>, text: String) -> &mut Self {
        self.lines.push(Line {
            indent,
            label,
            text,
        });
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Failure(&'static str, Option<Box<Failure>>);

    impl std::fmt::Display for Failure {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Failure {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|cause| cause as _)
        }
    }

    fn shown(block: &Block) -> String {
        block.render(&TextGate::default(), false)
    }

    #[test]
    fn causes_follow_the_error_and_hints_come_last_once() {
        let cause = Failure("GET /x answered 403", None);
        let error = Failure("cannot list groups", Some(Box::new(cause)));
        let hints = ["use another key".to_owned(), "use another key".to_owned()];
        assert_eq!(
            shown(&Block::of_error(&error, &hints)),
            "error: cannot list groups\ncaused by: GET /x answered 403\nhint: use another key\n"
        );
    }

    #[test]
    fn colours_are_only_around_the_label() {
        let block = Block::of_error(&Failure("no", None), &[]);
        assert_eq!(
            block.render(&TextGate::default(), true),
            "\x1b[1;31merror:\x1b[0m no\n"
        );
    }

    #[test]
    fn no_text_of_any_line_makes_a_line_or_a_colour() {
        let hostile = "a\nerror: b\r\x1b[31m\u{202e}\u{9b}c";
        let cleaned = "a\u{fffd}error: b\u{fffd}\u{fffd}[31m\u{fffd}\u{fffd}c";
        let mut block = Block::of_error(&Failure(hostile, None), &[hostile.to_owned()]);
        block
            .line(hostile)
            .indented(2, hostile)
            .warning(hostile)
            .note(hostile)
            .labelled_at(2, Label::Hint, hostile);
        let expected = [
            "error: ",
            "hint: ",
            "",
            "  ",
            "warning: ",
            "note: ",
            "  hint: ",
        ]
        .map(|start| format!("{start}{cleaned}\n"));
        assert_eq!(shown(&block), expected.concat());
    }

    #[test]
    fn layout_of_the_program_keeps_its_lines() {
        let mut block = Block::new();
        block.laid_out("usage:\n  baton\n");
        assert_eq!(shown(&block), "usage:\n  baton\n");
    }
}
