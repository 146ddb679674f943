//! The certificates of one parent and one child, and the form in which a child
//! gets its own.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::SystemTime;

use baton_proto::c1::utls::v1 as utls;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ED25519, SanType, SerialNumber,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use time::{Duration, OffsetDateTime};
use zeroize::Zeroizing;

use super::error::ChildError;

/// An Ed25519 key as PKCS#8 is these bytes and the 32 bytes of the seed.
const PKCS8_V1: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];
/// Where the seed is in the key that the library makes, behind a prefix of its own.
const SEED_IN_PKCS8: std::ops::Range<usize> = 16..48;
const SEED_BYTES: usize = 32;
/// Seed and public key.
const RAW_KEY_BYTES: usize = 64;
const SERIAL_BYTES: usize = 16;

const CA_NAME: &str = "c1-connector-ca";
const PARENT_NAME: &str = "c1-connector-client";
const CHILD_NAME: &str = "c1-connector-server";
const CA_YEARS: i32 = 20;
const LEAF_DAYS: i64 = 365;

/// A certificate with its key, and the authority that issued it and the one of the
/// peer.
#[derive(Clone)]
pub struct Credential {
    authority: CertificateDer<'static>,
    certificate: CertificateDer<'static>,
    key: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential").finish_non_exhaustive()
    }
}

impl Credential {
    /// The credential in a message; the key is 64 bytes: seed and public key.
    ///
    /// # Errors
    ///
    /// A part is missing, or the key has another length.
    pub fn from_message(message: utls::Credential) -> Result<Self, ChildError> {
        let unusable = |what: &str| ChildError::Credential {
            what: what.to_owned(),
        };
        let key = Zeroizing::new(message.key);
        if key.len() != RAW_KEY_BYTES {
            return Err(unusable(&format!(
                "the key has {} bytes; expected the 64 of an Ed25519 key",
                key.len()
            )));
        }
        for (part, name) in [
            (&message.ca_cert, "the certificate of the authority"),
            (&message.cert, "the certificate"),
        ] {
            if part.is_empty() {
                return Err(unusable(&format!("{name} is missing")));
            }
        }
        Ok(Self {
            authority: message.ca_cert.into(),
            certificate: message.cert.into(),
            key,
        })
    }

    /// The credential as a message.
    pub(crate) fn message(&self) -> utls::Credential {
        utls::Credential {
            ca_cert: self.authority.to_vec(),
            key: self.key.to_vec(),
            cert: self.certificate.to_vec(),
        }
    }

    /// The certificate of the authority, as DER: the only one to trust.
    pub fn authority(&self) -> &CertificateDer<'static> {
        &self.authority
    }

    /// The certificate, as DER.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The key in the form that TLS libraries read.
    pub(crate) fn private_key(&self) -> PrivateKeyDer<'static> {
        let seed = self.key.iter().take(SEED_BYTES);
        let der: Vec<u8> = PKCS8_V1.iter().chain(seed).copied().collect();
        PrivatePkcs8KeyDer::from(der).into()
    }
}

/// The certificates of one parent and its child. The key of their authority is
/// kept by neither.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// Of the parent, the client.
    pub parent: Credential,
    /// Of the child, the server; the child also uses it as a client of the
    /// parent's session store.
    pub child: Credential,
}

impl Credentials {
    /// New certificates that are valid from `now` on.
    ///
    /// # Errors
    ///
    /// The machine has no random numbers.
    pub fn issue(now: SystemTime) -> Result<Self, ChildError> {
        let failed = |error: &dyn fmt::Display| ChildError::Certificates {
            reason: error.to_string(),
        };
        let now = OffsetDateTime::from(now)
            .replace_nanosecond(0)
            .map_err(|error| failed(&error))?;
        let key = KeyPair::generate_for(&PKCS_ED25519).map_err(|error| failed(&error))?;
        let params = authority_params(now)?;
        let authority = params.self_signed(&key).map_err(|error| failed(&error))?;
        let issuer = Issuer::new(params, key);
        let issue = |name| leaf(name, now, &issuer, authority.der());
        Ok(Self {
            parent: issue(PARENT_NAME)?,
            child: issue(CHILD_NAME)?,
        })
    }
}

/// What both kinds of certificate have.
fn params(name: &str, now: OffsetDateTime) -> Result<CertificateParams, ChildError> {
    let mut serial = [0; SERIAL_BYTES];
    getrandom::fill(&mut serial).map_err(|error| ChildError::Certificates {
        reason: error.to_string(),
    })?;
    let mut subject = DistinguishedName::new();
    for (kind, value) in [
        (DnType::CountryName, "US"),
        (DnType::StateOrProvinceName, "OR"),
        (DnType::LocalityName, "Portland"),
        (DnType::OrganizationName, "ConductorOne"),
        (DnType::OrganizationalUnitName, "connector sdk"),
        (DnType::CommonName, name),
    ] {
        subject.push(kind, value);
    }
    let mut params = CertificateParams::default();
    params.not_before = now;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.distinguished_name = subject;
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ClientAuth,
        ExtendedKeyUsagePurpose::ServerAuth,
    ];
    Ok(params)
}

fn authority_params(now: OffsetDateTime) -> Result<CertificateParams, ChildError> {
    let mut params = params(CA_NAME, now)?;
    let year = now.year() + CA_YEARS;
    // The day after the 28th of February where a year has no 29th.
    let end = now.replace_year(year);
    params.not_after = end.unwrap_or_else(|_| now + Duration::days(365 * i64::from(CA_YEARS)));
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyCertSign,
    ];
    Ok(params)
}

fn leaf(
    name: &str,
    now: OffsetDateTime,
    issuer: &Issuer<'_, KeyPair>,
    authority: &CertificateDer<'static>,
) -> Result<Credential, ChildError> {
    let failed = |error: rcgen::Error| ChildError::Certificates {
        reason: error.to_string(),
    };
    let key = KeyPair::generate_for(&PKCS_ED25519).map_err(failed)?;
    let mut params = params(name, now)?;
    params.not_after = now + Duration::days(LEAF_DAYS);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.subject_alt_names = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
        .map(|address: IpAddr| SanType::IpAddress(address))
        .to_vec();
    let certificate = params.signed_by(&key, issuer).map_err(failed)?;
    Ok(Credential {
        authority: authority.clone(),
        certificate: certificate.der().clone(),
        key: raw_key(&key)?,
    })
}

/// Seed and public key.
fn raw_key(key: &KeyPair) -> Result<Zeroizing<Vec<u8>>, ChildError> {
    let der = Zeroizing::new(key.serialize_der());
    let seed = der
        .get(SEED_IN_PKCS8)
        .ok_or_else(|| ChildError::Certificates {
            reason: "the library made a key in an unknown form".to_owned(),
        })?;
    Ok(Zeroizing::new([seed, key.public_key_raw()].concat()))
}
