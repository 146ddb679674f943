//! The program as a child process over TLS, with a simulator that serves on a port.

use std::sync::Arc;

use atlassian_sim::{ServerHandle, Simulator};
use baton_connector::Connector;
use baton_testkit::{as_child, conformance, sync_rows};
use tokio::net::TcpListener;

use crate::simulated::{simulator, spec};
use crate::transports::{all_pass, connector};

async fn served(simulator: &Simulator) -> (ServerHandle, Arc<dyn Connector>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = simulator.serve(listener).unwrap();
    let base = Simulator::base_url(server.address());
    let args = [
        "--access-token",
        simulator.access_token(),
        "--organization-id",
        simulator.organization_id(),
        "--base-url",
        &base,
    ];
    let program = env!("CARGO_BIN_EXE_baton-atlassian");
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    (server, as_child(program, &args, folder))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_conforms_and_gives_the_rows_of_this_process() {
    let simulator = simulator(spec(30, 6));
    let (_, ours) = sync_rows(connector(&simulator)).await.unwrap();
    let (_server, child) = served(&simulator).await;
    let (_, theirs) = sync_rows(Arc::clone(&child)).await.unwrap();
    assert!(ours.len() > 50, "only {} rows", ours.len());
    assert_eq!(ours, theirs);
    all_pass(conformance(child).await);
}
