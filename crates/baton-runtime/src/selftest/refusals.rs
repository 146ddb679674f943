//! Requests that a connector must refuse, and how.

use baton_connector::{Code, v2};
use v2::TicketsServiceBulkGetTicketsRequest as BulkGetRequest;

use super::announced::is_disabled;
use super::caller::{Answer, Caller};
use super::recorder::Asked;
use super::{CheckResult, NO_SUCH_ID, Verdict};

const TYPES: &str = "unknown resource types are refused";
const PARTS: &str = "unknown feeds and actions are not found";
const EMPTY: &str = "empty requests are refused";

pub(super) async fn checks(caller: &Caller) -> Vec<CheckResult> {
    let checks = [
        (TYPES, types(caller).await),
        (PARTS, parts(caller).await),
        (EMPTY, empty(caller).await),
    ];
    let checks = checks.into_iter();
    checks
        .map(|(name, found)| CheckResult {
            name,
            verdict: Verdict::of(found),
        })
        .collect()
}

/// What is wrong with an answer that must be a refusal with one of some codes.
fn fault<T>(what: &str, answer: Answer<T>, allowed: &[Code]) -> Option<String> {
    let expected = allowed.iter().map(|code| code.name()).collect::<Vec<_>>();
    let expected = expected.join(" or ");
    match answer {
        Ok(_) => Some(format!("{what}: it is answered; expected {expected}")),
        Err(fault) if fault.code().is_some_and(|code| allowed.contains(&code)) => None,
        Err(fault) if fault.code().is_some() => {
            Some(format!("{what}: expected {expected}; {fault}"))
        }
        Err(fault) => Some(format!("{what}: {fault}")),
    }
}

fn resource(type_id: &str, id: &str) -> v2::Resource {
    v2::Resource {
        id: Some(v2::ResourceId {
            resource_type: type_id.to_owned(),
            resource: id.to_owned(),
            ..v2::ResourceId::default()
        }),
        ..v2::Resource::default()
    }
}

/// The lists of a type and of a resource of it.
fn lists(type_id: &str, resource: &v2::Resource) -> [Asked; 4] {
    [
        Asked::Resources(type_id.to_owned(), None),
        Asked::Templates(type_id.to_owned()),
        Asked::Entitlements(resource.clone()),
        Asked::Grants(resource.clone()),
    ]
}

async fn types(caller: &Caller) -> Vec<String> {
    let mut found = Vec::new();
    for list in lists(NO_SUCH_ID, &resource(NO_SUCH_ID, "1")) {
        let call = caller.call();
        let answer = caller.ask(list.page(caller.connector(), &call)).await;
        found.extend(fault(&list.name(), answer, &[Code::NotFound]));
    }
    let id = resource(NO_SUCH_ID, "1").id.unwrap_or_default();
    let call = caller.call();
    let got = caller.connector().get_resource(&call, &id, None);
    match caller.ask(got).await {
        Ok(None) => {}
        answer => found.extend(fault(
            &format!("resource `{NO_SUCH_ID}:1`"),
            answer,
            &[Code::Unimplemented, Code::NotFound],
        )),
    }
    found
}

async fn parts(caller: &Caller) -> Vec<String> {
    let mut found = Vec::new();
    let call = caller.call();
    // Some connectors without feeds or actions do not have the service.
    let allowed = [Code::NotFound, Code::Unimplemented];
    if let Some(feeds) = caller.connector().event_feeds() {
        let request = v2::ListEventsRequest {
            event_feed_id: NO_SUCH_ID.to_owned(),
            ..v2::ListEventsRequest::default()
        };
        let answer = caller.ask(feeds.list_events(&call, &request)).await;
        found.extend(fault(
            &format!("event feed `{NO_SUCH_ID}`"),
            answer,
            &allowed,
        ));
    }
    if let Some(actions) = caller.connector().actions() {
        let answer = caller.ask(actions.schema(&call, NO_SUCH_ID)).await;
        found.extend(fault(&format!("action `{NO_SUCH_ID}`"), answer, &allowed));
        let answer = caller.ask(actions.status(&call, NO_SUCH_ID)).await;
        found.extend(fault(
            &format!("state of action `{NO_SUCH_ID}`"),
            answer,
            &allowed,
        ));
    }
    found
}

async fn empty(caller: &Caller) -> Vec<String> {
    let allowed = [Code::InvalidArgument, Code::NotFound, Code::Unimplemented];
    let mut found = Vec::new();
    let call = caller.call();
    for list in lists("", &v2::Resource::default()) {
        let answer = caller.ask(list.page(caller.connector(), &call)).await;
        found.extend(fault(&list.name(), answer, &allowed));
    }
    let id = v2::ResourceId::default();
    let got = caller.connector().get_resource(&call, &id, None);
    match caller.ask(got).await {
        Ok(None) => {}
        answer => found.extend(fault("a resource without an id", answer, &allowed)),
    }
    if let Some(actions) = caller.connector().actions() {
        let answer = caller.ask(actions.schema(&call, "")).await;
        found.extend(fault("an action without a name", answer, &allowed));
        let answer = caller.ask(actions.status(&call, "")).await;
        found.extend(fault(
            "the state of an action without an id",
            answer,
            &allowed,
        ));
    }
    if let Some(tickets) = caller.connector().tickets() {
        let request = BulkGetRequest::default();
        let answer = caller.ask(tickets.bulk_get_tickets(&call, &request)).await;
        if !answer.as_ref().is_err_and(is_disabled) {
            found.extend(fault("a request for no tickets", answer, &allowed));
        }
    }
    found
}
