//! The client id of a service (`service-mode.md` §1.1).

use std::fmt;

use crate::error::{Error, Result};

/// A client id: `<client name>@<token host>/<rest>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientId {
    text: String,
    name_bytes: usize,
    host_bytes: usize,
}

impl ClientId {
    /// Reads a client id. Only the two separators are checked.
    ///
    /// # Errors
    /// [`Error::ClientId`] for every other form.
    pub fn parse(text: &str) -> Result<Self> {
        let (name, rest) = text.split_once('@').ok_or(Error::ClientId)?;
        let (host, _) = rest.split_once('/').ok_or(Error::ClientId)?;
        Ok(Self {
            text: text.to_owned(),
            name_bytes: name.len(),
            host_bytes: host.len(),
        })
    }

    /// The whole id, as it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The name of the client.
    pub fn name(&self) -> &str {
        &self.text[..self.name_bytes]
    }

    /// The host that gives tokens, with its port if it has one.
    pub fn token_host(&self) -> &str {
        let start = self.name_bytes + 1;
        &self.text[start..start + self.host_bytes]
    }

    /// The host that gives tokens, without a port.
    pub fn token_host_name(&self) -> &str {
        let host = self.token_host();
        match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
            _ => host,
        }
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_separators_count_and_the_rest_is_ignored() {
        for (text, name, host, host_name) in [
            ("kim@acme.test/", "kim", "acme.test", "acme.test"),
            ("kim@acme.test/spe/x@y", "kim", "acme.test", "acme.test"),
            (
                "kim@acme.test:8443/spe",
                "kim",
                "acme.test:8443",
                "acme.test",
            ),
            ("kim@[::1]:8443/spe", "kim", "[::1]:8443", "[::1]"),
            ("kim@[::1]/spe", "kim", "[::1]", "[::1]"),
            ("@/", "", "", ""),
            ("kím@höst/", "kím", "höst", "höst"),
        ] {
            let id = ClientId::parse(text).unwrap();
            assert_eq!(
                (id.name(), id.token_host(), id.token_host_name()),
                (name, host, host_name)
            );
            assert_eq!((id.as_str(), id.to_string().as_str()), (text, text));
        }
    }

    #[test]
    fn every_other_form_is_refused() {
        for text in [
            "",
            "@",
            "/",
            "kim",
            "kim@",
            "kim@acme.test",
            "kim/x",
            "kim/acme@test",
        ] {
            assert_eq!(ClientId::parse(text), Err(Error::ClientId), "{text}");
        }
    }
}
