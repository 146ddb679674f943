//! The plan of requests: fewer of them, the same rows, and no trust without a
//! check.

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use atlassian_sim::{
    Answers, Config, Generation, GroupSizes, OrganizationSpec, PageFill, Paging, RateLimits,
    SearchFlaws, Simulator,
};
use baton_atlassian::{RequestPlan, Settings};
use baton_c1z::Table;
use baton_connector::Secret;
use baton_connector::http::{BodyStream, Transport, TransportError};
use baton_sync::{Completeness, Report};
use bytes::Bytes;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::simulated::{InProcess, rows, run, simulate, spec};

fn settings(simulator: &Simulator, plan: RequestPlan) -> Settings {
    let (key, id) = (simulator.access_token(), simulator.organization_id());
    let base = "http://simulated.test/admin";
    let mut settings = Settings::new(Secret::new(key), id, base).unwrap();
    settings.request_plan = Some(plan);
    settings
}

async fn sync(simulator: &Simulator, plan: RequestPlan, target: &Path) -> Report {
    let transport = InProcess(simulator.clone());
    let settings = settings(simulator, plan);
    let report = run(&settings, transport, target, CancellationToken::new());
    report.await.unwrap()
}

type Rows = Vec<Vec<(String, Vec<u8>)>>;

fn contents(target: &Path) -> Rows {
    Table::ALL.map(|table| rows(target, table)).to_vec()
}

/// Both plans on one organization.
struct Both {
    auto: Report,
    auto_requests: u64,
    plain_requests: u64,
}

impl Both {
    fn gave_up(&self) -> bool {
        gave_up(&self.auto)
    }
}

fn gave_up(report: &Report) -> bool {
    let said = |warning: &String| warning.contains("queried every user and group");
    report.warnings.iter().any(said)
}

/// Syncs with both plans and expects the same rows.
async fn compare(config: Config, what: &str) -> Both {
    let simulator = simulate(config);
    let folder = tempfile::tempdir().unwrap();
    let (by_auto, by_plain) = (folder.path().join("a.c1z"), folder.path().join("p.c1z"));
    let plain = sync(&simulator, RequestPlan::Plain, &by_plain).await;
    assert_eq!(plain.planning, None);
    let plain_requests = simulator.total();
    simulator.reset_log();
    let auto = sync(&simulator, RequestPlan::Auto, &by_auto).await;
    assert_eq!(auto.completeness, Completeness::Complete);
    let tables = Table::ALL.into_iter();
    for (table, (auto, plain)) in tables.zip(contents(&by_auto).iter().zip(contents(&by_plain))) {
        assert_eq!(auto.len(), plain.len(), "{what}: {}", table.name());
        assert!(*auto == plain, "{what}: {}", table.name());
    }
    let planning = auto.planning.unwrap();
    let auto_requests = simulator.total();
    // The estimate for the summary is exact where nothing is retried.
    assert_eq!(planning.without(auto_requests), plain_requests, "{what}");
    Both {
        auto,
        auto_requests,
        plain_requests,
    }
}

fn organization(seed: u64) -> OrganizationSpec {
    let n = u32::try_from(seed).unwrap();
    OrganizationSpec {
        // More than fit on a page, so that there is an overview.
        users: 104 + (n * 7) % 50,
        groups: (n * 5) % 17,
        workspaces: n % 6,
        directories: Some(1 + u8::try_from(n % 3).unwrap()),
        roles_per_user: n % 2,
        role_holders: [None, Some(10), Some(50), Some(0)][n as usize % 4],
        group_sizes: match n % 3 {
            0 => GroupSizes::Even(3),
            _ => GroupSizes::HeavyTailed { largest: None },
        },
        tokens: Some(2),
        events: Some(0),
        odd_data: !n.is_multiple_of(5),
        seed,
    }
}

/// An organization with habits, all from one number.
fn varied(seed: u64) -> Config {
    Config {
        organization: organization(seed),
        paging: Paging {
            fill: [PageFill::Full, PageFill::Short, PageFill::ShortOrEmpty]
                [usize::try_from(seed % 3).unwrap()],
            ..Paging::default()
        },
        answers: Answers {
            user_per_directory: seed % 4 == 1,
            search_flaws: SearchFlaws {
                direct_only: seed % 3 == 1,
                omit_expanded: u32::from(seed % 7 == 2) * 9,
                omit_plain: u32::from(seed % 7 == 3) * 9,
                counts_agree: seed % 7 > 3,
                no_expansions: seed % 23 == 5,
                ..SearchFlaws::default()
            },
            ..Answers::default()
        },
        ..Config::default()
    }
}

