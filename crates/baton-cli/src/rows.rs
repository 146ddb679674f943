//! Rows to show: one source per command. Where they go, [`crate::sinks`] knows.

use crate::error::CliError;
use crate::table::Column;

/// Called with each row of a source.
pub(crate) type Visit<'v, Row> = dyn FnMut(&Row) -> Result<(), CliError> + 'v;

/// Rows that can be read any number of times, each time the same.
pub(crate) trait RowSource {
    /// What the rows are, as JSON names the list.
    fn key(&self) -> &'static str;
    /// The columns of [`RowSource::cells`].
    fn columns(&self) -> &[Column];
    /// Visits rows as one text per column.
    fn cells(&mut self, visit: &mut Visit<'_, [String]>) -> Result<(), CliError>;
    /// Visits rows as one JSON object each.
    fn objects(&mut self, visit: &mut Visit<'_, [u8]>) -> Result<(), CliError>;
}

/// The cells of a row; their memory is used again for the next one.
#[derive(Default)]
pub(crate) struct Cells {
    cells: Vec<String>,
    used: usize,
}

impl Cells {
    /// Begins the next row.
    pub fn clear(&mut self) {
        self.used = 0;
    }

    /// Adds a cell.
    pub fn push(&mut self, text: &str) {
        self.push_parts(&[text]);
    }

    /// Adds a cell of several texts, one behind the other.
    pub fn push_parts(&mut self, parts: &[&str]) {
        if self.used == self.cells.len() {
            self.cells.push(String::new());
        }
        if let Some(cell) = self.cells.get_mut(self.used) {
            cell.clear();
            cell.extend(parts.iter().copied());
        }
        self.used += 1;
    }

    /// The cells of the row.
    pub fn as_slice(&self) -> &[String] {
        self.cells.get(..self.used).unwrap_or_default()
    }
}
