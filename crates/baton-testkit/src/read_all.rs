//! All lists of a connector, as an engine asks for them.

use std::sync::Arc;

use baton_connector::{Connector, SplitMix, SystemClock};
use baton_runtime::{Recorded, Recorder};
use baton_sync::{Silent, SyncHost, SyncRequest, Workers};
use tokio_util::sync::CancellationToken;

/// Asks a connector for every page of every list, one after the other, and
/// gives its rows as it gave them.
///
/// # Errors
/// What ends a sync of the connector.
#[allow(clippy::expect_used, reason = "a panic is how a test fails")]
pub async fn read_all(connector: Arc<dyn Connector>) -> baton_sync::Result<Recorded> {
    // In memory where that is possible: nothing of the file is kept.
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
    let folder = folder.expect("a temporary folder");
    let recorder = Arc::new(Recorder::new(connector));
    let mut request = SyncRequest::new(folder.path().join("sync.c1z"));
    request.workers = Workers::Sequential;
    request.allow_partial = true;
    let host = SyncHost {
        clock: Arc::new(SystemClock),
        random: Arc::new(SplitMix::seeded(0)),
        cancel: CancellationToken::new(),
        observer: Arc::new(Silent),
    };
    let recorded = Arc::clone(&recorder);
    baton_sync::run(recorder, request, host).await?;
    Ok(recorded.take())
}
