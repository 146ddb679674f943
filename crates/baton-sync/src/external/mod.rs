//! Resources of another sync file, to which grants of this sync may lead
//! (sync-runtime.md §1.5).
//!
//! The rows are copied into the log like pages of a connector, so a sync that
//! stops can be resumed, and sealing knows nothing of the other file. Placeholders
//! are matched while sealing, when it is decided which rows count.

mod copy;
mod fold;
mod matching;
mod placeholder;

use std::collections::BTreeSet;
use std::io::Read;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use baton_c1z::{
    C1zFile, Filter, ListId, ReadOptions, Snapshot, SyncRun, SyncType, Table, View, open_regular,
};
use baton_proto::c1::connector::v2::{self, resource_type::Trait};
use prost::{Message, Name};
use sha2::{Digest, Sha256};

use crate::context::Context;
use crate::error::{Error, Result};
use crate::event::{Event, Phase};
use crate::request::{ExternalResources, SyncRequest};

pub(crate) use matching::Matcher;

/// How much of the file is read at a time to hash it.
const READ_BYTES: usize = 256 << 10;
/// Traits that are taken where the request names none.
const DEFAULT_TRAITS: [Trait; 2] = [Trait::User, Trait::Group];

/// The other file, open, and what of it is wanted.
#[derive(Debug)]
pub(crate) struct External {
    path: PathBuf,
    file: C1zFile,
    sync_id: String,
    entitlement: Option<String>,
    pub(crate) info: ExternalInfo,
}

/// What is to be known of the file before and after everything is copied.
#[derive(Debug, Clone)]
pub(crate) struct ExternalInfo {
    /// Traits whose resources are copied and matched.
    pub(crate) traits: BTreeSet<Trait>,
    /// Types of users and groups in the file, whatever is copied.
    pub(crate) known_types: BTreeSet<String>,
    /// What decides what is copied, as text.
    pub(crate) fingerprint: String,
    /// What the user should know about the file.
    pub(crate) warnings: Vec<String>,
}

/// What is left out of the copy, beside what the file leaves out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) entitlements: bool,
    pub(crate) grants: bool,
}

/// The other file's rows, as far as a request takes any.
pub(crate) fn settings(request: &SyncRequest) -> Option<&ExternalResources> {
    let takes = request.targets.is_empty() && !request.skip_full_sync;
    request.external.as_ref().filter(|_| takes)
}

impl External {
    /// Opens the file. Blocks.
    pub(crate) fn open(settings: &ExternalResources, request: &SyncRequest) -> Result<Self> {
        let path = &settings.path;
        let failed = |source| Error::External {
            path: path.clone(),
            source,
        };
        let hash = hash(path)?;
        let options = ReadOptions {
            limits: request.limits.clone(),
            temp_dir: request.temp_dir.clone(),
            ..ReadOptions::default()
        };
        let file = C1zFile::open(path, &options).map_err(failed)?;
        let latest = file.latest_finished(None).cloned();
        let Some(run) = latest else {
            return Err(Error::ExternalUnfinished { path: path.clone() });
        };
        let traits: BTreeSet<Trait> = if settings.traits.is_empty() {
            DEFAULT_TRAITS.into()
        } else {
            settings.traits.iter().copied().collect()
        };
        let entitlement = settings.entitlement_filter.clone();
        let names: Vec<&str> = traits.iter().map(Trait::as_str_name).collect();
        let mut this = Self {
            path: path.clone(),
            info: ExternalInfo {
                fingerprint: crate::records::to_text(&(hash, &entitlement, names)),
                traits,
                known_types: BTreeSet::new(),
                warnings: oddities(&file, path, &run),
            },
            sync_id: run.id,
            file,
            entitlement,
        };
        this.info.known_types = this.users_and_groups()?;
        this.check_entitlement()?;
        Ok(this)
    }

    /// The entitlement of the filter must be there.
    fn check_entitlement(&self) -> Result<()> {
        let Some(id) = &self.entitlement else {
            return Ok(());
        };
        let found = self.view()?.get(Table::Entitlements, id);
        match found.map_err(|source| self.failed(source))? {
            Some(_) => Ok(()),
            None => Err(Error::ExternalEntitlement {
                path: self.path.clone(),
                id: id.clone(),
            }),
        }
    }

