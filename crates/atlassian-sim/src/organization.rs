//! The handle through which tests look at the organization and change it while it is served.

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use crate::clock::Clock;
use crate::error::Error;
use crate::model::change::{Change, NewUser};
use crate::model::{AccountStatus, Membership, Organization};

/// The organization behind a lock that is never held across an await.
#[derive(Debug)]
pub(crate) struct Shelf(RwLock<Organization>);

impl Shelf {
    pub(crate) fn new(organization: Organization) -> Self {
        Self(RwLock::new(organization))
    }

    /// A reader's view with all due changes applied.
    pub(crate) fn read(&self, elapsed: Duration) -> RwLockReadGuard<'_, Organization> {
        // A panic while writing leaves lists that are still lists: go on rather than fail every later request.
        let guard = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if guard.pending.front().is_none_or(|(due, _)| *due > elapsed) {
            return guard;
        }
        drop(guard);
        self.write().settle(elapsed);
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, Organization> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Changes the organization of a running simulator. Changes are visible at once, except those given to
/// [`OrganizationHandle::submit`].
#[derive(Clone, Copy, Debug)]
pub struct OrganizationHandle<'a> {
    pub(crate) shelf: &'a Shelf,
    pub(crate) clock: &'a Clock,
    pub(crate) visibility_delay: Duration,
}

impl OrganizationHandle<'_> {
    /// Accepts a membership or role change that becomes visible after the configured delay (§14 rule 6).
    pub fn submit(&self, change: Change) -> Result<(), Error> {
        let now = self.clock.elapsed();
        let mut organization = self.shelf.write();
        organization.settle(now);
        if self.visibility_delay.is_zero() {
            return organization.apply(change, now).map(|_| ());
        }
        organization.check(&change)?;
        organization
            .pending
            .push_back((now + self.visibility_delay, change));
        Ok(())
    }

    /// Applies a membership or role change now; `false`: it was so already.
    pub fn apply(&self, change: Change) -> Result<bool, Error> {
        self.shelf.write().apply(change, self.clock.elapsed())
    }

    /// Adds a user; gives the account id.
    pub fn add_user(&self, user: NewUser) -> Result<String, Error> {
        self.shelf.write().add_user(user, self.clock.elapsed())
    }

    /// Removes an account with all roles, memberships and tokens.
    pub fn remove_user(&self, account_id: &str) -> Result<(), Error> {
        self.shelf
            .write()
            .remove_user(account_id, self.clock.elapsed())
    }

    /// Changes a user's full name.
    pub fn rename_user(&self, account_id: &str, name: &str) -> Result<(), Error> {
        self.shelf.write().rename_user(account_id, name)
    }

    /// Changes a user's address; `None`: the API leaves it out.
    pub fn set_email(&self, account_id: &str, email: Option<&str>) -> Result<(), Error> {
        self.shelf.write().set_email(account_id, email)
    }

    /// Changes the state of the account; with `for_deletion` it counts as scheduled for deletion.
    pub fn set_account_status(
        &self,
        account_id: &str,
        status: AccountStatus,
        for_deletion: bool,
    ) -> Result<(), Error> {
        self.shelf
            .write()
            .set_account_status(account_id, status, for_deletion)
    }

    /// Changes a user's state in one directory. [`Membership::None`] also ends memberships and direct roles there.
    pub fn set_membership(
        &self,
        account_id: &str,
        directory_id: &str,
        membership: Membership,
    ) -> Result<(), Error> {
        self.shelf
            .write()
            .set_membership(account_id, directory_id, membership)
    }

    /// Adds an empty group to a directory (`None`: the first); gives its id.
    pub fn add_group(
        &self,
        name: &str,
        directory_id: Option<&str>,
        synced: bool,
    ) -> Result<String, Error> {
        self.shelf
            .write()
            .add_group(name, directory_id, synced, self.clock.elapsed())
    }

    /// Removes a group with its memberships and roles.
    pub fn remove_group(&self, group_id: &str) -> Result<(), Error> {
        self.shelf
            .write()
            .remove_group(group_id, self.clock.elapsed())
    }

    /// Changes a group's name.
    pub fn rename_group(&self, group_id: &str, name: &str) -> Result<(), Error> {
        self.shelf.write().rename_group(group_id, name)
    }

    /// Makes the account a member of the group; `false`: it was one.
    pub fn add_member(&self, group_id: &str, account_id: &str) -> Result<bool, Error> {
        self.apply(Change::AddMember {
            group_id: group_id.to_owned(),
            account_id: account_id.to_owned(),
        })
    }

    /// Ends a membership; `false`: there was none.
    pub fn remove_member(&self, group_id: &str, account_id: &str) -> Result<bool, Error> {
        self.apply(Change::RemoveMember {
            group_id: group_id.to_owned(),
            account_id: account_id.to_owned(),
        })
    }

    /// Adds an API token to an account; gives its id.
    pub fn add_token(&self, account_id: &str) -> Result<String, Error> {
        self.shelf
            .write()
            .add_token(account_id, self.clock.elapsed())
    }

    /// Revokes an API token.
    pub fn revoke_token(&self, token_id: &str) -> Result<(), Error> {
        self.shelf
            .write()
            .revoke_token(token_id, self.clock.elapsed())
    }
}
