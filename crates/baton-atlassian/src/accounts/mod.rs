//! Accounts: creating, suspending and deleting them, and revoking their API
//! tokens. What is refused is refused before anything is sent. Sends reads only: the writes are
//! described.

mod deletion;
mod invitation;
mod scim;
mod suspension;
mod tokens;

use std::time::Duration;

use async_trait::async_trait;
use baton_connector::{
    Account, AccountManager, AccountOutcome, Call, Creation, Error, NewAccount, Result, v2,
};
use baton_proto::Code;

use crate::api::{api_code, names_a_scope};
use crate::mapping::account_fields::EMAIL;
use crate::syncers::{AccountSource, Users};

/// Waits before each further look at what Atlassian does in the background.
const LOOKS: [Duration; 4] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
];

#[async_trait]
impl AccountManager for Users {
    async fn create(&self, call: &Call, wanted: &NewAccount) -> Result<Creation<Account>> {
        match &self.0.accounts {
            AccountSource::Scim(provider) => scim::create(&self.0, provider, wanted),
            AccountSource::Invitations => invitation::invite(&self.0, call, wanted).await,
            AccountSource::Incomplete { given, missing } => {
                let text = format!("cannot create accounts: {given} is set, and {missing} is not");
                let hint = format!(
                    "set {missing} to create accounts in the directory of the identity provider, \
                     or neither to invite people by e-mail"
                );
                Err(Error::stated(Code::FailedPrecondition, text).with_hint(hint))
            }
        }
    }

    fn required(&self) -> Option<&[&str]> {
        match &self.0.accounts {
            AccountSource::Invitations => Some(&[EMAIL]),
            AccountSource::Scim(_) | AccountSource::Incomplete { .. } => None,
        }
    }
}

/// An account that was there before, with what can be done where it is inactive.
fn existing(resource: v2::Resource, is_active: bool) -> Account {
    let account = Account::new(AccountOutcome::AlreadyExists { resource });
    if is_active {
        return account;
    }
    account
        .warning("the account is not active: run the action `enable_user` to give it access again")
}

/// The error of what the account API refuses (403): the key may not, or the
/// organization does not manage the account.
fn refused(doing: &str, error: Error) -> Error {
    let message = error
        .request()
        .and_then(|request| request.api_message.as_deref());
    if names_a_scope(message.unwrap_or_default()) {
        let text = format!("cannot {doing}: the API key has scopes");
        let hint = "create an organization API key without scopes as an organization admin, and \
                    give it with --access-token";
        return Error::caused(Code::PermissionDenied, text, error).with_hint(hint);
    }
    if matches!(api_code(&error), "forbidden" | "forbidden.targetUnverified") {
        let text = format!("cannot {doing}: the organization does not manage the account");
        return Error::caused(Code::FailedPrecondition, text, error).with_hint(UNMANAGED);
    }
    error.during(format!("cannot {doing}"))
}

const UNMANAGED: &str = "an organization manages the accounts of its verified domains, through an \
                         API key of an organization admin: remove this account from the \
                         organization at https://admin.atlassian.com instead";

/// The error for an account that is not the organization's.
fn unmanaged(doing: &str) -> Error {
    let text = format!("cannot {doing}: the organization does not manage the account");
    Error::stated(Code::FailedPrecondition, text).with_hint(UNMANAGED)
}
