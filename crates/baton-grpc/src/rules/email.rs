//! The e-mail rule: an address of RFC 5322, with or without a display name, whose
//! host is a name. It passes and refuses what the Go library `net/mail` and the
//! generated checks do, except that encoded words (RFC 2047) of a character set
//! that Go does not know pass.

use super::quote::quoted;

const MAX_ADDRESS_BYTES: usize = 254;
const MAX_LOCAL_BYTES: usize = 64;
const MAX_HOST_BYTES: usize = 253;
const MAX_HOST_PART_BYTES: usize = 63;

/// Checks one address. The error is why it is refused.
pub(super) fn check(text: &str) -> Result<(), String> {
    let (local, host) = Parser { rest: text }.single_address()?;
    // Both ends of a quoted local part may hold an `@`; the first one splits.
    let address = format!("{local}@{host}");
    if address.len() > MAX_ADDRESS_BYTES {
        return Err("email addresses cannot exceed 254 characters".to_owned());
    }
    let (local, host) = address.split_once('@').unwrap_or((&address, ""));
    if local.len() > MAX_LOCAL_BYTES {
        return Err("email address local phrase cannot exceed 64 characters".to_owned());
    }
    check_host(host)
}

fn check_host(host: &str) -> Result<(), String> {
    if host.len() > MAX_HOST_BYTES {
        return Err("hostname cannot exceed 253 characters".to_owned());
    }
    let host = host.strip_suffix('.').unwrap_or(host);
    for part in host.split('.') {
        if part.is_empty() || part.len() > MAX_HOST_PART_BYTES {
            return Err(
                "hostname part must be non-empty and cannot exceed 63 characters".to_owned(),
            );
        }
        if part.starts_with('-') {
            return Err("hostname parts cannot begin with hyphens".to_owned());
        }
        if part.ends_with('-') {
            return Err("hostname parts cannot end with hyphens".to_owned());
        }
        let mut letters = part.chars();
        if let Some(letter) = letters.find(|c| !c.is_ascii_alphanumeric() && *c != '-') {
            // The Go library has the host in lower case by now.
            let letter = quoted(&letter.to_lowercase().to_string());
            return Err(format!(
                "hostname parts can only contain alphanumeric characters or hyphens, got {letter}"
            ));
        }
    }
    Ok(())
}

/// The local part and the host of an address.
type Address = (String, String);

/// What is left to parse.
#[derive(Clone, Copy)]
struct Parser<'a> {
    rest: &'a str,
}

