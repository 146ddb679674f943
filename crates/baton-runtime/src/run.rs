//! From the command line to the exit code.
//!
//! The order of steps is part of the contract (connector CLI specification, §2.2 and §5.2):
//! unknown commands and malformed flags first, then help and version, then what must be set, then
//! values, and only then anything that touches files or the network.

use std::ffi::OsStr;
use std::io::Write;
use std::sync::Arc;

use baton_connector::Call;
use baton_proto::c1::connector::v2::ConnectorCapabilities;
use baton_proto::{any, json};
use baton_term::{Block, TextGate};
use tokio_util::sync::CancellationToken;
use tracing::Dispatch;

use crate::app::{App, Built, Surroundings};
use crate::args::{self, CommandLine, Invoked};
use crate::companion::Place;
use crate::error::{Error, Result};
use crate::exit::ExitStatus;
use crate::flags::{DefaultLogFormat, name};
use crate::log::{Failure, Logging};
use crate::preflight;
use crate::program::{CommandId, CommandShape, Program};
use crate::run_files::{self, Inputs, Output};
use crate::session::Session;
use crate::signals::{Ended, Words, supervise};
use crate::storage_env::StorageEnv;
use crate::terminal::Stderr;
use crate::world::World;
use crate::{completion, help, panics, schema, unsupported};
use baton_flags::config::{self, Config, Origin};
use baton_flags::config_file::{self, ConfigFile};
use baton_flags::relation;
use baton_flags::sources::{self, Settled, Sources};

/// Threads that drive requests; everything slow runs elsewhere.
const WORKER_THREADS: usize = 2;

/// Threads that a run needs at least: those above, and some for files and name look-ups.
const NEEDED_THREADS: usize = WORKER_THREADS + 2;

/// File handles that a run needs besides its standard streams: for the async runtime and signals,
/// the lock, the log, the target, the files of a sort, and a few connections.
const NEEDED_HANDLES: usize = 24;

/// Runs the program in this process and gives the exit code to return from `main`.
pub fn main(app: &App) -> std::process::ExitCode {
    allow_open_files();
    match World::of_process() {
        Ok(world) => {
            panics::silence(&world.env);
            run(app, world).into()
        }
        Err(error) => {
            let stderr = Stderr::new(Box::new(std::io::stderr()), false, false);
            fail(&stderr, &error).into()
        }
    }
}

/// Takes all the file handles that the system grants to those who ask: each request in flight
/// needs one, and the usual number is meant for programs that do not know how many they open.
#[cfg(unix)]
fn allow_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let maximum = getrlimit(Resource::Nofile).maximum;
    let granted = Rlimit {
        current: maximum,
        maximum,
    };
    // Where the system refuses, its usual number has to do.
    let _ = setrlimit(Resource::Nofile, granted);
}

#[cfg(not(unix))]
fn allow_open_files() {}

/// Runs the program in the given surroundings.
pub fn run(app: &App, mut world: World) -> ExitStatus {
    let stderr = world.stderr.clone();
    match panics::guard("reading the settings", || start(app, &mut world)) {
        Ok(Next::Done(status)) => status,
        Ok(Next::Print(text)) => match print(&mut *world.stdout, &text) {
            Ok(()) => ExitStatus::Success,
            Err(error) => fail(&stderr, &error),
        },
        Ok(Next::Work(work)) => {
            let ran = panics::guard("running the program", || Ok(work.run(app, world)));
            ran.unwrap_or_else(|error| fail(&stderr, &error))
        }
        Err(error) => fail(&stderr, &error),
    }
}

fn fail(stderr: &Stderr, error: &Error) -> ExitStatus {
    stderr.print(&error.block());
    ExitStatus::Failed(error.code())
}

/// A reader that went away early is no failure of ours.
fn print(stdout: &mut dyn Write, text: &[u8]) -> Result<()> {
    match stdout.write_all(text).and_then(|()| stdout.flush()) {
        Err(source) if source.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::Stdout { source })
        }
        _ => Ok(()),
    }
}

/// What is left to do after the command line was understood.
enum Next {
    Done(ExitStatus),
    Print(Vec<u8>),
    Work(Box<Work>),
}

