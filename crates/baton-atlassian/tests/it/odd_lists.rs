//! Lists that contradict a count, end too early, bring objects twice, or never
//! end: under every plan.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use atlassian_sim::{Config, Fault, GroupSizes, OrganizationSpec, Simulator};
use baton_atlassian::{RequestPlan, Settings};
use baton_connector::Secret;
use baton_connector::http::{BodyStream, Transport, TransportError, whole_body};
use baton_proto::Code;
use baton_sync::Report;
use bytes::Bytes;
use http::{Request, Response};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::simulated::{InProcess, run, simulate, spec};

const PLANS: [RequestPlan; 2] = [RequestPlan::Auto, RequestPlan::Plain];

/// 250 users in one directory, a group of 150 and some small ones.
fn organization() -> Simulator {
    simulate(Config {
        organization: OrganizationSpec {
            directories: Some(1),
            odd_data: false,
            group_sizes: GroupSizes::Even(150),
            tokens: Some(10),
            ..spec(250, 3)
        },
        ..Config::default()
    })
}

fn settings(simulator: &Simulator, plan: Option<RequestPlan>) -> Settings {
    let key = Secret::new(simulator.access_token());
    let base = "http://simulated.test/admin";
    let mut settings = Settings::new(key, simulator.organization_id(), base).unwrap();
    settings.go_compatible = plan.is_none();
    settings.request_plan = plan;
    settings
}

async fn sync(
    simulator: &Simulator,
    plan: Option<RequestPlan>,
    transport: impl Transport + 'static,
) -> Result<Report, baton_sync::Error> {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("sync.c1z");
    let settings = settings(simulator, plan);
    run(&settings, transport, &target, CancellationToken::new()).await
}

/// A sync under faults of the simulator.
async fn faulty(plan: Option<RequestPlan>, faults: &[&str]) -> (Report, Simulator) {
    let simulator = organization();
    let faults = faults.iter().map(|fault| fault.parse::<Fault>().unwrap());
    simulator.set_faults(faults.collect());
    let report = sync(&simulator, plan, InProcess(simulator.clone())).await;
    (report.unwrap(), simulator)
}

fn warned(report: &Report, text: &str) -> bool {
    report.warnings.iter().any(|warning| warning.contains(text))
}

fn counts_asked(simulator: &Simulator) -> usize {
    let requests = simulator.requests();
    requests
        .iter()
        .filter(|r| r.path.ends_with("/count"))
        .count()
}

