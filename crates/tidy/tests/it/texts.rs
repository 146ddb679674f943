//! Rules for the texts of library crates: they name no flag, no environment
//! variable and no command, since they do not know the program around them.

use std::fs;
use std::path::Path;

use crate::source::{literals, sources};

/// The crates whose texts every program shows. `baton-atlassian` is not among
/// them: it is a program with flags of its own.
const LIBRARIES: &[&str] = &[
    "baton-proto",
    "baton-pebble",
    "baton-c1z",
    "baton-query",
    "baton-crypto",
    "baton-access",
    "baton-connector",
    "baton-ops",
    "baton-sync",
    "baton-term",
];

/// Environment variables that do not begin with `BATON_`.
const VARIABLES: &[&str] = &[
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "NO_COLOR",
    "TMPDIR",
];

/// What a text names that belongs to a program, if it does.
fn named(text: &str) -> Option<String> {
    let after = |start: usize| text[start..].chars();
    for (at, _) in text.match_indices("--") {
        let begins = text[..at]
            .chars()
            .next_back()
            .is_none_or(|c| !c.is_alphanumeric() && c != '-');
        if begins && after(at + 2).next().is_some_and(|c| c.is_ascii_lowercase()) {
            return Some(format!("the flag `{}`", word(&text[at..])));
        }
    }
    for (at, _) in text.match_indices("BATON_") {
        if after(at + 6).next().is_some_and(|c| c.is_ascii_uppercase()) {
            return Some(format!("the variable `{}`", word(&text[at..])));
        }
    }
    if let Some(variable) = VARIABLES.iter().find(|name| text.contains(**name)) {
        return Some(format!("the variable `{variable}`"));
    }
    for start in ["`baton ", "`baton-", "command `"] {
        if let Some(at) = text.find(start) {
            return Some(format!("a command: {}", &text[at..]));
        }
    }
    None
}

fn word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_');
    &text[..end.unwrap_or(text.len())]
}

#[test]
fn texts_of_libraries_name_no_flag_no_variable_and_no_command() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut wrong = Vec::new();
    let mut seen = 0;
    for library in LIBRARIES {
        for file in sources(&crates.join(library).join("src")) {
            for (line, text) in literals(&fs::read_to_string(&file).unwrap()) {
                seen += 1;
                if let Some(what) = named(&text) {
                    wrong.push(format!("{}:{line} names {what}", file.display()));
                }
            }
        }
    }
    assert!(seen > 1000, "only {seen} texts were found");
    assert!(
        wrong.is_empty(),
        "say it as `baton_proto::Advice`, and in words in the program: {wrong:#?}"
    );
}

/// Nouns that messages count.
const COUNTED: &[&str] = &[
    "cycles",
    "entitlements",
    "errors",
    "expansions",
    "files",
    "grants",
    "groups",
    "lists",
    "objects",
    "pages",
    "principals",
    "references",
    "requests",
    "resources",
    "rows",
    "sources",
    "syncs",
    "tokens",
    "tries",
    "types",
    "users",
    "values",
    "warnings",
];

/// Texts that need no singular: the number is above one, or fixed, or the text
/// stands beside its singular.
const PLURAL_ONLY: &[&str] = &[
    "share entitlement and principal with others",
    "expansion cycle of {} entitlements",
    "would derive {derived} grants, the limit is",
    "the pages repeat from token",
    "never ends: ",
    "({} tries in",
    "{MAX_ENTITLEMENTS}",
    // Words of the Go tools.
    "too many warnings, exiting sync",
    "{} of {} lists",
    "files and connections at once",
    "{n} references",
    "{USERS} users",
    "found with {} requests",
];

/// The noun of a number that is put into a text without its singular.
fn counted_plainly(text: &str) -> Option<&str> {
    let mut rest = text;
    while let Some((_, behind)) = rest.split_once('}') {
        rest = behind;
        let Some(words) = behind.strip_prefix(' ') else {
            continue;
        };
        let words = words.strip_prefix("more ").unwrap_or(words);
        let end = words.find(|c: char| !c.is_ascii_lowercase());
        let noun = &words[..end.unwrap_or(words.len())];
        if COUNTED.contains(&noun) {
            return Some(noun);
        }
    }
    None
}

#[test]
fn counts_have_a_singular() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut wrong = Vec::new();
    for name in LIBRARIES
        .iter()
        .chain(&["baton-runtime", "baton-cli", "baton-atlassian"])
    {
        for file in sources(&crates.join(name).join("src")) {
            for (line, text) in literals(&fs::read_to_string(&file).unwrap()) {
                let known = PLURAL_ONLY.iter().any(|known| text.contains(known));
                if let Some(noun) = counted_plainly(&text).filter(|_| !known) {
                    let place = file.display();
                    wrong.push(format!("{place}:{line} counts {noun}: {text}"));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "use `baton_proto::figures::counted`: {wrong:#?}"
    );
    assert_eq!(counted_plainly("{} more lists of {what}"), Some("lists"));
    assert_eq!(counted_plainly("found with {n} requests"), Some("requests"));
    assert_eq!(counted_plainly("{list} was skipped"), None);
}

#[test]
fn the_rule_sees_flags_variables_and_commands_and_nothing_else() {
    for bad in [
        "pass --file with another path",
        "`--fresh` starts over",
        "raise BATON_DECODER_MAX_MEMORY_MB",
        "put it into SSL_CERT_FILE",
        "`baton expand` makes a file",
        "the command `capabilities` lists them",
    ] {
        assert!(named(bad).is_some(), "{bad}");
    }
    for good in [
        "a -- b",
        "read--only",
        "BATON_",
        "the baton format",
        "--",
        "x --- y",
    ] {
        assert_eq!(named(good), None, "{good}");
    }
}
