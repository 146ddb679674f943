//! The end of a run, as its work on files sees it. Calls to the connector
//! bring their own token along ([`baton_connector::Call::stop`]).

use std::future::Future;

use tokio_util::sync::CancellationToken;

tokio::task_local! {
    static RUN: CancellationToken;
}

/// Drives the run that `stop` ends.
pub(crate) async fn within<F: Future>(stop: CancellationToken, run: F) -> F::Output {
    RUN.scope(stop, run).await
}

/// Ends when the run is to stop; outside of a run never.
pub(crate) async fn stopped() {
    match RUN.try_with(Clone::clone) {
        Ok(token) => token.cancelled_owned().await,
        Err(_) => std::future::pending().await,
    }
}
