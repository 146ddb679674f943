//! Panics in calls to the connector become errors that state what was being
//! done. The run ends with that error, so nothing uses again what the panic
//! left half done.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;

use crate::error::Error;

/// Drives `work`; a panic in it is [`Error::Crashed`]. `doing` completes
/// "internal error while …".
pub(crate) async fn guard<T, E, D>(
    doing: impl FnOnce() -> D,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E>
where
    E: From<Error>,
    D: Into<String>,
{
    match AssertUnwindSafe(work).catch_unwind().await {
        Ok(result) => result,
        Err(payload) => Err(Error::crashed(doing(), &*payload).into()),
    }
}
