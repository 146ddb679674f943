//! Accounts in the directory of an identity provider. The directory has records;
//! Atlassian links an account to each, at once or a little later. A record's own
//! id is never taken for an account id.

use std::sync::Arc;

use baton_connector::{
    Account, AccountOutcome, Answer, Call, Change, Creation, Error, Made, NewAccount, Reply,
    Result, v2,
};
use baton_proto::Code;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{LOOKS, existing};
use crate::api::{IdentityProvider, ScimUser, models};
use crate::mapping::account_fields::{DISPLAY_NAME, EMAIL, FAMILY_NAME, GIVEN_NAME, USER_NAME};
use crate::mapping::{self, Fidelity};
use crate::syncers::Shared;

/// What creates the account: one request, and a second one where the directory
/// has the name already.
pub(super) fn create(
    shared: &Shared,
    provider: &Arc<IdentityProvider>,
    wanted: &NewAccount,
) -> Result<Creation<Account>> {
    let value = |key| wanted.profile().text(key).unwrap_or_default();
    let find = Seeker {
        provider: Arc::clone(provider),
        name: value(USER_NAME).to_owned(),
        answered: Answer::new(),
        read: Answer::new(),
    };
    let write = provider.write_user(&body(value), find.answered.clone())?;
    let (judge, look) = (find.clone(), find.clone());
    let email = value(EMAIL).to_owned();
    let display_name = value(DISPLAY_NAME).to_owned();
    let write = write.judged_by_reading(move |call, error| {
        let judge = judge.clone();
        async move { judge.judge(call, error).await }
    });
    let fidelity = shared.fidelity;
    Ok(Change::create()
        .write(write)
        .read_back(move |call| {
            let look = look.clone();
            async move { look.seek(&call).await }
        })
        .gives(move |call, made| async move {
            let (record, made) = match find.answered.take() {
                Some(record) => (record, made),
                // What differs from the lost request was there before.
                None => match find.record(&call).await? {
                    record if is_of(&record, &email, &display_name) => (record, made),
                    record => (record, Made::Before),
                },
            };
            let record = linked(&find.provider, &call, record).await;
            Ok(account(&record, made, fidelity))
        }))
}

/// The record, member by member as the Go connector sends it.
fn body<'a>(value: impl Fn(&'static str) -> &'a str) -> Value {
    let mut name = json!({});
    for key in [GIVEN_NAME, FAMILY_NAME] {
        if !value(key).is_empty() {
            name[key] = json!(value(key));
        }
    }
    let email = json!({ "value": value(EMAIL), "type": "work", "primary": true });
    let mut body = json!({
        "userName": value(USER_NAME),
        "emails": [email],
        "name": name,
        "active": true,
    });
    if !value(DISPLAY_NAME).is_empty() {
        body["displayName"] = json!(value(DISPLAY_NAME));
    }
    body
}

/// Whether a record has what a request asked for.
fn is_of(record: &ScimUser, email: &str, display_name: &str) -> bool {
    let own = record.email.as_deref().unwrap_or_default();
    let shown = record.display_name.as_deref().unwrap_or_default();
    own.to_lowercase() == email.to_lowercase() && (display_name.is_empty() || shown == display_name)
}

/// Looks for the record by its name, and keeps it.
#[derive(Clone)]
struct Seeker {
    provider: Arc<IdentityProvider>,
    name: String,
    /// As the write was answered.
    answered: Answer<ScimUser>,
    /// As a read showed it.
    read: Answer<ScimUser>,
}

impl Seeker {
    async fn seek(&self, call: &Call) -> Result<bool> {
        let found = self.provider.by_user_name(call, &self.name).await?;
        let is_found = found.is_some();
        if let Some(found) = found {
            self.read.keep(found);
        }
        Ok(is_found)
    }

    /// A conflict is about this name, or only about the e-mail address.
    async fn judge(&self, call: Call, error: Error) -> Reply {
        let doing = format!("cannot create account `{}`", self.name);
        if error.status() != Some(409) {
            return Reply::Failed(error.during(doing));
        }
        match self.seek(&call).await {
            Ok(true) => Reply::Already,
            Ok(false) => Reply::Failed(error.during(doing).with_hint(
                "another account of the directory has this e-mail address: the name decides \
                 which account it is",
            )),
            Err(second) => {
                let text = format!("{doing}: it may exist already, and cannot be read ({second})");
                Reply::Failed(error.during(text))
            }
        }
    }

    /// What a read showed, or shows now.
    async fn record(&self, call: &Call) -> Result<ScimUser> {
        if let Some(record) = self.read.take() {
            return Ok(record);
        }
        let found = self.provider.by_user_name(call, &self.name).await?;
        found.ok_or_else(|| {
            let text = format!("the directory has no account `{}`", self.name);
            Error::stated(Code::NotFound, text)
        })
    }
}

/// The record once it names its account, or as it is after 15 s.
async fn linked(provider: &IdentityProvider, call: &Call, mut record: ScimUser) -> ScimUser {
    for wait in LOOKS {
        if record.account_id.is_some() {
            break;
        }
        sleep(wait).await;
        match provider.by_id(call, &record.id).await {
            Ok(read) => record = read,
            // The record is there, whatever becomes of this read.
            Err(error) => tracing::debug!(%error, "cannot read the record again"),
        }
    }
    record
}

fn account(record: &ScimUser, made: Made, fidelity: Fidelity) -> Account {
    let status = if record.active { "active" } else { "suspended" };
    let mut user = models::User {
        name: record.display_name.clone(),
        email: record.email.clone(),
        email_verified: Some(true),
        status: Some(status.to_owned()),
        ..models::User::default()
    };
    let Some(id) = &record.account_id else {
        let alias = format!("scim:{}", record.id);
        let resource: v2::Resource = mapping::user_without_id(&user, &alias, fidelity);
        let outcome = AccountOutcome::InProgress {
            resource: Some(resource),
        };
        return Account::new(outcome).warning(
            "Atlassian links the account in the background: sync later to see it under its \
             account id",
        );
    };
    user.account_id.clone_from(id);
    let resource = mapping::user(&user, fidelity);
    // What was created here is active.
    if made == Made::Before || !record.active {
        return existing(resource, record.active);
    }
    Account::created(resource)
}
