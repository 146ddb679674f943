//! Each arm of a task: its success, its failures, its end, and what it must have.

use std::time::Duration;

use baton_grpc::{CallOptions, InProcess};
use baton_proto::c1::connectorapi::baton::v1::Task;
use baton_proto::json;
use serde_json::{Value, json as value};
use tokio::time::{Instant, sleep};

use crate::rich::Rich;
use crate::rich_tickets::{ENDLESS, REPEATS};
use crate::serving::{report, services};

const ID: &str = "Tarms0000000000000000000000";
const FOR_GOOD: &str = "\ntask failed and is non-retryable";

/// A task of each arm, in which `WHAT` decides the answer of the connector.
const TASKS: &str = include_str!("../fixtures/arms.json");

/// The tasks, by arm.
pub(crate) fn arms() -> Vec<(String, Value)> {
    let arms: serde_json::Map<_, _> = serde_json::from_str(TASKS).unwrap();
    arms.into_iter().collect()
}

/// The task of an arm.
pub(crate) fn task(arm: &str, content: &Value) -> Task {
    let task = value!({"id": ID, arm: content});
    json::from_str(&task.to_string()).unwrap()
}

/// The content of an arm with this in place of `WHAT`.
pub(crate) fn with(content: &Value, what: &str) -> Value {
    serde_json::from_str(&content.to_string().replace("WHAT", what)).unwrap()
}

async fn shown(calls: &InProcess, task: &Task, options: CallOptions) -> Value {
    let report = report(calls, task, options).await;
    let text = json::to_string(&report, &json::Options::default()).unwrap();
    serde_json::from_str(&text).unwrap()
}

pub(crate) async fn carried_out(calls: &InProcess, arm: &str, content: &Value) -> Value {
    shown(calls, &task(arm, content), CallOptions::default()).await
}

/// Code, text and `non_retryable` of a failure; `None` for a success.
pub(crate) fn failure(report: &Value) -> Option<(u64, &str, bool)> {
    let error = report.get("error")?;
    Some((
        report["status"]["code"].as_u64().unwrap(),
        report["status"]["message"].as_str().unwrap(),
        error["nonRetryable"].as_bool().unwrap_or(false),
    ))
}

/// What is before the text of a connector's error, for arms whose failures must not be
/// repeated, and for the others.
const CHANGES: [(&str, &str); 7] = [
    ("grant", "grant failed: "),
    ("revoke", "revoke failed: "),
    ("createAccount", "error: create account failed: "),
    ("createResource", "error: create resource failed: "),
    ("deleteResource", "error: delete resource failed: "),
    (
        "rotateCredentials",
        "error: rotate credentials on resource failed: ",
    ),
    (
        "issueCredential",
        "error: issue credential for identity failed: ",
    ),
];
const OTHERS: [(&str, &str); 5] = [
    ("createTicketTask", "error: creating ticket failed: "),
    ("getTicket", "error: getting ticket failed: "),
    ("bulkCreateTickets", "error: creating tickets failed: "),
    ("bulkGetTickets", "error: fetching tickets failed: "),
    ("listEvents", "error: listing events failed: "),
];

/// Failures of the connector: what asks for them, code, name of the code, and text.
const FAILURES: [(&str, u64, &str, &str); 6] = [
    ("plain", 2, "Unknown", "rich: plain failure"),
    (
        "denied",
        7,
        "PermissionDenied",
        "rpc error: code = PermissionDenied desc = rich: denied by policy",
    ),
    (
        "declined",
        9,
        "FailedPrecondition",
        "not before the training is done",
    ),
    (
        "details",
        8,
        "ResourceExhausted",
        "rpc error: code = ResourceExhausted desc = rich: throttled",
    ),
    ("canceled", 1, "Canceled", "context canceled"),
    (
        "deadline",
        4,
        "DeadlineExceeded",
        "context deadline exceeded",
    ),
];

