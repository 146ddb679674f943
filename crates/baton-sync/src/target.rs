//! The file to be written, checked before the first request: whether
//! it can be written, what it holds, and whether another process writes it.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use baton_c1z::{
    C1zFile, Detected, Filter, Format, ReadOptions, RunPaths, Snapshot, Stats, SyncType, Table,
    Use, View, WorkDir, check_target, detect,
};
use baton_proto::c1::connector::v2::{self, resource_type::Trait};
use baton_proto::field::c1::connector::v2 as field;
use baton_proto::wire;
use prost::{Message, Name};

use crate::error::{Error, Result};
use crate::request::SyncRequest;
use crate::types::TypeFacts;

/// What the last finished sync in the target was.
#[derive(Debug, Clone, Default)]
pub(crate) struct Previous {
    pub(crate) stats: Stats,
    /// Its resources by type, without those that came from another file.
    own: BTreeMap<String, i64>,
    types: BTreeMap<String, TypeFacts>,
    /// Id of the newest finished full sync.
    pub(crate) latest_full: Option<String>,
}

impl Previous {
    /// How many resources of types with a trait it had, types outside
    /// `wanted` left out.
    pub(crate) fn count(&self, of: Trait, wanted: impl Fn(&str) -> bool) -> u64 {
        let counts = self.own.iter();
        counts
            .filter(|(id, _)| wanted(id) && self.types.get(*id).is_some_and(|f| f.has(of)))
            .map(|(_, count)| u64::try_from(*count).unwrap_or(0))
            .sum()
    }
}

/// A target that can be written, and is ours until this is dropped.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) dir: WorkDir,
    pub(crate) previous: Option<Previous>,
    /// The format to write.
    pub(crate) format: Format,
    /// What the user should know about that.
    pub(crate) warning: Option<String>,
    /// Working folders of others, long abandoned, that have been removed.
    pub(crate) orphans: Vec<PathBuf>,
}

impl Target {
    /// Looks, locks and opens. Blocks.
    pub(crate) fn check(request: &SyncRequest, now: SystemTime) -> Result<Self> {
        let path = &request.target;
        // What is not a sync file is not touched before anything is made beside it.
        check_target(path)?;
        detect(path)?;
        if let Some(external) = &request.external {
            let mut run = RunPaths::new();
            run.add_target("sync file", path, request.temp_dir.as_deref())?;
            run.add_target(
                "partial sync file",
                &partial_path(path),
                request.temp_dir.as_deref(),
            )?;
            run.add("file of external resources", &external.path, Use::Read)?;
        }
        let files = Arc::clone(&request.files);
        let dir = WorkDir::locate_on(files, path, request.temp_dir.as_deref(), now)?;
        let looked = Self::look(request, dir.clone(), now);
        if looked.is_err() {
            discard_if_new(&dir);
        }
        looked
    }

    /// Looks at a target that is locked, so that it stays as it is.
    fn look(request: &SyncRequest, dir: WorkDir, now: SystemTime) -> Result<Self> {
        let detected = detect(&request.target)?;
        if request.temp_dir.is_some() {
            // Without one, making the working folder has shown the same.
            check_folder(dir.target())?;
        }
        let previous = match detected {
            Detected::V1 | Detected::V3 => read_previous(request)?,
            Detected::Missing | Detected::Empty => None,
        };
        let (format, mut warning) = format_of(detected, request.format);
        if detected == Detected::V3 && format == Format::V3 && !request.targets.is_empty() {
            warning = Some(
                "the file is of format v3, which holds one sync: the one that it held is replaced \
                 by this partial one"
                    .to_owned(),
            );
        }
        let files = request.files.as_ref();
        Ok(Self {
            format,
            warning,
            orphans: dir
                .path()
                .parent()
                .map(|folder| WorkDir::remove_orphans(files, folder, now))
                .unwrap_or_default(),
            dir,
            previous,
        })
    }
}

/// The format to write, and what is odd about it (c1z specification §0): a
/// file keeps its own, unless a v1 file is asked to become v3.
fn format_of(found: Detected, asked: Option<Format>) -> (Format, Option<String>) {
    match (found, asked) {
        (Detected::Missing | Detected::Empty, asked) => (asked.unwrap_or(Format::V1), None),
        (Detected::V1, Some(Format::V3)) => (
            Format::V3,
            Some(
                "the file was converted to format v3, as the storage engine pebble was asked for; \
                 it holds this sync only, and the earlier ones are gone"
                    .to_owned(),
            ),
        ),
        (Detected::V1, _) => (Format::V1, None),
        (Detected::V3, Some(Format::V1)) => (
            Format::V3,
            Some(
                "the file is of format v3 and stays so, though the storage engine sqlite was \
                 asked for"
                    .to_owned(),
            ),
        ),
        (Detected::V3, _) => (Format::V3, None),
    }
}

/// Removes the working folder unless an earlier run has left work in it.
pub(crate) fn discard_if_new(dir: &WorkDir) {
    if !dir.has_work() {
        // What cannot be removed is an empty folder that the next run uses.
        let _ = dir.remove();
    }
}

