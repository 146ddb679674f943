//! Baton ids: resources, entitlements and grants as one line of text
//! (`c1z.md` §1.8), as people pass them on command lines.
//!
//! `bid:r:<type>/<id>`, under a parent `bid:r:<type>/<id>/<type>/<id>`;
//! `bid:e:<resource>:<slug>`; `bid:g:<entitlement>:<resource>`. A backslash
//! stands before `\`, `/` and `:` inside a value.

use std::fmt;
use std::iter::Peekable;
use std::str::{CharIndices, FromStr};

/// Type and id of a resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypedId {
    /// Its type.
    pub resource_type: String,
    /// Its id.
    pub resource: String,
}

/// `bid:r:…`
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceBid {
    /// The resource.
    pub id: TypedId,
    /// What it is listed under.
    pub parent: Option<TypedId>,
}

/// `bid:e:…`
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntitlementBid {
    /// What the entitlement is on.
    pub resource: ResourceBid,
    /// Its name there.
    pub slug: String,
}

/// `bid:g:…`
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GrantBid {
    /// What is held.
    pub entitlement: EntitlementBid,
    /// Who holds it.
    pub principal: ResourceBid,
}

/// A text that is no Baton id of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("error parsing baton id '{text}' at location {location}: {reason}\n{text}\n{caret}", caret = self.caret())]
pub struct ParseBidError {
    /// The text.
    pub text: String,
    /// Where it is wrong, in characters from 0.
    pub location: usize,
    /// What is wrong there.
    pub reason: &'static str,
}

impl ParseBidError {
    fn caret(&self) -> String {
        format!("{}^", " ".repeat(self.location))
    }
}

/// What ends a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Slash,
    Colon,
    Text,
}

struct Parser<'a> {
    text: &'a str,
    rest: Peekable<CharIndices<'a>>,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            rest: text.char_indices().peekable(),
        }
    }

    /// An error at the character that comes next.
    fn fail(&mut self, reason: &'static str) -> ParseBidError {
        let at = self.rest.peek().map_or(self.text.len(), |(at, _)| *at);
        let before = self.text.get(..at).unwrap_or(self.text);
        ParseBidError {
            text: self.text.to_owned(),
            location: before.chars().count(),
            reason,
        }
    }

    fn word(&mut self, word: &str, reason: &'static str) -> Result<(), ParseBidError> {
        for wanted in word.chars() {
            match self.rest.peek() {
                Some((_, found)) if *found == wanted => self.rest.next(),
                _ => return Err(self.fail(reason)),
            };
        }
        Ok(())
    }

    /// A value and what ended it, which is taken too.
    fn value(&mut self, what: &'static str) -> Result<(String, End), ParseBidError> {
        let mut value = String::new();
        let end = loop {
            match self.rest.peek().map(|(_, c)| *c) {
                None => break End::Text,
                Some('/') => break End::Slash,
                Some(':') => break End::Colon,
                Some('\\') => {
                    self.rest.next();
                    match self.rest.peek() {
                        Some((_, c @ ('\\' | '/' | ':'))) => value.push(*c),
                        _ => {
                            return Err(self.fail("a backslash must stand before `\\`, `/` or `:`"));
                        }
                    }
                }
                Some(c) => value.push(c),
            }
            self.rest.next();
        };
        if value.is_empty() {
            return Err(self.fail(what));
        }
        self.rest.next();
        Ok((value, end))
    }

    /// A resource part and what ended it.
    fn resource(&mut self) -> Result<(ResourceBid, End), ParseBidError> {
        let (first, end) = self.typed_id()?;
        if end != End::Slash {
            let bid = ResourceBid {
                id: first,
                parent: None,
            };
            return Ok((bid, end));
        }
        let (id, end) = self.typed_id()?;
        if end == End::Slash {
            return Err(self.fail("a resource has one parent at most"));
        }
        let bid = ResourceBid {
            id,
            parent: Some(first),
        };
        Ok((bid, end))
    }

    fn typed_id(&mut self) -> Result<(TypedId, End), ParseBidError> {
        let (resource_type, end) = self.value("the resource type is empty")?;
        if end != End::Slash {
            return Err(self.fail("a resource is `<type>/<id>`"));
        }
        let (resource, end) = self.value("the resource id is empty")?;
        let id = TypedId {
            resource_type,
            resource,
        };
        Ok((id, end))
    }

    /// An entitlement part and what ended it.
    fn entitlement(&mut self) -> Result<(EntitlementBid, End), ParseBidError> {
        let (resource, end) = self.resource()?;
        if end != End::Colon {
            return Err(self.fail("`:<slug>` is missing"));
        }
        let (slug, end) = self.value("the slug is empty")?;
        if end == End::Slash {
            return Err(self.fail("a `/` in a slug needs a backslash before it"));
        }
        Ok((EntitlementBid { resource, slug }, end))
    }

    fn finish<T>(&mut self, (value, end): (T, End)) -> Result<T, ParseBidError> {
        match end {
            End::Text => Ok(value),
            _ => Err(self.fail("more than one id")),
        }
    }
}

