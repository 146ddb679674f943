//! The URI rule: what the Go library `net/url` parses, and it has a scheme.

use std::net::Ipv6Addr;

use super::quote::quoted;

/// Why a text is not a URI.
#[derive(Debug, PartialEq)]
pub(super) enum Refusal {
    Invalid(String),
    Relative,
}

/// Checks one URI.
pub(super) fn check(text: &str) -> Result<(), Refusal> {
    let invalid = |reason: String| Refusal::Invalid(format!("parse {}: {reason}", quoted(text)));
    match parse(text) {
        Ok(true) => Ok(()),
        Ok(false) => Err(Refusal::Relative),
        Err(reason) => Err(invalid(reason)),
    }
}

/// Whether a URI has a scheme; the error is why it is not a URI.
fn parse(text: &str) -> Result<bool, String> {
    let (text, fragment) = text.split_once('#').unwrap_or((text, ""));
    if text.contains(|letter: char| letter.is_ascii_control()) {
        return Err("net/url: invalid control character in URL".to_owned());
    }
    let (scheme, rest) = scheme(text)?;
    // A query is not looked into.
    let (rest, _) = rest.split_once('?').unwrap_or((rest, ""));
    if !rest.starts_with('/') {
        let first = rest.split('/').next().unwrap_or_default();
        if scheme.is_none() && first.contains(':') {
            return Err("first path segment in URL cannot contain colon".to_owned());
        }
        if scheme.is_some() {
            check_escapes(fragment)?;
            return Ok(true);
        }
    }
    let authority = rest
        .strip_prefix("//")
        .filter(|_| scheme.is_some() || !rest.starts_with("///"));
    let path = match authority {
        Some(rest) => {
            let end = rest.find('/').unwrap_or(rest.len());
            let (authority, path) = rest.split_at(end);
            check_authority(authority)?;
            path
        }
        None => rest,
    };
    check_escapes(path)?;
    check_escapes(fragment)?;
    Ok(scheme.is_some())
}

/// The scheme, if there is one, and what follows it.
fn scheme(text: &str) -> Result<(Option<&str>, &str), String> {
    let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    match text.split_once(':') {
        Some(("", _)) => Err("missing protocol scheme".to_owned()),
        Some((scheme, rest))
            if scheme.chars().all(letter)
                && scheme.starts_with(|c: char| c.is_ascii_alphabetic()) =>
        {
            Ok((Some(scheme), rest))
        }
        _ => Ok((None, text)),
    }
}

fn check_authority(authority: &str) -> Result<(), String> {
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let userinfo = |c: char| c.is_ascii_alphanumeric() || "-._:~!$&'()*+,;=%@".contains(c);
    if !user.chars().all(userinfo) {
        return Err("net/url: invalid userinfo".to_owned());
    }
    check_escapes(user)?;
    let (name, port) = match host.strip_prefix('[') {
        Some(literal) => {
            let (address, port) = literal.rsplit_once(']').ok_or("missing ']' in host")?;
            // A zone follows an escaped percent sign.
            let address = address.split("%25").next().unwrap_or_default();
            if address.parse::<Ipv6Addr>().is_err() {
                return Err("invalid host: not an IPv6 address".to_owned());
            }
            ("", port)
        }
        None => host.split_at(host.find(':').unwrap_or(host.len())),
    };
    let digits = port.strip_prefix(':').unwrap_or_default();
    if !port.is_empty() && !port.starts_with(':') || !digits.chars().all(|c| c.is_ascii_digit()) {
        return Err(format!("invalid port {} after host", quoted(port)));
    }
    let host_letter =
        |c: char| c.is_ascii_alphanumeric() || !c.is_ascii() || "-_.~!$&'()*+,;=<>\"%".contains(c);
    if let Some(letter) = name.chars().find(|letter| !host_letter(*letter)) {
        let letter = quoted(&letter.to_string());
        return Err(format!("invalid character {letter} in host name"));
    }
    check_escapes(name)?;
    // An escape in a host name stands for a byte beyond ASCII, or for `%`.
    for (at, _) in name.match_indices('%') {
        let escape = name.get(at..at + 3).unwrap_or_default();
        if escape != "%25" && escape.as_bytes().get(1) < Some(&b'8') {
            return Err(format!("invalid URL escape {}", quoted(escape)));
        }
    }
    Ok(())
}

/// Each percent sign has two hexadecimal digits behind it.
fn check_escapes(text: &str) -> Result<(), String> {
    for (at, _) in text.match_indices('%') {
        let rest = text.get(at..).unwrap_or_default();
        let digits = rest.chars().skip(1).take(2);
        if digits.filter(char::is_ascii_hexdigit).count() < 2 {
            let escape: String = rest.chars().take(3).collect();
            return Err(format!("invalid URL escape {}", quoted(&escape)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Refusal, check};

    #[test]
    fn absolute_uris_pass() {
        for uri in [
            "https://example.com",
            "https://u:p@example.com:443/a%20b c?q=%zz#f",
            "https://[::1]:8080/",
            "https://[fe80::1%25eth0]/",
            "https://bücher.example/ü",
            "https://a%c3%bc.example",
            "mailto:a@b.c",
            "https://h:",
            "https://",
        ] {
            assert_eq!(check(uri), Ok(()), "{uri}");
        }
    }

    #[test]
    fn relative_and_invalid_uris_are_refused() {
        for uri in ["", "/a", "a/b", "//host/a", "*"] {
            assert_eq!(check(uri), Err(Refusal::Relative), "{uri}");
        }
        for (uri, reason) in [
            (":a", "missing protocol scheme"),
            ("1a:b", "first path segment in URL cannot contain colon"),
            (
                "https://a\u{1}",
                "net/url: invalid control character in URL",
            ),
            ("https://a b/", "invalid character \" \" in host name"),
            ("https://a:b:1/", "invalid port \":b:1\" after host"),
            ("https://a:x/", "invalid port \":x\" after host"),
            ("https://[::1/", "missing ']' in host"),
            ("https://[a]/", "invalid host: not an IPv6 address"),
            ("https://[::1]x/", "invalid port \"x\" after host"),
            ("https://u\"@a/", "net/url: invalid userinfo"),
            ("https://a/%2", "invalid URL escape \"%2\""),
            ("https://a/#%zz", "invalid URL escape \"%zz\""),
            ("https://a%41/", "invalid URL escape \"%41\""),
        ] {
            let Err(Refusal::Invalid(text)) = check(uri) else {
                panic!("{uri} passes");
            };
            assert!(text.ends_with(&format!(": {reason}")), "{uri}: {text}");
        }
    }
}
