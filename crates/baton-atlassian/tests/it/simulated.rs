//! Whole syncs of simulated organizations, in process and in virtual time.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use atlassian_sim::{
    AccessKey, Answers, Config, Fault, Generation, GroupSizes, OrganizationSpec, Principal,
    RateLimits, Simulator, Truth,
};
use baton_atlassian::{RequestPlan, Settings, connector};
use baton_c1z::{C1zFile, Filter, ReadOptions, Table, View};
use baton_connector::http::{HttpParts, HttpSettings, Transport};
use baton_connector::{Secret, SplitMix, SystemClock};
use baton_proto::c1::connector::v2;
use baton_proto::{Advise, Code, causes};
use baton_sync::{Completeness, Provenance, Report, Silent, SyncHost, SyncRequest};
use prost::Message;
use prost_types::value::Kind;
use tokio_util::sync::CancellationToken;

pub(crate) use crate::in_process::InProcess;

/// Every run gets ids of its own, also within one second.
static SEED: AtomicU64 = AtomicU64::new(1);

pub(crate) fn spec(users: u32, groups: u32) -> OrganizationSpec {
    OrganizationSpec {
        users,
        groups,
        seed: 7,
        ..OrganizationSpec::default()
    }
}

pub(crate) fn simulator(organization: OrganizationSpec) -> Simulator {
    simulate(Config {
        organization,
        ..Config::default()
    })
}

pub(crate) fn simulate(config: Config) -> Simulator {
    let limits = RateLimits::off();
    Simulator::new(Config { limits, ..config }).unwrap()
}

#[derive(Clone, Copy, Default)]
pub(crate) struct Mode {
    pub go_compatible: bool,
    pub plan: Option<RequestPlan>,
}

pub(crate) async fn sync_as(
    simulator: &Simulator,
    target: &Path,
    key: &str,
    organization: &str,
    mode: Mode,
) -> Result<Report, baton_sync::Error> {
    let base = "http://simulated.test/admin";
    let mut settings = Settings::new(Secret::new(key), organization, base).unwrap();
    settings.go_compatible = mode.go_compatible;
    settings.request_plan = mode.plan;
    let transport = InProcess(simulator.clone());
    run(&settings, transport, target, CancellationToken::new()).await
}

/// A sync with a connector of its own, which remembers nothing.
pub(crate) async fn run(
    settings: &Settings,
    transport: impl Transport + 'static,
    target: &Path,
    cancel: CancellationToken,
) -> Result<Report, baton_sync::Error> {
    let parts = HttpParts::new(Arc::new(transport), 1);
    let connector = connector(settings, parts, HttpSettings::default()).unwrap();
    let mut request = SyncRequest::new(target);
    request.content_facts = settings.content_facts();
    request.provenance = Some(Provenance {
        tool: "test".to_owned(),
        version: "1".to_owned(),
    });
    let host = SyncHost {
        clock: Arc::new(SystemClock),
        random: Arc::new(SplitMix::seeded(SEED.fetch_add(1, Ordering::Relaxed))),
        cancel,
        observer: Arc::new(Silent),
    };
    baton_sync::run(Arc::new(connector), request, host).await
}

pub(crate) async fn sync(
    simulator: &Simulator,
    target: &Path,
) -> Result<Report, baton_sync::Error> {
    let (key, organization) = (simulator.access_token(), simulator.organization_id());
    sync_as(simulator, target, key, organization, Mode::default()).await
}

/// Rows of a table as id and bytes, in storage order.
pub(crate) fn rows(path: &Path, table: Table) -> Vec<(String, Vec<u8>)> {
    let file = C1zFile::open(path, &ReadOptions::default()).unwrap();
    let newest = file.latest_finished(None).cloned().unwrap().id;
    let view = file.view(View::Sync(&newest)).unwrap();
    let mut all = Vec::new();
    view.scan(table, &Filter::default(), &mut |row| {
        all.push((row.id.to_owned(), row.data.to_vec()));
        Ok(std::ops::ControlFlow::Continue(()))
    })
    .unwrap();
    all
}

