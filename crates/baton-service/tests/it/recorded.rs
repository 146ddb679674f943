//! The tasks that the Go program was given, given to ours, with a connector that answers
//! as that of the recordings: equal reports.
//!
//! `fixtures/tasks.tsv` has each task and the report of the Go program, both as the bytes
//! of their messages; the report is empty where it sent none.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use baton_connector::{
    Any, Call, Change, Code, Connector, ConnectorBuilder, Error, Held, Page, Provisioner,
    ResourceSyncer, Result, TypeSpec, Types, resource, v2,
};
use baton_grpc::{CallOptions, InProcess};
use baton_proto::c1::connectorapi::baton::v1::task::TaskType;
use baton_proto::c1::connectorapi::baton::v1::{BatonServiceFinishTaskRequest as FinishTask, Task};
use baton_proto::json;
use data_encoding::HEXLOWER;
use prost::Message as _;
use serde_json::{Value, json as value};

use crate::rich::Rich;
use crate::serving::{report, services};

const RECORDINGS: &str = include_str!("../fixtures/tasks.tsv");

struct Recorded {
    case: &'static str,
    tag: &'static str,
    task: Task,
    /// What the Go program reported; `None` if it reported nothing.
    report: Option<FinishTask>,
}

fn recordings() -> Vec<Recorded> {
    let bytes = |hex: &str| HEXLOWER.decode(hex.as_bytes()).unwrap();
    let lines = RECORDINGS.lines().skip(1);
    lines
        .map(|line| {
            let mut fields = line.split('\t');
            let mut field = || fields.next().unwrap();
            Recorded {
                case: field(),
                tag: field(),
                task: Task::decode(bytes(field()).as_slice()).unwrap(),
                report: Some(bytes(field()))
                    .filter(|report| !report.is_empty())
                    .map(|report| FinishTask::decode(report.as_slice()).unwrap()),
            }
        })
        .collect()
}

/// The other program of the recordings, against an API that lacks the path of a group.
struct Atlassian {
    details: Vec<Any>,
}

impl Atlassian {
    fn missing(&self) -> Error {
        let text = "baton-atlassian: failed to resolve group directory: rpc error: code = \
                    NotFound desc = 404 X\nrpc error: code = NotFound desc = Request failed \
                    with status 404: API error response detail: No such path";
        Error::remote(Code::NotFound, text, self.details.clone())
    }
}

#[async_trait::async_trait]
impl ResourceSyncer for Atlassian {
    async fn list(
        &self,
        _call: &Call,
        _parent: Option<&v2::ResourceId>,
    ) -> Result<Page<v2::Resource>> {
        Ok(Page::empty())
    }
}

#[async_trait::async_trait]
impl Provisioner for Atlassian {
    async fn grant(&self, _: &Call, _: &v2::Entitlement, _: &v2::Resource) -> Result<Change> {
        Err(self.missing())
    }

    async fn revoke(&self, _: &Call, _: &v2::Grant) -> Result<Change> {
        Err(self.missing())
    }

    async fn holds(&self, _: &Call, _: &v2::Entitlement, _: &v2::Resource) -> Result<Held> {
        Err(self.missing())
    }
}

fn atlassian(recordings: &[Recorded]) -> Arc<dyn Connector> {
    let of_grant = recordings
        .iter()
        .find(|recorded| recorded.case.starts_with("k11") && recorded.tag == "grant");
    let report = of_grant.and_then(|recorded| recorded.report.clone());
    let details = report.and_then(|report| report.status).unwrap().details;
    let spec = |id: &str| {
        let kind = resource::ResourceTypeBuilder::new(id, id).build().unwrap();
        let details = details.clone();
        TypeSpec::new(kind, move |(): &()| {
            let details = details.clone();
            Ok(Atlassian { details })
        })
    };
    let types = Types::new()
        .with(spec("user"))
        .with(spec("group").provisioner())
        .with(spec("workspace").provisioner());
    let builder = ConnectorBuilder::new().types(&types, &());
    Arc::new(builder.unwrap().build().unwrap())
}

/// The connector of a case, served as its program was started.
fn calls_of(case: &str, recordings: &[Recorded]) -> InProcess {
    let (connector, enabled) = match case {
        "k06-schemas-0" => (Rich::with_schemas(0), true),
        "k06-schemas-130" => (Rich::with_schemas(130), true),
        "k06-schemas-fail" => (Rich::whose_lists_fail(), true),
        "k10-atlassian-no-flags" => (atlassian(recordings), false),
        "k11-atlassian-with-flags" => (atlassian(recordings), true),
        "k12-rich-no-flags" => (Rich::with_schemas(2), false),
        _ => (Rich::with_schemas(2), true),
    };
    services(connector, enabled)
}

fn shown(report: &FinishTask) -> Value {
    let text = json::to_string(report, &json::Options::default()).unwrap();
    let mut shown = serde_json::from_str(&text).unwrap();
    hide_ciphertexts(&mut shown);
    shown
}