impl Parser<'_> {
    fn single_address(mut self) -> Result<Address, String> {
        let mut addresses = self.address(true)?;
        self.skip_comments()?;
        if !self.rest.is_empty() {
            let rest = quoted(self.rest);
            return Err(format!("mail: expected single address, got {rest}"));
        }
        match (addresses.pop(), addresses.is_empty()) {
            (Some(address), true) => Ok(address),
            (None, _) => Err("mail: empty group".to_owned()),
            (Some(_), false) => Err("mail: group with multiple addresses".to_owned()),
        }
    }

    /// An address alone, one in angle brackets after a display name, or a group.
    fn address(&mut self, group: bool) -> Result<Vec<Address>, String> {
        self.skip_blanks();
        if self.rest.is_empty() {
            return Err("mail: no address".to_owned());
        }
        let mut bare = *self;
        if let Ok(address) = bare.addr_spec() {
            *self = bare;
            self.skip_blanks();
            if self.take('(') {
                self.comment()?;
            }
            return Ok(vec![address]);
        }
        let mut name = String::new();
        if !self.rest.starts_with('<') {
            name = self.phrase()?;
        }
        self.skip_blanks();
        if group && self.take(':') {
            return self.group();
        }
        if !self.take('<') {
            let reason = if name.chars().all(|letter| is_atext(letter, true)) {
                "mail: missing '@' or angle-addr"
            } else {
                "mail: no angle-addr"
            };
            return Err(reason.to_owned());
        }
        let address = self.addr_spec()?;
        if self.take('>') {
            Ok(vec![address])
        } else {
            Err("mail: unclosed angle-addr".to_owned())
        }
    }

    /// The addresses of a group, after its name and the colon.
    fn group(&mut self) -> Result<Vec<Address>, String> {
        let mut addresses = Vec::new();
        self.skip_blanks();
        if self.take(';') {
            return Ok(addresses);
        }
        loop {
            addresses.extend(self.address(false)?);
            self.skip_comments()?;
            if self.take(';') {
                return Ok(addresses);
            }
            if !self.take(',') {
                return Err("mail: expected comma".to_owned());
            }
        }
    }

    fn addr_spec(&mut self) -> Result<Address, String> {
        self.skip_blanks();
        if self.rest.is_empty() {
            return Err("mail: no addr-spec".to_owned());
        }
        let local = if self.rest.starts_with('"') {
            let local = self.quoted_string()?;
            if local.is_empty() {
                return Err("mail: empty quoted string in addr-spec".to_owned());
            }
            local
        } else {
            self.strict_atom()?
        };
        if !self.take('@') {
            return Err("mail: missing @ in addr-spec".to_owned());
        }
        self.skip_blanks();
        if self.rest.is_empty() {
            return Err("mail: no domain in addr-spec".to_owned());
        }
        if self.rest.starts_with('[') {
            // A literal is never a host name.
            return Err("mail: domain-literal instead of a host name".to_owned());
        }
        Ok((local, self.strict_atom()?))
    }

    /// A display name: words with blanks between them.
    fn phrase(&mut self) -> Result<String, String> {
        let mut words: Vec<String> = Vec::new();
        loop {
            if !words.is_empty() {
                self.skip_comments()?;
            }
            self.skip_blanks();
            let word = if self.rest.starts_with('"') {
                self.quoted_string()
            } else {
                self.atom()
            };
            match word {
                Ok(word) => words.push(word),
                Err(error) if words.is_empty() => {
                    return Err(format!("mail: missing word in phrase: {error}"));
                }
                Err(_) => return Ok(words.join(" ")),
            }
        }
    }

    /// Takes a string in quotes; takes nothing if it is invalid.
    fn quoted_string(&mut self) -> Result<String, String> {
        let mut text = String::new();
        let mut escaped = false;
        for (at, letter) in self.rest.char_indices().skip(1) {
            let blank = matches!(letter, ' ' | '\t');
            match letter {
                _ if escaped && (is_vchar(letter) || blank) => {
                    text.push(letter);
                    escaped = false;
                }
                '"' if !escaped => {
                    self.rest = self.rest.get(at + 1..).unwrap_or_default();
                    return Ok(text);
                }
                '\\' if !escaped => escaped = true,
                _ if !escaped && (is_vchar(letter) || blank) => text.push(letter),
                _ => {
                    return Err(format!(
                        "mail: bad character in quoted-string: {}",
                        quoted(&letter.to_string())
                    ));
                }
            }
        }
        Err("mail: unclosed quoted-string".to_owned())
    }

    /// Letters and dots.
    fn atom(&mut self) -> Result<String, String> {
        let end = self.rest.find(|letter| !is_atext(letter, true));
        let (atom, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        if atom.is_empty() {
            return Err("mail: invalid string".to_owned());
        }
        self.rest = rest;
        Ok(atom.to_owned())
    }

    /// An atom whose dots have something on both sides.
    fn strict_atom(&mut self) -> Result<String, String> {
        let atom = self.atom()?;
        let reason = if atom.starts_with('.') {
            "mail: leading dot in atom"
        } else if atom.contains("..") {
            "mail: double dot in atom"
        } else if atom.ends_with('.') {
            "mail: trailing dot in atom"
        } else {
            return Ok(atom);
        };
        Err(reason.to_owned())
    }

    fn take(&mut self, letter: char) -> bool {
        let rest = self.rest.strip_prefix(letter);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
    }

    fn skip_comments(&mut self) -> Result<(), String> {
        self.skip_blanks();
        while self.take('(') {
            self.comment()?;
            self.skip_blanks();
        }
        Ok(())
    }

    /// The rest of a comment after its `(`; comments can be nested.
    fn comment(&mut self) -> Result<(), String> {
        let mut depth = 1_usize;
        let mut letters = self.rest.char_indices();
        while let Some((at, letter)) = letters.next() {
            match letter {
                '\\' => {
                    letters.next();
                }
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                self.rest = self.rest.get(at + 1..).unwrap_or_default();
                return Ok(());
            }
        }
        Err("mail: misformatted parenthetical comment".to_owned())
    }
}

