//! What a connector needs of the process if it is another program that this one
//! starts: the environment without this program's own mode, and a place for the
//! lines that the other writes.

use std::ffi::{OsStr, OsString};
use std::time::Duration;

use baton_flags::{Config, Environment};
use baton_term::Block;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::flags;
use crate::mode::Mode;
use crate::otel;
use crate::terminal::Stderr;

/// How long other programs may take to end: they bring writes to their end for up to
/// 25 s.
const TO_END: Duration = Duration::from_secs(32);

/// What another program is started with.
#[derive(Clone)]
#[non_exhaustive]
pub struct ChildProcesses {
    environment: Environment,
    stderr: Stderr,
    ending: TaskTracker,
}

impl ChildProcesses {
    pub(crate) fn new(environment: Environment, stderr: Stderr) -> Self {
        Self {
            environment,
            stderr,
            ending: TaskTracker::new(),
        }
    }

    /// Where to spawn what completes when another program has ended: this process ends
    /// only then, or after half a minute.
    pub fn ending(&self) -> TaskTracker {
        self.ending.clone()
    }

    /// Waits until all have ended.
    pub(crate) async fn wait(&self) {
        self.ending.close();
        if timeout(TO_END, self.ending.wait()).await.is_err() {
            tracing::warn!("a program that this one started does not end");
        }
    }

    /// The environment of a program that is to serve what this run needs: without the
    /// variables that choose a mode, and with those that turn on the services of the
    /// mode that `config` chooses.
    pub fn environment(&self, config: &Config) -> Vec<(OsString, OsString)> {
        let served = Mode::of(config).served();
        let mut environment = self.environment.clone();
        for field in flags::of_modes() {
            for variable in field.variables() {
                environment.remove(OsStr::new(&variable));
            }
        }
        let mut turn_on = |wanted: bool, field: &baton_flags::AnyField| {
            if wanted {
                environment.insert(field.env_name().into(), "true".into());
            }
        };
        turn_on(served.provisioning, &flags::PROVISIONING.any());
        turn_on(served.ticketing, &flags::TICKETING.any());
        environment.extend(otel::given(config));
        environment.into_iter().collect()
    }

    /// Shows a line that the program `name` wrote.
    pub fn show(&self, name: &str, line: &str) {
        let mut block = Block::new();
        block.line(format!("{name}: {line}"));
        self.stderr.print(&block);
    }
}

impl std::fmt::Debug for ChildProcesses {
    /// Without the environment, which may hold secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChildProcesses").finish_non_exhaustive()
    }
}