    fn users_and_groups(&self) -> Result<BTreeSet<String>> {
        let mut known = BTreeSet::new();
        self.scan(Table::ResourceTypes, &mut |data| {
            let kind = self.decode::<v2::ResourceType>(data)?;
            let wanted = DEFAULT_TRAITS.map(|of| of as i32);
            if kind.traits.iter().any(|of| wanted.contains(of)) {
                known.insert(kind.id);
            }
            Ok(())
        })?;
        Ok(known)
    }

    fn view(&self) -> Result<Snapshot<'_>> {
        self.file
            .view(View::Sync(&self.sync_id))
            .map_err(|source| self.failed(source))
    }

    /// An error of the file; an error of ours is itself.
    fn failed(&self, source: baton_c1z::Error) -> Error {
        Error::own(source).unwrap_or_else(|source| Error::External {
            path: self.path.clone(),
            source,
        })
    }

    fn malformed(&self, source: baton_proto::Error) -> Error {
        Error::Annotation {
            record: format!("a row of {}", self.path.display()),
            source,
        }
    }

    fn decode<M: Message + Name + Default>(&self, data: &[u8]) -> Result<M> {
        decode(data).map_err(|source| self.malformed(source))
    }

    /// Visits the messages of a table; an error of the visitor ends it.
    fn scan(&self, table: Table, visit: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let scanned = self.view()?.scan(table, &Filter::default(), &mut |row| {
            visit(row.data)?;
            Ok(ControlFlow::Continue(()))
        });
        scanned.map_err(|source| self.failed(source))
    }
}

fn decode<M: Message + Name + Default>(data: &[u8]) -> baton_proto::Result<M> {
    M::decode(data).map_err(|source| baton_proto::Error::Decode {
        message: M::full_name(),
        source,
    })
}

/// What makes it doubtful that this is the file and the sync that was meant.
fn oddities(file: &C1zFile, path: &Path, run: &SyncRun) -> Vec<String> {
    let left_out = file.migration().map_or(Vec::new(), |m| m.warnings());
    let mut warnings: Vec<String> = left_out
        .into_iter()
        .map(|warning| format!("{}: {warning}", path.display()))
        .collect();
    if !matches!(run.kind(), Some(SyncType::Full | SyncType::ResourcesOnly)) {
        warnings.push(format!(
            "the newest finished sync in {} is of type {}: external resources that it lacks are \
             not found",
            path.display(),
            run.sync_type
        ));
    }
    warnings
}

fn hash(path: &Path) -> Result<Vec<u8>> {
    let failed = |source| Error::ExternalUnreadable {
        path: path.to_owned(),
        source,
    };
    let mut file = open_regular(path).map_err(|source| Error::External {
        path: path.to_owned(),
        source,
    })?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; READ_BYTES];
    loop {
        match file.read(&mut buffer).map_err(failed)? {
            0 => break,
            n => hasher.update(buffer.get(..n).unwrap_or_default()),
        }
    }
    Ok(hasher.finalize().to_vec())
}

/// Copies the other file's rows into the log, unless an earlier run has done
/// so. A copy that was stopped starts over: it costs no requests.
pub(crate) async fn copy(cx: &mut Context, external: External, wanted: Wanted) -> Result<()> {
    let phase = Phase::ExternalResources;
    if cx.progress.is_done(phase) {
        return Ok(());
    }
    cx.send(&Event::PhaseStarted { phase, lists: None });
    if cx.progress.is_external_copied() {
        return cx.end_phase(phase).await;
    }
    let list = ListId::external();
    let mut open = cx.progress.open(list.clone());
    if open.page > 0 {
        open.restart();
        cx.journal.restart(list.clone(), open.generation).await?;
        cx.progress.restarted(&list, open.generation);
    }
    let generation = open.generation;
    let (cancel, observer) = (cx.cancel.clone(), Arc::clone(&cx.observer));
    let copied = cx.journal.with(move |log| {
        let mut pages = copy::Pages::new(log, generation, cancel, observer);
        copy::copy(&external, wanted, &mut pages)?;
        pages.finish()
    });
    let copied = copied.await?;
    cx.progress.external_copied(copied.rows, copied.pages);
    cx.end_phase(phase).await
}
