//! Describing values that were repaired or left out, counted over a run. An
//! answer to a request that was sent before counts in place of the earlier one.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use baton_connector::http::{InvalidValues, Request};
use baton_proto::figures::counted;

#[derive(Debug, Default)]
struct Found {
    /// By request, of those whose answer had any.
    counts: BTreeMap<u64, u64>,
    first: Option<String>,
}

/// What a run found odd in describing values.
#[derive(Debug, Default)]
pub(super) struct InvalidValueLog(Mutex<Found>);

impl InvalidValueLog {
    fn found(&self) -> MutexGuard<'_, Found> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of what the answer to a request had.
    pub(super) fn note(&self, invalid: &InvalidValues, request: &Request) {
        if invalid.count() == 0 {
            return;
        }
        let mut found = self.found();
        found.counts.insert(request.fingerprint(), invalid.count());
        let first = invalid.first();
        if found.first.is_none() {
            found.first = first.map(|first| format!("{first} (`{}`)", request.endpoint()));
        }
    }

    /// One sentence about all of them; `None` if there are none.
    pub(super) fn sentence(&self) -> Option<String> {
        let found = self.found();
        let first = found.first.as_deref()?;
        let number = found.counts.values().sum();
        let values = counted(
            number,
            "describing value could not be read as documented, and was repaired or left out",
            "describing values could not be read as documented, and were repaired or left out",
        );
        Some(format!("{values}; the first: {first}"))
    }
}
