//! The real transport against real sockets, on the loopback only.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use baton_connector::http::{
    CallClient, HttpClient, HttpParts, HttpSettings, Proxies, Request, ReqwestTransport,
    TransportErrorKind, TransportSettings, TrustedFiles,
};
use baton_connector::{Call, Error, RequestErrorKind, Secret};
use baton_proto::{Advice, Advise, Code};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use crate::script::{failed, kind};

/// Serves every connection with `serve`; returns the address.
async fn server<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(serve(socket));
        }
    });
    address
}

/// Reads a request's head and writes a reply.
async fn reply<S: AsyncRead + AsyncWrite + Unpin>(mut socket: S, text: &str) -> S {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match socket.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    socket.write_all(text.as_bytes()).await.unwrap();
    socket
}

fn direct() -> TransportSettings {
    TransportSettings {
        proxies: Proxies::None,
        ..TransportSettings::default()
    }
}

fn on_call(parts: HttpParts, settings: HttpSettings) -> CallClient {
    let client = HttpClient::new(parts, settings).unwrap();
    client.on(&Call::alone())
}

fn client_with(settings: &TransportSettings) -> CallClient {
    let transport = ReqwestTransport::new(settings).unwrap();
    let mut settings = HttpSettings {
        total_timeout: Duration::from_secs(20),
        idle_timeout: Duration::from_secs(10),
        ..HttpSettings::default()
    };
    settings.retry.base_delay = Duration::from_millis(1);
    on_call(HttpParts::new(Arc::new(transport), 7), settings)
}

fn request(url: &str) -> Request {
    Request::get(&Url::parse(url).unwrap(), "/x", &[]).unwrap()
}

async fn error_of(url: &str) -> Error {
    failed(client_with(&direct()).send(&request(url)).await)
}