fn check_folder(target: &Path) -> Result<()> {
    let folder = target.parent().unwrap_or(Path::new("."));
    tempfile::tempfile_in(folder)
        .map(drop)
        .map_err(|source| Error::Folder {
            path: folder.to_owned(),
            source,
        })
}

fn read_previous(request: &SyncRequest) -> Result<Option<Previous>> {
    let options = ReadOptions {
        limits: request.limits.clone(),
        temp_dir: request.temp_dir.clone(),
        ..ReadOptions::default()
    };
    let file = C1zFile::open(&request.target, &options)?;
    let kinds = [SyncType::Full, SyncType::ResourcesOnly];
    let Some(run) = file.latest_finished(Some(&kinds)) else {
        return Ok(None);
    };
    let snapshot = file.view(View::Sync(&run.id))?;
    let mut types = BTreeMap::new();
    snapshot.scan(Table::ResourceTypes, &Filter::default(), &mut |row| {
        // A type that cannot be decoded has no traits that we know of.
        if let Ok(kind) = v2::ResourceType::decode(row.data) {
            types.insert(row.id.to_owned(), TypeFacts::of(&kind));
        }
        Ok(ControlFlow::Continue(()))
    })?;
    let stats = match &run.stats {
        Some(stats) => stats.clone(),
        None => snapshot.stats()?,
    };
    let mut own = stats.resources_by_type.clone();
    for id in types.keys() {
        if is_copied(&snapshot, id)? {
            own.insert(id.clone(), count_own(&snapshot, id)?);
        }
    }
    let latest_full = file.latest_finished(Some(&[SyncType::Full]));
    Ok(Some(Previous {
        stats,
        own,
        types,
        latest_full: latest_full.map(|run| run.id.clone()),
    }))
}

/// Whether the first resource of a type came from another file, and
/// is no evidence of what the connector found.
fn is_copied(snapshot: &Snapshot<'_>, type_id: &str) -> Result<bool> {
    let filter = Filter {
        resource_type_id: Some(type_id),
        ..Filter::default()
    };
    let page = snapshot.page(Table::Resources, &filter, 1, None)?;
    Ok(page.rows.first().is_some_and(|row| is_marked(&row.data)))
}

fn is_marked(resource: &[u8]) -> bool {
    let name = v2::BatonId::full_name();
    // What cannot be read is not marked.
    wire::has_annotation(resource, field::resource::ANNOTATIONS, &[&name]).unwrap_or(false)
}

/// How many resources of a type are the connector's own.
fn count_own(snapshot: &Snapshot<'_>, type_id: &str) -> Result<i64> {
    let filter = Filter {
        resource_type_id: Some(type_id),
        ..Filter::default()
    };
    let mut own = 0;
    snapshot.scan(Table::Resources, &filter, &mut |row| {
        own += i64::from(!is_marked(row.data));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(own)
}

/// Where a partial result goes: `sync.c1z` becomes `sync.partial.c1z`.
pub fn partial_path(target: &Path) -> PathBuf {
    let mut name = target.file_stem().unwrap_or_default().to_owned();
    name.push(".partial");
    if let Some(extension) = target.extension() {
        name.push(".");
        name.push(extension);
    }
    target.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_keeps_its_format_unless_v3_is_asked_for() {
        let format = |found, asked| {
            let (format, warning) = format_of(found, asked);
            (format, warning.is_some())
        };
        let (v1, v3) = (Some(Format::V1), Some(Format::V3));
        for (found, asked, expected) in [
            (Detected::Missing, None, (Format::V1, false)),
            (Detected::Missing, v3, (Format::V3, false)),
            (Detected::Empty, v1, (Format::V1, false)),
            (Detected::V1, None, (Format::V1, false)),
            (Detected::V1, v3, (Format::V3, true)),
            (Detected::V3, None, (Format::V3, false)),
            (Detected::V3, v1, (Format::V3, true)),
            (Detected::V3, v3, (Format::V3, false)),
        ] {
            assert_eq!(format(found, asked), expected, "{found:?} {asked:?}");
        }
    }

    #[test]
    fn a_partial_file_lies_beside_the_target() {
        for (target, partial) in [
            ("/a/sync.c1z", "/a/sync.partial.c1z"),
            ("sync", "sync.partial"),
            ("/a.b/x.y.c1z", "/a.b/x.y.partial.c1z"),
            (".c1z", ".c1z.partial"),
        ] {
            assert_eq!(partial_path(Path::new(target)), Path::new(partial));
        }
    }

    #[test]
    fn only_wanted_types_with_the_trait_are_counted() {
        let user = TypeFacts {
            traits: vec![Trait::User as i32],
            ..TypeFacts::default()
        };
        let previous = Previous {
            stats: Stats::default(),
            own: [("user", 3), ("guest", 2), ("team", 7)]
                .map(|(id, n)| (id.to_owned(), n))
                .into(),
            types: [
                ("user".to_owned(), user.clone()),
                ("guest".to_owned(), user),
                ("team".to_owned(), TypeFacts::default()),
            ]
            .into(),
            latest_full: None,
        };
        assert_eq!(previous.count(Trait::User, |_| true), 5);
        assert_eq!(previous.count(Trait::User, |id| id == "user"), 3);
        assert_eq!(previous.count(Trait::Group, |_| true), 0);
    }
}
