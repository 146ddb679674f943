//! Access tokens of the service for a client id and its secret (`service-mode.md`
//! §1.3, §1.4).

mod answer;
mod assertion;
mod error;
mod secret;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use baton_connector::Clock;
use baton_connector::http::{SecretRegistry, Transport};
use baton_crypto::{ClientId, ClientSecret};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, header};
use tokio::time::{Instant, timeout};
use url::form_urlencoded;

use crate::endpoint::Endpoint;
use answer::{NoToken, Token};

pub use error::{ClockSkew, CredentialError, TokenFault};
pub use secret::{ClientSecretSource, FixedSecret};

/// How long a token may take.
const LIMIT: Duration = Duration::from_secs(30);
/// A token is renewed so long before its end.
const MARGIN: Duration = Duration::from_secs(10);

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What [`Credentials`] are made of.
#[derive(Debug)]
pub struct CredentialParts {
    /// The client id.
    pub id: ClientId,
    /// Where tokens are given.
    pub endpoint: Endpoint,
    /// Where the client secret is read.
    pub secret: Arc<dyn ClientSecretSource>,
    /// The network.
    pub transport: Arc<dyn Transport>,
    /// The time of day, which assertions name.
    pub clock: Arc<dyn Clock>,
    /// Learns each token.
    pub registry: Arc<dyn SecretRegistry>,
    /// How requests name their sender.
    pub user_agent: HeaderValue,
}

/// The credentials of a client, and its current access token.
pub struct Credentials {
    parts: CredentialParts,
    secret: Mutex<Arc<ClientSecret>>,
    current: Mutex<Option<Current>>,
    /// Requests for tokens that ended.
    requests: AtomicU64,
    /// Held during a request for a token, on purpose: calls that wait for it share what
    /// comes of it, and here is why it failed.
    failed: tokio::sync::Mutex<Option<CredentialError>>,
}

/// A token that counts for some time.
struct Current {
    header: HeaderValue,
    /// `None` if its end is out of reach.
    stale_at: Option<Instant>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("id", &self.parts.id)
            .field("endpoint", &self.parts.endpoint)
            .finish_non_exhaustive()
    }
}

