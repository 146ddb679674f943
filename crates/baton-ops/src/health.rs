//! The health of something that is slow or costly to ask.
//!
//! Callers at the same time share one check, and its result is kept for a while. So
//! probes cause a bounded load, however many there are.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, timeout};

/// How long a result is kept.
const KEPT: Duration = Duration::from_secs(10);
/// The longest check.
const LIMIT: Duration = Duration::from_secs(30);
/// Callers that may wait for a check at the same time.
const MOST_WAITING: usize = 64;
/// The longest text of a failure, in bytes.
const LONGEST_TEXT: usize = 2048;

/// Whether the checked thing works; if not, why, for everyone who can send a probe.
pub type Verdict = Result<(), Unhealthy>;

/// A check: the error is a text without secrets.
pub type Check =
    Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> + Send + Sync>;

/// Why the checked thing does not work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unhealthy {
    /// The check failed with this text.
    Failed(String),
    /// The check was not made: too many callers wait.
    Busy,
}

/// A check that is made when it is asked for. Clones share it.
#[derive(Clone)]
pub struct Health(Arc<Inner>);

struct Inner {
    check: Check,
    waiting: Semaphore,
    /// The last check: under way, or with its result.
    last: Mutex<Option<watch::Receiver<Option<Checked>>>>,
}

#[derive(Debug, Clone)]
struct Checked {
    verdict: Verdict,
    at: Instant,
}

impl Health {
    /// The health that `check` finds. The check is ended after 30 s; a panic in it is a
    /// failure.
    pub fn new(check: Check) -> Self {
        Self(Arc::new(Inner {
            check,
            waiting: Semaphore::new(MOST_WAITING),
            last: Mutex::default(),
        }))
    }

    /// Forgets the kept result, for example because the checked thing was replaced. A
    /// check under way still answers its callers.
    pub fn forget(&self) {
        *self.lock() = None;
    }

    /// The kept result, or that of a check.
    pub async fn verdict(&self) -> Verdict {
        let mut checked = {
            let mut last = self.lock();
            match &*last {
                Some(checked) if is_current(checked) => checked.clone(),
                _ => {
                    let started = self.start();
                    *last = Some(started.clone());
                    started
                }
            }
        };
        let known = checked.borrow().as_ref().map(|known| known.verdict.clone());
        if let Some(verdict) = known {
            return verdict;
        }
        let Ok(_place) = self.0.waiting.try_acquire() else {
            return Err(Unhealthy::Busy);
        };
        // The check has this limit, too, but one that blocks its thread does not notice it.
        match timeout(LIMIT, checked.wait_for(Option::is_some)).await {
            Ok(Ok(checked)) => checked
                .as_ref()
                .map_or_else(|| Err(stopped()), |checked| checked.verdict.clone()),
            Ok(Err(_)) => Err(stopped()),
            Err(_) => Err(late()),
        }
    }

    /// Starts a check, which no caller can end by leaving.
    fn start(&self) -> watch::Receiver<Option<Checked>> {
        let (sender, receiver) = watch::channel(None);
        let check = Arc::clone(&self.0.check);
        tokio::spawn(async move {
            let work = async { check().await };
            let work = timeout(LIMIT, AssertUnwindSafe(work).catch_unwind());
            let verdict = match work.await {
                Ok(Ok(Ok(()))) => Ok(()),
                Ok(Ok(Err(text))) => Err(Unhealthy::Failed(cut(text))),
                Ok(Err(_)) => Err(Unhealthy::Failed("internal error".to_owned())),
                Err(_) => Err(late()),
            };
            let at = Instant::now();
            sender.send_replace(Some(Checked { verdict, at }));
        });
        receiver
    }

    fn lock(&self) -> MutexGuard<'_, Option<watch::Receiver<Option<Checked>>>> {
        // The value is whole at any time.
        self.0.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Health {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Health").finish_non_exhaustive()
    }
}

/// Whether a check is under way, or its result young enough.
fn is_current(checked: &watch::Receiver<Option<Checked>>) -> bool {
    match &*checked.borrow() {
        Some(checked) => checked.at.elapsed() < KEPT,
        // Without a sender, it was stopped.
        None => checked.has_changed().is_ok(),
    }
}

fn stopped() -> Unhealthy {
    Unhealthy::Failed("the check was stopped".to_owned())
}

fn late() -> Unhealthy {
    Unhealthy::Failed(format!("no answer within {} s", LIMIT.as_secs()))
}

