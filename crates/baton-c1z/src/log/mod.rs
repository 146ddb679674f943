//! The page log: what the connector has delivered so far, page by page.
//!
//! A page and the checkpoint that it makes true are one checksummed record
//! in one write, so a process that is killed loses only the page in flight.
//! The log knows no storage format and keeps no index; memory grows only
//! with the lists that were restarted or dropped. All calls block.

mod codec;
mod list;
mod open;
mod rows;

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

pub use codec::Rows;
pub use list::{DropReason, ListId, ObjectId, Op};
pub use open::{Damage, Resumed, SetAside};

use crate::error::{Error, Result};
use crate::files::{DataFile, Forward};
use crate::row::Table;
use crate::workdir::WorkDir;
use codec::{Cursor, FRAME_BYTES, Frame, Kind, Malformed};

/// Largest payload of one record, in bytes: one page of a list.
pub const MAX_RECORD_BYTES: usize = 128 << 20;
/// Largest row, in bytes.
pub const MAX_ROW_BYTES: usize = 64 << 20;
/// Longest id or token in a page's header, in bytes.
pub const MAX_TOKEN_BYTES: usize = 1 << 20;
/// How much is read from a log at a time.
const READ_BYTES: usize = 1 << 20;

/// What decides the content of a sync: two runs may share work only if all
/// of it is equal. Keys are free words such as `organization`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fingerprint(pub BTreeMap<String, String>);

/// Where a row is in its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RowRef(u64);

/// What a page is a page of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageHeader<'a> {
    /// The list.
    pub list: &'a ListId,
    /// 0, or the number given to [`PageLog::restart_list`].
    pub generation: u32,
    /// The page's number within the list, from 0.
    pub page: u32,
    /// The token that was sent to get the page; empty for the first.
    pub request_token: &'a str,
    /// The token that came with it; empty on the last page.
    pub next_token: &'a str,
}

/// One row of a page: the bytes of a `c1.connector.v2` message, encoded as
/// Go does or as they came. A grant's `GrantExpandable` is still among its
/// annotations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRow<B> {
    /// The table that the row belongs to.
    pub table: Table,
    /// No list has the row: any listed row of its id wins over it.
    pub added: bool,
    /// The message.
    pub data: B,
}

impl<B> PageRow<B> {
    /// A row of a list.
    pub fn new(table: Table, data: B) -> Self {
        Self {
            table,
            added: false,
            data,
        }
    }

    /// A `ResourceType`.
    pub fn resource_type(data: B) -> Self {
        Self::new(Table::ResourceTypes, data)
    }

    /// A `Resource`.
    pub fn resource(data: B) -> Self {
        Self::new(Table::Resources, data)
    }

    /// An `Entitlement`.
    pub fn entitlement(data: B) -> Self {
        Self::new(Table::Entitlements, data)
    }

    /// A `Grant`.
    pub fn grant(data: B) -> Self {
        Self::new(Table::Grants, data)
    }

    /// The same row as one that no list has. Only resources and entitlements
    /// can be so.
    #[must_use]
    pub fn added(self) -> Self {
        Self {
            added: true,
            ..self
        }
    }
}

impl<B: AsRef<[u8]>> PageRow<B> {
    /// The row with its bytes borrowed.
    pub fn as_bytes(&self) -> PageRow<&[u8]> {
        PageRow {
            table: self.table,
            added: self.added,
            data: self.data.as_ref(),
        }
    }
}

/// A page as it stands in the log.
#[derive(Debug, Clone)]
pub struct LoggedPage<'a> {
    /// What it is a page of.
    pub header: PageHeader<'a>,
    /// How many rows it has.
    pub row_count: u64,
    /// Its rows. They are not looked into unless asked for.
    pub rows: Rows<'a>,
}

