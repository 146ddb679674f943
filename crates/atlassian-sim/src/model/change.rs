//! Changes of the organization: every one keeps the indexes of both sides in step and is checked before anything moves.

use std::time::Duration;

use super::profile::Member;
use super::{
    AccountStatus, Event, Group, Membership, Organization, PROCESSING_MILLIS, ProfileOverride,
    RoleEntry, Subject, Token, User, insert_sorted, remove_sorted,
};
use crate::clock::DATA_DATE_SECONDS;
use crate::error::Error;
use crate::ids::{self, Kind};

/// Who holds a role.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Principal {
    /// An account id.
    User(String),
    /// A group id.
    Group(String),
}

/// A change that may become visible later: memberships and roles are eventually consistent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Makes the account a member of the group.
    AddMember {
        /// The group.
        group_id: String,
        /// The account.
        account_id: String,
    },
    /// Ends a membership.
    RemoveMember {
        /// The group.
        group_id: String,
        /// The account.
        account_id: String,
    },
    /// Gives a role on a resource.
    AssignRole {
        /// Who gets it.
        principal: Principal,
        /// The resource's ARI.
        resource_id: String,
        /// The role, for example `atlassian/user`.
        role: String,
    },
    /// Takes a directly held role away.
    RevokeRole {
        /// Who loses it.
        principal: Principal,
        /// The resource's ARI.
        resource_id: String,
        /// The role.
        role: String,
    },
}

impl Change {
    /// Whether the other change sets the same membership or role.
    pub(crate) fn sets_same_as(&self, other: &Self) -> bool {
        self.target() == other.target()
    }

    /// What is set: principal, object and, for roles, the role.
    fn target(&self) -> (&str, &str, Option<(bool, &str)>) {
        match self {
            Self::AddMember {
                group_id,
                account_id,
            }
            | Self::RemoveMember {
                group_id,
                account_id,
            } => (account_id, group_id, None),
            Self::AssignRole {
                principal,
                resource_id,
                role,
            }
            | Self::RevokeRole {
                principal,
                resource_id,
                role,
            } => match principal {
                Principal::User(id) => (id, resource_id, Some((true, role))),
                Principal::Group(id) => (id, resource_id, Some((false, role))),
            },
        }
    }
}

/// A user to add. Added users have none of the oddities of generated ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewUser {
    /// Full name.
    pub name: String,
    /// Address; `None`: the API leaves it out.
    pub email: Option<String>,
    /// Directory to be an active member of; `None`: the first one.
    pub directory_id: Option<String>,
    /// Whether the organization manages the account.
    pub managed: bool,
}

impl NewUser {
    /// A managed user in the first directory.
    pub fn named(name: impl Into<String>, email: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            email: Some(email.into()),
            directory_id: None,
            managed: true,
        }
    }
}

fn ordinal_of(len: usize) -> u32 {
    // Specs and additions stay far below 2^32 records.
    u32::try_from(len).unwrap_or(u32::MAX)
}

impl Organization {
    fn require_user(&self, account_id: &str) -> Result<u32, Error> {
        self.find_user(account_id)
            .ok_or_else(|| Error::UnknownUser(account_id.to_owned()))
    }

    fn require_group(&self, group_id: &str) -> Result<u32, Error> {
        self.find_group(group_id)
            .ok_or_else(|| Error::UnknownGroup(group_id.to_owned()))
    }

    fn require_directory(&self, directory_id: &str) -> Result<u8, Error> {
        self.find_directory(directory_id)
            .ok_or_else(|| Error::UnknownDirectory(directory_id.to_owned()))
    }

    fn record(&mut self, elapsed: Duration, action: &'static str, subject: Subject) {
        self.record_late(elapsed, elapsed, action, subject);
    }

