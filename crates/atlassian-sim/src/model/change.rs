//! Changes of the organization: every one keeps the indexes of both sides in step and is checked before anything moves.

use std::time::Duration;

use super::{Membership, Organization, RoleEntry, Subject, insert_sorted, remove_sorted};
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
    /// Sets a user's state in one directory. [`Membership::None`] also ends memberships in its groups and direct roles on
    /// its resources; in the last directory, all of them.
    SetMembership {
        /// The account.
        account_id: String,
        /// The directory.
        directory_id: String,
        /// The new state.
        membership: Membership,
    },
    /// Removes a group with its memberships and roles.
    RemoveGroup {
        /// The group.
        group_id: String,
    },
}

impl Change {
    /// Whether the other change sets the same thing: a membership, a role, a state, a group.
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
            Self::SetMembership {
                account_id,
                directory_id,
                ..
            } => (account_id, directory_id, None),
            Self::RemoveGroup { group_id } => ("", group_id, None),
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

impl Organization {
    pub(super) fn require_user(&self, account_id: &str) -> Result<u32, Error> {
        self.find_user(account_id)
            .ok_or_else(|| Error::UnknownUser(account_id.to_owned()))
    }

    pub(super) fn require_group(&self, group_id: &str) -> Result<u32, Error> {
        self.find_group(group_id)
            .ok_or_else(|| Error::UnknownGroup(group_id.to_owned()))
    }

    pub(super) fn require_directory(&self, directory_id: &str) -> Result<u8, Error> {
        self.find_directory(directory_id)
            .ok_or_else(|| Error::UnknownDirectory(directory_id.to_owned()))
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
            Change::SetMembership {
                account_id,
                directory_id,
                ..
            } => {
                self.require_user(account_id)?;
                self.require_directory(directory_id)?;
            }
            Change::RemoveGroup { group_id } => {
                self.require_group(group_id)?;
            }
        }
        Ok(())
    }

    /// Applies a change that was accepted at one time and becomes visible at another; returns whether anything was different
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
            Change::SetMembership {
                account_id,
                directory_id,
                membership,
            } => self.change_membership(account_id, directory_id, *membership)?,
            Change::RemoveGroup { group_id } => {
                let group = self.delete_group(group_id)?;
                Some(("group_deleted", Subject::Group(group)))
            }
        };
        let Some((action, subject)) = event else {
            return Ok(false);
        };
        self.record_late(accepted, visible, action, subject);
        Ok(true)
    }

    fn change_membership(
        &mut self,
        account_id: &str,
        directory_id: &str,
        to: Membership,
    ) -> Result<Option<(&'static str, Subject)>, Error> {
        let user = self.require_user(account_id)?;
        let directory = self.require_directory(directory_id)?;
        let from = self.users[user as usize].membership(directory);
        self.set_membership(account_id, directory_id, to)?;
        let record = &mut self.users[user as usize];
        if to == Membership::None && record.directories().next().is_none() {
            for entry in std::mem::take(&mut record.roles) {
                remove_sorted(&mut self.resources[entry.resource as usize].users, &user);
            }
        }
        let action = match (from, to) {
            (_, Membership::None) => "user_removed_from_directory",
            (_, Membership::Suspended) => "user_suspended",
            (Membership::None, Membership::Active) => "user_added_to_org",
            (_, Membership::Active) => "user_restored",
        };
        Ok((from != to).then_some((action, Subject::User(user))))
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
}
