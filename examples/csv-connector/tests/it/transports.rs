//! The connector in this process and behind gRPC.

use std::path::Path;
use std::sync::Arc;

use baton_connector::{Connector, SplitMix};
use baton_testkit::{Verdict, conformance, over_grpc, sync_rows};

use crate::harness::root;

fn connector(folder: &Path) -> Arc<dyn Connector> {
    let built = baton_csv::connector(folder, Arc::new(SplitMix::seeded(1)));
    built.unwrap().connector
}

fn sample() -> Arc<dyn Connector> {
    connector(&root().join("sample"))
}

#[tokio::test(start_paused = true)]
async fn the_connector_conforms_in_this_process_and_over_grpc() {
    for (transport, connector) in [("none", sample()), ("gRPC", over_grpc(sample()))] {
        let results = conformance(connector).await;
        assert!(results.len() > 20, "{transport}: {results:#?}");
        for check in results {
            let is_fine = match check.verdict {
                Verdict::Pass => true,
                // The sample is small.
                Verdict::Skip(_) => [
                    "page tokens of other lists are refused",
                    "unknown resources are not found",
                ]
                .contains(&check.name),
                Verdict::Fail(_) | Verdict::Note(_) => false,
            };
            assert!(is_fine, "{transport}: {check:#?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_sync_over_grpc_gives_the_same_bytes() {
    let (_, here) = sync_rows(sample()).await.unwrap();
    let (_, there) = sync_rows(over_grpc(sample())).await.unwrap();
    assert!(here.len() > 20, "only {} rows", here.len());
    assert_eq!(here, there);
}
