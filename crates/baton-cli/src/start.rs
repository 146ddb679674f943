//! From a parsed command line to a command at work.

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;

use baton_c1z::Use;
use baton_flags::sources::{self, Sources, no_settings};
use baton_flags::{Line, Program, args, builtin, help};

use crate::Process;
use crate::command::{
    Cmd, Cx, Given, NO_PAGER, OUTPUT_FORMAT, QUIET, Runs, Start, compare_files, empty_file,
};
use crate::error::CliError;
use crate::output::Output;
use crate::standard_input;
use crate::streams::OnFailure;

/// Runs the command line.
pub(crate) fn run(program: &Program<Runs>, run: &mut Start<'_, '_, '_>) -> Result<(), CliError> {
    program.check()?;
    let words = run.process.args.get(1..).unwrap_or_default();
    let line = args::parse(program, words)?;
    let columns = run.process.terminal.unwrap_or(help::USUAL_COLUMNS);
    let printed = if line.help {
        builtin::help_of(program, &line, columns)
    } else if line.version {
        builtin::version_of(program)
    } else {
        match line.command().run {
            Some(Runs::Work(work)) => return work(&given(program, &line)?, run),
            Some(Runs::BuiltIn(print)) => print(program, &line, columns),
            Some(Runs::Completion(print, with_values)) => {
                let mut printed = print(program, &line, columns);
                let script = String::from_utf8_lossy(&printed.out);
                printed.out = with_values(line.command().name, &script).into_bytes();
                printed
            }
            Some(Runs::Overview(work)) => match for_overview(program, &line, run.process)? {
                Some(given) => return work(&given, run),
                None => builtin::help_of(program, &line, columns),
            },
            None => builtin::help_of(program, &line, columns),
        }
    };
    if let Some(unknown) = printed.unknown {
        let error = baton_flags::Error::UnknownCommand {
            word: unknown.word,
            root: unknown.root,
            similar: None,
        };
        return Err(error.into());
    }
    Ok(run.out.write_all(&printed.out)?)
}

/// On a terminal and with a file to look at: what is given for the overview.
fn for_overview(
    program: &Program<Runs>,
    line: &Line<'_, Runs>,
    process: &Process,
) -> Result<Option<Given>, CliError> {
    if process.terminal.is_none() {
        return Ok(None);
    }
    let given = given(program, line)?;
    Ok(Some(given).filter(|given| given.file().is_ok_and(|file| file.exists())))
}

/// The values of the command line: this program reads no others.
fn given(program: &Program<Runs>, line: &Line<'_, Runs>) -> Result<Given, CliError> {
    let mut sources = Sources {
        values: &line.values,
        below: &no_settings,
        cwd: Path::new(""),
        stdin: &mut std::io::empty(),
    };
    let fields = program.fields_of(&line.path);
    let mut config = sources::settle(&mut sources, &fields)?.config;
    program.check_values(&line.path, &mut config)?;
    let own = line.path.get(1..).unwrap_or_default();
    Ok(Given {
        config,
        words: line.positionals.clone(),
        command: baton_flags::words_of(own),
    })
}

/// Whether the output format is a setting of the command: where it has no effect, any word is
/// accepted, as in the Go tool.
fn shows_rows<C: Cmd>() -> bool {
    !C::has_own_formats() && !C::define().unused.contains(&OUTPUT_FORMAT.name())
}

/// Parses the arguments of a command and runs it.
pub(crate) fn start<C: Cmd>(given: &Given, run: &mut Start<'_, '_, '_>) -> Result<(), CliError> {
    if given.config.get(&QUIET) {
        run.err.be_quiet();
    }
    let command = C::parse(given)?;
    let file = match command.input() {
        Some(input) if input.as_os_str().is_empty() => return Err(empty_file()),
        Some(input) => input.to_owned(),
        None => given.file()?,
    };
    let copied = if standard_input::is_meant(&file) {
        if command.uses_file() != Use::Read {
            return Err(CliError::Usage {
                message: format!(
                    "`baton {}` changes the file: it cannot be standard input",
                    given.command
                ),
                hint: Some("pass a path with --file".to_owned()),
            });
        }
        Some(standard_input::copy(run.process)?)
    } else {
        standard_input::refuse_address(&file)?;
        None
    };
    let file = copied
        .as_ref()
        .map_or(file, |copied| copied.path().to_owned());
    *run.doing = format!("running `baton {}` on {}", given.command, file.display());
    for word in given.words.iter().skip(C::used_words()) {
        let word: &OsString = word;
        run.err
            .warning(format!("ignored argument `{}`", word.to_string_lossy()));
    }
    let output = if shows_rows::<C>() {
        given.output()?
    } else {
        Output::Console
    };
    let only_shows = command.only_shows();
    if !only_shows {
        run.out.on_failure(OnFailure::Continue);
    } else if !given.config.get(&NO_PAGER) {
        run.process.paging.allow();
    }
    let work = || {
        compare_files(&command, &file)?;
        let temp_dir = run.process.temp_dir.as_deref();
        for path in std::iter::once(file.as_path()).chain(command.output()) {
            baton_c1z::clear_leftovers(path, temp_dir);
        }
        command.run(&mut Cx {
            process: run.process,
            file: &file,
            output,
            verbose: given.verbose(),
            out: &mut *run.out,
            err: &mut *run.err,
        })
    };
    if only_shows {
        return work();
    }
    let stopping = run.process.signals.listen();
    match (stopping.stop().scope(work), stopping.signal()) {
        // The file was made: it is its description that failed.
        (Err(CliError::Output(error)), _) => Err(CliError::Output(error)),
        (Err(_), Some(signal)) => Err(CliError::Stopped {
            signal,
            doing: run.doing.clone(),
        }),
        (done, _) => done,
    }
}