    /// Writes an event of the time `accepted` into the log at the time `visible`.
    fn record_late(
        &mut self,
        accepted: Duration,
        visible: Duration,
        action: &'static str,
        subject: Subject,
    ) {
        let at_millis =
            DATA_DATE_SECONDS * 1000 + i64::try_from(accepted.as_millis()).unwrap_or(i64::MAX / 2);
        let late = visible.saturating_sub(accepted).as_millis();
        self.events.push(Event {
            at_millis,
            processing_millis: PROCESSING_MILLIS
                .saturating_add(u32::try_from(late).unwrap_or(u32::MAX)),
            action,
            actor: 0,
            subject,
        });
    }

    pub(crate) fn set_licence_limit(
        &mut self,
        resource_id: &str,
        limit: Option<u32>,
    ) -> Result<(), Error> {
        let resource = self
            .resource_index
            .get(resource_id)
            .ok_or_else(|| Error::UnknownResource(resource_id.to_owned()))?;
        self.licence_limits.insert(*resource, limit);
        Ok(())
    }

    /// Refuses a change whose objects do not exist, without changing anything.
    pub(crate) fn check(&self, change: &Change) -> Result<(), Error> {
        match change {
            Change::AddMember {
                group_id,
                account_id,
            } => {
                let group = self.require_group(group_id)?;
                let user = self.require_user(account_id)?;
                let directory = self.group(group).map_or(0, |g| g.directory);
                if self
                    .user(user)
                    .is_some_and(|u| u.membership(directory) == Membership::None)
                {
                    return Err(Error::NotInDirectory {
                        account_id: account_id.clone(),
                        group_id: group_id.clone(),
                    });
                }
            }
            Change::RemoveMember {
                group_id,
                account_id,
            } => {
                self.require_group(group_id)?;
                self.require_user(account_id)?;
            }
            Change::AssignRole {
                principal,
                resource_id,
                ..
            }
            | Change::RevokeRole {
                principal,
                resource_id,
                ..
            } => {
                match principal {
                    Principal::User(id) => self.require_user(id)?,
                    Principal::Group(id) => self.require_group(id)?,
                };
                if !self.resource_index.contains_key(resource_id) {
                    return Err(Error::UnknownResource(resource_id.clone()));
                }
            }
        }
        Ok(())
    }

    /// Applies a change that was accepted at one time and becomes visible at another; says whether anything was different
    /// from before.
    pub(crate) fn apply(
        &mut self,
        change: &Change,
        accepted: Duration,
        visible: Duration,
    ) -> Result<bool, Error> {
        self.check(change)?;
        let event = match change {
            Change::AddMember {
                group_id,
                account_id,
            } => self.set_member(group_id, account_id, true)?,
            Change::RemoveMember {
                group_id,
                account_id,
            } => self.set_member(group_id, account_id, false)?,
            Change::AssignRole {
                principal,
                resource_id,
                role,
            } => self.set_role(principal, resource_id, role, true)?,
            Change::RevokeRole {
                principal,
                resource_id,
                role,
            } => self.set_role(principal, resource_id, role, false)?,
        };
        if let Some((action, subject)) = event {
            self.record_late(accepted, visible, action, subject);
        }
        Ok(event.is_some())
    }

    fn set_member(
        &mut self,
        group_id: &str,
        account_id: &str,
        member: bool,
    ) -> Result<Option<(&'static str, Subject)>, Error> {
        let (group, user) = (
            self.require_group(group_id)?,
            self.require_user(account_id)?,
        );
        let members = &mut self.groups[group as usize].members;
        let groups = &mut self.users[user as usize].groups;
        let (changed, action) = if member {
            insert_sorted(groups, group);
            (insert_sorted(members, user), "user_added_to_group")
        } else {
            remove_sorted(groups, &group);
            (remove_sorted(members, &user), "user_removed_from_group")
        };
        Ok(changed.then_some((action, Subject::Membership { user, group })))
    }

