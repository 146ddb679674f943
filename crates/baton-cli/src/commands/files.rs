//! Commands that make files, or change the one they are given: `export c1z`,
//! `recalculate-stats`, `dump-db`.

use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use baton_c1z::{Converted, Dumped, RewriteOptions};
use baton_proto::Advise as _;
use baton_term::{Printer, clean};

use crate::Surroundings;
use crate::advice;
use crate::args::Invocation;
use crate::error::CliError;
use crate::open;

pub(super) fn options(surroundings: &Surroundings) -> Result<RewriteOptions, CliError> {
    let read = open::read_options(surroundings)?;
    Ok(RewriteOptions {
        limits: read.limits,
        temp_dir: read.temp_dir,
        now: surroundings.now,
        ..RewriteOptions::default()
    })
}

pub(super) fn export(
    invocation: &Invocation,
    target: &Path,
    surroundings: &Surroundings,
) -> Result<(), CliError> {
    open::must_hold_something(&invocation.file)?;
    baton_c1z::clone_sync(
        &invocation.file,
        invocation.sync_id.as_deref(),
        target,
        &options(surroundings)?,
    )
    .map_err(|error| match error {
        // The words of the Go tool.
        baton_c1z::Error::Exists { .. } => CliError::Usage {
            message: format!("clone-sync: {error}"),
            hint: advice::sentences(&error.advice()).pop(),
        },
        other => other.into(),
    })?;
    Ok(())
}

pub(super) fn recalculate(
    invocation: &Invocation,
    surroundings: &Surroundings,
    out: &mut dyn Write,
) -> Result<(), CliError> {
    let mut since = Instant::now();
    let mut lines = Vec::new();
    let count = baton_c1z::recalculate_stats(
        &invocation.file,
        invocation.sync_id.as_deref(),
        &options(surroundings)?,
        &mut |new| {
            let took = milliseconds(since.elapsed());
            lines.push(format!(
                " SUCCESS  Recalculated stats for sync {} duration: {took}",
                new.run.id
            ));
            since = Instant::now();
        },
    )?;
    // Only now are the counts in the file.
    for line in lines {
        say(out, &line)?;
    }
    match count {
        0 => writeln!(out, " INFO  No finished syncs found in the c1z")?,
        n => writeln!(out, " INFO  Recalculated stats for {n} sync(s)")?,
    }
    Ok(())
}

pub(super) fn dump(
    invocation: &Invocation,
    target: &Path,
    surroundings: &Surroundings,
    out: &mut dyn Write,
) -> Result<(), CliError> {
    open::must_hold_something(&invocation.file)?;
    match baton_c1z::dump(&invocation.file, target, &options(surroundings)?)? {
        Dumped::Database => {}
        Dumped::Folder => say(
            out,
            &format!("Extracted Pebble payload directory to {}", target.display()),
        )?,
    }
    Ok(())
}

pub(super) fn to_pebble(
    invocation: &Invocation,
    target: &Path,
    temp_dir: Option<&Path>,
    surroundings: &Surroundings,
    out: &mut dyn Write,
    err: &mut Printer<'_>,
) -> Result<(), CliError> {
    let mut options = options(surroundings)?;
    if let Some(temp_dir) = temp_dir {
        options.temp_dir = Some(temp_dir.to_owned());
    }
    let sync_id = invocation.sync_id.as_deref();
    let done = baton_c1z::to_v3(&invocation.file, sync_id, target, &options)?;
    tell("Converted C1Z to Pebble successfully.", target, &done, out)?;
    if done.merged_grants > 0 {
        err.warning(format!(
            "merged {} into others with the same principal and entitlement: format v3 holds one \
             grant of each pair",
            plural(done.merged_grants, "grant", "grants")
        ));
    }
    if done.dropped_rows > 0 {
        err.warning(format!(
            "left out {} without an id that format v3 needs",
            plural(done.dropped_rows, "row", "rows")
        ));
    }
    Ok(())
}

pub(super) fn to_sqlite(
    invocation: &Invocation,
    target: &Path,
    surroundings: &Surroundings,
    out: &mut dyn Write,
) -> Result<(), CliError> {
    open::must_hold_something(&invocation.file)?;
    let done = baton_c1z::to_v1(&invocation.file, target, &options(surroundings)?)?;
    tell("Converted C1Z to SQLite successfully.", target, &done, out)
}

fn tell(first: &str, target: &Path, done: &Converted, out: &mut dyn Write) -> Result<(), CliError> {
    writeln!(out, "{first}")?;
    say(out, &format!("Output: {}", target.display()))?;
    let id = done.run.as_ref().map_or("", |run| run.id.as_str());
    if done.run.is_none() {
        writeln!(out, "The source holds no sync; the output is empty.")?;
    }
    say(out, &format!("Source sync ID: {id}"))?;
    say(out, &format!("Destination sync ID: {id}"))?;
    let names = ["Resource types", "Resources", "Entitlements", "Grants"];
    for (name, tally) in names.iter().zip(&done.tables) {
        writeln!(out, "{name}: {} ({})", tally.rows, milliseconds(tally.took))?;
    }
    writeln!(
        out,
        "Assets: {} ({} bytes, {})",
        done.assets.rows,
        done.asset_bytes,
        milliseconds(done.assets.took)
    )?;
    writeln!(out, "Total: {}", milliseconds(done.took))?;
    Ok(())
}

/// Writes a line whose text may come from outside.
pub(super) fn say(out: &mut dyn Write, text: &str) -> io::Result<()> {
    writeln!(out, "{}", clean(text))
}

/// A number with its noun.
fn plural(number: u64, one: &str, many: &str) -> String {
    let noun = if number == 1 { one } else { many };
    format!("{number} {noun}")
}

/// A duration as Go prints it, rounded to milliseconds: `0s`, `12ms`,
/// `1.5s`, `1m2.034s`.
pub(super) fn milliseconds(duration: Duration) -> String {
    let total = (duration.as_micros() + 500) / 1000;
    if total < 1000 {
        return match total {
            0 => "0s".to_owned(),
            ms => format!("{ms}ms"),
        };
    }
    let (seconds, ms) = (total / 1000, total % 1000);
    let fraction = match ms {
        0 => String::new(),
        ms => format!(".{ms:03}").trim_end_matches('0').to_owned(),
    };
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let seconds = seconds % 60;
    match (hours, minutes) {
        (0, 0) => format!("{seconds}{fraction}s"),
        (0, m) => format!("{m}m{seconds}{fraction}s"),
        (h, m) => format!("{h}h{m}m{seconds}{fraction}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_in_go() {
        for (micros, text) in [
            (0, "0s"),
            (499, "0s"),
            (500, "1ms"),
            (12_300, "12ms"),
            (999_499, "999ms"),
            (999_500, "1s"),
            (1_500_000, "1.5s"),
            (62_034_000, "1m2.034s"),
            (3_600_000_000, "1h0m0s"),
        ] {
            assert_eq!(milliseconds(Duration::from_micros(micros)), text);
        }
    }
}
