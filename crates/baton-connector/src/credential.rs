//! Credentials: which kinds there are, replacing them, and issuing more.

use async_trait::async_trait;
use baton_crypto::{Hidden, LocalOptions, Plaintext, password};
use baton_proto::Code;
use baton_proto::c1::connector::v2;
use prost_types::Timestamp;
use v2::CapabilityDetailCredentialOption as Kind;
use v2::local_credential_options::Options;

use crate::call::Call;
use crate::change::Creation;
use crate::error::{Error, Result};
use crate::sealing::Answered;

/// The kinds of credential that a type offers, one of them preferred.
///
/// ```
/// use baton_connector::CredentialKinds;
///
/// let kinds = CredentialKinds::random_password().or_no_password();
/// # let _ = kinds;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct CredentialKinds {
    kinds: Vec<Kind>,
}

impl CredentialKinds {
    /// A kind, which is the preferred one.
    pub fn preferred(kind: Kind) -> Self {
        Self { kinds: vec![kind] }
    }

    /// Accounts without a password.
    pub fn no_password() -> Self {
        Self::preferred(Kind::NoPassword)
    }

    /// A random password.
    pub fn random_password() -> Self {
        Self::preferred(Kind::RandomPassword)
    }

    /// One more kind.
    pub fn or(mut self, kind: Kind) -> Self {
        if !self.kinds.contains(&kind) {
            self.kinds.push(kind);
        }
        self
    }

    /// Also accounts without a password.
    pub fn or_no_password(self) -> Self {
        self.or(Kind::NoPassword)
    }

    /// Also random passwords.
    pub fn or_random_password(self) -> Self {
        self.or(Kind::RandomPassword)
    }

    /// All kinds, as they are announced.
    pub(crate) fn supported(&self) -> Vec<i32> {
        self.kinds.iter().map(|kind| i32::from(*kind)).collect()
    }

    pub(crate) fn preferred_kind(&self) -> i32 {
        self.kinds.first().copied().unwrap_or_default().into()
    }

    /// Refuses options of a kind that is not offered.
    pub(crate) fn check(&self, options: Option<&LocalOptions>) -> Result<()> {
        let asked = options.and_then(|options| options.expose().options.as_ref());
        let (kind, name) = match asked {
            None => return Ok(()),
            Some(Options::NoPassword(_)) => (Kind::NoPassword, "no password"),
            Some(Options::RandomPassword(_)) => (Kind::RandomPassword, "a random password"),
            Some(Options::PlaintextPassword(_)) => (Kind::EncryptedPassword, "a given password"),
            Some(Options::Sso(_)) => (Kind::Sso, "single sign-on"),
        };
        if self.kinds.contains(&kind) {
            return Ok(());
        }
        let text = format!("{name} is not among the credential options of the resource type");
        Err(Error::stated(Code::InvalidArgument, text))
    }
}

/// The password that credential options ask for; `None` if they ask for none.
pub(crate) fn password_of(options: Option<&LocalOptions>) -> Result<Option<Hidden<String>>> {
    let Some(options) = options.map(LocalOptions::expose) else {
        return Ok(None);
    };
    match options.options {
        Some(Options::RandomPassword(_) | Options::PlaintextPassword(_)) => {
            let made = password::of_options(options);
            made.map(Some).map_err(|error| {
                Error::caused(Code::InvalidArgument, "cannot make the password", error)
            })
        }
        _ => Ok(None),
    }
}

/// A credential that is wanted in place of the present one.
#[derive(Debug)]
pub struct NewCredential {
    resource_id: v2::ResourceId,
    options: Option<LocalOptions>,
}

impl NewCredential {
    pub(crate) fn new(resource_id: v2::ResourceId, options: Option<LocalOptions>) -> Self {
        Self {
            resource_id,
            options,
        }
    }

    /// Whose credential it is.
    pub fn resource_id(&self) -> &v2::ResourceId {
        &self.resource_id
    }

    /// The password that it gets: a new random one, or the given one. `None` if
    /// none is wanted.
    ///
    /// # Errors
    /// A random password that cannot be made as it is wanted.
    pub fn password(&self) -> Result<Option<Hidden<String>>> {
        password_of(self.options.as_ref())
    }

    /// The options of the request; `None` if it has none.
    pub fn options(&self) -> Option<&LocalOptions> {
        self.options.as_ref()
    }
}

/// Describes how credentials of resources of one type are replaced. Registered
/// with [`TypeSpec::credential_manager`](crate::TypeSpec::credential_manager).
#[async_trait]
pub trait CredentialManager: Send + Sync {
    /// What replaces the credential, and gives the new secrets. Sends reads
    /// only.
    ///
    /// # Errors
    /// Why it must not be replaced.
    async fn rotate(&self, call: &Call, wanted: &NewCredential)
    -> Result<Creation<Vec<Plaintext>>>;
}

/// A further credential that is wanted. Its request passed all checks.
#[derive(Debug, Clone, Copy)]
pub struct IssueRequest<'a> {
    /// Whose credential it will be.
    pub identity: &'a v2::ResourceId,
    /// What it will be.
    pub options: &'a v2::CredentialIssueOptions,
    /// The same id once more must not make a second secret.
    pub request_id: &'a str,
    /// When it ends at the latest.
    pub expires_at: Option<&'a Timestamp>,
    /// What the type announced for options of this kind.
    pub descriptor: &'a v2::CredentialIssueOptionDescriptor,
}

/// A credential that was issued.
#[derive(Debug)]
pub struct IssuedCredential {
    /// The resource of the secret, with its `SecretTrait`.
    pub secret: v2::Resource,
    /// Whether a sync lists the secret.
    pub resource_mode: v2::CredentialResourceMode,
    /// The values; they are encrypted before they leave the connector.
    pub values: Vec<Plaintext>,
}

/// Describes how further credentials of resources of one type are made.
/// Registered with [`TypeSpec::credential_issuer`](crate::TypeSpec::credential_issuer).
#[async_trait]
pub trait CredentialIssuer: Send + Sync {
    /// What makes the credential. Sends reads only.
    ///
    /// # Errors
    /// Why it must not be made.
    async fn issue(
        &self,
        call: &Call,
        wanted: &IssueRequest<'_>,
    ) -> Result<Creation<IssuedCredential>>;
}

/// Replaces and issues credentials, as an engine asks for it:
/// `CredentialManagerService`.
#[async_trait]
pub trait Credentials: Send + Sync {
    /// Replaces the credential of a resource.
    ///
    /// # Errors
    /// Code `Unimplemented` without a credential manager for the type;
    /// `InvalidArgument` for a request that is refused before anything is sent.
    async fn rotate(
        &self,
        call: &Call,
        request: &v2::RotateCredentialRequest,
    ) -> Result<Answered<v2::RotateCredentialResponse>>;

    /// Makes a further credential.
    ///
    /// # Errors
    /// As [`Credentials::rotate`]; `Internal` if what the connector made breaks
    /// a rule.
    async fn issue(
        &self,
        call: &Call,
        request: &v2::IssueCredentialRequest,
    ) -> Result<Answered<v2::IssueCredentialResponse>>;
}
