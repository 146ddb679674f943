//! `rollback-expansion`: writes a new file without the effects of expansion; on
//! request expands it again and compares.

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use baton_access::{ExpandOptions, GraphExpander};
use baton_c1z::{Filter, MergeSteps, RewriteOptions, RolledBack, Row, Scratch, Table, View};
use baton_flags::{Command, Field};
use baton_proto::c1::connector::v2;
use baton_proto::figures::counted;
use prost::Message;

use super::flags::{self, SYNC_ID};
use super::output_file::{options, print_line};
use super::{Cmd, Cx, Given, Runs};
use super::{OUTPUT_FORMAT, VERBOSE};
use crate::Process;
use crate::error::CliError;
use crate::open;

/// Differing grants that are listed.
const MAX_LISTED: usize = 20;

const SYNC: Field<String> = SYNC_ID.about("copy this sync (default: the newest finished one)");
const OUT: Field<Option<PathBuf>> = Field::path("out", "the file to write; it must not exist");
const DRY_RUN: Field<bool> = Field::bool("dry-run", "show what would change; write nothing");
const REPLAY: Field<bool> = Field::bool("replay", "expand the grants again afterwards");
const KEEP_SUSPECTS: Field<bool> = Field::bool(
    "preserve-suspect-grants",
    "keep grants that look derived but lack the expansion marker",
);
const VALIDATE: Field<bool> = Field::bool(
    "validate",
    "with --replay: fail if the sources of any grant differ from before",
);

pub(super) struct RollBack {
    /// `None` for a dry run.
    out: Option<PathBuf>,
    sync_id: Option<String>,
    replay: bool,
    keep_suspects: bool,
    validate: bool,
}

impl Cmd for RollBack {
    fn define() -> Command<Runs> {
        Command::new(
            "rollback-expansion",
            "undo grant expansion: copy a v1 file without derived grants",
        )
        .field(SYNC)
        .field(OUT)
        .field(DRY_RUN)
        .field(REPLAY)
        .field(KEEP_SUSPECTS)
        .field(VALIDATE)
        .without(OUTPUT_FORMAT)
        .without(VERBOSE)
        .example("show what would change", "rollback-expansion --dry-run")
        .example(
            "write the file without derived grants",
            "rollback-expansion --out collected.c1z",
        )
        .example(
            "derive them again, to compare",
            "rollback-expansion --replay --out again.c1z",
        )
    }

    fn parse(given: &Given) -> Result<Self, CliError> {
        let config = &given.config;
        let (replay, validate) = (config.get(&REPLAY), config.get(&VALIDATE));
        if validate && !replay {
            return Err(CliError::usage(
                "--validate requires --replay (without re-deriving, deleted grants cannot be compared)",
            ));
        }
        let out = config.get(&OUT);
        let dry_run = config.get(&DRY_RUN);
        if out.is_none() && !dry_run {
            return Err(CliError::usage(
                "--out is required to write a rolled-back c1z; the input is never modified \u{2014} pass --dry-run to preview",
            ));
        }
        Ok(Self {
            out: out.filter(|_| !dry_run).map(Path::to_owned),
            sync_id: flags::sync_id(given),
            replay,
            keep_suspects: config.get(&KEEP_SUSPECTS),
            validate,
        })
    }

    fn output(&self) -> Option<&Path> {
        self.out.as_deref()
    }

    fn only_shows(&self) -> bool {
        self.out.is_none()
    }

    #[expect(clippy::disallowed_methods, reason = "removes its own unfinished copy")]
    fn run(self, cx: &mut Cx<'_, '_>) -> Result<(), CliError> {
        open::must_hold_something(cx.file)?;
        let options = options(cx.process)?;
        let source = cx.file;
        let sync_id = self.sync_id.as_deref();
        let Some(target) = &self.out else {
            let found = baton_c1z::preview_rollback(source, sync_id, self.keep_suspects, &options)
                .map_err(in_known_words)?;
            print_line(
                cx.out,
                &format!(
                    "dry-run: sync {} \u{2014} would delete {} expansion-derived grant(s) and clear sources on {} direct grant(s){}",
                    found.run.id,
                    found.deleted,
                    found.cleared,
                    note(&found, self.keep_suspects),
                ),
            )?;
            return Ok(());
        };
        if target.symlink_metadata().is_ok() {
            return Err(CliError::usage(format!(
                "isolate to --out: copy-isolate-sync: output path ({}) must not exist",
                target.display()
            )));
        }
        let done = if self.replay {
            replayed(cx, sync_id, target, self.keep_suspects, &options)?
        } else {
            baton_c1z::roll_back(source, sync_id, target, self.keep_suspects, &options)
                .map_err(in_known_words)?
        };
        if self.validate {
            let checked = compare(source, target, &done.run.id, cx.process);
            let removed = |error| {
                // The difference is reported; a failure to remove the file is not.
                let _ = std::fs::remove_file(target);
                error
            };
            let same = checked.map_err(removed)?;
            let grants = counted(same.grants as u64, "grant", "grants");
            cx.err.note(format!("sources of {grants} are unchanged"));
            if same.direct_only > 0 {
                let differ = counted(same.direct_only as u64, "of them differs", "of them differ");
                cx.err.note(format!(
                    "{differ} only in which sources are direct, as in files of older writers"
                ));
            }
        }
        if !self.replay {
            cx.err
                .warning("the new file has no derived grants; add them with `baton expand`");
        }
        print_line(
            cx.out,
            &format!(
                "sync {} rolled back: deleted {} expansion-derived grant(s), cleared sources on {} direct grant(s){}; wrote {}{}",
                done.run.id,
                done.deleted,
                done.cleared,
                note(&done, self.keep_suspects),
                target.display(),
                if self.replay {
                    "; replayed expansion"
                } else {
                    ""
                },
            ),
        )?;
        Ok(())
    }
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
    cx: &mut Cx<'_, '_>,
    sync_id: Option<&str>,
    target: &Path,
    keep_suspects: bool,
    options: &RewriteOptions,
) -> Result<RolledBack, CliError> {
    let folder = Scratch::new(options.temp_dir.as_deref())?;
    let between = folder.folder_path().join("rolled-back.c1z");
    let done = baton_c1z::roll_back(cx.file, sync_id, &between, keep_suspects, options)
        .map_err(in_known_words)?;
    let mut expander = GraphExpander::new(ExpandOptions {
        temp_dir: options.temp_dir.clone(),
        ..ExpandOptions::default()
    });
    let id = Some(done.run.id.as_str());
    let expanded = baton_c1z::expand_sync(
        &between,
        id,
        target,
        options,
        MergeSteps::expand(&mut expander),
    )?;
    for warning in &expanded.warnings {
        cx.err.warning(warning.as_str());
    }
    Ok(done)
}

