//! The certificates of parent and child, and TLS between them.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use baton_grpc::child::{Credential, Credentials, FirstLine, client_config, server_config};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ServerConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use x509_parser::prelude::{FromDer as _, GeneralName, ParsedExtension, X509Certificate};

const YEAR: Duration = Duration::from_hours(365 * 24);
const NAMES: &str = "C=US, ST=OR, L=Portland, O=ConductorOne, OU=connector sdk, CN=";

fn new() -> Credentials {
    Credentials::issue(SystemTime::now()).unwrap()
}

/// The critical extensions and the others, by name.
fn extensions(certificate: &X509Certificate<'_>) -> Vec<(String, bool)> {
    let shown = certificate.extensions().iter().map(|extension| {
        let text = match extension.parsed_extension() {
            ParsedExtension::KeyUsage(usage) => usage.to_string(),
            ParsedExtension::ExtendedKeyUsage(usage) => {
                format!("client {} server {}", usage.client_auth, usage.server_auth)
            }
            ParsedExtension::BasicConstraints(constraints) => {
                format!(
                    "ca {} {:?}",
                    constraints.ca, constraints.path_len_constraint
                )
            }
            ParsedExtension::SubjectKeyIdentifier(_) => "subject key id".to_owned(),
            ParsedExtension::SubjectAlternativeName(names) => {
                let names = names.general_names.iter().map(|name| match name {
                    GeneralName::IPAddress(bytes) => format!("{} bytes", bytes.len()),
                    other => panic!("{other:?}"),
                });
                format!("addresses of {}", names.collect::<Vec<_>>().join(", "))
            }
            other => panic!("{other:?}"),
        };
        (text, extension.critical)
    });
    let mut shown: Vec<_> = shown.collect();
    shown.sort();
    shown
}

fn parsed(der: &[u8]) -> X509Certificate<'_> {
    X509Certificate::from_der(der).unwrap().1
}

#[test]
fn certificates_have_the_forms_of_the_go_sdk() {
    let start = SystemTime::now();
    let issued = Credentials::issue(start).unwrap();
    let seconds = start
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let begin = i64::try_from(seconds).unwrap();
    let authority = parsed(issued.child.authority());
    assert_eq!(issued.parent.authority(), issued.child.authority());
    assert_eq!(
        authority.subject().to_string(),
        format!("{NAMES}c1-connector-ca")
    );
    assert_eq!(authority.issuer(), authority.subject());
    assert_eq!(authority.validity().not_before.timestamp(), begin);
    let years = (authority.validity().not_after.timestamp() - begin) / (24 * 3600);
    assert!((7304..=7305).contains(&years), "{years} days");
    assert!(authority.raw_serial().len() <= 17);
    assert_eq!(
        extensions(&authority),
        [
            ("Digital Signature, Key Cert Sign".to_owned(), true),
            ("ca true None".to_owned(), true),
            ("client true server true".to_owned(), false),
            ("subject key id".to_owned(), false),
        ]
    );
    for (credential, name) in [
        (&issued.child, "c1-connector-server"),
        (&issued.parent, "c1-connector-client"),
    ] {
        let leaf = parsed(credential.certificate());
        assert_eq!(leaf.subject().to_string(), format!("{NAMES}{name}"));
        assert_eq!(leaf.issuer(), authority.subject());
        assert_eq!(leaf.validity().not_before.timestamp(), begin);
        let valid = leaf.validity().not_after.timestamp() - begin;
        assert_eq!(u64::try_from(valid).unwrap(), YEAR.as_secs());
        assert_eq!(
            leaf.signature_algorithm.algorithm.to_string(),
            "1.3.101.112"
        );
        assert_eq!(
            extensions(&leaf),
            [
                ("Digital Signature".to_owned(), true),
                ("addresses of 4 bytes, 16 bytes".to_owned(), false),
                ("client true server true".to_owned(), false),
            ]
        );
    }
}

