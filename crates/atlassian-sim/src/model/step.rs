//! Steps of accepted writes, and when they become visible.
//!
//! New objects take their place in both copies of the organization at once, hidden in the visible one, so that equal
//! ordinals name equal objects.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::{Map, Value};

use super::audit::Growth;
use super::change::Change;
use super::profile::Member;
use super::scim::ScimAccountId;
use super::{AccountStatus, Group, Membership, Organization, Pending, Subject, User};
use crate::config::AccessKey;
use crate::error::Error;

/// How long a deleted account can be restored.
pub(crate) const DELETION_TIME: Duration = Duration::from_hours(14 * 24);

/// A change of an account, in all directories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AccountChange {
    /// Deactivates at once, and removes after [`DELETION_TIME`].
    Delete,
    CancelDelete,
    Disable,
    Enable,
}

impl AccountChange {
    /// State of the account afterwards, whether it is scheduled for deletion, and the audit event.
    fn effect(self) -> (AccountStatus, bool, &'static str) {
        match self {
            Self::Delete => (AccountStatus::Inactive, true, "user_deletion_requested"),
            Self::CancelDelete => (AccountStatus::Active, false, "user_deletion_cancelled"),
            Self::Disable => (AccountStatus::Inactive, false, "user_deactivated"),
            Self::Enable => (AccountStatus::Active, false, "user_reactivated"),
        }
    }
}

/// One step of an accepted write.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Events by the clock; the number of the moment counts from 1.
    GrowLog(Growth, u32),
    Change(Change),
    AddGroup {
        name: String,
        description: Option<String>,
        directory: u8,
    },
    /// A user who is invited to directories and has not accepted yet.
    AddInvited {
        email: String,
        managed: bool,
        directories: Vec<u8>,
        /// How long it takes until the invitation is accepted; `None`: it never is.
        accepted_after: Option<Duration>,
    },
    SendInvitation(String),
    AcceptInvitation(u32),
    AddScim {
        directory: u8,
        attributes: Map<String, Value>,
        /// The account that the user has already.
        account: Option<u32>,
        account_id: ScimAccountId,
    },
    SetScim(u32, Map<String, Value>),
    RemoveScim(u32),
    /// Names the account in answers.
    ShowScimAccount(u32),
    /// Shows the account of a new record.
    ShowScim(u32),
    AddScimGroup {
        directory: u8,
        attributes: Map<String, Value>,
        members: Vec<u32>,
    },
    SetScimGroup(u32, Map<String, Value>, Vec<u32>),
    RemoveScimGroup(u32),
    ChangeAccount(u32, AccountChange),
    /// Removes the account, if its deletion has not been cancelled since.
    RemoveAccount(u32),
    RevokeToken(u32),
    SetName(u32, String),
    SetEmail(u32, String),
    AddKey(AccessKey, String),
    RevokeKey(u32),
    ShowGroup(u32),
    /// Shows a user, with the audit event of how it came.
    ShowUser(u32, &'static str),
}

impl Organization {
    /// Takes a step that was accepted at one time and becomes visible at another; returns whether anything changed.
    pub(crate) fn take(
        &mut self,
        step: &Step,
        accepted_at: Duration,
        visible_at: Duration,
    ) -> Result<bool, Error> {
        match step {
            Step::Change(change) => return self.apply(change, accepted_at, visible_at),
            Step::GrowLog(growth, moment) => self.grow_log(*growth, *moment),
            Step::SendInvitation(email) => self.invitations.push(email.clone()),
            Step::ChangeAccount(user, change) => {
                return Ok(self.change_account(*user, *change, accepted_at, visible_at));
            }
            Step::RemoveAccount(user) => {
                if self.deletions.get(user) == Some(&accepted_at) {
                    self.remove_user(&self.account_id(*user), visible_at)?;
                }
            }
            Step::RevokeToken(token) => self.revoke_token(&self.token_id(*token), accepted_at)?,
            Step::AddKey(key, label) => self.add_key(key, label, accepted_at),
            Step::RevokeKey(key) => self.revoke_key(*key, accepted_at),
            Step::SetName(user, name) => {
                self.rename_user(&self.account_id(*user), name)?;
                let subject = Subject::User(*user);
                self.record_late(accepted_at, visible_at, "user_profile_changed", subject);
            }
            Step::SetEmail(user, email) => {
                self.set_email(&self.account_id(*user), Some(email))?;
                let subject = Subject::User(*user);
                self.record_late(accepted_at, visible_at, "user_email_changed", subject);
            }
            Step::AcceptInvitation(user) => self.users[*user as usize].invited = false,
            Step::ShowGroup(group) => {
                self.groups[*group as usize].gone = false;
                self.record_late(
                    accepted_at,
                    visible_at,
                    "group_created",
                    Subject::Group(*group),
                );
            }
            Step::ShowUser(user, action) => {
                self.users[*user as usize].gone = false;
                self.record_late(accepted_at, visible_at, action, Subject::User(*user));
            }
            Step::SetScim(record, attributes) => {
                return Ok(self.set_scim(*record, attributes, accepted_at));
            }
            Step::RemoveScim(record) => self.remove_scim(*record, accepted_at),
            Step::ShowScimAccount(record) => self.scim[*record as usize].shows_account = true,
            Step::ShowScim(record) => self.show_scim(*record, accepted_at, visible_at),
            Step::SetScimGroup(group, attributes, members) => {
                return Ok(self.set_scim_group(*group, attributes, members, accepted_at));
            }
            Step::RemoveScimGroup(group) => self.scim_groups[*group as usize].gone = true,
            Step::AddGroup { .. }
            | Step::AddInvited { .. }
            | Step::AddScim { .. }
            | Step::AddScimGroup { .. } => {
                if let Some(shown) = self.reserve(step, accepted_at) {
                    return self.take(&shown, accepted_at, visible_at);
                }
            }
        }
        Ok(true)
    }

