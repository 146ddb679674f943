//! Revoking API tokens, one at a time: through the account of the owner. The
//! endpoint that revokes every token of the organization is not in this crate.

use std::sync::Arc;

use async_trait::async_trait;
use baton_connector::resource::ResourceExt as _;
use baton_connector::{Call, Change, Error, Reply, ResourceDeleter, Result, v2};
use baton_proto::{Code, any};

use super::refused;
use crate::api::{Api, Organization, names_no_account};
use crate::mapping::USER;
use crate::syncers::ApiTokens;

#[async_trait]
impl ResourceDeleter for ApiTokens {
    async fn delete(&self, call: &Call, resource: &v2::Resource) -> Result<Change> {
        let (organization, id) = (&self.0.organization, resource.id());
        let api = organization.on(call);
        let Some(owner) = owner(&api, resource).await? else {
            return Ok(Change::delete(false));
        };
        if !has(&api, &owner, id).await? {
            return Ok(Change::delete(false));
        }
        let write = organization.write_revocation(&owner, id)?;
        let organization = Arc::clone(organization);
        let token = id.to_owned();
        let write = write.judged_by_reading(move |call, error| {
            let (organization, owner) = (Arc::clone(&organization), owner.clone());
            let token = token.clone();
            async move { judge(&organization, &owner, &token, call, error).await }
        });
        Ok(Change::delete(true).write(write))
    }

    async fn exists(&self, call: &Call, resource: &v2::Resource) -> Result<bool> {
        let api = self.0.organization.on(call);
        match owner(&api, resource).await? {
            Some(owner) => has(&api, &owner, resource.id()).await,
            None => Ok(false),
        }
    }
}

fn doing(token: &str) -> String {
    format!("revoke API token `{token}`")
}

/// Whose token it is: as the resource knows it, else as the list of tokens shows
/// it. `None` if no list has it.
async fn owner(api: &Api, resource: &v2::Resource) -> Result<Option<String>> {
    let stored = any::find::<v2::SecretTrait>(&resource.annotations);
    let stored = stored.ok().flatten().and_then(|secret| secret.identity_id);
    let stored = stored.filter(|id| id.resource_type == USER && !id.resource.is_empty());
    if let Some(stored) = stored {
        return Ok(Some(stored.resource));
    }
    let id = resource.id();
    let Some(listed) = api.api_token(id).await? else {
        return Ok(None);
    };
    let owner = listed.owner_id.filter(|id| !id.is_empty());
    owner.map(Some).ok_or_else(|| {
        let text = format!("cannot {}: the API names no owner of it", doing(id));
        Error::stated(Code::FailedPrecondition, text)
    })
}

/// Whether the owner has the token, by the owner's own list. An account that is
/// not managed is refused there.
async fn has(api: &Api, owner: &str, token: &str) -> Result<bool> {
    match api.tokens_of(owner).await {
        Ok(tokens) => Ok(tokens.is_some_and(|tokens| tokens.iter().any(|id| id == token))),
        Err(error) if error.status() == Some(403) => {
            let doing = format!("{} of user `{owner}`", doing(token));
            Err(refused(&doing, error))
        }
        Err(error) => Err(error),
    }
}

async fn judge(
    organization: &Arc<Organization>,
    owner: &str,
    token: &str,
    call: Call,
    error: Error,
) -> Reply {
    if names_no_account(&error) {
        return Reply::Already;
    }
    match error.status() {
        Some(403) => Reply::Failed(refused(&doing(token), error)),
        // The answer may be about the address: only the list shows it.
        Some(404) if matches!(has(&organization.on(&call), owner, token).await, Ok(false)) => {
            Reply::Already
        }
        _ => Reply::Failed(error.during(format!("cannot {}", doing(token)))),
    }
}
