//! `rollback-expansion`: what expansion made of the grants is taken back, into
//! a new file; on request it is made again and compared.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;

use baton_access::{ExpandOptions, GraphExpander};
use baton_c1z::{Filter, RewriteOptions, RolledBack, Row, Table};
use baton_proto::c1::connector::v2;
use prost::Message;

use super::files::options;
use crate::Surroundings;
use crate::args::{Invocation, Rollback};
use crate::error::CliError;
use crate::open;

/// Differing grants that are listed.
const MAX_LISTED: usize = 20;

pub(super) fn rollback(
    invocation: &Invocation,
    wanted: &Rollback,
    surroundings: &Surroundings,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<(), CliError> {
    open::must_hold_something(&invocation.file)?;
    let options = options(surroundings)?;
    let source = &invocation.file;
    let sync_id = invocation.sync_id.as_deref();
    let Some(target) = &wanted.out else {
        let found = baton_c1z::preview_rollback(source, sync_id, wanted.keep_suspects, &options)
            .map_err(in_known_words)?;
        writeln!(
            out,
            "dry-run: sync {} \u{2014} would delete {} expansion-derived grant(s) and clear sources on {} direct grant(s){}",
            found.run.id,
            found.deleted,
            found.cleared,
            note(&found, wanted.keep_suspects),
        )?;
        return Ok(());
    };
    if target.symlink_metadata().is_ok() {
        return Err(CliError::usage(format!(
            "isolate to --out: copy-isolate-sync: output path ({}) must not exist",
            target.display()
        )));
    }
    let done = if wanted.replay {
        replayed(invocation, target, wanted.keep_suspects, &options, err)?
    } else {
        baton_c1z::roll_back(source, sync_id, target, wanted.keep_suspects, &options)
            .map_err(in_known_words)?
    };
    if wanted.validate {
        let checked = compare(source, target, &done.run.id, surroundings);
        let removed = |error| {
            // What is wrong with the file is said; that it stays is not worth more.
            let _ = std::fs::remove_file(target);
            error
        };
        let same = checked.map_err(removed)?;
        writeln!(err, "{same} grants have the sources that they had")?;
    }
    if !wanted.replay {
        writeln!(
            err,
            "warning: the new file is not expanded: derived grants are missing until an expansion"
        )?;
    }
    writeln!(
        out,
        "sync {} rolled back: deleted {} expansion-derived grant(s), cleared sources on {} direct grant(s){}; wrote {}{}",
        done.run.id,
        done.deleted,
        done.cleared,
        note(&done, wanted.keep_suspects),
        target.display(),
        if wanted.replay {
            "; replayed expansion"
        } else {
            ""
        },
    )?;
    Ok(())
}

/// Two failures that scripts know by other words.
fn in_known_words(error: baton_c1z::Error) -> CliError {
    match error {
        baton_c1z::Error::NotExpanded { .. } => CliError::usage(format!("c1z: {error}")),
        baton_c1z::Error::RollbackOfV3 { .. } => {
            CliError::usage("rollback-expansion is not supported by pebble-backed c1z files")
        }
        other => other.into(),
    }
}

fn note(done: &RolledBack, kept: bool) -> String {
    match (done.suspects, kept) {
        (0, _) => String::new(),
        (n, true) => format!(
            " [{n} grant(s) had Sources but no self-source and no expander marker \u{2014} PRESERVED (not deleted); verify whether they are connector-set]"
        ),
        (n, false) => format!(
            " [{n} deleted grant(s) carried Sources but no self-source and no expander marker \u{2014} verify they are not connector-set; pass --preserve-suspect-grants to keep them]"
        ),
    }
}

/// Rolls back into a file of its own, and expands that into the target.
fn replayed(
    invocation: &Invocation,
    target: &Path,
    keep_suspects: bool,
    options: &RewriteOptions,
    err: &mut dyn Write,
) -> Result<RolledBack, CliError> {
    let folder = match &options.temp_dir {
        Some(dir) => tempfile::tempdir_in(dir),
        None => tempfile::tempdir(),
    }?;
    let between = folder.path().join("rolled-back.c1z");
    let sync_id = invocation.sync_id.as_deref();
    let done = baton_c1z::roll_back(&invocation.file, sync_id, &between, keep_suspects, options)
        .map_err(in_known_words)?;
    let mut expander = GraphExpander::new(ExpandOptions {
        temp_dir: options.temp_dir.clone(),
        ..ExpandOptions::default()
    });
    let id = Some(done.run.id.as_str());
    let expanded = baton_c1z::expand_sync(&between, id, target, options, &mut expander)?;
    for warning in &expanded.warnings {
        writeln!(err, "warning: {warning}")?;
    }
    Ok(done)
}

/// Compares the sources of all grants; gives how many grants there are. Keeps
/// two numbers per grant, not the grants.
fn compare(
    before: &Path,
    after: &Path,
    sync_id: &str,
    surroundings: &Surroundings,
) -> Result<usize, CliError> {
    let hasher = RandomState::new();
    let mut known = HashMap::new();
    each_grant(before, sync_id, surroundings, &mut |row| {
        known.insert(hasher.hash_one(row.id), hasher.hash_one(sources(row)));
    })?;
    let count = known.len();
    let mut different: Vec<(String, &str)> = Vec::new();
    each_grant(
        after,
        sync_id,
        surroundings,
        &mut |row| match known.remove(&hasher.hash_one(row.id)) {
            None => different.push((row.id.to_owned(), "present after replay, absent before")),
            Some(old) if old != hasher.hash_one(sources(row)) => {
                different.push((row.id.to_owned(), "its sources differ after replay"));
            }
            Some(_) => {}
        },
    )?;
    if !known.is_empty() {
        each_grant(before, sync_id, surroundings, &mut |row| {
            if known.contains_key(&hasher.hash_one(row.id)) {
                different.push((row.id.to_owned(), "absent after replay, present before"));
            }
        })?;
    }
    if different.is_empty() {
        return Ok(count);
    }
    different.sort_unstable();
    let mut message = format!("{} grants differ after replay:", different.len());
    for (id, how) in different.iter().take(MAX_LISTED) {
        message += "\ngrant \"";
        message += id;
        message += "\": ";
        message += how;
    }
    Err(CliError::usage(message))
}

fn each_grant(
    path: &Path,
    sync_id: &str,
    surroundings: &Surroundings,
    visit: &mut dyn FnMut(&Row<'_>),
) -> Result<(), CliError> {
    let file = open::open(path, surroundings)?;
    let snapshot = open::view(&file, path, Some(sync_id), surroundings)?;
    snapshot.scan(Table::Grants, &Filter::default(), &mut |row| {
        visit(row);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(())
}

/// The sources of a grant, sorted. A grant that cannot be decoded has none
/// that could be compared; reading it for show reports it.
fn sources(row: &Row<'_>) -> Vec<(String, bool)> {
    let grant = v2::Grant::decode(row.data).unwrap_or_default();
    let sources = grant.sources.unwrap_or_default().sources;
    let mut sources: Vec<_> = sources
        .into_iter()
        .map(|(id, source)| (id, source.is_direct))
        .collect();
    sources.sort_unstable();
    sources
}