/// What happened, in the order in which it was appended.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum LogEvent<'a> {
    /// [`PageLog::append_page`].
    Page(LoggedPage<'a>),
    /// [`PageLog::restart_list`].
    Restarted {
        /// The list.
        list: &'a ListId,
        /// The generation that counts from here on.
        generation: u32,
    },
    /// [`PageLog::drop_list`].
    Dropped {
        /// The list.
        list: &'a ListId,
        /// Why its rows do not count.
        why: DropReason,
        /// The explanation that was given.
        detail: &'a str,
    },
    /// [`PageLog::mark`].
    Marked {
        /// The kind of the mark.
        kind: &'a str,
        /// Its content.
        payload: &'a [u8],
    },
}

/// What is known of a list besides its pages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ListState {
    pub generation: u32,
    pub dropped: Option<DropReason>,
}

/// The append-only log of one sync. See the module's header.
#[derive(Debug)]
pub struct PageLog {
    dir: WorkDir,
    path: PathBuf,
    file: Box<dyn DataFile>,
    /// Offset of the first record.
    start: u64,
    /// Offset behind the last whole record.
    end: u64,
    created: SystemTime,
    /// Ends of records, some megabytes apart.
    milestones: Vec<u64>,
    /// Lists that were restarted or dropped; all others are in generation 0
    /// and count.
    special: HashMap<ListId, ListState>,
    /// The record being built; kept for its capacity.
    record: Vec<u8>,
}

impl PageLog {
    /// Appends a page as one record in one write, and returns where its rows
    /// are. When this returns, a later kill of the process does not lose the
    /// page; for a loss of power see [`PageLog::sync`].
    ///
    /// # Errors
    /// [`Error::Limit`] if the page, a row or a token is too large, and
    /// [`Error::Io`] if the write fails, for example on a full disk. The log
    /// then ends with the record before and can be appended to again.
    pub fn append_page<B: AsRef<[u8]>>(
        &mut self,
        header: &PageHeader<'_>,
        rows: &[PageRow<B>],
    ) -> Result<Vec<RowRef>> {
        check_list(header.list)?;
        check_text("page token", header.request_token)?;
        check_text("page token", header.next_token)?;
        let mut record = std::mem::take(&mut self.record);
        codec::begin(&mut record);
        codec::put_page_header(&mut record, header, rows.len());
        let mut refs = Vec::with_capacity(rows.len());
        for row in rows {
            refs.push(RowRef(self.end + record.len() as u64));
            let row = row.as_bytes();
            limit("row", row.data.len(), MAX_ROW_BYTES)?;
            limit("page", record.len() + row.data.len(), MAX_RECORD_BYTES)?;
            codec::put_row(&mut record, row);
        }
        self.append(record, Kind::Page)?;
        if header.generation > 0 {
            note_generation(&mut self.special, header.list, header.generation);
        }
        Ok(refs)
    }

    /// The list starts over, for example because its cursor died: only
    /// pages of `generation`, or of a later one, count from here on, and an
    /// earlier [`PageLog::drop_list`] no longer does.
    pub fn restart_list(&mut self, list: &ListId, generation: u32) -> Result<()> {
        check_list(list)?;
        let mut record = std::mem::take(&mut self.record);
        codec::begin(&mut record);
        codec::put_list(&mut record, list);
        codec::put_varint(&mut record, generation.into());
        self.append(record, Kind::Restart)?;
        note_generation(&mut self.special, list, generation);
        Ok(())
    }

    /// The list does not count: none of its rows will be in the file, unless
    /// it is restarted later.
    pub fn drop_list(&mut self, list: &ListId, why: DropReason, detail: &str) -> Result<()> {
        check_list(list)?;
        check_text("detail", detail)?;
        let mut record = std::mem::take(&mut self.record);
        codec::begin(&mut record);
        codec::put_list(&mut record, list);
        record.push(why as u8);
        codec::put_bytes(&mut record, detail.as_bytes());
        self.append(record, Kind::Drop)?;
        note_dropped(&mut self.special, list, why);
        Ok(())
    }

