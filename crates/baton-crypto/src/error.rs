//! The one error type of this crate. No error holds a secret.

use baton_proto::Code;

use crate::fault::{OptionsFault, RequestFault, ResultFault};

/// Result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A password of this length cannot be made.
    #[error("invalid password length")]
    PasswordLength,
    /// The constraints need more characters than the password has.
    #[error("password length {length} is less than the sum of constraints minimums ({minimums})")]
    PasswordTooShort {
        /// Characters of the password.
        length: u64,
        /// Characters that the constraints require.
        minimums: u64,
    },
    /// A constraint requires characters of a set that has none.
    #[error("password constraint {number} requires characters of an empty set")]
    EmptyCharacterSet {
        /// The number of the constraint, from 1.
        number: usize,
    },
    /// The options ask for no password that can be made.
    #[error("unknown credential options")]
    UnknownOptions,
    /// The system gives no random numbers.
    #[error("the operating system gives no random numbers")]
    NoRandomness,
    /// No provider of this name encrypts.
    #[error("crypto/providers: encryption provider not registered{}", in_parentheses(.name))]
    UnknownProvider {
        /// The name, or empty.
        name: String,
    },
    /// The recipient's key is not a JWK.
    #[error("jwk: failed to unmarshal jwk: {reason}")]
    NotJwk {
        /// What is wrong with it.
        reason: String,
    },
    /// The key is of a type that cannot be used.
    #[error("jwk: unsupported key type")]
    KeyType,
    /// The age recipient cannot be used.
    #[error("age: invalid recipient: {reason}")]
    AgeRecipient {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The recipient's key cannot be used.
    #[error("invalid recipient: {reason}")]
    Recipient {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Encryption failed.
    #[error("cannot encrypt to {recipient}")]
    Encrypt {
        /// The id of the recipient's key.
        recipient: String,
    },
    /// Decryption failed: another key, or damaged data.
    #[error("cannot decrypt: the data is damaged, or it is for another key")]
    Decrypt,
    /// The credential options of a request cannot be given to a connector.
    #[error(
        "error: converting credential options failed: rpc error: code = {code} desc = {0}",
        code = .0.code().name()
    )]
    Options(OptionsFault),
    /// A credential is requested for no identity.
    #[error("identity id is required")]
    NoIdentity,
    /// The type of the identity has no issuer.
    #[error("resource type does not have credential issuer configured")]
    NoIssuer,
    /// A credential is requested that no recipient could read.
    #[error("at least one encryption config is required for credential issuance")]
    NoRecipient,
    /// A recipient of the credential cannot be used.
    #[error("error: creating encryption manager failed: {0}")]
    IssueRecipients(Box<Error>),
    /// The request for a credential breaks a rule.
    #[error("invalid credential issuance request: {0}")]
    IssueRequest(RequestFault),
    /// What the connector issued breaks a rule.
    #[error("connector returned invalid credential issuance output: {0}")]
    IssueResult(ResultFault),
    /// The client id has another form.
    #[error("invalid client id")]
    ClientId,
    /// The client secret has another form.
    #[error("invalid client secret")]
    ClientSecret,
}

fn in_parentheses(name: &str) -> String {
    if name.is_empty() {
        String::new()
    } else {
        format!(" ({name})")
    }
}

impl Error {
    /// The gRPC code of the failure.
    pub fn code(&self) -> Code {
        match self {
            Self::NotJwk { .. }
            | Self::AgeRecipient { .. }
            | Self::Recipient { .. }
            | Self::PasswordTooShort { .. }
            | Self::EmptyCharacterSet { .. }
            | Self::UnknownOptions
            | Self::NoIdentity
            | Self::NoRecipient
            | Self::IssueRecipients(_)
            | Self::IssueRequest(_) => Code::InvalidArgument,
            Self::NoIssuer => Code::Unimplemented,
            Self::Options(fault) => fault.code(),
            Self::Encrypt { .. } | Self::Decrypt | Self::NoRandomness | Self::IssueResult(_) => {
                Code::Internal
            }
            // Plain errors in the Go SDK.
            Self::PasswordLength
            | Self::UnknownProvider { .. }
            | Self::KeyType
            | Self::ClientId
            | Self::ClientSecret => Code::Unknown,
        }
    }
}
