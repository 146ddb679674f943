//! A file is whole: the entitlement of each grant and the resource of that
//! entitlement are in it.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use atlassian_sim::OrganizationSpec;
use baton_atlassian::{RequestPlan, Settings, connector};
use baton_c1z::{C1zFile, Filter, Format, ReadOptions, Table, View};
use baton_connector::http::{HttpParts, HttpSettings, Transport};
use baton_connector::{Secret, SplitMix, SystemClock};
use baton_proto::Code;
use baton_proto::bid::{ResourceBid, TypedId};
use baton_proto::c1::connector::v2;
use baton_sync::{Completeness, Report, Silent, SyncHost, SyncRequest};
use prost::Message;
use prost_types::value::Kind;
use tokio_util::sync::CancellationToken;

use crate::recording::{ORGANIZATION, Recording, TOKEN};
use crate::simulated::{InProcess, ids, listed_and_added, rows, simulator, spec};

struct Run {
    _folder: tempfile::TempDir,
    request: SyncRequest,
    settings: Settings,
}

impl Run {
    fn new(key: &str, organization: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let base = "http://simulated.test/admin";
        let mut request = SyncRequest::new(folder.path().join("sync.c1z"));
        request.format = Some(Format::V1);
        Self {
            request,
            settings: Settings::new(Secret::new(key), organization, base).unwrap(),
            _folder: folder,
        }
    }

    async fn sync(&self, transport: impl Transport + 'static) -> Report {
        self.try_sync(transport).await.unwrap()
    }

    async fn try_sync(
        &self,
        transport: impl Transport + 'static,
    ) -> Result<Report, baton_sync::Error> {
        let parts = HttpParts::new(Arc::new(transport), 1);
        let connector = connector(&self.settings, parts, HttpSettings::default()).unwrap();
        let host = SyncHost {
            clock: Arc::new(SystemClock),
            random: Arc::new(SplitMix::seeded(5)),
            cancel: CancellationToken::new(),
            observer: Arc::new(Silent),
        };
        baton_sync::run(Arc::new(connector), self.request.clone(), host).await
    }

    fn path(&self) -> &Path {
        &self.request.target
    }
}

/// What grants and entitlements refer to and the file lacks.
fn dangling(path: &Path) -> Vec<String> {
    let file = C1zFile::open(path, &ReadOptions::default()).unwrap();
    let newest = file.latest_finished(None).cloned().unwrap().id;
    let view = file.view(View::Sync(&newest)).unwrap();
    let (resources, entitlements) = (ids(path, Table::Resources), ids(path, Table::Entitlements));
    let mut missing = BTreeSet::new();
    for table in [Table::Entitlements, Table::Grants] {
        view.scan(table, &Filter::default(), &mut |row| {
            let on = format!("{}:{}", row.resource_type_id, row.resource_id);
            if !resources.contains(&on) {
                missing.insert(on);
            }
            if table == Table::Grants && !entitlements.contains(row.entitlement_id) {
                missing.insert(row.entitlement_id.to_owned());
            }
            Ok(std::ops::ControlFlow::Continue(()))
        })
        .unwrap();
    }
    missing.into_iter().collect()
}

fn counts(report: &Report) -> (i64, i64, i64) {
    let stats = &report.stats;
    (stats.resources, stats.entitlements, stats.grants)
}

