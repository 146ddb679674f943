//! A connector program as a child process of the test.

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use baton_connector::{CallRetryPolicy, Connector, Retrying, SplitMix, SystemClock};
use baton_grpc::child::{Launch, child_connector};
use tokio_util::task::TaskTracker;

/// The connector of a program that is started at the first call, in `folder`, and
/// driven over TLS as `baton-drive` does it. It serves what changes access and tickets.
/// It ends when the connector is dropped. Needs real time.
///
/// `program` is usually `env!("CARGO_BIN_EXE_…")` of the test's own package.
pub fn as_child(program: &str, args: &[&str], folder: &Path) -> Arc<dyn Connector> {
    let (program, folder) = (OsString::from(program), folder.to_owned());
    let args: Vec<OsString> = args.iter().map(OsString::from).collect();
    let launch = move |credentials| {
        let mut launch = Launch::new(program.clone(), credentials);
        launch.args.clone_from(&args);
        launch.cwd = Some(folder.clone());
        let on = |name: &str| (OsString::from(name), OsString::from("true"));
        launch.env = vec![on("BATON_PROVISIONING"), on("BATON_TICKETING")];
        launch
    };
    let clock = Arc::new(SystemClock);
    let remote = child_connector("child", clock.clone(), TaskTracker::new(), None, launch);
    let random = Arc::new(SplitMix::seeded(1));
    let retrying = Retrying::new(remote, CallRetryPolicy::default(), clock, random);
    Arc::new(retrying)
}
