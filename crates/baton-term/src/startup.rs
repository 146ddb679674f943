//! Whether standard output was open when the process began.
//!
//! The standard library opens `/dev/null` in place of a standard stream that
//! is closed, before `main`, so that no file gets its number. Data would then
//! be lost without an error. So this is looked at even earlier.

use std::sync::atomic::{AtomicBool, Ordering};

/// Written once, before `main`.
static STDOUT_WAS_CLOSED: AtomicBool = AtomicBool::new(false);

/// Whether standard output was closed when the process began. Always false
/// where this is not known (other platforms than Linux and the BSDs).
pub fn stdout_was_closed() -> bool {
    STDOUT_WAS_CLOSED.load(Ordering::Relaxed)
}

#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
mod early {
    use super::{Ordering, STDOUT_WAS_CLOSED};

    extern "C" fn look() {
        // Reading the flags of a descriptor only shows whether it is open.
        let is_open = rustix::io::fcntl_getfd(rustix::stdio::stdout()).is_ok();
        STDOUT_WAS_CLOSED.store(!is_open, Ordering::Relaxed);
    }

    #[used]
    #[allow(
        unsafe_code,
        reason = "the one place that runs before `main`: the loader calls the functions of this \
                  section with the C ABI; the function allocates nothing, cannot panic and needs \
                  nothing of the standard library's runtime"
    )]
    #[unsafe(link_section = ".init_array")]
    static LOOK: extern "C" fn() = look;
}
