//! Asks slow work to end early.
//!
//! Work on files has many loops: sorting, merging, laying out, compressing,
//! decoding. The request travels with the thread ([`Stop::scope`]), so each of
//! them can look ([`check`]) without being handed anything, and none can be
//! forgotten by a caller. A thread that helps takes the request along
//! ([`Stop::current`]).

use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, Result};

thread_local! {
    static CURRENT: RefCell<Option<Stop>> = const { RefCell::new(None) };
}

/// A request to end slow work on files. Clones are one request. The work ends
/// at the next row or block; a file that is complete by then is put in its
/// place.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<Asked>);

/// Whether it was made.
#[derive(Debug, Default)]
struct Asked {
    now: AtomicBool,
    /// Looks until it is made; 0 if that does not depend on them.
    #[cfg(test)]
    looks: std::sync::atomic::AtomicU64,
}

/// Gives the thread back the request that it had before.
struct Before(Option<Stop>);

impl Drop for Before {
    fn drop(&mut self) {
        CURRENT.set(self.0.take());
    }
}

impl Stop {
    /// Has the work end.
    pub fn request(&self) {
        self.0.now.store(true, Ordering::Relaxed);
    }

    /// Whether the work is to end.
    pub fn is_requested(&self) -> bool {
        #[cfg(test)]
        self.count_look();
        self.0.now.load(Ordering::Relaxed)
    }

    /// A request that is made when it is looked at for the time `look`, the
    /// first being 1.
    #[cfg(test)]
    pub(crate) fn after(look: u64) -> Self {
        let stop = Self::default();
        stop.0.looks.store(look, Ordering::Relaxed);
        stop
    }

    #[cfg(test)]
    fn count_look(&self) {
        let looks = &self.0.looks;
        let one_less = |left: u64| left.checked_sub(1);
        if looks.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less) == Ok(1) {
            self.request();
        }
    }

    /// Does work that this request ends.
    pub fn scope<T>(&self, work: impl FnOnce() -> T) -> T {
        let _before = Before(CURRENT.replace(Some(self.clone())));
        work()
    }

    /// The request of the work that this thread does; outside of any work, one
    /// that is never made.
    pub fn current() -> Self {
        CURRENT.with_borrow(|current| current.clone().unwrap_or_default())
    }

    /// Does work that this request can stop. After a request, its failure is
    /// [`Error::Stopped`], wherever it was noticed.
    ///
    /// # Errors
    /// [`Error::Stopped`], and those of the work.
    pub fn during<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        match self.scope(work) {
            Err(_) if self.is_requested() => Err(Error::Stopped),
            done => done,
        }
    }
}

/// Whether the work of this thread is to end.
pub(crate) fn is_requested() -> bool {
    CURRENT.with_borrow(|current| current.as_ref().is_some_and(Stop::is_requested))
}

/// # Errors
/// [`Error::Stopped`] if the work of this thread is to end.
pub(crate) fn check() -> Result<()> {
    if is_requested() {
        return Err(Error::Stopped);
    }
    Ok(())
}

/// The same for writers and readers.
pub(crate) fn check_io() -> io::Result<()> {
    check().map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_counts_within_its_scope_alone() {
        let (outer, inner) = (Stop::default(), Stop::default());
        inner.request();
        outer.scope(|| {
            assert!(check().is_ok());
            inner.scope(|| assert!(matches!(check(), Err(Error::Stopped))));
            assert!(check().is_ok());
            outer.request();
            assert!(check_io().is_err());
        });
        assert!(check().is_ok());
    }

    #[test]
    fn a_thread_that_helps_takes_the_request_along() {
        let stop = Stop::default();
        let noticed = stop.scope(|| {
            let taken = Stop::current();
            stop.request();
            std::thread::spawn(move || taken.scope(is_requested)).join()
        });
        assert_eq!(noticed.ok(), Some(true));
    }

    #[test]
    fn a_failure_is_the_request_only_if_there_was_one() {
        let stop = Stop::default();
        let fails = || {
            Err::<(), _>(Error::io(
                "read",
                std::path::Path::new("x"),
                io::ErrorKind::Other.into(),
            ))
        };
        assert!(matches!(stop.during(fails), Err(Error::Io { .. })));
        stop.request();
        assert!(matches!(stop.during(fails), Err(Error::Stopped)));
        assert!(stop.during(|| Ok(())).is_ok());
    }
}