    fn set_role(
        &mut self,
        principal: &Principal,
        resource_id: &str,
        role: &str,
        held: bool,
    ) -> Result<Option<(&'static str, Subject)>, Error> {
        let resource = *self
            .resource_index
            .get(resource_id)
            .ok_or_else(|| Error::UnknownResource(resource_id.to_owned()))?;
        let role = self.intern_role(role);
        let entry = RoleEntry::direct(resource, role);
        let record = &mut self.resources[resource as usize];
        let (list, holders, ordinal, subject) = match principal {
            Principal::User(id) => {
                let user = ids::account_ordinal(self.seed, id)
                    .filter(|n| self.users.get(*n as usize).is_some_and(|u| !u.gone))
                    .ok_or_else(|| Error::UnknownUser(id.clone()))?;
                let list = &mut self.users[user as usize].roles;
                (
                    list,
                    &mut record.users,
                    user,
                    Subject::UserRole {
                        user,
                        resource,
                        role,
                    },
                )
            }
            Principal::Group(id) => {
                let group = ids::uuid_ordinal(self.seed, Kind::Group, id)
                    .filter(|n| self.groups.get(*n as usize).is_some_and(|g| !g.gone))
                    .ok_or_else(|| Error::UnknownGroup(id.clone()))?;
                let list = &mut self.groups[group as usize].roles;
                (
                    list,
                    &mut record.groups,
                    group,
                    Subject::GroupRole {
                        group,
                        resource,
                        role,
                    },
                )
            }
        };
        let changed = if held {
            insert_sorted(list, entry)
        } else {
            remove_sorted(list, &entry)
        };
        if list.iter().any(|e| e.resource == resource) {
            insert_sorted(holders, ordinal);
        } else {
            remove_sorted(holders, &ordinal);
        }
        let action = if held { "role_granted" } else { "role_revoked" };
        Ok(changed.then_some((action, subject)))
    }

    pub(crate) fn add_user(&mut self, new: NewUser, elapsed: Duration) -> Result<String, Error> {
        let directory = new
            .directory_id
            .as_deref()
            .map_or(Ok(0), |id| self.require_directory(id))?;
        let ordinal = ordinal_of(self.users.len());
        let mut user = User::new(new.managed);
        user.set_membership(directory, Membership::Active);
        self.users.push(user);
        if let Some(email) = &new.email {
            self.override_emails.insert(email.to_lowercase(), ordinal);
        }
        self.overrides.insert(
            ordinal,
            ProfileOverride {
                name: Some(new.name),
                email: Some(Member::or_missing(new.email)),
            },
        );
        self.record(elapsed, "user_added_to_org", Subject::User(ordinal));
        Ok(self.account_id(ordinal))
    }

    pub(crate) fn remove_user(&mut self, account_id: &str, elapsed: Duration) -> Result<(), Error> {
        let ordinal = self.require_user(account_id)?;
        let user = &mut self.users[ordinal as usize];
        let groups = std::mem::take(&mut user.groups);
        let roles = std::mem::take(&mut user.roles);
        user.gone = true;
        for group in groups {
            remove_sorted(&mut self.groups[group as usize].members, &ordinal);
        }
        for entry in roles {
            remove_sorted(&mut self.resources[entry.resource as usize].users, &ordinal);
        }
        for token in self.tokens_of.remove(&ordinal).unwrap_or_default() {
            self.tokens[token as usize].gone = true;
        }
        self.record(elapsed, "user_removed_from_org", Subject::User(ordinal));
        Ok(())
    }

    pub(crate) fn rename_user(&mut self, account_id: &str, name: &str) -> Result<(), Error> {
        let ordinal = self.require_user(account_id)?;
        self.overrides.entry(ordinal).or_default().name = Some(name.to_owned());
        Ok(())
    }

    pub(crate) fn set_email(&mut self, account_id: &str, email: Option<&str>) -> Result<(), Error> {
        let ordinal = self.require_user(account_id)?;
        self.override_emails.retain(|_, n| *n != ordinal);
        if let Some(email) = email {
            self.override_emails.insert(email.to_lowercase(), ordinal);
        }
        self.overrides.entry(ordinal).or_default().email =
            Some(Member::or_missing(email.map(str::to_owned)));
        Ok(())
    }

    pub(crate) fn set_account_status(
        &mut self,
        account_id: &str,
        status: AccountStatus,
        for_deletion: bool,
    ) -> Result<(), Error> {
        let ordinal = self.require_user(account_id)?;
        let user = &mut self.users[ordinal as usize];
        user.account = status;
        user.for_deletion = for_deletion;
        Ok(())
    }

