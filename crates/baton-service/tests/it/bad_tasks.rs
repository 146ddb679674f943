//! Tasks with missing parts and changed bytes: each is reported, and none ends the
//! program.

use baton_connector::{Random, SplitMix};
use baton_grpc::CallOptions;
use baton_proto::c1::connectorapi::baton::v1::Task;
use baton_proto::c1::connectorapi::baton::v1::baton_service_finish_task_request::FinalState;
use prost::Message as _;
use serde_json::Value;

use crate::arms::{arms, carried_out, failure, task, with};
use crate::rich::Rich;
use crate::serving::{report, services};

/// Changed bytes of each task.
const CHANGED: usize = 200;

/// Where a value has fields and items, as JSON pointers.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    let mut inside = |key: &str, value: &Value| {
        let place = format!("{at}/{key}");
        places(value, &place, found);
        found.push(place);
    };
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, value)| inside(key, value)),
        Value::Array(items) => {
            let items = items.iter().enumerate();
            items.for_each(|(number, value)| inside(&number.to_string(), value));
        }
        _ => {}
    }
}

fn without(content: &Value, place: &str) -> Value {
    let mut content = content.clone();
    let (parent, key) = place.rsplit_once('/').unwrap();
    match content.pointer_mut(parent).unwrap() {
        Value::Object(fields) => drop(fields.remove(key)),
        Value::Array(items) => drop(items.remove(key.parse().unwrap())),
        other => panic!("{other} has no parts"),
    }
    content
}

#[tokio::test(start_paused = true)]
async fn a_task_without_any_one_of_its_parts_is_reported() {
    let calls = services(Rich::with_schemas(2), true);
    let mut tried = 0;
    for (arm, content) in arms() {
        let content = with(&content, "fine");
        let mut all = Vec::new();
        places(&content, "", &mut all);
        for place in all.iter().filter(|place| !place.ends_with("/@type")) {
            let report = carried_out(&calls, &arm, &without(&content, place)).await;
            tried += 1;
            let Some((code, text, _)) = failure(&report) else {
                continue;
            };
            assert!(!text.is_empty(), "{arm} {place}");
            // The connector of the tests panics without the id of a principal.
            let panics = (arm.as_str(), place.as_str()) == ("grant", "/principal/id");
            assert_eq!(code == 13, panics, "{arm} {place}: {text}");
        }
    }
    assert!(tried > 100, "{tried}");
}

#[tokio::test(start_paused = true)]
async fn a_task_with_changed_bytes_is_reported_if_it_can_be_read() {
    let calls = services(Rich::with_schemas(2), true);
    let random = SplitMix::seeded(11);
    let (mut read, mut unread) = (0, 0);
    for (arm, content) in arms() {
        let bytes = task(&arm, &with(&content, "fine")).encode_to_vec();
        for _ in 0..CHANGED {
            let mut bytes = bytes.clone();
            let at = usize::try_from(random.next_u64() % bytes.len() as u64).unwrap();
            if random.next_u64().is_multiple_of(4) {
                bytes.truncate(at);
            } else {
                bytes[at] = random.next_u64().to_le_bytes()[0];
            }
            let Ok(task) = Task::decode(bytes.as_slice()) else {
                unread += 1;
                continue;
            };
            read += 1;
            let report = report(&calls, &task, CallOptions::default()).await;
            let has_failed = matches!(report.final_state, Some(FinalState::Error(_)));
            assert_eq!(report.status.is_some(), has_failed, "{report:?}");
            assert!(report.final_state.is_some(), "{report:?}");
        }
    }
    assert!(read > 1000 && unread > 100, "{read} {unread}");
}
