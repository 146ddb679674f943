//! The bytes of the page log: header, records, pages.
//!
//! A record is `length u32 | crc32 u32 | kind u8 | payload`, all little
//! endian; the checksum covers length, kind and payload, and the length
//! counts the payload only. Decoding trusts nothing: whatever the bytes are,
//! the answer is a value or [`Malformed`], and no allocation is larger than
//! the input.

use std::collections::BTreeMap;

use super::list::{DropReason, ListId, Op};
use super::{PageHeader, PageRow, RowRef};
use crate::row::Table;

/// Bytes of a record before its payload.
pub(super) const FRAME_BYTES: usize = 9;
/// Bytes of the header before its payload.
pub(super) const HEADER_FRAME_BYTES: usize = 20;
const MAGIC: &[u8; 8] = b"BATONLOG";
/// Raised whenever the bytes of a log mean something else than before.
const LAYOUT_VERSION: u32 = 4;
/// Beside the number of a row's table: no list has the row.
const ADDED: u8 = 0x80;
/// Largest payload of the header, in bytes.
pub(super) const MAX_HEADER_BYTES: usize = 1 << 20;

/// The bytes do not follow the layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Page = 1,
    Restart = 2,
    Drop = 3,
    Mark = 4,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Page, Self::Restart, Self::Drop, Self::Mark];

    fn of(byte: u8) -> Result<Self, Malformed> {
        Self::ALL
            .into_iter()
            .find(|k| *k as u8 == byte)
            .ok_or(Malformed)
    }
}

/// A record's frame.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub payload_bytes: usize,
    crc: u32,
    kind: u8,
}

impl Frame {
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut at = Cursor::new(bytes);
        Ok(Self {
            payload_bytes: usize::try_from(at.u32()?).map_err(|_| Malformed)?,
            crc: at.u32()?,
            kind: at.byte()?,
        })
    }

    /// The record's kind, if the checksum holds over `payload`.
    pub(super) fn check(&self, payload: &[u8]) -> Result<Kind, Malformed> {
        if self.crc != checksum(self.kind, payload) {
            return Err(Malformed);
        }
        Kind::of(self.kind)
    }
}

fn checksum(kind: u8, payload: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&(payload.len() as u64).to_le_bytes());
    crc.update(&[kind]);
    crc.update(payload);
    crc.finalize()
}

/// Starts a record in `out`, which is cleared: room for the frame.
pub(super) fn begin(out: &mut Vec<u8>) {
    out.clear();
    out.resize(FRAME_BYTES, 0);
}

/// Fills in the frame over what was put behind it. The caller has checked
/// that the payload is not longer than the limit of a record, which fits.
pub(super) fn end(out: &mut [u8], kind: Kind) {
    let Some((frame, payload)) = out.split_at_mut_checked(FRAME_BYTES) else {
        return;
    };
    let len = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    frame[..4].copy_from_slice(&len.to_le_bytes());
    frame[4..8].copy_from_slice(&checksum(kind as u8, payload).to_le_bytes());
    frame[8] = kind as u8;
}

/// The whole header of a log.
pub(super) fn header(created_secs: u64, fingerprint: &BTreeMap<String, String>) -> Vec<u8> {
    let mut payload = Vec::new();
    put_varint(&mut payload, created_secs);
    put_varint(&mut payload, fingerprint.len() as u64);
    for (key, value) in fingerprint {
        put_bytes(&mut payload, key.as_bytes());
        put_bytes(&mut payload, value.as_bytes());
    }
    let mut out = Vec::with_capacity(HEADER_FRAME_BYTES + payload.len());
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&LAYOUT_VERSION.to_le_bytes());
    let len = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(&checksum(0, &payload).to_le_bytes());
    out.extend_from_slice(&payload);
    out
}

/// The header of a log.
pub(super) enum HeaderFrame {
    Ours { payload_bytes: usize, crc: u32 },
    OtherLayout,
}

/// Reads the fixed part of the header.
pub(super) fn header_frame(bytes: &[u8]) -> Result<HeaderFrame, Malformed> {
    let mut at = Cursor::new(bytes);
    if at.bytes(MAGIC.len())? != MAGIC {
        return Err(Malformed);
    }
    if at.u32()? != LAYOUT_VERSION {
        return Ok(HeaderFrame::OtherLayout);
    }
    let payload_bytes = usize::try_from(at.u32()?).map_err(|_| Malformed)?;
    let crc = at.u32()?;
    if payload_bytes > MAX_HEADER_BYTES {
        return Err(Malformed);
    }
    Ok(HeaderFrame::Ours { payload_bytes, crc })
}

/// Reads the rest of the header: creation time and fingerprint.
pub(super) fn header_payload(
    payload: &[u8],
    crc: u32,
) -> Result<(u64, BTreeMap<String, String>), Malformed> {
    if checksum(0, payload) != crc {
        return Err(Malformed);
    }
    let mut at = Cursor::new(payload);
    let created = at.varint()?;
    let count = at.varint()?;
    let mut map = BTreeMap::new();
    for _ in 0..count {
        let key = at.text()?.to_owned();
        map.insert(key, at.text()?.to_owned());
    }
    Ok((created, map))
}

/// Appends a page's payload up to its rows.
pub(super) fn put_page_header(out: &mut Vec<u8>, header: &PageHeader<'_>, rows: usize) {
    put_list(out, header.list);
    put_varint(out, header.generation.into());
    put_varint(out, header.page.into());
    put_bytes(out, header.request_token.as_bytes());
    put_bytes(out, header.next_token.as_bytes());
    put_varint(out, rows as u64);
}

