//! An answer counts only in its documented shape: every endpoint that a sync
//! asks, in every wrong shape, on the first page, a later one and the last.
//! Which of the lists of an endpoint it is, and which later page, is drawn.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use atlassian_sim::{
    Action, Answers, Calls, Change, Config, Fault, Generation, OrganizationSpec, PageFill, Pages,
    Paging, Principal, Simulator, WrongShape,
};
use baton_atlassian::{RequestPlan, Settings, connector};
use baton_c1z::Table;
use baton_connector::http::{HttpParts, HttpSettings};
use baton_connector::resource::resource_id;
use baton_connector::{Call, Connector, Random, Secret, SplitMix};
use baton_proto::Code;
use baton_proto::causes::one_line;
use baton_sync::{Completeness, Error, Report};

use crate::simulated::{InProcess, Mode, ids, simulate, spec, sync_as};

/// Everything that a sync asks for rows, in one way or another.
const LISTS: [&str; 9] = [
    "GET v1/orgs/{org}",
    "GET v2/users",
    "POST v2/users/search",
    "GET v2/groups",
    "POST v2/groups/search",
    "POST v2/workspaces",
    "GET v2/users/{id}/role-assignments",
    "GET v2/groups/{id}/role-assignments",
    "GET api-access/v1/api-tokens",
];

/// What is only compared with.
const COUNTS: [&str; 3] = [
    "GET v2/users/count",
    "GET v2/groups/count",
    "GET api-access/v1/api-tokens/count",
];

const PAGES: [Pages; 3] = [Pages::First, Pages::Later, Pages::Last];

/// Members that no answer with one object has, so they say nothing there.
fn has_no_links(shape: WrongShape) -> bool {
    shape.name().starts_with("links-") || shape.name().starts_with("next-")
}

fn is_ignored(endpoint: &str, shape: WrongShape) -> bool {
    endpoint == "GET v1/orgs/{org}" && has_no_links(shape)
}

/// An organization whose every list has several pages.
fn organization(searches: Generation) -> Simulator {
    let simulator = simulate(Config {
        organization: OrganizationSpec {
            workspaces: 5,
            tokens: Some(5),
            roles_per_user: 2,
            directories: Some(1),
            ..spec(7, 4)
        },
        paging: Paging {
            fill: PageFill::AtMost(2),
            ..Paging::default()
        },
        answers: Answers {
            searches,
            ..Answers::default()
        },
        ..Config::default()
    });
    let truth = simulator.truth();
    for workspace in &truth.workspaces {
        let change = Change::AssignRole {
            principal: Principal::Group(truth.groups[0].id.clone()),
            resource_id: workspace.id.clone(),
            role: "atlassian/user".to_owned(),
        };
        simulator.organization().apply(change).unwrap();
    }
    simulator
}

struct Stage {
    simulator: Simulator,
    folder: tempfile::TempDir,
    mode: Mode,
    /// Requests of an undisturbed sync for each kind of page.
    calls: Vec<(&'static str, Pages, u64)>,
    whole: [BTreeSet<String>; 2],
}

impl Stage {
    async fn new(searches: Generation, mode: Mode) -> Self {
        let simulator = organization(searches);
        let folder = tempfile::tempdir().unwrap();
        let mut stage = Self {
            simulator,
            folder,
            mode,
            calls: Vec::new(),
            whole: [BTreeSet::new(), BTreeSet::new()],
        };
        let endpoints = LISTS.iter().chain(&COUNTS);
        let kinds = endpoints.flat_map(|endpoint| PAGES.map(|pages| (*endpoint, pages)));
        let kinds: Vec<_> = kinds.collect();
        // Rules without an effect count the requests.
        let counting = kinds.iter().map(|(endpoint, pages)| {
            let nothing = Action::Delay(Duration::ZERO);
            Fault::new(*endpoint, Calls::All, nothing).on(*pages)
        });
        stage.simulator.set_faults(counting.collect());
        let report = stage.sync().await.unwrap();
        assert_eq!(report.completeness, Completeness::Complete);
        stage.whole = stage.rows();
        let counts = stage.simulator.fault_counts();
        let counted = kinds.into_iter().zip(counts);
        stage.calls = counted
            .map(|((endpoint, pages), n)| (endpoint, pages, n))
            .collect();
        stage
    }

    fn target(&self) -> std::path::PathBuf {
        self.folder.path().join("sync.c1z")
    }

    fn rows(&self) -> [BTreeSet<String>; 2] {
        [Table::Resources, Table::Grants].map(|table| ids(&self.target(), table))
    }

    async fn sync(&self) -> Result<Report, Error> {
        let (key, organization) = (
            self.simulator.access_token(),
            self.simulator.organization_id(),
        );
        sync_as(
            &self.simulator,
            &self.target(),
            key,
            organization,
            self.mode,
        )
        .await
    }

    fn calls(&self, endpoint: &str, pages: Pages) -> u64 {
        let mut calls = self.calls.iter();
        let found = calls.find(|(known, on, _)| *known == endpoint && *on == pages);
        found.map_or(0, |(_, _, n)| *n)
    }