#[tokio::test(start_paused = true)]
async fn the_recorded_organization_is_whole_in_both_formats() {
    for format in [Format::V1, Format::V3] {
        let mut run = Run::new(TOKEN, ORGANIZATION);
        run.request.format = Some(format);
        let report = run.sync(Recording::lenient()).await;
        assert_eq!(counts(&report), (149, 55, 546));
        assert_eq!(dangling(run.path()), Vec::<String>::new());
        let dangles = |warning: &String| warning.contains("not in the sync");
        assert!(
            !report.warnings.iter().any(dangles),
            "{:?}",
            report.warnings
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_go_compatible_file_of_it_has_what_the_go_connector_writes() {
    let mut run = Run::new(TOKEN, ORGANIZATION);
    run.settings.go_compatible = true;
    let report = run.sync(Recording::lenient()).await;
    assert_eq!(counts(&report), (148, 52, 546));
    assert_eq!(dangling(run.path()).len(), 4);
}

#[tokio::test(start_paused = true)]
async fn added_rows_say_what_they_are() {
    let run = Run::new(TOKEN, ORGANIZATION);
    run.sync(Recording::lenient()).await;
    let (_, added) = listed_and_added(run.path());
    assert_eq!(added.len(), 1);
    let workspaces = rows(run.path(), Table::Resources).into_iter();
    let (id, data) = workspaces
        .clone()
        .find(|(id, _)| added.contains(id))
        .unwrap();
    let workspace = v2::Resource::decode(&*data).unwrap();
    assert_eq!(format!("workspace:{}", workspace.display_name), id);
    let profile = workspace.profile.unwrap();
    let keys: Vec<&str> = profile.fields.keys().map(String::as_str).collect();
    assert_eq!(keys, ["listed", "type_key"]);
    let Some(Kind::StringValue(key)) = profile.fields["type_key"].kind.clone() else {
        panic!("the key of a product is a text");
    };
    assert!(!key.is_empty());
    let names: std::collections::BTreeMap<String, String> = workspaces
        .map(|(id, data)| (id, v2::Resource::decode(&*data).unwrap().display_name))
        .collect();
    let mut unlisted = Vec::new();
    for (id, data) in rows(run.path(), Table::Entitlements) {
        let entitlement = v2::Entitlement::decode(&*data).unwrap();
        if !entitlement.description.contains("No list has this role") {
            continue;
        }
        let on = entitlement.resource.unwrap().id.unwrap();
        let name = &names[&format!("{}:{}", on.resource_type, on.resource)];
        let role = entitlement.slug.strip_prefix("role:").unwrap();
        assert_eq!(
            entitlement.display_name,
            format!("{role} on {name}"),
            "{id}"
        );
        unlisted.push(on.resource_type);
    }
    unlisted.sort();
    assert_eq!(unlisted, ["organization", "workspace", "workspace"]);
}

/// Organizations with everything odd that the simulator knows.
fn odd(seed: u64) -> OrganizationSpec {
    OrganizationSpec {
        seed,
        odd_data: true,
        ..spec(60, 8)
    }
}

#[tokio::test(start_paused = true)]
async fn simulated_organizations_are_whole_under_every_plan_filter_and_kind_of_sync() {
    let mut added_somewhere = 0;
    for seed in 0..4 {
        let simulator = simulator(odd(seed));
        let (key, organization) = (simulator.access_token(), simulator.organization_id());
        let sets: [&[&str]; 5] = [
            &[],
            &["user", "group", "workspace"],
            &["user", "organization"],
            &["group", "workspace"],
            &["user", "group"],
        ];
        for plan in [RequestPlan::Auto, RequestPlan::Plain] {
            for types in sets {
                let mut run = Run::new(key, organization);
                run.settings.request_plan = Some(plan);
                let types = types.iter().map(ToString::to_string);
                run.request.resource_type_filter = types.collect();
                run.sync(InProcess(simulator.clone())).await;
                assert_eq!(dangling(run.path()), Vec::<String>::new());
                let (_, added) = listed_and_added(run.path());
                added_somewhere += added.len();
                let has = |kind: &String| run.request.resource_type_filter.contains(kind);
                if !run.request.resource_type_filter.is_empty() {
                    assert!(!added.iter().any(|id| {
                        let (kind, _) = id.split_once(':').unwrap();
                        !has(&kind.to_owned())
                    }));
                }
            }
        }
        let mut run = Run::new(key, organization);
        run.request.skip_grants = true;
        run.sync(InProcess(simulator.clone())).await;
        assert_eq!(listed_and_added(run.path()).1, BTreeSet::new());
    }
    assert!(added_somewhere > 0, "nothing was added, nothing was tested");
}

fn target(kind: &str, id: &str) -> ResourceBid {
    let id = TypedId {
        resource_type: kind.to_owned(),
        resource: id.to_owned(),
    };
    ResourceBid { id, parent: None }
}

#[tokio::test(start_paused = true)]
async fn a_sync_of_single_resources_holds_them_and_says_nothing_about_lists() {
    let simulator = simulator(odd(1));
    let truth = simulator.truth();
    let mut run = Run::new(simulator.access_token(), simulator.organization_id());
    let users = truth.users.iter();
    let mut targets: Vec<_> = users.map(|user| target("user", &user.account_id)).collect();
    let groups = truth.groups.iter();
    targets.extend(groups.map(|group| target("group", &group.id)));
    targets.push(target("organization", &truth.organization_id));
    let wanted: BTreeSet<String> = targets
        .iter()
        .map(|target| format!("{}:{}", target.id.resource_type, target.id.resource))
        .collect();
    run.request.targets = targets;
    let report = run.sync(InProcess(simulator.clone())).await;
    assert_eq!(report.completeness, Completeness::Complete);
    assert_eq!(ids(run.path(), Table::Resources), wanted);
    assert!(!ids(run.path(), Table::Grants).is_empty());
    assert_eq!(listed_and_added(run.path()).1, BTreeSet::new());
}

#[tokio::test(start_paused = true)]
async fn a_sync_of_single_resources_ends_by_what_exists() {
    type Named<'a> = &'a [(&'a str, &'a str)];
    let simulator = simulator(odd(1));
    let truth = simulator.truth();
    let user = truth.users[0].account_id.as_str();
    let workspace = truth.workspaces[0].id.as_str();
    let cases: [(Named<'_>, bool, Option<Code>); 8] = [
        (&[("user", user), ("user", "712020:nobody")], false, None),
        (&[("user", "712020:nobody")], false, Some(Code::NotFound)),
        (
            &[("group", "none"), ("user", "none")],
            false,
            Some(Code::NotFound),
        ),
        (&[("organization", "another")], false, Some(Code::NotFound)),
        (&[("planet", "mars")], false, Some(Code::NotFound)),
        (
            &[("workspace", workspace)],
            false,
            Some(Code::Unimplemented),
        ),
        (
            &[("user", user), ("api_token", "t")],
            false,
            Some(Code::Unimplemented),
        ),
        (&[("user", user)], true, Some(Code::Unimplemented)),
    ];
    for (targets, go_compatible, expected) in cases {
        let mut run = Run::new(simulator.access_token(), simulator.organization_id());
        run.settings.go_compatible = go_compatible;
        run.request.targets = targets.iter().map(|(kind, id)| target(kind, id)).collect();
        let outcome = run.try_sync(InProcess(simulator.clone())).await;
        let code = outcome.as_ref().err().map(baton_sync::Error::code);
        assert_eq!(code, expected, "{targets:?}: {outcome:?}");
        assert_eq!(run.path().exists(), expected.is_none());
        if let Ok(report) = outcome {
            let named = |w: &String| w.starts_with("user `712020:nobody` is left out");
            assert!(report.warnings.iter().any(named), "{:?}", report.warnings);
        }
    }
}
