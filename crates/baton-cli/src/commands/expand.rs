//! `expand`: grants that arrived unexpanded are derived, into a new file.

use std::io::{self, Write};
use std::path::Path;
use std::time::Instant;

use baton_access::{ExpandOptions, GraphExpander};
use baton_term::Printer;

use super::files::{milliseconds, options, say};
use crate::Surroundings;
use crate::args::Invocation;
use crate::error::CliError;
use crate::open;

pub(super) fn expand(
    invocation: &Invocation,
    target: &Path,
    max_grants: Option<u64>,
    surroundings: &Surroundings,
    out: &mut dyn Write,
    err: &mut Printer<'_>,
) -> Result<(), CliError> {
    open::must_hold_something(&invocation.file)?;
    let started = Instant::now();
    let options = options(surroundings)?;
    let defaults = ExpandOptions::default();
    let mut told = None;
    let mut expander = GraphExpander::new(ExpandOptions {
        temp_dir: options.temp_dir.clone(),
        max_derived_grants: max_grants.unwrap_or(defaults.max_derived_grants),
        ..defaults
    })
    .tell(|estimate| {
        told = Some(estimates(
            out,
            estimate.expandable_grants,
            estimate.derived_grants,
        ));
    });
    let sync_id = invocation.sync_id.as_deref();
    let done = baton_c1z::expand_sync(&invocation.file, sync_id, target, &options, &mut expander);
    drop(expander);
    let done = match done {
        Err(baton_c1z::Error::Caller(failure)) if is_limit(failure.cause()) => {
            return Err(CliError::TooManyGrants { failure });
        }
        other => other?,
    };
    match told {
        Some(told) => told?,
        None => estimates(out, 0, 0)?,
    }
    for warning in &done.warnings {
        err.warning(warning.as_str());
    }
    writeln!(out, "Expanded grants successfully.")?;
    say(out, &format!("Output: {}", target.display()))?;
    say(out, &format!("Sync ID: {}", done.run.id))?;
    writeln!(
        out,
        "Grants: {} ({} derived, {} with more sources)",
        done.stats.grants, done.grants_inserted, done.grants_replaced
    )?;
    writeln!(out, "Total: {}", milliseconds(started.elapsed()))?;
    Ok(())
}

/// Prints what is going to be done, at once.
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