/// What to do with a connector.
enum Task {
    Sync,
    Capabilities,
    Extra(usize),
}

impl Task {
    /// What is being done, for the report of a panic.
    fn doing(&self, app: &App, config: &Config) -> String {
        match self {
            Self::Sync if config.bool(name::DIFF_SYNCS) => "comparing syncs".to_owned(),
            Self::Sync if config.bool(name::COMPACT_SYNCS) => "compacting syncs".to_owned(),
            Self::Sync => "syncing".to_owned(),
            Self::Capabilities => "reading the connector's capabilities".to_owned(),
            Self::Extra(index) => {
                let command = app.commands.get(*index).map_or("", |command| command.name);
                format!("running the command `{command}`")
            }
        }
    }
}

struct Work {
    task: Task,
    config: Config,
    storage: StorageEnv,
    inputs: Inputs,
    dispatch: Dispatch,
    log_failure: Failure,
    summary_in_log: bool,
}

fn start(app: &App, world: &mut World) -> Result<Next> {
    let terminal = world.stderr.is_terminal();
    let format = if terminal {
        DefaultLogFormat::Console
    } else {
        DefaultLogFormat::Json
    };
    let program = app.program(format);
    program.check()?;
    if let Some(named) = sources::variable(&world.env, config_file::PATH_VARIABLE)? {
        config_file::check_extension(named)?;
    }
    let line = args::parse(&program, &world.args)?;
    let shape = shape_of(&program, &line.invoked);
    sources::check_flags(&line.values, &program.fields_of(shape))?;
    if line.help {
        return Ok(Next::Print(
            help_for(&program, shape, &line.invoked).into_bytes(),
        ));
    }
    if line.version {
        return Ok(Next::Print(
            format!("{} version {}\n", app.name, app.version).into_bytes(),
        ));
    }
    let task = match &line.invoked {
        Invoked::Root => Task::Sync,
        Invoked::Command(CommandId::Capabilities) => Task::Capabilities,
        Invoked::Command(CommandId::Extra(index)) => Task::Extra(*index),
        Invoked::Command(CommandId::Config) => {
            return schema::print(&program, &app.presentation)
                .map(|text| Next::Print(text.into_bytes()));
        }
        Invoked::Command(CommandId::Completion) => {
            return Ok(Next::Print(
                help_for(&program, shape, &line.invoked).into_bytes(),
            ));
        }
        Invoked::Command(CommandId::Help) => return Ok(explain(&program, &line, &world.stderr)),
        Invoked::Shell {
            shell,
            descriptions,
        } => {
            return Ok(Next::Print(completion::script(
                &program,
                *shell,
                *descriptions,
            )));
        }
    };
    prepare(app, &program, shape, task, &line, world).map(|work| Next::Work(Box::new(work)))
}

fn shape_of<'a>(program: &'a Program, invoked: &Invoked) -> Option<&'a CommandShape> {
    let id = match invoked {
        Invoked::Root => return None,
        Invoked::Command(id) => *id,
        Invoked::Shell { .. } => CommandId::Completion,
    };
    program.commands.iter().find(|command| command.id == id)
}

fn help_for(program: &Program, shape: Option<&CommandShape>, invoked: &Invoked) -> String {
    match (shape, invoked) {
        (Some(shape), Invoked::Shell { shell, .. }) => help::shell(program, shape, *shell),
        (Some(shape), _) => help::command(program, shape),
        (None, _) => help::root(program),
    }
}

/// `help [command]`. An unknown topic is complained about, with the root's help, and is no failure.
fn explain(program: &Program, line: &CommandLine, stderr: &Stderr) -> Next {
    let Some(topic) = line.words.first() else {
        return Next::Print(help::root(program).into_bytes());
    };
    if let Some(shape) = program.command(topic) {
        return Next::Print(help::command(program, shape).into_bytes());
    }
    let mut block = Block::new();
    block.line(format!("unknown help topic `{topic}`"));
    block.line("").laid_out(help::root(program).trim_end());
    stderr.print(&block);
    Next::Done(ExitStatus::Success)
}