    /// Sets the state in one directory; leaving it ends memberships in its groups and direct roles on its resources.
    pub(crate) fn set_membership(
        &mut self,
        account_id: &str,
        directory_id: &str,
        to: Membership,
    ) -> Result<(), Error> {
        let ordinal = self.require_user(account_id)?;
        let directory = self.require_directory(directory_id)?;
        self.users[ordinal as usize].set_membership(directory, to);
        if to != Membership::None {
            return Ok(());
        }
        let (groups, resources) = (&mut self.groups, &mut self.resources);
        let user = &mut self.users[ordinal as usize];
        user.groups.retain(|g| {
            let group = &mut groups[*g as usize];
            let stays = group.directory != directory;
            if !stays {
                remove_sorted(&mut group.members, &ordinal);
            }
            stays
        });
        user.roles.retain(|e| {
            let resource = &mut resources[e.resource as usize];
            let stays = resource.directory != Some(directory);
            if !stays {
                remove_sorted(&mut resource.users, &ordinal);
            }
            stays
        });
        Ok(())
    }

    pub(crate) fn add_group(
        &mut self,
        name: &str,
        directory_id: Option<&str>,
        synced: bool,
        elapsed: Duration,
    ) -> Result<String, Error> {
        let directory = directory_id.map_or(Ok(0), |id| self.require_directory(id))?;
        let ordinal = ordinal_of(self.groups.len());
        self.groups.push(Group {
            directory,
            name: name.to_owned(),
            description: Member::Value(String::new()),
            synced,
            managed_by: if synced { "external" } else { "admins" },
            gone: false,
            members: Vec::new(),
            roles: Vec::new(),
        });
        self.record(elapsed, "group_created", Subject::Group(ordinal));
        Ok(self.group_id(ordinal))
    }

    pub(crate) fn remove_group(&mut self, group_id: &str, elapsed: Duration) -> Result<(), Error> {
        let ordinal = self.require_group(group_id)?;
        let group = &mut self.groups[ordinal as usize];
        group.gone = true;
        let members = std::mem::take(&mut group.members);
        let roles = std::mem::take(&mut group.roles);
        for user in members {
            remove_sorted(&mut self.users[user as usize].groups, &ordinal);
        }
        for entry in roles {
            remove_sorted(
                &mut self.resources[entry.resource as usize].groups,
                &ordinal,
            );
        }
        self.record(elapsed, "group_deleted", Subject::Group(ordinal));
        Ok(())
    }

    pub(crate) fn rename_group(&mut self, group_id: &str, name: &str) -> Result<(), Error> {
        let ordinal = self.require_group(group_id)?;
        name.clone_into(&mut self.groups[ordinal as usize].name);
        Ok(())
    }

    pub(crate) fn add_token(
        &mut self,
        account_id: &str,
        elapsed: Duration,
    ) -> Result<String, Error> {
        let owner = self.require_user(account_id)?;
        let ordinal = ordinal_of(self.tokens.len());
        self.tokens.push(Token { owner, gone: false });
        self.tokens_of.entry(owner).or_default().push(ordinal);
        self.record(elapsed, "user_token_create", Subject::Token(ordinal));
        Ok(self.token_id(ordinal))
    }

    pub(crate) fn revoke_token(&mut self, token_id: &str, elapsed: Duration) -> Result<(), Error> {
        let ordinal = self
            .find_token(token_id)
            .ok_or_else(|| Error::UnknownToken(token_id.to_owned()))?;
        let token = &mut self.tokens[ordinal as usize];
        token.gone = true;
        let owner = token.owner;
        if let Some(list) = self.tokens_of.get_mut(&owner) {
            list.retain(|n| *n != ordinal);
        }
        self.record(elapsed, "user_token_revoked", Subject::Token(ordinal));
        Ok(())
    }

    /// The id of an event, from its place in the log.
    pub(crate) fn event_id(&self, event: u32) -> String {
        ids::uuid(self.seed, Kind::Event, event)
    }
}