    /// Appends a mark of the caller's own, such as the end of a phase.
    pub fn mark(&mut self, kind: &str, payload: &[u8]) -> Result<()> {
        check_text("mark", kind)?;
        limit("mark", payload.len(), MAX_ROW_BYTES)?;
        let mut record = std::mem::take(&mut self.record);
        codec::begin(&mut record);
        codec::put_bytes(&mut record, kind.as_bytes());
        codec::put_bytes(&mut record, payload);
        self.append(record, Kind::Mark)
    }

    /// The bytes of a row that was appended.
    pub fn read_row(&self, at: RowRef) -> Result<Vec<u8>> {
        self.read(at).map(|(_, data)| data)
    }

    fn read(&self, at: RowRef) -> Result<(Table, Vec<u8>)> {
        let available = usize::try_from(self.end.saturating_sub(at.0)).unwrap_or(usize::MAX);
        let mut head = [0; 16];
        let n = available.min(head.len());
        self.file
            .read_exact_at(&mut head[..n], at.0)
            .map_err(|e| Error::io("read", &self.path, e))?;
        let (table, skip, len) = codec::row_frame(&head[..n]).map_err(|Malformed| no_row())?;
        if at.0 < self.start || len > MAX_ROW_BYTES || len > available - skip {
            return Err(no_row());
        }
        let mut data = vec![0; len];
        self.file
            .read_exact_at(&mut data, at.0 + skip as u64)
            .map_err(|e| Error::io("read", &self.path, e))?;
        Ok((table, data))
    }

    /// Returns when everything appended so far is on the device.
    pub fn sync(&mut self) -> Result<()> {
        self.file
            .sync()
            .map_err(|e| Error::io("sync", &self.path, e))
    }

    /// Visits everything that was appended, in that order, reading the file
    /// once from the start in bounded memory.
    pub fn replay(&self, visit: &mut dyn FnMut(LogEvent<'_>) -> Result<()>) -> Result<()> {
        let mut records = self.records();
        let mut list = ListId::default();
        while let Some(record) = records.next()? {
            visit(decode(&record, &mut list).map_err(|Malformed| self.damaged(record.offset))?)?;
        }
        Ok(())
    }

    /// When the log was begun: the start of the sync that it belongs to.
    pub fn created(&self) -> SystemTime {
        self.created
    }

    /// Its size in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.end
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The working folder that it is in.
    pub fn work_dir(&self) -> &WorkDir {
        &self.dir
    }

    fn append(&mut self, mut record: Vec<u8>, kind: Kind) -> Result<()> {
        limit("record", record.len() - FRAME_BYTES, MAX_RECORD_BYTES)?;
        codec::end(&mut record, kind);
        let written = self.file.write_all_at(&record, self.end);
        if let Err(e) = written {
            // Half a record behind the end does no harm: the next append
            // overwrites it, the next open cuts it off.
            let _ = self.file.set_len(self.end);
            return Err(Error::io("write", &self.path, e));
        }
        self.end += record.len() as u64;
        rows::note_milestone(&mut self.milestones, self.start, self.end);
        self.record = record;
        Ok(())
    }

    fn records(&self) -> Records<'_> {
        self.records_in(self.start..self.end)
    }

    fn records_in(&self, part: Range<u64>) -> Records<'_> {
        Records {
            reader: Forward::new(self.file.as_ref(), part.start, part.end, READ_BYTES),
            path: &self.path,
        }
    }

    fn damaged(&self, offset: u64) -> Error {
        Error::LogDamaged {
            path: self.path.clone(),
            offset,
        }
    }
}

/// One record whose checksum holds.
struct Record<'a> {
    kind: Kind,
    payload: &'a [u8],
    /// Offset of the frame.
    offset: u64,
}

impl Record<'_> {
    fn end(&self) -> u64 {
        self.offset + (FRAME_BYTES + self.payload.len()) as u64
    }
}

/// Reads records one after the other.
struct Records<'a> {
    reader: Forward<'a>,
    path: &'a Path,
}

