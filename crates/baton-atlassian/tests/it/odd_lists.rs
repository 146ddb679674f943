//! Lists that contradict a count, end too early, bring objects twice, or never
//! end: under every plan.

use atlassian_sim::{Config, Fault, GroupSizes, OrganizationSpec, PageFill, Paging, Simulator};
use baton_atlassian::{RequestPlan, Settings};
use baton_connector::Secret;
use baton_connector::http::Transport;
use baton_proto::Code;
use baton_sync::Report;
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

/// An organization in which some users have a role on more than 100 things.
fn many_roles() -> Simulator {
    simulate(Config {
        organization: OrganizationSpec {
            directories: Some(1),
            odd_data: false,
            workspaces: 300,
            roles_per_user: 50,
            group_sizes: GroupSizes::Even(30),
            ..spec(40, 12)
        },
        ..Config::default()
    })
}

async fn under(simulator: &Simulator, plan: Option<RequestPlan>, faults: &[&str]) -> Report {
    let faults = faults.iter().map(|fault| fault.parse::<Fault>().unwrap());
    simulator.set_faults(faults.collect());
    let report = sync(simulator, plan, InProcess(simulator.clone())).await;
    simulator.set_faults(Vec::new());
    report.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_list_of_roles_that_ends_with_a_full_page_is_named() {
    let roles = "GET v2/users/{id}/role-assignments";
    let text = "the last page is full, and it names no next page";
    let simulator = many_roles();
    for plan in PLANS {
        let calm = under(&simulator, Some(plan), &[]).await;
        assert!(!warned(&calm, text), "{plan:?}: {:?}", calm.warnings);
        // The documented size, and the server's own where that is refused:
        // on the first page and on a later one.
        for (refuse, pages) in [
            ("v1/orgs=page-size:1", "first"),
            ("*=page-size:50", "first"),
            ("*=page-size:50", "later"),
        ] {
            let cut = format!("{roles}@{pages}=cut-cursor");
            let report = under(&simulator, Some(plan), &[refuse, &cut]).await;
            // Only one rule acts on a request, and the refused size is asked for once.
            let named = report.warnings.iter().filter(|w| w.contains(text));
            assert!(
                named.count() > 0,
                "{plan:?} {refuse} {pages}: {:?}",
                report.warnings
            );
            assert!(warned(&report, "grants of user `"), "{:?}", report.warnings);
        }
    }
}

/// A server with pages of another size than the one asked for.
#[tokio::test(start_paused = true)]
async fn a_full_page_of_the_servers_own_size_is_counted() {
    for (list, name, rows) in [
        ("GET api-access/v1/api-tokens", "api_token", 70),
        ("POST v2/users/search", "user", 250),
        ("POST v2/groups/search", "group", 90),
    ] {
        for plan in PLANS {
            let simulator = simulate(Config {
                organization: OrganizationSpec {
                    directories: Some(1),
                    odd_data: false,
                    group_sizes: GroupSizes::Even(3),
                    tokens: Some(70),
                    ..spec(250, 90)
                },
                ..Config::default()
            });
            let faults = [
                format!("{list}#1=page-size:10"),
                format!("{list}@first=cut-cursor"),
            ];
            let faults: Vec<&str> = faults.iter().map(String::as_str).collect();
            let report = under(&simulator, Some(plan), &faults).await;
            let text = format!("listed, but the application counts {rows}");
            let start = format!("resources of type `{name}`: ");
            let found = report
                .warnings
                .iter()
                .any(|w| w.starts_with(&start) && w.ends_with(&text));
            assert!(found, "{list} {plan:?}: {:?}", report.warnings);
        }
    }
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
    for plan in PLANS {
        let fault = "POST v2/users/search=ignore-filters";
        let report = under(&simulator, Some(plan), &[fault]).await;
        let contradicted = warned(&report, "listed, but the application counts 5");
        // The overview needs no filter.
        let by_overview = plan == RequestPlan::Auto && !contradicted;
        let grants = report.stats.grants;
        let calm = under(&simulator, Some(plan), &[]).await;
        assert!(
            contradicted || (by_overview && grants == calm.stats.grants),
            "{plan:?}: {:?}",
            report.warnings
        );
    }
}

const LISTS: [(&str, &str); 3] = [
    ("POST v2/users/search", "resources of type `user`"),
    ("POST v2/groups/search", "resources of type `group`"),
    (
        "GET api-access/v1/api-tokens",
        "resources of type `api_token`",
    ),
];

#[tokio::test(start_paused = true)]
async fn a_list_that_never_ends_ends_the_run() {
    for (list, _) in LISTS {
        for end in ["same-page", "empty-page"] {
            for pages in ["first", "later", "last"] {
                for plan in PLANS {
                    // Without a count that takes 1,000 pages.
                    if plan == RequestPlan::Plain && pages != "last" {
                        continue;
                    }
                    let simulator = small_pages();
                    // From the page on, the list stays where it is.
                    let fault = match pages {
                        "first" => format!("{list}={end}"),
                        pages => format!("{list}@{pages}={end}"),
                    };
                    simulator.set_faults(vec![fault.parse().unwrap()]);
                    let error = sync(&simulator, Some(plan), InProcess(simulator.clone())).await;
                    let case = format!("{fault} {plan:?}");
                    let error = error.err().unwrap_or_else(|| panic!("{case} ended"));
                    assert_eq!(error.code(), Code::Internal, "{case}: {error}");
                    assert!(error.to_string().contains("never ends"), "{case}: {error}");
                    assert!(simulator.count(list) < 2_200, "{case}");
                }
            }
        }
    }
}

/// Lists of several pages.
fn small_pages() -> Simulator {
    simulate(Config {
        organization: OrganizationSpec {
            directories: Some(1),
            odd_data: false,
            group_sizes: GroupSizes::Even(7),
            tokens: Some(10),
            ..spec(20, 9)
        },
        paging: Paging {
            fill: PageFill::AtMost(3),
            ..Paging::default()
        },
        ..Config::default()
    })
}

#[tokio::test(start_paused = true)]
async fn rows_that_come_again_on_another_page_are_counted_once() {
    for (list, name) in LISTS {
        for pages in ["first", "later", "last"] {
            let simulator = small_pages();
            let plan = Some(RequestPlan::Plain);
            let calm = under(&simulator, plan, &[]).await;
            let fault = format!("{list}@{pages}#1=same-page");
            let report = under(&simulator, plan, &[&fault]).await;
            let (_, kind) = name.split_once(' ').unwrap();
            let mut words = report.warnings.iter().chain(&report.notes);
            let named = words.any(|w| w.contains(" repeated resource") && w.contains(kind));
            assert!(named, "{fault}: {:?}", report.warnings);
            assert_eq!(report.stats.resources, calm.stats.resources, "{fault}");
            assert_eq!(report.stats.grants, calm.stats.grants, "{fault}");
            assert_eq!(
                (report.shortfalls.len(), report.surpluses.len()),
                (0, 0),
                "{fault}"
            );
            // A page without rows loses none.
            let fault = format!("{list}@{pages}#1=empty-page");
            let report = under(&simulator, plan, &[&fault]).await;
            assert_eq!(report.stats.resources, calm.stats.resources, "{fault}");
            assert_eq!(report.warnings, calm.warnings, "{fault}");
        }
    }
}
