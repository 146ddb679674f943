//! A table that is open: where its blocks are, and its tombstones. Spec §5.6.

use std::fmt;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::block::{BLOCK_TRAILER, Handle, MAX_BLOCK_BYTES, decode_block};
use super::footer::{Footer, MAX_FOOTER_BYTES};
use super::index::IndexCursor;
use super::iter::TableIter;
use super::pairs::{Layout, pairs};
use super::points::PointFormat;
use super::spans::{Span, column_spans, fragment, row_spans};
use super::values::{ValueHandle, ValueIndex};
use crate::error::{Error, Fault, Result};
use crate::manifest;
use crate::source::FileBytes;

/// The only form of columnar keys that is supported.
const KEY_SCHEMA: &[u8] = b"DefaultKeySchema(leveldb.BytewiseComparator,16)";

/// A table file.
pub struct Table {
    name: String,
    file: Arc<dyn FileBytes>,
    footer: Footer,
    /// The decoded index block; the upper one of two levels.
    index: Bytes,
    two_levels: bool,
    spans: Vec<Span>,
    values: Option<ValueIndex>,
    value_list: OnceLock<Bytes>,
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table")
            .field("name", &self.name)
            .field("footer", &self.footer)
            .finish_non_exhaustive()
    }
}

/// What the metaindex names.
#[derive(Default)]
struct Meta {
    properties: Option<Handle>,
    spans: Option<Handle>,
    old_spans: Option<Handle>,
    values: Option<ValueIndex>,
}

/// The properties that a reader needs.
#[derive(Default)]
struct Properties {
    two_levels: bool,
    has_key_schema: bool,
}

impl Table {
    /// Opens the table in `file`; `name` is for errors.
    ///
    /// # Errors
    /// A damaged footer, metaindex, properties, index or tombstones; formats
    /// and features that are not supported.
    pub fn open(file: Arc<dyn FileBytes>, name: &str) -> Result<Self> {
        let footer = read_footer(file.as_ref(), name)?;
        let fault = |fault: Fault| fault.of_file(name);
        let mut table = Self {
            name: name.to_owned(),
            file,
            footer,
            index: Bytes::new(),
            two_levels: false,
            spans: Vec::new(),
            values: None,
            value_list: OnceLock::new(),
        };
        let meta = table.block(footer.metaindex)?;
        let meta = Meta::parse(&meta, &footer).map_err(fault)?;
        let properties = meta
            .properties
            .ok_or_else(|| fault(Fault::damaged("the table has no properties")))?;
        let properties = table.block(properties)?;
        let properties = Properties::parse(&properties, &footer).map_err(fault)?;
        table.two_levels = properties.two_levels;
        table.values = meta.values;
        table.index = table.block(footer.index)?;
        table.spans = match (meta.spans, meta.old_spans) {
            (Some(handle), _) => {
                let block = table.block(handle)?;
                let spans = if footer.has_columnar_blocks() {
                    column_spans(&block)
                } else {
                    row_spans(&block)
                };
                fragment(spans.map_err(fault)?)
            }
            (None, Some(_)) => {
                return Err(fault(Fault::unsupported("the first form of tombstones")));
            }
            (None, None) => Vec::new(),
        };
        Ok(table)
    }

    /// The footer of the file.
    pub fn footer(&self) -> &Footer {
        &self.footer
    }

    /// Its range tombstones, in order and without overlaps.
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// Calls `each` with user key, trailer (sequence number and kind) and value
    /// of every stored entry, in order, hidden ones too. Returns their number.
    ///
    /// # Errors
    /// Damage, wherever in the file it is.
    pub fn visit(self: &Arc<Self>, mut each: impl FnMut(&[u8], u64, &[u8])) -> Result<u64> {
        let mut iter = TableIter::new(Arc::clone(self), None)?;
        let mut count = 0;
        while iter.advance()? {
            iter.fetch_value()?;
            each(iter.key(), iter.trailer(), iter.value());
            count += 1;
        }
        Ok(count)
    }

