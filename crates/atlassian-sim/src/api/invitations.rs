//! Inviting people by e-mail (§8). Each address has results of its own: one for each rule, one for each group.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::filters::{flag, words};
use super::role_writes::{resource, resource_of};
use super::writes::{Outcome, members, optional, required};
use crate::call::Call;
use crate::errors::ApiError;
use crate::model::change::{Change, Principal};
use crate::model::role_rules::{self, Holder};
use crate::model::step::Step;
use crate::model::{Membership, Organization};

/// Most addresses of one invitation (assumed).
const MAX_EMAILS: usize = 100;
/// Reason of a result whose product is full (assumed).
const NO_SEAT: &str = "LICENSE_LIMIT";

/// A role that invited people get, or why they do not.
struct Rule<'a> {
    resource_id: &'a str,
    role: &'a str,
    /// The resource's number and directory.
    place: Result<(u32, Option<u8>), &'static str>,
}

/// A group that invited people join, with its directory and the resources that it gives, or why they do not.
struct Joined<'a> {
    id: &'a str,
    place: Result<(u8, Vec<u32>), &'static str>,
}

/// Seats that the invitation has promised, by resource.
struct Seats<'a> {
    org: &'a Organization,
    promised: BTreeMap<u32, BTreeSet<String>>,
}

impl Seats<'_> {
    /// Whether the account has a seat on the resource or gets one.
    fn take(&mut self, resource: u32, known: Option<u32>, account_id: &str) -> bool {
        let has_one = || known.is_some_and(|u| self.org.seated(resource).contains(&u));
        let Some(free) = self.org.free_seats(resource) else {
            return true;
        };
        if has_one() {
            return true;
        }
        let promised = self.promised.entry(resource).or_default();
        promised.contains(account_id) || {
            let room = promised.len() < free;
            if room {
                promised.insert(account_id.to_owned());
            }
            room
        }
    }
}

pub(crate) fn invite(call: &Call<'_>, org: &Organization) -> Result<Outcome, ApiError> {
    let body = members(call)?;
    let wrong = |error: ApiError| ApiError::bad_parameter(error.detail);
    let emails = addresses(&words(&body, "emails").map_err(wrong)?)?;
    let groups = words(&body, "additionalGroups").map_err(wrong)?;
    let notifies = flag(&body, "sendNotification").map_err(wrong)? != Some(false);
    optional(&body, "notificationText")?;
    let entries = rule_entries(&body)?;
    let rules = entries
        .iter()
        .map(|entry| rule(org, entry))
        .collect::<Result<Vec<_>, _>>()?;
    let joined: Vec<Joined<'_>> = groups.iter().map(|id| joined(org, id)).collect();
    let mut steps = Vec::new();
    let mut data = Vec::new();
    let mut seats = Seats {
        org,
        promised: BTreeMap::new(),
    };
    let mut next = u32::try_from(org.users.len()).unwrap_or(u32::MAX);
    for email in &emails {
        let known = org.find_email(email);
        let account_id = org.account_id(known.unwrap_or(next));
        if known.is_none() {
            next += 1;
        }
        steps.extend(account(
            call,
            org,
            known,
            &account_id,
            email,
            &rules,
            &joined,
        ));
        let role_results: Vec<Value> = rules
            .iter()
            .map(|r| role_result(&mut seats, known, &account_id, r, &mut steps))
            .collect();
        let group_results: Vec<Value> = joined
            .iter()
            .map(|g| group_result(&mut seats, known, &account_id, g, &mut steps))
            .collect();
        if notifies {
            steps.push(Step::SendInvitation(email.clone()));
        }
        data.push(json!({
            "id": account_id,
            "email": email,
            "results": [{
                "roleAssignmentResult": role_results,
                "groupAssignmentResult": group_results,
            }],
        }));
    }
    Ok(Outcome::answered(&json!({ "data": data }), steps))
}

/// The addresses without repeats.
fn addresses(given: &[String]) -> Result<Vec<String>, ApiError> {
    let mut seen: Vec<String> = Vec::new();
    for email in given {
        let is_address = email
            .split_once('@')
            .is_some_and(|(name, host)| !name.is_empty() && host.contains('.'))
            && !email.contains(char::is_whitespace);
        if !is_address {
            return Err(ApiError::bad_parameter(format!(
                "`{email}` is not an e-mail address"
            )));
        }
        if !seen.iter().any(|s| s.eq_ignore_ascii_case(email)) {
            seen.push(email.clone());
        }
    }
    if seen.is_empty() || seen.len() > MAX_EMAILS {
        return Err(ApiError::bad_parameter(format!(
            "`emails` must have 1 to {MAX_EMAILS} entries"
        )));
    }
    Ok(seen)
}

