//! The organization behind its lock, and the handle through which tests look at it and change it while it is served.
//!
//! With a visibility delay there are two copies: the latest one, on which writes decide, and the visible one, which reads
//! see and which takes each change when its delay is over. Invariant: once no change is pending,
//! both are equal, but for the order of their events.

use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use crate::api::writes::Outcome;
use crate::clock::Clock;
use crate::error::Error;
use crate::errors::ApiError;
use crate::model::change::{Change, NewUser};
use crate::model::step::Step;
use crate::model::{AccountStatus, Membership, Organization};

/// How long accepted changes stay invisible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Delays {
    pub general: Duration,
    pub organization_roles: Duration,
}

impl Delays {
    fn of(self, organization: &Organization, step: &Step) -> Duration {
        match step {
            Step::Change(
                Change::AssignRole { resource_id, .. } | Change::RevokeRole { resource_id, .. },
            ) if organization
                .organization_resource()
                .is_some_and(|r| organization.ari(r) == resource_id) =>
            {
                self.organization_roles
            }
            // Keys work at once. Records of an identity provider are read back at once; their accounts are not.
            Step::AddKey(..)
            | Step::RevokeKey(_)
            | Step::SetScim(..)
            | Step::RemoveScim(_)
            | Step::SetScimGroup(..)
            | Step::RemoveScimGroup(_) => Duration::ZERO,
            _ => self.general,
        }
    }

    fn are_zero(self) -> bool {
        self.general.is_zero() && self.organization_roles.is_zero()
    }
}

/// The organization behind locks that are never held across an await. Locked in the order of the fields.
#[derive(Debug)]
pub(crate) struct SharedOrganization {
    /// With every accepted change; `None`: changes are visible at once.
    latest: Option<Mutex<Organization>>,
    visible: RwLock<Organization>,
    delays: Delays,
}

impl SharedOrganization {
    pub(crate) fn new(organization: Organization, delays: Delays) -> Self {
        Self {
            latest: (!delays.are_zero()).then(|| Mutex::new(organization.clone())),
            visible: RwLock::new(organization),
            delays,
        }
    }

    /// The visible state, with every change whose delay is over.
    pub(crate) fn read(&self, elapsed: Duration) -> RwLockReadGuard<'_, Organization> {
        // A panic while writing leaves lists that are still lists: later requests can be answered.
        let guard = self.visible.read().unwrap_or_else(PoisonError::into_inner);
        if guard.pending.front().is_none_or(|p| p.visible_at > elapsed) {
            return guard;
        }
        drop(guard);
        self.write().settle(elapsed);
        self.visible.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Organization> {
        self.visible.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the state with every accepted change.
    pub(crate) fn latest<T>(&self, elapsed: Duration, look: impl FnOnce(&Organization) -> T) -> T {
        match self.lock_latest(elapsed) {
            Some(latest) => look(&latest),
            None => look(&self.read(elapsed)),
        }
    }

    fn lock_latest(&self, elapsed: Duration) -> Option<MutexGuard<'_, Organization>> {
        let latest = self.latest.as_ref()?;
        let mut latest = latest.lock().unwrap_or_else(PoisonError::into_inner);
        latest.settle(elapsed);
        Some(latest)
    }

    /// Decides on the latest state and makes the decided changes, which become visible after their delay; returns whether
    /// anything was different from before.
    pub(crate) fn carry_out(
        &self,
        elapsed: Duration,
        decide: impl FnOnce(&Organization) -> Result<Outcome, ApiError>,
    ) -> Result<(Outcome, bool), ApiError> {
        let mut latest = self.lock_latest(elapsed);
        let mut visible = self.write();
        visible.settle(elapsed);
        let outcome = decide(latest.as_deref().unwrap_or(&visible))?;
        let mut changed = false;
        for step in &outcome.steps {
            // The handler has checked the step under the same lock.
            changed |= self
                .accept(latest.as_deref_mut(), &mut visible, step, elapsed)
                .unwrap_or(false);
        }
        Ok((outcome, changed))
    }

    /// Lets both copies write events into their logs; gives the ids of the new events.
    pub(crate) fn add_events<T>(
        &self,
        elapsed: Duration,
        add: impl Fn(&mut Organization) -> T,
    ) -> Vec<String> {
        let latest = self.lock_latest(elapsed);
        let mut visible = self.write();
        visible.settle(elapsed);
        if let Some(mut latest) = latest {
            add(&mut latest);
        }
        let first = visible.events.len();
        add(&mut visible);
        let numbers = (0..).zip(&visible.events).skip(first);
        numbers.map(|(n, _)| visible.event_id(n)).collect()
    }

    fn accept(
        &self,
        latest: Option<&mut Organization>,
        visible: &mut Organization,
        step: &Step,
        elapsed: Duration,
    ) -> Result<bool, Error> {
        let Some(latest) = latest else {
            return visible.take(step, elapsed, elapsed);
        };
        let changed = latest.take(step, elapsed, elapsed)?;
        if changed {
            let visible_at = elapsed + self.delays.of(latest, step);
            visible.schedule(step, elapsed, visible_at);
        }
        Ok(changed)
    }