#[test]
fn the_first_line_of_a_go_parent_is_read() {
    // Its key was replaced by other bytes.
    let line = FirstLine::decode(include_bytes!("../fixtures/go-first-line.bin")).unwrap();
    assert!(line.port > 1024);
    assert_eq!(line.session_port, None);
    assert!(line.limiter.is_none());
    let ours = new();
    let go = parsed(line.credential.certificate());
    let same = parsed(ours.child.certificate());
    assert_eq!(go.subject().to_string(), same.subject().to_string());
    assert_eq!(go.issuer().to_string(), same.issuer().to_string());
    assert_eq!(extensions(&go), extensions(&same));
    let go = parsed(line.credential.authority());
    let same = parsed(ours.child.authority());
    assert_eq!(extensions(&go), extensions(&same));
}

/// A handshake in memory, and one byte each way.
async fn talk(client: ClientConfig, server: ServerConfig) -> std::io::Result<String> {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let served = tokio::spawn(async move {
        let mut stream = TlsAcceptor::from(Arc::new(server)).accept(far).await?;
        let mut byte = [0];
        stream.read_exact(&mut byte).await?;
        stream.write_all(&byte).await?;
        stream.flush().await?;
        let protocol = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
        Ok::<_, std::io::Error>(protocol)
    });
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let talked = async {
        let mut stream = TlsConnector::from(Arc::new(client))
            .connect(name, near)
            .await?;
        stream.write_all(b"x").await?;
        stream.flush().await?;
        let mut byte = [0];
        stream.read_exact(&mut byte).await?;
        Ok::<_, std::io::Error>(())
    };
    let talked = talked.await;
    let served = served.await.unwrap()?;
    talked?;
    Ok(String::from_utf8(served.unwrap_or_default()).unwrap())
}

async fn refused(client: &Credential, server: &Credential) -> String {
    let client = client_config(client).unwrap();
    let server = server_config(server).unwrap();
    talk(client, server).await.unwrap_err().to_string()
}

#[tokio::test]
async fn parent_and_child_accept_each_other_and_speak_http2() {
    let pair = new();
    let client = client_config(&pair.parent).unwrap();
    let server = server_config(&pair.child).unwrap();
    assert_eq!(talk(client, server).await.unwrap(), "h2");
    // The child is the client of the parent's session store, which has the same
    // certificate.
    let client = client_config(&pair.child).unwrap();
    let server = server_config(&pair.child).unwrap();
    assert_eq!(talk(client, server).await.unwrap(), "h2");
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_refused() {
    let (ours, other) = (new(), new());
    // The names are the same, so only the signature differs.
    let text = refused(&other.parent, &ours.child).await;
    assert!(text.contains("DecryptError"), "{text}");
}

#[tokio::test]
async fn an_expired_certificate_is_refused() {
    let old = Credentials::issue(SystemTime::now() - 2 * YEAR).unwrap();
    let text = refused(&old.parent, &old.child).await;
    assert!(text.contains("CertificateExpired"), "{text}");
    let early = Credentials::issue(SystemTime::now() + YEAR).unwrap();
    let text = refused(&early.parent, &early.child).await;
    assert!(text.contains("fatal alert"), "{text}");
}

#[tokio::test]
async fn a_client_without_a_certificate_is_refused() {
    let pair = new();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(pair.child.authority().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let server = server_config(&pair.child).unwrap();
    let text = talk(client, server).await.unwrap_err().to_string();
    assert!(text.contains("certificate"), "{text}");
}

#[tokio::test]
async fn tls_1_2_is_spoken_as_well() {
    let pair = new();
    let server = server_config(&pair.child).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    roots.add(pair.child.authority().clone()).unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    // It gets as far as the missing certificate.
    let text = talk(client, server).await.unwrap_err().to_string();
    assert!(text.contains("certificate"), "{text}");
}
