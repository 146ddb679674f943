//! The gate for text from outside: names, ids, messages, paths, arguments.
//!
//! Characters that move the cursor, start an escape sequence, break a line or
//! change the direction of writing become U+FFFD. Known secrets are replaced.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::{Arc, PoisonError, RwLock};

use crate::secrets::Secrets;

/// Replaces a secret.
const HIDDEN: &str = "[secret]";

/// Whether a character must not reach a terminal or a log line: C0, DEL, C1,
/// line and paragraph separators, and marks that change the direction.
pub fn is_forbidden(c: char) -> bool {
    matches!(
        c,
        '\0'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{61c}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
    )
}

/// The text with every forbidden character replaced by U+FFFD.
///
/// The result is one line. It has as many characters as the text.
pub fn clean(text: &str) -> Cow<'_, str> {
    replaced(text, is_forbidden)
}

fn replaced(text: &str, forbidden: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&forbidden) {
        return Cow::Borrowed(text);
    }
    let replace = |c| if forbidden(c) { '\u{fffd}' } else { c };
    Cow::Owned(text.chars().map(replace).collect())
}

/// Secrets that are learned while a program runs, at most: of more, the oldest
/// ones are forgotten, which have ended long ago.
const MAX_LEARNED: usize = 32;

/// The gate with the secrets that it hides. Clones share them.
#[derive(Clone, Default)]
pub struct TextGate {
    shared: Arc<RwLock<Known>>,
}

#[derive(Default)]
struct Known {
    given: Vec<String>,
    learned: VecDeque<String>,
    finder: Option<Arc<Secrets>>,
}

impl Known {
    fn build(&mut self) {
        let all = self.given.iter().chain(&self.learned).cloned();
        self.finder = Secrets::new(all).map(Arc::new);
    }
}

impl TextGate {
    /// A gate that also hides these secrets, by value: whole, in the encodings
    /// that a server may echo them in, of secrets with at least 20 characters
    /// every part of 9 or more, and where `…` marks that a text was cut inside
    /// of a secret, what is left of it. So code that cuts a text from outside ends
    /// it with `…`. Secrets of fewer than 4 characters are ignored.
    pub fn new(secrets: impl IntoIterator<Item = String>) -> Self {
        let mut known = Known {
            given: secrets.into_iter().collect(),
            ..Known::default()
        };
        known.build();
        Self {
            shared: Arc::new(RwLock::new(known)),
        }
    }

    /// Hides one more secret, in all clones of the gate, such as a token that
    /// was got while the program runs.
    pub fn learn(&self, secret: &str) {
        let mut known = self.shared.write().unwrap_or_else(PoisonError::into_inner);
        if known
            .given
            .iter()
            .chain(&known.learned)
            .any(|old| old == secret)
        {
            return;
        }
        if known.learned.len() >= MAX_LEARNED {
            known.learned.pop_front();
        }
        known.learned.push_back(secret.to_owned());
        known.build();
    }

    fn finder(&self) -> Option<Arc<Secrets>> {
        let known = self.shared.read().unwrap_or_else(PoisonError::into_inner);
        known.finder.clone()
    }

    /// The text without its secrets; control characters stay.
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let found = match self.finder() {
            Some(secrets) => secrets.find(text),
            None => Vec::new(),
        };
        if found.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut shown = String::with_capacity(text.len());
        let mut after = 0;
        for range in found {
            shown.push_str(text.get(after..range.start).unwrap_or_default());
            shown.push_str(HIDDEN);
            after = range.end;
        }
        shown.push_str(text.get(after..).unwrap_or_default());
        Cow::Owned(shown)
    }

    /// The text as one line for a terminal, a table cell or a log line:
    /// secrets hidden, forbidden characters replaced.
    pub fn pass<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.redact(text) {
            Cow::Borrowed(text) => clean(text),
            Cow::Owned(text) => Cow::Owned(clean(&text).into_owned()),
        }
    }

    /// The text as a string value of a JSON log line: as [`TextGate::pass`],
    /// but C0 characters stay, since JSON escapes them.
    pub fn pass_json<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let forbidden = |c: char| c > '\u{1f}' && is_forbidden(c);
        match self.redact(text) {
            Cow::Borrowed(text) => replaced(text, forbidden),
            Cow::Owned(text) => Cow::Owned(replaced(&text, forbidden).into_owned()),
        }
    }
}

impl std::fmt::Debug for TextGate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TextGate")
            .field("secrets", &self.finder().map_or(0, |all| all.count()))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The characters of the rule, one by one.
    fn forbidden() -> Vec<char> {
        let ranges = [
            (0, 0x1f),
            (0x7f, 0x9f),
            (0x61c, 0x61c),
            (0x200e, 0x200f),
            (0x2028, 0x202e),
            (0x2066, 0x2069),
        ];
        let codes = ranges.into_iter().flat_map(|(from, to)| from..=to);
        codes.filter_map(char::from_u32).collect()
    }

    #[test]
    fn what_one_clone_learns_all_of_them_hide() {
        let gate = TextGate::new(["first-secret".to_owned()]);
        let other = gate.clone();
        assert_eq!(
            other.pass("first-secret, second-one"),
            "[secret], second-one"
        );
        gate.learn("second-one");
        assert_eq!(other.pass("first-secret, second-one"), "[secret], [secret]");
        let empty = TextGate::default();
        empty.learn("second-one");
        assert_eq!(empty.pass("second-one"), "[secret]");
        for number in 0..=MAX_LEARNED {
            gate.learn(&format!("token-number-{number}"));
        }
        assert_eq!(
            other.pass("second-one"),
            "second-one",
            "the oldest is forgotten"
        );
        assert_eq!(
            other.pass("first-secret"),
            "[secret]",
            "what was given stays"
        );
        assert_eq!(
            other.pass(&format!("token-number-{MAX_LEARNED}")),
            "[secret]"
        );
    }

    #[test]
    fn exactly_the_characters_of_the_rule_are_replaced() {
        let rule = forbidden();
        for c in (0..=0x10_ffff).filter_map(char::from_u32) {
            let text = format!("a{c}b");
            let expected = if rule.contains(&c) { '\u{fffd}' } else { c };
            assert_eq!(clean(&text), format!("a{expected}b"), "{c:?}");
        }
    }

    #[test]
    fn json_values_keep_what_json_escapes_and_nothing_else() {
        let gate = TextGate::default();
        for c in forbidden() {
            let text = c.to_string();
            let expected = if c < ' ' { c } else { '\u{fffd}' };
            assert_eq!(gate.pass_json(&text), expected.to_string(), "{c:?}");
        }
    }

    #[test]
    fn text_without_such_characters_is_not_copied() {
        let text = "Zoë `group:7` – 管理者";
        assert!(matches!(clean(text), Cow::Borrowed(_)));
    }

    #[test]
    fn secrets_are_hidden_before_characters_are_replaced() {
        let gate = TextGate::new(["s3cr\tet".to_owned(), "abc".to_owned()]);
        assert_eq!(
            gate.pass("key s3cr\tet, abc\n"),
            "key [secret], abc\u{fffd}"
        );
        assert_eq!(gate.pass_json("key s3cr\tet\n"), "key [secret]\n");
        assert_eq!(format!("{gate:?}"), "TextGate { secrets: 1 }");
    }
}
