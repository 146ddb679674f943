//! The connector in this process and behind gRPC, on the simulator: the rows are the
//! same, also those that only grants name ([`Page::added`](baton_connector::Page::added)).

use std::sync::Arc;

use atlassian_sim::{Answers, Config, OrganizationSpec, Simulator};
use baton_atlassian::Settings;
use baton_c1z::Table;
use baton_connector::http::{HttpParts, HttpSettings};
use baton_connector::{Connector, Secret, v2};
use baton_testkit::{CheckResult, Verdict, conformance, over_grpc, sync_rows};
use prost::Message as _;

use crate::simulated::{InProcess, simulate, simulator, spec};

pub(crate) fn connector(simulator: &Simulator) -> Arc<dyn Connector> {
    let key = Secret::new(simulator.access_token());
    let base = "http://simulated.test/admin";
    let settings = Settings::new(key, simulator.organization_id(), base).unwrap();
    let parts = HttpParts::new(Arc::new(InProcess(simulator.clone())), 1);
    let connector = baton_atlassian::connector(&settings, parts, HttpSettings::default());
    Arc::new(connector.unwrap())
}

/// Every check passes.
pub(crate) fn all_pass(results: Vec<CheckResult>) {
    assert!(results.len() > 20, "{results:#?}");
    for check in results {
        match check.verdict {
            Verdict::Pass => {}
            // Some accounts of the simulator have no name.
            Verdict::Note(_) if check.name == "resources have names" => {}
            other => panic!("{}: {other:#?}", check.name),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_connector_conforms_in_this_process() {
    all_pass(conformance(connector(&simulator(spec(60, 12)))).await);
}

#[tokio::test(start_paused = true)]
async fn the_connector_conforms_over_grpc() {
    all_pass(conformance(over_grpc(connector(&simulator(spec(60, 12))))).await);
}

/// Whether a row is an entitlement that no list has.
fn is_named_by_a_grant(table: Table, row: &[u8]) -> bool {
    table == Table::Entitlements && {
        let row = v2::Entitlement::decode(row).unwrap();
        row.description.contains("found in a grant")
    }
}

#[tokio::test(start_paused = true)]
async fn a_sync_over_grpc_writes_the_same_rows_byte_for_byte() {
    let simulator = simulator(spec(60, 12));
    let (here, ours) = sync_rows(connector(&simulator)).await.unwrap();
    let (there, theirs) = sync_rows(over_grpc(connector(&simulator))).await.unwrap();
    assert!(ours.len() > 100, "only {} rows", ours.len());
    let named = ours
        .iter()
        .filter(|((table, _), row)| is_named_by_a_grant(*table, row));
    assert!(named.count() > 0, "no grant is on a role that no list has");
    assert!(ours.keys().eq(theirs.keys()));
    let differs = |key: &&(Table, String)| ours[*key] != theirs[*key];
    let differ: Vec<_> = ours.keys().filter(differs).collect();
    assert!(differ.is_empty(), "{differ:?}");
    assert_eq!(here.completeness, there.completeness);
    assert_eq!(here.warnings, there.warnings);
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
    all_pass(conformance(connector(&simulator)).await);
    let results = conformance(over_grpc(connector(&simulator))).await;
    let unique = results.iter().find(|check| check.name == "ids are unique");
    let verdict = unique.unwrap().verdict.clone();
    assert!(matches!(verdict, Verdict::Note(_)), "{verdict:?}");
}