#[tokio::test(start_paused = true)]
async fn a_calm_organization_gives_no_warning_under_any_plan() {
    for plan in PLANS {
        let (report, _) = faulty(Some(plan), &[]).await;
        assert_eq!(report.warnings, Vec::<String>::new(), "{plan:?}");
        assert_eq!(report.notes, Vec::<String>::new(), "{plan:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_that_ends_with_a_full_page_is_compared_with_the_count() {
    // The list of users is the first search: 100 of 250.
    let cut = [
        "POST v2/users/search#1-2=cut-cursor",
        "POST v2/groups/search=page-size:1000",
    ];
    for plan in PLANS {
        let (report, _) = faulty(Some(plan), &cut[..1]).await;
        let text = "resources of type `user`: 100 listed, but the application counts 250";
        assert!(warned(&report, text), "{plan:?}: {:?}", report.warnings);
    }
    let (report, simulator) = faulty(None, &["GET v2/users#1=cut-cursor"]).await;
    assert_eq!(report.shortfalls, []);
    assert_eq!(
        counts_asked(&simulator),
        0,
        "only the Go connector's requests"
    );
}

#[tokio::test(start_paused = true)]
async fn a_total_on_a_page_is_used_for_every_list_in_both_directions() {
    let lists = [
        ("POST v2/users/search", "resources of type `user`", 250),
        ("POST v2/groups/search", "resources of type `group`", 3),
        ("POST v2/workspaces", "resources of type `workspace`", 0),
        (
            "GET api-access/v1/api-tokens",
            "resources of type `api_token`",
            10,
        ),
    ];
    for (endpoint, name, rows) in lists {
        for total in [rows + 7, 1] {
            let fault = format!("{endpoint}=total:{total}");
            let (report, _) = faulty(Some(RequestPlan::Plain), &[&fault]).await;
            let text = format!("{name}: ");
            let end = format!("listed, but the application counts {total}");
            let found = report
                .warnings
                .iter()
                .any(|w| w.starts_with(&text) && w.ends_with(&end));
            assert!(found, "{fault}: {:?}", report.warnings);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn repeated_users_and_members_are_a_note_and_other_repetitions_a_warning() {
    for plan in PLANS {
        let (report, _) = faulty(Some(plan), &["POST v2/users/search=repeat-items"]).await;
        let note = "repeated resources of type `user`";
        assert!(
            report.notes.iter().any(|n| n.contains(note)),
            "{:?}",
            report.notes
        );
        assert!(!warned(&report, note));
        assert_eq!(report.shortfalls, [], "{plan:?}");
        assert_eq!(report.surpluses, [], "{plan:?}");
        let fault = "GET api-access/v1/api-tokens=repeat-items";
        let (report, _) = faulty(Some(plan), &[fault]).await;
        let text = "10 repeated resources of type `api_token` (";
        assert!(warned(&report, text), "{:?}", report.warnings);
    }
}

#[tokio::test(start_paused = true)]
async fn an_absent_count_is_asked_for_once() {
    for plan in PLANS {
        let faults = [
            "GET v2/users/count=404",
            "POST v2/users/search#40-=429:retry-after=0",
        ];
        let simulator = simulate(Config {
            organization: OrganizationSpec {
                directories: Some(1),
                odd_data: false,
                group_sizes: GroupSizes::Even(100),
                ..spec(300, 50)
            },
            ..Config::default()
        });
        simulator.set_faults(vec![faults[0].parse().unwrap()]);
        let report = sync(&simulator, Some(plan), InProcess(simulator.clone())).await;
        let report = report.unwrap();
        assert!(warned(&report, "not compared"), "{:?}", report.warnings);
        let requests = simulator.requests();
        let asked = requests.iter().filter(|r| r.path.ends_with("users/count"));
        assert_eq!(asked.count(), 1, "{plan:?}");
    }
}

type Answer = fn(&Request<Bytes>, Value, u64) -> Value;

/// Changes the JSON answers of the simulator.
struct Changed {
    inner: InProcess,
    answer: Answer,
    asked: AtomicU64,
}

impl fmt::Debug for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Changed")
    }
}

#[async_trait]
impl Transport for Changed {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<BodyStream>, TransportError> {
        use futures_util::StreamExt;
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        // What the server does not understand is asked without it.
        let (parts, body) = request.clone().into_parts();
        let mut json: Value = serde_json::from_slice(&body).unwrap_or_default();
        let body = match json.as_object_mut() {
            Some(map) => {
                if map
                    .get("cursor")
                    .is_some_and(|c| c.as_str().unwrap_or("").starts_with("more-"))
                {
                    map.remove("cursor");
                    map.insert("limit".to_owned(), json!(100));
                }
                Bytes::from(json.to_string())
            }
            None => body,
        };
        let answer = self.inner.send(Request::from_parts(parts, body)).await?;
        let (mut head, mut pieces) = answer.into_parts();
        let mut whole = Vec::new();
        while let Some(piece) = pieces.next().await {
            whole.extend_from_slice(&piece?);
        }
        let Ok(json) = serde_json::from_slice::<Value>(&whole) else {
            return Ok(Response::from_parts(head, whole_body(whole)));
        };
        head.headers.remove(http::header::CONTENT_LENGTH);
        let changed = (self.answer)(&request, json, number);
        Ok(Response::from_parts(
            head,
            whole_body(changed.to_string().into_bytes()),
        ))
    }
}

fn changed(simulator: &Simulator, answer: Answer) -> Changed {
    Changed {
        inner: InProcess(simulator.clone()),
        answer,
        asked: AtomicU64::new(0),
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_of_roles_that_ends_with_a_full_page_is_named() {
    let fill: Answer = |request, mut json, _| {
        if request.uri().path().ends_with("/role-assignments") {
            let item = |n: usize| json!({"resourceId": format!("r{n}"), "resourceOwner": "jira", "roles": ["atlassian/user"]});
            json["data"] = (0..100).map(item).collect();
            json["links"]["next"] = Value::Null;
        }
        json
    };
    let simulator = organization();
    let report = sync(
        &simulator,
        Some(RequestPlan::Plain),
        changed(&simulator, fill),
    )
    .await;
    let report = report.unwrap();
    let text = "the last page is full, and it names no next page";
    assert!(warned(&report, text), "{:?}", report.warnings);
    assert!(
        warned(&report, "grants of group `"),
        "{:?}",
        report.warnings
    );
}

#[tokio::test(start_paused = true)]
async fn a_filter_that_the_server_ignores_contradicts_the_groups_own_size() {
    let simulator = simulate(Config {
        organization: OrganizationSpec {
            directories: Some(1),
            odd_data: false,
            group_sizes: GroupSizes::Even(5),
            ..spec(60, 4)
        },
        ..Config::default()
    });
    // Every group has all users as members.
    let everybody: Answer = |request, mut json, _| {
        let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        if request.uri().path().ends_with("users/search") && body.get("groupIds").is_some() {
            json["data"] = (0..60)
                .map(|n| json!({"accountId": format!("712020:{n}")}))
                .collect();
            json["links"]["next"] = Value::Null;
        }
        json
    };
    for plan in PLANS {
        let report = sync(&simulator, Some(plan), changed(&simulator, everybody)).await;
        let report = report.unwrap();
        let text = "60 listed, but the application counts 5";
        assert!(warned(&report, text), "{plan:?}: {:?}", report.warnings);
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_that_never_ends_ends_the_run() {
    // The first page again and again, under ever new cursors.
    let endless: Answer = |request, mut json, number| {
        if request.uri().path().ends_with("users/search") {
            json["links"]["next"] = json!(format!("more-{number}"));
        }
        json
    };
    for plan in PLANS {
        let simulator = organization();
        let error = sync(&simulator, Some(plan), changed(&simulator, endless)).await;
        let error = error.expect_err("no end");
        assert_eq!(error.code(), Code::Internal, "{plan:?}: {error}");
        assert!(error.to_string().contains("never ends"), "{error}");
    }
}