pub(crate) fn ids(path: &Path, table: Table) -> BTreeSet<String> {
    rows(path, table).into_iter().map(|(id, _)| id).collect()
}

/// Ids of the resources that lists have, and that no list has.
pub(crate) fn listed_and_added(target: &Path) -> (BTreeSet<String>, BTreeSet<String>) {
    let is_added = |data: &[u8]| {
        let resource = v2::Resource::decode(data).unwrap();
        let profile = resource.profile.unwrap_or_default();
        let listed = profile.fields.get("listed").map(|value| value.kind.clone());
        listed == Some(Some(Kind::BoolValue(false)))
    };
    let all = rows(target, Table::Resources);
    let (added, listed): (Vec<_>, Vec<_>) = all.into_iter().partition(|(_, data)| is_added(data));
    let ids = |rows: Vec<(String, Vec<u8>)>| rows.into_iter().map(|(id, _)| id).collect();
    (ids(listed), ids(added))
}

fn listed(target: &Path) -> BTreeSet<String> {
    listed_and_added(target).0
}

/// The grants that a complete sync finds, from the organization as it is.
fn expected_grants(truth: &Truth) -> BTreeSet<String> {
    let mut grants = BTreeSet::new();
    for membership in &truth.memberships {
        let (group, user) = (&membership.group_id, &membership.account_id);
        grants.insert(format!("group:{group}:member:user:{user}"));
    }
    let of_groups = truth.direct_roles.iter().filter(|role| {
        matches!(role.principal, Principal::Group(_)) && role.resource_owner != "platform"
    });
    for role in truth.effective_roles.iter().chain(of_groups) {
        let principal = match &role.principal {
            Principal::User(id) => format!("user:{id}"),
            Principal::Group(id) => format!("group:{id}"),
        };
        let resource = match role.resource_owner.as_str() {
            "project" | "goal" => continue,
            "platform" => format!("organization:{}", truth.organization_id),
            _ => format!("workspace:{}", role.resource_id),
        };
        grants.insert(format!("{resource}:role:{}:{principal}", role.role));
    }
    grants
}

/// What the lists have.
fn expected_resources(truth: &Truth) -> BTreeSet<String> {
    let mut resources = BTreeSet::from([format!("organization:{}", truth.organization_id)]);
    resources.extend(truth.users.iter().map(|u| format!("user:{}", u.account_id)));
    resources.extend(truth.groups.iter().map(|g| format!("group:{}", g.id)));
    resources.extend(
        truth
            .workspaces
            .iter()
            .map(|w| format!("workspace:{}", w.id)),
    );
    resources.extend(truth.tokens.iter().map(|t| format!("api_token:{}", t.id)));
    resources
}

