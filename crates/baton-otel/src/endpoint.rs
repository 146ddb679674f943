//! Where a collector is.

use std::fmt;

use baton_grpc::dial::PeerAddress;

/// The port of a gRPC target without one, and of `https`.
const HTTPS_PORT: u16 = 443;
const HTTP_PORT: u16 = 80;

/// Where a collector is, and whether the text decides how it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub(crate) address: PeerAddress,
    /// `true` for `https`, `false` for `http`; `None` if the text has no scheme.
    encrypted: Option<bool>,
}

/// A text that names no collector.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "`{text}` is not the address of a collector: expected <host>:<port>, http://<host>:<port> or https://<host>:<port>"
)]
pub struct EndpointError {
    text: String,
}

impl Endpoint {
    /// Reads `collector.example:4317`, `http://collector.example:4317`,
    /// `https://collector.example`, or a gRPC target such as
    /// `dns:///collector.example:4317` or `unix:/run/otel.sock`.
    ///
    /// # Errors
    /// The text has another form.
    pub fn parse(text: &str) -> Result<Self, EndpointError> {
        let unknown = || EndpointError {
            text: text.to_owned(),
        };
        let (rest, encrypted, port) = if let Some(rest) = text.strip_prefix("http://") {
            (rest.trim_end_matches('/'), Some(false), HTTP_PORT)
        } else if let Some(rest) = text.strip_prefix("https://") {
            (rest.trim_end_matches('/'), Some(true), HTTPS_PORT)
        } else {
            let resolvers = ["dns:///", "passthrough:///", "dns:"];
            let rest = resolvers
                .iter()
                .find_map(|resolver| text.strip_prefix(resolver));
            (rest.unwrap_or(text), None, HTTPS_PORT)
        };
        let is_file = rest.starts_with("unix:");
        if is_file && encrypted.is_some() {
            return Err(unknown());
        }
        let address = PeerAddress::parse(rest)
            .or_else(|_| PeerAddress::parse(&format!("{rest}:{port}")))
            .map_err(|_| unknown())?;
        Ok(Self { address, encrypted })
    }

    /// Whether the text asks for TLS, or against it; `None` if it does neither.
    pub const fn encrypted(&self) -> Option<bool> {
        self.encrypted
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms_lead_to_a_host_and_a_port() {
        for (text, address, encrypted) in [
            ("otel.example:4317", "otel.example:4317", None),
            ("127.0.0.1:4317", "127.0.0.1:4317", None),
            ("[::1]:4317", "[::1]:4317", None),
            ("otel.example", "otel.example:443", None),
            ("dns:///otel.example:4317", "otel.example:4317", None),
            ("passthrough:///otel.example:1", "otel.example:1", None),
            ("http://otel.example:4317", "otel.example:4317", Some(false)),
            ("http://otel.example/", "otel.example:80", Some(false)),
            ("https://otel.example", "otel.example:443", Some(true)),
            ("https://[::1]:4317/", "[::1]:4317", Some(true)),
        ] {
            let endpoint = Endpoint::parse(text).unwrap();
            assert_eq!(endpoint.to_string(), address, "{text}");
            assert_eq!(endpoint.encrypted(), encrypted, "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            ":4317",
            "otel.example:0",
            "otel.example:65536",
            "ftp://otel.example:1",
            "https://otel.example:4317/v1/traces",
            "https://user@otel.example:4317",
            "https://unix:/run/x.sock",
            "otel example:4317",
        ] {
            let error = Endpoint::parse(text).unwrap_err().to_string();
            assert!(error.contains("expected <host>:<port>"), "{text}: {error}");
        }
    }
}