impl FromStr for ResourceBid {
    type Err = ParseBidError;

    fn from_str(text: &str) -> Result<Self, ParseBidError> {
        let mut parser = Parser::new(text);
        parser.word("bid:r:", "the id of a resource begins with `bid:r:`")?;
        let parsed = parser.resource()?;
        parser.finish(parsed)
    }
}

impl FromStr for EntitlementBid {
    type Err = ParseBidError;

    fn from_str(text: &str) -> Result<Self, ParseBidError> {
        let mut parser = Parser::new(text);
        parser.word("bid:e:", "the id of an entitlement begins with `bid:e:`")?;
        let parsed = parser.entitlement()?;
        parser.finish(parsed)
    }
}

impl FromStr for GrantBid {
    type Err = ParseBidError;

    fn from_str(text: &str) -> Result<Self, ParseBidError> {
        let mut parser = Parser::new(text);
        parser.word("bid:g:", "the id of a grant begins with `bid:g:`")?;
        let (entitlement, end) = parser.entitlement()?;
        if end != End::Colon {
            return Err(parser.fail("`:<principal>` is missing"));
        }
        let parsed = parser.resource()?;
        let principal = parser.finish(parsed)?;
        Ok(Self {
            entitlement,
            principal,
        })
    }
}

fn escaped(f: &mut fmt::Formatter<'_>, value: &str) -> fmt::Result {
    for c in value.chars() {
        if matches!(c, '\\' | '/' | ':') {
            f.write_str("\\")?;
        }
        write!(f, "{c}")?;
    }
    Ok(())
}

impl TypedId {
    fn part(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escaped(f, &self.resource_type)?;
        f.write_str("/")?;
        escaped(f, &self.resource)
    }
}

impl ResourceBid {
    fn part(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = &self.parent {
            parent.part(f)?;
            f.write_str("/")?;
        }
        self.id.part(f)
    }
}

impl EntitlementBid {
    fn part(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.resource.part(f)?;
        f.write_str(":")?;
        escaped(f, &self.slug)
    }
}

impl fmt::Display for ResourceBid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bid:r:")?;
        self.part(f)
    }
}

impl fmt::Display for EntitlementBid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bid:e:")?;
        self.part(f)
    }
}

impl fmt::Display for GrantBid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bid:g:")?;
        self.entitlement.part(f)?;
        f.write_str(":")?;
        self.principal.part(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_and_written_alike() {
        for text in [
            "bid:r:user/123",
            "bid:r:org/o\\:1/site/a\\/b",
            "bid:r:a\\\\/é\\:",
            "bid:e:group/g1:member",
            "bid:e:org/o1/site/s1:a\\:b",
            "bid:g:group/g1:member:user/u1",
            "bid:g:org/o/site/s:x\\/y:org/o/user/u",
        ] {
            let written = match &text[..6] {
                "bid:r:" => text.parse::<ResourceBid>().expect("valid").to_string(),
                "bid:e:" => text.parse::<EntitlementBid>().expect("valid").to_string(),
                _ => text.parse::<GrantBid>().expect("valid").to_string(),
            };
            assert_eq!(written, text);
        }
    }

    #[test]
    fn the_parent_comes_first() {
        let bid: ResourceBid = "bid:r:org/o\\:1/site/a\\/b".parse().expect("valid");
        assert_eq!(bid.id.resource_type, "site");
        assert_eq!(bid.id.resource, "a/b");
        assert_eq!(bid.parent.expect("named").resource, "o:1");
    }

    #[test]
    fn what_is_no_id_is_pointed_at() {
        for (text, location) in [
            ("", 0),
            ("junk", 0),
            ("bid:e:user/1", 4),
            ("bid:r:", 6),
            ("bid:r:user", 10),
            ("bid:r:user/", 11),
            ("bid:r:/1", 6),
            ("bid:r:a/1/b", 11),
            ("bid:r:a/1/b/2/c", 14),
            ("bid:r:é/1:x", 10),
            ("bid:r:a/\\x", 9),
            ("bid:r:a/1\\", 10),
        ] {
            let error = text.parse::<ResourceBid>().expect_err(text);
            assert_eq!(error.location, location, "{error}");
        }
        for text in [
            "bid:e:group/g1",
            "bid:e:group/g1:",
            "bid:e:group/g1:a/b",
            "bid:e:a/1:b:c",
        ] {
            text.parse::<EntitlementBid>().expect_err(text);
        }
        for text in ["bid:g:group/g1:member", "bid:g:group/g1:member:user/1:x"] {
            text.parse::<GrantBid>().expect_err(text);
        }
    }

    #[test]
    fn an_error_shows_the_place() {
        let error = "bid:r:user".parse::<ResourceBid>().expect_err("no id");
        assert_eq!(
            error.to_string(),
            "error parsing baton id 'bid:r:user' at location 10: a resource is `<type>/<id>`\n\
             bid:r:user\n          ^"
        );
    }
}
