//! The step that looks at the rows as a whole before they are written.

use crate::error::Result;

use super::sorted_rows::SortedRows;

/// Checks the rows that will be in the file. Called once per seal, after
/// placeholders are replaced and before grants are expanded.
pub trait RowCheck {
    /// Reads the rows and returns warnings for the user. An error ends the
    /// seal; wrap your own with [`crate::Error::caller`].
    fn check(&mut self, rows: &dyn SortedRows) -> Result<Vec<String>>;
}
