//! The process that a program runs in, as one value.
//!
//! Arguments, environment, current folder, streams, signals, clock and randomness are read from
//! the process here and nowhere else; a test passes its own.

use std::ffi::OsString;
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::io::{IsTerminal, Read, Write};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use baton_connector::http::Transport;
use baton_connector::{Clock, Connector, Random, SplitMix, SystemClock};
use baton_grpc::Channel;
use baton_sync::{Report, SyncHost, SyncRequest};
use baton_term::{StandardOutput, columns_of_stdout};

use crate::error::{Error, Result};
use crate::inherited::Inherited;
use crate::signals::Signals;
use crate::terminal::Stderr;
use baton_flags::Environment;

/// The sync engine: [`baton_sync::run`], or a substitute in tests.
pub type Engine = Arc<
    dyn Fn(
            Arc<dyn Connector>,
            SyncRequest,
            SyncHost,
        ) -> Pin<Box<dyn Future<Output = baton_sync::Result<Report>> + Send>>
        + Send
        + Sync,
>;

/// The real engine.
pub(crate) fn engine() -> Engine {
    Arc::new(|connector, request, host| Box::pin(baton_sync::run(connector, request, host)))
}

/// What one run of a program reads and writes.
pub struct Process {
    /// Arguments without the program's own name.
    pub args: Vec<OsString>,
    /// Environment variables.
    pub env: Environment,
    /// The file of the running program, if it is known.
    pub exe: Option<PathBuf>,
    /// Current folder; relative paths start here.
    pub cwd: PathBuf,
    /// Standard input.
    pub stdin: Box<dyn Read + Send>,
    /// Whether a person reads standard error and types into standard input, so that questions
    /// make sense.
    pub asks: bool,
    /// What the parent process passed besides the standard streams.
    pub inherited: Inherited,
    /// Standard output.
    pub stdout: Box<dyn Write + Send>,
    /// Standard error.
    pub stderr: Stderr,
    /// Columns of the terminal that help is shown on; `None` where it goes elsewhere.
    pub columns: Option<usize>,
    /// Where signals come from.
    pub signals: Signals,
    /// Wall clock.
    pub clock: Arc<dyn Clock>,
    /// Random source of ids and jitter.
    pub random: Arc<dyn Random>,
    /// What runs a sync.
    pub engine: Engine,
    /// The network of the connector's clients; `None` for that of the machine.
    pub transport: Option<Arc<dyn Transport>>,
    /// The way to ConductorOne in service mode; `None` for the network of the machine.
    pub service_channel: Option<Channel>,
    /// The async runtime to work in, such as one whose time is paused; `None` for one of its own.
    pub runtime: Option<tokio::runtime::Runtime>,
}

impl Process {
    /// The process that this program runs in.
    ///
    /// # Errors
    ///
    /// [`Error::CurrentFolder`] when there is no current folder.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the process"
    )]
    pub fn current() -> Result<Self> {
        let cwd = std::env::current_dir().map_err(|source| Error::CurrentFolder { source })?;
        let env: Environment = std::env::vars_os().collect();
        let stderr = std::io::stderr();
        let is_terminal = stderr.is_terminal();
        let no_colour = env
            .get(&OsString::from("NO_COLOR"))
            .is_some_and(|value| !value.is_empty());
        Ok(Self {
            args: std::env::args_os().skip(1).collect(),
            env,
            exe: std::env::current_exe().ok(),
            cwd,
            stdin: Box::new(std::io::stdin()),
            asks: is_terminal && std::io::stdin().is_terminal(),
            inherited: Inherited::default(),
            stdout: Box::new(StandardOutput::of_process()),
            stderr: Stderr::new(Box::new(stderr), is_terminal, !no_colour),
            columns: columns_of_stdout(),
            signals: Signals::OfProcess,
            clock: Arc::new(SystemClock),
            // The hasher's keys come from the system's random source.
            random: Arc::new(SplitMix::seeded(
                RandomState::new().hash_one(std::process::id()),
            )),
            engine: engine(),
            transport: None,
            service_channel: None,
            runtime: None,
        })
    }
}

impl std::fmt::Debug for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Arguments and environment may hold secrets.
        f.debug_struct("Process")
            .field("cwd", &self.cwd)
            .finish_non_exhaustive()
    }
}