/// No code panics while it holds such a lock.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Credentials {
    /// Reads the client secret.
    ///
    /// # Errors
    /// [`CredentialError::Secret`].
    pub fn new(parts: CredentialParts) -> Result<Self, CredentialError> {
        let secret = secret::read(&*parts.secret)?;
        Ok(Self {
            parts,
            secret: Mutex::new(secret),
            current: Mutex::default(),
            requests: AtomicU64::new(0),
            failed: tokio::sync::Mutex::default(),
        })
    }

    /// The client secret as it was last read.
    pub fn secret(&self) -> Arc<ClientSecret> {
        Arc::clone(&lock(&self.secret))
    }

    /// The value of `authorization`: that of the current token, or of a new one.
    ///
    /// # Errors
    /// See [`CredentialError`]. Calls that waited for a request share its error.
    pub async fn authorization(&self) -> Result<HeaderValue, CredentialError> {
        if let Some(header) = self.fresh() {
            return Ok(header);
        }
        let before = self.requests.load(Ordering::Acquire);
        let mut failed = self.failed.lock().await;
        if let Some(header) = self.fresh() {
            return Ok(header);
        }
        if self.requests.load(Ordering::Acquire) != before
            && let Some(error) = &*failed
        {
            return Err(error.clone());
        }
        let made = self.token().await;
        self.requests.fetch_add(1, Ordering::AcqRel);
        match made {
            Ok(token) => {
                *failed = None;
                Ok(self.keep(token))
            }
            Err(error) => {
                *failed = Some(error.clone());
                Err(error)
            }
        }
    }

    /// Gives up the current token if it is the one that the service refused.
    pub fn renew(&self, refused: &HeaderValue) {
        let mut current = lock(&self.current);
        if current
            .as_ref()
            .is_some_and(|current| current.header == refused)
        {
            *current = None;
        }
    }

    /// Reads the client secret again. If it changed, the current token is given up.
    /// Returns whether it changed.
    ///
    /// # Errors
    /// [`CredentialError::Secret`]; the secret that was read before still counts.
    pub async fn reload(&self) -> Result<bool, CredentialError> {
        let changed = self.read_again().await?;
        if changed {
            *lock(&self.current) = None;
        }
        Ok(changed)
    }

    fn fresh(&self) -> Option<HeaderValue> {
        let current = lock(&self.current);
        let current = current.as_ref()?;
        let is_stale = current.stale_at.is_some_and(|at| at <= Instant::now());
        (!is_stale).then(|| current.header.clone())
    }

    fn keep(&self, token: Token) -> HeaderValue {
        self.parts.registry.register(&token.value);
        let lives = token.lifetime.saturating_sub(MARGIN);
        *lock(&self.current) = Some(Current {
            header: token.header.clone(),
            stale_at: Instant::now().checked_add(lives),
        });
        token.header
    }

    async fn read_again(&self) -> Result<bool, CredentialError> {
        let source = Arc::clone(&self.parts.secret);
        let read = tokio::task::spawn_blocking(move || secret::read(&*source)).await;
        let read = read.map_err(|error| CredentialError::Secret(Arc::new(error)))??;
        let mut known = lock(&self.secret);
        let changed = !secret::are_equal(&known, &read);
        *known = read;
        Ok(changed)
    }

    /// A new token. After a refusal the secret is read again, and a new one tried.
    async fn token(&self) -> Result<Token, CredentialError> {
        let refused = match self.request().await {
            Err(refused @ CredentialError::Refused { .. }) => refused,
            other => return other,
        };
        match self.read_again().await {
            Ok(true) => self.request().await,
            Ok(false) => Err(refused),
            Err(unreadable) => {
                tracing::warn!(
                    error = %baton_proto::causes::one_line(&unreadable),
                    "cannot read the client secret again",
                );
                Err(refused)
            }
        }
    }

    async fn request(&self) -> Result<Token, CredentialError> {
        let request = self.signed_request()?;
        let clock = &self.parts.clock;
        let exchange = async {
            let answer = self.parts.transport.send(request).await;
            let answer = answer.map_err(TokenFault::Transport)?;
            answer::read(answer, clock.now()).await
        };
        let answered = timeout(LIMIT, exchange).await;
        let answered = answered.unwrap_or_else(|_| Err(TokenFault::Late(LIMIT).into()));
        let endpoint = self.parts.endpoint.to_string();
        answered.map_err(|error| match error {
            NoToken::Refused {
                status,
                reason,
                skew,
            } => CredentialError::Refused {
                endpoint,
                status,
                reason,
                skew,
            },
            NoToken::Fault { fault, retry_after } => CredentialError::Unavailable {
                endpoint,
                retry_after,
                cause: Arc::new(fault),
            },
        })
    }

    fn signed_request(&self) -> Result<Request<Bytes>, CredentialError> {
        let failed = |reason| CredentialError::Assertion { reason };
        let mut nonce = [0; assertion::NONCE_BYTES];
        getrandom::fill(&mut nonce)
            .map_err(|_| failed("the operating system gives no random numbers"))?;
        let id = &self.parts.id;
        let assertion = assertion::signed(id, &self.secret(), self.parts.clock.now(), nonce)
            .ok_or_else(|| failed("the key or the time of day cannot be used"))?;
        // In the order of the alphabet, as Go sends them.
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("client_assertion", &assertion)
            .append_pair("client_assertion_type", ASSERTION_TYPE)
            .append_pair("client_id", id.as_str())
            .append_pair("grant_type", "client_credentials")
            .finish();
        let mut request = Request::new(Bytes::from(form));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.parts.endpoint.token_uri();
        let headers = request.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        );
        headers.insert(header::USER_AGENT, self.parts.user_agent.clone());
        Ok(request)
    }
}
