//! Which two syncs are compared.

use std::path::{Path, PathBuf};

use baton_c1z::{C1zFile, Snapshot, SyncRun, SyncType, View};
use baton_query::Finder;
use baton_query::diff::Sides;

use super::Cx;
use crate::commands::filters::or_warning;
use crate::error::CliError;
use crate::open;

/// The open files.
pub(super) struct Chosen {
    /// The old file; `None`: the new one holds both syncs.
    old: Option<(PathBuf, C1zFile)>,
    new: (PathBuf, C1zFile),
}

impl Chosen {
    /// Both syncs are in the file of the command.
    pub fn of_one(cx: &mut Cx<'_, '_>) -> Result<Self, CliError> {
        Ok(Self {
            old: None,
            new: opened(cx.file, cx)?,
        })
    }

    /// Each sync is in a file of its own, also if it is the same one.
    pub fn of_two(old: &Path, new: &Path, cx: &mut Cx<'_, '_>) -> Result<Self, CliError> {
        Ok(Self {
            old: Some(opened(old, cx)?),
            new: opened(new, cx)?,
        })
    }

    /// The paths of the old side and of the new one.
    pub fn paths(&self) -> [&Path; 2] {
        let (new, _) = &self.new;
        [self.old.as_ref().map_or(new, |(path, _)| path), new]
    }

    /// The syncs with these ids, of the old side and of the new one, or those
    /// that are meant where none is given.
    pub fn sides(
        &self,
        [old_id, new_id]: [Option<&str>; 2],
        cx: &mut Cx<'_, '_>,
    ) -> Result<Sides<'_>, CliError> {
        let (new_path, new_file) = &self.new;
        let Some((old_path, old_file)) = &self.old else {
            let new = match new_id {
                Some(id) => open::view(new_file, new_path, Some(id), cx.process, cx.err)?,
                None => newest_full(new_file)?.ok_or_else(no_syncs)?,
            };
            let old = match old_id {
                Some(id) => open::view(new_file, new_path, Some(id), cx.process, cx.err)?,
                None => full_before(new_file, &new)?.ok_or_else(single_sync)?,
            };
            return Ok(Sides { old, new });
        };
        Ok(Sides {
            old: of_file(old_file, old_path, old_id, cx)?,
            new: of_file(new_file, new_path, new_id, cx)?,
        })
    }
}

impl Chosen {
    /// The id of a resource that the user names by its id or by a name: of either side, as what
    /// was removed or added is only in one. What neither side has is a warning.
    pub fn resource(
        &self,
        sides: &Sides<'_>,
        type_id: &str,
        wanted: &str,
        cx: &mut Cx<'_, '_>,
    ) -> Result<String, CliError> {
        let [old, new] = self.paths();
        let mut named = None;
        let mut warning = None;
        for (side, path) in [(&sides.new, new), (&sides.old, old)] {
            match or_warning(Finder::new(side, path).resource(type_id, wanted))? {
                // An id wins over a name, also over one of the other side.
                Ok(row) if row.resource_id == wanted => return Ok(row.resource_id),
                Ok(row) => named = named.or(Some(row.resource_id)),
                // Several rows have the id.
                Err(None) => return Ok(wanted.to_owned()),
                Err(text) => warning = warning.or(text),
            }
        }
        if let (None, Some(warning)) = (&named, warning) {
            cx.err.warning(warning);
        }
        Ok(named.unwrap_or_else(|| wanted.to_owned()))
    }
}

/// The sync with this id, else the newest finished full one.
fn of_file<'f>(
    file: &'f C1zFile,
    path: &Path,
    id: Option<&str>,
    cx: &mut Cx<'_, '_>,
) -> Result<Snapshot<'f>, CliError> {
    if let Some(id) = id {
        return open::view(file, path, Some(id), cx.process, cx.err);
    }
    newest_full(file)?.ok_or_else(|| CliError::Usage {
        message: format!("{} has no finished full sync", path.display()),
        hint: Some("choose a sync with --sync-id or --other-sync-id".to_owned()),
    })
}

fn opened(path: &Path, cx: &mut Cx<'_, '_>) -> Result<(PathBuf, C1zFile), CliError> {
    let file = open::open(path, cx.process)?;
    open::warn_of_migration(path, file.migration(), cx.err);
    Ok((path.to_owned(), file))
}

/// The newest finished full sync of a file.
fn newest_full(file: &C1zFile) -> Result<Option<Snapshot<'_>>, CliError> {
    let run = file.latest_finished(Some(&[SyncType::Full]));
    Ok(run.map(|run| file.view(View::Sync(&run.id))).transpose()?)
}

/// The newest finished full sync that ended before this one.
fn full_before<'f>(
    file: &'f C1zFile,
    new: &Snapshot<'_>,
) -> Result<Option<Snapshot<'f>>, CliError> {
    let Some(new) = new.sync() else {
        return Ok(None);
    };
    let age = |run: &SyncRun| {
        let ended = run.ended_at.map(|at| (at.seconds, at.nanos));
        (ended, run.id.clone())
    };
    // An unfinished sync is newer than all finished ones.
    let is_before = |run: &&SyncRun| {
        run.id != new.id
            && run.is_finished()
            && run.sync_type == SyncType::Full.as_str()
            && (!new.is_finished() || age(run) < age(new))
    };
    let run = file
        .sync_runs()
        .iter()
        .filter(is_before)
        .max_by_key(|run| age(run));
    Ok(run.map(|run| file.view(View::Sync(&run.id))).transpose()?)
}

/// The Go tool's words.
fn no_syncs() -> CliError {
    CliError::Usage {
        message: "no syncs found - cannot diff".to_owned(),
        hint: Some("only finished full syncs count; list them with `baton syncs`".to_owned()),
    }
}

/// The Go tool's words.
fn single_sync() -> CliError {
    CliError::Usage {
        message: "cannot diff single sync run".to_owned(),
        hint: Some(
            "compare with another file: `baton diff old.c1z new.c1z`; or name the old sync \
             with --other-sync-id"
                .to_owned(),
        ),
    }
}
