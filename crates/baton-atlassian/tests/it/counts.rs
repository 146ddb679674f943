//! Lists against the API's own counts of them.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use atlassian_sim::{
    Action, Answers, Calls, Config, CursorKind, Fault, Generation, GroupSizes, OrganizationSpec,
    PageFill, Paging, SearchFlaws, Simulator, Truth,
};
use baton_atlassian::{RequestPlan, Settings};
use baton_connector::Secret;
use baton_connector::http::{BodyStream, Transport, TransportError};
use baton_sync::{Completeness, Report};
use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use crate::simulated::{InProcess, listed_and_added, run, simulate, spec};

/// Changes the organization right before a request that continues a list.
struct Changing<F> {
    inner: InProcess,
    path: &'static str,
    done: AtomicBool,
    change: F,
}

impl<F> fmt::Debug for Changing<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Changing")
    }
}

#[async_trait]
impl<F: Fn(&Simulator) + Send + Sync> Transport for Changing<F> {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<BodyStream>, TransportError> {
        let body = String::from_utf8_lossy(request.body());
        let continues = body.contains("\"cursor\"")
            || request.uri().query().is_some_and(|q| q.contains("cursor="));
        // The overview is another list; here only what becomes rows counts.
        let overview = body.contains("counts.resources");
        if request.uri().path().ends_with(self.path)
            && continues
            && !overview
            && !self.done.swap(true, Ordering::Relaxed)
        {
            (self.change)(&self.inner.0);
        }
        self.inner.send(request).await
    }
}

/// Large pages are refused, so that every list has several.
fn small_pages() -> Fault {
    Fault::new("*", Calls::From(1), Action::RefusePageSize(20))
}

/// The search tells nothing besides the lists, so every group is asked about.
fn without_overview() -> Answers {
    Answers {
        search_flaws: SearchFlaws {
            no_expansions: true,
            ..SearchFlaws::default()
        },
        ..Answers::default()
    }
}

fn shifting() -> Config {
    Config {
        organization: OrganizationSpec {
            tokens: Some(30),
            workspaces: 25,
            ..spec(80, 30)
        },
        paging: Paging {
            cursors: CursorKind::Offset,
            ..Paging::default()
        },
        faults: vec![small_pages()],
        ..Config::default()
    }
}

fn settings(simulator: &Simulator, plan: RequestPlan) -> Settings {
    let (key, id) = (simulator.access_token(), simulator.organization_id());
    let mut settings = Settings::new(Secret::new(key), id, "http://simulated.test/admin").unwrap();
    settings.request_plan = Some(plan);
    settings
}

/// What a sync says while `change` happens inside the list of `path`.
async fn during(
    simulator: &Simulator,
    plan: RequestPlan,
    path: &'static str,
    change: impl Fn(&Simulator) + Send + Sync + 'static,
) -> Report {
    let changing = Changing {
        inner: InProcess(simulator.clone()),
        path,
        done: AtomicBool::new(false),
        change,
    };
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("sync.c1z");
    let settings = settings(simulator, plan);
    let report = run(&settings, changing, &target, CancellationToken::new()).await;
    report.unwrap()
}

async fn calm(simulator: &Simulator, plan: RequestPlan) -> Report {
    during(simulator, plan, "/nowhere", |_| {}).await
}