/// Ciphertexts differ each time.
fn hide_ciphertexts(shown: &mut Value) {
    match shown {
        Value::Object(fields) => {
            if let Some(bytes) = fields.get_mut("encryptedBytes") {
                assert!(bytes.as_str().is_some_and(|text| text.len() > 100));
                *bytes = value!("hidden");
            }
            fields.values_mut().for_each(hide_ciphertexts);
        }
        Value::Array(items) => items.iter_mut().for_each(hide_ciphertexts),
        _ => {}
    }
}

fn declare_more(schema: &mut Value) {
    let more = value!({"name": "more", "stringField": {}});
    schema["arguments"].as_array_mut().unwrap().push(more);
}

/// Changes the report of the Go program to ours where ours differs on purpose; false if
/// it does not.
fn departs(case: &str, tag: &str, report: &mut Value) -> bool {
    match (case, tag) {
        // The service allows 16 annotations.
        ("k01-grant", "many17") => {
            let list = report["success"]["annotations"].as_array_mut();
            list.unwrap().truncate(16);
        }
        // The texts of JSON parsers differ.
        ("k03-create-account", "badKey") => {
            let text = "rpc error: code = InvalidArgument desc = jwk: failed to unmarshal jwk: \
                        not a JSON object of texts, at line 1 column 1\ntask failed and is non-retryable";
            report["status"]["message"] = value!(text);
        }
        // An argument that a constraint names must be declared.
        ("k08-actions", "list") | ("k12-rich-no-flags", "actionList") => {
            declare_more(&mut report["success"]["response"]["schemas"][0]);
        }
        ("k08-actions", "get") => {
            declare_more(&mut report["success"]["response"]["schema"]);
        }
        // Answers of our actions have no annotations.
        (
            "k08-actions",
            "invoke"
            | "invokeNoArgs"
            | "TstatusOf100000000000000000"
            | "TstatusOf200000000000000000",
        ) => {
            let response = report["success"]["response"].as_object_mut();
            response.unwrap().remove("annotations");
        }
        _ => return false,
    }
    true
}

/// What ours reports where the Go program leaves the task open: a retryable failure.
fn open_in_go(case: &str, tag: &str) -> (u8, &'static str) {
    match (case, tag) {
        ("k06-schemas-fail", "schemas") => (
            7,
            "error: listing ticket schemas failed: rpc error: code = PermissionDenied desc = \
             rich: denied by policy",
        ),
        ("k07-events", "eventsNoFeed") => (5, "error: event feed id nosuch not found"),
        ("k07-events", "eventsFail") => (
            7,
            "error: listing events failed: rpc error: code = PermissionDenied desc = rich: \
             denied by policy",
        ),
        (_, "events" | "eventsEmpty") => (5, "error: event feed id baton_feed_event not found"),
        ("k11-atlassian-with-flags", "schemas") => (12, "ticket manager not implemented"),
        (_, "schemas") => (2, "ticketing is not enabled"),
        other => panic!("{other:?} is not known to be open"),
    }
}

#[tokio::test(start_paused = true)]
async fn reports_are_those_of_the_go_program() {
    let recordings = recordings();
    assert!(recordings.len() > 180, "{}", recordings.len());
    let mut calls = BTreeMap::new();
    // Ids of actions, by those of the recordings.
    let mut ids = BTreeMap::new();
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for recorded in &recordings {
        let Recorded { case, tag, .. } = *recorded;
        let name = format!("{case} {tag}");
        if tag == "eventsNil" {
            // No answer of ours is none.
            continue;
        }
        let calls = calls
            .entry(case)
            .or_insert_with(|| calls_of(case, &recordings));
        let mut task = recorded.task.clone();
        if let Some(TaskType::ActionStatus(status)) = &mut task.task_type
            && let Some(id) = ids.get(&status.id)
        {
            status.id = String::clone(id);
        }
        if tag.starts_with("TstatusLater") {
            tokio::time::sleep(Duration::from_secs(10)).await;
        }
        let ours = shown(&report(calls, &task, CallOptions::default()).await);
        let Some(report) = &recorded.report else {
            let (code, text) = open_in_go(case, tag);
            let status = value!({"code": code, "message": text});
            if ours["status"] != status || ours["error"] != value!({}) {
                wrong.push(format!("{name}: {ours}"));
            }
            continue;
        };
        let mut wanted = shown(report);
        let id = |report: &Value| {
            report["success"]["response"]["id"]
                .as_str()
                .map(String::from)
        };
        if let (Some(theirs), Some(our_id)) = (id(&wanted), id(&ours)) {
            wanted["success"]["response"]["id"] = value!(our_id);
            ids.entry(theirs).or_insert(our_id);
        }
        let same = wanted == ours;
        if departs(case, tag, &mut wanted) {
            assert!(!same, "{name} does not differ");
            seen.insert(name.clone());
        }
        if wanted != ours {
            wrong.push(format!("{name}:\n  theirs {wanted}\n  ours   {ours}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(seen.len(), 9, "{seen:?}");
}
