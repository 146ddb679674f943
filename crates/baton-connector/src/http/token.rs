//! Tokens that end: asked for when they are needed, renewed when they are old
//! or refused.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use baton_proto::Code;
use http::header::AUTHORIZATION;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::client::CallClient;
use super::credential::AuthHeader;
use crate::Secret;
use crate::error::{Error, Result};

/// A token is renewed when so much of its lifetime is left, or a tenth of it
/// where that is less: requests under way must not be refused.
const MARGIN: Duration = Duration::from_secs(30);

/// Gives tokens, such as [`super::ClientCredentials`].
#[async_trait]
pub trait TokenSource: Send + Sync + fmt::Debug {
    /// Where tokens come from, for errors: no secret.
    fn endpoint(&self) -> String;

    /// Asks for a token. Requests of `client` are retried and limited as all
    /// others; they must not carry the credential that this source is for.
    async fn token(&self, client: &CallClient) -> Result<Token>;
}

/// A token and how long it may be used.
#[derive(Debug, Clone)]
pub struct Token {
    /// The token.
    pub value: Secret,
    /// Time from now on; `None` if it is not known.
    pub lifetime: Option<Duration>,
}

/// Keeps learned secrets out of everything that people read.
pub trait SecretRegistry: Send + Sync + fmt::Debug {
    /// From now on, `secret` is hidden.
    fn register(&self, secret: &Secret);
}

/// Learns nothing: for programs that show nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoSecretRegistry;

impl SecretRegistry for NoSecretRegistry {
    fn register(&self, _secret: &Secret) {}
}

/// The token of a source.
pub(super) struct SharedToken {
    name: String,
    source: Box<dyn TokenSource>,
    /// Tokens asked for, whatever came of it.
    asked: AtomicU64,
    /// SharedToken while a token is asked for, on purpose: others that need one wait
    /// for this one. A dropped request gives it back, and the next one asks.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    current: Option<Current>,
    /// Why the last one did not come, for those that waited for it.
    failed: Option<Arc<Error>>,
}

struct Current {
    auth_header: AuthHeader,
    /// Counts the tokens.
    number: u64,
    stale_at: Option<Instant>,
}

/// What a request is sent with, and which token that is.
pub(super) struct NumberedHeader {
    pub auth_header: AuthHeader,
    pub number: u64,
}

impl SharedToken {
    pub(super) fn new(name: &str, source: Box<dyn TokenSource>) -> Self {
        Self {
            name: name.to_owned(),
            source,
            asked: AtomicU64::new(0),
            state: Mutex::default(),
        }
    }

    /// The token, asked for now if there is none, if it is old, or if it is the
    /// one that was refused.
    pub(super) async fn auth_header(
        &self,
        client: &CallClient,
        refused: Option<u64>,
    ) -> Result<NumberedHeader> {
        let before = self.asked.load(Ordering::Relaxed);
        let mut state = client.unless_stopped(self.state.lock()).await?;
        if let Some(current) = &state.current {
            let is_stale = current.stale_at.is_some_and(|at| at <= Instant::now());
            if !is_stale && refused != Some(current.number) {
                return Ok(current.numbered());
            }
        }
        // It failed while this one waited for it.
        if before != self.asked.load(Ordering::Relaxed)
            && let Some(failed) = &state.failed
        {
            return Err(self.error(Arc::clone(failed)));
        }
        let asked = self.source.token(client).await;
        let made = asked.and_then(|token| {
            client.register(&token.value);
            let value = format!("Bearer {}", token.value.expose());
            Ok((
                AuthHeader::new(&self.name, AUTHORIZATION, &value)?,
                token.lifetime,
            ))
        });
        let number = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
        match made {
            Ok((auth_header, lifetime)) => {
                let stale_at = lifetime.and_then(|all| {
                    Instant::now().checked_add(all.saturating_sub(MARGIN.min(all / 10)))
                });
                let current = state.current.insert(Current {
                    auth_header,
                    number,
                    stale_at,
                });
                let numbered = current.numbered();
                state.failed = None;
                Ok(numbered)
            }
            Err(error) => {
                let error = Arc::new(error);
                state.current = None;
                // A call that was stopped does not concern the others.
                state.failed = (error.code() != Code::Canceled).then(|| Arc::clone(&error));
                Err(self.error(error))
            }
        }
    }

    fn error(&self, source: Arc<Error>) -> Error {
        Error::Token {
            credential: self.name.clone(),
            endpoint: self.source.endpoint(),
            source,
        }
    }
}

impl Current {
    fn numbered(&self) -> NumberedHeader {
        NumberedHeader {
            auth_header: self.auth_header.clone(),
            number: self.number,
        }
    }
}