#[tokio::test(start_paused = true)]
async fn a_sync_finds_everything_that_is_there_and_calls_no_retired_path() {
    let simulator = simulator(spec(230, 12));
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("sync.c1z");
    let report = sync(&simulator, &target).await.unwrap();
    assert_eq!(report.completeness, Completeness::Complete);
    let truth = simulator.truth();
    assert_eq!(listed(&target), expected_resources(&truth));
    assert_eq!(ids(&target, Table::Grants), expected_grants(&truth));
    assert!(simulator.strays().is_empty(), "{:?}", simulator.strays());
    assert!(simulator.alarms().is_empty());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[tokio::test(start_paused = true)]
async fn two_syncs_of_the_same_organization_differ_in_ids_and_times_alone() {
    let simulator = simulator(spec(120, 8));
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("1.c1z"), folder.path().join("2.c1z"));
    sync(&simulator, &first).await.unwrap();
    sync(&simulator, &second).await.unwrap();
    for table in Table::ALL {
        assert_eq!(
            rows(&first, table),
            rows(&second, table),
            "{}",
            table.name()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn where_only_the_older_lists_live_the_same_rows_are_found() {
    let simulator = simulate(Config {
        organization: spec(130, 6),
        answers: Answers {
            searches: Generation::NotFound,
            ..Answers::default()
        },
        ..Config::default()
    });
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("sync.c1z");
    sync(&simulator, &target).await.unwrap();
    let truth = simulator.truth();
    assert_eq!(listed(&target), expected_resources(&truth));
    assert_eq!(ids(&target, Table::Grants), expected_grants(&truth));
}

#[tokio::test(start_paused = true)]
async fn go_compatible_files_lack_what_no_list_has_and_further_fields() {
    let simulator = simulator(OrganizationSpec {
        odd_data: false,
        ..spec(60, 5)
    });
    let folder = tempfile::tempdir().unwrap();
    let (full, plain) = (folder.path().join("1.c1z"), folder.path().join("2.c1z"));
    sync(&simulator, &full).await.unwrap();
    let (key, organization) = (simulator.access_token(), simulator.organization_id());
    let mode = Mode {
        go_compatible: true,
        ..Mode::default()
    };
    sync_as(&simulator, &plain, key, organization, mode)
        .await
        .unwrap();
    let grants = Table::Grants;
    assert_eq!(ids(&full, grants), ids(&plain, grants));
    assert_eq!(listed(&full), ids(&plain, Table::Resources));
    // Roles that no list has are left out of the compatible file.
    let entitlements = Table::Entitlements;
    assert!(ids(&full, entitlements).is_superset(&ids(&plain, entitlements)));
    assert_ne!(
        rows(&full, Table::Resources),
        rows(&plain, Table::Resources)
    );
}

/// Numbers of objects around the largest pages of every list.
#[tokio::test(start_paused = true)]
async fn lists_are_complete_at_every_size_around_a_page() {
    let folder = tempfile::tempdir().unwrap();
    for size in [1, 19, 20, 21, 99, 100, 101, 199, 200, 201] {
        let simulator = simulator(OrganizationSpec {
            groups: size,
            workspaces: size,
            tokens: Some(if size > 100 { 1000 + size - 200 } else { size }),
            group_sizes: GroupSizes::Even(size.min(3)),
            odd_data: false,
            ..spec(size.max(5), 0)
        });
        let target = folder.path().join(format!("{size}.c1z"));
        sync(&simulator, &target).await.unwrap();
        let truth = simulator.truth();
        assert_eq!(listed(&target), expected_resources(&truth), "{size}");
        assert_eq!(
            ids(&target, Table::Grants),
            expected_grants(&truth),
            "{size}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn members_of_a_group_are_complete_at_every_size_around_a_page() {
    let folder = tempfile::tempdir().unwrap();
    for size in [0, 1, 99, 100, 101, 200, 201] {
        let simulator = simulator(OrganizationSpec {
            group_sizes: GroupSizes::Even(size),
            directories: Some(1),
            odd_data: false,
            ..spec(230, 1)
        });
        let target = folder.path().join(format!("{size}.c1z"));
        sync(&simulator, &target).await.unwrap();
        assert_eq!(
            ids(&target, Table::Grants),
            expected_grants(&simulator.truth()),
            "{size}"
        );
    }
}

/// What comes of an organization whose server misbehaves in one way.
async fn with_fault(fault: &str) -> (Result<Report, baton_sync::Error>, bool) {
    let simulator = simulator(spec(230, 6));
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("sync.c1z");
    sync(&simulator, &target).await.unwrap();
    let before = std::fs::read(&target).unwrap();
    simulator.set_faults(vec![fault.parse::<Fault>().unwrap()]);
    let outcome = sync(&simulator, &target).await;
    match &outcome {
        Ok(report) if report.completeness == Completeness::Complete => {
            assert_eq!(
                ids(&target, Table::Grants),
                expected_grants(&simulator.truth()),
                "{fault}"
            );
        }
        _ => assert_eq!(std::fs::read(&target).unwrap(), before, "{fault}"),
    }
    let kept = std::fs::read(&target).unwrap() == before;
    (outcome, kept)
}

#[tokio::test(start_paused = true)]
async fn passing_faults_end_in_a_complete_file() {
    for fault in [
        "*#7=429:retry-after=5",
        "*#7=429",
        "*#7=429:retry-after=-5",
        "*#7=429:retry-after=99999999",
        "*#9=500",
        "*#9=502",
        "*#9=503",
        "*#9=504",
        "*#9=reset",
        "*#9=truncate",
        "*#9=drip:64/10ms",
        "POST v2/users/search#2=expire-cursor",
        "POST v2/users/search=page-size:50",
    ] {
        let (outcome, _) = with_fault(fault).await;
        let report = outcome.unwrap_or_else(|e| panic!("{fault}: {e}"));
        assert_eq!(report.completeness, Completeness::Complete, "{fault}");
    }
}

#[tokio::test(start_paused = true)]
async fn lasting_faults_end_in_an_error_and_leave_the_old_file() {
    for (fault, code) in [
        ("*#5-=500", Code::Unavailable),
        ("*#5-=429", Code::Unavailable),
        ("POST v2/users/search#2-=invalid-json", Code::Internal),
        ("POST v2/users/search#2-=html:200", Code::Internal),
        ("POST v2/users/search#2-=401", Code::Unauthenticated),
        ("POST v2/users/search#2-=403", Code::PermissionDenied),
        ("POST v2/users/search#2-=repeat-cursor", Code::Internal),
    ] {
        let (outcome, kept) = with_fault(fault).await;
        let error = outcome
            .err()
            .unwrap_or_else(|| panic!("{fault} went unnoticed"));
        assert_eq!(error.code(), code, "{fault}: {error}");
        assert!(kept, "{fault}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_object_that_may_not_be_read_makes_the_result_partial() {
    let (outcome, kept) = with_fault("GET v2/groups/{id}/role-assignments#2=403").await;
    let report = outcome.unwrap();
    assert_eq!(report.completeness, Completeness::Partial);
    assert_eq!(report.skipped.len(), 1);
    assert!(report.path.to_string_lossy().contains(".partial"));
    assert!(kept, "the complete file stays");
}

/// The chain of causes and the advice, as the program would print them.
fn told(error: &baton_sync::Error) -> String {
    let hints: Vec<String> = error.advice().iter().map(ToString::to_string).collect();
    format!("{} | {}", causes::one_line(error), hints.join("; "))
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_no_good_is_told_from_a_scope_that_is_missing() {
    let scopes = ["read:directories:admin", "read:groups:admin"];
    let simulator = simulate(Config {
        organization: spec(10, 2),
        keys: vec![
            AccessKey::unscoped("good"),
            AccessKey::scoped("narrow", scopes),
            AccessKey::foreign("foreign"),
        ],
        ..Config::default()
    });
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("sync.c1z");
    let organization = simulator.organization_id().to_owned();
    for (key, id, code, words) in [
        (
            "wrong",
            organization.as_str(),
            Code::Unauthenticated,
            "the API key was refused",
        ),
        (
            "narrow",
            organization.as_str(),
            Code::Unauthenticated,
            "read:orgs:admin",
        ),
        (
            "foreign",
            organization.as_str(),
            Code::NotFound,
            "--organization-id",
        ),
        (
            "good",
            "no-such-organization",
            Code::NotFound,
            "--organization-id",
        ),
    ] {
        let outcome = sync_as(&simulator, &target, key, id, Mode::default()).await;
        let error = outcome.expect_err(key);
        let told = told(&error);
        assert_eq!(error.code(), code, "{key}: {told}");
        assert!(told.contains(words), "{key}: {told}");
        assert!(!told.contains("Bearer"), "{told}");
        // Neither a file nor a working folder is left.
        assert_eq!(
            std::fs::read_dir(folder.path()).unwrap().count(),
            0,
            "{key}"
        );
    }
}
