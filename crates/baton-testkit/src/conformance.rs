//! The checks of `selftest`, of a connector in the process of a test.

use std::sync::Arc;

use baton_connector::{Connector, SplitMix, SystemClock};
use baton_runtime::{CheckResult, SelfTest};

/// Makes all checks that a connector program makes with `selftest`. The connector
/// may be in this process, or behind gRPC. It is only read.
///
/// ```no_run
/// # async fn test(connector: std::sync::Arc<dyn baton_connector::Connector>) {
/// let results = baton_testkit::conformance(connector).await;
/// assert!(!results.iter().any(|check| check.failed()), "{results:#?}");
/// # }
/// ```
#[allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a panic is how a test fails"
)]
pub async fn conformance(connector: Arc<dyn Connector>) -> Vec<CheckResult> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let random = Arc::new(SplitMix::seeded(1));
    let test = SelfTest::new(connector, folder.path(), Arc::new(SystemClock), random);
    match test.run().await {
        Ok(results) => results,
        Err(error) => panic!("the checks cannot be made: {error}"),
    }
}
