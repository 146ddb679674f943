//! The end of a run, as the calls of that run see it.
//!
//! An engine wraps each call in [`within`]. Whatever waits inside, for a rate
//! limit or before a retry, then ends with [`error`] as soon as the run is to
//! stop; a request on the wire is brought to its end. The token belongs to the
//! call, not to the connector, so other runs of the same connector go on.

use std::future::Future;

use baton_proto::Code;
use tokio_util::sync::CancellationToken;

use crate::error::Error;

tokio::task_local! {
    static RUN: CancellationToken;
}

/// Drives a call of the run that `stop` ends.
pub async fn within<F: Future>(stop: CancellationToken, call: F) -> F::Output {
    RUN.scope(stop, call).await
}

/// The token of the run that this call is of, to be handed to a task that
/// works for it.
pub fn token() -> Option<CancellationToken> {
    RUN.try_with(Clone::clone).ok()
}

/// Whether the run is to stop. A call outside of a run never is.
pub fn is_stopping() -> bool {
    RUN.try_with(CancellationToken::is_cancelled)
        .unwrap_or(false)
}

/// Ends when the run is to stop; outside of a run never.
pub async fn stopped() {
    match token() {
        Some(token) => token.cancelled_owned().await,
        None => std::future::pending().await,
    }
}

/// Waits for `wait`, or ends with [`error`] when the run is to stop.
///
/// # Errors
/// The run is to stop.
pub async fn unless_stopped<F: Future>(wait: F) -> Result<F::Output, Error> {
    tokio::select! {
        biased;
        () = stopped() => Err(error()),
        done = wait => Ok(done),
    }
}

/// What a call ends with when it was waiting while its run was to stop.
pub fn error() -> Error {
    Error::stated(Code::Canceled, "the run is to stop")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_wait_ends_with_its_run_and_with_no_other() {
        let (mine, other) = (CancellationToken::new(), CancellationToken::new());
        let wait = || unless_stopped(tokio::time::sleep(Duration::from_hours(1)));
        let (stopped, goes_on, outside) = tokio::join!(
            within(mine.clone(), async { (wait().await, is_stopping()) }),
            within(other, wait()),
            async {
                tokio::time::sleep(Duration::from_secs(1)).await;
                mine.cancel();
                (wait().await, is_stopping())
            },
        );
        assert_eq!(stopped.0.map_err(|error| error.code()), Err(Code::Canceled));
        assert!(stopped.1);
        assert!(goes_on.is_ok());
        assert!(outside.0.is_ok() && !outside.1);
    }
}