fn is_atext(letter: char, dot: bool) -> bool {
    match letter {
        '.' => dot,
        '(' | ')' | '<' | '>' | '[' | ']' | ':' | ';' | '@' | '\\' | ',' | '"' => false,
        _ => is_vchar(letter),
    }
}

fn is_vchar(letter: char) -> bool {
    letter.is_ascii_graphic() || !letter.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn addresses_that_pass() {
        let long_local = format!("{}@example.com", "a".repeat(64));
        for address in [
            "a@b.c",
            " a@b.c\t",
            "Ann Lee <a@b.c>",
            "\"Lee, Ann\" <a@b.c> (work)",
            "<a@b.c>",
            "a.b+c@b-c.d",
            "\"a b\"@c.d",
            "a@b.c (Ann (Lee) \\) there)",
            "Ann (x) Lee <a@b.c>",
            "ä@b.c",
            "A@B.C",
            "a@127.0.0.1",
            "a@localhost",
            "g: a@b.c;",
            &long_local,
        ] {
            assert_eq!(check(address), Ok(()), "{address}");
        }
    }

    #[test]
    fn addresses_that_are_refused() {
        let long_part = format!("a@{}.c", "b".repeat(64));
        let long_host = format!("a@{}", ["b".repeat(60).as_str(); 5].join("."));
        for (address, reason) in [
            ("", "no address"),
            ("  ", "no address"),
            ("a", "missing '@' or angle-addr"),
            ("Ann Lee", "no angle-addr"),
            ("a@", "missing '@' or angle-addr"),
            ("@b", "missing word in phrase: mail: invalid string"),
            ("a@b.c.", "missing '@' or angle-addr"),
            (".a@b.c", "missing '@' or angle-addr"),
            ("<a..b@c>", "double dot in atom"),
            ("<.a@c>", "leading dot in atom"),
            ("<a.@c>", "trailing dot in atom"),
            ("<a@b", "unclosed angle-addr"),
            ("<", "no addr-spec"),
            ("<a>", "missing @ in addr-spec"),
            ("<a@ ", "no domain in addr-spec"),
            ("<\"\"@b>", "empty quoted string in addr-spec"),
            (
                "\"a@b",
                "missing word in phrase: mail: unclosed quoted-string",
            ),
            ("<\"\n\"@b>", "bad character in quoted-string: \"\\n\""),
            ("<\"\\\n\"@b>", "bad character in quoted-string: \"\\n\""),
            ("a@b.c, d@e.f", "expected single address, got \", d@e.f\""),
            ("a@b.c (x", "misformatted parenthetical comment"),
            ("a@b.c (x) (y", "misformatted parenthetical comment"),
            ("g: ;", "empty group"),
            ("g: a@b.c, d@e.f;", "group with multiple addresses"),
            ("g: a@b.c d@e.f;", "expected comma"),
            ("g: h: a@b.c;;", "missing '@' or angle-addr"),
            ("<a@[127.0.0.1]>", "domain-literal instead of a host name"),
            (
                "\"a@b\"@c.d",
                "hostname parts can only contain alphanumeric characters or hyphens, got \"@\"",
            ),
            ("a@-b.c", "hostname parts cannot begin with hyphens"),
            ("a@b-.c", "hostname parts cannot end with hyphens"),
            (
                &long_part,
                "hostname part must be non-empty and cannot exceed 63 characters",
            ),
            (&long_host, "email addresses cannot exceed 254 characters"),
        ] {
            let error = check(address).unwrap_err();
            assert_eq!(error.trim_start_matches("mail: "), reason, "{address}");
        }
    }
}
