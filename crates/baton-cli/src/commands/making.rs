//! What the commands have in common that make files.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use baton_c1z::{Converted, RewriteOptions};
use baton_term::clean;

use crate::Surroundings;
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

/// What a conversion made.
pub(super) fn tell(
    first: &str,
    target: &Path,
    done: &Converted,
    out: &mut dyn Write,
) -> Result<(), CliError> {
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
pub(super) fn plural(number: u64, one: &str, many: &str) -> String {
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
