//! `syncs` and `stats`: about the syncs of a file. Both are answered from the
//! beginning of the file where that suffices.

use std::io::Write;

use baton_c1z::{CallStat, Stats, SyncRun, peek};
use baton_proto::c1::reader::v2 as reader;
use baton_proto::{baton, time};
use baton_term::Printer;
use prost_types::Timestamp;

use super::style;
use crate::Surroundings;
use crate::args::{Invocation, Output};
use crate::error::CliError;
use crate::json::{self, ListWriter};
use crate::open;
use crate::table::{Style, Table, id, text};

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

pub(super) fn syncs(
    invocation: &Invocation,
    surroundings: &Surroundings,
    out: &mut dyn Write,
    err: &mut Printer<'_>,
) -> Result<(), CliError> {
    open::must_hold_something(&invocation.file)?;
    let peeked = peek(&invocation.file, &open::read_options(surroundings)?)?;
    open::warn_of_migration(&invocation.file, peeked.migration, err);
    let runs = peeked.runs;
    if invocation.output == Output::Json {
        let mut list = ListWriter::new(out, "syncs");
        for run in &runs {
            let shown = baton::v1::SyncOutput {
                id: run.id.clone(),
                started_at: run.started_at,
                ended_at: run.ended_at,
                sync_token: run.sync_token.clone(),
                sync_type: run.sync_type.clone(),
                parent_sync_id: run.parent_sync_id.clone(),
            };
            list.whole(json::whole(&shown, "a sync")?.as_bytes())?;
        }
        return Ok(list.finish()?);
    }
    let rows: Vec<Vec<String>> = runs
        .iter()
        .map(|run| {
            vec![
                run.id.clone(),
                seconds(run.started_at.as_ref()).unwrap_or_default(),
                seconds(run.ended_at.as_ref()).unwrap_or_default(),
                run.sync_type.clone(),
                run.parent_sync_id.clone(),
                token(&run.sync_token, invocation, surroundings),
            ]
        })
        .collect();
    let shown = if invocation.verbose { id } else { text };
    let columns = [
        id("ID"),
        text("Started At"),
        text("Ended At"),
        text("Type"),
        id("Parent ID"),
        shown("Token"),
    ];
    Ok(Table::print(&columns, &rows, style(surroundings), out)?)
}

/// A sync token as a table shows it: on a terminal its size only, unless all
/// of it was asked for.
fn token(token: &str, invocation: &Invocation, surroundings: &Surroundings) -> String {
    if token.is_empty() || invocation.verbose || surroundings.terminal.is_none() {
        return token.to_owned();
    }
    match token.len() {
        1 => "1 byte".to_owned(),
        bytes @ ..KIB => format!("{bytes} bytes"),
        bytes @ ..MIB => tenths(bytes, KIB, "KiB"),
        bytes => tenths(bytes, MIB, "MiB"),
    }
}

fn tenths(bytes: usize, unit: usize, name: &str) -> String {
    let tenths = bytes.saturating_mul(10) / unit;
    format!("{}.{} {name}", tenths / 10, tenths % 10)
}

pub(super) fn stats(
    invocation: &Invocation,
    surroundings: &Surroundings,
    out: &mut dyn Write,
    err: &mut Printer<'_>,
) -> Result<(), CliError> {
    open::must_hold_something(&invocation.file)?;
    let options = open::read_options(surroundings)?;
    let peeked = peek(&invocation.file, &options)?;
    open::warn_of_migration(&invocation.file, peeked.migration, err);
    let Some(run) = peeked.latest_finished(None) else {
        return Ok(writeln!(out, " INFO  No finished sync found in the c1z")?);
    };
    let stats = match &run.stats {
        Some(stats) => stats.clone(),
        None => {
            let file = open::open(&invocation.file, surroundings)?;
            let snapshot = open::view(&file, &invocation.file, Some(&run.id), surroundings)?;
            snapshot.stats()?
        }
    };
    match invocation.output {
        Output::Json => stats_json(run, &stats, out),
        Output::Console => {
            let token = token(&run.sync_token, invocation, surroundings);
            let engine = peeked.format.engine_name();
            stats_tables(engine, run, token, &stats, style(surroundings), out)
        }
    }
}

fn stats_json(run: &SyncRun, stats: &Stats, out: &mut dyn Write) -> Result<(), CliError> {
    let calls = |map: &std::collections::BTreeMap<String, CallStat>| {
        map.iter()
            .map(|(name, call)| {
                let call = reader::CallStat {
                    count: call.count,
                    total_ms: call.total_ms,
                    max_ms: call.max_ms,
                    errors: call.errors,
                    timeouts: call.timeouts,
                };
                (name.clone(), call)
            })
            .collect()
    };
    let shown = reader::SyncRun {
        id: run.id.clone(),
        started_at: run.started_at,
        ended_at: run.ended_at,
        sync_token: run.sync_token.clone(),
        sync_type: run.sync_type.clone(),
        parent_sync_id: run.parent_sync_id.clone(),
        stats: Some(reader::SyncStats {
            resource_types: stats.resource_types,
            resources: stats.resources,
            entitlements: stats.entitlements,
            grants: stats.grants,
            resources_by_resource_type: stats.resources_by_type.clone(),
            grants_by_resource_type: stats.grants_by_type.clone(),
            entitlements_by_resource_type: stats.entitlements_by_type.clone(),
            assets: stats.assets,
            step_durations_ms: stats.step_durations_ms.clone(),
            connector_call_stats: calls(&stats.connector_call_stats),
            session_store_stats: calls(&stats.session_store_stats),
        }),
    };
    Ok(out.write_all(json::whole(&shown, "the counts of a sync")?.as_bytes())?)
}

