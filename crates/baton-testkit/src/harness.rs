//! A connector program on a harness: a folder, an environment, a network, and
//! what each run leaves behind.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{Cursor, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use baton_connector::http::Transport;
use baton_connector::{Clock, SplitMix};
use baton_runtime::{App, Engine, ExitStatus, Process, Signal, Signals, Stderr};
use baton_sync::{Event, Observer, Phase, Report};
use tempfile::TempDir;
use tokio::sync::mpsc::Sender;

use crate::file::SyncFile;

/// 2026-01-02T03:04:05Z: when the first run of a harness begins.
const BEGIN_S: u64 = 1_767_323_045;

/// Stands still during a run; each run is an hour after the one before.
#[derive(Debug)]
struct FixedClock {
    run: u64,
}

impl Clock for FixedClock {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(BEGIN_S + 3600 * self.run)
    }
}

/// A stream that can be read back, and whose reader may go away.
#[derive(Clone, Default)]
struct Sink {
    written: Arc<Mutex<Vec<u8>>>,
    /// Lines after which nothing is taken any longer.
    lines: Option<usize>,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut all = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = all.split(|byte| *byte == b'\n').count() - 1;
        if self.lines.is_some_and(|most| lines >= most) {
            return Err(std::io::ErrorKind::BrokenPipe.into());
        }
        all.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Sink {
    fn text(&self) -> String {
        let all = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&all).into_owned()
    }
}

/// Asks the run to stop after some pages of a phase.
struct Interrupter {
    phase: Phase,
    /// Pages until then; none once it was asked.
    pages: Mutex<Option<u64>>,
    stop: Sender<Signal>,
    inner: Arc<dyn Observer>,
}

impl Observer for Interrupter {
    fn event(&self, event: &Event) {
        self.inner.event(event);
        if !matches!(event, Event::Page { phase, .. } if *phase == self.phase) {
            return;
        }
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        *pages = match *pages {
            Some(left @ 2..) => Some(left - 1),
            Some(_) => {
                // Once: a second signal would end the run wherever it is.
                let _ = self.stop.try_send(Signal::Terminate);
                None
            }
            None => None,
        };
    }

    fn run_began(&self, run: baton_connector::RunView) {
        self.inner.run_began(run);
    }
}

/// What one run left behind.
#[derive(Debug)]
pub struct Outcome {
    /// How it ended.
    pub status: ExitStatus,
    /// The engine's report, if a sync came to its end.
    pub report: Option<Report>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    folder: Arc<TempDir>,
    now: SystemTime,
}

impl Outcome {
    /// The file that the sync wrote.
    #[allow(clippy::panic, reason = "a panic is how a test fails")]
    pub fn file(&self) -> SyncFile {
        match &self.report {
            Some(report) => SyncFile::new(&report.path, &self.folder, self.now),
            None => panic!("no sync came to its end:\n{}", self.stderr),
        }
    }

    /// The first failure that was reported, without its label.
    pub fn error(&self) -> &str {
        let mut lines = self.stderr.lines();
        let found = lines.find_map(|line| line.strip_prefix("error: "));
        found.unwrap_or_default()
    }
}

/// A program with its surroundings. Each run takes place in paused time, in
/// which waits cost nothing, and in the same folder.
pub struct Harness {
    app: Box<dyn Fn() -> App>,
    dir: Arc<TempDir>,
    env: BTreeMap<OsString, OsString>,
    network: Option<Arc<dyn Transport>>,
    interrupt: Option<(Phase, u64)>,
    answer: Option<String>,
    stop_after: Option<Duration>,
    reads: Option<usize>,
    runs: u64,
}

impl std::fmt::Debug for Harness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Harness")
            .field("dir", &self.dir)
            .field("runs", &self.runs)
            .finish_non_exhaustive()
    }
}

