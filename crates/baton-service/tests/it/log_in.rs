//! Tokens and calls over real sockets and TLS, with the simulator of the service at the
//! other end.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use baton_connector::http::{
    NoSecretRegistry, Proxies, ReqwestTransport, Transport, TransportSettings,
};
use baton_connector::{Clock, SystemClock};
use baton_crypto::{ClientId, ClientSecret};
use baton_grpc::methods::connectorapi_v1::baton_service::HELLO;
use baton_grpc::{CallError, CallErrorKind, Caller, CallerSettings};
use baton_proto::c1::connector::v2::ConnectorMetadata;
use baton_proto::c1::connectorapi::baton::v1::BatonServiceHelloRequest as Hello;
use baton_proto::causes::one_line;
use baton_proto::{Advice, Advise as _, Code};
use baton_service::{
    ClientSecretSource, CredentialError, CredentialParts, Credentials, Endpoint, HostFacts,
    build_info, host_id, os_info, service_channel,
};
use c1_sim::{Action, Call, ClientKey, Config, Fault, Listener, ServerHandle, Simulator};
use http::{HeaderMap, HeaderValue, header};

/// A clock that is off by some seconds.
#[derive(Debug)]
struct Off(i64);

impl Clock for Off {
    fn now(&self) -> SystemTime {
        let by = Duration::from_secs(self.0.unsigned_abs());
        match self.0 {
            0.. => SystemClock.now() + by,
            _ => SystemClock.now() - by,
        }
    }
}

/// A client secret that a test replaces.
#[derive(Debug)]
struct Place(Mutex<String>);

impl ClientSecretSource for Place {
    fn read(&self) -> Result<ClientSecret, Box<dyn std::error::Error + Send + Sync>> {
        Ok(ClientSecret::parse(&self.0.lock().unwrap())?)
    }
}

struct Client {
    simulator: Simulator,
    place: Arc<Place>,
    credentials: Credentials,
    caller: Caller,
    /// The server ends with it.
    _server: ServerHandle,
}

fn key(seed: u8) -> ClientKey {
    ClientKey::from_seed([seed; 32]).unwrap()
}

impl Client {
    /// A client whose clock is off by so many seconds from that of the service.
    async fn start(off: i64) -> Self {
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), &[])
            .await
            .unwrap();
        let id = format!("sim@localhost:{}/valet", listener.address().port());
        let now = SystemClock.now().try_into().unwrap();
        let simulator = Simulator::new(Config::new(&id, &key(7), now).unwrap());
        let settings = TransportSettings {
            proxies: Proxies::None,
            extra_roots_pem: Some(listener.authority().as_bytes().to_vec()),
            ..TransportSettings::default()
        };
        let server = simulator.serve(listener);
        let id = ClientId::parse(&id).unwrap();
        let endpoint = Endpoint::new(&id, None).unwrap();
        let place = Arc::new(Place(Mutex::new(key(7).client_secret())));
        let channel = service_channel(&endpoint, &settings).unwrap();
        let agent = HeaderValue::from_static("sim baton-rust/v0.1.0");
        let authority = endpoint.authority().clone();
        let transport = ReqwestTransport::new(&settings).unwrap();
        let parts = CredentialParts {
            id,
            endpoint,
            secret: Arc::clone(&place) as Arc<dyn ClientSecretSource>,
            transport: Arc::new(transport) as Arc<dyn Transport>,
            clock: Arc::new(Off(off)),
            registry: Arc::new(NoSecretRegistry),
            user_agent: HeaderValue::from_static("baton-c1-credential-provider baton-rust/v0.1.0"),
        };
        Self {
            simulator,
            place,
            credentials: Credentials::new(parts).unwrap(),
            caller: Caller::new(
                channel,
                CallerSettings::new("ConductorOne", authority, agent),
            ),
            _server: server,
        }
    }

    /// Sends Hello with this token.
    async fn hello(&self, token: &HeaderValue) -> Result<(), CallError> {
        let facts = HostFacts::read(std::path::Path::new("/"));
        let request = Hello {
            host_id: host_id(Some("test-host"), &facts),
            build_info: Some(build_info("baton-service", "0.1.0")),
            os_info: Some(os_info(&facts)),
            connector_metadata: Some(ConnectorMetadata {
                display_name: "Test".to_owned(),
                ..ConnectorMetadata::default()
            }),
            ..Hello::default()
        };
        let headers = HeaderMap::from_iter([(header::AUTHORIZATION, token.clone())]);
        let limit = Duration::from_secs(5);
        let answer = self.caller.unary(HELLO, &request, &headers, limit).await;
        answer.map(drop)
    }

    fn assert_no_complaints(&self) {
        let complaints = self.simulator.verdict();
        assert!(complaints.is_empty(), "{complaints:?}");
    }
}

#[tokio::test]
async fn a_token_opens_the_service_and_the_simulator_has_no_complaint() {
    let client = Client::start(0).await;
    let token = client.credentials.authorization().await.unwrap();
    assert!(token.is_sensitive());
    client.hello(&token).await.unwrap();
    assert_eq!(client.credentials.authorization().await.unwrap(), token);
    assert_eq!(client.simulator.count(Call::Token), 1);
    let hellos = client.simulator.hellos();
    assert_eq!(hellos[0].request.host_id, "test-host");
    client.assert_no_complaints();
}

