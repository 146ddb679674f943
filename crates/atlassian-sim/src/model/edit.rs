//! Changes that only the handle makes: new and removed objects, names, states. All are visible at once.

use std::time::Duration;

use super::change::NewUser;
use super::profile::Member;
use super::{
    AccountStatus, Group, Membership, Organization, ProfileOverride, Subject, Token, User,
    remove_sorted,
};
use crate::error::Error;
use crate::ids::{self, Kind};

fn ordinal_of(len: usize) -> u32 {
    // Specs and additions stay far below 2^32 records.
    u32::try_from(len).unwrap_or(u32::MAX)
}

impl Organization {
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

    pub(crate) fn add_user(&mut self, new: NewUser, elapsed: Duration) -> Result<String, Error> {
        let directory = new
            .directory_id
            .as_deref()
            .map_or(Ok(0), |id| self.require_directory(id))?;
        let mut user = User::new(new.managed);
        user.set_membership(directory, Membership::Active);
        let ordinal = self.push_user(user, new.name, new.email);
        self.record(elapsed, "user_added_to_org", Subject::User(ordinal));
        Ok(self.account_id(ordinal))
    }

    /// Appends a user; gives the ordinal.
    pub(super) fn push_user(&mut self, user: User, name: String, email: Option<String>) -> u32 {
        let ordinal = ordinal_of(self.users.len());
        self.users.push(user);
        if let Some(email) = &email {
            self.override_emails.insert(email.to_lowercase(), ordinal);
        }
        self.overrides.insert(
            ordinal,
            ProfileOverride {
                name: Some(name),
                email: Some(Member::or_missing(email)),
            },
        );
        ordinal
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
        for record in self.scim.iter_mut().filter(|r| r.account == ordinal) {
            record.gone = true;
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
        let ordinal = self.push_group(Group::named(name, directory, synced));
        self.record(elapsed, "group_created", Subject::Group(ordinal));
        Ok(self.group_id(ordinal))
    }

    pub(crate) fn remove_group(&mut self, group_id: &str, elapsed: Duration) -> Result<(), Error> {
        let ordinal = self.delete_group(group_id)?;
        self.record(elapsed, "group_deleted", Subject::Group(ordinal));
        Ok(())
    }

    /// Appends a group; gives its ordinal.
    pub(super) fn push_group(&mut self, group: Group) -> u32 {
        let ordinal = ordinal_of(self.groups.len());
        self.groups.push(group);
        ordinal
    }

    /// Removes a group with its memberships and roles; gives its ordinal.
    pub(super) fn delete_group(&mut self, group_id: &str) -> Result<u32, Error> {
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
        for provided in self.scim_groups.iter_mut().filter(|g| g.group == ordinal) {
            provided.gone = true;
        }
        Ok(ordinal)
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
