//! The owner of the page log. Every access is a blocking task of the
//! runtime that takes the log along and brings it back, so that there is one
//! writer, no lock, and simulated time stands still while a file is written.
//!
//! A page survives the end of the process once it is appended. Against the
//! loss of power the log is forced to the device every so often and at the
//! end of each phase; less often would lose more pages, never the log.

use std::sync::Arc;
use std::time::Duration;

use baton_c1z::{ListId, PageHeader, PageLog, RowRef};
use tokio::time::Instant;

use crate::blocking::Blocking;
use crate::check::Checked;
use crate::error::{Error, Result};
use crate::list::OpenList;
use crate::records::{self, Note, Skip};
use crate::sessions::Sessions;

/// Bytes after which the log is forced to the device.
const SYNC_BYTES: u64 = 64 << 20;
/// Time after which the log is forced to the device.
const SYNC_INTERVAL: Duration = Duration::from_secs(5);

/// A page that is about to be stored.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub(crate) list: OpenList,
    pub(crate) page: Checked,
}

/// See the module's header.
#[derive(Debug)]
pub(crate) struct Journal {
    /// Absent only while a blocking task has it, and after one panicked.
    log: Option<PageLog>,
    blocking: Blocking,
    /// What the connector keeps; its changes precede the pages that were
    /// made with them.
    sessions: Arc<Sessions>,
    unsynced_bytes: u64,
    synced_at: Instant,
}

impl Journal {
    pub(crate) fn new(log: PageLog, sessions: Arc<Sessions>, blocking: Blocking) -> Self {
        Self {
            log: Some(log),
            blocking,
            sessions,
            unsynced_bytes: 0,
            synced_at: Instant::now(),
        }
    }

    /// The log itself, to be sealed.
    pub(crate) fn into_log(self) -> Result<PageLog> {
        self.log.ok_or(Error::Journal { what: "the log" })
    }

    /// Runs `work` on the log, off the async threads.
    pub(crate) async fn with<R: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut PageLog) -> Result<R> + Send + 'static,
    ) -> Result<R> {
        let mut log = self.log.take().ok_or(Error::Journal { what: "the log" })?;
        let doing = "working on the page log";
        let work = move || {
            let result = work(&mut log);
            (log, result)
        };
        let (log, result) = self.blocking.run(doing, work).await?;
        self.log = Some(log);
        result
    }

    /// Stores pages, each with what belongs to it, and returns where their
    /// rows are.
    pub(crate) async fn append(
        &mut self,
        pages: Vec<Arrived>,
    ) -> Result<Vec<(Arrived, Vec<RowRef>)>> {
        let changes = self.sessions.take_changes();
        let (stored, bytes) = self
            .with(move |log| {
                let before = log.size_bytes();
                for change in changes {
                    log.mark(records::SESSION, &change)?;
                }
                let mut stored = Vec::with_capacity(pages.len());
                for arrived in pages {
                    let refs = append_page(log, &arrived)?;
                    stored.push((arrived, refs));
                }
                Ok((stored, log.size_bytes().saturating_sub(before)))
            })
            .await?;
        self.unsynced_bytes += bytes;
        self.sync_if_due().await?;
        Ok(stored)
    }

    /// Rows, in the order asked for.
    pub(crate) async fn rows(&mut self, refs: Vec<RowRef>) -> Result<Vec<Vec<u8>>> {
        self.with(move |log| {
            refs.into_iter()
                .map(|at| log.read_row(at).map_err(Error::from))
                .collect()
        })
        .await
    }

    pub(crate) async fn mark(&mut self, kind: &'static str, payload: Vec<u8>) -> Result<()> {
        self.with(move |log| Ok(log.mark(kind, &payload)?)).await
    }

    pub(crate) async fn restart(&mut self, list: ListId, generation: u32) -> Result<()> {
        self.with(move |log| Ok(log.restart_list(&list, generation)?))
            .await
    }

    pub(crate) async fn drop_list(&mut self, list: ListId, skip: &Skip) -> Result<()> {
        let (why, detail) = (skip.drop_reason(), records::to_text(skip));
        self.with(move |log| Ok(log.drop_list(&list, why, &detail)?))
            .await
    }

    /// Forces everything to the device.
    pub(crate) async fn sync(&mut self) -> Result<()> {
        self.with(|log| Ok(log.sync()?)).await?;
        self.unsynced_bytes = 0;
        self.synced_at = Instant::now();
        Ok(())
    }

    async fn sync_if_due(&mut self) -> Result<()> {
        if self.unsynced_bytes >= SYNC_BYTES || self.synced_at.elapsed() >= SYNC_INTERVAL {
            self.sync().await?;
        }
        Ok(())
    }
}

/// Note first, page second: a note without its page means nothing.
fn append_page(log: &mut PageLog, arrived: &Arrived) -> Result<Vec<RowRef>> {
    let Arrived { list, page } = arrived;
    if !(page.facts.is_empty() && page.templates.is_empty()) {
        let note = Note {
            page: records::page_key(&list.id, list.generation, list.page),
            facts: page.facts.clone(),
            templates: page.templates.clone(),
        };
        log.mark(records::NOTE, &note.encode())?;
    }
    let header = PageHeader {
        list: &list.id,
        generation: list.generation,
        page: list.page,
        request_token: &list.token,
        next_token: &page.next,
    };
    Ok(log.append_page(&header, &page.rows)?)
}
