//! `stats`: answered from the beginning of the file where that suffices.

use baton_c1z::{CallStat, Stats as Counts, SyncRun};
use baton_flags::Command;
use baton_proto::c1::reader::v2 as reader;

use super::flags::{self, SYNC_ID};
use super::run_text::{duration, seconds, shows_tokens, token};
use super::{Cmd, Cx, Given, Runs};
use crate::error::CliError;
use crate::json;
use crate::open;
use crate::output::Output;
use crate::sinks::{write_csv, write_markdown};
use crate::table::{Column, Table, id, text};

pub(super) struct Stats {
    sync_id: Option<String>,
}

impl Cmd for Stats {
    fn define() -> Command<Runs> {
        Command::new("stats", "count what the newest finished sync holds")
            .field(SYNC_ID)
            .example("the default file", "stats")
            .example("another file", "stats -f old.c1z")
            .example("for another program", "stats -o json")
    }

    fn parse(given: &Given) -> Result<Self, CliError> {
        Ok(Self {
            sync_id: flags::sync_id(given),
        })
    }

    fn run(self, cx: &mut Cx<'_, '_>) -> Result<(), CliError> {
        let file = cx.file;
        let peeked = open::peek(cx.file, cx.process, cx.err)?;
        let Some(run) = open::run(&peeked, file, self.sync_id.as_deref(), cx.err)? else {
            return Ok(writeln!(
                cx.out,
                " INFO  No finished sync found in the c1z"
            )?);
        };
        let stats = match &run.stats {
            Some(stats) => stats.clone(),
            None => {
                let opened = open::open(file, cx.process)?;
                let snapshot = open::view(&opened, file, Some(&run.id), cx.process, cx.err)?;
                snapshot.stats()?
            }
        };
        match cx.output {
            Output::Json | Output::Ndjson | Output::Yaml => {
                let json = stats_json(run, &stats)?;
                cx.output.write_object(json.as_bytes(), cx.out)
            }
            Output::Csv => write_csv(BY_TYPE, &by_type(&stats), cx.out),
            Output::Console | Output::Markdown => {
                let token = token(&run.sync_token, shows_tokens(cx));
                let engine = peeked.format.engine_name();
                let tables = tables(engine, run, token, &stats);
                print(&tables, cx)
            }
        }
    }
}

fn stats_json(run: &SyncRun, stats: &Counts) -> Result<String, CliError> {
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
    json::whole(&shown, "the counts of a sync")
}

/// A table whose rows are at hand.
struct Shown {
    columns: &'static [Column],
    rows: Vec<Vec<String>>,
}

const FACTS: &[Column] = &[text("Field"), id("Value")];
const COUNTS: &[Column] = &[text("Type"), text("Count")];
const BY_TYPE: &[Column] = &[
    id("Resource Type"),
    text("Resources"),
    text("Entitlements"),
    text("Grants"),
];

fn tables(engine: &str, run: &SyncRun, token: String, stats: &Counts) -> Vec<Shown> {
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
    let counts = [
        ("Resource Types", stats.resource_types),
        ("Resources", stats.resources),
        ("Entitlements", stats.entitlements),
        ("Grants", stats.grants),
    ];
    let facts = facts.map(|(name, value)| vec![name.to_owned(), value]);
    let counts = counts.map(|(name, count)| vec![name.to_owned(), count.to_string()]);
    let mut tables = vec![
        Shown {
            columns: FACTS,
            rows: facts.into(),
        },
        Shown {
            columns: COUNTS,
            rows: counts.into(),
        },
    ];
    let by_type = by_type(stats);
    if !by_type.is_empty() {
        tables.push(Shown {
            columns: BY_TYPE,
            rows: by_type,
        });
    }
    tables
}

/// Prints tables, with an empty line between them.
fn print(tables: &[Shown], cx: &mut Cx<'_, '_>) -> Result<(), CliError> {
    let style = cx.style();
    for (index, Shown { columns, rows }) in tables.iter().enumerate() {
        if index > 0 {
            cx.out.write_all(b"\n")?;
        }
        match cx.output {
            Output::Markdown => write_markdown(columns, rows, cx.out)?,
            _ => Table::print(columns, rows, style, cx.out)?,
        }
    }
    Ok(())
}

/// One row per resource type that any count names, sorted by id.
pub(super) fn by_type(stats: &Counts) -> Vec<Vec<String>> {
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
