//! The check before anything is skipped: a sample is queried plainly, and the
//! answers are compared with the overview.

use std::collections::BTreeSet;

use baton_connector::Result;
use baton_connector::http::InFlight;
use futures_util::stream::{self, StreamExt};

use super::facts::Facts;
use super::sample::choose;
use crate::api::{Api, is_unwilling};
use crate::mapping;

/// Questions of the check in flight at once; the client's limits hold as well.
const AT_ONCE: usize = InFlight::AUTO_CAP;

/// What a check found.
pub(super) struct Checked {
    /// Requests that it took.
    pub requests: u64,
    /// Why the overview is not to be relied on.
    pub mismatch: Option<String>,
}

/// A plain question.
enum Question {
    RolesOfUser(String),
    MembersOf(String),
    RolesOfGroup(String),
}

/// Queries the sample. An object that vanished since then does not count.
pub(super) async fn check(api: &Api, facts: &Facts, salt: u64) -> Result<Checked> {
    let users = choose(salt, facts.users_without_roles());
    let groups = choose(salt, facts.whole_groups());
    let quiet = choose(salt, facts.groups_without_roles());
    let owned = |id: &str| id.to_owned();
    let questions: Vec<Question> = (users.into_iter().map(owned).map(Question::RolesOfUser))
        .chain(groups.into_iter().map(owned).map(Question::MembersOf))
        .chain(quiet.into_iter().map(owned).map(Question::RolesOfGroup))
        .collect();
    let mut answers = stream::iter(questions)
        .map(|question| ask(api, facts, question))
        .buffered(AT_ONCE);
    let mut checked = Checked {
        requests: 0,
        mismatch: None,
    };
    while let Some(answer) = answers.next().await {
        let answer = answer?;
        checked.requests += answer.requests;
        if answer.mismatch.is_some() {
            checked.mismatch = answer.mismatch;
            break;
        }
    }
    Ok(checked)
}

async fn ask(api: &Api, facts: &Facts, question: Question) -> Result<Checked> {
    let (subject, answer) = match question {
        Question::RolesOfUser(id) => {
            let answer = api.every_user_role(&id).await.map(|(roles, requests)| {
                let holds = mapping::user_holds_any(&roles);
                (
                    requests,
                    holds.then_some("has roles that the search result omits"),
                )
            });
            (format!("user `{id}`"), answer)
        }
        Question::RolesOfGroup(id) => {
            let answer = api.every_group_role(&id).await.map(|(roles, requests)| {
                let holds = mapping::group_holds_any(&roles);
                (
                    requests,
                    holds.then_some("has roles that the search result omits"),
                )
            });
            (format!("group `{id}`"), answer)
        }
        Question::MembersOf(id) => {
            let answer = api.every_member(&id).await.map(|(members, requests)| {
                let asked: BTreeSet<&str> = members
                    .iter()
                    .map(|member| member.account_id.as_str())
                    .filter(|id| !id.is_empty())
                    .collect();
                let told: BTreeSet<&str> = facts.members(&id).into_iter().flatten().collect();
                let differ = asked != told;
                (
                    requests,
                    differ.then_some("has members that differ from the search result"),
                )
            });
            (format!("group `{id}`"), answer)
        }
    };
    match answer {
        Ok((requests, found)) => Ok(Checked {
            requests,
            mismatch: found.map(|words| format!("{subject} {words}")),
        }),
        Err(error) if error.is_vanished() => Ok(Checked {
            requests: 1,
            mismatch: None,
        }),
        Err(error) if is_unwilling(&error) => Ok(Checked {
            requests: 1,
            mismatch: Some(format!("{subject} could not be checked: {error}")),
        }),
        Err(error) => Err(error),
    }
}