impl Harness {
    /// A harness in an empty folder, with an empty environment and the network of
    /// the machine.
    #[allow(clippy::expect_used, reason = "a panic is how a test fails")]
    pub fn new(app: impl Fn() -> App + 'static) -> Self {
        Self {
            app: Box::new(app),
            dir: Arc::new(tempfile::tempdir().expect("a temporary folder")),
            env: BTreeMap::new(),
            network: None,
            interrupt: None,
            answer: None,
            stop_after: None,
            reads: None,
            runs: 0,
        }
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// Puts another network under the program, such as a [`crate::Script`].
    #[must_use]
    pub fn network(mut self, network: &(impl Transport + Clone + 'static)) -> Self {
        self.network = Some(Arc::new(network.clone()));
        self
    }

    /// The current folder of the program.
    pub fn folder(&self) -> &Path {
        self.dir.path()
    }

    /// Asks the next run to stop, as SIGTERM does, after so many pages of a
    /// phase.
    pub fn interrupt_after(&mut self, phase: Phase, pages: u64) -> &mut Self {
        self.interrupt = Some((phase, pages));
        self
    }

    /// Closes standard output of the next run once so many lines were written.
    pub fn close_stdout_after(&mut self, lines: usize) -> &mut Self {
        self.reads = Some(lines);
        self
    }

    /// Asks the next run to stop, as SIGTERM does, after so much time.
    pub fn stop_after(&mut self, time: Duration) -> &mut Self {
        self.stop_after = Some(time);
        self
    }

    /// Sits a person in front of the next run, who gives this answer to what the
    /// program asks.
    pub fn answer(&mut self, text: &str) -> &mut Self {
        self.answer = Some(format!("{text}\n"));
        self
    }

    /// Runs the program with these arguments.
    #[allow(clippy::expect_used, reason = "a panic is how a test fails")]
    pub fn run(&mut self, args: &[&str]) -> Outcome {
        let (mut stdout, stderr) = (Sink::default(), Sink::default());
        stdout.lines = self.reads.take();
        let (stop, signals) = tokio::sync::mpsc::channel(1);
        let report: Arc<Mutex<Option<Report>>> = Arc::default();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build();
        let runtime = runtime.expect("an async runtime");
        if let Some(time) = self.stop_after.take() {
            let stop = stop.clone();
            runtime.spawn(async move {
                tokio::time::sleep(time).await;
                let _ = stop.try_send(Signal::Terminate);
            });
        }
        let clock: Arc<dyn Clock> = Arc::new(FixedClock { run: self.runs });
        let process = Process {
            args: args.iter().map(Into::into).collect(),
            env: self.env.clone(),
            exe: None,
            columns: None,
            cwd: self.dir.path().to_path_buf(),
            asks: self.answer.is_some(),
            stdin: Box::new(Cursor::new(self.answer.take().unwrap_or_default())),
            inherited: baton_runtime::Inherited::default(),
            stdout: Box::new(stdout.clone()),
            stderr: Stderr::new(Box::new(stderr.clone()), false, false),
            signals: Signals::Given(signals),
            clock: Arc::clone(&clock),
            random: Arc::new(SplitMix::seeded(self.runs)),
            engine: engine(self.interrupt.take(), stop, &report),
            service_channel: None,
            transport: self.network.clone(),
            runtime: Some(runtime),
        };
        let status = baton_runtime::run(&(self.app)(), process);
        self.runs += 1;
        let report = report.lock().unwrap_or_else(PoisonError::into_inner).take();
        Outcome {
            status,
            report,
            stdout: stdout.text(),
            stderr: stderr.text(),
            folder: Arc::clone(&self.dir),
            now: clock.now(),
        }
    }
}

/// The real engine, which is interrupted and whose report is kept.
fn engine(
    interrupt: Option<(Phase, u64)>,
    stop: Sender<Signal>,
    report: &Arc<Mutex<Option<Report>>>,
) -> Engine {
    let report = Arc::clone(report);
    Arc::new(move |connector, request, mut host| {
        if let Some((phase, pages)) = interrupt {
            host.observer = Arc::new(Interrupter {
                phase,
                pages: Mutex::new(Some(pages)),
                stop: stop.clone(),
                inner: host.observer,
            });
        }
        let report = Arc::clone(&report);
        Box::pin(async move {
            let made = baton_sync::run(connector, request, host).await?;
            *report.lock().unwrap_or_else(PoisonError::into_inner) = Some(made.clone());
            Ok(made)
        })
    })
}