#[tokio::test(start_paused = true)]
async fn every_arm_succeeds() {
    let calls = services(Rich::with_schemas(2), true);
    let arms = arms();
    assert_eq!(arms.len(), 18);
    for (arm, content) in arms {
        if arm == "actionStatus" {
            continue;
        }
        let report = carried_out(&calls, &arm, &with(&content, "fine")).await;
        assert_eq!(failure(&report), None, "{arm}: {report}");
        let response = &report["success"]["response"];
        assert!(response["@type"].is_string(), "{arm}: {report}");
        if arm == "actionInvoke" {
            let id = response["id"].as_str().unwrap();
            let status = carried_out(&calls, "actionStatus", &value!({"id": id})).await;
            assert_eq!(failure(&status), None, "{status}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn failures_of_the_connector_are_reported_with_code_text_and_details() {
    let calls = services(Rich::with_schemas(2), true);
    let arms: serde_json::Map<_, _> = arms().into_iter().collect();
    let changes = CHANGES.iter().map(|arm| (arm, true));
    let others = OTHERS.iter().map(|arm| (arm, false));
    for ((arm, prefix), for_good) in changes.chain(others) {
        for (what, code, name, text) in FAILURES {
            let report = carried_out(&calls, arm, &with(&arms[*arm], what)).await;
            let wanted = if for_good {
                format!("rpc error: code = {name} desc = {prefix}{text}{FOR_GOOD}")
            } else {
                format!("{prefix}{text}")
            };
            let found = failure(&report);
            assert_eq!(
                found,
                Some((code, wanted.as_str(), for_good)),
                "{arm} {what}"
            );
            let details = report["status"]["details"].as_array().map_or(0, Vec::len);
            let has_details = matches!(what, "declined" | "details");
            assert_eq!(details, usize::from(has_details), "{arm} {what}");
        }
        let report = carried_out(&calls, arm, &with(&arms[*arm], "panic")).await;
        let (code, text, _) = failure(&report).unwrap();
        assert_eq!(code, 13, "{arm}");
        assert!(text.contains("Internal Server Error"), "{arm}: {text}");
        assert!(!text.contains("boom"), "{arm}: {text}");
    }
}

#[tokio::test(start_paused = true)]
async fn failures_of_lists_are_retryable() {
    let calls = services(Rich::whose_lists_fail(), true);
    let report = carried_out(&calls, "listEventFeeds", &value!({})).await;
    let text = "error: listing event feeds failed: rich: plain failure";
    assert_eq!(failure(&report), Some((2, text, false)));
    let report = carried_out(&calls, "listTicketSchemas", &value!({})).await;
    let text = "error: listing ticket schemas failed: rpc error: code = PermissionDenied desc = \
                rich: denied by policy";
    assert_eq!(failure(&report), Some((7, text, false)));
}

#[tokio::test(start_paused = true)]
async fn a_list_of_schemas_that_does_not_end_is_a_failure() {
    let calls = services(Rich::with_schemas(REPEATS), true);
    let report = carried_out(&calls, "listTicketSchemas", &value!({})).await;
    let text = "listing ticket schemas failed: next page token unchanged - likely a connector bug";
    assert_eq!(failure(&report), Some((13, text, false)));
    let calls = services(Rich::with_schemas(ENDLESS), true);
    let report = carried_out(&calls, "listTicketSchemas", &value!({})).await;
    let text = "connector returned more than 1000 pages of ticket schemas";
    assert_eq!(failure(&report), Some((13, text, false)));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_too_large_is_reported_as_such() {
    let calls = services(Rich::with_schemas(2), true);
    let arms: serde_json::Map<_, _> = arms().into_iter().collect();
    let report = carried_out(&calls, "grant", &with(&arms["grant"], "large")).await;
    let (code, text, for_good) = failure(&report).unwrap();
    assert_eq!((code, for_good), (8, true));
    assert!(text.starts_with("the task was carried out, but its answer is too large"));
}

fn cancelled_after(wait: Duration) -> CallOptions {
    let options = CallOptions::default();
    let cancel = options.cancel.clone();
    tokio::spawn(async move {
        sleep(wait).await;
        cancel.cancel();
    });
    options
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_task_ends_and_may_be_repeated() {
    let calls = services(Rich::with_schemas(2), true);
    let arms: serde_json::Map<_, _> = arms().into_iter().collect();
    for (arm, text) in [
        ("grant", "grant failed: the run is to stop"),
        ("revoke", "revoke failed: the run is to stop"),
        (
            "createTicketTask",
            "error: creating ticket failed: the run is to stop",
        ),
        ("getTicket", "context canceled"),
        ("listEvents", "context canceled"),
    ] {
        let began = Instant::now();
        let task = task(arm, &with(&arms[arm], "never"));
        let report = shown(&calls, &task, cancelled_after(Duration::from_secs(7))).await;
        assert_eq!(failure(&report), Some((1, text, false)), "{arm}");
        assert_eq!(began.elapsed(), Duration::from_secs(7), "{arm}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_that_was_cancelled_before_is_not_begun() {
    let calls = services(Rich::with_schemas(2), true);
    for (arm, content) in arms() {
        let options = CallOptions::default();
        options.cancel.cancel();
        let task = task(&arm, &with(&content, "panic"));
        let report = shown(&calls, &task, options).await;
        let wanted = Some((1, "task was cancelled", false));
        assert_eq!(failure(&report), wanted, "{arm}");
    }
}

#[tokio::test]
async fn arms_that_are_served_elsewhere_or_nowhere_are_unsupported() {
    let calls = services(Rich::with_schemas(2), true);
    let wanted = Some((2, "unsupported task type", false));
    for arm in [
        "none",
        "hello",
        "syncFull",
        "eventFeed",
        "createSyncDiff",
        "compactSyncs",
    ] {
        let report = carried_out(&calls, arm, &value!({})).await;
        assert_eq!(failure(&report), wanted, "{arm}");
    }
    let report = shown(&calls, &Task::default(), CallOptions::default()).await;
    assert_eq!(failure(&report), wanted);
}

/// What a task ends with that lacks a field; fields that are not named may be missing.
const REQUIRED: [(&str, &str, u64, &str); 17] = [
    ("grant", "entitlement", 2, "malformed grant task"),
    ("grant", "principal", 2, "malformed grant task"),
    ("revoke", "grant", 2, "invalid task type"),
    (
        "createAccount",
        "accountInfo",
        2,
        "malformed create account task",
    ),
    (
        "createResource",
        "resource",
        2,
        "malformed create resource task",
    ),
    (
        "deleteResource",
        "resourceId",
        2,
        "malformed delete resource task",
    ),
    (
        "rotateCredentials",
        "resourceId",
        2,
        "malformed rotate credentials task",
    ),
    (
        "issueCredential",
        "identityId",
        2,
        "malformed issue credential task",
    ),
    (
        "issueCredential",
        "credentialOptions",
        2,
        "malformed issue credential task",
    ),
    (
        "issueCredential",
        "encryptionConfigs",
        2,
        "malformed issue credential task",
    ),
    (
        "createTicketTask",
        "ticketRequest",
        2,
        "malformed create ticket task",
    ),
    ("getTicket", "ticketId", 2, "malformed get ticket task"),
    (
        "bulkCreateTickets",
        "ticketRequests",
        2,
        "malformed bulk create ticket task",
    ),
    (
        "bulkGetTickets",
        "ticketRequests",
        2,
        "malformed bulk get tickets task",
    ),
    ("actionGetSchema", "name", 2, "action name required"),
    ("actionInvoke", "name", 2, "action name required"),
    ("actionStatus", "id", 2, "action id required"),
];

#[tokio::test(start_paused = true)]
async fn a_task_that_lacks_a_field() {
    let calls = services(Rich::with_schemas(2), true);
    let mut refused = 0;
    for (arm, content) in arms() {
        let content = with(&content, "fine");
        for field in content.as_object().unwrap().keys() {
            let mut lacks = content.clone();
            lacks.as_object_mut().unwrap().remove(field);
            let report = carried_out(&calls, &arm, &lacks).await;
            let required = REQUIRED.iter().find(|r| (r.0, r.1) == (&arm, field));
            let Some((_, _, code, text)) = required else {
                let wanted = match (arm.as_str(), field.as_str()) {
                    ("listEvents", "eventFeedId") | ("actionStatus", _) => Some(5),
                    _ => None,
                };
                let code = failure(&report).map(|failure| failure.0);
                assert_eq!(code, wanted, "{arm} without {field}: {report}");
                continue;
            };
            refused += 1;
            let is_action = arm.starts_with("action");
            let end = if is_action { "" } else { FOR_GOOD };
            let wanted = format!("{text}{end}");
            let found = failure(&report);
            let wanted = Some((*code, wanted.as_str(), !is_action));
            assert_eq!(found, wanted, "{arm} without {field}");
        }
    }
    assert_eq!(refused, REQUIRED.len());
}