fn rule_entries(body: &Map<String, Value>) -> Result<Vec<Map<String, Value>>, ApiError> {
    let wrong = || ApiError::bad_parameter("`permissionRules` must be a list of objects");
    match body.get("permissionRules") {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(list)) => list
            .iter()
            .map(|entry| entry.as_object().cloned().ok_or_else(wrong))
            .collect(),
        Some(_) => Err(wrong()),
    }
}

fn rule<'a>(org: &Organization, entry: &'a Map<String, Value>) -> Result<Rule<'a>, ApiError> {
    let resource_id = resource_of(entry, "resource")?;
    let role = required(entry, "role")?;
    let place = match resource(org, resource_id) {
        Err(_) => Err("UNKNOWN_RESOURCE"),
        // An invitation can give what a group can: it knows `atlassian/viewer`.
        Ok((_, r)) if !role_rules::is_valid(Holder::Group, role, r) => Err("INVALID_ROLE"),
        Ok((n, r)) => Ok((n, r.directory)),
    };
    Ok(Rule {
        resource_id,
        role,
        place,
    })
}

fn joined<'a>(org: &Organization, id: &'a str) -> Joined<'a> {
    let place = match org
        .find_group(id)
        .and_then(|n| org.group(n).map(|g| (n, g)))
    {
        None => Err("UNKNOWN_GROUP"),
        Some((_, group)) if group.synced => Err("GROUP_NOT_MODIFIABLE"),
        Some((n, _)) if org.gives_organization_admin(n) => Err("GROUP_NOT_MODIFIABLE"),
        Some((_, group)) => Ok((
            group.directory,
            group.roles.iter().map(|e| e.resource).collect(),
        )),
    };
    Joined { id, place }
}

/// The steps that make the account, or put an existing one into the directories that it needs.
fn account(
    call: &Call<'_>,
    org: &Organization,
    known: Option<u32>,
    account_id: &str,
    email: &str,
    rules: &[Rule<'_>],
    joined: &[Joined<'_>],
) -> Vec<Step> {
    let of_rules = rules.iter().filter_map(|r| r.place.ok()?.1);
    let of_groups = joined
        .iter()
        .filter_map(|g| g.place.as_ref().ok().map(|(d, _)| *d));
    let mut directories: Vec<u8> = of_rules.chain(of_groups).collect();
    if directories.is_empty() {
        directories.push(0);
    }
    directories.sort_unstable();
    directories.dedup();
    match known.and_then(|n| org.user(n)) {
        None => {
            let domain = email.rsplit('@').next().unwrap_or_default();
            vec![Step::AddInvited {
                email: email.to_owned(),
                managed: org.domains.iter().any(|d| d.eq_ignore_ascii_case(domain)),
                directories,
                accepted_after: call.writes.invitations_accepted_after,
            }]
        }
        Some(user) => directories
            .into_iter()
            .filter(|d| user.membership(*d) == Membership::None)
            .filter_map(|d| org.directories.get(usize::from(d)))
            .map(|d| {
                Step::Change(Change::SetMembership {
                    account_id: account_id.to_owned(),
                    directory_id: d.id.clone(),
                    membership: Membership::Active,
                })
            })
            .collect(),
    }
}

fn role_result(
    seats: &mut Seats<'_>,
    known: Option<u32>,
    account_id: &str,
    rule: &Rule<'_>,
    steps: &mut Vec<Step>,
) -> Value {
    let taken = rule.place.and_then(|(resource, _)| {
        let has_seat = seats.take(resource, known, account_id);
        has_seat.then_some(()).ok_or(NO_SEAT)
    });
    if taken.is_ok() {
        steps.push(Step::Change(Change::AssignRole {
            principal: Principal::User(account_id.to_owned()),
            resource_id: rule.resource_id.to_owned(),
            role: rule.role.to_owned(),
        }));
    }
    let mut result = json!({ "resource": rule.resource_id, "role": rule.role });
    set_status(&mut result, taken.err());
    result
}

fn group_result(
    seats: &mut Seats<'_>,
    known: Option<u32>,
    account_id: &str,
    group: &Joined<'_>,
    steps: &mut Vec<Step>,
) -> Value {
    let taken = match &group.place {
        Err(reason) => Err(*reason),
        Ok((_, resources)) if resources.iter().all(|r| seats.take(*r, known, account_id)) => Ok(()),
        Ok(_) => Err(NO_SEAT),
    };
    if taken.is_ok() {
        steps.push(Step::Change(Change::AddMember {
            group_id: group.id.to_owned(),
            account_id: account_id.to_owned(),
        }));
    }
    let mut result = json!({ "groupId": group.id });
    set_status(&mut result, taken.err());
    result
}

fn set_status(result: &mut Value, refused: Option<&'static str>) {
    result["status"] = json!(if refused.is_some() {
        "ERROR"
    } else {
        "INVITED"
    });
    result["statusReason"] = json!(refused);
}
