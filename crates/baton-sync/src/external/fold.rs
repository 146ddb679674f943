//! Text without regard to case: Unicode simple case folding, character by
//! character, as the format's contract compares profile values
//! (sync-runtime.md §1.5). Nothing is trimmed or normalised.

use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange};

/// Two texts are equal without regard to case if these are equal.
pub(super) fn fold(text: &str) -> String {
    text.chars().map(folded).collect()
}

/// The smallest of the characters that differ from this one in case only.
fn folded(c: char) -> char {
    match c {
        // The only letters of ASCII with relatives outside it are k and s,
        // whose smallest relative is the capital in ASCII, too.
        'a'..='z' => c.to_ascii_uppercase(),
        c if c.is_ascii() => c,
        c => {
            let mut class = ClassUnicode::new([ClassUnicodeRange::new(c, c)]);
            // Fails only where the tables are left out of the build.
            let folded = class.try_case_fold_simple().is_ok();
            let smallest = class.ranges().first().map(ClassUnicodeRange::start);
            smallest.filter(|_| folded).unwrap_or(c)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::fold;

    #[test]
    fn case_does_not_matter_and_nothing_else_is_forgiven() {
        for (a, b) in [
            ("Ada@Example.COM", "ada@example.com"),
            ("ÄÖÜ", "äöü"),
            ("ΣΊΣΥΦΟΣ", "σίσυφος"),
            ("\u{212a}elvin", "Kelvin"),
            ("\u{17f}treet", "Street"),
            ("ẞ", "ß"),
        ] {
            assert_eq!(fold(a), fold(b), "{a} and {b}");
        }
        for (a, b) in [
            ("a", "a "),
            ("ß", "ss"),
            ("I", "ı"),
            ("İ", "i"),
            ("é", "e\u{301}"),
            ("1", "١"),
        ] {
            assert_ne!(fold(a), fold(b), "{a} and {b}");
        }
    }
}
