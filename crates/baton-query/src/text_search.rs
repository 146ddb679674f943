//! Records that have a text in one of their ids, names, e-mail addresses or
//! logins, whatever the letter case.
//!
//! Most texts of most files are ASCII, so those are searched as bytes. Others
//! are folded first, character by character. Characters that are written in
//! two ways (`é` as one character or as two) are different texts.

use crate::error::{Error, Result};
use crate::record::Record;

/// A text to search for.
///
/// ```
/// use baton_query::Search;
///
/// let search = Search::new("STRASSE")?;
/// assert!(search.is_in("Kärntner Straße 1"));
/// assert!(!search.is_in("Strand"));
/// # Ok::<(), baton_query::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Search {
    /// Folded; not empty.
    wanted: String,
}

impl Search {
    /// A search for this text.
    ///
    /// # Errors
    /// [`Error::Empty`]
    pub fn new(text: &str) -> Result<Self> {
        if text.is_empty() {
            return Err(Error::Empty {
                what: "the text to search for",
            });
        }
        let mut wanted = String::with_capacity(text.len());
        fold(text, &mut wanted);
        Ok(Self { wanted })
    }

    /// Whether the record has the text in an id, a name, an e-mail address or a
    /// login. Its view must have been made [`with_names`].
    ///
    /// # Errors
    /// [`Error::File`] where the row or an object cannot be read.
    ///
    /// [`with_names`]: crate::View::with_names
    pub fn matches(&self, record: &Record<'_, '_>) -> Result<bool> {
        record.any_name(|text| self.is_in_bytes(text))
    }

    /// Whether the text is a part of another.
    pub fn is_in(&self, text: &str) -> bool {
        self.is_in_bytes(text.as_bytes())
    }

    fn is_in_bytes(&self, text: &[u8]) -> bool {
        if text.is_ascii() {
            return self.wanted.is_ascii() && self.is_in_ascii(text);
        }
        let mut folded = String::with_capacity(text.len());
        fold(&String::from_utf8_lossy(text), &mut folded);
        memchr::memmem::find(folded.as_bytes(), self.wanted.as_bytes()).is_some()
    }

    /// Looks at each place where the text may begin.
    fn is_in_ascii(&self, text: &[u8]) -> bool {
        let wanted = self.wanted.as_bytes();
        let Some(last) = text.len().checked_sub(wanted.len()) else {
            return false;
        };
        let first = wanted[0];
        memchr::memchr2_iter(first, first.to_ascii_uppercase(), &text[..=last])
            .any(|at| text[at..at + wanted.len()].eq_ignore_ascii_case(wanted))
    }
}

/// Appends a text in upper case made lower case: so `ß` equals `SS`, and all
/// forms of a sigma are the same.
fn fold(text: &str, out: &mut String) {
    for c in text.chars() {
        if c.is_ascii() {
            out.push(c.to_ascii_lowercase());
        } else {
            out.extend(c.to_uppercase().flat_map(char::to_lowercase));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_empty_text_is_refused() {
        assert!(matches!(Search::new(""), Err(Error::Empty { .. })));
    }

    #[test]
    fn letter_case_does_not_count_in_any_script() {
        for (wanted, text, expected) in [
            ("vale", "Kim VALE", true),
            ("kim v", "KIM V", true),
            ("ΣΊΣΥΦΟΣ", "Σίσυφος", true),
            ("strasse", "Große Straße", true),
            ("ß", "MASSE", true),
            ("k", "\u{212a}elvin", true),
            ("ж", "Ж", true),
            ("vale", "val", false),
            ("é", "e", false),
            ("x", "", false),
        ] {
            assert_eq!(
                Search::new(wanted).expect("valid").is_in(text),
                expected,
                "{wanted} in {text}"
            );
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_searched_too() {
        let search = Search::new("b").expect("valid");
        assert!(search.is_in_bytes(b"\xff\xfeB"));
    }

    proptest! {
        #[test]
        fn the_fast_way_finds_what_the_plain_one_finds(
            wanted in "[abAB]{1,3}", text in "[abAB ]{0,12}",
        ) {
            let plain = text.to_lowercase().contains(&wanted.to_lowercase());
            prop_assert_eq!(Search::new(&wanted).expect("valid").is_in(&text), plain);
        }
    }
}
