//! Table files: footer, blocks of rows or of columns, and what finds a row in
//! them. Spec §5.5 to §5.8.
//!
//! Decoders here see the bytes of one block or footer and report a
//! [`crate::Fault`]; [`Table`] knows the file and its name.

mod block;
mod columns;
mod footer;
mod index;
mod iter;
mod open;
mod pairs;
mod points;
mod rows;
mod spans;
mod values;

pub use block::{Checksum, Handle, MAX_BLOCK_BYTES, MAX_EXPANSION, decode_block};
pub use footer::{Footer, MAX_FOOTER_BYTES, attribute};
pub use index::IndexCursor;
pub(crate) use iter::{BlockCache, TableIter};
pub use open::Table;
pub use pairs::{Layout, pairs};
pub use points::{PointCursor, PointFormat};
pub use spans::{MAX_SPAN_BYTES, Span, column_spans, row_spans};
pub(crate) use spans::{clip, fragment};
