//! How the rows of a question are found.

/// What a store reads to find rows.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Way {
    /// Every row of the table.
    AllRows,
    /// Rows whose keys begin alike, one behind the other.
    KeyRange,
    /// The rows that an index of this name leads to.
    Index(String),
    /// No row: the filter contradicts itself, or names nothing in the file.
    Nothing,
}
