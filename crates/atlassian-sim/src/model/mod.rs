//! The organization in memory: compact records, indexes in both directions, everything else derived.
//!
//! Users and groups are addressed by ordinal (their place in creation order, never reused), so stable order and keyset
//! paging come for free. Invariants: member lists, group lists and role lists are sorted; a membership is in both the
//! group's and the user's list; a direct role is in both the user's list and the resource's index.

pub(crate) mod audit;
pub(crate) mod change;
mod edit;
pub(crate) mod keys;
pub(crate) mod profile;
pub(crate) mod role_rules;
pub(crate) mod roles;
pub(crate) mod scim;
pub(crate) mod scim_groups;
pub(crate) mod step;

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::config::OrganizationSpec;
use crate::ids::{self, Kind};
pub(crate) use audit::{Event, PROCESSING_MILLIS, Subject};
use profile::{Character, Member, Profile};
use step::Step;

/// Most directories that an organization can have: two bits of membership each fit into sixteen.
pub(crate) const MAX_DIRECTORIES: usize = 8;

/// State of the account itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountStatus {
    /// Can log in.
    Active,
    /// Deactivated by its managing organization.
    Inactive,
    /// Closed for good.
    Closed,
}

impl AccountStatus {
    /// The API's word.
    pub fn as_str(self) -> &'static str {
        match self {
            AccountStatus::Active => "active",
            AccountStatus::Inactive => "inactive",
            AccountStatus::Closed => "closed",
        }
    }
}

/// State of a user in one directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Membership {
    /// Not in the directory.
    None,
    /// In the directory with access.
    Active,
    /// In the directory, access suspended.
    Suspended,
}

impl Membership {
    /// The API's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Membership::None => "no_membership",
            Membership::Active => "active",
            Membership::Suspended => "suspended",
        }
    }
}

/// A role on a resource, held directly by a user or a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RoleEntry {
    pub resource: u32,
    pub role: u16,
    /// Listed with the method `inferred` instead of `direct`.
    pub inferred: bool,
}