async fn equal_for(seeds: std::ops::Range<u64>) {
    let (mut fewer, mut all) = (0, 0);
    for seed in seeds {
        let simulator = simulate(varied(seed));
        let folder = tempfile::tempdir().unwrap();
        let (by_auto, by_plain) = (folder.path().join("a.c1z"), folder.path().join("p.c1z"));
        sync(&simulator, RequestPlan::Plain, &by_plain).await;
        let plain = simulator.total();
        simulator.reset_log();
        sync(&simulator, RequestPlan::Auto, &by_auto).await;
        assert!(contents(&by_auto) == contents(&by_plain), "seed {seed}");
        fewer += u32::from(simulator.total() < plain);
        all += 1;
    }
    assert!(
        fewer * 4 >= all,
        "the plan did its work in {fewer} of {all}"
    );
}

#[tokio::test(start_paused = true)]
async fn both_plans_give_the_same_rows_for_organizations_1_to_20() {
    equal_for(1..21).await;
}

#[tokio::test(start_paused = true)]
async fn both_plans_give_the_same_rows_for_organizations_21_to_40() {
    equal_for(21..41).await;
}

/// 120 users, most of whom hold nothing.
fn mostly_quiet() -> OrganizationSpec {
    OrganizationSpec {
        role_holders: Some(20),
        tokens: Some(2),
        events: Some(0),
        ..spec(160, 40)
    }
}

fn flawed(search_flaws: SearchFlaws) -> Config {
    Config {
        organization: mostly_quiet(),
        answers: Answers {
            search_flaws,
            ..Answers::default()
        },
        ..Config::default()
    }
}

#[tokio::test(start_paused = true)]
async fn an_honest_search_saves_requests_and_is_not_warned_of() {
    let both = compare(flawed(SearchFlaws::default()), "honest").await;
    assert!(!both.gave_up(), "{:?}", both.auto.warnings);
    assert!(
        both.auto_requests * 4 < both.plain_requests * 3,
        "{} of {}",
        both.auto_requests,
        both.plain_requests
    );
}

#[tokio::test(start_paused = true)]
async fn a_search_that_misreports_is_found_out_and_costs_nothing_but_requests() {
    let honest = SearchFlaws::default();
    for (what, flaws) in [
        (
            "hidden roles",
            SearchFlaws {
                hide_roles: 2,
                ..honest
            },
        ),
        (
            "hidden roles of groups",
            SearchFlaws {
                hide_group_roles: 2,
                ..honest
            },
        ),
        (
            "hidden memberships, counted as shown",
            SearchFlaws {
                hide_memberships: 4,
                counts_agree: true,
                ..honest
            },
        ),
        (
            "users left out, counted as shown",
            SearchFlaws {
                omit_expanded: 4,
                counts_agree: true,
                ..honest
            },
        ),
    ] {
        let both = compare(flawed(flaws), what).await;
        assert!(both.gave_up(), "{what}: {:?}", both.auto.warnings);
    }
}

#[tokio::test(start_paused = true)]
async fn where_the_search_contradicts_itself_those_concerned_are_asked() {
    let honest = SearchFlaws::default();
    for (what, flaws) in [
        (
            "hidden memberships",
            SearchFlaws {
                hide_memberships: 4,
                ..honest
            },
        ),
        (
            "users left out",
            SearchFlaws {
                omit_expanded: 4,
                ..honest
            },
        ),
        (
            "users left out of the list",
            SearchFlaws {
                omit_plain: 4,
                ..honest
            },
        ),
        (
            "memberships made up",
            SearchFlaws {
                invent_memberships: 4,
                ..honest
            },
        ),
        (
            "counts of own roles alone",
            SearchFlaws {
                direct_only: true,
                ..honest
            },
        ),
    ] {
        let both = compare(flawed(flaws), what).await;
        assert!(!both.gave_up(), "{what}: {:?}", both.auto.warnings);
        assert!(both.auto_requests < both.plain_requests, "{what}");
    }
    let mute = SearchFlaws {
        no_expansions: true,
        ..honest
    };
    let both = compare(flawed(mute), "no expansions").await;
    assert!(!both.gave_up(), "nothing was said, so nothing was wrong");
    assert!(both.auto_requests >= both.plain_requests);
}

