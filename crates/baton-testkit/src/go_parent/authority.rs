//! Certificates in the forms that the Go SDK makes, and in other ones.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use baton_proto::c1::utls::v1::Credential;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ED25519, SanType,
};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use time::OffsetDateTime;

/// How an authority makes its certificates.
#[derive(Debug, Clone, Copy)]
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
    /// A new authority, with a certificate for each side.
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
                SanType::IpAddress(Ipv6Addr::LOCALHOST.into()),
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
    pub(super) fn credential(&self) -> Credential {
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
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.roots());
        let mut config = match own {
            None => builder.with_no_client_auth(),
            Some(own) => {
                let (chain, key) = presented(&own.client);
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        config
    }

    /// The parent's own server: it has the certificate of the child's, and its clients
    /// need one of this authority.
    pub(super) fn session_server(&self) -> ServerConfig {
        let provider = Arc::new(default_provider());
        let roots = Arc::new(self.roots());
        let clients = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider));
        let (chain, key) = presented(&self.server);
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(clients.build().unwrap())
            .with_single_cert(chain, key)
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        config
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.ca.clone()).unwrap();
        roots
    }
}

/// A certificate and its key, as rustls presents them.
fn presented(
    (certificate, key): &(CertificateDer<'static>, KeyPair),
) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    (vec![certificate.clone()], key)
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
