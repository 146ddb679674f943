//! An answer counts only in its documented shape: every endpoint that a sync
//! asks, at every one of its requests, in every wrong shape.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use atlassian_sim::{
    Action, Answers, Calls, Config, Fault, Generation, OrganizationSpec, PageFill, Paging,
    Simulator, WrongShape,
};
use baton_atlassian::{RequestPlan, Settings, connector};
use baton_c1z::Table;
use baton_connector::http::{HttpParts, HttpSettings};
use baton_connector::resource::resource_id;
use baton_connector::{CallContext, Connector, Secret};
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

/// Members that no answer with one object has, so they say nothing there.
fn has_no_links(shape: WrongShape) -> bool {
    shape.name().starts_with("links-") || shape.name().starts_with("next-")
}

fn is_ignored(endpoint: &str, shape: WrongShape) -> bool {
    endpoint == "GET v1/orgs/{org}" && has_no_links(shape)
}

/// An organization whose every list has several pages.
fn organization(searches: Generation) -> Simulator {
    simulate(Config {
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
    })
}

struct Stage {
    simulator: Simulator,
    folder: tempfile::TempDir,
    mode: Mode,
    /// Requests of an undisturbed sync.
    calls: BTreeMap<&'static str, u64>,
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
            calls: BTreeMap::new(),
            whole: [BTreeSet::new(), BTreeSet::new()],
        };
        let report = stage.sync().await.unwrap();
        assert_eq!(report.completeness, Completeness::Complete);
        stage.whole = stage.rows();
        stage.calls = stage.simulator.counts();
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

    /// A sync into no file, so that nothing of an earlier one is resumed.
    async fn with(&self, endpoint: &str, call: u64, shape: WrongShape) -> Result<Report, Error> {
        std::fs::remove_file(self.target()).unwrap_or_default();
        for entry in std::fs::read_dir(self.folder.path()).unwrap() {
            std::fs::remove_dir_all(entry.unwrap().path()).unwrap();
        }
        let fault = Fault::new(endpoint, Calls::Nth(call), Action::Shape(shape));
        self.simulator.set_faults(vec![fault]);
        let outcome = self.sync().await;
        self.simulator.set_faults(Vec::new());
        outcome
    }
}

/// Every wrong shape of these endpoints, in turn at each of their first calls:
/// an error that names the request, or a whole file.
async fn range(stage: &Stage, endpoints: &[&str], may_pass: bool) {
    for endpoint in endpoints {
        let calls = stage.calls.get(endpoint).copied().unwrap_or_default();
        for (shape, turn) in WrongShape::ALL.iter().zip(0..) {
            if calls == 0 {
                break;
            }
            let call = 1 + turn % calls.min(5);
            let case = format!("{endpoint}#{call}={}", shape.name());
            match stage.with(endpoint, call, *shape).await {
                Ok(report) => {
                    assert_eq!(report.completeness, Completeness::Complete, "{case}");
                    assert_eq!(stage.rows(), stage.whole, "{case}");
                    let passes = may_pass || is_ignored(endpoint, *shape);
                    assert!(passes, "{case} went unnoticed");
                }
                Err(error) => {
                    let told = one_line(&error);
                    assert!(!stage.target().exists(), "{case}");
                    assert!(
                        told.contains("http://simulated.test/admin/"),
                        "{case}: {told}"
                    );
                    assert!(told.contains(" answered "), "{case}: {told}");
                    let redirect = shape.name().starts_with("status-3");
                    let code = if redirect {
                        Code::Unknown
                    } else {
                        Code::Internal
                    };
                    // Where the search is gone, its error stands.
                    let instead = told.contains("neither the search nor the older list");
                    let code = if instead { Code::NotFound } else { code };
                    assert_eq!(error.code(), code, "{case}: {told}");
                }
            }
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
    range(&stage, &LISTS, false).await;
}

#[tokio::test(start_paused = true)]
async fn the_older_lists_are_judged_alike() {
    let stage = Stage::new(Generation::NotFound, plain()).await;
    range(&stage, &["GET v2/users", "GET v2/groups"], false).await;
}

#[tokio::test(start_paused = true)]
async fn the_go_connectors_requests_are_judged_alike() {
    let mode = Mode {
        go_compatible: true,
        ..Mode::default()
    };
    let stage = Stage::new(Generation::Alive, mode).await;
    range(&stage, &LISTS, false).await;
}

#[tokio::test(start_paused = true)]
async fn an_overview_in_a_wrong_shape_loses_no_row() {
    let stage = Stage::new(Generation::Alive, Mode::default()).await;
    range(&stage, &LISTS, true).await;
}

#[tokio::test(start_paused = true)]
async fn a_count_in_a_wrong_shape_compares_with_nothing() {
    let stage = Stage::new(Generation::Alive, Mode::default()).await;
    for endpoint in COUNTS {
        assert!(stage.calls.contains_key(endpoint), "{endpoint}");
        for shape in WrongShape::ALL {
            let case = format!("{endpoint}={}", shape.name());
            let report = stage.with(endpoint, 1, *shape).await;
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
            let call = CallContext::default();
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
