//! Settled work, and the async runtime that it runs in.

use std::ffi::{OsStr, OsString};
use std::sync::{Arc, Mutex};

use baton_connector::Secret;
use baton_connector::http::{NoObserver, SecretRegistry};
use baton_flags::Config;
use baton_otel::Otel;
use baton_term::TextGate;
use tokio_util::sync::CancellationToken;
use tracing::Dispatch;

use crate::app::App;
use crate::child_process::ChildProcesses;
use crate::connector_env::ConnectorEnv;
use crate::context::CommandContext;
use crate::error::{Error, Result};
use crate::exit::ExitStatus;
use crate::log::{DebugTee, Failure};
use crate::network;
use crate::output::fail;
use crate::panics;
use crate::process::Process;
use crate::resettle::Resettle;
use crate::run_files::Inputs;
use crate::service_env::ServiceEnv;
use crate::sibling::ProgramPlace;
use crate::signals::{Ended, supervise};
use crate::storage_env::StorageEnv;
use crate::task::Task;

/// Threads that drive requests; everything slow runs elsewhere.
const WORKER_THREADS: usize = 2;

/// Threads that a run needs at least: those above, and some for files and name look-ups.
const NEEDED_THREADS: usize = WORKER_THREADS + 2;

/// File handles that a run needs besides its standard streams: for the async runtime and signals,
/// the lock, the log, the target, the files of a sort, and a few connections.
const NEEDED_HANDLES: usize = 24;

/// Hides tokens behind the gate that the log and standard error share.
#[derive(Debug)]
struct Gated(TextGate);

impl SecretRegistry for Gated {
    fn register(&self, secret: &Secret) {
        self.0.learn(secret.expose());
    }
}

/// What is left to do once the settings are known.
pub(crate) struct Work {
    pub task: Task,
    /// Words after the command that are not flags.
    pub positionals: Vec<OsString>,
    pub config: Config,
    pub storage: StorageEnv,
    pub inputs: Inputs,
    pub dispatch: Dispatch,
    pub log_failure: Failure,
    pub summary_in_log: bool,
    pub service_env: ServiceEnv,
    pub resettle: Resettle,
    pub debug_log: DebugTee,
    pub otel: Option<Otel>,
}

/// Starts so many threads at once, to learn whether the system allows it: the async runtime would
/// panic.
fn probe_threads(count: usize) -> std::io::Result<()> {
    std::thread::scope(|scope| {
        let mut started = Vec::new();
        let mut refused = Ok(());
        for _ in 0..count {
            match std::thread::Builder::new().spawn_scoped(scope, std::thread::park) {
                Ok(thread) => started.push(thread),
                Err(error) => {
                    refused = Err(error);
                    break;
                }
            }
        }
        for thread in &started {
            thread.thread().unpark();
        }
        refused
    })
}

/// Opens so many file handles at once, to learn whether the system allows it: the async runtime
/// would panic.
fn probe_handles(count: usize) -> std::io::Result<()> {
    let (first, _) = std::io::pipe()?;
    let mut opened = Vec::new();
    for _ in 1..count {
        opened.push(first.try_clone()?);
    }
    Ok(())
}

/// The runtime whose threads all log where this run logs.
fn async_runtime(dispatch: Dispatch) -> Result<tokio::runtime::Runtime> {
    probe_threads(NEEDED_THREADS).map_err(|source| Error::Threads {
        needed: NEEDED_THREADS,
        source,
    })?;
    probe_handles(NEEDED_HANDLES).map_err(|source| Error::Handles {
        needed: NEEDED_HANDLES,
        source,
    })?;
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKER_THREADS)
        .enable_all()
        // Dropping the guard would undo the setting; the thread keeps it to its end.
        .on_thread_start(move || std::mem::forget(tracing::dispatcher::set_default(&dispatch)))
        .build()
        .map_err(|source| Error::Runtime { source })
}

