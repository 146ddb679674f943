//! Users of an identity provider (§11): what a client wrote, and the account that belongs to it.

use std::time::Duration;

use serde_json::{Map, Value};

use super::{AccountStatus, Membership, Organization, Subject, User};
use crate::ids::{self, Kind};

/// When answers name the account of a new record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ScimAccountId {
    /// In the answer that creates it.
    #[default]
    AtOnce,
    /// In reads after this time.
    After(Duration),
    /// In no answer.
    Never,
}

/// What becomes of a new user of an identity provider whose address has a domain that the organization has not verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnverifiedDomain {
    /// It is refused with 400.
    #[default]
    Refused,
    /// It gets an unmanaged account that is in no directory, so that no list has it.
    Outside,
}

/// When a record was made and last changed, by the clock's elapsed time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ScimTimes {
    pub created: Duration,
    pub modified: Duration,
}

impl ScimTimes {
    pub(crate) fn new(at: Duration) -> Self {
        Self {
            created: at,
            modified: at,
        }
    }
}

/// One user of an identity provider.
#[derive(Clone, Debug)]
pub(crate) struct ScimRecord {
    pub directory: u8,
    pub times: ScimTimes,
    /// As the client wrote them, without `id`, `meta` and `schemas`.
    pub attributes: Map<String, Value>,
    pub account: u32,
    pub shows_account: bool,
    pub gone: bool,
}

impl ScimRecord {
    pub(crate) fn text(&self, name: &str) -> &str {
        self.attributes
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    pub(crate) fn is_active(&self) -> bool {
        self.attributes.get("active") != Some(&Value::Bool(false))
    }
}

/// The primary e-mail address of a record's attributes.
pub(crate) fn primary_email(attributes: &Map<String, Value>) -> Option<&str> {
    let emails = attributes.get("emails")?.as_array()?;
    let mut primary = emails.iter().filter(|e| e["primary"] == Value::Bool(true));
    match (primary.next(), primary.next()) {
        (Some(one), None) => one["value"].as_str().filter(|v| v.contains('@')),
        _ => None,
    }
}

impl Organization {
    pub(crate) fn scim_id(&self, record: u32) -> String {
        ids::uuid(self.seed, Kind::Scim, record)
    }

    /// A record of a directory, by id.
    pub(crate) fn find_scim(&self, directory: u8, id: &str) -> Option<(u32, &ScimRecord)> {
        let number = ids::uuid_ordinal(self.seed, Kind::Scim, id)?;
        let record = self.scim.get(number as usize)?;
        (record.directory == directory && !record.gone).then_some((number, record))
    }

    /// The living records of a directory in creation order.
    pub(crate) fn scim_of(&self, directory: u8) -> impl Iterator<Item = (u32, &ScimRecord)> {
        (0..)
            .zip(&self.scim)
            .filter(move |(_, r)| r.directory == directory && !r.gone)
    }

    /// Whether the organization has verified the domain of the address.
    pub(crate) fn has_verified(&self, email: &str) -> bool {
        let domain = email.rsplit('@').next().unwrap_or_default();
        self.domains.iter().any(|d| d.eq_ignore_ascii_case(domain))
    }

    /// Adds a record, and its account, hidden, if it has none; gives the record's number.
    pub(super) fn push_scim(
        &mut self,
        directory: u8,
        attributes: &Map<String, Value>,
        account: Option<u32>,
        shows_account: bool,
        at: Duration,
    ) -> u32 {
        let account = account.unwrap_or_else(|| {
            let email = primary_email(attributes).unwrap_or_default();
            let verified = self.has_verified(email);
            let mut user = User::new(verified);
            user.gone = true;
            if verified {
                user.set_membership(directory, Membership::Active);
            }
            let name = attributes
                .get("displayName")
                .or(attributes.get("userName"))
                .and_then(Value::as_str)
                .unwrap_or_default();
            self.push_user(user, name.to_owned(), Some(email.to_owned()))
        });
        let number = u32::try_from(self.scim.len()).unwrap_or(u32::MAX);
        self.scim.push(ScimRecord {
            directory,
            times: ScimTimes::new(at),
            attributes: attributes.clone(),
            account,
            shows_account,
            gone: false,
        });
        number
    }

    /// Shows the account of a new record, and marks it as one that an identity provider manages.
    pub(super) fn show_scim(&mut self, record: u32, accepted: Duration, visible: Duration) {
        let account = self.scim[record as usize].account;
        let user = &mut self.users[account as usize];
        let is_new = std::mem::replace(&mut user.gone, false);
        user.provisioned = user.managed;
        let subject = || Subject::User(account);
        if is_new && user.managed {
            self.record_late(accepted, visible, "user_added_to_org", subject());
        }
        self.record_late(accepted, visible, "user_provisioned", subject());
    }

    /// Replaces a record's attributes; returns whether any was different.
    pub(super) fn set_scim(
        &mut self,
        record: u32,
        attributes: &Map<String, Value>,
        at: Duration,
    ) -> bool {
        let record = &mut self.scim[record as usize];
        if record.attributes == *attributes {
            return false;
        }
        record.attributes.clone_from(attributes);
        record.times.modified = at;
        let account = record.account;
        self.record(at, "user_provisioning_updated", Subject::User(account));
        true
    }

    pub(super) fn remove_scim(&mut self, record: u32, at: Duration) {
        let record = &mut self.scim[record as usize];
        record.gone = true;
        let account = record.account;
        self.record(at, "user_deprovisioned", Subject::User(account));
    }

    /// Whether an account exists that a new record would wake up.
    pub(crate) fn is_deactivated(&self, user: u32) -> bool {
        self.user(user)
            .is_some_and(|u| u.account == AccountStatus::Inactive && !u.for_deletion)
    }
}
