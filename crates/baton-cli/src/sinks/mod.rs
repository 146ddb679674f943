//! Where rows go: one sink per output format. A sink knows no command.

mod csv;
mod markdown;
pub(crate) mod yaml;

use std::io::Write;

pub(crate) use csv::{CsvSink, FORMULA_STARTS, write_table as write_csv};
pub(crate) use markdown::{MarkdownSink, write_table as write_markdown};
pub(crate) use yaml::YamlSink;

use crate::error::CliError;
use crate::json::ListWriter;
use crate::rows::RowSource;
use crate::table::{Style, Table};

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

/// One JSON object a line: the elements of the list of [`JsonSink`].
pub(crate) struct NdjsonSink;

impl RowSink for NdjsonSink {
    fn write(&self, rows: &mut dyn RowSource, out: &mut dyn Write) -> Result<(), CliError> {
        rows.objects(&mut |json| {
            out.write_all(json)?;
            Ok(out.write_all(b"\n")?)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Output;
    use crate::rows::{Cells, Visit};
    use crate::table::{Column, id, text};

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
            for (first, second) in [("a", "long"), ("b|b", "=s")] {
                cells.clear();
                cells.push(first);
                cells.push_parts(&[second, "!"]);
                visit(cells.as_slice())?;
            }
            cells.clear();
            cells.push("c");
            cells.push("");
            visit(cells.as_slice())
        }

        fn objects(&mut self, visit: &mut Visit<'_, [u8]>) -> Result<(), CliError> {
            visit(b"{\"id\":1}")?;
            visit(b"{\"id\":2,\"name\":\"=s!\"}")
        }
    }

    #[test]
    fn every_sink_writes_every_row_once_and_in_order() {
        for (output, expected) in [
            (
                Output::Console,
                "ID  | Name \na   | long!\nb|b | =s!  \nc   | -    \n\n",
            ),
            (
                Output::Json,
                "{\"rows\":[{\"id\":1},{\"id\":2,\"name\":\"=s!\"}]}",
            ),
            (Output::Ndjson, "{\"id\":1}\n{\"id\":2,\"name\":\"=s!\"}\n"),
            (Output::Csv, "ID,Name\na,long!\nb|b,'=s!\nc,\n"),
            (Output::Yaml, "rows:\n- id: 1\n- id: 2\n  name: =s!\n"),
            (
                Output::Markdown,
                "| ID | Name |\n| --- | --- |\n| `a` | long! |\n| `b\\|b` | =s! |\n| `c` | - |\n",
            ),
        ] {
            let mut out = Vec::new();
            let mut rows = Two([id("ID"), text("Name").or_dash()]);
            let sink = output.sink(Style::default());
            sink.write(&mut rows, &mut out).expect("in memory");
            let written = String::from_utf8(out).expect("text");
            assert_eq!(written, expected, "{output:?}");
        }
    }

    /// No rows.
    struct None([Column; 1]);

    impl RowSource for None {
        fn key(&self) -> &'static str {
            "rows"
        }

        fn columns(&self) -> &[Column] {
            &self.0
        }

        fn cells(&mut self, _: &mut Visit<'_, [String]>) -> Result<(), CliError> {
            Ok(())
        }

        fn objects(&mut self, _: &mut Visit<'_, [u8]>) -> Result<(), CliError> {
            Ok(())
        }
    }

    #[test]
    fn an_empty_list_has_a_form_in_every_format() {
        for (output, expected) in [
            (Output::Console, "ID\n\n"),
            (Output::Json, "{}"),
            (Output::Ndjson, ""),
            (Output::Csv, "ID\n"),
            (Output::Yaml, "{}\n"),
            (Output::Markdown, "| ID |\n| --- |\n"),
        ] {
            let mut out = Vec::new();
            let sink = output.sink(Style::default());
            sink.write(&mut None([id("ID")]), &mut out)
                .expect("in memory");
            assert_eq!(String::from_utf8(out).expect("text"), expected);
        }
    }
}
