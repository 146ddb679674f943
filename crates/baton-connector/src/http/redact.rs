//! What logs may show of headers and of words from outside.

use std::fmt::Write as _;

use http::{HeaderMap, HeaderName};

/// Longest text from an answer's body that an error repeats, in characters.
const MAX_QUOTED_CHARS: usize = 300;

/// Header names that contain one of these are never shown
/// (`sync-runtime.md` §6.2).
const HIDDEN: [&str; 7] = [
    "api-key",
    "auth",
    "cookie",
    "proxy-authorization",
    "set-cookie",
    "x-forwarded-for",
    "x-forwarded-proto",
];

/// Whether a header's value is a secret by its name.
pub(super) fn is_hidden(name: &HeaderName) -> bool {
    HIDDEN.iter().any(|part| name.as_str().contains(part))
}

/// Headers as one line for the log, secrets left out.
pub(super) fn headers_line(headers: &HeaderMap) -> String {
    let mut line = String::new();
    for (name, value) in headers {
        let shown = if value.is_sensitive() || is_hidden(name) {
            "REDACTED"
        } else {
            value.to_str().unwrap_or("(not text)")
        };
        let separator = if line.is_empty() { "" } else { "; " };
        // Writing to a string cannot fail.
        let _ = write!(line, "{separator}{name}: {shown}");
    }
    line
}

/// Words of a server, made fit for a terminal: one line, no control
/// characters, bounded.
pub(super) fn quoted(text: &str) -> String {
    let mut clean: String = text
        .trim()
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MAX_QUOTED_CHARS)
        .collect();
    if text.trim().chars().count() > MAX_QUOTED_CHARS {
        clean.push('…');
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_get_into_the_line() {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", "Bearer s3cr3t".parse().expect("valid"));
        headers.insert("x-api-key-id", "s3cr3t".parse().expect("valid"));
        headers.insert("set-cookie", "s3cr3t".parse().expect("valid"));
        let mut marked: http::HeaderValue = "s3cr3t".parse().expect("valid");
        marked.set_sensitive(true);
        headers.insert("x-harmless", marked);
        headers.insert("accept", "application/json".parse().expect("valid"));
        let line = headers_line(&headers);
        assert!(!line.contains("s3cr3t"), "{line}");
        assert!(line.contains("accept: application/json"), "{line}");
    }

    #[test]
    fn quotes_are_one_bounded_line() {
        assert_eq!(quoted(" a\u{1b}[31m\nb "), "a [31m b");
        assert_eq!(quoted(&"ä".repeat(400)).chars().count(), 301);
    }
}