/// The beginning of a long text.
fn cut(mut text: String) -> String {
    if text.len() > LONGEST_TEXT {
        text.truncate(text.floor_char_boundary(LONGEST_TEXT));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};
    use tokio::time::sleep;

    /// A health whose check takes a time, and the number of checks.
    fn counted(takes: Duration, result: Result<(), &str>) -> (Health, Arc<AtomicU32>) {
        let count = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&count);
        let result = result.map_err(ToOwned::to_owned);
        let check: Check = Arc::new(move || {
            counter.fetch_add(1, Ordering::Relaxed);
            let result = result.clone();
            Box::pin(async move {
                sleep(takes).await;
                result
            })
        });
        (Health::new(check), count)
    }

    fn failed(text: &str) -> Verdict {
        Err(Unhealthy::Failed(text.to_owned()))
    }

    #[tokio::test(start_paused = true)]
    async fn callers_share_a_check_and_its_result_is_kept_for_10_s() {
        let (health, count) = counted(Duration::from_secs(5), Ok(()));
        let callers = (0..50).map(|_| {
            let health = health.clone();
            tokio::spawn(async move { health.verdict().await })
        });
        for answer in futures_util::future::join_all(callers).await {
            assert_eq!(answer.unwrap(), Ok(()));
        }
        assert_eq!(count.load(Ordering::Relaxed), 1);
        sleep(Duration::from_millis(9_900)).await;
        assert_eq!(health.verdict().await, Ok(()));
        assert_eq!(count.load(Ordering::Relaxed), 1);
        sleep(Duration::from_millis(200)).await;
        assert_eq!(health.verdict().await, Ok(()));
        assert_eq!(count.load(Ordering::Relaxed), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_kept_too_until_it_is_forgotten() {
        let (health, count) = counted(Duration::ZERO, Err("refused"));
        for _ in 0..3 {
            assert_eq!(health.verdict().await, failed("refused"));
        }
        assert_eq!(count.load(Ordering::Relaxed), 1);
        health.forget();
        assert_eq!(health.verdict().await, failed("refused"));
        assert_eq!(count.load(Ordering::Relaxed), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_that_leaves_does_not_end_the_check() {
        let (health, count) = counted(Duration::from_secs(5), Ok(()));
        let leaves = tokio::time::timeout(Duration::from_secs(1), health.verdict());
        assert!(leaves.await.is_err());
        assert_eq!(health.verdict().await, Ok(()));
        assert_eq!(count.load(Ordering::Relaxed), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_check_that_hangs_ends_after_30_s() {
        let (health, count) = counted(Duration::from_hours(1), Ok(()));
        let began = Instant::now();
        assert_eq!(health.verdict().await, failed("no answer within 30 s"));
        assert_eq!(began.elapsed(), LIMIT);
        assert_eq!(health.verdict().await, failed("no answer within 30 s"));
        assert_eq!(count.load(Ordering::Relaxed), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_is_a_failure_wherever_it_happens() {
        let health = Health::new(Arc::new(|| panic!("early, with a secret")));
        assert_eq!(health.verdict().await, failed("internal error"));
        let health = Health::new(Arc::new(|| Box::pin(async { panic!("late") })));
        assert_eq!(health.verdict().await, failed("internal error"));
        health.forget();
        assert_eq!(health.verdict().await, failed("internal error"));
    }

    #[tokio::test(start_paused = true)]
    async fn more_callers_than_the_limit_are_answered_at_once() {
        let (health, count) = counted(Duration::from_secs(20), Ok(()));
        let callers: Vec<_> = (0..MOST_WAITING + 10)
            .map(|_| {
                let health = health.clone();
                tokio::spawn(async move { health.verdict().await })
            })
            .collect();
        let answers = futures_util::future::join_all(callers).await;
        let busy = answers
            .iter()
            .filter(|answer| *answer.as_ref().unwrap() == Err(Unhealthy::Busy));
        assert_eq!(busy.count(), 10);
        assert_eq!(count.load(Ordering::Relaxed), 1);
        // The places are free again.
        assert_eq!(health.verdict().await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_text_is_cut_between_characters() {
        let text = "ä".repeat(5_000);
        let (health, _) = counted(Duration::ZERO, Err(&text));
        let Err(Unhealthy::Failed(shown)) = health.verdict().await else {
            panic!("no failure");
        };
        assert_eq!(shown, format!("{}…", "ä".repeat(LONGEST_TEXT / 2)));
    }
}
