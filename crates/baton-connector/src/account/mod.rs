//! Creating accounts: the author's side and the engine's side.
//!
//! A creation is a change: an [`AccountManager`] describes it, and it is carried
//! out in the one place that carries changes out. What the request has is
//! checked before: the profile against the [`AccountSchema`], the kind of
//! credential against what the type announces, and the recipients of secrets.
//! So nothing is found wrong after the account exists.

mod address;
mod schema;

use async_trait::async_trait;
use baton_crypto::{Hidden, LocalOptions, Plaintext};
use baton_proto::c1::connector::v2;
use prost_types::{Any, Timestamp};
use v2::create_account_response as wire;

use crate::call::Call;
use crate::change::Creation;
use crate::credential::password_of;
use crate::error::Result;
use crate::sealing::Answered;

pub use schema::{AccountField, AccountProfile, AccountSchema};

/// Describes how accounts of one type are created. Registered with
/// [`TypeSpec::account_manager`](crate::TypeSpec::account_manager).
#[async_trait]
pub trait AccountManager: Send + Sync {
    /// What creates the account; see [`Change::create`](crate::Change::create).
    /// Sends reads only. The change must know how to look for the account
    /// ([`Change::read_back`](crate::Change::read_back)), since it is created
    /// only once.
    ///
    /// # Errors
    /// Why it must not be created.
    async fn create(&self, call: &Call, wanted: &NewAccount) -> Result<Creation<Account>>;

    /// The fields without which no account can be created, where that is decided
    /// by settings. `None`: those that the schema requires.
    fn required(&self) -> Option<&[&str]> {
        None
    }
}

/// An account that is wanted. Its request passed all checks.
#[derive(Debug)]
pub struct NewAccount {
    profile: AccountProfile,
    info: v2::AccountInfo,
    credential: Option<LocalOptions>,
}

impl NewAccount {
    pub(crate) fn new(
        schema: &AccountSchema,
        required: Option<&[&str]>,
        info: v2::AccountInfo,
        credential: Option<LocalOptions>,
    ) -> Result<Self> {
        Ok(Self {
            profile: schema.read(&info, required)?,
            info,
            credential,
        })
    }

    /// The values of the schema's fields.
    pub fn profile(&self) -> &AccountProfile {
        &self.profile
    }

    /// The login of the request; empty if it has none.
    pub fn login(&self) -> &str {
        &self.info.login
    }

    /// The primary e-mail address of the request; the first if none is primary.
    pub fn email(&self) -> Option<&str> {
        schema::email(&self.info)
    }

    /// The whole request, with what no schema has.
    pub fn info(&self) -> &v2::AccountInfo {
        &self.info
    }

    /// The password that the account gets: a new random one, or the given one.
    /// `None` if it gets none.
    ///
    /// # Errors
    /// A random password that cannot be made as it is wanted.
    pub fn password(&self) -> Result<Option<Hidden<String>>> {
        password_of(self.credential.as_ref())
    }

    /// The person must change the password at the next login.
    pub fn must_change_password(&self) -> bool {
        let options = self.credential.as_ref();
        options.is_some_and(|options| options.expose().force_change_at_next_login)
    }

    /// The options of its credential; `None` if the request has none.
    pub fn credential(&self) -> Option<&LocalOptions> {
        self.credential.as_ref()
    }
}

/// What came of a creation.
#[derive(Debug, Clone, PartialEq)]
pub enum AccountOutcome {
    /// The account is there, and was created.
    Created {
        /// The account.
        resource: v2::Resource,
        /// Until when the person can accept an invitation.
        invitation_expires_at: Option<Timestamp>,
    },
    /// The account was there before.
    AlreadyExists {
        /// The account.
        resource: v2::Resource,
    },
    /// A person must do something first.
    ActionRequired {
        /// The account, as far as it is there.
        resource: Option<v2::Resource>,
        /// What must be done, as a sentence.
        message: String,
    },
    /// The application has not finished.
    InProgress {
        /// The account, as far as it is known: its id may be absent.
        resource: Option<v2::Resource>,
    },
}

/// An account that was created, with its secrets.
#[derive(Debug)]
pub struct Account {
    /// What came of the creation.
    pub outcome: AccountOutcome,
    /// Secrets that were made; they are encrypted before they leave the
    /// connector.
    pub secrets: Vec<Plaintext>,
    /// Annotations of the answer.
    pub annotations: Vec<Any>,
    /// What the user must know, besides the outcome.
    pub warnings: Vec<String>,
}

impl Account {
    /// What came of a creation, without secrets.
    pub fn new(outcome: AccountOutcome) -> Self {
        Self {
            outcome,
            secrets: Vec::new(),
            annotations: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// An account that was created.
    pub fn created(resource: v2::Resource) -> Self {
        Self::new(AccountOutcome::Created {
            resource,
            invitation_expires_at: None,
        })
    }

    /// Adds a secret.
    #[must_use]
    pub fn secret(mut self, secret: Plaintext) -> Self {
        self.secrets.push(secret);
        self
    }

    /// Adds a sentence that the user must read, as that the account is not
    /// active. It may name the connector's own flags and actions only.
    #[must_use]
    pub fn warning(mut self, sentence: impl Into<String>) -> Self {
        self.warnings.push(sentence.into());
        self
    }

    /// The account itself, if its id is known.
    pub(crate) fn identified(&self) -> Option<&v2::Resource> {
        let resource = match &self.outcome {
            AccountOutcome::Created { resource, .. }
            | AccountOutcome::AlreadyExists { resource } => Some(resource),
            AccountOutcome::ActionRequired { resource, .. }
            | AccountOutcome::InProgress { resource } => resource.as_ref(),
        };
        let has_id = |id: &v2::ResourceId| !id.resource.is_empty();
        resource.filter(|resource| resource.id.as_ref().is_some_and(has_id))
    }
}

impl From<AccountOutcome> for wire::Result {
    fn from(outcome: AccountOutcome) -> Self {
        let is_create_account_result = true;
        match outcome {
            AccountOutcome::Created {
                resource,
                invitation_expires_at,
            } => Self::Success(wire::SuccessResult {
                resource: Some(resource),
                invitation_expires_at,
                is_create_account_result,
            }),
            AccountOutcome::AlreadyExists { resource } => {
                Self::AlreadyExists(wire::AlreadyExistsResult {
                    resource: Some(resource),
                    is_create_account_result,
                })
            }
            AccountOutcome::ActionRequired { resource, message } => {
                Self::ActionRequired(wire::ActionRequiredResult {
                    resource,
                    message,
                    is_create_account_result,
                })
            }
            AccountOutcome::InProgress { resource } => Self::InProgress(wire::InProgressResult {
                resource,
                is_create_account_result,
            }),
        }
    }
}

/// Creates accounts, as an engine asks for it: `AccountManagerService`.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// Creates an account. Without a type in the request, the only type with
    /// accounts serves it, else the type `user`.
    ///
    /// # Errors
    /// Code `Unimplemented` without an account manager for the type;
    /// `InvalidArgument` for a request that is refused before anything is sent;
    /// `Unavailable` with "not known" if the outcome is not known.
    async fn create_account(
        &self,
        call: &Call,
        request: &v2::CreateAccountRequest,
    ) -> Result<Answered<v2::CreateAccountResponse>>;
}