    fn change_account(
        &mut self,
        user: u32,
        change: AccountChange,
        accepted_at: Duration,
        visible_at: Duration,
    ) -> bool {
        let (status, for_deletion, action) = change.effect();
        let record = &mut self.users[user as usize];
        // An identity provider that switches an account off or on does not cancel its deletion.
        let provider = matches!(change, AccountChange::Disable | AccountChange::Enable);
        let ends = record.for_deletion || record.account == AccountStatus::Closed;
        if (record.account, record.for_deletion) == (status, for_deletion) || (provider && ends) {
            return false;
        }
        record.account = status;
        record.for_deletion = for_deletion;
        if change == AccountChange::Delete {
            let at = accepted_at + DELETION_TIME;
            self.deletions.insert(user, at);
            self.postpone(Step::RemoveAccount(user), at, at);
        } else {
            self.deletions.remove(&user);
        }
        self.record_late(accepted_at, visible_at, action, Subject::User(user));
        true
    }

    /// Makes the step visible at `visible_at`.
    pub(crate) fn schedule(&mut self, step: &Step, accepted_at: Duration, visible_at: Duration) {
        let adds = matches!(
            step,
            Step::AddGroup { .. }
                | Step::AddInvited { .. }
                | Step::AddScim { .. }
                | Step::AddScimGroup { .. }
        );
        let shown = if adds {
            self.reserve(step, accepted_at)
        } else {
            Some(step.clone())
        };
        if let Some(shown) = shown {
            self.postpone(shown, accepted_at, visible_at);
        }
        self.settle(accepted_at);
    }

    /// Makes a hidden place for what the step adds; gives the step that shows it.
    fn reserve(&mut self, step: &Step, accepted_at: Duration) -> Option<Step> {
        match step {
            Step::AddGroup {
                name,
                description,
                directory,
            } => {
                let group = self.push_group(Group {
                    description: Member::Value(description.clone().unwrap_or_default()),
                    gone: true,
                    ..Group::named(name, *directory, false)
                });
                Some(Step::ShowGroup(group))
            }
            Step::AddInvited {
                email,
                managed,
                directories,
                accepted_after,
            } => {
                let mut user = User::new(*managed);
                user.invited = true;
                user.gone = true;
                for directory in directories {
                    user.set_membership(*directory, Membership::Active);
                }
                let name = email.split('@').next().unwrap_or_default().to_owned();
                let user = self.push_user(user, name, Some(email.clone()));
                if let Some(wait) = accepted_after {
                    let at = accepted_at + *wait;
                    self.postpone(Step::AcceptInvitation(user), at, at);
                }
                Some(Step::ShowUser(user, "user_invited"))
            }
            Step::AddScim {
                directory,
                attributes,
                account,
                account_id,
            } => {
                let at_once = *account_id == ScimAccountId::AtOnce;
                let record = self.push_scim(*directory, attributes, *account, at_once, accepted_at);
                if let ScimAccountId::After(wait) = account_id {
                    let at = accepted_at + *wait;
                    self.postpone(Step::ShowScimAccount(record), at, at);
                }
                Some(Step::ShowScim(record))
            }
            Step::AddScimGroup {
                directory,
                attributes,
                members,
            } => {
                let group = self.push_scim_group(*directory, attributes, members, accepted_at);
                Some(Step::ShowGroup(group))
            }
            _ => None,
        }
    }

    /// Makes all steps visible whose time has come.
    pub(crate) fn settle(&mut self, elapsed: Duration) {
        while self
            .pending
            .front()
            .is_some_and(|p| p.visible_at <= elapsed)
        {
            if let Some(pending) = self.pending.pop_front() {
                // A delayed step was checked when it was accepted. If its object has been removed since, there is
                // nothing to do.
                let _ = self.take(&pending.step, pending.accepted_at, pending.visible_at);
            }
        }
    }

    /// Makes all accepted steps visible now.
    pub(crate) fn show_accepted(&mut self, elapsed: Duration) {
        let pending = std::mem::take(&mut self.pending);
        let (accepted, later): (VecDeque<Pending>, _) =
            pending.into_iter().partition(|p| p.accepted_at <= elapsed);
        self.pending = later;
        for pending in accepted {
            // As in `settle`.
            let _ = self.take(&pending.step, pending.accepted_at, elapsed);
        }
    }

    /// Keeps a step until it becomes visible.
    pub(super) fn postpone(&mut self, step: Step, accepted_at: Duration, visible_at: Duration) {
        let place = self.pending.partition_point(|p| p.visible_at <= visible_at);
        self.pending.insert(
            place,
            Pending {
                visible_at,
                accepted_at,
                step,
            },
        );
    }

    /// Drops pending changes of the thing that `change` sets.
    pub(crate) fn forget_pending(&mut self, change: &Change) {
        self.pending.retain(|p| match &p.step {
            Step::Change(pending) => !pending.sets_same_as(change),
            _ => true,
        });
    }
}
