//! Prepares a run: reads and checks the settings, and opens the log.

use std::sync::Arc;

use baton_flags::sources::{self, Settled, Sources};
use baton_flags::{AUTH_METHOD, AnyField, Config, ConfigFile, Line, Program};
use baton_otel::Otel;
use baton_term::TextGate;

use crate::app::App;
use crate::error::Result;
use crate::extra::ExtraCommand;
use crate::flags::{self, LogFormat};
use crate::log::{DebugTee, Logging};
use crate::otel;
use crate::preflight;
use crate::process::Process;
use crate::resettle::Resettle;
use crate::run_files::{self, Inputs, Output};
use crate::service_env::ServiceEnv;
use crate::storage_env::StorageEnv;
use crate::task::{Owner, Runs, Task, Writes};
use crate::work::Work;

/// Reads and checks the values.
pub(crate) fn prepare(
    app: &App,
    program: &Program<Runs>,
    line: &Line<'_, Runs>,
    choose: &dyn Fn(&Config) -> Task,
    owner: Owner,
    process: &mut Process,
) -> Result<Work> {
    let fields = program.fields_of(&line.path);
    let (mut config, file, secrets) = settle(program, line, &fields, owner, process)?;
    // Servers may repeat them: from here on they are hidden in all texts for people.
    let own = app.commands.iter().flat_map(ExtraCommand::secrets);
    let secrets_of_run = config.secrets().chain(own);
    process.stderr.set_gate(TextGate::new(secrets_of_run));
    program.check_values(&line.path, &mut config)?;
    let task = choose(&config);
    let storage = StorageEnv::read(&process.env)?;
    let inputs = Inputs {
        config_file: file.as_ref().map(|file| file.path.clone()),
        secrets,
    };
    let temp_dir = preflight::temp_dir_of(&config, storage.temp_dir.as_deref(), &process.cwd);
    let output = match (task.writes, config.find(&flags::FILE)) {
        (Writes::Compaction, _) => Output::Compaction,
        (Writes::SyncFile, Some(target)) => Output::Sync {
            target,
            temp_dir: temp_dir.as_deref(),
        },
        (Writes::Nothing, _) | (Writes::SyncFile, None) => Output::None,
    };
    let log_paths = match owner {
        Owner::Program => {
            run_files::compare(&config, &process.cwd, &inputs, output)?;
            config.get(&flags::LOG_PATH)
        }
        Owner::Parent => &[],
    };
    let otel = otel::of(&config, (app.name, app.version), process)?;
    let debug_log = DebugTee::default();
    let logging = Logging::new(
        &config,
        log_paths,
        &process.cwd,
        &process.stderr,
        Arc::clone(&process.clock),
        app.name,
    )?;
    let log_failure = logging.stdout_failure();
    let asked_for_log = config.was_set(&flags::LOG_LEVEL)
        || config.was_set(&flags::LOG_FORMAT)
        || config.was_set(&flags::LOG_PATH);
    let terminal = process.stderr.is_terminal();
    let dispatch = logging
        .with_display(terminal && !task.lasts)
        .with_plain_lines(terminal && !asked_for_log && !task.lasts)
        .with_debug_log(&debug_log)
        .with_export(otel.as_ref().and_then(Otel::logs))
        .dispatch(otel.as_ref());
    if let Some(file) = &file {
        tracing::dispatcher::with_default(&dispatch, || note_config_file(file));
    }
    if app.groups.is_empty()
        && config
            .find(&AUTH_METHOD)
            .is_some_and(|name| !name.is_empty())
    {
        tracing::dispatcher::with_default(&dispatch, || {
            tracing::warn!("--auth-method has no effect: the connector has only one way to log in");
        });
    }
    let resettle = Resettle {
        fields: fields.iter().map(|field| **field).collect(),
        all: program.all_fields().into_iter().copied().collect(),
        values: line.values.clone(),
        env: process.env.clone(),
        cwd: process.cwd.clone(),
        first: config.clone(),
    };
    let summary_in_log = config.given(&flags::LOG_FORMAT) == Some(LogFormat::Json);
    Ok(Work {
        task,
        positionals: line.positionals.clone(),
        config,
        storage,
        inputs,
        dispatch,
        log_failure,
        summary_in_log,
        service_env: ServiceEnv::take(&mut process.env)?,
        resettle,
        debug_log,
        otel,
    })
}

/// The values, the config file and the files of secrets.
fn settle(
    program: &Program<Runs>,
    line: &Line<'_, Runs>,
    fields: &[&AnyField],
    owner: Owner,
    process: &mut Process,
) -> Result<(Config, Option<ConfigFile>, Vec<std::path::PathBuf>)> {
    let file = sources::config_file(&process.env, &process.cwd, &program.all_fields())?;
    let mut of_parent = StdinOfParent;
    let stdin: &mut dyn std::io::Read = match owner {
        Owner::Program => &mut *process.stdin,
        Owner::Parent => &mut of_parent,
    };
    let Settled {
        config,
        secret_files,
    } = {
        let below = sources::settings(&process.env, file.as_ref());
        let mut sources = Sources {
            values: &line.values,
            below: &below,
            cwd: &process.cwd,
            stdin,
        };
        sources::settle(&mut sources, fields)?
    };
    Ok((config, file, secret_files))
}

/// Standard input where it belongs to the parent process.
struct StdinOfParent;

impl std::io::Read for StdinOfParent {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        Err(std::io::Error::other(
            "standard input of a connector service belongs to its parent process",
        ))
    }
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
