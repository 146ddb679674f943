//! Which rows of the other file are taken, and what they are marked with.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use baton_c1z::{Filter, Format, ListId, PageHeader, PageLog, Row, Table};
use baton_proto::c1::connector::v2;
use baton_proto::field::c1::connector::v2 as field;
use baton_proto::wire;
use prost::Name;
use tokio_util::sync::CancellationToken;

use super::{External, Wanted};
use crate::check::StoredRow;
use crate::digest::{Digests, digest};
use crate::error::{Error, Result};
use crate::event::{Event, Observer, Phase};
use crate::types::Skips;

/// Rows of one page of the log.
const PAGE_ROWS: usize = 1000;
/// Bytes of rows after which a page ends.
const PAGE_BYTES: usize = 4 << 20;

/// Writes rows into the log, page by page.
pub(super) struct Pages<'a> {
    log: &'a mut PageLog,
    list: ListId,
    generation: u32,
    cancel: CancellationToken,
    observer: Arc<dyn Observer>,
    rows: Vec<StoredRow>,
    bytes: usize,
    done: Copied,
}

/// What was written.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Copied {
    pub(super) rows: u64,
    pub(super) pages: u32,
}

impl<'a> Pages<'a> {
    pub(super) fn new(
        log: &'a mut PageLog,
        generation: u32,
        cancel: CancellationToken,
        observer: Arc<dyn Observer>,
    ) -> Self {
        Self {
            log,
            list: ListId::external(),
            generation,
            cancel,
            observer,
            rows: Vec::new(),
            bytes: 0,
            done: Copied::default(),
        }
    }

    fn put(&mut self, row: StoredRow) -> Result<()> {
        self.bytes += row.data.len();
        self.rows.push(row);
        if self.rows.len() < PAGE_ROWS && self.bytes < PAGE_BYTES {
            return Ok(());
        }
        let next = format!("{}", self.done.pages + 1);
        self.append(&next)
    }

    fn append(&mut self, next: &str) -> Result<()> {
        if self.cancel.is_cancelled() {
            return Err(Error::Interrupted {
                phase: Phase::ExternalResources,
            });
        }
        let token = match self.done.pages {
            0 => String::new(),
            page => page.to_string(),
        };
        let header = PageHeader {
            list: &self.list,
            generation: self.generation,
            page: self.done.pages,
            request_token: &token,
            next_token: next,
        };
        self.log.append_page(&header, &self.rows)?;
        self.observer.event(&Event::Page {
            phase: Phase::ExternalResources,
            type_id: String::new(),
            rows: self.rows.len() as u64,
            last: next.is_empty(),
        });
        self.done.rows += self.rows.len() as u64;
        self.done.pages += 1;
        self.rows.clear();
        self.bytes = 0;
        Ok(())
    }

    /// Writes the last page, which may be empty.
    pub(super) fn finish(mut self) -> Result<Copied> {
        self.append("")?;
        Ok(self.done)
    }
}

/// What is known of a type of the other file.
#[derive(Debug, Default)]
struct Kind {
    /// It has a trait that is taken.
    eligible: bool,
    skips: Skips,
}

/// Principals that hold the entitlement of the filter.
#[derive(Debug, Default)]
struct Holders {
    ids: Digests,
    /// Types of those that are in the file.
    types: BTreeSet<String>,
}

pub(super) fn copy(external: &External, wanted: Wanted, pages: &mut Pages<'_>) -> Result<()> {
    let holders = match &external.entitlement {
        Some(id) => Some(external.holders(id)?),
        None => None,
    };
    let mut job = Job {
        external,
        wanted,
        pages,
        holders,
        kinds: BTreeMap::new(),
        described: Digests::default(),
        granted: Digests::default(),
        granting: Digests::default(),
    };
    job.types()?;
    job.resources()?;
    if wanted.entitlements {
        job.entitlements()?;
    }
    if wanted.entitlements && wanted.grants {
        job.grants()?;
    }
    Ok(())
}

impl External {
    fn holders(&self, entitlement: &str) -> Result<Holders> {
        let view = self.view()?;
        let filter = Filter {
            entitlement_id: Some(entitlement),
            ..Filter::default()
        };
        let mut holders = Holders::default();
        let scanned = view.scan(Table::Grants, &filter, &mut |row| {
            let principal = digest(&[row.principal_type_id, row.principal_id]);
            holders.ids.insert(principal);
            Ok(ControlFlow::Continue(()))
        });
        scanned.map_err(|source| self.failed(source))?;
        let all = Filter::default();
        let scanned = view.scan(Table::Resources, &all, &mut |row| {
            let held = holders
                .ids
                .contains(&digest(&[row.resource_type_id, row.resource_id]));
            if held && !holders.types.contains(row.resource_type_id) {
                holders.types.insert(row.resource_type_id.to_owned());
            }
            Ok(ControlFlow::Continue(()))
        });
        scanned.map_err(|source| self.failed(source))?;
        Ok(holders)
    }
}

