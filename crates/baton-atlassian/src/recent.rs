//! Which grants were changed a moment ago. Changes show with a delay, so a read
//! may not have them yet: where the last change was another one, what the read
//! finds "as wanted already" may be how things were before, and the write is sent
//! all the same.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use baton_connector::Error;
use tokio::time::Instant;

use crate::api::Direction;

/// How long it takes at most until a change shows.
const SHOWS_AFTER: Duration = Duration::from_secs(30);

/// Changed grants by their ids, for as long as they matter.
#[derive(Debug, Default)]
pub(crate) struct Recent(Mutex<HashMap<String, Changed>>);

#[derive(Debug, Clone, Copy)]
struct Changed {
    /// The last change; `None` if it is not known which was made.
    last: Option<Direction>,
    shows: Instant,
}

impl Recent {
    /// When reads can be trusted to show what such a change must know of the
    /// grant; `None` if they do now.
    pub fn until(&self, grant_id: &str, direction: Direction) -> Option<Instant> {
        let changed = self.lock().get(grant_id).copied()?;
        let is_open = changed.shows > Instant::now() && changed.last != Some(direction);
        is_open.then_some(changed.shows)
    }

    /// What a write of this grant calls when it was sent.
    pub fn noting(
        self: &Arc<Self>,
        grant_id: &str,
        direction: Direction,
    ) -> impl Fn(Option<&Error>) + Send + Sync + use<> {
        let (recent, grant_id) = (Arc::clone(self), grant_id.to_owned());
        move |error| match error {
            None => recent.note(&grant_id, Some(direction)),
            Some(error) if error.leaves_outcome_open() => recent.note(&grant_id, None),
            // It was refused: nothing is different.
            Some(_) => {}
        }
    }

    fn note(&self, grant_id: &str, last: Option<Direction>) {
        let now = Instant::now();
        let shows = now + SHOWS_AFTER;
        let mut changed = self.lock();
        changed.retain(|_, changed| changed.shows > now);
        changed.insert(grant_id.to_owned(), Changed { last, shows });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Changed>> {
        // The map is whole whatever happened to a thread that held it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use baton_proto::Code;

    const GRANT: Direction = Direction::Assign;
    const REVOKE: Direction = Direction::Revoke;

    #[tokio::test(start_paused = true)]
    async fn a_read_after_another_change_is_not_trusted_for_30_seconds() {
        let recent = Arc::new(Recent::default());
        let trusted = |direction| recent.until("g", direction).is_none();
        assert!(trusted(GRANT) && trusted(REVOKE));
        recent.noting("g", GRANT)(None);
        assert!(trusted(GRANT) && !trusted(REVOKE));
        assert!(recent.until("h", REVOKE).is_none());
        tokio::time::sleep(Duration::from_secs(20)).await;
        recent.noting("g", REVOKE)(None);
        tokio::time::sleep(Duration::from_secs(20)).await;
        assert!(!trusted(GRANT) && trusted(REVOKE));
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert!(trusted(GRANT) && trusted(REVOKE));
    }

    #[test]
    fn a_refused_write_changes_nothing() {
        let recent = Arc::new(Recent::default());
        let refused = Error::stated(Code::PermissionDenied, "no");
        recent.noting("g", GRANT)(Some(&refused));
        assert!(recent.until("g", REVOKE).is_none());
    }
}
