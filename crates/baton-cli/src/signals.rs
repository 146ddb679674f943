//! Signals that ask a command to stop.
//!
//! A command that only shows something ends at once, as any filter does: its
//! temporary copies have no names. A command that writes a file stops its work
//! first and leaves no temporary file. A second signal ends it at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use baton_c1z::Stop;

/// A signal that asks for an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signal(i32);

impl Signal {
    /// Ctrl-C.
    pub const INTERRUPT: Self = Self(2);
    /// The usual request to end.
    pub const TERMINATE: Self = Self(15);

    /// The exit status of a process that ended for this signal: 128 and its
    /// number.
    pub fn exit_status(self) -> u8 {
        u8::try_from(128 + self.0).unwrap_or(crate::EXIT_UNKNOWN)
    }

    /// The signal's name.
    pub fn name(self) -> &'static str {
        match self.0 {
            2 => "SIGINT",
            15 => "SIGTERM",
            _ => "a signal",
        }
    }
}

/// Where signals come from.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Signals {
    /// The process's own signals, caught from the moment when a command
    /// begins to make a file.
    OfProcess,
    /// Given by the caller, such as a test.
    Given(Stopping),
}

/// A request to stop, and the signal that made it.
#[derive(Debug, Clone, Default)]
pub struct Stopping {
    stop: Stop,
    signal: Arc<AtomicI32>,
}

impl Stopping {
    /// Asks the work to stop.
    pub fn request(&self, signal: Signal) {
        // The number first: a thread that sees the request finds its reason.
        self.signal.store(signal.0, Ordering::SeqCst);
        self.stop.request();
    }

    /// The signal that asked for the stop, if one did.
    pub(crate) fn signal(&self) -> Option<Signal> {
        let number = self.signal.load(Ordering::SeqCst);
        (number != 0).then_some(Signal(number))
    }

    pub(crate) fn stop(&self) -> &Stop {
        &self.stop
    }
}

impl Signals {
    /// Catches signals from now on. Where the system refuses, they end the
    /// process as they would without us: the next start clears up.
    pub(crate) fn listen(&self) -> Stopping {
        match self {
            Self::Given(stopping) => stopping.clone(),
            Self::OfProcess => {
                let stopping = Stopping::default();
                catch(&stopping);
                stopping
            }
        }
    }
}

#[cfg(unix)]
#[expect(
    clippy::disallowed_methods,
    reason = "waits for signals as long as the process lives"
)]
fn catch(stopping: &Stopping) {
    use signal_hook::consts::{SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;

    let stopping = stopping.clone();
    let wait = move || {
        let Ok(mut signals) = Signals::new([SIGINT, SIGTERM]) else {
            return;
        };
        for number in signals.forever() {
            if stopping.stop.is_requested() {
                // The second one ends the process as if it had not been
                // caught. If that fails, the first one still counts.
                let _ = signal_hook::low_level::emulate_default_handler(number);
            }
            stopping.request(Signal(number));
        }
    };
    // Without a thread nothing is caught, as where the system refuses.
    let thread = std::thread::Builder::new().name("signals".to_owned());
    drop(thread.spawn(wait));
}

#[cfg(not(unix))]
fn catch(_: &Stopping) {}
