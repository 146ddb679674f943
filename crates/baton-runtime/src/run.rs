//! From the command line to the exit code.
//!
//! The order of steps is part of the contract (connector CLI specification, §2.2 and §5.2):
//! unknown commands and malformed flags first, then help and version, then what must be set, then
//! values, and only then anything that touches files or the network.

use std::io::Write;

use baton_flags::builtin::{self, Printed};
use baton_flags::{Line, Program, args, config_file, help, sources};
use baton_term::Block;

use crate::app::App;
use crate::error::Result;
use crate::exit::ExitStatus;
use crate::flags::LogFormat;
use crate::inherited::Inherited;
use crate::output::{fail, print};
use crate::panics;
use crate::prepare::prepare;
use crate::process::Process;
use crate::task::{Owner, Runs};
use crate::terminal::Stderr;
use crate::work::Work;

/// Runs the program in this process and gives the exit code to return from `main`.
pub fn main(app: &App) -> std::process::ExitCode {
    // Before anything is opened.
    let inherited = Inherited::take();
    allow_open_files();
    match Process::current() {
        Ok(mut process) => {
            process.inherited = inherited;
            panics::silence(&process.env);
            run(app, process).into()
        }
        Err(error) => {
            let stderr = Stderr::new(Box::new(std::io::stderr()), false, false);
            fail(&stderr, &error).into()
        }
    }
}

/// Raises the number of open files to the maximum that the system grants: each request in flight
/// needs one.
#[cfg(unix)]
fn allow_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let maximum = getrlimit(Resource::Nofile).maximum;
    let granted = Rlimit {
        current: maximum,
        maximum,
    };
    // If the system refuses, the usual number stays.
    let _ = setrlimit(Resource::Nofile, granted);
}

#[cfg(not(unix))]
fn allow_open_files() {}

/// Runs the program in the given process.
pub fn run(app: &App, mut process: Process) -> ExitStatus {
    let stderr = process.stderr.clone();
    match panics::guard("reading the settings", || start(app, &mut process)) {
        Ok(Next::Print(printed)) => show(printed, &mut *process.stdout, &stderr),
        Ok(Next::Work(work)) => {
            let ran = panics::guard("running the program", || Ok(work.run(app, process)));
            ran.unwrap_or_else(|error| fail(&stderr, &error))
        }
        Err(error) => fail(&stderr, &error),
    }
}

/// Prints what a command about the command line has to show.
fn show(printed: Printed, stdout: &mut dyn Write, stderr: &Stderr) -> ExitStatus {
    // As in the Go programs this is not a failure.
    if let Some(unknown) = printed.unknown {
        let mut block = Block::new();
        block.line(format!("unknown help topic `{}`", unknown.word));
        block.line("").laid_out(unknown.help.trim_end());
        stderr.print(&block);
    }
    match print(stdout, &printed.out) {
        Ok(()) => ExitStatus::Success,
        Err(error) => fail(stderr, &error),
    }
}

/// What remains to do after the command line was parsed.
enum Next {
    Print(Printed),
    Work(Box<Work>),
}

fn start(app: &App, process: &mut Process) -> Result<Next> {
    let format = if process.stderr.is_terminal() {
        LogFormat::Console
    } else {
        LogFormat::Json
    };
    let program = app.program(format);
    program.check()?;
    if let Some(named) = sources::variable(&process.env, config_file::PATH_VARIABLE)? {
        config_file::check_extension(named)?;
    }
    let line = args::parse(&program, &process.args)?;
    let columns = process.columns.unwrap_or(help::USUAL_COLUMNS);
    if line.help {
        return Ok(Next::Print(builtin::help_of(&program, &line, columns)));
    }
    if line.version {
        return Ok(Next::Print(builtin::version_of(&program)));
    }
    follow(app, &program, &line, columns, process)
}

fn follow(
    app: &App,
    program: &Program<Runs>,
    line: &Line<'_, Runs>,
    columns: usize,
    process: &mut Process,
) -> Result<Next> {
    match &line.command().run {
        None => Ok(Next::Print(builtin::help_of(program, line, columns))),
        Some(Runs::BuiltIn(run)) => Ok(Next::Print(run(program, line, columns))),
        Some(Runs::Declared(run)) => {
            run(&app.presentation, program).map(|text| Next::Print(text.into()))
        }
        Some(Runs::Work(task)) => {
            let work = prepare(app, program, line, task.as_ref(), Owner::Program, process)?;
            Ok(Next::Work(Box::new(work)))
        }
        Some(Runs::Child(task)) => {
            let work = prepare(app, program, line, task.as_ref(), Owner::Parent, process)?;
            Ok(Next::Work(Box::new(work)))
        }
    }
}
