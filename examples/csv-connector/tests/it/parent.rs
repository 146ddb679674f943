//! A double of the Go SDK's parent process, written from the specification and not
//! with the code under test: it makes certificates in Go's forms, passes the socket
//! as number 3, and writes one line.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use baton_proto::c1::connector_wrapper::v1::ServerConfig;
use baton_proto::c1::utls::v1::Credential;
use command_fds::{CommandFdExt as _, FdMapping};
use prost::Message as _;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ED25519, SanType,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use time::OffsetDateTime;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdin, Command};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::grpc::Calls;
use crate::harness::Harness;

const VARIABLE: &str = "BATON_CONNECTOR_SERVICE_LISTENER_FD";
/// A busy machine starts a program slowly.
const PATIENCE: Duration = Duration::from_mins(1);

/// How an authority makes its certificates.
#[derive(Clone, Copy)]
pub enum Form {
    /// As the Go SDK's.
    Go,
    /// As other parents that a Go child accepts: other names, one day, no usages.
    Plain,
    /// As Go's, but a year too old.
    Expired,
}

/// An authority and the certificates of both sides.
pub struct Authority {
    ca: CertificateDer<'static>,
    server: (CertificateDer<'static>, KeyPair),
    client: (CertificateDer<'static>, KeyPair),
}

impl Authority {
    pub fn new(form: Form) -> Self {
        let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let mut params = params(form, "c1-connector-ca");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        if !matches!(form, Form::Plain) {
            params.key_usages = vec![
                KeyUsagePurpose::DigitalSignature,
                KeyUsagePurpose::KeyCertSign,
            ];
        }
        let ca = params.self_signed(&key).unwrap().der().clone();
        let issuer = Issuer::new(params, key);
        let leaf = |form, name| {
            let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
            let mut params = self::params(form, name);
            params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
            params.subject_alt_names = vec![
                SanType::IpAddress(Ipv4Addr::LOCALHOST.into()),
                SanType::IpAddress(std::net::Ipv6Addr::LOCALHOST.into()),
            ];
            let certificate = params.signed_by(&key, &issuer).unwrap();
            (certificate.der().clone(), key)
        };
        // The client of an expired form finds a server that is not.
        let server = match form {
            Form::Expired => leaf(Form::Plain, "c1-connector-server"),
            form => leaf(form, "c1-connector-server"),
        };
        let client = leaf(form, "c1-connector-client");
        Self { ca, server, client }
    }

    /// The credential of the child: DER, and seed with public key.
    fn credential(&self) -> Credential {
        let (certificate, key) = &self.server;
        let pkcs8 = key.serialize_der();
        Credential {
            ca_cert: self.ca.to_vec(),
            key: [&pkcs8[16..48], key.public_key_raw()].concat(),
            cert: certificate.to_vec(),
        }
    }

    /// A client that trusts this authority, with a certificate of `own`, if any.
    pub fn client(&self, own: Option<&Self>) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.ca.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match own {
            None => builder.with_no_client_auth(),
            Some(own) => {
                let (certificate, key) = &own.client;
                let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
                builder
                    .with_client_auth_cert(vec![certificate.clone()], key)
                    .unwrap()
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        config
    }
}

fn params(form: Form, name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    let now = OffsetDateTime::now_utc();
    let day = time::Duration::days(1);
    match form {
        Form::Go => {
            params.distinguished_name.push(DnType::CommonName, name);
            params
                .distinguished_name
                .push(DnType::OrganizationName, "ConductorOne");
            params.extended_key_usages = vec![
                ExtendedKeyUsagePurpose::ClientAuth,
                ExtendedKeyUsagePurpose::ServerAuth,
            ];
            params.not_before = now.replace_nanosecond(0).unwrap();
            params.not_after = now + 365 * day;
        }
        Form::Plain => {
            params
                .distinguished_name
                .push(DnType::CommonName, format!("other {name}"));
            params.not_before = now.replace_nanosecond(0).unwrap();
            params.not_after = now + day;
        }
        Form::Expired => {
            params.distinguished_name.push(DnType::CommonName, name);
            params.not_before = now - 366 * day;
            params.not_after = now - day;
        }
    }
    params
}

/// What is number 3 in the child.
pub enum Passed {
    Listener,
    File(OwnedFd),
    Nothing,
}

/// How a child is started; as Go does, unless it is changed.
pub struct Start {
    pub args: Vec<String>,
    pub authority: Authority,
    pub passed: Passed,
    /// Value of the variable.
    pub variable: Option<&'static str>,
    /// In place of the right line.
    pub line: Option<Vec<u8>>,
    /// In place of the right port.
    pub port: Option<u16>,
}

impl Start {
    pub fn new(args: &[&str]) -> Self {
        let args = ["--folder", "tables"].iter().chain(args);
        Self {
            args: args.map(ToString::to_string).collect(),
            authority: Authority::new(Form::Go),
            passed: Passed::Listener,
            variable: Some("3"),
            line: None,
            port: None,
        }
    }

    /// The line that a parent writes for this port.
    pub fn line_for(&self, port: u16) -> Vec<u8> {
        let config = ServerConfig {
            credential: Some(self.authority.credential()),
            listen_port: port.into(),
            ..ServerConfig::default()
        };
        (STANDARD.encode(config.encode_to_vec()) + "\n").into_bytes()
    }

    pub async fn spawn(self, folder: &Path) -> Parent {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let line = match &self.line {
            Some(line) => line.clone(),
            None => self.line_for(self.port.unwrap_or(address.port())),
        };
        let mut command = Command::new(env!("CARGO_BIN_EXE_baton-csv"));
        command
            .args(&self.args)
            .arg("_connector-service")
            .current_dir(folder)
            .env_clear()
            .envs(self.variable.map(|value| (VARIABLE, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let passed = match self.passed {
            Passed::Listener => Some(listener.into()),
            Passed::File(file) => Some(file),
            Passed::Nothing => None,
        };
        let mapping = passed.map(|parent_fd| FdMapping {
            parent_fd,
            child_fd: 3,
        });
        command.fd_mappings(mapping.into_iter().collect()).unwrap();
        let mut child = command.spawn().unwrap();
        drop(command);
        let mut stdin = child.stdin.take().unwrap();
        // A child that refuses the beginning does not read the rest.
        let _ = stdin.write_all(&line).await;
        Parent {
            child,
            stdin: Some(stdin),
            address,
            authority: self.authority,
        }
    }
}

/// A parent with its child.
pub struct Parent {
    pub child: Child,
    pub stdin: Option<ChildStdin>,
    pub address: SocketAddr,
    pub authority: Authority,
}

impl Parent {
    /// A child that serves a copy of the sample tables.
    pub async fn start(harness: &Harness, args: &[&str]) -> Self {
        Start::new(args).spawn(harness.dir.path()).await
    }

    /// A TLS connection with the given client.
    pub async fn connect(&self, client: ClientConfig) -> std::io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.address).await?;
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let connector = TlsConnector::from(Arc::new(client));
        let connected = tokio::time::timeout(PATIENCE, connector.connect(name, stream));
        connected.await.expect("a handshake")
    }

    /// A connection as Go's parent makes it.
    pub async fn calls(&self) -> Calls {
        let client = self.authority.client(Some(&self.authority));
        Calls::over(self.connect(client).await.unwrap()).await
    }

    /// Ends the child as Go's parent does, and gives what it left.
    pub async fn end(mut self) -> Output {
        drop(self.stdin.take());
        self.output().await
    }

    /// Waits for the end of the child.
    pub async fn output(self) -> Output {
        let _stays_open = self.stdin;
        let output = tokio::time::timeout(PATIENCE, self.child.wait_with_output());
        output.await.expect("the child ends").unwrap()
    }
}
