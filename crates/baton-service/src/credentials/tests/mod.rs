//! Requests for tokens against a scripted network.

use std::collections::VecDeque;
use std::time::SystemTime;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use baton_connector::Secret;
use baton_connector::http::{BodyStream, TransportError, TransportErrorKind, whole_body};
use baton_proto::causes::one_line;
use baton_proto::{Advice, Advise as _, Code};
use data_encoding::HEXLOWER;
use http::Response;
use serde_json::{Value, json};

use super::*;

mod answers;
mod requests;

const RECORDED: &str = include_str!("../../../tests/fixtures/token_requests.json");

fn recorded() -> Value {
    serde_json::from_str(RECORDED).unwrap()
}

fn recorded_secret() -> String {
    recorded()["client_secret"].as_str().unwrap().to_owned()
}

/// The recorded secret under a name.
fn named_secret(kid: &str) -> String {
    let text = recorded_secret();
    let (start, payload) = text.rsplit_once(':').unwrap();
    let mut jwk: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
    jwk["kid"] = json!(kid);
    format!("{start}:{}", URL_SAFE_NO_PAD.encode(jwk.to_string()))
}

/// What the network does with a request.
#[derive(Debug)]
enum Reply {
    Answer(u16, &'static str, Vec<(&'static str, &'static str)>),
    Fails(TransportErrorKind),
    /// Answers after so many seconds.
    Late(u64, &'static str),
}

fn token(body: &'static str) -> Reply {
    Reply::Answer(200, body, Vec::new())
}

#[derive(Debug, Default)]
struct Network {
    replies: Mutex<VecDeque<Reply>>,
    seen: Mutex<Vec<Request<Bytes>>>,
}

#[async_trait]
impl Transport for Network {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<BodyStream>, TransportError> {
        lock(&self.seen).push(request);
        let reply = lock(&self.replies).pop_front().expect("a scripted reply");
        let (status, body, headers) = match reply {
            Reply::Answer(status, body, headers) => (status, body, headers),
            Reply::Fails(kind) => return Err(TransportError::new(kind, "")),
            Reply::Late(seconds, body) => {
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                (200, body, Vec::new())
            }
        };
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(name, value);
        }
        Ok(response.body(whole_body(body)).unwrap())
    }
}

/// The time of the first recorded request.
const NOW: u64 = 1_796_057_811;

#[derive(Debug)]
struct FixedClock(u64);

impl Clock for FixedClock {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.0)
    }
}

#[derive(Debug, Default)]
struct Learned(Mutex<Vec<String>>);

impl SecretRegistry for Learned {
    fn register(&self, secret: &Secret) {
        lock(&self.0).push(secret.expose().to_owned());
    }
}

/// A secret in a place where it can be replaced.
#[derive(Debug)]
struct Place(Mutex<String>);

impl ClientSecretSource for Place {
    fn read(&self) -> Result<ClientSecret, Box<dyn std::error::Error + Send + Sync>> {
        Ok(ClientSecret::parse(&lock(&self.0))?)
    }
}

struct Kit {
    credentials: Arc<Credentials>,
    network: Arc<Network>,
    learned: Arc<Learned>,
    place: Arc<Place>,
}

fn kit(replies: impl IntoIterator<Item = Reply>) -> Kit {
    kit_of("golden-client@localhost:46293/valet", None, replies)
}

fn kit_of(id: &str, host: Option<&str>, replies: impl IntoIterator<Item = Reply>) -> Kit {
    let id = ClientId::parse(id).unwrap();
    let network = Arc::new(Network {
        replies: Mutex::new(replies.into_iter().collect()),
        ..Network::default()
    });
    let learned = Arc::new(Learned::default());
    let place = Arc::new(Place(Mutex::new(recorded_secret())));
    let parts = CredentialParts {
        endpoint: Endpoint::new(&id, host).unwrap(),
        id,
        secret: Arc::clone(&place) as Arc<dyn ClientSecretSource>,
        transport: Arc::clone(&network) as Arc<dyn Transport>,
        clock: Arc::new(FixedClock(NOW)),
        registry: Arc::clone(&learned) as Arc<dyn SecretRegistry>,
        user_agent: HeaderValue::from_static("baton-c1-credential-provider baton-rust/v1"),
    };
    Kit {
        credentials: Arc::new(Credentials::new(parts).unwrap()),
        network,
        learned,
        place,
    }
}

impl Kit {
    async fn header(&self) -> String {
        let header = self.credentials.authorization().await.unwrap();
        assert!(header.is_sensitive());
        header.to_str().unwrap().to_owned()
    }

    async fn error(&self) -> CredentialError {
        self.credentials.authorization().await.unwrap_err()
    }

    fn requests(&self) -> usize {
        lock(&self.network.seen).len()
    }

    /// Header and claims of the assertion in a request.
    fn assertion(&self, request: usize) -> (Value, Value) {
        let seen = lock(&self.network.seen);
        let form: Vec<_> = form_urlencoded::parse(seen[request].body()).collect();
        let parts: Vec<_> = form[0].1.split('.').collect();
        let decoded = |part: &str| {
            let json = URL_SAFE_NO_PAD.decode(part).unwrap();
            serde_json::from_slice(&json).unwrap()
        };
        (decoded(parts[0]), decoded(parts[1]))
    }
}
