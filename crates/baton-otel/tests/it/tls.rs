//! Collectors with certificates.

use std::sync::Arc;

use base64::Engine as _;
use baton_grpc::dial::PeerTls;
use baton_otel::{Collector, CollectorError, Endpoint, Trust};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::collector::TestCollector;
use crate::stage::Stage;

/// An authority in PEM form, and a server's configuration with a certificate of it.
pub fn authority() -> (String, ServerConfig) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    (pem(issuer.der()), config)
}

/// Serves a collector with TLS; its port.
pub async fn serve(collector: TestCollector, config: ServerConfig) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (acceptor, collector) = (acceptor.clone(), collector.clone());
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    collector.serve(stream).await;
                }
            });
        }
    });
    port
}

async fn export_one(trust: Trust, config: ServerConfig) -> usize {
    let collector = TestCollector::default();
    let port = serve(collector.clone(), config).await;
    let endpoint = Endpoint::parse(&format!("localhost:{port}")).unwrap();
    let there = Collector::new(&endpoint, &trust).unwrap();
    let stage = Stage::to(collector, there, false, true);
    stage.log("one line");
    let collector = stage.shutdown().await;
    collector.received().logs.len()
}

#[tokio::test]
async fn a_collector_of_the_given_authority_is_trusted_and_no_other() {
    let (pem, config) = authority();
    let (other, _) = authority();
    assert_eq!(
        export_one(Trust::Pem(pem.clone().into()), config.clone()).await,
        1
    );
    let both = format!("{other}{pem}");
    assert_eq!(export_one(Trust::Pem(both.into()), config.clone()).await, 1);
    assert_eq!(
        export_one(Trust::Pem(other.into()), config.clone()).await,
        0
    );
    assert_eq!(
        export_one(Trust::Settings(PeerTls::default()), config.clone()).await,
        0
    );
    assert_eq!(export_one(Trust::Unencrypted, config).await, 0);
}

#[test]
fn texts_without_certificates_are_refused() {
    let endpoint = Endpoint::parse("localhost:1").unwrap();
    for pem in [
        "",
        "nonsense",
        "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
    ] {
        let error = Collector::new(&endpoint, &Trust::Pem(pem.into())).unwrap_err();
        assert!(
            matches!(error, CollectorError::Authorities { .. }),
            "{error:?}"
        );
    }
}

fn pem(der: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
}
