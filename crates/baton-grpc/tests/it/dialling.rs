//! A peer is dialled with and without TLS, and refused when it is another one.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use baton_connector::http::TrustedFiles;
use baton_grpc::Server;
use baton_grpc::dial::{Peer, PeerAddress, PeerTls};
use baton_grpc::methods::connector_v2::connector_service;
use baton_grpc::serve::{Address, CertificateFiles, FileIdentity, Identity, Listener, accept};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio_util::sync::CancellationToken;

use crate::every_service;
use crate::listeners::pem;
use crate::raw::{Connection, framed, request};
use crate::replay::services;

/// A folder with an authority and certificates of it.
struct Authority {
    folder: tempfile::TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let issuer = CertifiedIssuer::self_signed(params, key).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(
            folder.path().join("ca.pem"),
            pem("CERTIFICATE", issuer.as_ref().der()),
        )
        .unwrap();
        Self { folder, issuer }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Certificate and key for a name, valid until `year`.
    fn issue(&self, name: &str, year: i32) -> (PathBuf, PathBuf) {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let [file, key_file] =
            ["pem", "key"].map(|kind| self.file(&format!("{name}-{year}.{kind}")));
        std::fs::write(&file, pem("CERTIFICATE", certificate.der())).unwrap();
        std::fs::write(&key_file, pem("PRIVATE KEY", &key.serialize_der())).unwrap();
        (file, key_file)
    }
}

/// Serves a connector at a port of this machine until it is dropped.
struct Served {
    address: PeerAddress,
    _stop: tokio_util::sync::DropGuard,
}

async fn serve(address: Address, identity: Option<Arc<dyn Identity>>) -> Served {
    let listener = Listener::bind(address).await.unwrap();
    let address = PeerAddress::parse(&listener.address().to_string()).unwrap();
    let server = Server::new(services(every_service::connector(""), false, false));
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    tokio::spawn(async move {
        accept(&listener, identity, &stopped, move |io| {
            let server = server.clone();
            async move { server.serve(io).await }
        })
        .await;
    });
    Served {
        address,
        _stop: stop.drop_guard(),
    }
}

fn loopback() -> Address {
    Address::parse("127.0.0.1:0").unwrap()
}

fn identity(pair: (PathBuf, PathBuf), client_ca: Option<&Path>) -> Arc<dyn Identity> {
    let (certificate, key) = pair;
    let files = CertificateFiles {
        certificate,
        key,
        client_ca: client_ca.map(Path::to_owned),
    };
    Arc::new(FileIdentity::read(files).unwrap())
}

/// The code of a call over a new connection; the error of one that cannot be made.
async fn call(address: &PeerAddress, tls: Option<&PeerTls>) -> Result<u8, String> {
    let peer = Peer::new(address.clone(), tls).map_err(|error| error.to_string())?;
    let io = peer.dial().await.map_err(|error| error.to_string())?;
    let connection = Connection::over(io).await;
    let mut connection = connection.map_err(|error| format!("{error:?}"))?;
    let validate = request(connector_service::VALIDATE.path(), framed(&[]));
    let answer = connection.try_send(validate).await;
    answer
        .map(|answer| answer.code())
        .map_err(|error| format!("{error:?}"))
}

#[tokio::test]
async fn a_port_and_a_socket_file_without_tls() {
    let folder = tempfile::tempdir().unwrap();
    let socket = format!("unix:{}/s.sock", folder.path().display());
    for address in [loopback(), Address::parse(&socket).unwrap()] {
        let served = serve(address, None).await;
        assert_eq!(call(&served.address, None).await, Ok(0));
    }
}

#[tokio::test]
async fn tls_is_accepted_from_the_right_server_for_the_right_client_only() {
    let ours = Authority::new();
    let others = Authority::new();
    let ca = ours.file("ca.pem");
    let server = identity(ours.issue("127.0.0.1", 2100), Some(&ca));
    let served = serve(loopback(), Some(server)).await;
    let tls = PeerTls {
        authority: Some(ca.clone()),
        identity: Some(ours.issue("client", 2100)),
        ..PeerTls::default()
    };
    assert_eq!(call(&served.address, Some(&tls)).await, Ok(0));
    let of_machine = PeerTls {
        authority: None,
        trusted: vec![TrustedFiles {
            setting: "the file of authorities",
            paths: vec![ca.clone()],
        }],
        ..tls.clone()
    };
    assert_eq!(call(&served.address, Some(&of_machine)).await, Ok(0));

    let refused = [
        (
            "no certificate",
            PeerTls {
                identity: None,
                ..tls.clone()
            },
        ),
        (
            "a certificate of another authority",
            PeerTls {
                identity: Some(others.issue("client", 2100)),
                ..tls.clone()
            },
        ),
        (
            "an expired certificate",
            PeerTls {
                identity: Some(ours.issue("client", 2021)),
                ..tls.clone()
            },
        ),
        (
            "another authority is trusted",
            PeerTls {
                authority: Some(others.file("ca.pem")),
                ..tls.clone()
            },
        ),
        (
            "another name is expected",
            PeerTls {
                server_name: Some("connector.example".to_owned()),
                ..tls.clone()
            },
        ),
        (
            "this machine trusts no such authority",
            PeerTls {
                authority: None,
                ..tls.clone()
            },
        ),
    ];
    for (what, tls) in refused {
        assert!(call(&served.address, Some(&tls)).await.is_err(), "{what}");
    }
    assert!(call(&served.address, None).await.is_err(), "without TLS");

    let expired = identity(ours.issue("127.0.0.1", 2022), None);
    let served = serve(loopback(), Some(expired)).await;
    let error = call(&served.address, Some(&tls)).await.unwrap_err();
    assert!(error.contains("xpired"), "{error}");
}

#[tokio::test]
async fn files_that_cannot_be_used_are_named() {
    let ours = Authority::new();
    let (certificate, key) = ours.issue("client", 2100);
    let (_, other_key) = ours.issue("other", 2100);
    let address = PeerAddress::parse("127.0.0.1:1").unwrap();
    let error = |tls: &PeerTls| {
        Peer::new(address.clone(), Some(tls))
            .unwrap_err()
            .to_string()
    };
    let missing = PeerTls {
        authority: Some(ours.file("none.pem")),
        ..PeerTls::default()
    };
    assert!(error(&missing).starts_with("cannot read the file of authorities"));
    let no_certificate = PeerTls {
        authority: Some(key.clone()),
        ..PeerTls::default()
    };
    assert!(error(&no_certificate).contains("it holds no certificate in PEM form"));
    let no_key = PeerTls {
        identity: Some((certificate.clone(), certificate.clone())),
        ..PeerTls::default()
    };
    assert!(error(&no_key).contains("it holds no private key in PEM form"));
    let mixed = PeerTls {
        identity: Some((certificate, other_key)),
        ..PeerTls::default()
    };
    assert!(error(&mixed).contains("does not belong to the certificate"));
    let name = PeerTls {
        server_name: Some("not a name".to_owned()),
        ..PeerTls::default()
    };
    assert_eq!(
        error(&name),
        "`not a name` cannot be the name of a TLS server"
    );
}
