//! What is gone: an endpoint, or one object. List, status and
//! API code decide which.

use atlassian_sim::{Action, Calls, Fault, OrganizationSpec, Simulator};
use baton_atlassian::RequestPlan;
use baton_c1z::Table;
use baton_proto::causes::one_line;
use baton_sync::{Completeness, Error, Report, SkipKind};

use crate::simulated::{Mode, ids, simulator, spec, sync_as};

const USERS_SEARCH: &str = "POST v2/users/search";
const GROUPS_SEARCH: &str = "POST v2/groups/search";
const OLDER_USERS: &str = "GET v2/users";
const OLDER_GROUPS: &str = "GET v2/groups";

/// Answers of a list of everything that can mean that the search is gone.
const SEARCH_GONE: [(u16, &str); 8] = [
    (405, "ADMIN-405-1"),
    (405, ""),
    (410, "ADMIN-404-1"),
    (410, ""),
    (501, ""),
    (404, ""),
    (404, "ADMIN-404-1"),
    (404, "ADMIN-UAM-404-1"),
];

/// Answers that do not mean that.
const OTHER: [(u16, &str); 9] = [
    (404, "ADMIN-404-2"),
    (404, "ADMIN-UAM-404-2"),
    (404, "ADMIN-404-8"),
    (404, "ADMIN-404-10"),
    (404, "ADMIN-UAM-404-3"),
    (403, "ADMIN-UAM-403-1"),
    (401, "ADMIN-401-2"),
    (409, "ADMIN-409-3"),
    (400, "ADMIN-400-1"),
];

/// Codes of a 404 that say that one object is gone.
const OBJECT_GONE: [&str; 7] = [
    "ADMIN-404-1",
    "ADMIN-404-3",
    "ADMIN-404-8",
    "ADMIN-404-10",
    "ADMIN-UAM-404-1",
    "ADMIN-UAM-404-3",
    "ADMIN-404-4",
];

fn organization() -> Simulator {
    simulator(OrganizationSpec {
        directories: Some(1),
        ..spec(12, 4)
    })
}