    /// Changes both copies at once.
    fn change<T>(
        &self,
        elapsed: Duration,
        change: impl Fn(&mut Organization) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let Some(mut latest) = self.lock_latest(elapsed) else {
            let mut visible = self.write();
            visible.settle(elapsed);
            return change(&mut visible);
        };
        let result = change(&mut latest)?;
        let mut visible = self.write();
        visible.settle(elapsed);
        if change(&mut visible).is_err() {
            // It is about something that is not visible yet.
            visible.show_accepted(elapsed);
            change(&mut visible)?;
        }
        Ok(result)
    }
}

/// Changes the organization of a running simulator. Changes are visible at once, except those given to
/// [`OrganizationHandle::submit`].
#[derive(Clone, Copy, Debug)]
pub struct OrganizationHandle<'a> {
    pub(crate) shared: &'a SharedOrganization,
    pub(crate) clock: &'a Clock,
}

#[allow(
    clippy::needless_pass_by_value,
    reason = "callers make the value for the call"
)]
impl OrganizationHandle<'_> {
    /// Accepts a change that becomes visible after the configured delay (§14 rule 6), without the refusals of the API.
    pub fn submit(&self, change: Change) -> Result<(), Error> {
        let now = self.clock.elapsed();
        let mut latest = self.shared.lock_latest(now);
        let mut visible = self.shared.write();
        visible.settle(now);
        let step = Step::Change(change);
        self.shared
            .accept(latest.as_deref_mut(), &mut visible, &step, now)
            .map(|_| ())
    }

    /// Applies a change now, without the refusals of the API; `false`: it was so already. Pending changes of the same
    /// thing are dropped.
    pub fn apply(&self, change: Change) -> Result<bool, Error> {
        let now = self.clock.elapsed();
        self.shared.change(now, |org| {
            org.forget_pending(&change);
            org.apply(&change, now, now)
        })
    }

    fn change<T>(
        &self,
        change: impl Fn(&mut Organization, Duration) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let now = self.clock.elapsed();
        self.shared.change(now, |org| change(org, now))
    }

    /// Limits the users of one product, whatever the general limit is; `None`: any number.
    pub fn set_licence_limit(&self, resource_id: &str, limit: Option<u32>) -> Result<(), Error> {
        self.change(|org, _| org.set_licence_limit(resource_id, limit))
    }

    /// Adds a user; gives the account id.
    pub fn add_user(&self, user: NewUser) -> Result<String, Error> {
        self.change(|org, now| org.add_user(user.clone(), now))
    }

    /// Removes an account with all roles, memberships and tokens.
    pub fn remove_user(&self, account_id: &str) -> Result<(), Error> {
        self.change(|org, now| org.remove_user(account_id, now))
    }

    /// Changes a user's full name.
    pub fn rename_user(&self, account_id: &str, name: &str) -> Result<(), Error> {
        self.change(|org, _| org.rename_user(account_id, name))
    }

    /// Changes a user's address; `None`: the API leaves it out.
    pub fn set_email(&self, account_id: &str, email: Option<&str>) -> Result<(), Error> {
        self.change(|org, _| org.set_email(account_id, email))
    }

    /// Changes the state of the account; with `for_deletion` it counts as scheduled for deletion.
    pub fn set_account_status(
        &self,
        account_id: &str,
        status: AccountStatus,
        for_deletion: bool,
    ) -> Result<(), Error> {
        self.change(|org, _| org.set_account_status(account_id, status, for_deletion))
    }

    /// Changes a user's state in one directory. [`Membership::None`] also ends memberships and direct roles there.
    pub fn set_membership(
        &self,
        account_id: &str,
        directory_id: &str,
        membership: Membership,
    ) -> Result<(), Error> {
        self.change(|org, _| org.set_membership(account_id, directory_id, membership))
    }

    /// Adds an empty group to a directory (`None`: the first); gives its id.
    pub fn add_group(
        &self,
        name: &str,
        directory_id: Option<&str>,
        synced: bool,
    ) -> Result<String, Error> {
        self.change(|org, now| org.add_group(name, directory_id, synced, now))
    }

    /// Removes a group with its memberships and roles.
    pub fn remove_group(&self, group_id: &str) -> Result<(), Error> {
        self.change(|org, now| org.remove_group(group_id, now))
    }

    /// Changes a group's name.
    pub fn rename_group(&self, group_id: &str, name: &str) -> Result<(), Error> {
        self.change(|org, _| org.rename_group(group_id, name))
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

    /// Addresses that invitations were sent to, in order; one may occur more than once.
    pub fn invitations(&self) -> Vec<String> {
        let now = self.clock.elapsed();
        self.shared.latest(now, |org| org.invitations.clone())
    }

    /// Adds an API token to an account; gives its id.
    pub fn add_token(&self, account_id: &str) -> Result<String, Error> {
        self.change(|org, now| org.add_token(account_id, now))
    }

    /// Revokes an API token.
    pub fn revoke_token(&self, token_id: &str) -> Result<(), Error> {
        self.change(|org, now| org.revoke_token(token_id, now))
    }
}