fn stats_tables(
    engine: &str,
    run: &SyncRun,
    token: String,
    stats: &Stats,
    style: Style,
    out: &mut dyn Write,
) -> Result<(), CliError> {
    let dash = || "-".to_owned();
    let facts = [
        ("Engine", engine.to_owned()),
        ("Sync ID", run.id.clone()),
        ("Sync Type", run.sync_type.clone()),
        ("Parent Sync ID", run.parent_sync_id.clone()),
        (
            "Started At",
            seconds(run.started_at.as_ref()).unwrap_or_else(dash),
        ),
        (
            "Ended At",
            seconds(run.ended_at.as_ref()).unwrap_or_else(dash),
        ),
        (
            "Duration",
            duration(run.started_at.as_ref(), run.ended_at.as_ref()).unwrap_or_else(dash),
        ),
        ("Sync Token", token),
    ];
    let rows: Vec<Vec<String>> = facts
        .into_iter()
        .map(|(name, value)| vec![name.to_owned(), value])
        .collect();
    Table::print(&[text("Field"), id("Value")], &rows, style, out)?;
    out.write_all(b"\n")?;
    let counts = [
        ("Resource Types", stats.resource_types),
        ("Resources", stats.resources),
        ("Entitlements", stats.entitlements),
        ("Grants", stats.grants),
    ];
    let rows: Vec<Vec<String>> = counts
        .into_iter()
        .map(|(name, count)| vec![name.to_owned(), count.to_string()])
        .collect();
    Table::print(&[text("Type"), text("Count")], &rows, style, out)?;
    let by_type = by_type(stats);
    if !by_type.is_empty() {
        out.write_all(b"\n")?;
        let columns = [
            id("Resource Type"),
            text("Resources"),
            text("Entitlements"),
            text("Grants"),
        ];
        Table::print(&columns, &by_type, style, out)?;
    }
    Ok(())
}

/// One row per resource type that any count names, sorted by id.
fn by_type(stats: &Stats) -> Vec<Vec<String>> {
    let maps = [
        &stats.resources_by_type,
        &stats.entitlements_by_type,
        &stats.grants_by_type,
    ];
    let ids: std::collections::BTreeSet<&String> = maps.iter().flat_map(|map| map.keys()).collect();
    ids.into_iter()
        .map(|id| {
            let counts = maps
                .iter()
                .map(|map| map.get(id).copied().unwrap_or_default().to_string());
            std::iter::once(id.clone()).chain(counts).collect()
        })
        .collect()
}

/// A time to the second, in UTC.
fn seconds(at: Option<&Timestamp>) -> Option<String> {
    let whole = Timestamp {
        seconds: at?.seconds,
        nanos: 0,
    };
    time::format(&whole).ok()
}

/// How long a sync took, rounded to seconds, as Go writes durations.
fn duration(start: Option<&Timestamp>, end: Option<&Timestamp>) -> Option<String> {
    let (start, end) = (start?, end?);
    let nanos = i128::from(end.seconds - start.seconds) * 1_000_000_000
        + i128::from(end.nanos - start.nanos);
    let (sign, nanos) = if nanos < 0 {
        ("-", -nanos)
    } else {
        ("", nanos)
    };
    let total = (nanos + 500_000_000) / 1_000_000_000;
    let (hours, minutes, rest) = (total / 3600, total / 60 % 60, total % 60);
    Some(match (hours, minutes) {
        (0, 0) => format!("{sign}{rest}s"),
        (0, _) => format!("{sign}{minutes}m{rest}s"),
        _ => format!("{sign}{hours}h{minutes}m{rest}s"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lasting(from: (i64, i32), to: (i64, i32)) -> Option<String> {
        let at = |(seconds, nanos)| Timestamp { seconds, nanos };
        duration(Some(&at(from)), Some(&at(to)))
    }

    #[test]
    fn durations_read_as_in_go() {
        assert_eq!(lasting((0, 0), (0, 400_000_000)).as_deref(), Some("0s"));
        assert_eq!(lasting((0, 0), (89, 500_000_000)).as_deref(), Some("1m30s"));
        assert_eq!(
            lasting((0, 900_000_000), (3600, 900_000_000)).as_deref(),
            Some("1h0m0s")
        );
        assert_eq!(lasting((10, 0), (5, 0)).as_deref(), Some("-5s"));
    }
}
