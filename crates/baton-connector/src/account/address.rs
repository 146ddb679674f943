//! What counts as an e-mail address: the rule that the wire contract has
//! (`service-mode.md`, "E-mail rule").

/// Longest part before the `@`, in bytes.
const MAX_LOCAL_BYTES: usize = 64;
/// Longest address, in bytes.
const MAX_BYTES: usize = 254;
/// Longest label of a host name, in bytes.
const MAX_LABEL_BYTES: usize = 63;

/// The address in a text: alone, or in angle brackets behind a name. `None` if
/// there is none.
pub(super) fn address_of(text: &str) -> Option<&str> {
    let text = text.trim();
    let address = match text.strip_suffix('>') {
        Some(rest) => {
            let (name, address) = rest.rsplit_once('<')?;
            is_name(name.trim()).then_some(address)?
        }
        None => text,
    };
    let (local, host) = address.rsplit_once('@')?;
    let is_short = local.len() <= MAX_LOCAL_BYTES && address.len() <= MAX_BYTES;
    (is_short && is_local(local) && is_host(host)).then_some(address)
}

/// A name before an address: words, or anything in quotes.
fn is_name(name: &str) -> bool {
    is_quoted(name) || !name.contains(['@', '<', '>', ',', '"']) && !name.contains(char::is_control)
}

fn is_quoted(text: &str) -> bool {
    let inner = text
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    let Some(inner) = inner else {
        return false;
    };
    let mut escaped = false;
    for c in inner.chars() {
        match c {
            _ if c.is_control() => return false,
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return false,
            _ => {}
        }
    }
    !escaped && !inner.is_empty()
}

fn is_local(local: &str) -> bool {
    let is_atom = |atom: &str| {
        let allowed = |c: char| {
            c.is_ascii_alphanumeric()
                || "!#$%&'*+-/=?^_`{|}~".contains(c)
                || !c.is_ascii() && !c.is_control()
        };
        !atom.is_empty() && atom.chars().all(allowed)
    };
    is_quoted(local) || local.split('.').all(is_atom)
}

fn is_host(host: &str) -> bool {
    let is_label = |label: &str| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-';
        (1..=MAX_LABEL_BYTES).contains(&label.len())
            && label.chars().all(allowed)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    host.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_alone_and_behind_a_name() {
        for (text, address) in [
            ("kim@acme.test", "kim@acme.test"),
            (" kim@acme.test", "kim@acme.test"),
            ("Kim Vale <kim@acme.test>", "kim@acme.test"),
            ("\"Vale, Kim\" <kim@acme.test>", "kim@acme.test"),
            ("<kim@acme.test>", "kim@acme.test"),
            ("\"kim vale\"@acme.test", "\"kim vale\"@acme.test"),
            ("kim+x.y@acme.test", "kim+x.y@acme.test"),
            ("a@localhost", "a@localhost"),
            ("a@127.0.0.1", "a@127.0.0.1"),
        ] {
            assert_eq!(address_of(text), Some(address), "{text}");
        }
    }

    #[test]
    fn other_texts_are_not_addresses() {
        let long_local = format!("{}@acme.test", "a".repeat(65));
        let long = format!("a@{}.test", ["b".repeat(60).as_str(); 5].join("."));
        for text in [
            "",
            "kim",
            "@acme.test",
            "kim@",
            "kim@acme@test",
            "a@b@acme.test",
            "kim@acme.test.",
            "kim@.acme.test",
            "kim@b\u{fc}cher.example",
            "kim@b_c.example",
            "kim@-acme.test",
            "kim@acme-.test",
            "kim vale@acme.test",
            "kim.@acme.test",
            "kim@acme.test, pat@acme.test",
            "kim@acme.test <pat@acme.test>",
            "Kim <kim@acme.test",
            "\"kim@acme.test",
            "\"\"@acme.test",
            "kim\n@acme.test",
            long_local.as_str(),
            long.as_str(),
        ] {
            assert_eq!(address_of(text), None, "{text}");
        }
    }
}
