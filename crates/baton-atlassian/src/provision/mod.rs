//! Granting and revoking, one file per type of the entitlement's resource. What
//! is refused is refused before anything is sent, and the state is read before
//! every write. Sends reads only: the writes are described.
//!
//! What a sync stored with a grant (`GrantMetadata`, `GrantImmutable`) is a hint;
//! the read decides.

mod admins;
mod asked;
mod held;
mod members;
mod organization_roles;
mod refusals;
mod sites;
mod workspace_roles;

pub(crate) use admins::OrganizationAdmins;

use baton_connector::{Call, Change, Error, Held, Provisioner, Result};
use baton_proto::Code;
use baton_proto::c1::connector::v2;
use tokio::time::{Instant, sleep_until};

use crate::api::{Api, Direction};
use crate::mapping::profile_keys;

/// How things are before a change, as far as it can be known: what was changed a
/// moment ago does not show yet, so "as wanted already" is not believed then.
fn before(held: Held, direction: Direction, unsettled: Option<Instant>) -> Held {
    if unsettled.is_none() {
        return held;
    }
    let through = held.through().to_vec();
    match (direction, held.is_direct()) {
        (Direction::Assign, true) if through.is_empty() => Held::No,
        (Direction::Assign, true) => Held::Indirectly { through },
        (Direction::Revoke, false) => Held::Directly { through },
        _ => held,
    }
}

/// Reads back only once what was changed a moment ago shows.
fn settling<P>(
    change: Change,
    direction: Direction,
    unsettled: Option<Instant>,
    provisioner: P,
    (entitlement, principal): (&v2::Entitlement, &v2::Resource),
) -> Change
where
    P: Provisioner + Clone + 'static,
{
    let Some(until) = unsettled else {
        return change;
    };
    let (entitlement, principal) = (entitlement.clone(), principal.clone());
    change.read_back(move |call: Call| {
        let provisioner = provisioner.clone();
        let (entitlement, principal) = (entitlement.clone(), principal.clone());
        async move {
            sleep_until(until).await;
            let held = provisioner.holds(&call, &entitlement, &principal).await?;
            Ok(held.is_direct() == (direction == Direction::Assign))
        }
    })
}

/// The parts of a grant that is to be revoked.
fn parts(grant: &v2::Grant) -> Result<(&v2::Entitlement, &v2::Resource)> {
    let parts = grant.entitlement.as_ref().zip(grant.principal.as_ref());
    parts.ok_or_else(|| {
        let text = format!("grant `{}` has no entitlement or no principal", grant.id);
        Error::stated(Code::InvalidArgument, text)
    })
}

/// The error of a revoke of what follows from something else that no group is.
fn derived(user: &str, what: &str) -> Error {
    let text = format!(
        "user `{user}` does not hold {what} directly: it follows from another role, and no group \
         gives it"
    );
    Error::stated(Code::FailedPrecondition, text).with_hint("revoke the role that it follows from")
}

/// The directory of a group: stored with it, or read.
async fn directory_of(api: &Api, group: &v2::Resource, id: &str) -> Result<Option<String>> {
    if let Some(directory) = asked::profile_text(group, profile_keys::DIRECTORY_ID) {
        return Ok(Some(directory.to_owned()));
    }
    let Some(found) = api.group(id).await? else {
        return Ok(None);
    };
    directory(found.directory_id, id).map(Some)
}

fn directory(found: Option<String>, group: &str) -> Result<String> {
    found.filter(|id| !id.is_empty()).ok_or_else(|| {
        let text = format!("the API names no directory of group `{group}`");
        Error::stated(Code::Internal, text)
    })
}

fn unknown(kind: &str, id: &str) -> Error {
    Error::stated(
        Code::NotFound,
        format!("there is no {kind} `{id}` in the organization"),
    )
}
