//! B-trees of SQLite, built from rows that come in order: each page is
//! written once, full, and the pages above it follow when they are full
//! themselves (SQLite file format §1.6).

use crate::error::Result;

use super::pages::{PAGE_BYTES, Pages};
use super::record::push_varint;

const LEAF_HEADER: usize = 8;
const INTERIOR_HEADER: usize = 12;
const POINTER: usize = 2;
const CHILD: usize = 4;
/// Most of a payload that lies in a leaf of a table; in any page of an index.
const TABLE_LOCAL: usize = PAGE_BYTES - 35;
const INDEX_LOCAL: usize = (PAGE_BYTES - 12) * 64 / 255 - 23;
/// Least of a payload that stays when the rest overflows.
const MIN_LOCAL: usize = (PAGE_BYTES - 12) * 32 / 255 - 23;
/// Bytes of payload in an overflow page.
const OVERFLOW: usize = PAGE_BYTES - 4;

/// What a tree holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Rows by number.
    Table,
    /// Records in their own order.
    Index,
}

/// A tree under construction. Its root page exists already, and is empty.
#[derive(Debug)]
pub(super) struct Tree {
    kind: Kind,
    root: u32,
    /// The leaves first.
    levels: Vec<Level>,
    /// The cell being made, and the one that goes to the level above.
    cell: Vec<u8>,
    cell_above: Vec<u8>,
}

/// The pages of one level that are not written yet: their cells, for
/// interior pages each with the child to its left.
#[derive(Debug, Default)]
struct Level {
    cells: Vec<Cell>,
    bytes: Vec<u8>,
    /// What the cells take in pages.
    cost: usize,
}

#[derive(Debug, Clone, Copy)]
struct Cell {
    child: u32,
    start: usize,
    len: usize,
    /// Number of the row (leaves of tables only).
    row: u64,
}

impl Level {
    fn push(&mut self, child: u32, cell: &[u8], row: u64, is_leaf: bool) {
        self.cells.push(Cell {
            child,
            start: self.bytes.len(),
            len: cell.len(),
            row,
        });
        self.bytes.extend_from_slice(cell);
        self.cost += cost(cell.len(), is_leaf);
    }

    /// How many of the first cells take no more than so many bytes.
    fn fitting(&self, bytes: usize, is_leaf: bool) -> usize {
        let mut left = bytes;
        let fits = |cell: &&Cell| match left.checked_sub(cost(cell.len, is_leaf)) {
            Some(rest) => {
                left = rest;
                true
            }
            None => false,
        };
        self.cells.iter().take_while(fits).count()
    }

    /// Forgets the first cells.
    fn drain(&mut self, count: usize, is_leaf: bool) {
        for cell in self.cells.drain(..count) {
            self.cost -= cost(cell.len, is_leaf);
        }
        let start = self
            .cells
            .first()
            .map_or(self.bytes.len(), |cell| cell.start);
        self.bytes.drain(..start);
        for cell in &mut self.cells {
            cell.start -= start;
        }
    }

    fn bytes_of(&self, cell: &Cell) -> &[u8] {
        // Every cell was made when its bytes were put there.
        &self.bytes[cell.start..][..cell.len]
    }
}

fn cost(len: usize, is_leaf: bool) -> usize {
    len + POINTER + if is_leaf { 0 } else { CHILD }
}

fn room(is_leaf: bool) -> usize {
    PAGE_BYTES
        - if is_leaf {
            LEAF_HEADER
        } else {
            INTERIOR_HEADER
        }
}

impl Tree {
    pub fn new(kind: Kind, root: u32) -> Self {
        Self {
            kind,
            root,
            levels: vec![Level::default()],
            cell: Vec::new(),
            cell_above: Vec::new(),
        }
    }

    /// Adds a row to a table. Numbers ascend.
    pub fn put_row(&mut self, pages: &mut Pages, row: u64, payload: &[u8]) -> Result<()> {
        self.put(pages, Some(row), payload)
    }

    /// Adds a record to an index. Records ascend.
    pub fn put_record(&mut self, pages: &mut Pages, payload: &[u8]) -> Result<()> {
        self.put(pages, None, payload)
    }

    fn put(&mut self, pages: &mut Pages, row: Option<u64>, payload: &[u8]) -> Result<()> {
        let mut cell = std::mem::take(&mut self.cell);
        cell.clear();
        push_varint(&mut cell, payload.len() as u64);
        if let Some(row) = row {
            push_varint(&mut cell, row);
        }
        let most = match self.kind {
            Kind::Table => TABLE_LOCAL,
            Kind::Index => INDEX_LOCAL,
        };
        let (local, rest) = payload.split_at(local_len(payload.len(), most));
        cell.extend_from_slice(local);
        if !rest.is_empty() {
            let first = overflow(pages, rest)?;
            cell.extend_from_slice(&first.to_be_bytes());
        }
        let put = self.put_cell(pages, &cell, row.unwrap_or_default());
        self.cell = cell;
        put
    }

    fn put_cell(&mut self, pages: &mut Pages, cell: &[u8], row: u64) -> Result<()> {
        if self.kind == Kind::Table {
            // Nothing of a table's leaves goes up, so each is written when
            // the next row does not fit.
            let count = self.levels[0].cells.len();
            let is_full = self.levels[0].cost + cost(cell.len(), true) > room(true);
            if is_full && count > 0 {
                self.write_first(pages, 0, count)?;
            }
        }
        self.levels[0].push(0, cell, row, true);
        self.settle(pages, 0)
    }

