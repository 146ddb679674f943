//! Comma-separated values (RFC 4180, lines end with LF as in the Go tools).
//!
//! A spreadsheet evaluates a cell that begins like a formula. A name in an
//! application is enough to place one there, so such a cell begins with `'`.

use std::borrow::Cow;
use std::io::Write;

use baton_term::clean;

use super::RowSink;
use crate::column::Column;
use crate::error::CliError;
use crate::rows::RowSource;

/// What a formula begins with, tab and CR included: programs skip them.
pub(crate) const FORMULA_STARTS: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// The columns of a list.
pub(crate) struct CsvSink;

impl RowSink for CsvSink {
    fn write(&self, rows: &mut dyn RowSource, out: &mut dyn Write) -> Result<(), CliError> {
        let mut csv = with_header(rows.columns(), out)?;
        rows.cells(&mut |cells| write_row(&mut csv, cells))?;
        Ok(csv.flush()?)
    }
}

/// A whole table whose rows are at hand.
pub(crate) fn write_table<S: AsRef<str>>(
    columns: &[Column],
    rows: &[Vec<S>],
    out: &mut dyn Write,
) -> Result<(), CliError> {
    let mut csv = with_header(columns, out)?;
    for cells in rows {
        write_row(&mut csv, cells)?;
    }
    Ok(csv.flush()?)
}

fn with_header<'o>(
    columns: &[Column],
    out: &'o mut dyn Write,
) -> Result<csv::Writer<&'o mut dyn Write>, CliError> {
    let mut csv = csv::Writer::from_writer(out);
    csv.write_record(columns.iter().map(|column| column.head.as_ref()))
        .map_err(failed)?;
    Ok(csv)
}

fn write_row<S: AsRef<str>>(
    csv: &mut csv::Writer<&mut dyn Write>,
    cells: &[S],
) -> Result<(), CliError> {
    for cell in cells {
        csv.write_field(guarded(cell.as_ref()).as_ref())
            .map_err(failed)?;
    }
    csv.write_record(None::<&[u8]>).map_err(failed)
}

/// A cell that no spreadsheet evaluates and no terminal obeys.
fn guarded(cell: &str) -> Cow<'_, str> {
    let text = clean(cell);
    if cell.starts_with(FORMULA_STARTS) {
        return Cow::Owned(format!("'{text}"));
    }
    text
}

fn failed(error: csv::Error) -> CliError {
    CliError::Output(error.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_begins_like_a_formula_is_text() {
        for (cell, expected) in [
            ("=1+1", "'=1+1"),
            ("+x", "'+x"),
            ("-x", "'-x"),
            ("@x", "'@x"),
            ("\t=x", "'\u{fffd}=x"),
            ("\r=x", "'\u{fffd}=x"),
            ("a=x", "a=x"),
            ("'=x", "'=x"),
            ("", ""),
        ] {
            assert_eq!(guarded(cell), expected, "{cell:?}");
        }
    }
}
