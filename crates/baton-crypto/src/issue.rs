//! Checks around the issue of a credential: of the request before the connector
//! runs, and of what it made (`service-mode.md` §5.4).

use std::collections::HashSet;
use std::time::{SystemTime, UNIX_EPOCH};

use baton_proto::c1::connector::v2;
use baton_proto::{any, time};
use v2::CapabilityDetailCredentialOption as Kind;
use v2::credential_issue_options::Options;
use v2::key_generation_profile::Parameters;

use crate::error::{Error, Result};
use crate::fault::{RequestFault, ResultFault};
use crate::plaintext::Plaintext;
use crate::recipients::Recipients;

const NANOS_PER_SECOND: i128 = 1_000_000_000;
/// Longest id of a request, in bytes.
const MAX_REQUEST_ID_BYTES: usize = 128;

/// A request for a credential that passed every check.
#[derive(Debug)]
pub struct Issue<'a> {
    request: &'a v2::IssueCredentialRequest,
    descriptor: &'a v2::CredentialIssueOptionDescriptor,
    recipients: Recipients,
}

impl<'a> Issue<'a> {
    /// Checks a request against what the issuer for the identity's type offers.
    /// `details` is absent if the type has no issuer; `now` is the present time.
    ///
    /// # Errors
    /// The first rule that the request breaks.
    pub fn check(
        request: &'a v2::IssueCredentialRequest,
        details: Option<&'a v2::CredentialDetailsCredentialIssue>,
        now: SystemTime,
    ) -> Result<Self> {
        if request.identity_id.is_none() {
            return Err(Error::NoIdentity);
        }
        let details = details.ok_or(Error::NoIssuer)?;
        if request.encryption_configs.is_empty() {
            return Err(Error::NoRecipient);
        }
        let recipients = Recipients::parse(&request.encryption_configs)
            .map_err(|error| Error::IssueRecipients(Box::new(error)))?;
        let descriptor = check_request(request, details, now).map_err(Error::IssueRequest)?;
        Ok(Self {
            request,
            descriptor,
            recipients,
        })
    }

    /// What the connector offers for the requested kind.
    pub fn descriptor(&self) -> &'a v2::CredentialIssueOptionDescriptor {
        self.descriptor
    }

    /// Who gets the values of the credential.
    pub fn recipients(&self) -> &Recipients {
        &self.recipients
    }

    /// Checks what the connector made.
    ///
    /// # Errors
    /// [`Error::IssueResult`]: the first rule that it breaks.
    pub fn check_result(
        &self,
        secret: &v2::Resource,
        mode: v2::CredentialResourceMode,
        values: &[Plaintext],
    ) -> Result<()> {
        self.secret_fault(secret)
            .and_then(|()| self.place_fault(secret, mode))
            .and_then(|()| check_values(values))
            .map_err(Error::IssueResult)
    }

    /// Checks the id and the trait of the secret.
    fn secret_fault(&self, secret: &v2::Resource) -> Result<(), ResultFault> {
        let id = secret.id.as_ref().ok_or(ResultFault::NoId)?;
        if id.resource.trim().is_empty() || id.resource_type.trim().is_empty() {
            return Err(ResultFault::IncompleteId);
        }
        let found = any::find::<v2::SecretTrait>(&secret.annotations);
        let found = found.map_err(|_| ResultFault::DamagedTrait)?;
        let found = found.ok_or(ResultFault::NoTrait)?;
        if found.identity_id != self.request.identity_id {
            return Err(ResultFault::Identity);
        }
        let Some(requested) = &self.request.expires_at else {
            return Ok(());
        };
        let expiry = found.expires_at.as_ref().ok_or(ResultFault::NoExpiry)?;
        let expiry = instant(expiry.seconds, expiry.nanos).ok_or(ResultFault::Expiry)?;
        // The request's own was checked before the connector ran.
        if instant(requested.seconds, requested.nanos).is_none_or(|latest| expiry > latest) {
            return Err(ResultFault::ExpiryTooLate);
        }
        Ok(())
    }

    /// Checks where the secret is found, and its type.
    fn place_fault(
        &self,
        secret: &v2::Resource,
        mode: v2::CredentialResourceMode,
    ) -> Result<(), ResultFault> {
        if mode == v2::CredentialResourceMode::Unspecified
            || mode != self.descriptor.resource_mode()
        {
            return Err(ResultFault::ResourceMode);
        }
        let id = secret.id.as_ref().ok_or(ResultFault::NoId)?;
        if id.resource_type != self.descriptor.secret_resource_type_id {
            return Err(ResultFault::ResourceType);
        }
        Ok(())
    }
}

fn check_values(values: &[Plaintext]) -> Result<(), ResultFault> {
    if values.is_empty() {
        return Err(ResultFault::NoValue);
    }
    let mut names = HashSet::new();
    for (at, value) in values.iter().enumerate() {
        if value.name().trim().is_empty() || value.is_empty() {
            return Err(ResultFault::IncompleteValue { at });
        }
        if !names.insert(value.name()) {
            return Err(ResultFault::DuplicateName {
                name: value.name().to_owned(),
            });
        }
    }
    Ok(())
}

/// Nanoseconds since 1970; `None` outside the range of timestamps.
fn instant(seconds: i64, nanos: i32) -> Option<i128> {
    let fits = (time::MIN_SECONDS..=time::MAX_SECONDS).contains(&seconds)
        && (0..NANOS_PER_SECOND).contains(&i128::from(nanos));
    fits.then(|| span(seconds, nanos))
}