    /// A sync into no file, so that nothing of an earlier one is resumed.
    async fn with(&self, fault: Fault) -> Result<Report, Error> {
        std::fs::remove_file(self.target()).unwrap_or_default();
        for entry in std::fs::read_dir(self.folder.path()).unwrap() {
            std::fs::remove_dir_all(entry.unwrap().path()).unwrap();
        }
        self.simulator.set_faults(vec![fault]);
        let outcome = self.sync().await;
        self.simulator.set_faults(Vec::new());
        outcome
    }
}

/// Every wrong shape of these endpoints, on each kind of page: an error that
/// names the request, or a whole file. With `drawn`, a
/// third of them.
async fn range(stage: &Stage, endpoints: &[&str], may_pass: bool, drawn: bool) {
    let dice = SplitMix::seeded(20_261_130);
    for endpoint in endpoints {
        for pages in PAGES {
            let calls = stage.calls(endpoint, pages);
            for shape in WrongShape::ALL.iter().filter(|_| calls > 0) {
                if drawn && !dice.next_u64().is_multiple_of(3) {
                    continue;
                }
                let call = 1 + dice.next_u64() % calls;
                let case = format!("{endpoint}@{pages:?}#{call}={}", shape.name());
                let fault = Fault::new(*endpoint, Calls::Nth(call), Action::Shape(*shape));
                let outcome = stage.with(fault.on(pages)).await;
                let passes = may_pass || is_ignored(endpoint, *shape);
                judge(stage, &case, *shape, outcome, passes);
            }
        }
    }
}

fn judge(stage: &Stage, case: &str, shape: WrongShape, outcome: Result<Report, Error>, ok: bool) {
    let error = match outcome {
        Ok(report) => {
            assert_eq!(report.completeness, Completeness::Complete, "{case}");
            assert_eq!(stage.rows(), stage.whole, "{case}");
            assert!(ok, "{case} went unnoticed");
            return;
        }
        Err(error) => error,
    };
    let text = one_line(&error);
    assert!(!stage.target().exists(), "{case}");
    assert!(
        text.contains("http://simulated.test/admin/"),
        "{case}: {text}"
    );
    assert!(text.contains(" answered "), "{case}: {text}");
    let redirect = shape.name().starts_with("status-3");
    let code = if redirect {
        Code::Unknown
    } else {
        Code::Internal
    };
    // Where the search is gone, its error stands.
    let instead = text.contains("neither the search nor the older list");
    let code = if instead { Code::NotFound } else { code };
    assert_eq!(error.code(), code, "{case}: {text}");
}

/// Every list of the sync has pages of each kind.
#[tokio::test(start_paused = true)]
async fn every_list_has_a_first_page_later_ones_and_a_last() {
    let newer = Stage::new(Generation::Alive, plain()).await;
    let older = Stage::new(Generation::NotFound, plain()).await;
    for endpoint in &LISTS[1..] {
        for pages in PAGES {
            let calls = newer
                .calls(endpoint, pages)
                .max(older.calls(endpoint, pages));
            assert!(calls > 0, "{endpoint} {pages:?}");
        }
    }
}

fn plain() -> Mode {
    Mode {
        plan: Some(RequestPlan::Plain),
        ..Mode::default()
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_in_a_wrong_shape_is_an_error_on_every_page() {
    let stage = Stage::new(Generation::Alive, plain()).await;
    range(&stage, &LISTS, false, false).await;
}

#[tokio::test(start_paused = true)]
async fn the_older_lists_are_judged_alike() {
    let stage = Stage::new(Generation::NotFound, plain()).await;
    range(&stage, &["GET v2/users", "GET v2/groups"], false, false).await;
}

#[tokio::test(start_paused = true)]
async fn the_go_connectors_requests_are_judged_alike() {
    let mode = Mode {
        go_compatible: true,
        ..Mode::default()
    };
    let stage = Stage::new(Generation::Alive, mode).await;
    range(&stage, &LISTS, false, true).await;
}

#[tokio::test(start_paused = true)]
async fn an_overview_in_a_wrong_shape_loses_no_row() {
    let stage = Stage::new(Generation::Alive, Mode::default()).await;
    range(&stage, &LISTS, true, true).await;
}

#[tokio::test(start_paused = true)]
async fn a_count_in_a_wrong_shape_compares_with_nothing() {
    let stage = Stage::new(Generation::Alive, Mode::default()).await;
    for endpoint in COUNTS {
        assert!(stage.calls(endpoint, Pages::First) > 0, "{endpoint}");
        for shape in WrongShape::ALL {
            let case = format!("{endpoint}={}", shape.name());
            let fault = Fault::new(endpoint, Calls::Nth(1), Action::Shape(*shape));
            let report = stage.with(fault).await;
            let report = report.unwrap_or_else(|error| panic!("{case}: {}", one_line(&error)));
            assert_eq!(report.completeness, Completeness::Complete, "{case}");
            assert_eq!(stage.rows(), stage.whole, "{case}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_single_object_in_a_wrong_shape_is_an_error() {
    let simulator = organization(Generation::Alive);
    let truth = simulator.truth();
    let (key, organization) = (simulator.access_token(), simulator.organization_id());
    let base = "http://simulated.test/admin";
    let settings = Settings::new(Secret::new(key), organization, base).unwrap();
    let parts = HttpParts::new(Arc::new(InProcess(simulator.clone())), 1);
    let connector = connector(&settings, parts, HttpSettings::default()).unwrap();
    for (endpoint, kind, id) in [
        ("GET v2/users/{id}", "user", &truth.users[0].account_id),
        ("GET v2/groups/{id}", "group", &truth.groups[0].id),
    ] {
        let id = resource_id(kind, id);
        for shape in WrongShape::ALL {
            let case = format!("{endpoint}={}", shape.name());
            let fault = Fault::new(endpoint, Calls::All, Action::Shape(*shape));
            simulator.set_faults(vec![fault]);
            let call = Call::alone();
            match connector.get_resource(&call, &id, None).await {
                Ok(found) => {
                    assert!(found.is_some(), "{case}");
                    assert!(has_no_links(*shape), "{case} went unnoticed");
                }
                Err(error) => {
                    let told = one_line(&error);
                    assert!(told.contains(" answered "), "{case}: {told}");
                    assert!(!error.is_vanished(), "{case}: {told}");
                }
            }
        }
    }
}
