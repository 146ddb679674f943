//! Connections over real sockets, on the loopback only.

use std::net::SocketAddr;

use base64::Engine as _;
use baton_connector::Secret;
use baton_connector::http::Proxies;
use baton_crypto::ClientId;
use baton_grpc::methods::connectorapi_v1::baton_service::HELLO;
use baton_grpc::{CallErrorKind, Caller, CallerSettings, Router, Server};
use baton_proto::c1::connectorapi::baton::v1::BatonServiceHelloRequest;
use baton_proto::{Advice, Advise as _, Code};
use http::{HeaderMap, HeaderValue};
use rcgen::{CertificateParams, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;

/// A name that no resolver knows.
const NAME: &str = "tenant.c1.invalid";

/// A TLS server that is a gRPC server without methods.
struct Service {
    address: SocketAddr,
    /// Its certificate, in PEM form.
    certificate: Vec<u8>,
}

/// How a server speaks TLS, and its certificate in PEM form.
fn server_tls(alpn: &[&str]) -> (TlsAcceptor, Vec<u8>) {
    let names = [NAME, "localhost", "127.0.0.1"].map(str::to_owned);
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(names).unwrap().self_signed(&key);
    let certificate = certificate.unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let private = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)
        .unwrap();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    (TlsAcceptor::from(Arc::new(config)), pem(certificate.der()))
}

async fn service(alpn: &[&str]) -> Service {
    let (tls, certificate) = server_tls(alpn);
    let server = Server::new(Router::new());
    let address = listen(move |stream| {
        let (tls, server) = (tls.clone(), server.clone());
        async move {
            if let Ok(stream) = tls.accept(stream).await {
                server.serve(stream).await;
            }
        }
    });
    Service {
        address: address.await,
        certificate,
    }
}

fn pem(certificate: &[u8]) -> Vec<u8> {
    let base64 = base64::engine::general_purpose::STANDARD.encode(certificate);
    format!("-----BEGIN CERTIFICATE-----\n{base64}\n-----END CERTIFICATE-----\n").into_bytes()
}

async fn listen<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    address
}

/// What a proxy does with a request for a tunnel.
#[derive(Clone, Copy)]
enum Does {
    /// Connects to this address, whatever the name.
    Connects(SocketAddr),
    Answers(&'static str),
    Hangs,
}

struct ProxyServer {
    address: SocketAddr,
    /// The heads of the requests.
    seen: Arc<Mutex<Vec<String>>>,
}

impl ProxyServer {
    async fn start(does: Does) -> Self {
        Self::start_with(does, None).await
    }

    async fn start_with(does: Does, tls: Option<TlsAcceptor>) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let address = listen(move |stream| {
            let (log, tls) = (Arc::clone(&log), tls.clone());
            async move {
                let mut stream: Box<dyn Stream> = match tls {
                    Some(tls) => Box::new(tls.accept(stream).await.unwrap()),
                    None => Box::new(stream),
                };
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap());
                }
                log.lock().unwrap().push(String::from_utf8(head).unwrap());
                match does {
                    Does::Connects(address) => {
                        let mut to = TcpStream::connect(address).await.unwrap();
                        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
                        let _ = copy_bidirectional(&mut stream, &mut to).await;
                    }
                    Does::Answers(text) => stream.write_all(text.as_bytes()).await.unwrap(),
                    Does::Hangs => std::future::pending().await,
                }
            }
        });
        Self {
            address: address.await,
            seen,
        }
    }

    fn settings(&self, user: &str, certificate: &[u8]) -> TransportSettings {
        settings(
            Proxies::All {
                url: Secret::new(format!("http://{user}{}", self.address)),
                except: String::new(),
            },
            certificate,
        )
    }
}

fn settings(proxies: Proxies, certificate: &[u8]) -> TransportSettings {
    TransportSettings {
        proxies,
        extra_roots_pem: Some(certificate.to_vec()),
        ..TransportSettings::default()
    }
}

fn endpoint(host: &str) -> Endpoint {
    let id = ClientId::parse(&format!("kim@{host}/valet")).unwrap();
    Endpoint::new(&id, None).unwrap()
}

async fn error(host: &str, settings: &TransportSettings) -> ConnectError {
    let mut dialer = Dialer::new(&endpoint(host), settings).unwrap();
    dialer.limit = Duration::from_secs(3);
    dialer.dial().await.map(drop).unwrap_err()
}

