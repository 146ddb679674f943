//! `baton` without a command, on a terminal with a sync file: what the file
//! holds and what to ask next. Counts are the stored ones.

use baton_c1z::{PROVENANCE_ASSET, Stats, SyncRun, SyncType};
use baton_flags::Command;
use baton_proto::figures::{count, counted};
use serde::Deserialize;

use super::output_file::print_line;
use super::run_text::{duration, seconds};
use super::{Cmd, Cx, Given, Runs};
use crate::error::CliError;
use crate::open;
use crate::table::{Column, Table, id, text};

pub(super) struct Overview;

/// What the writer of a sync recorded about it, as far as it is shown.
#[derive(Deserialize, Default)]
struct Provenance {
    #[serde(default)]
    tool: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    completeness: String,
}

const NEXT: [(&str, &str); 5] = [
    ("who and what there is", "baton resources"),
    (
        "what one person can access",
        "baton access --principal NAME",
    ),
    ("everything about one object", "baton show NAME"),
    ("who has access to what", "baton grants"),
    ("all commands", "baton --help"),
];

const COLUMNS: &[Column] = &[
    id("Resource Type"),
    text("Resources"),
    text("Entitlements"),
    text("Grants"),
];

impl Cmd for Overview {
    fn define() -> Command<Runs> {
        Command::new("baton", "show what the file holds")
    }

    fn parse(_: &Given) -> Result<Self, CliError> {
        Ok(Self)
    }

    fn run(self, cx: &mut Cx<'_, '_>) -> Result<(), CliError> {
        let opened = open::open(cx.file, cx.process)?;
        open::warn_of_migration(cx.file, opened.migration(), cx.err);
        let snapshot = open::view(&opened, cx.file, None, cx.process, cx.err)?;
        let Some(run) = snapshot.sync() else {
            print_line(cx.out, &format!("{} has no sync", cx.file.display()))?;
            return Ok(());
        };
        let asset = snapshot.asset(PROVENANCE_ASSET)?;
        let provenance: Provenance = asset
            .and_then(|asset| serde_json::from_slice(&asset.data).ok())
            .unwrap_or_default();
        let stats = snapshot.stats()?;
        let format = opened.format().name();
        let syncs = u64::try_from(opened.sync_runs().len()).unwrap_or(u64::MAX);
        print_line(
            cx.out,
            &format!(
                "{}: format {format}, {}",
                cx.file.display(),
                counted(syncs, "sync", "syncs")
            ),
        )?;
        for line in facts(run, &provenance, &stats) {
            print_line(cx.out, &format!("  {line}"))?;
        }
        if let Some(line) = since(run, opened.sync_runs(), &stats) {
            print_line(cx.out, &format!("  {line}"))?;
        }
        writeln!(cx.out)?;
        let rows = super::stats::by_type(&stats);
        if !rows.is_empty() {
            Table::print(COLUMNS, &rows, cx.style(), cx.out)?;
        }
        writeln!(cx.out, "Ask next:")?;
        let width = NEXT.iter().map(|(_, words)| words.len()).max().unwrap_or(0);
        for (about, words) in NEXT {
            let blanks = " ".repeat(width.saturating_sub(words.len()));
            writeln!(cx.out, "  {words}{blanks}  {about}")?;
        }
        Ok(())
    }
}

/// When, by which connector, complete or not, how much.
fn facts(run: &SyncRun, provenance: &Provenance, stats: &Stats) -> Vec<String> {
    let mut lines = Vec::new();
    let ended = seconds(run.ended_at.as_ref());
    let took = duration(run.started_at.as_ref(), run.ended_at.as_ref());
    lines.push(match (ended, took) {
        (Some(ended), Some(took)) => format!("newest sync   {ended}, took {took} (`{}`)", run.id),
        (Some(ended), None) => format!("newest sync   {ended} (`{}`)", run.id),
        (None, _) => format!("newest sync   not finished (`{}`)", run.id),
    });
    if !provenance.tool.is_empty() {
        lines.push(format!(
            "connector     {} {}",
            provenance.tool, provenance.version
        ));
    }
    lines.push(format!("complete      {}", completeness(run, provenance)));
    lines.push(format!(
        "holds         {}, {}, {}",
        counted(rows(stats.resources), "resource", "resources"),
        counted(rows(stats.entitlements), "entitlement", "entitlements"),
        counted(rows(stats.grants), "grant", "grants"),
    ));
    lines
}

/// A stored count, which in a file of other writers may be any number.
fn rows(count: i64) -> u64 {
    u64::try_from(count).unwrap_or_default()
}

fn completeness(run: &SyncRun, provenance: &Provenance) -> String {
    if !run.is_finished() {
        return "no: the sync is not finished".to_owned();
    }
    if run.kind() != Some(SyncType::Full) {
        return format!("no: a sync of type {}", run.sync_type);
    }
    match provenance.completeness.as_str() {
        "" => "yes: a full sync".to_owned(),
        "complete" => "yes".to_owned(),
        "partial" => "no: some lists could not be read".to_owned(),
        other => format!("no: {other}"),
    }
}

/// The counts against those of the finished sync of the same type before it.
fn since(run: &SyncRun, runs: &[SyncRun], stats: &Stats) -> Option<String> {
    let ended = |run: &SyncRun| run.ended_at.map(|at| (at.seconds, at.nanos));
    let before = runs
        .iter()
        .filter(|other| other.sync_type == run.sync_type && ended(other) < ended(run))
        .filter(|other| other.is_finished())
        .max_by_key(|other| ended(other))?;
    let old = before.stats.as_ref()?;
    let changes: Vec<String> = [
        ("resources", old.resources, stats.resources),
        ("entitlements", old.entitlements, stats.entitlements),
        ("grants", old.grants, stats.grants),
    ]
    .into_iter()
    .filter(|(_, old, new)| old != new)
    .map(|(name, old, new)| {
        let sign = if new > old { '+' } else { '-' };
        format!("{sign}{} {name}", count(new.abs_diff(old)))
    })
    .collect();
    let changes = if changes.is_empty() {
        "the same counts".to_owned()
    } else {
        changes.join(", ")
    };
    let at = seconds(before.ended_at.as_ref()).unwrap_or_default();
    Some(format!("since {at}  {changes}"))
}
