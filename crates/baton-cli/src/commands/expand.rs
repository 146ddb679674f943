//! `expand`: derives grants into a new file.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use baton_access::{ExpandOptions, GraphExpander};
use baton_flags::{Command, Field, Positionals};

use super::flags::{self, SYNC_ID};
use super::output_file::{milliseconds, options, print_line};
use super::{Cmd, Cx, Given, Runs};
use super::{FILE, OUTPUT_FORMAT, VERBOSE};
use crate::error::CliError;
use crate::open;

const OUT: Field<PathBuf> = flags::new_file("./sync.expanded.c1z");
const SYNC: Field<String> = SYNC_ID.about(
    "expand this sync, finished or not (default: the newest finished full one, else the only one)",
);
const MAX_GRANTS: Field<String> = Field::string(
    "max-grants",
    "fail and write no file if expansion would derive more grants than this",
)
.value_name("number");

pub(super) struct Expand {
    /// The file that is named by a word.
    input: Option<PathBuf>,
    out: PathBuf,
    sync_id: Option<String>,
    max_grants: Option<u64>,
}

impl Cmd for Expand {
    fn define() -> Command<Runs> {
        Command::new("expand", "expand grants into a new file of the same format")
            .positionals(Positionals::Named {
                shown: "[FILE]",
                help: "the sync file to read, as with --file",
            })
            .field(OUT)
            .field(SYNC)
            .field(MAX_GRANTS)
            .without(OUTPUT_FORMAT)
            .without(VERBOSE)
            .example(
                "derive the grants of nested groups",
                "expand sync.c1z --out expanded.c1z",
            )
            .example(
                "fail above a number of derived grants",
                "expand sync.c1z --out expanded.c1z --max-grants 1000000",
            )
    }

    fn parse(given: &Given) -> Result<Self, CliError> {
        Ok(Self {
            input: input(given)?,
            out: flags::output_path(given, &OUT)?,
            sync_id: flags::sync_id(given),
            max_grants: max_grants(given)?,
        })
    }

    fn input(&self) -> Option<&Path> {
        self.input.as_deref()
    }

    fn used_words() -> usize {
        1
    }

    fn output(&self) -> Option<&Path> {
        Some(&self.out)
    }

    fn only_shows(&self) -> bool {
        false
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "elapsed time, for the report only"
    )]
    fn run(self, cx: &mut Cx<'_, '_>) -> Result<(), CliError> {
        open::warn_of_migration_in(cx.file, cx.process, cx.err)?;
        let target = self.out.as_path();
        open::must_hold_something(cx.file)?;
        let started = Instant::now();
        let options = options(cx.process)?;
        let defaults = ExpandOptions::default();
        let mut shown = None;
        let mut expander = GraphExpander::new(ExpandOptions {
            temp_dir: options.temp_dir.clone(),
            max_derived_grants: self.max_grants.unwrap_or(defaults.max_derived_grants),
            ..defaults
        })
        .on_estimate(|estimate| {
            shown = Some(estimates(
                &mut *cx.out,
                estimate.expandable_grants,
                estimate.derived_grants,
            ));
        });
        let sync_id = self.sync_id.as_deref();
        let done = baton_c1z::expand_sync(
            cx.file,
            sync_id,
            target,
            &options,
            baton_c1z::MergeSteps::expand(&mut expander),
        );
        drop(expander);
        let done = match done {
            Err(baton_c1z::Error::Caller(failure)) if is_limit(failure.cause()) => {
                return Err(CliError::TooManyGrants { failure });
            }
            other => other?,
        };
        match shown {
            Some(shown) => shown?,
            None => estimates(cx.out, 0, 0)?,
        }
        for warning in &done.warnings {
            cx.err.warning(warning.as_str());
        }
        writeln!(cx.out, "Expanded grants successfully.")?;
        print_line(cx.out, &format!("Output: {}", target.display()))?;
        print_line(cx.out, &format!("Sync ID: {}", done.run.id))?;
        writeln!(
            cx.out,
            "Grants: {} ({} derived, {} with more sources)",
            done.stats.grants, done.grants_inserted, done.grants_replaced
        )?;
        writeln!(cx.out, "Total: {}", milliseconds(started.elapsed()))?;
        Ok(())
    }
}

/// The file that a word names.
fn input(given: &Given) -> Result<Option<PathBuf>, CliError> {
    let Some(word) = given.words.first() else {
        return Ok(None);
    };
    if given.config.was_set(&FILE) {
        let flag = given.config.as_written(&FILE);
        return Err(CliError::Usage {
            message: format!(
                "the file is named twice: `{}` and `--file {}`",
                Path::new(word).display(),
                flag.display()
            ),
            hint: Some("name it once".to_owned()),
        });
    }
    Ok(Some(PathBuf::from(OsString::clone(word))))
}

fn max_grants(given: &Given) -> Result<Option<u64>, CliError> {
    let Some(text) = given.config.given(&MAX_GRANTS) else {
        return Ok(None);
    };
    text.parse().map(Some).map_err(|_| {
        CliError::usage(format!(
            "invalid value '{text}' for '--{} <number>': expected a number of grants",
            MAX_GRANTS.name()
        ))
    })
}

/// Prints the estimates before the work begins.
fn estimates(out: &mut dyn Write, expandable: u64, derived: u64) -> io::Result<()> {
    writeln!(out, "Grants with an expansion: {expandable}")?;
    writeln!(out, "Grants to derive: {derived}")?;
    out.flush()
}

fn is_limit(cause: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    matches!(
        cause.downcast_ref(),
        Some(baton_access::Error::TooManyDerived { .. } | baton_access::Error::TooMany { .. })
    )
}