/// Grants whose sources are the same.
struct Same {
    grants: usize,
    /// Of these, grants of which only the marks of direct sources differ.
    direct_only: usize,
}

/// Hashes of the sources of a grant: of their ids alone, and with their marks.
type Sources = (u64, u64);

/// Grants that differ: how many, and the first of them in the order of ids.
#[derive(Default)]
struct Differences {
    count: usize,
    first: BTreeSet<(String, &'static str)>,
}

impl Differences {
    fn add(&mut self, id: &str, how: &'static str) {
        self.count += 1;
        self.first.insert((id.to_owned(), how));
        if self.first.len() > MAX_LISTED {
            self.first.pop_last();
        }
    }

    /// The first line, then one per grant.
    fn lines(&self) -> Vec<String> {
        let first = counted(
            self.count as u64,
            "grant differs after replay:",
            "grants differ after replay:",
        );
        let grants = self
            .first
            .iter()
            .map(|(id, how)| format!("grant \"{id}\": {how}"));
        std::iter::once(first).chain(grants).collect()
    }
}

/// Compares the sources of all grants. Which of them are direct may differ:
/// older writers did not store it. Keeps three numbers per grant, not the grants.
fn compare(
    before: &Path,
    after: &Path,
    sync_id: &str,
    process: &Process,
) -> Result<Same, CliError> {
    let hasher = RandomState::new();
    let hashes = |row: &Row<'_>| -> Sources {
        let sources = sources(row);
        let ids: Vec<&str> = sources.iter().map(|(id, _)| id.as_str()).collect();
        (hasher.hash_one(ids), hasher.hash_one(&sources))
    };
    let mut known = HashMap::new();
    each_grant(before, sync_id, process, &mut |row| {
        known.insert(hasher.hash_one(row.id), hashes(row));
    })?;
    let mut same = Same {
        grants: known.len(),
        direct_only: 0,
    };
    let mut different = Differences::default();
    each_grant(after, sync_id, process, &mut |row| {
        let Some((ids, marked)) = known.remove(&hasher.hash_one(row.id)) else {
            different.add(row.id, "present after replay, absent before");
            return;
        };
        let now = hashes(row);
        if ids != now.0 {
            different.add(row.id, "its sources differ after replay");
        } else if marked != now.1 {
            same.direct_only += 1;
        }
    })?;
    if !known.is_empty() {
        each_grant(before, sync_id, process, &mut |row| {
            if known.contains_key(&hasher.hash_one(row.id)) {
                different.add(row.id, "absent after replay, present before");
            }
        })?;
    }
    if different.count == 0 {
        return Ok(same);
    }
    Err(CliError::Differ {
        lines: different.lines(),
    })
}

fn each_grant(
    path: &Path,
    sync_id: &str,
    process: &Process,
    visit: &mut dyn FnMut(&Row<'_>),
) -> Result<(), CliError> {
    let file = open::open(path, process)?;
    let snapshot = file.view(View::Sync(sync_id))?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_differences_are_counted_and_the_first_ones_kept() {
        let mut different = Differences::default();
        for number in (0..100).rev() {
            different.add(&format!("{number:03}"), "it differs");
        }
        assert_eq!(different.first.len(), MAX_LISTED);
        let lines = different.lines();
        assert_eq!(lines.len(), 1 + MAX_LISTED);
        assert_eq!(lines[0], "100 grants differ after replay:");
        assert_eq!(lines[1], "grant \"000\": it differs");
        assert_eq!(lines[MAX_LISTED], "grant \"019\": it differs");
    }
}
