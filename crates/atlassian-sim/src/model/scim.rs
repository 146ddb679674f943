//! Records of an identity provider (§11): what a client wrote, and the account that belongs to it.

use std::time::Duration;

use serde_json::{Map, Value};

use super::step::AccountChange;
use super::{Membership, Organization, User};
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

/// One user of an identity provider.
#[derive(Clone, Debug)]
pub(crate) struct ScimRecord {
    pub directory: u8,
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

    /// Adds a record, and its account if that does not exist; gives the record's number and the new account.
    pub(super) fn push_scim(
        &mut self,
        directory: u8,
        attributes: &Map<String, Value>,
        shows_account: bool,
    ) -> (u32, Option<u32>) {
        let email = primary_email(attributes).unwrap_or_default();
        let known = self.find_email(email);
        let account = known.unwrap_or_else(|| {
            let mut user = User::new(true);
            user.gone = true;
            user.provisioned = true;
            user.set_membership(directory, Membership::Active);
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
            attributes: attributes.clone(),
            account,
            shows_account,
            gone: false,
        });
        (number, known.is_none().then_some(account))
    }

    /// Replaces a record's attributes; gives what happens to its account.
    pub(super) fn set_scim(
        &mut self,
        record: u32,
        attributes: &Map<String, Value>,
    ) -> (bool, Option<(u32, AccountChange)>) {
        let record = &mut self.scim[record as usize];
        if record.attributes == *attributes {
            return (false, None);
        }
        let before = record.is_active();
        record.attributes.clone_from(attributes);
        let change = match (before, record.is_active()) {
            (true, false) => Some(AccountChange::Disable),
            (false, true) => Some(AccountChange::Enable),
            _ => None,
        };
        (true, change.map(|c| (record.account, c)))
    }
}