/// Settles the values and makes both looks at them.
fn prepare(
    app: &App,
    program: &Program,
    shape: Option<&CommandShape>,
    task: Task,
    line: &CommandLine,
    world: &mut World,
) -> Result<Work> {
    let fields = program.fields_of(shape);
    let mut all = program.fields_of(None);
    all.extend(
        program
            .commands
            .iter()
            .flat_map(|command| &command.own_fields),
    );
    let file = sources::config_file(&world.env, &world.cwd, &all)?;
    unsupported::refuse_modes(&world.env, file.as_ref())?;
    let mut sources = Sources {
        values: &line.values,
        env: &world.env,
        file: file.as_ref(),
        cwd: &world.cwd,
        stdin: &mut *world.stdin,
    };
    let Settled {
        config,
        secret_files,
    } = sources::settle(&mut sources, &fields)?;
    // Servers may echo them: from here on they are kept out of everything that people read.
    let own = app.commands.iter().flat_map(|command| &command.secrets);
    let secrets = config.secrets().chain(own.cloned());
    world.stderr.set_gate(TextGate::new(secrets));
    let mut unset: Vec<String> = fields
        .iter()
        .filter(|field| field.is_required() && !config.is_set(field.name))
        .map(|field| field.name.to_owned())
        .collect();
    if !unset.is_empty() {
        unset.sort_unstable();
        return Err(baton_flags::Error::RequiredFlags { names: unset }.into());
    }
    relation::check_set(&program.relations, &fields, &config)?;
    let problems = config::violations(&fields, &config);
    if !problems.is_empty() {
        return Err(baton_flags::Error::InvalidFields { problems }.into());
    }
    preflight::check_paths(&config)?;
    if matches!(task, Task::Sync | Task::Capabilities) {
        relation::check_values(&program.relations, &config)?;
    }
    let storage = StorageEnv::read(&world.env)?;
    let inputs = Inputs {
        config_file: file.as_ref().map(|file| file.path.clone()),
        secrets: secret_files,
    };
    let target = world.cwd.join(config.string(name::FILE));
    let temp_dir = preflight::temp_dir_of(&config, storage.temp_dir.as_deref(), &world.cwd);
    let output = match task {
        Task::Sync if config.bool(name::COMPACT_SYNCS) => Output::Compaction,
        // Other commands that take a file write a sync file to it.
        Task::Sync | Task::Extra(_) if config.get(name::FILE).is_some() => Output::Sync {
            target: &target,
            temp_dir: temp_dir.as_deref(),
        },
        Task::Sync | Task::Capabilities | Task::Extra(_) => Output::None,
    };
    run_files::compare(&config, &world.cwd, &inputs, output)?;
    let logging = Logging::new(
        &config,
        &world.cwd,
        &world.stderr,
        Arc::clone(&world.clock),
        app.name,
    )?;
    let log_failure = logging.stdout_failure();
    let asked_for_log = [name::LOG_LEVEL, name::LOG_FORMAT, name::LOG_PATH]
        .iter()
        .any(|flag| config.is_set(flag));
    let terminal = world.stderr.is_terminal();
    let dispatch = logging
        .with_display(terminal)
        .in_words(terminal && !asked_for_log)
        .dispatch();
    if let Some(file) = &file {
        tracing::dispatcher::with_default(&dispatch, || note_config_file(file));
    }
    let asked_for_json = config.get(name::LOG_FORMAT).is_some_and(|setting| {
        setting.origin != Origin::Default && config.string(name::LOG_FORMAT) == "json"
    });
    Ok(Work {
        task,
        config,
        storage,
        inputs,
        dispatch,
        log_failure,
        summary_in_log: asked_for_json,
    })
}