    /// Writes pages of a level while there is enough for that and a good
    /// part of the next one, which can then neither be empty nor have only
    /// one child.
    fn settle(&mut self, pages: &mut Pages, at: usize) -> Result<()> {
        let is_leaf = at == 0;
        if is_leaf && self.kind == Kind::Table {
            return Ok(());
        }
        let level = &self.levels[at];
        if level.cost <= room(is_leaf) * 3 / 2 {
            return Ok(());
        }
        let count = level.fitting(room(is_leaf), is_leaf);
        self.write_first(pages, at, count)
    }

    /// Writes the first cells of a level as a page. For all but the leaves
    /// of tables, the cell behind them goes up instead of into a page.
    fn write_first(&mut self, pages: &mut Pages, at: usize, count: usize) -> Result<()> {
        let is_leaf = at == 0;
        let is_row = is_leaf && self.kind == Kind::Table;
        let level = &self.levels[at];
        let right = level.cells.get(count).map_or(0, |cell| cell.child);
        let number = pages.append(&self.page(level, count, right, is_leaf))?;
        let mut up = std::mem::take(&mut self.cell_above);
        up.clear();
        let used = if is_row {
            let last = count.checked_sub(1).and_then(|last| level.cells.get(last));
            push_varint(&mut up, last.map_or(0, |cell| cell.row));
            count
        } else {
            if let Some(cell) = level.cells.get(count) {
                up.extend_from_slice(level.bytes_of(cell));
            }
            count + 1
        };
        self.levels[at].drain(used, is_leaf);
        if self.levels.len() == at + 1 {
            self.levels.push(Level::default());
        }
        self.levels[at + 1].push(number, &up, 0, false);
        self.cell_above = up;
        self.settle(pages, at + 1)
    }

    /// Writes what is left, the top of it into the root page.
    pub fn finish(mut self, pages: &mut Pages) -> Result<()> {
        let mut right = 0;
        let mut at = 0;
        loop {
            let is_leaf = at == 0;
            let level = &self.levels[at];
            if level.cost > room(is_leaf) {
                // Too much for one page: two that are about half full.
                let half = level.fitting(level.cost / 2, is_leaf).max(1);
                self.write_first(pages, at, half)?;
            }
            let is_top = self.levels.len() == at + 1;
            let level = &self.levels[at];
            let page = self.page(level, level.cells.len(), right, is_leaf);
            if is_top {
                return pages.write(self.root, &page);
            }
            right = pages.append(&page)?;
            at += 1;
        }
    }

    /// The first cells of a level as a page; an interior one with `right`
    /// as its last child.
    fn page(&self, level: &Level, count: usize, right: u32, is_leaf: bool) -> [u8; PAGE_BYTES] {
        let mut page = [0; PAGE_BYTES];
        page[0] = match (self.kind, is_leaf) {
            (Kind::Table, true) => 0x0d,
            (Kind::Table, false) => 0x05,
            (Kind::Index, true) => 0x0a,
            (Kind::Index, false) => 0x02,
        };
        let mut pointer = LEAF_HEADER;
        if !is_leaf {
            page[LEAF_HEADER..INTERIOR_HEADER].copy_from_slice(&right.to_be_bytes());
            pointer = INTERIOR_HEADER;
        }
        let mut content = PAGE_BYTES;
        for cell in level.cells.iter().take(count) {
            // The callers have counted: all of it fits.
            content -= cell.len + if is_leaf { 0 } else { CHILD };
            let mut start = content;
            if !is_leaf {
                page[start..start + CHILD].copy_from_slice(&cell.child.to_be_bytes());
                start += CHILD;
            }
            page[start..start + cell.len].copy_from_slice(level.bytes_of(cell));
            page[pointer..pointer + POINTER].copy_from_slice(&short(content));
            pointer += POINTER;
        }
        page[3..5].copy_from_slice(&short(count));
        page[5..7].copy_from_slice(&short(content));
        page
    }
}

/// A number below 65,536 as two bytes; all in a page of 4 KiB are.
fn short(number: usize) -> [u8; 2] {
    u16::try_from(number).unwrap_or_default().to_be_bytes()
}

/// How much of a payload lies in its cell.
fn local_len(len: usize, most: usize) -> usize {
    if len <= most {
        return len;
    }
    let local = MIN_LOCAL + (len - MIN_LOCAL) % OVERFLOW;
    if local <= most { local } else { MIN_LOCAL }
}

/// Writes a chain of overflow pages and gives the number of the first.
fn overflow(pages: &mut Pages, payload: &[u8]) -> Result<u32> {
    let first = pages.next_number();
    let mut parts = payload.chunks(OVERFLOW).peekable();
    while let Some(part) = parts.next() {
        let mut page = [0; PAGE_BYTES];
        if parts.peek().is_some() {
            page[..4].copy_from_slice(&pages.number_behind_next().to_be_bytes());
        }
        page[4..4 + part.len()].copy_from_slice(part);
        pages.append(&page)?;
    }
    Ok(first)
}
