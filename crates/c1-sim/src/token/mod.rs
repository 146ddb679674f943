//! The token endpoint: who gets a token, and which tokens are accepted.

mod assertion;
mod endpoint;

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::time::Duration;

use serde::Deserialize;

pub(crate) use endpoint::{PATH, answer};

/// How long a token is accepted whose lifetime is not given, or 0.
const UNSTATED_LIFETIME: Duration = Duration::from_mins(1);
/// Tokens that requests are searched for.
const MAX_RECENT: usize = 8;
/// A client may ask for the next token when the old one has so much left.
pub(crate) const RENEWED_BEFORE_END: Duration = Duration::from_secs(10);

/// A token that was given.
#[derive(Debug)]
struct Given {
    /// `<type> <token>`.
    authorization: String,
    ends: Duration,
    refused: bool,
    states_lifetime: bool,
}

/// The tokens that were given, and the nonces that were used.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    given: BTreeMap<String, Given>,
    /// The last ones, the newest at the end.
    recent: VecDeque<String>,
    nonces: HashSet<String>,
    count: u64,
}

/// A token in the body of an answer.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct TokenBody {
    access_token: String,
    token_type: String,
    expires_in: u64,
}

impl Tokens {
    /// A token that was not given before.
    fn next_text(&mut self) -> String {
        self.count += 1;
        format!("c1-sim-access-token-{}", self.count)
    }

    /// Records the token that an answer gives, if it gives one.
    fn record(&mut self, body: &[u8], now: Duration) {
        let Ok(body) = serde_json::from_slice::<TokenBody>(body) else {
            return;
        };
        if body.access_token.is_empty() {
            return;
        }
        let states_lifetime = body.expires_in > 0;
        let lifetime = if states_lifetime {
            Duration::from_secs(body.expires_in)
        } else {
            UNSTATED_LIFETIME
        };
        let given = Given {
            authorization: format!("{} {}", kind(&body.token_type), body.access_token),
            ends: now.saturating_add(lifetime),
            refused: false,
            states_lifetime,
        };
        if self.recent.len() == MAX_RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(body.access_token.clone());
        self.given.insert(body.access_token, given);
    }

    /// How long the last token is still valid, if a client knows of no reason to ask
    /// for another.
    fn still_valid(&self, now: Duration) -> Option<Duration> {
        let last = self.given.get(self.recent.back()?)?;
        let left = last.ends.checked_sub(now)?;
        (!last.refused && last.states_lifetime).then_some(left)
    }

    /// Why an `authorization` is not accepted.
    pub(crate) fn check(&self, authorization: Option<&str>, now: Duration) -> Result<(), Refused> {
        let authorization = authorization.ok_or(Refused::Missing)?;
        let mut given = self.given.values();
        let known = given.find(|given| given.authorization == authorization);
        match known {
            None => Err(Refused::Unknown),
            Some(given) if given.refused => Err(Refused::Revoked),
            Some(given) if given.ends < now => Err(Refused::Expired),
            Some(_) => Ok(()),
        }
    }

    /// The token of a call is no longer accepted.
    pub(crate) fn revoke(&mut self, authorization: &str) {
        for given in self.given.values_mut() {
            given.refused |= given.authorization == authorization;
        }
    }

    /// The tokens that were given last.
    pub(crate) fn recent(&self) -> impl Iterator<Item = &str> {
        self.recent.iter().map(String::as_str)
    }
}

/// Why a token is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// There is none.
    Missing,
    /// The endpoint did not give it in this form.
    Unknown,
    /// A fault or a test revoked it.
    Revoked,
    /// Its time is over.
    Expired,
}

impl Refused {
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Missing => "the call has no token",
            Self::Unknown => "the token was not given by the endpoint",
            Self::Revoked => "the token was revoked",
            Self::Expired => "the token has expired",
        }
    }

    /// Whether the client could know.
    pub(crate) const fn is_wrong(self) -> bool {
        matches!(self, Self::Missing | Self::Unknown)
    }
}

/// The type of a token, as a client writes it in `authorization`.
fn kind(token_type: &str) -> &str {
    let known = ["Bearer", "MAC", "Basic"];
    let same = |known: &&str| known.eq_ignore_ascii_case(token_type);
    match known.into_iter().find(same) {
        Some(known) => known,
        None if token_type.is_empty() => "Bearer",
        None => token_type,
    }
}
