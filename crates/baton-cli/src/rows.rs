//! Rows to show and where they go: one source per command, one sink per
//! output format, and nothing that knows both.

use std::io::Write;

use crate::error::CliError;
use crate::json::ListWriter;
use crate::table::{Column, Style, Table};

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

/// Writes the rows of a source in one format.
pub(crate) trait RowSink {
    fn write(&self, rows: &mut dyn RowSource, out: &mut dyn Write) -> Result<(), CliError>;
}

/// A table for people. Rows are read twice: to measure, and to write.
pub(crate) struct TableSink {
    pub style: Style,
}

impl RowSink for TableSink {
    fn write(&self, rows: &mut dyn RowSource, out: &mut dyn Write) -> Result<(), CliError> {
        let columns = rows.columns().to_vec();
        let mut table = Table::new(&columns, self.style);
        rows.cells(&mut |cells| {
            table.measure(cells);
            Ok(())
        })?;
        table.header(out)?;
        rows.cells(&mut |cells| Ok(table.row(out, cells)?))?;
        Ok(Table::end(out)?)
    }
}

/// One JSON object that holds the list of rows.
pub(crate) struct JsonSink;

impl RowSink for JsonSink {
    fn write(&self, rows: &mut dyn RowSource, out: &mut dyn Write) -> Result<(), CliError> {
        let mut list = ListWriter::new(out, rows.key());
        rows.objects(&mut |json| Ok(list.item(json)?))?;
        Ok(list.finish()?)
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{id, text};

    /// Two rows, which must be read as often as a sink needs them.
    struct Two([Column; 2]);

    impl RowSource for Two {
        fn key(&self) -> &'static str {
            "rows"
        }

        fn columns(&self) -> &[Column] {
            &self.0
        }

        fn cells(&mut self, visit: &mut Visit<'_, [String]>) -> Result<(), CliError> {
            let mut cells = Cells::default();
            for (first, second) in [("a", "long"), ("bb", "s")] {
                cells.clear();
                cells.push(first);
                cells.push_parts(&[second, "!"]);
                visit(cells.as_slice())?;
            }
            Ok(())
        }

        fn objects(&mut self, visit: &mut Visit<'_, [u8]>) -> Result<(), CliError> {
            visit(b"{\"id\":1}")?;
            visit(b"{\"id\":2}")
        }
    }

    fn written(sink: &dyn RowSink) -> String {
        let mut out = Vec::new();
        let mut rows = Two([id("ID"), text("Name")]);
        sink.write(&mut rows, &mut out).expect("in memory");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn every_sink_writes_every_row_once_and_in_order() {
        let style = Style::default();
        let table = written(&TableSink { style });
        assert_eq!(table, "ID | Name \na  | long!\nbb | s!   \n\n");
        assert_eq!(written(&JsonSink), "{\"rows\":[{\"id\":1},{\"id\":2}]}");
    }
}
