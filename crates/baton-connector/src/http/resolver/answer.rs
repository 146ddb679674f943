//! What name servers answer, and what several answers mean together.

use std::net::IpAddr;

use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::{DnsError, NetError};

/// The answer to one question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// The name has these addresses.
    Found(Vec<IpAddr>),
    /// The name exists and has no address of the kind in question.
    NoAddress,
    /// The name does not exist.
    NoName,
    /// No name server has answered, for this reason.
    Failed(String),
}

impl Answer {
    /// The answer of the name server at `server`.
    pub(super) fn of(server: IpAddr, result: Result<Lookup, NetError>) -> Self {
        match result {
            Ok(found) => {
                let records = found.answers().iter();
                let found: Vec<_> = records.filter_map(|record| record.data.ip_addr()).collect();
                match found.as_slice() {
                    [] => Self::NoAddress,
                    _ => Self::Found(found),
                }
            }
            Err(error) if error.is_nx_domain() => Self::NoName,
            Err(error) if error.is_no_records_found() => Self::NoAddress,
            Err(NetError::Timeout) => Self::Failed(format!("no answer from name server {server}")),
            Err(NetError::Dns(DnsError::ResponseCode(code))) => {
                Self::Failed(format!("name server {server} returned `{code}`"))
            }
            Err(error) => Self::Failed(format!("cannot ask name server {server}: {error}")),
        }
    }

    /// The answers about both kinds of address of one name. An answer with addresses
    /// counts if the other question failed; without one, the failure counts.
    pub(super) fn of_both_kinds(self, other: Self) -> Self {
        match (self, other) {
            (Self::Found(mut found), Self::Found(others)) => {
                found.extend(others);
                Self::Found(found)
            }
            (Self::Found(found), _) | (_, Self::Found(found)) => Self::Found(found),
            (Self::NoName, _) | (_, Self::NoName) => Self::NoName,
            (Self::Failed(reason), _) | (_, Self::Failed(reason)) => Self::Failed(reason),
            (Self::NoAddress, Self::NoAddress) => Self::NoAddress,
        }
    }

    /// The answers about two names of which either would do, in their order. A name
    /// whose answer is missing may be the one that exists, so a failure counts more
    /// than a name that does not exist.
    pub(super) fn or(self, next: Self) -> Self {
        match (self, next) {
            (Self::Found(found), _) | (_, Self::Found(found)) => Self::Found(found),
            (Self::Failed(reason), _) | (_, Self::Failed(reason)) => Self::Failed(reason),
            (Self::NoAddress, _) | (_, Self::NoAddress) => Self::NoAddress,
            (Self::NoName, Self::NoName) => Self::NoName,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Answer::{self, NoAddress, NoName};

    fn found(ip: &str) -> Answer {
        Answer::Found(vec![ip.parse().unwrap()])
    }

    fn failed() -> Answer {
        Answer::Failed("reason".to_owned())
    }

    #[test]
    fn a_failed_question_does_not_hide_addresses_and_is_not_hidden_otherwise() {
        let both = Answer::of_both_kinds;
        assert_eq!(both(found("::1"), failed()), found("::1"));
        assert_eq!(both(NoAddress, found("::1")), found("::1"));
        let Answer::Found(all) = both(found("::1"), found("10.0.0.1")) else {
            panic!("no addresses");
        };
        assert_eq!(all.len(), 2);
        assert_eq!(both(NoAddress, failed()), failed());
        assert_eq!(both(failed(), NoName), NoName);
        assert_eq!(both(NoAddress, NoAddress), NoAddress);

        assert_eq!(NoName.or(failed()), failed());
        assert_eq!(failed().or(NoName), failed());
        assert_eq!(NoName.or(NoAddress), NoAddress);
        assert_eq!(failed().or(found("::1")), found("::1"));
        assert_eq!(NoName.or(NoName), NoName);
    }
}