fn note_config_file(file: &ConfigFile) {
    tracing::debug!(path = %file.path.display(), "config file read");
    if !file.unknown.is_empty() {
        tracing::warn!(
            path = %file.path.display(),
            keys = file.unknown.join(", "),
            "keys of the config file that name no flag are ignored"
        );
    }
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
    fn run(self, app: &App, world: World) -> ExitStatus {
        let Self {
            task,
            config,
            storage,
            inputs,
            dispatch,
            log_failure,
            summary_in_log,
        } = self;
        let place = Place {
            exe: world.exe.clone(),
            search_path: world.env.get(OsStr::new("PATH")).cloned(),
            cwd: world.cwd.clone(),
        };
        let World {
            cwd,
            mut stdout,
            stderr,
            signals,
            clock,
            random,
            engine,
            ..
        } = world;
        let session = Session {
            program: app.name,
            version: app.version,
            tool: app.name.to_owned(),
            config,
            storage: Arc::new(storage),
            inputs,
            cwd: cwd.clone(),
            stderr: stderr.clone(),
            cancel: CancellationToken::new(),
            surroundings: Surroundings {
                clock,
                random,
                cwd,
                user_agent: format!("{}/{}", app.name, app.version),
            },
            engine,
            place,
            summary_in_log,
            brief: false,
        };
        let _log = tracing::dispatcher::set_default(&dispatch);
        let runtime = match async_runtime(dispatch) {
            Ok(runtime) => runtime,
            Err(error) => return fail(&stderr, &error),
        };
        let cancel = session.cancel.clone();
        let on_files = [name::DIFF_SYNCS, name::COMPACT_SYNCS];
        let words = if on_files.iter().any(|mode| session.config.bool(mode)) {
            Words::FILES
        } else {
            Words::SYNC
        };
        let ended = runtime.block_on(async {
            let listener = signals
                .listen()
                .map_err(|source| Error::Runtime { source })?;
            let doing = task.doing(app, &session.config);
            let work = perform(app, session, &task, &mut *stdout);
            let work = panics::guard_async(doing, work);
            Ok(supervise(work, listener, &cancel, &stderr, words).await)
        });
        // After a second signal, blocking tasks may still be at work; the process ends with them.
        runtime.shutdown_background();
        match ended {
            // What was done is done, but a log that was asked for is not whole.
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
                stderr.line(words.abandoned);
                signal.status()
            }
            Ok(Ended::Done(Err(error), _)) | Err(error) => fail(&stderr, &error),
        }
    }
}

async fn perform(
    app: &App,
    session: Session,
    task: &Task,
    stdout: &mut (dyn Write + Send),
) -> Result<ExitStatus> {
    match task {
        Task::Sync => {
            let target = session.cwd.join(session.config.string(name::FILE));
            if session.config.bool(name::DIFF_SYNCS) {
                session.check_settings()?;
                return session.diff(target).await;
            }
            if session.config.bool(name::COMPACT_SYNCS) {
                session.check_settings()?;
                return session.compact().await;
            }
            // Before the connector is made: a refusal must not depend on what it does.
            session.preflight(&target)?;
            let built = connect(app, &session)?;
            Ok(session.sync(built, &target).await?.status)
        }
        Task::Capabilities => {
            preflight::check_values(&session.config)?;
            let built = connect(app, &session)?;
            let metadata = built.connector.metadata(&Call::alone()).await?;
            let mut capabilities = metadata.capabilities.ok_or(Error::NoCapabilities)?;
            // Readers expect the key, also where there is nothing to say.
            capabilities.credential_details.get_or_insert_default();
            print(stdout, capabilities_json(&capabilities)?.as_bytes())?;
            Ok(ExitStatus::Success)
        }
        Task::Extra(index) => match app.commands.get(*index) {
            Some(command) => (command.body)(session).await,
            None => Err(baton_flags::Error::UnknownCommand {
                word: index.to_string(),
                root: app.name.to_owned(),
                similar: None,
            }
            .into()),
        },
    }
}

/// Makes the connector.
fn connect(app: &App, session: &Session) -> Result<Built> {
    panics::guard("setting up the connector", || {
        Ok((app.connect)(&session.config, &session.surroundings)?)
    })
}

/// The capabilities message, indented by two, without a line break at the end (§7.2).
fn capabilities_json(capabilities: &ConnectorCapabilities) -> Result<String> {
    let options = json::Options {
        indent: Some(2),
        ..json::Options::default()
    };
    json::to_string(&any::pack(capabilities), &options).map_err(|source| Error::Print {
        what: "the capabilities",
        source,
    })
}
