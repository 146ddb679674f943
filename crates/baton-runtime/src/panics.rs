//! A panic ends like every other failure: one error that names what the program was
//! doing, and exit code 13. Nothing continues with half-finished state.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use futures_util::FutureExt;

use crate::error::{Error, Result};
use baton_flags::Environment;

/// Turns on the message and the backtrace that panics print by themselves.
const BACKTRACE_VARIABLE: &str = "RUST_BACKTRACE";

/// Keeps panics from printing anything by themselves, unless the environment
/// requests a backtrace. For the whole process.
pub(crate) fn silence(env: &Environment) {
    let wanted = env.get(std::ffi::OsStr::new(BACKTRACE_VARIABLE));
    if wanted.is_none_or(|value| value.is_empty() || value == "0") {
        std::panic::set_hook(Box::new(|_| {}));
    }
}

/// The error of a panic; `doing` completes "internal error while …".
pub(crate) fn error(doing: impl Into<String>, payload: &(dyn Any + Send)) -> Error {
    baton_sync::Error::crashed(doing, payload).into()
}

/// Does `work`; a panic in it is an error.
pub(crate) fn guard<T>(doing: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| Err(error(doing, &*payload)))
}

/// Drives `work`; a panic in it is an error.
pub(crate) async fn guard_async<T>(
    doing: impl Into<String>,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    let done = AssertUnwindSafe(work).catch_unwind().await;
    done.unwrap_or_else(|payload| Err(error(doing, &*payload)))
}
