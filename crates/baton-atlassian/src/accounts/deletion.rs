//! Deleting accounts: the account goes away in every product after 14 days, and
//! waits until then. Only accounts that the organization manages can be deleted.

use std::sync::Arc;

use async_trait::async_trait;
use baton_connector::resource::ResourceExt as _;
use baton_connector::{Call, Change, Error, Reply, ResourceDeleter, Result, v2};
use tokio::time::sleep;

use super::{LOOKS, refused, unmanaged};
use crate::api::models::User;
use crate::api::{Api, Organization, names_no_account};
use crate::provision::OrganizationAdmins;
use crate::syncers::Users;

/// How the API calls an account that waits for its deletion.
const WAITING: &str = "for_deletion";
const UNMANAGED: &str = "unmanaged";

fn waits(user: &User) -> bool {
    user.status.as_deref() == Some(WAITING)
}

#[async_trait]
impl ResourceDeleter for Users {
    async fn delete(&self, call: &Call, resource: &v2::Resource) -> Result<Change> {
        let (shared, id) = (&self.0, resource.id());
        let api = shared.organization.on(call);
        let Some(user) = api.user(id).await? else {
            return Ok(Change::delete(false));
        };
        let change = Change::delete(true);
        if waits(&user) {
            return Ok(change.already());
        }
        let doing = format!("delete user `{id}`");
        if user.claim_status.as_deref() == Some(UNMANAGED) {
            return Err(unmanaged(&doing));
        }
        let write = shared.organization.write_deletion(id)?;
        let (organization, user) = (Arc::clone(&shared.organization), id.to_owned());
        let write = write.judged_by_reading(move |call, error| {
            let (organization, user) = (Arc::clone(&organization), user.clone());
            let doing = doing.clone();
            async move { judge(&organization, &user, &doing, call, error).await }
        });
        let mut change = change.write(write);
        if OrganizationAdmins::include(&api, id).await? {
            let admins = OrganizationAdmins::lost(id, false).of(shared);
            change = change.takes(Arc::new(admins));
        }
        Ok(change)
    }

    async fn exists(&self, call: &Call, resource: &v2::Resource) -> Result<bool> {
        let user = self.0.organization.on(call).user(resource.id()).await?;
        Ok(user.is_some_and(|user| !waits(&user)))
    }
}

async fn judge(
    organization: &Arc<Organization>,
    user: &str,
    doing: &str,
    call: Call,
    error: Error,
) -> Reply {
    if names_no_account(&error) {
        return Reply::Already;
    }
    match error.status() {
        Some(403) => Reply::Failed(refused(doing, error)),
        // A deletion of a moment ago may be the reason.
        Some(409) if shows_waiting(&organization.on(&call), user).await => Reply::Already,
        _ => Reply::Failed(error.during(format!("cannot {doing}"))),
    }
}

/// Reads for up to 15 s whether the account waits for its deletion.
async fn shows_waiting(api: &Api, user: &str) -> bool {
    for wait in [None].into_iter().chain(LOOKS.map(Some)) {
        if let Some(wait) = wait {
            sleep(wait).await;
        }
        match api.user(user).await {
            Ok(Some(found)) if !waits(&found) => {}
            Ok(_) => return true,
            Err(error) => tracing::debug!(%error, "cannot read the account again"),
        }
    }
    false
}
