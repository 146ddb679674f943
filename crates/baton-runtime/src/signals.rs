//! What happens on SIGINT and SIGTERM.
//!
//! The first signal asks the run to stop: pages in flight are finished and kept, and the next run
//! resumes. The second one ends the program at once; what is on disk stays resumable.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use crate::exit::ExitStatus;
use crate::terminal::Stderr;

/// A request from outside to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Signal {
    /// SIGINT, or Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
    /// SIGHUP: settings are to be read again. A program that ends by itself does not hear
    /// it, and ends with the first of its process.
    Reload,
}

impl Signal {
    pub(crate) fn status(self) -> ExitStatus {
        match self {
            Self::Interrupt => ExitStatus::Interrupted,
            Self::Terminate => ExitStatus::Terminated,
            // It ends no program.
            Self::Reload => ExitStatus::Success,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Interrupt => "interrupted",
            Self::Terminate => "asked to terminate",
            Self::Reload => "asked to read the settings again",
        }
    }
}

/// Where signals come from.
#[derive(Debug)]
#[non_exhaustive]
pub enum Signals {
    /// The process's own signals.
    OfProcess,
    /// Given from outside, such as by a test.
    Given(mpsc::Receiver<Signal>),
}

impl Signals {
    /// Starts listening. Must be called within the async runtime.
    /// `reload` is notified of each [`Signal::Reload`]; without it the signal has its
    /// usual effect.
    pub(crate) fn listen(self, reload: Option<Arc<Notify>>) -> std::io::Result<Listener> {
        let signals = match self {
            Self::OfProcess => Source::of_process(reload.is_some())?,
            Self::Given(receiver) => Source::Given(receiver),
        };
        Ok(Listener { signals, reload })
    }
}

/// Signals as they arrive.
pub(crate) struct Listener {
    signals: Source,
    reload: Option<Arc<Notify>>,
}

impl Listener {
    /// The next signal to end; `None` when no more can come. Cancel safe.
    async fn next(&mut self) -> Option<Signal> {
        loop {
            match (self.signals.next().await?, &self.reload) {
                (Signal::Reload, Some(reload)) => reload.notify_one(),
                (Signal::Reload, None) => {}
                (signal, _) => return Some(signal),
            }
        }
    }
}

enum Source {
    #[cfg(unix)]
    OfProcess {
        interrupt: tokio::signal::unix::Signal,
        terminate: tokio::signal::unix::Signal,
        hangup: Option<tokio::signal::unix::Signal>,
    },
    #[cfg(not(unix))]
    OfProcess,
    Given(mpsc::Receiver<Signal>),
}

impl Source {
    #[cfg(unix)]
    fn of_process(hears_hangup: bool) -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let hangup = hears_hangup.then(|| signal(SignalKind::hangup()));
        Ok(Self::OfProcess {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: hangup.transpose()?,
        })
    }

    #[cfg(not(unix))]
    #[allow(clippy::unnecessary_wraps, reason = "the other platforms can fail")]
    fn of_process(_: bool) -> std::io::Result<Self> {
        Ok(Self::OfProcess)
    }

    /// The next signal; `None` when no more can come. Cancel safe.
    async fn next(&mut self) -> Option<Signal> {
        match self {
            #[cfg(unix)]
            Self::OfProcess {
                interrupt,
                terminate,
                hangup,
            } => {
                let hangup = async {
                    match hangup {
                        Some(hangup) => hangup.recv().await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    biased;
                    got = interrupt.recv() => got.map(|()| Signal::Interrupt),
                    got = terminate.recv() => got.map(|()| Signal::Terminate),
                    got = hangup => got.map(|()| Signal::Reload),
                }
            }
            #[cfg(not(unix))]
            Self::OfProcess => tokio::signal::ctrl_c()
                .await
                .ok()
                .map(|()| Signal::Interrupt),
            Self::Given(receiver) => receiver.recv().await,
        }
    }
}

/// How supervised work ended.
pub(crate) enum Ended<T> {
    /// By itself; with the signal that asked it to, if there was one.
    Done(T, Option<Signal>),
    /// By a second signal, wherever it was.
    Abandoned(Signal),
}

/// Messages after signals.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StopMessages {
    /// After the first.
    pub(crate) ending: &'static str,
    /// After the second.
    pub(crate) abandoned: &'static str,
}

impl StopMessages {
    /// Of a sync.
    pub(crate) const SYNC: Self = Self {
        ending: "finishing the requests in flight; a second signal stops at once",
        abandoned: "stopped at once; the next run resumes from the last stored page",
    };
    /// Of a change of access.
    pub(crate) const CHANGE: Self = Self {
        ending: "a write that was sent is brought to its end; a second signal stops at once",
        abandoned: "stopped at once; a write may have been sent: check whether the change was made",
    };
    /// Of reading events.
    pub(crate) const EVENTS: Self = Self {
        ending: "ending; a second signal stops at once",
        abandoned: "stopped at once; the last events may come again in the next run",
    };
    /// Of a service.
    pub(crate) const SERVICE: Self = Self {
        ending: "ending: writes that were sent get up to 25 s; a second signal stops at once",
        abandoned: "stopped at once; a write may have been sent: check whether the change was made",
    };
    /// Of work on files.
    pub(crate) const FILES: Self = Self {
        ending: "ending; a second signal stops at once",
        abandoned: "stopped at once; unfinished files may be left in the folder for temporary files",
    };
}

/// Drives `work` until it ends, cancelling it on the first signal and leaving it on the second.
pub(crate) async fn supervise<T>(
    work: impl Future<Output = T>,
    mut listener: Listener,
    cancel: &CancellationToken,
    stderr: &Stderr,
    messages: StopMessages,
) -> Ended<T> {
    tokio::pin!(work);
    let mut first = None;
    loop {
        tokio::select! {
            biased;
            done = &mut work => return Ended::Done(done, first),
            Some(signal) = listener.next() => {
                if first.is_some() {
                    return Ended::Abandoned(signal);
                }
                first = Some(signal);
                cancel.cancel();
                stderr.line(&format!("{}: {}", signal.word(), messages.ending));
            }
        }
    }
}