    /// A fault found in one of its blocks.
    pub(crate) fn fault(&self) -> impl Fn(Fault) -> Error + '_ {
        |fault| fault.of_file(&self.name)
    }

    pub(super) fn has_two_levels(&self) -> bool {
        self.two_levels
    }

    pub(super) fn top_index(&self) -> Result<IndexCursor> {
        IndexCursor::new(self.index.clone(), self.footer.has_columnar_blocks())
            .map_err(self.fault())
    }

    pub(super) fn lower_index(&self, handle: Handle) -> Result<IndexCursor> {
        IndexCursor::new(self.block(handle)?, self.footer.has_columnar_blocks())
            .map_err(self.fault())
    }

    pub(super) fn point_format(&self) -> PointFormat {
        PointFormat::of_version(self.footer.version)
    }

    /// Reads, checks and decompresses a block.
    pub(super) fn block(&self, handle: Handle) -> Result<Bytes> {
        let size = self.file.len();
        if handle.end().is_none_or(|end| end > size) {
            return Err(self.fault()(Fault::damaged("a block leaves the file")));
        }
        let len = usize::try_from(handle.len).unwrap_or(usize::MAX);
        if len > MAX_BLOCK_BYTES {
            return Err(self.fault()(Fault::Limit {
                what: "a block's size in bytes",
                limit: MAX_BLOCK_BYTES as u64,
            }));
        }
        let stored = self
            .file
            .read_at(handle.offset, len + BLOCK_TRAILER)
            .map_err(Error::io(&self.name))?;
        decode_block(&stored, self.footer.checksum).map_err(self.fault())
    }

    /// The value whose place is `stored`. `last` holds the value block that was
    /// read last, and its number.
    pub(super) fn external_value(
        &self,
        stored: &[u8],
        last: &mut Option<(u64, Bytes)>,
    ) -> Result<Bytes> {
        let value = ValueHandle::parse(stored).map_err(self.fault())?;
        if let Some((number, block)) = last
            && *number == value.block
        {
            return value.slice(block).map_err(self.fault());
        }
        let index = self.values.ok_or_else(|| {
            self.fault()(Fault::damaged(
                "a value lies in a value block, but there is none",
            ))
        })?;
        let list = if let Some(list) = self.value_list.get() {
            list
        } else {
            let list = self.block(index.handle)?;
            self.value_list.get_or_init(|| list)
        };
        let handle = index.find(list, value.block).map_err(self.fault())?;
        let block = self.block(handle)?;
        let found = value.slice(&block).map_err(self.fault());
        *last = Some((value.block, block));
        found
    }
}

fn read_footer(file: &dyn FileBytes, name: &str) -> Result<Footer> {
    let size = file.len();
    let tail = usize::try_from(size).map_or(MAX_FOOTER_BYTES, |size| size.min(MAX_FOOTER_BYTES));
    let tail = file
        .read_at(size - tail as u64, tail)
        .map_err(Error::io(name))?;
    Footer::parse(&tail, size).map_err(|fault| fault.of_file(name))
}

fn layout(columnar: bool) -> Layout {
    if columnar {
        Layout::Columns
    } else {
        Layout::Rows
    }
}

impl Meta {
    fn parse(block: &Bytes, footer: &Footer) -> std::result::Result<Self, Fault> {
        let mut meta = Self::default();
        pairs(
            block,
            layout(footer.has_columnar_metaindex()),
            |name, value| {
                match name {
                    b"rocksdb.properties" => meta.properties = Some(Handle::parse(value)?),
                    b"rocksdb.range_del2" => meta.spans = Some(Handle::parse(value)?),
                    b"rocksdb.range_del" => meta.old_spans = Some(Handle::parse(value)?),
                    b"pebble.value_index" => meta.values = Some(ValueIndex::parse(value)?),
                    b"pebble.range_key" => {
                        return Err(Fault::unsupported("a table with range keys"));
                    }
                    b"pebble.blob_ref_index" => {
                        return Err(Fault::unsupported("a table whose values are in blob files"));
                    }
                    // Filters and the like: only to be faster, or unknown and
                    // not for readers of this version.
                    _ => {}
                }
                Ok(())
            },
        )?;
        Ok(meta)
    }
}

impl Properties {
    fn parse(block: &Bytes, footer: &Footer) -> std::result::Result<Self, Fault> {
        let mut properties = Self::default();
        let layout = layout(footer.has_columnar_properties());
        pairs(block, layout, |name, value| properties.take(name, value))?;
        if footer.has_columnar_blocks() && !properties.has_key_schema {
            return Err(Fault::damaged("the key format is missing"));
        }
        Ok(properties)
    }

    fn take(&mut self, name: &[u8], value: &[u8]) -> std::result::Result<(), Fault> {
        match name {
            b"rocksdb.block.based.table.index.type" => match value {
                [0, 0, 0, 0] => self.two_levels = false,
                [2, 0, 0, 0] => self.two_levels = true,
                _ => return Err(Fault::unsupported("the table's kind of index")),
            },
            b"rocksdb.comparator" => manifest::comparer(value)?,
            b"pebble.colblk.schema" => {
                if value != KEY_SCHEMA {
                    let name = manifest::Name(value);
                    return Err(Fault::Unsupported(
                        format!("the form of keys {name:?}").into(),
                    ));
                }
                self.has_key_schema = true;
            }
            b"pebble.num.range-key-sets"
            | b"pebble.num.range-key-unsets"
            | b"pebble.num.range-key-dels"
                if value != [0] =>
            {
                return Err(Fault::unsupported("a table with range keys"));
            }
            _ => {}
        }
        Ok(())
    }
}
