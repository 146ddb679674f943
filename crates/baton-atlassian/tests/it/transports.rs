//! The connector in this process and behind gRPC, on the simulator.

use std::sync::Arc;

use atlassian_sim::Simulator;
use baton_atlassian::Settings;
use baton_connector::http::{HttpParts, HttpSettings};
use baton_connector::{Connector, Secret};
use baton_testkit::{CheckResult, Verdict, conformance, over_grpc, sync_rows};

use crate::simulated::{InProcess, simulator, spec};

fn connector(simulator: &Simulator) -> Arc<dyn Connector> {
    let key = Secret::new(simulator.access_token());
    let base = "http://simulated.test/admin";
    let settings = Settings::new(key, simulator.organization_id(), base).unwrap();
    let parts = HttpParts::new(Arc::new(InProcess(simulator.clone())), 1);
    let connector = baton_atlassian::connector(&settings, parts, HttpSettings::default());
    Arc::new(connector.unwrap())
}

fn passes(results: &[CheckResult]) {
    assert!(results.len() > 20, "{results:#?}");
    for check in results {
        let is_fine = matches!(check.verdict, Verdict::Pass | Verdict::Skip(_));
        assert!(is_fine, "{check:#?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_connector_conforms_in_this_process() {
    passes(&conformance(connector(&simulator(spec(60, 12)))).await);
}

#[tokio::test(start_paused = true)]
async fn the_connector_conforms_over_grpc() {
    let connector = connector(&simulator(spec(60, 12)));
    passes(&conformance(over_grpc(connector)).await);
}

#[tokio::test(start_paused = true)]
async fn a_sync_over_grpc_gives_the_same_bytes() {
    let simulator = simulator(spec(60, 12));
    let (here, ours) = sync_rows(connector(&simulator)).await.unwrap();
    let (there, theirs) = sync_rows(over_grpc(connector(&simulator))).await.unwrap();
    assert!(ours.len() > 100, "only {} rows", ours.len());
    assert_eq!(here.completeness, there.completeness);
    let differ: Vec<_> = ours
        .iter()
        .filter(|(id, row)| theirs.get(id) != Some(row))
        .collect();
    let further: Vec<_> = theirs.keys().filter(|id| !ours.contains_key(id)).collect();
    assert!(
        differ.is_empty() && further.is_empty(),
        "{differ:#?}\n{further:#?}"
    );
}
