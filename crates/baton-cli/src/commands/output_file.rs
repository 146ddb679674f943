//! What commands that write files share.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use baton_c1z::{Converted, RewriteOptions, Stop};
use baton_term::clean;

use crate::Process;
use crate::error::CliError;
use crate::go_duration;
use crate::open;

pub(super) fn options(process: &Process) -> Result<RewriteOptions, CliError> {
    let read = open::read_options(process)?;
    Ok(RewriteOptions {
        limits: read.limits,
        temp_dir: read.temp_dir,
        now: process.now,
        stop: Stop::current(),
        ..RewriteOptions::default()
    })
}

/// Prints what a conversion wrote.
pub(super) fn report(
    first: &str,
    target: &Path,
    done: &Converted,
    out: &mut dyn Write,
) -> Result<(), CliError> {
    writeln!(out, "{first}")?;
    print_line(out, &format!("Output: {}", target.display()))?;
    let id = done.run.as_ref().map_or("", |run| run.id.as_str());
    if done.run.is_none() {
        writeln!(out, "The source holds no sync; the output is empty.")?;
    }
    print_line(out, &format!("Source sync ID: {id}"))?;
    print_line(out, &format!("Destination sync ID: {id}"))?;
    let names = ["Resource types", "Resources", "Entitlements", "Grants"];
    for (name, converted) in names.iter().zip(&done.tables) {
        writeln!(
            out,
            "{name}: {} ({})",
            converted.rows,
            milliseconds(converted.took)
        )?;
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
pub(super) fn print_line(out: &mut dyn Write, text: &str) -> io::Result<()> {
    writeln!(out, "{}", clean(text))
}

/// A duration rounded to milliseconds.
pub(super) fn milliseconds(duration: Duration) -> String {
    go_duration::text((duration.as_micros() + 500) / 1000)
}
