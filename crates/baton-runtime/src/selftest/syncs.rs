//! The syncs of a test: each into a file of its own, and one that is stopped and
//! resumed.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use baton_connector::{Code, Connector, RunView};
use baton_sync::{Event, Observer, Report, SyncHost, SyncRequest, Workers};
use tokio_util::sync::CancellationToken;

use super::rows::Rows;
use super::{MANY_WORKERS, SelfTest, Verdict};
use crate::error::Result;

/// Times that a sync is stopped and resumed.
const STOPS: u32 = 3;
/// What a sync may take beyond its limit before it is left alone.
const GRACE: Duration = Duration::from_mins(1);

/// Stops the run after some pages, and counts them.
struct Pages {
    seen: AtomicU64,
    stop_after: u64,
    stop: CancellationToken,
}

impl Observer for Pages {
    fn event(&self, event: &Event) {
        if matches!(event, Event::Page { .. })
            && self.seen.fetch_add(1, Ordering::Relaxed) + 1 == self.stop_after
        {
            self.stop.cancel();
        }
    }

    fn run_began(&self, _run: RunView) {}
}

/// How a sync that was to be stopped ended.
enum Stopped {
    Done(Box<Report>),
    Early,
    Failed(String),
}

impl SelfTest {
    fn target(&self, name: &str) -> PathBuf {
        self.folder.join(name).with_extension("c1z")
    }

    /// One sync into the file of that name, which resumes what an earlier
    /// one left. It is stopped after `stop_after` pages; 0 is never.
    pub(super) async fn sync(
        &self,
        name: &str,
        connector: Arc<dyn Connector>,
        workers: Workers,
        stop_after: u64,
    ) -> baton_sync::Result<(Report, u64)> {
        let mut request = SyncRequest::new(self.target(name));
        request.workers = workers;
        request.allow_partial = true;
        request.max_duration = Some(self.limit);
        request.content_facts.clone_from(&self.content_facts);
        let stop = self.cancel.child_token();
        let pages = Arc::new(Pages {
            seen: AtomicU64::new(0),
            stop_after,
            stop: stop.clone(),
        });
        let host = SyncHost {
            clock: Arc::clone(&self.clock),
            random: Arc::clone(&self.random),
            cancel: stop,
            observer: Arc::clone(&pages) as Arc<dyn Observer>,
        };
        let run = (self.engine)(connector, request, host);
        match tokio::time::timeout(self.limit.saturating_add(GRACE), run).await {
            Ok(report) => Ok((report?, pages.seen.load(Ordering::Relaxed))),
            Err(_) => Err(baton_sync::Error::Connector {
                doing: "sync within the time limit".to_owned(),
                source: baton_connector::Error::stated(
                    Code::DeadlineExceeded,
                    "a call to the connector does not end",
                ),
            }),
        }
    }

    /// Stops a sync after random pages and resumes it.
    pub(super) async fn resumed(&self, first: &Rows, pages: u64) -> Result<Verdict> {
        if pages < 2 {
            return Ok(Verdict::Skip("there is only one page"));
        }
        let many = Workers::AtMost(MANY_WORKERS);
        let mut stopped = 0;
        loop {
            let random = self.random.next_u64();
            let stop_after = match stopped {
                STOPS => 0,
                _ => 1 + random % (pages / u64::from(STOPS)).max(1),
            };
            let connector = Arc::clone(&self.connector);
            let outcome = self.sync("resumed", connector, many, stop_after).await;
            match self.unless_stopped_here(outcome)? {
                Stopped::Done(_) if stopped == 0 => {
                    return Ok(Verdict::Skip("a sync ends before it can be stopped"));
                }
                Stopped::Done(report) => {
                    return Ok(self.rows(&report.path).await?.compare(first));
                }
                Stopped::Early => stopped += 1,
                Stopped::Failed(found) => return Ok(Verdict::Fail(vec![found])),
            }
        }
    }

    fn unless_stopped_here(&self, outcome: baton_sync::Result<(Report, u64)>) -> Result<Stopped> {
        let early = matches!(&outcome, Err(error) if error.code() == Code::Canceled);
        Ok(match self.unless_stopped(outcome)? {
            Ok((report, _)) => Stopped::Done(Box::new(report)),
            Err(_) if early => Stopped::Early,
            Err(found) => Stopped::Failed(found),
        })
    }
}
