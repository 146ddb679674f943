//! API keys of the organization: the configured ones, and those that clients make.

use std::time::Duration;

use super::{Organization, Subject};
use crate::config::AccessKey;
use crate::ids::{self, Kind};

/// One API key. Its number is its place, which is never reused.
#[derive(Clone, Debug)]
pub(crate) struct KeyRecord {
    pub key: AccessKey,
    pub label: String,
    /// By the clock's elapsed time; `None`: before the simulator was made.
    pub created: Option<Duration>,
    pub revoked: bool,
}

impl KeyRecord {
    /// A key that is there from the start.
    pub(crate) fn configured(number: usize, key: AccessKey) -> Self {
        Self {
            key,
            label: format!("admin key {number}"),
            created: None,
            revoked: false,
        }
    }
}

impl Organization {
    pub(crate) fn key_id(&self, number: u32) -> String {
        ids::uuid(self.seed, Kind::Key, number)
    }

    /// The number of a living key with this token.
    pub(crate) fn key_with_token(&self, token: &str) -> Option<usize> {
        let fits = |k: &KeyRecord| !k.revoked && k.key.token == token;
        self.keys.iter().position(fits)
    }

    /// A key by number, if it lives and is this organization's.
    pub(crate) fn own_key(&self, number: u32) -> Option<&KeyRecord> {
        let key = self.keys.get(number as usize)?;
        (!key.revoked && !key.key.foreign).then_some(key)
    }

    /// The numbers of the organization's living keys.
    pub(crate) fn own_keys(&self) -> impl Iterator<Item = u32> {
        (0..)
            .zip(&self.keys)
            .filter(|(_, k)| !k.revoked && !k.key.foreign)
            .map(|(n, _)| n)
    }

    pub(crate) fn find_key(&self, id: &str) -> Option<u32> {
        ids::uuid_ordinal(self.seed, Kind::Key, id).filter(|n| self.own_key(*n).is_some())
    }

    pub(super) fn add_key(&mut self, key: &AccessKey, label: &str, at: Duration) {
        let number = u32::try_from(self.keys.len()).unwrap_or(u32::MAX);
        self.keys.push(KeyRecord {
            key: key.clone(),
            label: label.to_owned(),
            created: Some(at),
            revoked: false,
        });
        self.record(at, "api_key_created", Subject::Key(number));
    }

    pub(super) fn revoke_key(&mut self, number: u32, at: Duration) {
        self.keys[number as usize].revoked = true;
        self.record(at, "api_key_revoked", Subject::Key(number));
    }
}
