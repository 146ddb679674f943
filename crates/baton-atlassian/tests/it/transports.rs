//! The connector in this process and behind gRPC, on the simulator.
//!
//! One thing does not cross a process boundary: roles and workspaces that only grants
//! name ([`Page::added`](baton_connector::Page::added)). All else must be the same.

use std::collections::BTreeSet;
use std::sync::Arc;

use atlassian_sim::{Answers, Config, OrganizationSpec, Simulator};
use baton_atlassian::Settings;
use baton_c1z::Table;
use baton_connector::http::{HttpParts, HttpSettings};
use baton_connector::resource::{EntitlementId, resource_id};
use baton_connector::{Connector, Secret};
use baton_testkit::{CheckResult, Verdict, conformance, over_grpc, read_all, sync_rows};

use crate::simulated::{InProcess, simulate, simulator, spec};

fn connector(simulator: &Simulator) -> Arc<dyn Connector> {
    let key = Secret::new(simulator.access_token());
    let base = "http://simulated.test/admin";
    let settings = Settings::new(key, simulator.organization_id(), base).unwrap();
    let parts = HttpParts::new(Arc::new(InProcess(simulator.clone())), 1);
    let connector = baton_atlassian::connector(&settings, parts, HttpSettings::default());
    Arc::new(connector.unwrap())
}

/// Ids of the rows that only grants name, and of which a list may have none.
async fn named_by_grants(simulator: &Simulator) -> BTreeSet<(Table, String)> {
    let recorded = read_all(connector(simulator)).await.unwrap();
    let mut ids = BTreeSet::new();
    for added in &recorded.added {
        let id = added.resource.id.clone().unwrap();
        let on = resource_id(&id.resource_type, &id.resource);
        let entitlement = EntitlementId::of(&on, &added.slug);
        ids.insert((Table::Entitlements, entitlement.into_string()));
        let resource = format!("{}:{}", id.resource_type, id.resource);
        ids.insert((Table::Resources, resource));
    }
    assert!(!ids.is_empty(), "the organization has no such roles");
    ids
}

/// The findings of one check; all others pass.
fn findings(results: Vec<CheckResult>, name: &str) -> Vec<String> {
    assert!(results.len() > 20, "{results:#?}");
    let mut findings = Vec::new();
    for check in results {
        match check.verdict {
            Verdict::Fail(found) if check.name == name => findings = found,
            Verdict::Pass => {}
            // Some accounts of the simulator have no name.
            Verdict::Note(_) if check.name == "resources have names" => {}
            other => panic!("{}: {other:#?}", check.name),
        }
    }
    findings
}

#[tokio::test(start_paused = true)]
async fn the_connector_conforms_in_this_process() {
    let results = conformance(connector(&simulator(spec(60, 12)))).await;
    assert!(findings(results, "").is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_connector_conforms_over_grpc_except_for_roles_that_only_grants_name() {
    let simulator = simulator(spec(60, 12));
    let named = named_by_grants(&simulator).await;
    let results = conformance(over_grpc(connector(&simulator))).await;
    let findings = findings(results, "references lead to listed rows");
    assert!(!findings.is_empty());
    for finding in findings {
        let is_known = named.iter().any(|(table, id)| {
            *table == Table::Entitlements
                && finding.ends_with(&format!("is on `{id}`, which is not listed"))
        });
        assert!(is_known, "{finding}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_sync_over_grpc_lacks_only_what_only_grants_name() {
    let simulator = simulator(spec(60, 12));
    let named = named_by_grants(&simulator).await;
    let (here, ours) = sync_rows(connector(&simulator)).await.unwrap();
    let (there, theirs) = sync_rows(over_grpc(connector(&simulator))).await.unwrap();
    assert!(ours.len() > 100, "only {} rows", ours.len());
    assert_eq!(here.completeness, there.completeness);
    for (key, row) in &ours {
        match theirs.get(key) {
            Some(other) => assert_eq!(row, other, "{key:?}"),
            None => assert!(named.contains(key), "{key:?} is missing over gRPC"),
        }
    }
    assert!(theirs.keys().all(|key| ours.contains_key(key)));
}

/// An organization whose lists have all roles and workspaces that are granted.
fn plain() -> OrganizationSpec {
    OrganizationSpec {
        odd_data: false,
        roles_per_user: 0,
        ..spec(60, 12)
    }
}

#[tokio::test(start_paused = true)]
async fn everything_that_lists_have_is_the_same_over_grpc() {
    let simulator = simulator(plain());
    let (_, ours) = sync_rows(connector(&simulator)).await.unwrap();
    let (_, theirs) = sync_rows(over_grpc(connector(&simulator))).await.unwrap();
    assert!(ours.len() > 100, "only {} rows", ours.len());
    let differs = |key: &&(Table, String)| ours[*key] != theirs[*key];
    assert!(ours.keys().eq(theirs.keys()));
    let differ: Vec<_> = ours.keys().filter(differs).collect();
    assert!(differ.is_empty(), "{differ:?}");
    let results = conformance(over_grpc(connector(&simulator))).await;
    assert!(findings(results, "").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_user_of_two_directories_is_a_note_over_grpc() {
    let answers = Answers {
        user_per_directory: true,
        ..Answers::default()
    };
    let simulator = simulate(Config {
        organization: plain(),
        answers,
        ..Config::default()
    });
    assert!(findings(conformance(connector(&simulator)).await, "").is_empty());
    let results = conformance(over_grpc(connector(&simulator))).await;
    let unique = results.iter().find(|check| check.name == "ids are unique");
    let verdict = unique.unwrap().verdict.clone();
    assert!(matches!(verdict, Verdict::Note(_)), "{verdict:?}");
}