impl Records<'_> {
    /// The next record; `None` at the end.
    fn next(&mut self) -> Result<Option<Record<'_>>> {
        let offset = self.reader.offset();
        if self.reader.remaining() == 0 {
            return Ok(None);
        }
        match self.read() {
            Ok(Some((kind, len))) => {
                let payload = self
                    .reader
                    .take(FRAME_BYTES + len)
                    .map_err(|e| Error::io("read", self.path, e))?
                    .and_then(|bytes| bytes.get(FRAME_BYTES..))
                    .unwrap_or_default();
                Ok(Some(Record {
                    kind,
                    payload,
                    offset,
                }))
            }
            Ok(None) => Err(Error::LogDamaged {
                path: self.path.to_owned(),
                offset,
            }),
            Err(e) => Err(Error::io("read", self.path, e)),
        }
    }

    /// Kind and payload length of the record ahead; `None` if there is no
    /// whole, intact one.
    fn read(&mut self) -> std::io::Result<Option<(Kind, usize)>> {
        let Some(frame) = self.reader.peek(FRAME_BYTES)? else {
            return Ok(None);
        };
        let Ok(frame) = Frame::decode(frame) else {
            return Ok(None);
        };
        if frame.payload_bytes > MAX_RECORD_BYTES {
            return Ok(None);
        }
        let Some(bytes) = self.reader.peek(FRAME_BYTES + frame.payload_bytes)? else {
            return Ok(None);
        };
        let payload = bytes.get(FRAME_BYTES..).unwrap_or_default();
        Ok(frame
            .check(payload)
            .ok()
            .map(|kind| (kind, frame.payload_bytes)))
    }
}

/// Decodes a record; `list` lends its buffers to the event.
fn decode<'a>(
    record: &Record<'a>,
    list: &'a mut ListId,
) -> std::result::Result<LogEvent<'a>, Malformed> {
    let mut at = Cursor::new(record.payload);
    if record.kind != Kind::Mark {
        *list = codec::list(&mut at)?;
    }
    let event = match record.kind {
        Kind::Page => {
            let body = codec::page_body(&mut at)?;
            codec::check_rows(at, body.count)?;
            return Ok(LogEvent::Page(LoggedPage {
                header: PageHeader {
                    list,
                    generation: body.generation,
                    page: body.page,
                    request_token: body.request_token,
                    next_token: body.next_token,
                },
                row_count: body.count,
                rows: Rows::new(at, record.end()),
            }));
        }
        Kind::Restart => LogEvent::Restarted {
            list,
            generation: at.number()?,
        },
        Kind::Drop => LogEvent::Dropped {
            list,
            why: codec::reason(at.byte()?)?,
            detail: at.text()?,
        },
        Kind::Mark => LogEvent::Marked {
            kind: at.text()?,
            payload: {
                let len = at.length()?;
                at.bytes(len)?
            },
        },
    };
    if at.rest().is_empty() {
        Ok(event)
    } else {
        Err(Malformed)
    }
}

fn note_generation(special: &mut HashMap<ListId, ListState>, list: &ListId, generation: u32) {
    let state = special.entry(list.clone()).or_default();
    if generation > state.generation {
        *state = ListState {
            generation,
            dropped: None,
        };
    }
}

fn note_dropped(special: &mut HashMap<ListId, ListState>, list: &ListId, why: DropReason) {
    special.entry(list.clone()).or_default().dropped = Some(why);
}

fn no_row() -> Error {
    Error::Argument {
        what: "row reference",
        reason: "there is no such row in the log",
    }
}

fn check_list(list: &ListId) -> Result<()> {
    list.parts()
        .iter()
        .try_for_each(|part| check_text("id", part))
}

fn check_text(what: &'static str, text: &str) -> Result<()> {
    limit(what, text.len(), MAX_TOKEN_BYTES)
}

fn limit(what: &'static str, bytes: usize, limit: usize) -> Result<()> {
    if bytes > limit {
        return Err(Error::Limit {
            what,
            limit: limit as u64,
        });
    }
    Ok(())
}
