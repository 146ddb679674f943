//! The hosts file.

use std::io::{self, BufRead, BufReader, Read};
use std::net::IpAddr;
use std::path::Path;

/// Lists of blocked names are the largest files that people have.
const MAX_BYTES: u64 = 64 << 20;
const MAX_LINE: u64 = 64 << 10;

/// The addresses of `host` in the file, in its order. A file that does not exist is
/// empty.
pub(super) fn addresses_in(file: &Path, host: &str) -> io::Result<Vec<IpAddr>> {
    match std::fs::File::open(file) {
        Ok(file) => search(BufReader::new(file.take(MAX_BYTES)), host),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn search(mut content: impl BufRead, host: &str) -> io::Result<Vec<IpAddr>> {
    let host = host.strip_suffix('.').unwrap_or(host);
    let mut found = Vec::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        if content
            .by_ref()
            .take(MAX_LINE)
            .read_until(b'\n', &mut line)?
            == 0
        {
            return Ok(found);
        }
        let text = String::from_utf8_lossy(&line);
        let mut words = text
            .split('#')
            .next()
            .unwrap_or_default()
            .split_whitespace();
        let Some(Ok(address)) = words.next().map(str::parse) else {
            continue;
        };
        if words.any(|name| name.eq_ignore_ascii_case(host)) && !found.contains(&address) {
            found.push(address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(content: &str, host: &str) -> Vec<String> {
        let found = search(content.as_bytes(), host).unwrap();
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn all_lines_with_the_name_count_in_their_order() {
        let content = "# a comment\n\
            10.0.0.1 api.test Other # api.test2\n\
            not-an-address api.test\n\
            \n\
            10.0.0.3\n\
            2001:db8::2\tapi api.TEST\r\n\
            10.0.0.1 api.test";
        assert_eq!(found(content, "api.test"), ["10.0.0.1", "2001:db8::2"]);
        assert_eq!(found(content, "API.test."), ["10.0.0.1", "2001:db8::2"]);
        assert_eq!(found(content, "other"), ["10.0.0.1"]);
        assert!(found(content, "api.test2").is_empty());
        assert!(found(content, "10.0.0.3").is_empty());
        assert!(found("", "api.test").is_empty());
    }

    #[test]
    fn a_line_without_end_does_not_fill_the_memory() {
        let content = format!("10.0.0.1 {} late\n10.0.0.2 next\n", "a".repeat(1 << 20));
        assert!(found(&content, "late").is_empty());
        assert_eq!(found(&content, "next"), ["10.0.0.2"]);
    }

    #[test]
    fn a_file_that_does_not_exist_has_no_names() {
        let none = Path::new("/nonexistent/hosts");
        assert!(addresses_in(none, "localhost").unwrap().is_empty());
        assert!(addresses_in(Path::new("/"), "localhost").is_err());
    }
}