#[tokio::test(start_paused = true)]
async fn without_a_search_everybody_is_asked_about_and_that_is_said() {
    let config = Config {
        organization: mostly_quiet(),
        answers: Answers {
            searches: Generation::NotFound,
            ..Answers::default()
        },
        ..Config::default()
    };
    let simulator = simulate(config);
    let folder = tempfile::tempdir().unwrap();
    let (by_auto, by_plain) = (folder.path().join("a.c1z"), folder.path().join("p.c1z"));
    sync(&simulator, RequestPlan::Plain, &by_plain).await;
    let report = sync(&simulator, RequestPlan::Auto, &by_auto).await;
    assert!(contents(&by_auto) == contents(&by_plain));
    let reason = "the searches give no overview";
    assert!(
        report.warnings.iter().any(|w| w.contains(reason)),
        "{:?}",
        report.warnings
    );
}

/// The organization of the target, in proportion: 10,000 users of whom 20 %
/// hold roles, 500 groups, 5 workspaces.
#[tokio::test(start_paused = true)]
async fn a_fifth_of_the_goal_takes_less_than_a_third_of_the_requests_of_the_go_connector() {
    let (users, groups) = (2_000, 100);
    let simulator = simulate(Config {
        organization: OrganizationSpec {
            workspaces: 5,
            role_holders: Some(20),
            tokens: Some(20),
            events: Some(0),
            ..spec(users, groups)
        },
        ..Config::default()
    });
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("a.c1z");
    let report = sync(&simulator, RequestPlan::Auto, &target).await;
    assert!(!gave_up(&report), "{:?}", report.warnings);
    // Pages of users and groups, one of workspaces and of tokens, the organization, and then one
    // role call per user and two calls per group, at least.
    let go = u64::from(users / 100 + groups / 100 + 3 + users + 2 * groups);
    assert!(simulator.total() * 3 <= go, "{} of {go}", simulator.total());
}

/// Ends a run after so many requests.
struct Ending {
    inner: InProcess,
    left: AtomicU64,
    cancel: CancellationToken,
}

impl fmt::Debug for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ending")
    }
}

#[async_trait]
impl Transport for Ending {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<BodyStream>, TransportError> {
        if self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.cancel.cancel();
        }
        self.inner.send(request).await
    }
}

/// Begins under one plan, stops after so many requests, goes on under another.
async fn interrupted(
    simulator: &Simulator,
    (first, second): (RequestPlan, RequestPlan),
    after: u64,
    target: &Path,
) -> Option<Report> {
    let cancel = CancellationToken::new();
    let ending = Ending {
        inner: InProcess(simulator.clone()),
        left: AtomicU64::new(after),
        cancel: cancel.clone(),
    };
    let begun = run(&settings(simulator, first), ending, target, cancel).await;
    if begun.is_ok() {
        return None;
    }
    simulator.reset_log();
    let report = sync(simulator, second, target).await;
    assert!(report.resumed);
    Some(report)
}

/// Requests for pages of the overview of users.
fn overviews(simulator: &Simulator) -> usize {
    let requests = simulator.requests();
    let expanding = requests.iter().filter(|r| r.body.contains("\"groups\""));
    expanding.count()
}