fn span(seconds: i64, nanos: i32) -> i128 {
    i128::from(seconds) * NANOS_PER_SECOND + i128::from(nanos)
}

fn since_1970(now: SystemTime) -> i128 {
    let nanos = |d: std::time::Duration| i128::try_from(d.as_nanos()).unwrap_or(i128::MAX);
    match now.duration_since(UNIX_EPOCH) {
        Ok(after) => nanos(after),
        Err(before) => -nanos(before.duration()),
    }
}

fn check_request<'a>(
    request: &v2::IssueCredentialRequest,
    details: &'a v2::CredentialDetailsCredentialIssue,
    now: SystemTime,
) -> Result<&'a v2::CredentialIssueOptionDescriptor, RequestFault> {
    let id = request.request_id.as_bytes();
    let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if id.is_empty() || id.len() > MAX_REQUEST_ID_BYTES || !id.iter().all(is_allowed) {
        return Err(RequestFault::RequestId);
    }
    let options = request.credential_options.as_ref();
    let options = options.and_then(|options| options.options.as_ref());
    let options = options.ok_or(RequestFault::NoKind)?;
    let kind = match options {
        Options::ApiKey(_) => Kind::ApiKey,
        Options::Keypair(_) => Kind::Keypair,
        Options::Token(_) => Kind::Token,
        Options::ClientSecret(_) => Kind::ClientSecret,
    };
    let mut offers = details.options.iter();
    let offer = offers.find(|offer| offer.option() == kind);
    let offer = offer.ok_or(RequestFault::Kind {
        kind: kind.as_str_name(),
    })?;
    if offer.resource_mode() == v2::CredentialResourceMode::Unspecified {
        return Err(RequestFault::NoResourceMode);
    }
    check_options(options, offer)?;
    check_expiry(request, offer, now)?;
    Ok(offer)
}

fn check_options(
    options: &Options,
    offer: &v2::CredentialIssueOptionDescriptor,
) -> Result<(), RequestFault> {
    let scopes =
        |given: &[String]| check_listed("scope", given, &offer.scopes, offer.custom_scopes_allowed);
    match options {
        Options::Keypair(keypair) => {
            let profile = keypair.profile.as_ref().ok_or(RequestFault::NoProfile)?;
            check_profile(profile)?;
            if !offer.key_profiles.contains(profile) {
                return Err(RequestFault::Profile);
            }
            Ok(())
        }
        Options::ApiKey(key) => scopes(&key.scopes),
        Options::Token(token) => {
            scopes(&token.scopes)?;
            let custom = offer.custom_audiences_allowed;
            check_listed("audience", &token.audiences, &offer.audiences, custom)
        }
        Options::ClientSecret(_) => Ok(()),
    }
}

fn check_profile(profile: &v2::KeyGenerationProfile) -> Result<(), RequestFault> {
    let is_curve = |known: &[&str]| matches!(&profile.parameters, Some(Parameters::Crv(name)) if known.contains(&name.as_str()));
    match (profile.kty.as_str(), &profile.parameters) {
        ("RSA", Some(Parameters::RsaModulusBits(bits))) => {
            if (2048..=16384).contains(bits) && bits % 256 == 0 {
                Ok(())
            } else {
                Err(RequestFault::RsaBits)
            }
        }
        ("RSA", _) => Err(RequestFault::RsaParameters),
        ("EC", _) if is_curve(&["P-256", "P-384", "P-521"]) => Ok(()),
        ("EC", _) => Err(RequestFault::EcCurve),
        ("OKP", _) if is_curve(&["Ed25519", "Ed448", "X25519", "X448"]) => Ok(()),
        ("OKP", _) => Err(RequestFault::OkpCurve),
        (kty, _) => Err(RequestFault::KeyType {
            kty: kty.to_owned(),
        }),
    }
}

/// Checks scopes or audiences: not blank, no duplicates, and offered.
fn check_listed(
    what: &'static str,
    given: &[String],
    offered: &[String],
    custom: bool,
) -> Result<(), RequestFault> {
    let offered: HashSet<&str> = offered.iter().map(String::as_str).collect();
    let mut seen = HashSet::new();
    for value in given {
        if value.trim().is_empty() {
            return Err(RequestFault::Blank { what });
        }
        let value = value.as_str();
        if !seen.insert(value) {
            let value = value.to_owned();
            return Err(RequestFault::Duplicate { what, value });
        }
        if !custom && !offered.contains(value) {
            let value = value.to_owned();
            return Err(RequestFault::Value { what, value });
        }
    }
    Ok(())
}

fn check_expiry(
    request: &v2::IssueCredentialRequest,
    offer: &v2::CredentialIssueOptionDescriptor,
    now: SystemTime,
) -> Result<(), RequestFault> {
    let Some(wanted) = &request.expires_at else {
        return Ok(());
    };
    let wanted = instant(wanted.seconds, wanted.nanos).ok_or(RequestFault::Expiry)?;
    let left = wanted - since_1970(now);
    if left <= 0 {
        return Err(RequestFault::Expired);
    }
    let limits = offer.expiry.as_ref().ok_or(RequestFault::NoExpiry)?;
    if limits
        .min
        .as_ref()
        .is_some_and(|min| left < span(min.seconds, min.nanos))
    {
        return Err(RequestFault::ExpiryTooSoon);
    }
    if limits
        .max
        .as_ref()
        .is_some_and(|max| left > span(max.seconds, max.nanos))
    {
        return Err(RequestFault::ExpiryTooLate);
    }
    Ok(())
}
