//! Well-known text forms that a string rule can ask for.
//!
//! What counts as valid follows the connector CLI specification, §2.3; the checks are purely
//! textual and never look anything up.

use std::net::{IpAddr, Ipv4Addr};

use crate::c1::config::v1::WellKnownString;

/// Longest host name, in bytes.
const MAX_HOSTNAME: usize = 253;
/// Longest label of a host name, in bytes.
const MAX_LABEL: usize = 63;

/// A text form with a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WellKnown {
    /// A mailbox, with or without a display name.
    Email,
    /// Host name or IP literal.
    Hostname,
    /// IP address of either family.
    Ip,
    /// IPv4 address.
    Ipv4,
    /// IPv6 address; as in the Go SDK an IPv4 address passes too.
    Ipv6,
    /// Absolute URI, or an absolute path.
    Uri,
    /// UUID: plain, with `urn:uuid:`, in braces, or without hyphens.
    Uuid,
}

impl WellKnown {
    /// The form that a rule on the wire asks for; `None` if it asks for none. An
    /// address is a host name or an IP literal.
    pub fn of_rule(rule: WellKnownString) -> Option<Self> {
        Some(match rule {
            WellKnownString::Unspecified => return None,
            WellKnownString::Email => Self::Email,
            WellKnownString::Hostname | WellKnownString::Address => Self::Hostname,
            WellKnownString::Ip => Self::Ip,
            WellKnownString::Ipv4 => Self::Ipv4,
            WellKnownString::Ipv6 => Self::Ipv6,
            WellKnownString::Uri => Self::Uri,
            WellKnownString::Uuid => Self::Uuid,
        })
    }

    /// The words of an error text, after "a valid".
    pub fn word(self) -> &'static str {
        match self {
            Self::Email => "email address",
            Self::Hostname => "hostname",
            Self::Ip => "IP address",
            Self::Ipv4 => "IPv4 address",
            Self::Ipv6 => "IPv6 address",
            Self::Uri => "URL",
            Self::Uuid => "UUID",
        }
    }

    /// Whether a text has the form.
    pub fn matches(self, value: &str) -> bool {
        match self {
            Self::Email => is_mailbox(value),
            Self::Hostname => value.parse::<IpAddr>().is_ok() || is_hostname(value),
            Self::Ip | Self::Ipv6 => value.parse::<IpAddr>().is_ok(),
            Self::Ipv4 => value.parse::<Ipv4Addr>().is_ok(),
            Self::Uri => is_absolute_uri(value),
            Self::Uuid => is_uuid(value),
        }
    }
}

fn is_mailbox(value: &str) -> bool {
    let address = match value.trim().strip_suffix('>') {
        Some(head) => match head.rsplit_once('<') {
            Some((_, address)) => address,
            None => return false,
        },
        None => value.trim(),
    };
    let Some((local, domain)) = address.rsplit_once('@') else {
        return false;
    };
    let atom = |part: &str| {
        !part.is_empty()
            && part.chars().all(|c| {
                !c.is_ascii() || c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c)
            })
    };
    let quoted = local.len() > 2 && local.starts_with('"') && local.ends_with('"');
    let literal = domain.starts_with('[') && domain.ends_with(']');
    (quoted || local.split('.').all(atom)) && (literal || domain.split('.').all(atom))
}

fn is_hostname(value: &str) -> bool {
    value.len() <= MAX_HOSTNAME
        && value.split('.').all(|label| {
            let bytes = label.as_bytes();
            bytes.len() <= MAX_LABEL
                && bytes.first().is_some_and(u8::is_ascii_alphanumeric)
                && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
                && bytes
                    .iter()
                    .all(|b| b.is_ascii_alphanumeric() || *b == b'-')
        })
}

fn is_absolute_uri(value: &str) -> bool {
    if value.bytes().any(|b| b.is_ascii_control() || b == b' ') {
        return false;
    }
    if value.starts_with('/') {
        return true;
    }
    value.split_once(':').is_some_and(|(scheme, rest)| {
        !rest.is_empty()
            && scheme
                .as_bytes()
                .first()
                .is_some_and(u8::is_ascii_alphabetic)
            && scheme
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
    })
}

fn is_uuid(value: &str) -> bool {
    let hex = |text: &str| text.bytes().all(|b| b.is_ascii_hexdigit());
    if value.len() == 32 {
        return hex(value);
    }
    let bare = match value.len() {
        45 => value
            .get(..9)
            .filter(|p| p.eq_ignore_ascii_case("urn:uuid:"))
            .and(value.get(9..)),
        38 => value
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}')),
        36 => Some(value),
        _ => None,
    };
    bare.is_some_and(|bare| {
        let groups: Vec<&str> = bare.split('-').collect();
        groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12]) && groups.into_iter().all(hex)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_refuses_and_accepts() {
        let uuid = "cd613e30-d8f1-4adf-91b7-584a2265b1f5";
        let cases: Vec<(WellKnown, Vec<&str>, Vec<&str>)> = vec![
            (
                WellKnown::Email,
                vec!["x", "a@", "@b", "a b@c", "<a@b"],
                vec!["a@b.example", "Ann <a.b+c@d.example>", "\"a b\"@c"],
            ),
            (
                WellKnown::Hostname,
                vec!["", "-a", "a..b", "a_b", "a."],
                vec!["a", "a-1.example", "::1", "10.0.0.1"],
            ),
            (WellKnown::Ip, vec!["x", "1.2.3"], vec!["1.2.3.4", "::1"]),
            (WellKnown::Ipv4, vec!["::1"], vec!["1.2.3.4"]),
            (WellKnown::Ipv6, vec!["x"], vec!["::1", "1.2.3.4"]),
            (
                WellKnown::Uri,
                vec!["", "x", "a b", "1:x"],
                vec!["https://a.example/x", "/path", "mailto:a@b"],
            ),
            (
                WellKnown::Uuid,
                vec!["", "cd613e30d8f1", "zd613e30-d8f1-4adf-91b7-584a2265b1f5"],
                vec![
                    uuid,
                    "cd613e30d8f14adf91b7584a2265b1f5",
                    "{cd613e30-d8f1-4adf-91b7-584a2265b1f5}",
                    "urn:uuid:cd613e30-d8f1-4adf-91b7-584a2265b1f5",
                ],
            ),
        ];
        for (kind, bad, good) in cases {
            for value in bad {
                assert!(!kind.matches(value), "{kind:?} must refuse {value:?}");
            }
            for value in good {
                assert!(kind.matches(value), "{kind:?} must accept {value:?}");
            }
        }
    }
}