fn rule(endpoint: &str, calls: Calls, (status, code): (u16, &'static str)) -> Fault {
    Fault::new(endpoint, calls, Action::Refuse(status, code))
}

struct Stage {
    simulator: Simulator,
    folder: tempfile::TempDir,
}

impl Stage {
    fn new() -> Self {
        Self {
            simulator: organization(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn target(&self) -> std::path::PathBuf {
        self.folder.path().join("sync.c1z")
    }

    async fn sync(&self, faults: Vec<Fault>) -> Result<Report, Error> {
        self.simulator.set_faults(faults);
        self.simulator.reset_log();
        let (key, id) = (
            self.simulator.access_token(),
            self.simulator.organization_id(),
        );
        let mode = Mode {
            plan: Some(RequestPlan::Plain),
            ..Mode::default()
        };
        sync_as(&self.simulator, &self.target(), key, id, mode).await
    }

    fn asked(&self, endpoint: &str) -> u64 {
        self.simulator.count(endpoint)
    }

    fn groups(&self) -> u64 {
        self.simulator.truth().groups.len() as u64
    }
}

#[tokio::test(start_paused = true)]
async fn where_a_search_is_gone_the_older_list_is_used_for_the_rest_of_the_run() {
    for gone in SEARCH_GONE {
        let stage = Stage::new();
        let whole = stage.sync(Vec::new()).await.unwrap();
        let rows = ids(&stage.target(), Table::Grants);
        assert_eq!(whole.completeness, Completeness::Complete);
        let faults = [USERS_SEARCH, GROUPS_SEARCH].map(|search| rule(search, Calls::All, gone));
        let report = stage.sync(faults.to_vec()).await;
        let report = report.unwrap_or_else(|error| panic!("{gone:?}: {}", one_line(&error)));
        assert_eq!(report.completeness, Completeness::Complete, "{gone:?}");
        assert_eq!(report.vanished, 0, "{gone:?}");
        assert_eq!(ids(&stage.target(), Table::Grants), rows, "{gone:?}");
        // Each search is asked once.
        assert_eq!(stage.asked(USERS_SEARCH), 1, "{gone:?}");
        assert_eq!(stage.asked(GROUPS_SEARCH), 1, "{gone:?}");
        assert!(stage.asked(OLDER_USERS) > stage.groups(), "{gone:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_resumes_goes_on_with_the_older_list() {
    let stage = Stage::new();
    let faults = vec![
        rule(USERS_SEARCH, Calls::All, (405, "")),
        // The first two are the list of all users and one group's members.
        rule(OLDER_USERS, Calls::From(3), (401, "ADMIN-401-2")),
    ];
    stage.sync(faults).await.unwrap_err();
    assert_eq!(stage.asked(USERS_SEARCH), 1);
    let report = stage
        .sync(vec![rule(USERS_SEARCH, Calls::All, (405, ""))])
        .await
        .unwrap();
    assert!(report.resumed);
    assert_eq!(report.completeness, Completeness::Complete);
    assert_eq!(stage.asked(USERS_SEARCH), 0);
    assert!(stage.asked(OLDER_USERS) > 0);
}

#[tokio::test(start_paused = true)]
async fn where_the_older_list_is_gone_too_the_first_error_stands() {
    for gone in SEARCH_GONE {
        for (search, older) in [(USERS_SEARCH, OLDER_USERS), (GROUPS_SEARCH, OLDER_GROUPS)] {
            for second in [(404, "ADMIN-404-2"), (403, "ADMIN-UAM-403-1"), (410, "")] {
                let stage = Stage::new();
                let faults = vec![
                    rule(search, Calls::All, gone),
                    rule(older, Calls::All, second),
                ];
                let error = stage.sync(faults).await.unwrap_err();
                let told = one_line(&error);
                assert!(told.contains("/search answered"), "{gone:?}: {told}");
                assert!(told.contains(&gone.0.to_string()), "{gone:?}: {told}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn any_other_refusal_of_a_search_asks_nothing_else() {
    for other in OTHER {
        for (search, older) in [(USERS_SEARCH, OLDER_USERS), (GROUPS_SEARCH, OLDER_GROUPS)] {
            let stage = Stage::new();
            let error = stage.sync(vec![rule(search, Calls::All, other)]).await;
            let told = one_line(&error.unwrap_err());
            assert!(told.contains("/search answered"), "{other:?}: {told}");
            assert_eq!(stage.asked(older), 0, "{other:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_search_that_is_gone_between_two_pages_begins_again_with_the_older_list() {
    let stage = Stage {
        simulator: simulator(spec(230, 2)),
        folder: tempfile::tempdir().unwrap(),
    };
    let faults = vec![rule(USERS_SEARCH, Calls::From(2), (410, "ADMIN-404-1"))];
    let report = stage.sync(faults).await.unwrap();
    assert_eq!(report.completeness, Completeness::Complete);
    let users = stage.simulator.truth().users.len();
    let found = ids(&stage.target(), Table::Resources);
    let found = found.iter().filter(|id| id.starts_with("user:"));
    assert_eq!(found.count(), users);
    assert_eq!(stage.asked(USERS_SEARCH), 2);
}

#[tokio::test(start_paused = true)]
async fn an_object_that_is_gone_drops_its_lists_and_asks_nothing_else() {
    for code in OBJECT_GONE {
        // The first search of users lists all of them, the next are groups.
        for (endpoint, call) in [
            (USERS_SEARCH, 2),
            ("GET v2/groups/{id}/role-assignments", 1),
            ("GET v2/users/{id}/role-assignments", 3),
        ] {
            let stage = Stage::new();
            let fault = rule(endpoint, Calls::Nth(call), (404, code));
            let report = stage.sync(vec![fault]).await;
            let report = report.unwrap_or_else(|e| panic!("{endpoint} {code}: {}", one_line(&e)));
            assert_eq!(
                report.completeness,
                Completeness::Complete,
                "{endpoint} {code}"
            );
            assert_eq!(report.vanished, 1, "{endpoint} {code}");
            assert_eq!(report.skipped[0].kind, SkipKind::Vanished);
            assert_eq!(stage.asked(OLDER_USERS), 0, "{endpoint} {code}");
            assert_eq!(stage.asked(USERS_SEARCH), 1 + stage.groups(), "{code}");
            let gone = &report.skipped[0].resource;
            let grants = ids(&stage.target(), Table::Grants);
            assert!(
                !grants.iter().any(|id| id.starts_with(&format!("{gone}:"))
                    || id.ends_with(&format!(":{gone}")) && !id.starts_with("group:")),
                "{endpoint} {code}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_foreign_organization_and_a_gateway_say_nothing_of_an_object() {
    for refusal in [(404, "ADMIN-404-2"), (404, "ADMIN-UAM-404-2"), (404, "")] {
        for endpoint in [
            "GET v2/groups/{id}/role-assignments",
            "GET v2/users/{id}/role-assignments",
        ] {
            let stage = Stage::new();
            let fault = rule(endpoint, Calls::Nth(2), refusal);
            let told = one_line(&stage.sync(vec![fault]).await.unwrap_err());
            assert!(told.contains("answered 404"), "{refusal:?}: {told}");
        }
    }
}
/// A run that a user's or a group's list ended goes on, once the API says that
/// the object is gone; as long as it does not, the list is asked again.
#[tokio::test(start_paused = true)]
async fn a_run_that_resumes_first_reads_what_ended_the_run_before() {
    for (list, one, call) in [
        (
            "GET v2/groups/{id}/role-assignments",
            "GET v2/groups/{id}",
            2,
        ),
        ("GET v2/users/{id}/role-assignments", "GET v2/users/{id}", 5),
    ] {
        let stage = Stage::new();
        let failing = |calls| rule(list, calls, (404, ""));
        stage
            .sync(vec![failing(Calls::From(call))])
            .await
            .unwrap_err();
        // It is there: the list fails again, and nothing is left out.
        stage.sync(vec![failing(Calls::All)]).await.unwrap_err();
        assert_eq!(stage.asked(one), 1, "{one}");
        // It is gone.
        let gone = rule(one, Calls::All, (404, "ADMIN-404-8"));
        let report = stage.sync(vec![gone]).await.unwrap();
        assert_eq!(stage.asked(one), 1, "{one}");
        assert_eq!(report.completeness, Completeness::Complete);
        assert_eq!((report.vanished, report.skipped.len()), (1, 1));
        assert_eq!(report.skipped[0].kind, SkipKind::Vanished);
    }
}