impl RoleEntry {
    /// A role that was assigned directly.
    pub(crate) fn direct(resource: u32, role: u16) -> Self {
        Self {
            resource,
            role,
            inferred: false,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct User {
    /// Two bits per directory.
    directories: u16,
    pub account: AccountStatus,
    pub managed: bool,
    pub for_deletion: bool,
    pub invited: bool,
    /// An identity provider made the account.
    pub provisioned: bool,
    /// Deleted for good; the ordinal stays taken.
    pub gone: bool,
    pub groups: Vec<u32>,
    pub roles: Vec<RoleEntry>,
}

impl User {
    pub(crate) fn new(managed: bool) -> Self {
        Self {
            directories: 0,
            account: AccountStatus::Active,
            managed,
            for_deletion: false,
            invited: false,
            provisioned: false,
            gone: false,
            groups: Vec::new(),
            roles: Vec::new(),
        }
    }

    pub(crate) fn membership(&self, directory: u8) -> Membership {
        match (self.directories >> (2 * directory)) & 3 {
            0 => Membership::None,
            1 => Membership::Active,
            _ => Membership::Suspended,
        }
    }

    pub(crate) fn set_membership(&mut self, directory: u8, membership: Membership) {
        let bits = match membership {
            Membership::None => 0,
            Membership::Active => 1,
            Membership::Suspended => 2,
        };
        self.directories = (self.directories & !(3 << (2 * directory))) | (bits << (2 * directory));
    }

    /// Whether a list over `scope` includes the user.
    pub(crate) fn is_listed(&self, scope: Scope) -> bool {
        if self.gone {
            return false;
        }
        match scope {
            Scope::All => self.managed || self.directories().next().is_some(),
            Scope::One(d) => self.membership(d) != Membership::None,
        }
    }

    /// The membership over all directories of the scope: active in one makes it active.
    pub(crate) fn membership_in(&self, scope: Scope) -> Membership {
        match scope {
            Scope::One(d) => self.membership(d),
            Scope::All => {
                let mut found = Membership::None;
                for d in self.directories() {
                    match self.membership(d) {
                        Membership::Active => return Membership::Active,
                        Membership::Suspended => found = Membership::Suspended,
                        Membership::None => {}
                    }
                }
                found
            }
        }
    }

    /// The derived `status` word.
    pub(crate) fn status(&self, scope: Scope) -> &'static str {
        if self.for_deletion {
            return "for_deletion";
        }
        if self.account != AccountStatus::Active {
            return "deactivated";
        }
        if self.invited {
            return "invited";
        }
        match self.membership_in(scope) {
            Membership::Active => "active",
            Membership::Suspended => "suspended",
            Membership::None => "not_invited",
        }
    }

    /// Directories that the user is in, active or suspended.
    pub(crate) fn directories(&self) -> impl Iterator<Item = u8> {
        let bits = self.directories;
        (0..u8::try_from(MAX_DIRECTORIES).unwrap_or(8)).filter(move |d| (bits >> (2 * d)) & 3 != 0)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub directory: u8,
    pub name: String,
    pub description: Member<String>,
    pub synced: bool,
    pub managed_by: &'static str,
    /// Gives default access to a product or administers the organization: cannot be deleted.
    pub default: bool,
    pub gone: bool,
    pub members: Vec<u32>,
    pub roles: Vec<RoleEntry>,
}

impl Group {
    /// An empty group without roles.
    pub(crate) fn named(name: &str, directory: u8, synced: bool) -> Self {
        Self {
            directory,
            name: name.to_owned(),
            description: Member::Value(String::new()),
            synced,
            managed_by: if synced { "external" } else { "admins" },
            default: false,
            gone: false,
            members: Vec::new(),
            roles: Vec::new(),
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Directory {
    pub id: String,
    pub name: String,
}

/// What kind of thing a role is held on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResourceKind {
    /// Appears in the workspace list.
    Workspace,
    /// A product that the workspace list lacks.
    Unlisted,
    Organization,
    Site,
    Project,
    Goal,
}

#[derive(Clone, Debug)]
pub(crate) struct Resource {
    pub ari: String,
    pub owner: String,
    pub kind: ResourceKind,
    pub directory: Option<u8>,
    /// Name of the site or workspace; empty for items inside products.
    pub name: String,
    /// Direct holders of any role here, sorted.
    pub users: Vec<u32>,
    /// Groups with any role here, sorted.
    pub groups: Vec<u32>,
}

#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub owner: u32,
    pub gone: bool,
}

/// An accepted step that is not visible yet.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    /// The clock's elapsed time at which it becomes visible.
    pub visible_at: Duration,
    /// The clock's elapsed time at which it was accepted.
    pub accepted_at: Duration,
    pub step: Step,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct ProfileOverride {
    pub name: Option<String>,
    pub email: Option<Member<String>>,
}

/// The organization with all its people, groups, roles and tokens.
#[derive(Clone, Debug)]
pub(crate) struct Organization {
    pub seed: u64,
    pub odd_data: bool,
    pub id: String,
    pub name: String,
    pub domains: Vec<String>,
    pub directories: Vec<Directory>,
    pub users: Vec<User>,
    /// Users below this ordinal were generated and have a [`Character`]; later ones are plain.
    pub generated_users: u32,
    pub groups: Vec<Group>,
    pub resources: Vec<Resource>,
    pub resource_index: HashMap<String, u32>,
    pub role_names: Vec<String>,
    pub tokens: Vec<Token>,
    pub tokens_of: HashMap<u32, Vec<u32>>,
    /// The audit log, in processing order.
    pub events: Vec<Event>,
    /// The date, in milliseconds since the epoch, of new events when the clock was started.
    pub log_base_millis: i64,
    pub overrides: HashMap<u32, ProfileOverride>,
    /// Addresses set later, to find their users; generated ones lead back by themselves.
    pub override_emails: HashMap<String, u32>,
    /// When accounts that are scheduled for deletion are removed, by the clock's elapsed time.
    pub deletions: HashMap<u32, Duration>,
    /// API keys.
    pub keys: Vec<keys::KeyRecord>,
    /// Users of identity providers.
    pub scim: Vec<scim::ScimRecord>,
    /// Groups of identity providers.
    pub scim_groups: Vec<scim_groups::ScimGroup>,
    /// Addresses that invitations were sent to.
    pub invitations: Vec<String>,
    /// Steps that are not visible yet, by the time at which they become so; in order of acceptance within one time.
    pub pending: VecDeque<Pending>,
    /// Most users of a product without a limit of its own.
    pub default_licence_limit: Option<u32>,
    /// Most users of single products, by resource.
    pub licence_limits: HashMap<u32, Option<u32>>,
}

/// The directories that a request looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// `-`: all of them, and managed accounts that are in none.
    All,
    One(u8),
}

impl Organization {
    pub(crate) fn new(spec: &OrganizationSpec) -> Self {
        crate::generate::organization(spec)
    }

    pub(crate) fn account_id(&self, user: u32) -> String {
        ids::account(self.seed, user)
    }

    pub(crate) fn group_id(&self, group: u32) -> String {
        ids::uuid(self.seed, Kind::Group, group)
    }

    pub(crate) fn token_id(&self, token: u32) -> String {
        ids::uuid(self.seed, Kind::Token, token)
    }

    /// The record of a living user.
    pub(crate) fn user(&self, ordinal: u32) -> Option<&User> {
        self.users.get(ordinal as usize).filter(|u| !u.gone)
    }

    /// The record of a living group.
    pub(crate) fn group(&self, ordinal: u32) -> Option<&Group> {
        self.groups.get(ordinal as usize).filter(|g| !g.gone)
    }

    pub(crate) fn find_user(&self, account_id: &str) -> Option<u32> {
        ids::account_ordinal(self.seed, account_id).filter(|n| self.user(*n).is_some())
    }

    pub(crate) fn find_group(&self, group_id: &str) -> Option<u32> {
        ids::uuid_ordinal(self.seed, Kind::Group, group_id).filter(|n| self.group(*n).is_some())
    }

    pub(crate) fn find_token(&self, token_id: &str) -> Option<u32> {
        ids::uuid_ordinal(self.seed, Kind::Token, token_id)
            .filter(|n| self.tokens.get(*n as usize).is_some_and(|t| !t.gone))
    }

    pub(crate) fn find_directory(&self, id: &str) -> Option<u8> {
        let place = self.directories.iter().position(|d| d.id == id)?;
        u8::try_from(place).ok()
    }

    /// Users with exactly this address, whatever its case.
    pub(crate) fn find_email(&self, email: &str) -> Option<u32> {
        let wanted = email.to_lowercase();
        let candidate = self
            .override_emails
            .get(&wanted)
            .copied()
            .or_else(|| profile::email_ordinal(&wanted))?;
        self.user(candidate)?;
        let actual = self.profile(candidate).email;
        (actual.value().map(|e| e.to_lowercase()) == Some(wanted)).then_some(candidate)
    }

    pub(crate) fn character(&self, user: u32) -> Character {
        if user < self.generated_users {
            Character::of(self.seed, user, self.odd_data)
        } else {
            Character::Plain
        }
    }

    pub(crate) fn profile(&self, user: u32) -> Profile {
        let managed = self.users.get(user as usize).is_some_and(|u| u.managed);
        let mut profile = profile::invent(
            self.seed,
            user,
            self.character(user),
            managed,
            &self.domains,
        );
        if let Some(change) = self.overrides.get(&user) {
            if let Some(name) = &change.name {
                profile.name.clone_from(name);
            }
            if let Some(email) = &change.email {
                profile.email.clone_from(email);
            }
        }
        profile
    }

    pub(crate) fn role_name(&self, role: u16) -> &str {
        self.role_names
            .get(usize::from(role))
            .map_or("", String::as_str)
    }

    /// Ordinals of living groups in the scope, after `after`.
    pub(crate) fn group_ordinals(&self, after: Option<u32>) -> impl Iterator<Item = u32> {
        let from = after.map_or(0, |a| a as usize + 1);
        self.groups
            .iter()
            .enumerate()
            .skip(from)
            .filter(|(_, g)| !g.gone)
            .filter_map(|(n, _)| u32::try_from(n).ok())
    }
}

/// Inserts into a sorted list; returns whether it was new.
pub(crate) fn insert_sorted<T: Ord>(list: &mut Vec<T>, item: T) -> bool {
    match list.binary_search(&item) {
        Ok(_) => false,
        Err(place) => {
            list.insert(place, item);
            true
        }
    }
}

/// Removes from a sorted list; returns whether it was there.
pub(crate) fn remove_sorted<T: Ord>(list: &mut Vec<T>, item: &T) -> bool {
    match list.binary_search(item) {
        Ok(place) => {
            list.remove(place);
            true
        }
        Err(_) => false,
    }
}
