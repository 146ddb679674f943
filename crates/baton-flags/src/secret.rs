//! The two ways to give a secret without putting it on the command line: `@path` and `-`.
//!
//! Only a *flag* takes them: environment and config file are not visible to other users in the
//! process list, so there the text is the secret itself. No error shows any of the content.

use std::io::Read;
use std::path::Path;

use baton_proto::Secret;

use crate::error::{Error, Result};

/// Largest secret read from a file or from standard input, in bytes.
pub(crate) const MAX_SECRET_BYTES: u64 = 64 * 1024;

/// Where the secret is, by the flag's text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SecretArg<'a> {
    Literal(&'a str),
    File(&'a str),
    Stdin,
}

impl<'a> SecretArg<'a> {
    pub(crate) fn of(text: &'a str) -> Self {
        match text.strip_prefix('@') {
            Some(path) => Self::File(path),
            None if text == "-" => Self::Stdin,
            None => Self::Literal(text),
        }
    }
}

/// Reads a secret from a file; `path` may be relative to `cwd`.
pub(crate) fn from_file(flag: &str, cwd: &Path, path: &str) -> Result<Secret> {
    let full = cwd.join(path);
    let open = || -> std::io::Result<Vec<u8>> { bounded(&mut std::fs::File::open(&full)?) };
    let bytes = open().map_err(|source| Error::SecretUnreadable {
        flag: flag.to_owned(),
        from: format!("`{}`", full.display()),
        source,
    })?;
    checked(flag, &format!("`{}`", full.display()), bytes)
}

/// Reads a secret from standard input, up to its end.
pub(crate) fn from_stdin(flag: &str, stdin: &mut dyn Read) -> Result<Secret> {
    let from = "standard input";
    let bytes = bounded(stdin).map_err(|source| Error::SecretUnreadable {
        flag: flag.to_owned(),
        from: from.to_owned(),
        source,
    })?;
    checked(flag, from, bytes)
}

fn bounded(reader: &mut dyn Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(MAX_SECRET_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Editors begin files with a byte order mark and end them with line breaks and blanks: they are
/// not part of the secret.
fn checked(flag: &str, from: &str, bytes: Vec<u8>) -> Result<Secret> {
    let malformed = |problem: &'static str| Error::SecretMalformed {
        flag: flag.to_owned(),
        from: from.to_owned(),
        problem,
    };
    if bytes.len() as u64 > MAX_SECRET_BYTES {
        return Err(malformed("is larger than 64 KiB"));
    }
    let text = String::from_utf8(bytes).map_err(|_| malformed("is not UTF-8 text"))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let text = text.trim_end_matches([' ', '\t', '\r', '\n']);
    if text.is_empty() {
        return Err(malformed("is empty"));
    }
    if text.contains(['\n', '\r']) {
        return Err(malformed("has more than one line"));
    }
    Ok(Secret::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unusable_input_is_named_without_its_content() {
        let cases: [(&[u8], &str); 5] = [
            (
                b"\xef\xbb\xbf \r\n",
                "value of --token: standard input is empty",
            ),
            (b"", "value of --token: standard input is empty"),
            (b"\n", "value of --token: standard input is empty"),
            (
                b"hunter2\nhunter3\n",
                "value of --token: standard input has more than one line",
            ),
            (
                b"\xff\xfe",
                "value of --token: standard input is not UTF-8 text",
            ),
        ];
        for (mut input, want) in cases {
            let error = from_stdin("--token", &mut input).unwrap_err();
            assert_eq!(error.to_string(), want);
        }
        let mut endless = std::io::repeat(b'x');
        let error = from_stdin("--token", &mut endless).unwrap_err();
        assert_eq!(
            error.to_string(),
            "value of --token: standard input is larger than 64 KiB"
        );
    }

    #[test]
    fn a_byte_order_mark_and_blanks_at_the_end_are_dropped() {
        for start in ["", "\u{feff}"] {
            for end in ["", "\n", "\r\n", " ", "\t", " \t\r\n\n \n"] {
                let text = format!("{start}s3 cret{end}");
                let secret = from_stdin("--token", &mut text.as_bytes()).unwrap();
                assert_eq!(secret.expose(), "s3 cret", "{text:?}");
            }
        }
    }

    #[test]
    fn only_the_two_marks_are_special() {
        assert_eq!(SecretArg::of("-x"), SecretArg::Literal("-x"));
        assert_eq!(SecretArg::of("a@b"), SecretArg::Literal("a@b"));
        assert_eq!(SecretArg::of("-"), SecretArg::Stdin);
        assert_eq!(SecretArg::of("@a/b"), SecretArg::File("a/b"));
    }

    /// What a shell makes of `@<(command)`.
    #[cfg(unix)]
    #[test]
    fn a_secret_can_come_from_a_pipe() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        let writer = std::thread::spawn({
            let pipe = pipe.clone();
            move || std::fs::write(pipe, "s3cret\n")
        });
        let secret = from_file("--token", dir.path(), "pipe").unwrap();
        writer.join().unwrap().unwrap();
        assert_eq!(secret.expose(), "s3cret");
    }
}
