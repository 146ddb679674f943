//! The TLS port: one for the token endpoint and the service.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use baton_grpc::methods::connectorapi_v1::baton_service::HELLO;
use bytes::Bytes;
use c1_sim::{Action, Call, ClientKey, Config, Fault, Listener, Simulator};
use http::{Request, Version};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::client::{Assertion, framed, hello};

/// Sends an empty request for a token; gives the status of the answer.
#[cfg(unix)]
pub(crate) async fn post_nothing(address: SocketAddr, authority: &str) -> u16 {
    let stream = dial(address, authority, "localhost", &["http/1.1"]).await;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = Request::post("/auth/v1/token").body(Full::<Bytes>::default());
    let response = sender.send_request(request.unwrap()).await.unwrap();
    response.status().as_u16()
}

/// A TLS connection that offers these protocols.
async fn dial(
    address: SocketAddr,
    authority: &str,
    name: &'static str,
    protocols: &[&str],
) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_slice(authority.as_bytes()).unwrap();
    roots.add(authority).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols
        .iter()
        .map(|name| name.as_bytes().to_vec())
        .collect();
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from(name).unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect(name, stream).await.unwrap()
}

/// A correct request for a token, for the clock of this machine.
fn token_request(nonce: u128) -> Request<Full<Bytes>> {
    let now = jiff::Timestamp::now().as_second();
    Assertion::at(now, nonce).request().map(Full::new)
}

fn token_of(body: &[u8]) -> String {
    let body: serde_json::Value = serde_json::from_slice(body).unwrap();
    body["access_token"].as_str().unwrap().to_owned()
}

async fn served() -> (Simulator, c1_sim::ServerHandle, String) {
    let key = ClientKey::from_seed([7; 32]).unwrap();
    let config = Config::new(crate::client::ID, &key, jiff::Timestamp::now()).unwrap();
    let simulator = Simulator::new(config);
    let address = "127.0.0.1:0".parse().unwrap();
    let listener = Listener::bind(address, &["tenant.test".to_owned()])
        .await
        .unwrap();
    let authority = listener.authority().to_owned();
    let handle = simulator.serve(listener);
    (simulator, handle, authority)
}

#[tokio::test]
async fn one_port_has_the_token_over_both_versions_of_http_and_the_service() {
    let (simulator, handle, authority) = served().await;
    let address = handle.address();
    // No protocol, and HTTP/1.1: the token only.
    for (protocols, nonce) in [(&[][..], 1), (&["http/1.1"], 2)] {
        let stream = dial(address, &authority, "tenant.test", protocols).await;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let response = sender.send_request(token_request(nonce)).await.unwrap();
        assert_eq!(
            (response.status().as_u16(), response.version()),
            (200, Version::HTTP_11)
        );
    }
    let stream = dial(address, &authority, "tenant.test", &["h2", "http/1.1"]).await;
    let (mut sender, connection) = http2::Builder::new(TokioExecutor::new())
        .handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let response = sender.send_request(token_request(3)).await.unwrap();
    let token = token_of(&response.into_body().collect().await.unwrap().to_bytes());
    let hello = Request::post(format!("https://tenant.test{}", HELLO.path()))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("user-agent", "test-client test")
        .header("authorization", format!("Bearer {token}"))
        .body(Full::new(Bytes::from(framed(&hello("host", "")))))
        .unwrap();
    let response = sender.send_request(hello).await.unwrap();
    let body = response.into_body().collect().await.unwrap();
    assert_eq!(body.trailers().unwrap()["grpc-status"], "0");
    let other = Request::get("https://tenant.test/")
        .body(Full::default())
        .unwrap();
    assert_eq!(sender.send_request(other).await.unwrap().status(), 404);
    let get = Request::get("https://tenant.test/auth/v1/token")
        .body(Full::default())
        .unwrap();
    assert_eq!(sender.send_request(get).await.unwrap().status(), 405);
    assert_eq!(simulator.hellos().len(), 1);
    assert_eq!(simulator.count(Call::Token), 4);
    handle.shutdown().await;
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_broken_connection_is_reset() {
    let (simulator, handle, authority) = served().await;
    simulator
        .fault(Fault::nth(Call::Token, 1, Action::Drop))
        .unwrap();
    let stream = dial(handle.address(), &authority, "tenant.test", &["http/1.1"]).await;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    sender.send_request(token_request(1)).await.unwrap_err();
    // The client's side ends too, with one of the errors of a socket that is gone.
    let limit = Duration::from_secs(10);
    let _ = tokio::time::timeout(limit, connection).await.unwrap();
    assert_eq!(simulator.calls()[0].outcome, "fault: drop");
}
