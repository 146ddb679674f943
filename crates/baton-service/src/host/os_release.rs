//! `/etc/os-release`: lines of the form `NAME=value`, where a value can be in quotes.

/// What is needed of the file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct OsRelease {
    /// The distribution.
    pub(super) id: Option<String>,
    /// The distribution that it is closest to, or itself.
    pub(super) family: Option<String>,
    /// Its version.
    pub(super) version_id: Option<String>,
}

/// Reads the file. Of a name that occurs twice the last counts, as in a shell.
pub(super) fn read(content: &str) -> OsRelease {
    let mut release = OsRelease::default();
    let mut like = None;
    for line in content.lines() {
        let Some((name, value)) = line.trim().split_once('=') else {
            continue;
        };
        let value = Some(unquoted(value)).filter(|value| !value.is_empty());
        match name {
            "ID" => release.id = value,
            "ID_LIKE" => like = value,
            "VERSION_ID" => release.version_id = value,
            _ => {}
        }
    }
    // The closest one is first.
    let closest = like.and_then(|like| like.split_whitespace().next().map(str::to_owned));
    release.family = closest.or_else(|| release.id.clone());
    release
}

/// A value without its quotes, and without the backslashes of double quotes.
fn unquoted(value: &str) -> String {
    let within = |quote: char| {
        let value = value.strip_prefix(quote)?;
        value.strip_suffix(quote)
    };
    if let Some(plain) = within('\'') {
        return plain.to_owned();
    }
    let Some(escaped) = within('"') else {
        return value.to_owned();
    };
    let mut plain = String::with_capacity(escaped.len());
    let mut characters = escaped.chars();
    while let Some(c) = characters.next() {
        match c {
            '\\' => plain.extend(characters.next()),
            c => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_family_is_the_closest_relative_or_the_distribution() {
        let debian = read("NAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\nID=debian\n");
        assert_eq!(debian.id.as_deref(), Some("debian"));
        assert_eq!(debian.family.as_deref(), Some("debian"));
        assert_eq!(debian.version_id.as_deref(), Some("12"));
        let rocky = read("ID='rocky'\r\nID_LIKE=\"rhel centos fedora\"\r\nVERSION_ID=9.4");
        assert_eq!(rocky.id.as_deref(), Some("rocky"));
        assert_eq!(rocky.family.as_deref(), Some("rhel"));
        assert_eq!(rocky.version_id.as_deref(), Some("9.4"));
    }

    #[test]
    fn odd_lines_do_no_harm() {
        let odd =
            read("# ID=comment\n\n=\nID\n\"\nID=\"\nID_LIKE=\" \"\nVERSION_ID=\"a\\\"b\\\\c\\");
        assert_eq!(odd.id.as_deref(), Some("\""));
        assert_eq!(odd.family.as_deref(), Some("\""));
        assert_eq!(odd.version_id.as_deref(), Some("\"a\\\"b\\\\c\\"));
        assert_eq!(unquoted("\"a\\\"b\\\\c\\\""), "a\"b\\c");
        assert_eq!(read(""), OsRelease::default());
        let twice = read("ID=one\nID=two\n");
        assert_eq!(twice.id.as_deref(), Some("two"));
    }
}