#[tokio::test]
async fn a_token_that_the_service_gives_up_is_renewed() {
    let client = Client::start(0).await;
    let expire = Fault::nth(Call::Hello, 1, Action::ExpireToken);
    client.simulator.fault(expire).unwrap();
    let token = client.credentials.authorization().await.unwrap();
    let error = client.hello(&token).await.unwrap_err();
    assert_eq!(error.kind, CallErrorKind::Answered);
    assert_eq!(error.code(), Code::Unauthenticated);
    client.credentials.renew(&token);
    let renewed = client.credentials.authorization().await.unwrap();
    assert_ne!(renewed, token);
    client.hello(&renewed).await.unwrap();
    client.assert_no_complaints();
}

#[tokio::test]
async fn another_key_is_refused_until_the_secret_is_replaced() {
    let client = Client::start(0).await;
    client.simulator.set_keys(vec![key(8).public()]);
    let refused = client.credentials.authorization().await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    assert!(matches!(
        refused,
        CredentialError::Refused { skew: None, .. }
    ));
    *client.place.0.lock().unwrap() = key(8).client_secret();
    let token = client.credentials.authorization().await.unwrap();
    client.hello(&token).await.unwrap();
}

#[tokio::test]
async fn a_clock_that_is_off_is_named_with_its_direction() {
    for (off, direction) in [(-300, "behind"), (300, "ahead of")] {
        let client = Client::start(off).await;
        let refused = client.credentials.authorization().await.unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated);
        assert_eq!(refused.advice()[0], Advice::SetClock);
        let text = one_line(&refused);
        let end = format!("{direction} that of the server");
        assert!(
            text.contains("; the clock of this machine is ") && text.ends_with(&end),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_service_in_trouble_can_pass() {
    let client = Client::start(0).await;
    let busy = Action::Http {
        status: 429,
        retry_after: Some(7),
    };
    client
        .simulator
        .fault(Fault::nth(Call::Token, 1, busy))
        .unwrap();
    client
        .simulator
        .fault(Fault::nth(Call::Token, 2, Action::Drop))
        .unwrap();
    client
        .simulator
        .fault(Fault::nth(Call::Token, 3, Action::Html))
        .unwrap();
    let first = client.credentials.authorization().await.unwrap_err();
    assert_eq!(first.retry_after(), Some(Duration::from_secs(7)));
    for _ in 2..=3 {
        let error = client.credentials.authorization().await.unwrap_err();
        assert_eq!((error.code(), error.may_pass()), (Code::Unavailable, true));
    }
    let token = client.credentials.authorization().await.unwrap();
    client.hello(&token).await.unwrap();
}

#[tokio::test]
async fn a_connection_that_ends_is_made_again_and_its_calls_know_how_far_they_came() {
    use CallErrorKind::{Answered, Broken, NotSent, TimedOut};

    /// Of HTTP/2.
    const REFUSED_STREAM: u32 = 7;
    let client = Client::start(0).await;
    let token = client.credentials.authorization().await.unwrap();
    let page = Action::Http {
        status: 404,
        retry_after: None,
    };
    // The simulator resets a call before it breaks the connection; either can be seen.
    let lost = [Code::Internal, Code::Unavailable];
    let cases = [
        (Action::GoAway, None),
        (Action::Drop, Some((Broken, lost))),
        (Action::LoseAnswer, Some((Broken, lost))),
        (Action::Hang, Some((TimedOut, [Code::DeadlineExceeded; 2]))),
        (page, Some((Answered, [Code::Unimplemented; 2]))),
        (
            Action::Huge(5 << 20),
            Some((Broken, [Code::ResourceExhausted; 2])),
        ),
    ];
    for (action, expected) in cases {
        let name = action.name();
        let next = client.simulator.count(Call::Hello) + 1;
        let fault = Fault::nth(Call::Hello, next, action);
        client.simulator.fault(fault).unwrap();
        let found = client.hello(&token).await;
        let is_expected = match (&found, expected) {
            (Ok(()), None) => true,
            (Err(error), Some((kind, codes))) => {
                error.kind == kind && codes.contains(&error.code())
            }
            _ => false,
        };
        assert!(is_expected, "{name}: {found:?}");
        // What a library writes for developers is not for users.
        assert!(!format!("{found:?}").contains("docs.rs"), "{found:?}");
        client.hello(&token).await.unwrap();
    }
    let refuse = || Action::ResetStream(REFUSED_STREAM);
    let next = client.simulator.count(Call::Hello) + 1;
    for nth in [next, next + 2, next + 3] {
        let fault = Fault::nth(Call::Hello, nth, refuse());
        client.simulator.fault(fault).unwrap();
    }
    // Refused once, which is repeated; then refused twice.
    client.hello(&token).await.unwrap();
    let error = client.hello(&token).await.unwrap_err();
    assert_eq!((error.kind, error.code()), (NotSent, Code::Unavailable));
    assert_eq!(client.simulator.count(Call::Token), 1);
}
