//! Seals into memory: what comes out, compared with what a plain model of
//! the rules says, and the rules one by one.

mod expansion;
mod inserts;
mod model;
mod replace;
mod rules;

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use baton_proto::c1::connector::v2;
use baton_proto::{any, encode};

use super::collect::Form;
use super::format_writer::FormatWriter;
use super::key::Identity;
use super::plan::SealEvent;
use super::sink::{Finished, Sink};
use super::{SealSteps, Written, place, write_rows};
use crate::error::Result;
use crate::log::{Fingerprint, ListId, PageHeader, PageLog, PageRow};
use crate::row::{OwnedRow, Row, Table};
use crate::run::{NewAsset, Stats};
use crate::workdir::WorkDir;

/// A log in a folder of its own.
pub(super) struct Bench {
    /// Removes everything when dropped.
    _folder: tempfile::TempDir,
    pub log: PageLog,
}

pub(super) fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_hours(490_896)
}

pub(super) fn bench() -> Bench {
    let folder = tempfile::tempdir().expect("folder");
    let target = folder.path().join("sync.c1z");
    let dir = WorkDir::locate(&target, None, now()).expect("free");
    let (log, _) = PageLog::open(&dir, &Fingerprint::default(), now(), false).expect("log");
    Bench {
        _folder: folder,
        log,
    }
}

impl Bench {
    pub(super) fn page(&mut self, list: &ListId, generation: u32, page: u32, rows: &[TestRow]) {
        let rows: Vec<_> = rows.iter().map(TestRow::as_page_row).collect();
        let header = PageHeader {
            list,
            generation,
            page,
            request_token: "",
            next_token: "",
        };
        self.log.append_page(&header, &rows).expect("appended");
    }

    /// Seals by the rule of format v1, without expansion.
    pub(super) fn rows(&self) -> Vec<(Table, OwnedRow)> {
        self.seal(Identity::ExternalId, SealSteps::default(), 1 << 20)
            .expect("sealed")
            .1
    }

    pub(super) fn seal(
        &self,
        identity: Identity,
        steps: SealSteps<'_>,
        budget: usize,
    ) -> Result<(Written, Vec<(Table, OwnedRow)>)> {
        let rows = Rc::new(RefCell::new(Vec::new()));
        let taken = Rc::clone(&rows);
        self.log.work_dir().scratch()?;
        let writer = FormatWriter {
            form: match identity {
                Identity::ExternalId => Form::Messages,
                Identity::Tuple => Form::Records {
                    discovered_at: Vec::new(),
                },
            },
            open: Box::new(move || Ok(Box::new(MemorySink { rows: taken }) as Box<dyn Sink>)),
        };
        let place = place(&self.log, budget);
        let written = write_rows(&self.log, writer, &place, &[], steps, &mut |_| {})?;
        Ok((written, rows.take()))
    }
}

struct MemorySink {
    rows: Rc<RefCell<Vec<(Table, OwnedRow)>>>,
}

impl Sink for MemorySink {
    fn set_discovered_at(&mut self, _: prost_types::Timestamp) -> Result<()> {
        Ok(())
    }

    fn put(&mut self, table: Table, row: &Row<'_>) -> Result<()> {
        self.rows.borrow_mut().push((table, row.to_owned()));
        Ok(())
    }

    fn put_asset(&mut self, _: &NewAsset) -> Result<()> {
        Ok(())
    }

    fn finish(self: Box<Self>, _: &mut dyn FnMut(SealEvent)) -> Result<Finished> {
        Ok(Finished {
            path: PathBuf::from(Path::new("memory")),
            stats: Stats::default(),
            removed_syncs: Vec::new(),
        })
    }
}

/// A row with its table.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TestRow(pub Table, pub Vec<u8>);

impl TestRow {
    fn as_page_row(&self) -> PageRow<&[u8]> {
        PageRow::new(self.0, &self.1)
    }
}

fn resource_id(resource_type: &str, resource: &str) -> v2::ResourceId {
    v2::ResourceId {
        resource_type: resource_type.into(),
        resource: resource.into(),
        ..Default::default()
    }
}

fn resource_message((type_id, id): (&str, &str)) -> v2::Resource {
    v2::Resource {
        id: Some(resource_id(type_id, id)),
        ..Default::default()
    }
}

pub(super) fn resource_type(id: &str, name: &str) -> TestRow {
    let message = v2::ResourceType {
        id: id.into(),
        display_name: name.into(),
        ..Default::default()
    };
    TestRow(Table::ResourceTypes, encode::to_vec(&message))
}

pub(super) fn resource(id: (&str, &str), name: &str) -> TestRow {
    let message = v2::Resource {
        display_name: name.into(),
        ..resource_message(id)
    };
    TestRow(Table::Resources, encode::to_vec(&message))
}

fn entitlement_message(resource: (&str, &str), id: &str, name: &str) -> v2::Entitlement {
    v2::Entitlement {
        resource: Some(resource_message(resource)),
        id: id.into(),
        display_name: name.into(),
        ..Default::default()
    }
}

pub(super) fn entitlement(resource: (&str, &str), id: &str, name: &str) -> TestRow {
    let message = entitlement_message(resource, id, name);
    TestRow(Table::Entitlements, encode::to_vec(&message))
}

/// A grant; `note` varies its bytes without changing what it is: once in what
/// it embeds, once in what every format keeps.
pub(super) fn grant_message(
    resource: (&str, &str),
    entitlement: &str,
    principal: (&str, &str),
    id: &str,
    note: &str,
) -> v2::Grant {
    let link = v2::ExternalLink { url: note.into() };
    let annotations = Some(any::pack(&link)).filter(|_| !note.is_empty());
    v2::Grant {
        entitlement: Some(entitlement_message(resource, entitlement, note)),
        principal: Some(resource_message(principal)),
        id: id.into(),
        annotations: annotations.into_iter().collect(),
        ..Default::default()
    }
}

pub(super) fn grant(
    resource: (&str, &str),
    entitlement: &str,
    principal: (&str, &str),
    id: &str,
    note: &str,
) -> TestRow {
    let message = grant_message(resource, entitlement, principal, id, note);
    TestRow(Table::Grants, encode::to_vec(&message))
}

pub(super) fn expandable(mut message: v2::Grant, sources: &[&str]) -> TestRow {
    let annotation = v2::GrantExpandable {
        entitlement_ids: sources.iter().map(ToString::to_string).collect(),
        ..Default::default()
    };
    message.annotations.push(any::pack(&annotation));
    TestRow(Table::Grants, encode::to_vec(&message))
}

/// A small generator of numbers that look random; the same for each seed.
pub(super) struct Numbers(pub u64);

impl Numbers {
    pub(super) fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap_or(0) % n
    }

    pub(super) fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at + 1));
        }
    }
}