/// A call that reaches the server, which does not know its method.
async fn reaches(host: &str, settings: &TransportSettings) {
    let endpoint = endpoint(host);
    let channel = service_channel(&endpoint, settings).unwrap();
    let agent = HeaderValue::from_static("tests");
    let settings = CallerSettings::new("the service", endpoint.authority().clone(), agent);
    let caller = Caller::new(channel, settings);
    let request = BatonServiceHelloRequest::default();
    let limit = Duration::from_secs(20);
    let answer = caller
        .unary(HELLO, &request, &HeaderMap::new(), limit)
        .await;
    let error = answer.unwrap_err();
    assert_eq!(error.kind, CallErrorKind::Answered, "{error}");
    assert_eq!(error.code(), Code::Unimplemented);
}

#[tokio::test]
async fn a_direct_connection_speaks_grpc_and_this_machine_needs_no_proxy() {
    let service = service(&["h2"]).await;
    let target = format!("localhost:{}", service.address.port());
    reaches(&target, &settings(Proxies::None, &service.certificate)).await;
    let proxy = ProxyServer::start(Does::Hangs).await;
    reaches(&target, &proxy.settings("", &service.certificate)).await;
    assert!(proxy.seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_proxy_gets_the_name_of_the_service_and_its_credentials() {
    let service = service(&["http/1.1", "h2"]).await;
    let proxy = ProxyServer::start(Does::Connects(service.address)).await;
    reaches(NAME, &proxy.settings("kim:p%40ss@", &service.certificate)).await;
    reaches(
        &format!("{NAME}:8443"),
        &proxy.settings("", &service.certificate),
    )
    .await;
    let seen = proxy.seen.lock().unwrap();
    let [first, second] = seen.as_slice() else {
        panic!("{seen:?}")
    };
    let lines = |head: &str| head.to_ascii_lowercase();
    assert!(first.starts_with(&format!("CONNECT {NAME}:443 HTTP/1.1\r\n")));
    assert!(lines(first).contains(&format!("\r\nhost: {NAME}:443\r\n")));
    assert!(first.contains("Basic a2ltOnBAc3M="));
    assert!(second.starts_with(&format!("CONNECT {NAME}:8443 HTTP/1.1\r\n")));
    assert!(!lines(second).contains("authorization"));
}

#[tokio::test]
async fn a_proxy_can_speak_tls_itself() {
    let service = service(&["h2"]).await;
    let (tls, mut certificate) = server_tls(&[]);
    let proxy = ProxyServer::start_with(Does::Connects(service.address), Some(tls)).await;
    let through = |roots: &[u8]| {
        let url = Secret::new(format!("https://{}", proxy.address));
        let except = String::new();
        settings(Proxies::All { url, except }, roots)
    };
    // The proxy must be trusted as well.
    let untrusted = error(NAME, &through(&service.certificate)).await;
    let step = format!("the TLS handshake with {} failed: ", proxy.address);
    assert!(untrusted.to_string().starts_with(&step), "{untrusted}");
    certificate.extend_from_slice(&service.certificate);
    reaches(NAME, &through(&certificate)).await;
    assert_eq!(proxy.seen.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_proxy_that_refuses_is_named_with_its_status() {
    let cases = [
        ("HTTP/1.1 407 No\r\n\r\n", 407, Advice::GiveProxyCredentials),
        ("HTTP/1.1 502 No\r\n\r\n", 502, Advice::CheckNetwork),
    ];
    for (answer, status, advice) in cases {
        let proxy = ProxyServer::start(Does::Answers(answer)).await;
        let settings = TransportSettings {
            extra_roots_pem: None,
            ..proxy.settings("kim:s3cr3t@", b"")
        };
        let error = error(NAME, &settings).await;
        let expected = format!(
            "the proxy {} answered status {status} to a request for a tunnel to {NAME}:443",
            proxy.address
        );
        assert_eq!(error.to_string(), expected);
        assert_eq!(
            (error.code(), error.advice()),
            (Code::Unavailable, vec![advice])
        );
        assert!(!format!("{error:?}").contains("s3cr3t"));
    }
}

#[tokio::test]
async fn a_proxy_that_hangs_or_speaks_nonsense_is_named() {
    let direct = |proxy: &ProxyServer| TransportSettings {
        extra_roots_pem: None,
        ..proxy.settings("", b"")
    };
    let proxy = ProxyServer::start(Does::Hangs).await;
    let late = error(NAME, &direct(&proxy)).await;
    let step = format!("the tunnel through the proxy {}", proxy.address);
    assert_eq!(late.to_string(), format!("{step} did not end within 3 s"));
    let proxy = ProxyServer::start(Does::Answers("nonsense\r\n\r\n")).await;
    let failed = error(NAME, &direct(&proxy)).await;
    let step = format!("the tunnel through the proxy {} failed: ", proxy.address);
    assert!(failed.to_string().starts_with(&step), "{failed}");
    let proxy = ProxyServer::start(Does::Answers("")).await;
    let failed = error(NAME, &direct(&proxy)).await;
    assert!(failed.to_string().contains("connection lost"), "{failed}");
}

#[tokio::test]
async fn a_proxy_of_another_protocol_is_refused() {
    let url = Secret::new("socks5://kim:s3cr3t@127.0.0.1:1080");
    let except = String::new();
    let settings = TransportSettings {
        proxies: Proxies::All { url, except },
        ..TransportSettings::default()
    };
    let error = error(NAME, &settings).await;
    let text = "the proxy 127.0.0.1:1080 has the scheme `socks5`; expected `http` or `https`";
    assert_eq!(error.to_string(), text);
    assert_eq!(error.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn failures_say_which_step_failed_and_why() {
    let plain = settings_without_roots();
    let unknown = error(NAME, &plain).await;
    let text = unknown.to_string();
    assert!(
        text.starts_with(&format!("the look-up of {NAME} failed: ")),
        "{text}"
    );
    let refusing = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let free = refusing.local_addr().unwrap();
    drop(refusing);
    let refused = error(&free.to_string(), &plain).await;
    let text = refused.to_string();
    let start = format!("the connection to {free} failed: connection refused");
    assert!(text.starts_with(&start), "{text}");
    assert_eq!(refused.advice(), [Advice::CheckNetwork]);
    let service = service(&["h2"]).await;
    let untrusted = error(&service.address.to_string(), &plain).await;
    let text = untrusted.to_string();
    let start = format!(
        "the TLS handshake with {} failed: TLS failed: ",
        service.address
    );
    assert!(text.starts_with(&start), "{text}");
    assert_eq!(untrusted.advice(), [Advice::TrustCertificate]);
    let silent = listen(|stream| async move {
        let _held = stream;
        std::future::pending::<()>().await;
    });
    let late = error(&silent.await.to_string(), &plain).await;
    assert!(
        matches!(
            &late,
            ConnectError::Late {
                step: Step::Tls(_),
                ..
            }
        ),
        "{late}"
    );
}

fn settings_without_roots() -> TransportSettings {
    TransportSettings {
        proxies: Proxies::None,
        ..TransportSettings::default()
    }
}

#[tokio::test]
async fn a_server_without_http2_is_named() {
    for alpn in [&["http/1.1"][..], &[]] {
        let service = service(alpn).await;
        let target = format!("localhost:{}", service.address.port());
        let error = error(&target, &settings(Proxies::None, &service.certificate)).await;
        // A server without a common protocol ends the handshake.
        match &error {
            ConnectError::NoHttp2 { target: named } => assert_eq!(*named, target),
            ConnectError::Failed { step, .. } => assert_eq!(*step, Step::Tls(target)),
            other => panic!("{other}"),
        }
        assert_eq!(error.code(), Code::Unavailable);
    }
}

#[tokio::test]
async fn the_channel_gives_the_reason_of_a_failed_dial() {
    let refusing = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let free = refusing.local_addr().unwrap();
    drop(refusing);
    let endpoint = endpoint(&free.to_string());
    let channel = service_channel(&endpoint, &settings_without_roots()).unwrap();
    let agent = HeaderValue::from_static("tests");
    let settings = CallerSettings::new("the service", endpoint.authority().clone(), agent);
    let request = BatonServiceHelloRequest::default();
    let limit = Duration::from_secs(20);
    let caller = Caller::new(channel, settings);
    let answer = caller
        .unary(HELLO, &request, &HeaderMap::new(), limit)
        .await;
    let error = answer.unwrap_err();
    assert_eq!(error.kind, CallErrorKind::NotSent);
    let start = format!("the service cannot be reached: the connection to {free} failed: ");
    assert!(error.to_string().starts_with(&start), "{error}");
}

#[tokio::test]
async fn an_idle_connection_is_probed() {
    let address = listen(|stream| async move {
        let _held = stream;
        std::future::pending::<()>().await;
    });
    let address = address.await;
    let progress = Progress(Mutex::new(Step::Connect(String::new())));
    let stream = connect("127.0.0.1", address.port(), &progress)
        .await
        .unwrap();
    assert!(SockRef::from(&stream).keepalive().unwrap());
    assert!(stream.nodelay().unwrap());
}