/// The lists that are short, as `what` and `type`.
fn short(report: &Report) -> Vec<(&str, &str)> {
    let all = report.shortfalls.iter();
    all.map(|short| (short.what.as_str(), short.resource_type.as_str()))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn what_is_removed_while_a_list_is_read_shows_as_a_shortfall_of_that_list() {
    type Change = fn(&Simulator, &Truth);
    let cases: [(&str, &'static str, Change); 3] = [
        ("user", "users/search", |simulator, truth| {
            let first = &truth.users[0].account_id;
            simulator.organization().remove_user(first).unwrap();
        }),
        ("group", "groups/search", |simulator, truth| {
            let first = &truth.groups[0].id;
            simulator.organization().remove_group(first).unwrap();
        }),
        ("api_token", "api-tokens", |simulator, truth| {
            let first = &truth.tokens[0].id;
            simulator.organization().revoke_token(first).unwrap();
        }),
    ];
    for (kind, path, change) in cases {
        let simulator = simulate(shifting());
        let report = during(&simulator, RequestPlan::Auto, path, move |simulator| {
            change(simulator, &simulator.truth());
        })
        .await;
        assert_eq!(report.completeness, Completeness::Complete);
        assert_eq!(short(&report), [("resources", kind)], "{kind}");
        assert_eq!(report.shortfalls[0].difference(), 1);
        let told = &report.warnings[0];
        assert!(told.contains("but the application counts"), "{told}");
    }
}

/// A member leaves a group right before the second page of the members is asked for.
struct Leaving {
    inner: InProcess,
    group: String,
    member: String,
    left: AtomicBool,
}
impl fmt::Debug for Leaving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Leaving")
    }
}
#[async_trait]
impl Transport for Leaving {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<BodyStream>, TransportError> {
        let body = String::from_utf8_lossy(request.body());
        let continues = body.contains(&self.group) && body.contains("\"cursor\"");
        if continues && !self.left.swap(true, Ordering::Relaxed) {
            let organization = self.inner.0.organization();
            organization
                .remove_member(&self.group, &self.member)
                .unwrap();
        }
        self.inner.send(request).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_member_that_leaves_while_the_members_are_read_shows_as_a_shortfall_of_the_group() {
    let simulator = simulate(Config {
        answers: without_overview(),
        ..shifting()
    });
    let truth = simulator.truth();
    let largest = truth.groups.iter().max_by_key(|group| group.members);
    let group = largest.unwrap().id.clone();
    let of_group = truth.memberships.iter().filter(|m| m.group_id == group);
    let first = of_group.map(|m| m.account_id.clone()).next().unwrap();
    let transport = Leaving {
        inner: InProcess(simulator.clone()),
        group: group.clone(),
        member: first,
        left: AtomicBool::new(false),
    };
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("sync.c1z");
    let settings = settings(&simulator, RequestPlan::Auto);
    let report = run(&settings, transport, &target, CancellationToken::new()).await;
    let report = report.unwrap();
    assert_eq!(short(&report), [("grants", "group")]);
    assert_eq!(report.shortfalls[0].resource, format!("group:{group}"));
    assert_eq!(report.shortfalls[0].difference(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_resumed_sync_tells_what_the_interrupted_one_has_counted() {
    let simulator = simulate(shifting());
    let cancel = CancellationToken::new();
    let stop = cancel.clone();
    let changing = Changing {
        inner: InProcess(simulator.clone()),
        path: "users/search",
        done: AtomicBool::new(false),
        change: move |simulator: &Simulator| {
            let first = simulator.truth().users[0].account_id.clone();
            simulator.organization().remove_user(&first).unwrap();
            stop.cancel();
        },
    };
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("sync.c1z");
    let settings = settings(&simulator, RequestPlan::Auto);
    let stopped = run(&settings, changing, &target, cancel).await;
    stopped.unwrap_err();
    simulator.reset_log();
    let calm = InProcess(simulator.clone());
    let report = run(&settings, calm, &target, CancellationToken::new()).await;
    let report = report.unwrap();
    assert!(report.resumed);
    let asked = simulator.requests();
    let of_all =
        |r: &&atlassian_sim::RequestRecord| r.path.ends_with("/users/count") && r.query.is_empty();
    assert_eq!(asked.iter().filter(of_all).count(), 0, "the count was kept");
    assert_eq!(short(&report), [("resources", "user")]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_told_where_nothing_changes() {
    for seed in 0..24_u64 {
        let n = usize::try_from(seed).unwrap();
        let config = Config {
            organization: OrganizationSpec {
                seed,
                workspaces: 9,
                odd_data: !seed.is_multiple_of(3),
                directories: Some(1 + u8::try_from(seed % 3).unwrap()),
                ..spec(50, 9)
            },
            paging: Paging {
                cursors: [CursorKind::Offset, CursorKind::Keyset][n % 2],
                fill: [PageFill::Short, PageFill::ShortOrEmpty, PageFill::Full][n % 3],
                ..Paging::default()
            },
            answers: Answers {
                user_per_directory: seed % 4 == 1,
                searches: [Generation::Alive, Generation::NotFound][usize::from(seed % 5 == 2)],
                ..Answers::default()
            },
            ..Config::default()
        };
        let simulator = simulate(config);
        if seed.is_multiple_of(2) {
            simulator.set_faults(vec![small_pages()]);
        }
        for plan in [RequestPlan::Auto, RequestPlan::Plain] {
            let report = calm(&simulator, plan).await;
            assert_eq!(report.shortfalls, [], "seed {seed}, {plan:?}");
            assert_eq!(report.uncounted, [], "seed {seed}, {plan:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_search_that_keeps_users_back_is_found_out_by_the_count() {
    let simulator = simulate(Config {
        answers: Answers {
            search_flaws: SearchFlaws {
                omit_plain: 4,
                ..SearchFlaws::default()
            },
            ..Answers::default()
        },
        ..shifting()
    });
    let report = calm(&simulator, RequestPlan::Auto).await;
    assert!(short(&report).contains(&("resources", "user")));
}

#[tokio::test(start_paused = true)]
async fn a_total_that_comes_with_the_pages_is_compared_under_every_plan() {
    let simulator = simulate(shifting());
    // A page that is cut short: its cursor is gone, and the list seems to end.
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("sync.c1z");
    for plan in [RequestPlan::Auto, RequestPlan::Plain] {
        let cut = Cut(InProcess(simulator.clone()));
        let settings = settings(&simulator, plan);
        let report = run(&settings, cut, &target, CancellationToken::new()).await;
        let report = report.unwrap();
        assert_eq!(short(&report), [("resources", "workspace")], "{plan:?}");
        assert_eq!(report.shortfalls[0].counted, 25);
        let (listed, _) = listed_and_added(&target);
        let listed = listed.iter().filter(|id| id.starts_with("workspace:"));
        assert_eq!(report.shortfalls[0].listed, listed.count() as u64);
    }
}

/// Loses the cursors of the list of workspaces.
#[derive(Debug)]
struct Cut(InProcess);

#[async_trait]
impl Transport for Cut {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<BodyStream>, TransportError> {
        use futures_util::StreamExt;
        let workspaces = request.uri().path().ends_with("/workspaces");
        let answer = self.0.send(request).await?;
        if !workspaces {
            return Ok(answer);
        }
        let (head, mut pieces) = answer.into_parts();
        let mut whole = Vec::new();
        while let Some(piece) = pieces.next().await {
            whole.extend_from_slice(&piece?);
        }
        let mut json: serde_json::Value = serde_json::from_slice(&whole).unwrap();
        json["links"]["next"] = serde_json::Value::Null;
        let bytes = Bytes::from(json.to_string());
        let mut head = head;
        head.headers.remove(http::header::CONTENT_LENGTH);
        let body = Box::pin(futures_util::stream::iter([Ok(bytes)])) as BodyStream;
        Ok(http::Response::from_parts(head, body))
    }
}

#[tokio::test(start_paused = true)]
async fn a_count_that_is_refused_or_odd_is_told_of_and_ends_nothing() {
    for action in [
        Action::Status(401),
        Action::Status(403),
        Action::Status(404),
        Action::InvalidJson,
        Action::HtmlPage(200),
    ] {
        let simulator = simulate(shifting());
        let endpoint = "GET v2/users/count";
        let fault = Fault::new(endpoint, Calls::From(1), action.clone());
        simulator.set_faults(vec![fault, small_pages()]);
        let report = calm(&simulator, RequestPlan::Auto).await;
        assert_eq!(report.completeness, Completeness::Complete, "{action:?}");
        assert_eq!(report.shortfalls, [], "{action:?}");
        let users = report
            .uncounted
            .iter()
            .find(|list| list.resource_type == "user");
        assert!(users.is_some(), "{action:?}: {:?}", report.uncounted);
        let told = "not compared with the application's own count";
        assert!(report.warnings.iter().any(|w| w.contains(told)));
    }
}

fn counts_asked(simulator: &Simulator) -> usize {
    let requests = simulator.requests();
    requests
        .iter()
        .filter(|r| r.path.ends_with("/count"))
        .count()
}

#[tokio::test(start_paused = true)]
async fn where_members_cannot_be_counted_few_groups_are_tried() {
    let simulator = simulate(Config {
        organization: OrganizationSpec {
            group_sizes: GroupSizes::Even(25),
            ..spec(60, 120)
        },
        ..shifting()
    });
    let fault = Fault::new("GET v2/users/count", Calls::From(1), Action::Status(503));
    // Without an overview every group is asked about.
    let mute = Fault::new("POST v2/users/search", Calls::From(1), Action::Status(404));
    simulator.set_faults(vec![fault, mute, small_pages()]);
    let report = calm(&simulator, RequestPlan::Auto).await;
    let members = report.uncounted.iter().filter(|list| list.what == "grants");
    assert!(members.count() > 100, "each is told of, in few lines");
    assert!(report.warnings.len() < 10, "{:?}", report.warnings);
    let requests = simulator.requests();
    let counts = requests.iter().filter(|r| r.path.ends_with("/count"));
    let asked: BTreeSet<&str> = counts.map(|r| r.query.as_str()).collect();
    // Those that were in flight together when the first failed, and the users.
    assert!(asked.len() <= 40, "{}", asked.len());
}

#[tokio::test(start_paused = true)]
async fn only_lists_of_several_pages_are_counted_and_none_under_the_plain_plan() {
    let one_page = simulate(Config {
        organization: spec(60, 12),
        ..Config::default()
    });
    calm(&one_page, RequestPlan::Auto).await;
    assert_eq!(counts_asked(&one_page), 0);
    let several = simulate(Config {
        organization: spec(150, 12),
        answers: without_overview(),
        ..Config::default()
    });
    calm(&several, RequestPlan::Plain).await;
    assert_eq!(counts_asked(&several), 0);
    several.reset_log();
    calm(&several, RequestPlan::Auto).await;
    let large = several.truth().groups.into_iter();
    let large = large.filter(|group| group.members > 100).count();
    assert_eq!(
        counts_asked(&several),
        1 + large,
        "the users and large groups"
    );
}
