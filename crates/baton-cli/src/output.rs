//! The output formats.

use crate::lookups::Detail;
use crate::rows::{JsonSink, RowSink, TableSink};
use crate::table::Style;

/// How rows are shown: as a table for people, or as JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    Console,
    Json,
}

impl Output {
    /// What writes rows in this format.
    pub fn sink(self, style: Style) -> Box<dyn RowSink> {
        match self {
            Self::Console => Box::new(TableSink { style }),
            Self::Json => Box::new(JsonSink),
        }
    }

    /// What it shows of the objects that rows refer to.
    pub fn detail(self) -> Detail {
        match self {
            Self::Console => Detail::Names,
            Self::Json => Detail::Json,
        }
    }
}
