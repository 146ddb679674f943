//! What can be wrong with options and credentials: the rules by name, with the
//! texts of the SDK.

use baton_proto::Code;

/// Why the credential options of a request cannot be given to a connector.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OptionsFault {
    /// The options have no kind.
    #[error("invalid credential options")]
    NoKind,
    /// There are recipients, and the sender knows the password already.
    #[error("encryption configs should never be supplied for encrypted passwords")]
    EncryptionConfigs,
    /// There is no key to decrypt with.
    #[error("client-secret is required")]
    NoClientSecret,
    /// No copy is for the client secret.
    #[error("no encrypted password matched client secret key id \"{id}\"")]
    NoMatch {
        /// The id of the client secret's key.
        id: String,
    },
    /// The copies for the client secret are damaged, or for another key.
    #[error("cannot decrypt the password: the data is damaged, or it is for another key")]
    Decrypt,
    /// A decrypted password is no text.
    #[error("the decrypted password is not valid UTF-8")]
    NotText,
}

impl OptionsFault {
    /// The gRPC code of the fault.
    pub fn code(&self) -> Code {
        match self {
            Self::Decrypt | Self::NotText => Code::Internal,
            Self::NoKind
            | Self::EncryptionConfigs
            | Self::NoClientSecret
            | Self::NoMatch { .. } => Code::InvalidArgument,
        }
    }
}

/// Why a credential is not issued.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestFault {
    /// The id of the request has a wrong form.
    #[error(
        "request id must be 1..128 characters containing only letters, digits, underscore, or \
         hyphen"
    )]
    RequestId,
    /// The options have no kind.
    #[error("unsupported credential option")]
    NoKind,
    /// The connector does not offer this kind.
    #[error("credential option {kind} is not advertised by connector")]
    Kind {
        /// The kind, as the wire names it.
        kind: &'static str,
    },
    /// The connector does not name where the secret is found.
    #[error("credential resource mode must be advertised")]
    NoResourceMode,
    /// A key pair without a profile.
    #[error("key generation profile is required")]
    NoProfile,
    /// An RSA profile with other parameters.
    #[error("RSA profile requires rsa_modulus_bits and no curve")]
    RsaParameters,
    /// An RSA modulus of a size that is not allowed.
    #[error("RSA modulus bits must be 2048..16384 in 256-bit increments")]
    RsaBits,
    /// An EC profile without a known curve.
    #[error("EC profile requires a recognized P-256, P-384, or P-521 curve")]
    EcCurve,
    /// An OKP profile without a known curve.
    #[error("OKP profile requires a recognized curve")]
    OkpCurve,
    /// A key type that has no profile.
    #[error("unsupported JWK key type {kty:?}")]
    KeyType {
        /// The type that came.
        kty: String,
    },
    /// A profile that the connector does not offer.
    #[error("requested key generation profile is not advertised by connector")]
    Profile,
    /// A scope or an audience that is blank.
    #[error("{what} must not be empty")]
    Blank {
        /// `scope` or `audience`.
        what: &'static str,
    },
    /// A scope or an audience that is given twice.
    #[error("duplicate {what} {value:?}")]
    Duplicate {
        /// `scope` or `audience`.
        what: &'static str,
        /// The value that came.
        value: String,
    },
    /// A scope or an audience that the connector does not offer.
    #[error("{what} {value:?} is not advertised by connector")]
    Value {
        /// `scope` or `audience`.
        what: &'static str,
        /// The value that came.
        value: String,
    },
    /// An expiry that is outside the range of timestamps.
    #[error("expires_at must be valid")]
    Expiry,
    /// An expiry that has passed.
    #[error("expires_at must be in the future")]
    Expired,
    /// The connector sets the expiry itself.
    #[error("connector does not support caller-selected expiry")]
    NoExpiry,
    /// The time left is too short for the connector.
    #[error("requested expiry is below connector minimum")]
    ExpiryTooSoon,
    /// The time left is too long for the connector.
    #[error("requested expiry exceeds connector maximum")]
    ExpiryTooLate,
}

/// What is wrong with a credential that a connector issued.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResultFault {
    /// The secret has no id.
    #[error("secret resource and id are required")]
    NoId,
    /// A part of the secret's id is blank.
    #[error("secret resource id is incomplete")]
    IncompleteId,
    /// The trait cannot be read.
    #[error("read secret trait: it is damaged")]
    DamagedTrait,
    /// The secret has no trait.
    #[error("secret resource must carry SecretTrait")]
    NoTrait,
    /// The secret is of another identity.
    #[error("secret trait identity_id does not match authenticating principal")]
    Identity,
    /// An expiry was requested, and the secret has none.
    #[error("secret trait expires_at is required when expiry was requested")]
    NoExpiry,
    /// The secret's expiry is outside the range of timestamps.
    #[error("secret trait expires_at is invalid")]
    Expiry,
    /// The secret expires later than requested.
    #[error("secret trait expires_at exceeds requested expiry")]
    ExpiryTooLate,
    /// The secret is found in another place than offered.
    #[error("credential resource mode does not match advertised capability")]
    ResourceMode,
    /// The secret is of another type than offered.
    #[error("secret resource type does not match advertised capability")]
    ResourceType,
    /// There is no value.
    #[error("at least one plaintext value is required")]
    NoValue,
    /// A value has no name or no bytes.
    #[error("plaintext value {at} must have a name and non-empty bytes")]
    IncompleteValue {
        /// The place of the value, from 0.
        at: usize,
    },
    /// Two values have one name.
    #[error("duplicate plaintext value name {name:?}")]
    DuplicateName {
        /// The name.
        name: String,
    },
}