struct Job<'a, 'l> {
    external: &'a External,
    wanted: Wanted,
    pages: &'a mut Pages<'l>,
    holders: Option<Holders>,
    kinds: BTreeMap<String, Kind>,
    /// Copied resources whose entitlements are copied too.
    described: Digests,
    /// Of these, the ones whose grants are copied.
    granting: Digests,
    /// Copied entitlements whose grants are copied.
    granted: Digests,
}

impl Job<'_, '_> {
    fn types(&mut self) -> Result<()> {
        let external = self.external;
        external.scan(Table::ResourceTypes, &mut |data| {
            let kind: v2::ResourceType = external.decode(data)?;
            let mut traits = external.info.traits.iter().map(|of| *of as i32);
            let eligible = traits.any(|of| kind.traits.contains(&of));
            let held = self
                .holders
                .as_ref()
                .is_none_or(|holders| holders.types.contains(&kind.id));
            if eligible && held {
                self.pages.put(StoredRow::resource_type(data.to_vec()))?;
            }
            let skips = Skips::of(&kind.annotations);
            self.kinds.insert(kind.id, Kind { eligible, skips });
            Ok(())
        })
    }

    /// Under a filter, holders are taken whatever their type is.
    fn takes(&self, type_id: &str, id: &str) -> bool {
        match &self.holders {
            Some(holders) => holders.ids.contains(&digest(&[type_id, id])),
            None => self.kinds.get(type_id).is_some_and(|kind| kind.eligible),
        }
    }

    fn resources(&mut self) -> Result<()> {
        self.rows(Table::Resources, |job, row, data| {
            let (type_id, id) = (row.resource_type_id, row.resource_id);
            if !job.takes(type_id, id) {
                return Ok(());
            }
            let resource: v2::Resource = job.external.decode(data)?;
            let skips = Skips::of(&resource.annotations);
            let of_type = job.kinds.get(type_id).map(|kind| kind.skips);
            let of_type = of_type.unwrap_or_default();
            if !skips.skips_both(of_type) {
                let digest = digest(&[type_id, id]);
                job.described.insert(digest);
                if job.wanted.grants && skips.wants_grants(of_type) {
                    job.granting.insert(digest);
                }
            }
            let data = job.marked::<v2::BatonId>(data, field::resource::ANNOTATIONS)?;
            job.pages.put(StoredRow::resource(data))
        })
    }

    fn entitlements(&mut self) -> Result<()> {
        self.rows(Table::Entitlements, |job, row, data| {
            let on = digest(&[row.resource_type_id, row.resource_id]);
            if !job.described.contains(&on) {
                return Ok(());
            }
            if job.granting.contains(&on) {
                let parts = [row.resource_type_id, row.resource_id, row.id];
                job.granted.insert(digest(&parts));
            }
            let data =
                job.marked::<v2::EntitlementImmutable>(data, field::entitlement::ANNOTATIONS)?;
            job.pages.put(StoredRow::entitlement(data))
        })
    }

    fn grants(&mut self) -> Result<()> {
        // Listing grants of a v1 file does not bring their expansion along
        // (sync-runtime.md §10, trap 10).
        let expandable = self.external.file.format() == Format::V3;
        self.rows(Table::Grants, |job, row, data| {
            let parts = [row.resource_type_id, row.resource_id, row.entitlement_id];
            if !job.granted.contains(&digest(&parts)) {
                return Ok(());
            }
            let mut data = job.marked::<v2::GrantImmutable>(data, field::grant::ANNOTATIONS)?;
            if let Some(expansion) = row.expansion.filter(|_| expandable) {
                let name = v2::GrantExpandable::full_name();
                data = wire::append_annotation(&data, field::grant::ANNOTATIONS, &name, expansion)
                    .map_err(|source| job.external.malformed(source))?;
            }
            job.pages.put(StoredRow::grant(data))
        })
    }

    /// The message with an empty annotation, unless it has that already.
    fn marked<M: Name>(&self, data: &[u8], field: u32) -> Result<Vec<u8>> {
        let name = M::full_name();
        let marked = match wire::has_annotation(data, field, &[&name]) {
            Ok(true) => Ok(data.to_vec()),
            Ok(false) => wire::append_annotation(data, field, &name, &[]),
            Err(source) => Err(source),
        };
        marked.map_err(|source| self.external.malformed(source))
    }

    fn rows(
        &mut self,
        table: Table,
        take: impl Fn(&mut Self, &Row<'_>, &[u8]) -> Result<()>,
    ) -> Result<()> {
        let external = self.external;
        let scanned = external.view()?.scan_whole(table, &mut |row, data| {
            take(self, row, data)?;
            Ok(ControlFlow::Continue(()))
        });
        scanned.map_err(|source| external.failed(source))
    }
}