#[tokio::test(start_paused = true)]
async fn work_begun_under_one_plan_goes_on_under_any_other() {
    use RequestPlan::{Auto, Plain};
    let simulator = simulate(flawed(SearchFlaws::default()));
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole.c1z");
    sync(&simulator, Plain, &whole).await;
    let whole = contents(&whole);
    for plans in [(Auto, Auto), (Auto, Plain), (Plain, Auto)] {
        let (mut resumed, mut known) = (0, 0);
        for after in [4, 12, 26, 40, 70, 110, 135, 170] {
            let target = folder.path().join(format!("{plans:?}-{after}.c1z"));
            let report = interrupted(&simulator, plans, after, &target).await;
            assert!(contents(&target) == whole, "{plans:?} after {after}");
            resumed += u32::from(report.is_some());
            known += u32::from(report.is_some() && overviews(&simulator) == 0);
        }
        assert!(resumed >= 5, "{plans:?}: {resumed}");
        // Once it was checked, the overview is known to whoever resumes.
        if plans == (Auto, Auto) {
            assert!(known >= 1, "{known}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_was_given_up_stays_so_after_an_interruption() {
    let lying = SearchFlaws {
        hide_roles: 2,
        ..SearchFlaws::default()
    };
    let simulator = simulate(flawed(lying));
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole.c1z");
    sync(&simulator, RequestPlan::Plain, &whole).await;
    let whole = contents(&whole);
    let both = (RequestPlan::Auto, RequestPlan::Auto);
    let (mut resumed, mut said) = (0, 0);
    for after in [40, 60, 80, 90, 100, 110, 120] {
        let target = folder.path().join(format!("{after}.c1z"));
        let Some(report) = interrupted(&simulator, both, after, &target).await else {
            continue;
        };
        assert!(contents(&target) == whole, "after {after}");
        resumed += 1;
        let reason = |w: &String| w.contains("that the search result omits");
        // Known already, and said again.
        if overviews(&simulator) == 0 && report.warnings.iter().any(reason) {
            said += 1;
        }
    }
    assert!(resumed >= 4 && said >= 2, "{said} of {resumed}");
}

/// Where all users and groups fit on a page each, asking takes less time than
/// an overview.
#[tokio::test(start_paused = true)]
async fn a_small_organization_is_asked_plainly() {
    let simulator = simulate(Config {
        organization: OrganizationSpec {
            role_holders: Some(20),
            ..spec(60, 8)
        },
        ..Config::default()
    });
    let folder = tempfile::tempdir().unwrap();
    let report = sync(&simulator, RequestPlan::Auto, &folder.path().join("a.c1z")).await;
    assert!(!gave_up(&report), "{:?}", report.warnings);
    assert_eq!(overviews(&simulator), 0);
    let auto = simulator.total();
    simulator.reset_log();
    sync(&simulator, RequestPlan::Plain, &folder.path().join("p.c1z")).await;
    assert_eq!(auto, simulator.total());
}

/// Without grants there is nothing that an overview could save.
#[tokio::test(start_paused = true)]
async fn lists_alone_need_no_overview() {
    let simulator = simulate(flawed(SearchFlaws::default()));
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(&simulator, RequestPlan::Auto);
    settings.grants_follow = false;
    let transport = InProcess(simulator.clone());
    let target = folder.path().join("a.c1z");
    run(&settings, transport, &target, CancellationToken::new())
        .await
        .unwrap();
    // This run asks for grants all the same, long after the lists.
    let pages = simulator.requests();
    let first_overview = pages.iter().position(|r| r.body.contains("\"groups\""));
    let first_grants = pages
        .iter()
        .position(|r| r.path.contains("role-assignments"));
    assert!(
        first_overview > first_grants,
        "{first_overview:?} {first_grants:?}"
    );
}

/// The overview is taken beside the list of users, so it costs no time.
#[tokio::test(start_paused = true)]
async fn the_automatic_plan_takes_no_longer_than_the_plain_one() {
    for (users, groups, role_holders) in [
        (60, 8, Some(100)),
        (60, 8, Some(0)),
        (450, 30, Some(100)),
        (450, 30, Some(50)),
        (450, 30, Some(0)),
        (2_000, 100, Some(100)),
        (2_000, 100, Some(20)),
    ] {
        let simulator = simulate(Config {
            organization: OrganizationSpec {
                role_holders,
                tokens: Some(20),
                events: Some(0),
                ..spec(users, groups)
            },
            limits: RateLimits::off(),
            ..Config::default()
        });
        let folder = tempfile::tempdir().unwrap();
        let mut took = Vec::new();
        for plan in [RequestPlan::Auto, RequestPlan::Plain] {
            let transport = Slow(InProcess(simulator.clone()));
            let settings = settings(&simulator, plan);
            let target = folder.path().join(format!("{plan:?}.c1z"));
            let began = Instant::now();
            run(&settings, transport, &target, CancellationToken::new())
                .await
                .unwrap();
            took.push(began.elapsed());
        }
        let (auto, plain) = (took[0], took[1]);
        // Two round trips are those of the count of users.
        let most = plain.mul_f64(1.05) + 2 * ROUND_TRIP;
        let told = format!("{users} users, {role_holders:?} % hold roles");
        assert!(auto <= most, "{told}: {auto:?} against {plain:?}");
    }
}

const ROUND_TRIP: Duration = Duration::from_millis(40);

/// A network that takes its time.
#[derive(Debug)]
struct Slow(InProcess);

#[async_trait]
impl Transport for Slow {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<BodyStream>, TransportError> {
        tokio::time::sleep(ROUND_TRIP).await;
        self.0.send(request).await
    }
}