fn transport_kind(error: &Error) -> TransportErrorKind {
    match kind(error) {
        RequestErrorKind::Transport { kind, .. } => *kind,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_answer_comes_through_whole() {
    let address = server(|socket| async move {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
        let body = "content-length: 9\r\nx-request-id: r1\r\n\r\n{\"a\": 17}";
        reply(socket, &format!("{head}{body}")).await;
    })
    .await;
    let client = client_with(&direct());
    let answer = client
        .send(&request(&format!("http://{address}")))
        .await
        .unwrap();
    assert_eq!(answer.header("x-request-id"), Some("r1"));
    assert_eq!(answer.json::<serde_json::Value>().unwrap()["a"], 17);
}

#[tokio::test]
async fn a_refused_connection_is_told_from_others() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = error_of(&format!("http://{address}")).await;
    assert_eq!(transport_kind(&error), TransportErrorKind::Refused);
    assert_eq!(error.code(), Code::Unavailable);
}

#[tokio::test]
async fn a_connection_closed_before_the_answer_is_a_lost_one() {
    let address = server(|socket| async move {
        drop(reply(socket, "").await);
    })
    .await;
    let error = error_of(&format!("http://{address}")).await;
    assert_eq!(transport_kind(&error), TransportErrorKind::Reset);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_truncated() {
    let address = server(|socket| async move {
        reply(
            socket,
            "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"a\":",
        )
        .await;
    })
    .await;
    let error = error_of(&format!("http://{address}")).await;
    assert_eq!(transport_kind(&error), TransportErrorKind::Truncated);
    assert_eq!(error.request().unwrap().tries, 3);
}

#[tokio::test]
async fn a_slow_drip_ends_by_the_total_timeout() {
    let address = server(|socket| async move {
        let mut socket = reply(socket, "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n").await;
        while socket.write_all(b" ").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    })
    .await;
    let transport = ReqwestTransport::new(&direct()).unwrap();
    let mut settings = HttpSettings {
        total_timeout: Duration::from_secs(1),
        ..HttpSettings::default()
    };
    settings.retry.first_tries = 1;
    let client = on_call(HttpParts::new(Arc::new(transport), 7), settings);
    let error = failed(client.send(&request(&format!("http://{address}"))).await);
    assert_eq!(transport_kind(&error), TransportErrorKind::Timeout);
    assert_eq!(error.code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn what_is_not_http_is_said_to_be_so() {
    let address = server(|socket| async move {
        reply(socket, "SSH-2.0-OpenSSH_9.9\r\n\r\n").await;
    })
    .await;
    let error = error_of(&format!("http://{address}")).await;
    assert_eq!(transport_kind(&error), TransportErrorKind::Protocol);
}

#[tokio::test]
async fn a_server_without_tls_fails_as_tls_at_once() {
    let address = server(|mut socket| async move {
        let _ = socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        let _ = socket.read_u8().await;
    })
    .await;
    let error = error_of(&format!("https://{address}")).await;
    assert_eq!(transport_kind(&error), TransportErrorKind::Tls, "{error}");
    assert_eq!(error.request().unwrap().tries, 1);
}

const CERTIFICATE: &[u8] = include_bytes!("../fixtures/loopback-cert.pem");
const KEY: &[u8] = include_bytes!("../fixtures/loopback-key.pem");

/// A server with a certificate that nobody vouches for.
async fn tls_server() -> SocketAddr {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(CERTIFICATE).unwrap()],
            PrivateKeyDer::from_pem_slice(KEY).unwrap(),
        )
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    server(move |socket| {
        let acceptor = acceptor.clone();
        async move {
            if let Ok(socket) = acceptor.accept(socket).await {
                reply(socket, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await;
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_certificate_counts_only_when_somebody_vouches_for_it() {
    let url = format!("https://{}", tls_server().await);
    let error = error_of(&url).await;
    assert_eq!(transport_kind(&error), TransportErrorKind::Tls, "{error}");
    assert_eq!(error.advice(), [Advice::TrustCertificate]);
    assert_eq!(error.request().unwrap().tries, 1);

    let trusting = TransportSettings {
        extra_roots_pem: Some(CERTIFICATE.to_vec()),
        ..direct()
    };
    client_with(&trusting).send(&request(&url)).await.unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/loopback-cert.pem");
    let trusting = TransportSettings {
        trusted: vec![TrustedFiles {
            setting: "the file of authorities",
            paths: vec![path],
        }],
        ..direct()
    };
    client_with(&trusting).send(&request(&url)).await.unwrap();
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let address = server(|socket| async move {
        let answer =
            "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
        reply(socket, answer).await;
    })
    .await;
    let error = error_of(&format!("http://{address}")).await;
    assert_eq!(error.status(), Some(302));
    assert_eq!(
        error.advice(),
        [Advice::CorrectBaseUrl(Some("127.0.0.1".to_owned()))]
    );
}

#[tokio::test]
async fn a_proxy_that_wants_credentials_is_named_with_and_without_tls() {
    let proxy = server(|socket| async move {
        reply(
            socket,
            "HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n",
        )
        .await;
    })
    .await;
    let settings = TransportSettings {
        proxies: Proxies::All {
            url: Secret::new(format!("http://user:s3cr3t@{proxy}")),
            except: String::new(),
        },
        ..TransportSettings::default()
    };
    for url in ["http://api.test", "https://api.test"] {
        let error = failed(client_with(&settings).send(&request(url)).await);
        assert_eq!(
            transport_kind(&error),
            TransportErrorKind::ProxyAuth,
            "{url}"
        );
        assert_eq!(error.advice(), [Advice::GiveProxyCredentials]);
        assert!(!format!("{error} {error:?}").contains("s3cr3t"));
    }
}

#[tokio::test]
async fn an_unknown_host_is_a_name_problem() {
    // Without a network the name service itself fails; both are its answers.
    let error = error_of("http://nonexistent.invalid").await;
    let kind = transport_kind(&error);
    assert!(
        matches!(
            kind,
            TransportErrorKind::UnknownHost | TransportErrorKind::NameLookup
        ),
        "{error}"
    );
    assert!(
        error.to_string().contains("`nonexistent.invalid`"),
        "{error}"
    );
}

#[test]
fn settings_that_cannot_work_are_refused_without_quoting_secrets() {
    let settings = TransportSettings {
        proxies: Proxies::All {
            url: Secret::new("http//user:s3cr3t"),
            except: String::new(),
        },
        ..TransportSettings::default()
    };
    let error = ReqwestTransport::new(&settings).expect_err("no URL");
    assert!(error.to_string().contains("the proxy"), "{error}");
    assert!(!format!("{error} {error:?} {settings:?}").contains("s3cr3t"));
    let settings = TransportSettings {
        extra_roots_pem: Some(b"not a certificate".to_vec()),
        ..TransportSettings::default()
    };
    let error = ReqwestTransport::new(&settings).expect_err("no certificate");
    assert!(
        error.to_string().contains("no certificate in PEM form"),
        "{error}"
    );
}
