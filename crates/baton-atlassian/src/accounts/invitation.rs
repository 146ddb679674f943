//! Invitations: the way to an account where no identity provider is connected.
//! A person is looked for before, since each invitation may send an e-mail.

use std::sync::Arc;

use baton_connector::{
    Account, AccountOutcome, Answer, Call, Change, Creation, Error, Made, NewAccount, Reply, Result,
};
use baton_proto::Code;

use super::existing;
use crate::api::endpoints::SUPPORT_ENABLED;
use crate::api::models::User;
use crate::mapping::account_fields::{DISPLAY_NAME, EMAIL, FAMILY_NAME, GIVEN_NAME, USER_NAME};
use crate::mapping::{self, Fidelity};
use crate::syncers::Shared;

/// How the API calls a user who is in no directory.
const NO_MEMBERSHIP: &str = "no_membership";
/// How the API calls a user who has not accepted an invitation.
const INVITED: &str = "invited";
const ACTIVE: &str = "active";

/// What invites the person.
pub(super) async fn invite(
    shared: &Shared,
    call: &Call,
    wanted: &NewAccount,
) -> Result<Creation<Account>> {
    let organization = &shared.organization;
    let profile = wanted.profile();
    let email = profile.text(EMAIL).unwrap_or_default().to_owned();
    let known = organization.on(call).user_with_email(&email).await?;
    let known = known.filter(is_member);
    let invited = Answer::new();
    let mut change = Change::create();
    if known.is_some() {
        change = change.already();
    } else {
        let write = organization.write_invitation(&email, invited.clone())?;
        let (id, to) = (organization.id.clone(), email.clone());
        change = change.write(write.judged(move |error| judge(&id, &to, error)));
    }
    let (looking, looked_for) = (Arc::clone(organization), email.clone());
    let change = change.read_back(move |call| {
        let api = looking.on(&call);
        let email = looked_for.clone();
        async move {
            let found = api.user_with_email(&email).await?;
            Ok(found.as_ref().is_some_and(is_member))
        }
    });
    let fidelity = shared.fidelity;
    let ignored = [USER_NAME, GIVEN_NAME, FAMILY_NAME, DISPLAY_NAME]
        .into_iter()
        .filter(|key| profile.text(key).is_some_and(|value| value != email));
    let ignored: Vec<&str> = ignored.collect();
    let organization = Arc::clone(organization);
    let mut creation = change.gives(move |call, made| async move {
        let user = match (made, known, invited.take()) {
            (Made::Before, Some(user), _) => user,
            (_, _, Some(id)) => of_invitation(id, &email),
            // The answer was lost.
            _ => {
                let found = organization.on(&call).user_with_email(&email).await?;
                found.unwrap_or_else(|| of_invitation(String::new(), &email))
            }
        };
        Ok(account(&user, &email, made, fidelity))
    });
    if !ignored.is_empty() {
        let ignored = ignored.join("`, `");
        creation = creation.warning(format!(
            "an invitation has only an e-mail address: `{ignored}` is ignored"
        ));
    }
    Ok(creation)
}

fn is_member(user: &User) -> bool {
    user.membership_status.as_deref() != Some(NO_MEMBERSHIP)
}

fn of_invitation(id: String, email: &str) -> User {
    User {
        account_id: id,
        email: Some(email.to_owned()),
        ..User::default()
    }
}

fn account(user: &User, email: &str, made: Made, fidelity: Fidelity) -> Account {
    let status = user.status.as_deref();
    let resource = mapping::user(user, fidelity);
    if made == Made::Before && status != Some(INVITED) {
        return existing(resource, status.is_none_or(|status| status == ACTIVE));
    }
    let sent = if made == Made::Now {
        "sent"
    } else {
        "has sent"
    };
    Account::new(AccountOutcome::ActionRequired {
        resource: (!user.account_id.is_empty()).then_some(resource),
        message: format!(
            "`{email}` must accept the invitation that Atlassian {sent} to this address, and can \
             then log in"
        ),
    })
}

fn judge(organization: &str, email: &str, error: Error) -> Reply {
    let doing = format!("cannot invite `{email}`");
    Reply::Failed(match error.status() {
        Some(403) => {
            let text = format!(
                "{doing}: organization `{organization}` may not invite people through the API, or \
                 the key may not"
            );
            let hint = format!(
                "use an API key without scopes, and send this to Atlassian support: \"Please \
                 enable the API endpoints {} for our organization {organization}\"",
                SUPPORT_ENABLED.join(", ")
            );
            Error::caused(Code::PermissionDenied, text, error).with_hint(hint)
        }
        Some(402) => {
            let text = format!("{doing}: the organization has no paid subscription");
            Error::caused(Code::FailedPrecondition, text, error)
        }
        _ => error.during(doing),
    })
}