impl Work {
    pub(crate) fn run(self, app: &App, process: Process) -> ExitStatus {
        let Self {
            task,
            positionals,
            config,
            storage,
            inputs,
            dispatch,
            log_failure,
            summary_in_log,
            service_env,
            resettle,
            debug_log,
            otel,
        } = self;
        let place = ProgramPlace {
            exe: process.exe.clone(),
            search_path: process.env.get(OsStr::new("PATH")).cloned(),
            cwd: process.cwd.clone(),
        };
        let Process {
            env,
            cwd,
            stdin,
            inherited,
            asks,
            stdout,
            stderr,
            signals,
            clock,
            random,
            engine,
            transport,
            service_channel,
            runtime,
            ..
        } = process;
        let network = network::settings(&env, &cwd);
        let child_processes = ChildProcesses::new(env, stderr.clone());
        let context = CommandContext {
            program: app.name,
            version: app.version,
            tool: app.name.to_owned(),
            config,
            storage: Arc::new(storage),
            inputs,
            cwd: cwd.clone(),
            stderr: stderr.clone(),
            cancel: CancellationToken::new(),
            connector_env: ConnectorEnv {
                clock,
                random,
                cwd,
                user_agent: format!("{}/{}", app.name, app.version),
                transport,
                network,
                secrets: Arc::new(Gated(stderr.gate())),
                traces: otel.as_ref().and_then(Otel::carrier),
                http_observer: Arc::new(NoObserver),
                child_processes: child_processes.clone(),
            },
            sends_requests: app.sends_requests,
            engine,
            place,
            connect: Arc::clone(&app.connect),
            announce: app.announce.clone(),
            asks_connector: app.asks_connector,
            unsigned_when: app.unsigned_when,
            positionals,
            stdout: Arc::new(Mutex::new(stdout)),
            stdin: Arc::new(Mutex::new(stdin)),
            inherited: Arc::new(Mutex::new(inherited)),
            asks,
            summary_in_log,
            brief: false,
            service_env,
            service_channel,
            meter: otel.as_ref().and_then(Otel::meter),
            resettle,
            debug_log,
            metrics: None,
            reload: Arc::default(),
        };
        let _log = tracing::dispatcher::set_default(&dispatch);
        let runtime = match runtime.map_or_else(|| async_runtime(dispatch), Ok) {
            Ok(runtime) => runtime,
            Err(error) => return fail(&stderr, &error),
        };
        let cancel = context.cancel.clone();
        let reload = task.lasts.then(|| Arc::clone(&context.reload));
        let Task {
            doing,
            stop_messages,
            body,
            ..
        } = task;
        let ended = runtime.block_on(async {
            let listener = signals
                .listen(reload.clone())
                .map_err(|source| Error::Runtime { source })?;
            let exporting = otel.map(Otel::start);
            let work = panics::guard_async(doing, body(context));
            let ended = supervise(work, listener, &cancel, &stderr, stop_messages).await;
            if !matches!(ended, Ended::Abandoned(_)) {
                child_processes.wait().await;
                if let Some(exporting) = exporting {
                    exporting.shutdown().await;
                }
            }
            Ok(ended)
        });
        // After a second signal, blocking tasks may still be at work; the process ends with them.
        runtime.shutdown_background();
        match ended {
            // The work is done, but the requested log is not complete.
            Ok(Ended::Done(Ok(status), _)) => match log_failure.take() {
                Some(source) if status == ExitStatus::Success => {
                    fail(&stderr, &Error::Stdout { source })
                }
                _ => status,
            },
            Ok(Ended::Done(Err(error), Some(signal)))
                if error.code() == baton_proto::Code::Canceled =>
            {
                let mut line = error.to_string();
                for hint in error.hints() {
                    line.push_str("; ");
                    line.push_str(&hint);
                }
                stderr.line(&line);
                signal.status()
            }
            Ok(Ended::Abandoned(signal)) => {
                stderr.line(stop_messages.abandoned);
                signal.status()
            }
            Ok(Ended::Done(Err(error), _)) | Err(error) => fail(&stderr, &error),
        }
    }
}
