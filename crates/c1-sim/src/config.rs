//! What a simulator is made with.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::calls::CallRecord;
use crate::{ClientKey, Clock, Error, PublicKey};

/// Difference of clocks that the token endpoint accepts.
pub const SKEW_TOLERANCE: Duration = Duration::from_mins(1);
/// Lifetime of an access token.
pub const TOKEN_LIFETIME: Duration = Duration::from_hours(1);
/// What a client waits before it asks for the next task.
pub const NEXT_POLL: Duration = Duration::from_secs(1);

/// A function that gets each call when it has ended.
pub type Observer = Arc<dyn Fn(&CallRecord) + Send + Sync>;

/// What a simulator is made with. Each field can be changed before [`Simulator::new`](crate::Simulator::new).
#[derive(Clone)]
pub struct Config {
    /// The client that is registered.
    pub client: ClientId,
    /// The keys that sign for it.
    pub keys: Vec<PublicKey>,
    /// Texts that no request may contain, each with what it is.
    pub forbidden: Vec<(String, Vec<u8>)>,
    /// Where dates come from.
    pub clock: Clock,
    /// Difference of clocks that the token endpoint accepts.
    pub skew_tolerance: Duration,
    /// Lifetime of an access token.
    pub token_lifetime: Duration,
    /// `next_poll` of answers that no task and no script decides.
    pub next_poll: Duration,
    /// `next_heartbeat` of answers that no task decides; `None` leaves it out.
    pub next_heartbeat: Option<Duration>,
    /// Whether a host that starts again gets its unfinished tasks again.
    pub requeue_on_hello: bool,
    /// Whether every call of gRPC must have a deadline.
    pub require_deadlines: bool,
    /// Whether the bytes of uploaded files are kept.
    pub keep_uploads: bool,
    /// Whether calls, Hellos, uploads and finished tasks are kept. Without them only numbers
    /// remain, and the same result again is one of a task that was not handed out.
    pub keep_records: bool,
    /// Gets each call when it has ended.
    pub observer: Option<Observer>,
}

impl Config {
    /// The settings of a client with this id and key. The clock shows `date` now.
    ///
    /// # Errors
    /// The client id has another form.
    pub fn new(client_id: &str, key: &ClientKey, date: Timestamp) -> Result<Self, Error> {
        let secret = (
            "the private key".to_owned(),
            key.encoded_seed().into_bytes(),
        );
        Ok(Self {
            client: client_id.parse()?,
            keys: vec![key.public()],
            forbidden: vec![secret],
            clock: Clock::starting_at(date),
            skew_tolerance: SKEW_TOLERANCE,
            token_lifetime: TOKEN_LIFETIME,
            next_poll: NEXT_POLL,
            next_heartbeat: None,
            requeue_on_hello: false,
            require_deadlines: false,
            keep_uploads: true,
            keep_records: true,
            observer: None,
        })
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("client", &self.client)
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}

/// `<name>@<host>/<rest>`. Clients accept empty parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientId {
    whole: String,
    name: String,
    host: String,
}

impl ClientId {
    /// The whole id.
    pub fn as_str(&self) -> &str {
        &self.whole
    }

    /// The name, which begins the user agent of calls.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The host without its port: the audience of assertions.
    pub fn audience(&self) -> &str {
        let port = self.host.rsplit_once(':');
        port.map_or(self.host.as_str(), |(host, _)| host)
    }
}

impl std::str::FromStr for ClientId {
    type Err = Error;

    fn from_str(id: &str) -> Result<Self, Error> {
        let invalid = || Error::ClientId { id: id.to_owned() };
        let (name, rest) = id.split_once('@').ok_or_else(invalid)?;
        let (host, _) = rest.split_once('/').ok_or_else(invalid)?;
        Ok(Self {
            whole: id.to_owned(),
            name: name.to_owned(),
            host: host.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_audience_is_the_host_without_its_port() {
        let id: ClientId = "name@localhost:8443/valet".parse().unwrap();
        assert_eq!((id.name(), id.audience()), ("name", "localhost"));
        let id: ClientId = "name@tenant.test/".parse().unwrap();
        assert_eq!(id.audience(), "tenant.test");
        for wrong in ["", "name", "name@host", "name/host@x"] {
            assert!(wrong.parse::<ClientId>().is_err(), "{wrong}");
        }
    }
}