/// Appends one row.
pub(super) fn put_row(out: &mut Vec<u8>, row: PageRow<&[u8]>) {
    let added = if row.added { ADDED } else { 0 };
    out.push(table_byte(row.table) | added);
    put_bytes(out, row.data);
}

pub(super) fn put_list(out: &mut Vec<u8>, list: &ListId) {
    out.push(list.op() as u8);
    for part in list.parts() {
        put_bytes(out, part.as_bytes());
    }
}

pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

pub(super) fn put_varint(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n.to_le_bytes()[0] | 0x80);
        n >>= 7;
    }
    out.push(n.to_le_bytes()[0]);
}

fn table_byte(table: Table) -> u8 {
    match table {
        Table::ResourceTypes => 0,
        Table::Resources => 1,
        Table::Entitlements => 2,
        Table::Grants => 3,
    }
}

/// Reads the list of a page, restart or drop record, and leaves `at` behind it.
pub(super) fn list(at: &mut Cursor<'_>) -> Result<ListId, Malformed> {
    let op = *Op::ALL.get(usize::from(at.byte()?)).ok_or(Malformed)?;
    let mut parts = [""; 6];
    for part in &mut parts {
        *part = at.text()?;
    }
    ListId::of_parts(op, parts).ok_or(Malformed)
}

pub(super) fn reason(byte: u8) -> Result<DropReason, Malformed> {
    DropReason::ALL
        .get(usize::from(byte))
        .copied()
        .ok_or(Malformed)
}

/// The part of a page's payload behind its list.
#[derive(Debug, Clone, Copy)]
pub(super) struct PageBody<'a> {
    pub generation: u32,
    pub page: u32,
    pub request_token: &'a str,
    pub next_token: &'a str,
    /// Number of rows according to the record.
    pub count: u64,
}

/// Reads what stands between a page's list and its rows.
pub(super) fn page_body<'a>(at: &mut Cursor<'a>) -> Result<PageBody<'a>, Malformed> {
    Ok(PageBody {
        generation: at.number()?,
        page: at.number()?,
        request_token: at.text()?,
        next_token: at.text()?,
        count: at.varint()?,
    })
}

/// Checks that exactly `count` rows follow, so that [`Rows`] cannot fail.
pub(super) fn check_rows(mut at: Cursor<'_>, count: u64) -> Result<(), Malformed> {
    for _ in 0..count {
        row(&mut at)?;
    }
    if at.rest().is_empty() {
        Ok(())
    } else {
        Err(Malformed)
    }
}

fn row<'a>(at: &mut Cursor<'a>) -> Result<PageRow<&'a [u8]>, Malformed> {
    let first = at.byte()?;
    let table = table_of(first)?;
    let added = is_added(first);
    if added && !matches!(table, Table::Resources | Table::Entitlements) {
        return Err(Malformed);
    }
    let len = at.length()?;
    let data = at.bytes(len)?;
    Ok(PageRow { table, added, data })
}

fn table_of(first: u8) -> Result<Table, Malformed> {
    let table = first & !ADDED;
    let mut tables = Table::ALL.into_iter();
    tables.find(|t| table_byte(*t) == table).ok_or(Malformed)
}

/// Whether no list has the row that begins with this byte.
pub(super) fn is_added(first: u8) -> bool {
    first & ADDED != 0
}

/// Reads what a row begins with: its table, how many bytes that took, and how
/// many bytes follow.
pub(super) fn row_frame(bytes: &[u8]) -> Result<(Table, usize, usize), Malformed> {
    let mut at = Cursor::new(bytes);
    let table = table_of(at.byte()?)?;
    let len = at.length()?;
    Ok((table, bytes.len() - at.rest().len(), len))
}

/// The rows of a page, in the page's order.
#[derive(Debug, Clone)]
pub struct Rows<'a> {
    at: Cursor<'a>,
    /// Offset in the log of the end of the page's payload.
    end: u64,
}

impl<'a> Rows<'a> {
    pub(super) fn new(at: Cursor<'a>, end: u64) -> Self {
        Self { at, end }
    }
}

impl<'a> Iterator for Rows<'a> {
    type Item = (RowRef, PageRow<&'a [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        let offset = self.end - self.at.rest().len() as u64;
        // The rows were checked as a whole; at the end this reads nothing.
        let row = row(&mut self.at).ok()?;
        Some((RowRef(offset), row))
    }
}

/// A position in borrowed bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(super) fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn bytes(&mut self, n: usize) -> Result<&'a [u8], Malformed> {
        let (head, rest) = self.rest.split_at_checked(n).ok_or(Malformed)?;
        self.rest = rest;
        Ok(head)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Malformed> {
        let (first, rest) = self.rest.split_first().ok_or(Malformed)?;
        self.rest = rest;
        Ok(*first)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Malformed> {
        let (head, rest) = self.rest.split_first_chunk().ok_or(Malformed)?;
        self.rest = rest;
        Ok(u32::from_le_bytes(*head))
    }

    pub(super) fn varint(&mut self) -> Result<u64, Malformed> {
        let mut n = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let low = u64::from(byte & 0x7f);
            if shift == 63 && low > 1 {
                return Err(Malformed);
            }
            n |= low << shift;
            if byte < 0x80 {
                return Ok(n);
            }
        }
        Err(Malformed)
    }

    pub(super) fn number(&mut self) -> Result<u32, Malformed> {
        u32::try_from(self.varint()?).map_err(|_| Malformed)
    }

    pub(super) fn length(&mut self) -> Result<usize, Malformed> {
        usize::try_from(self.varint()?).map_err(|_| Malformed)
    }

    pub(super) fn text(&mut self) -> Result<&'a str, Malformed> {
        let len = self.length()?;
        std::str::from_utf8(self.bytes(len)?).map_err(|_| Malformed)
    }
}
