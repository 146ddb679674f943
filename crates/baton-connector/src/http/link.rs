//! `Link` headers (RFC 8288): where a list continues.
//!
//! A header that cannot be read is an error and not a list without a next
//! page, since a list that ends early goes unnoticed.

use http::HeaderMap;
use http::header::LINK;
use url::Url;

/// Most links of an answer that are read.
const MAX_LINKS: usize = 1000;

/// One link: its target as written, and its parameters with lower-case names.
#[derive(Debug, PartialEq, Eq)]
struct Link {
    target: String,
    params: Vec<(String, String)>,
}

impl Link {
    /// The first parameter of a name; later ones do not count (RFC 8288, 3).
    fn param(&self, name: &str) -> Option<&str> {
        let mut params = self.params.iter();
        params
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    fn leads_to_next(&self) -> bool {
        let relations = self.param("rel").unwrap_or_default();
        relations
            .split_ascii_whitespace()
            .any(|relation| relation.eq_ignore_ascii_case("next"))
    }
}

/// The target of the links with the relation `next` in all `Link` headers, as
/// seen from `page`, the URL of the answer.
pub(super) fn next(headers: &HeaderMap, page: &Url) -> Result<Option<Url>, &'static str> {
    let mut found: Option<Url> = None;
    let mut links = 0;
    for value in headers.get_all(LINK) {
        // Bytes that are not ASCII may be in titles; targets are checked below.
        let text = String::from_utf8_lossy(value.as_bytes());
        for link in parse(&text)? {
            links += 1;
            if links > MAX_LINKS {
                return Err("it has too many links");
            }
            if !link.leads_to_next() {
                continue;
            }
            let resolve = |target: &str| page.join(target).map_err(|_| "its link is not a URL");
            // A link about another document than the answer.
            if let Some(anchor) = link.param("anchor")
                && resolve(anchor)? != *page
            {
                continue;
            }
            let target = resolve(&link.target)?;
            if found.as_ref().is_some_and(|known| *known != target) {
                return Err("it has two different links to a next page");
            }
            found = Some(target);
        }
    }
    Ok(found)
}

/// The links of one header.
fn parse(text: &str) -> Result<Vec<Link>, &'static str> {
    let mut links = Vec::new();
    let mut rest = text;
    loop {
        // Empty elements of a list are allowed (RFC 9110, 5.6.1).
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return Ok(links);
        }
        let opened = rest
            .strip_prefix('<')
            .ok_or("a link does not begin with `<`")?;
        let (target, after) = opened.split_once('>').ok_or("a link has no `>`")?;
        let (params, after) = parameters(after)?;
        links.push(Link {
            target: target.trim().to_owned(),
            params,
        });
        rest = after;
    }
}

type Params = Vec<(String, String)>;

/// The parameters up to the comma that ends the link, and what follows.
fn parameters(text: &str) -> Result<(Params, &str), &'static str> {
    let mut params = Params::new();
    let mut rest = text.trim_start_matches([' ', '\t']);
    while let Some(after) = rest.strip_prefix(';') {
        rest = after.trim_start_matches([' ', '\t']);
        let end = rest.find(['=', ';', ',', ' ', '\t']).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        rest = after.trim_start_matches([' ', '\t']);
        let mut value = String::new();
        if let Some(after) = rest.strip_prefix('=') {
            (value, rest) = parameter_value(after.trim_start_matches([' ', '\t']))?;
            rest = rest.trim_start_matches([' ', '\t']);
        }
        if !name.is_empty() {
            params.push((name.to_ascii_lowercase(), value));
        }
    }
    if rest.is_empty() || rest.starts_with(',') {
        return Ok((params, rest));
    }
    Err("text follows a link that belongs to none")
}

/// A value, quoted or not, and what follows.
fn parameter_value(text: &str) -> Result<(String, &str), &'static str> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([';', ',', ' ', '\t']).unwrap_or(text.len());
        let (value, rest) = text.split_at(end);
        return Ok((value.to_owned(), rest));
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((value, &quoted[at + 1..])),
            '\\' => value.extend(chars.next().map(|(_, escaped)| escaped)),
            c => value.push(c),
        }
    }
    Err("a quoted text has no end")
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn found(lines: &[&str]) -> Result<Option<String>, &'static str> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(
                LINK,
                HeaderValue::from_bytes(line.as_bytes()).expect("valid"),
            );
        }
        let page = Url::parse("https://api.test/v1/users?page=2").expect("valid");
        next(&headers, &page).map(|url| url.map(String::from))
    }

    #[test]
    fn the_next_page_is_found_among_other_links() {
        let next = "https://api.test/v1/users?page=3";
        for lines in [
            &[r#"<https://api.test/v1/users?page=3>; rel="next""#][..],
            &["<?page=1>; rel=first, <?page=3>; rel=next"],
            &["<?page=1>; rel=first", "<?page=3>; REL=NEXT"],
            &[r#"<users?page=3>;title="a, <b>; rel=\"x\"";rel="last next""#],
            &[", ,</v1/users?page=3> ; rel = \"next\" ; foo , "],
            &["<?page=3>; rel=next, <?page=3>; rel=next"],
            &["<?page=3>; rel=next; rel=prev"],
            &["<?page=3>; rel=next; anchor=\"?page=2\""],
            &["<?page=9>; rel=next; anchor=\"/other\", <?page=3>; rel=next"],
            &["<?page=3>; title*=UTF-8''x; rel=next"],
            &["<?page=3>; title=\u{fc}; rel=next"],
        ] {
            assert_eq!(found(lines), Ok(Some(next.to_owned())), "{lines:?}");
        }
    }

    #[test]
    fn other_relations_and_missing_headers_end_the_list() {
        for lines in [
            &[][..],
            &[""],
            &["<?page=1>; rel=prev"],
            &["<?page=1>; rel=nextish"],
            &["<?page=1>"],
            &["<?page=1>; rel=prev; rel=next"],
            &[r#"<?page=1>; title="rel=next""#],
            &["</a,rel=next>; rel=prev"],
        ] {
            assert_eq!(found(lines), Ok(None), "{lines:?}");
        }
    }

    #[test]
    fn a_header_that_cannot_be_read_is_no_end() {
        for line in [
            "https://api.test/?page=3; rel=next",
            "<?page=3; rel=next",
            r#"<?page=3>; rel="next"#,
            "<?page=3>; rel=next trailing",
            "<https://[>; rel=next",
            "<?page=3>; rel=next, <?page=4>; rel=next",
        ] {
            assert!(found(&[line]).is_err(), "{line}");
        }
        let many = "<?page=3>; rel=next,".repeat(MAX_LINKS + 1);
        assert!(found(&[&many]).is_err());
    }
}
