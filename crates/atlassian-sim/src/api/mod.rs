//! The endpoint families. A handler gets a decoded call and the organization. A read gives the JSON of a 200, a write its
//! outcome and the changes to make; both may refuse.

pub(crate) mod access;
pub(crate) mod access_writes;
pub(crate) mod event_objects;
pub(crate) mod events;
pub(crate) mod filters;
pub(crate) mod group_writes;
pub(crate) mod groups;
pub(crate) mod invitations;
pub(crate) mod lifecycle;
pub(crate) mod lifecycle_writes;
pub(crate) mod managed;
pub(crate) mod memberships;
pub(crate) mod orgs;
pub(crate) mod profile_writes;
pub(crate) mod retired;
pub(crate) mod role_writes;
pub(crate) mod roles;
pub(crate) mod scim;
pub(crate) mod scim_documents;
pub(crate) mod scim_groups;
mod scim_objects;
mod scim_patch;
pub(crate) mod suspension;
pub(crate) mod user_filter;
pub(crate) mod users;
pub(crate) mod workspaces;
pub(crate) mod writes;

use crate::clock::DATA_DATE_SECONDS;
use crate::random::{below, draw};

/// A date up to `days` before the data's own date, in milliseconds since the epoch.
fn past_millis(seed: u64, purpose: u64, n: u64, days: u64) -> i64 {
    let back = below(draw(seed, purpose, n), days * 86_400_000 / 1000) * 1000
        + draw(seed, purpose + 1, n) % 1000;
    DATA_DATE_SECONDS * 1000 - i64::try_from(back).unwrap_or(0)
}
