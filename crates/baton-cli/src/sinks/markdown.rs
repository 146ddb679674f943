//! A table in Markdown (GitHub's form of it).

use std::borrow::Cow;
use std::io::{self, Write};

use baton_term::clean;

use super::RowSink;
use crate::column::{Column, Kind};
use crate::error::CliError;
use crate::rows::RowSource;

/// What would be markup, or a cell of its own.
const MARKUP: [char; 11] = ['\\', '`', '*', '_', '[', ']', '<', '>', '|', '~', '&'];

/// The columns of a list. Rows are read once: cells are not padded.
pub(crate) struct MarkdownSink;

impl RowSink for MarkdownSink {
    fn write(&self, rows: &mut dyn RowSource, out: &mut dyn Write) -> Result<(), CliError> {
        let columns = rows.columns().to_vec();
        header(&columns, out)?;
        rows.cells(&mut |cells| Ok(row(&columns, cells, out)?))
    }
}

/// A whole table whose rows are at hand.
pub(crate) fn write_table<S: AsRef<str>>(
    columns: &[Column],
    rows: &[Vec<S>],
    out: &mut dyn Write,
) -> io::Result<()> {
    header(columns, out)?;
    rows.iter().try_for_each(|cells| row(columns, cells, out))
}

fn header(columns: &[Column], out: &mut dyn Write) -> io::Result<()> {
    for column in columns {
        write!(out, "| {} ", column.head)?;
    }
    out.write_all(b"|\n")?;
    for _ in columns {
        out.write_all(b"| --- ")?;
    }
    out.write_all(b"|\n")
}

fn row<S: AsRef<str>>(columns: &[Column], cells: &[S], out: &mut dyn Write) -> io::Result<()> {
    for (column, cell) in columns.iter().zip(cells) {
        let cell = clean(column.shown(cell.as_ref()));
        write!(out, "| {} ", marked(&cell, column.kind))?;
    }
    out.write_all(b"|\n")
}

/// The text of a cell. Ids are code, so that they can be copied.
fn marked(cell: &str, kind: Kind) -> Cow<'_, str> {
    if cell.is_empty() {
        return Cow::Borrowed("");
    }
    // In a table a bar is escaped even in code; nothing else is. Code cannot
    // hold a backtick without longer fences, and a backslash before the bar
    // would be read as an escape of it.
    let is_code = kind == Kind::Id && !cell.contains(['`', '\\']) && cell.trim() == cell;
    if is_code {
        return Cow::Owned(format!("`{}`", cell.replace('|', "\\|")));
    }
    if !cell.contains(MARKUP) {
        return Cow::Borrowed(cell);
    }
    let mut text = String::with_capacity(cell.len() + 8);
    for c in cell.chars() {
        if MARKUP.contains(&c) {
            text.push('\\');
        }
        text.push(c);
    }
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_neither_markup_nor_a_cell() {
        for (cell, kind, expected) in [
            ("a | b", Kind::Text, "a \\| b"),
            ("![x](y)", Kind::Text, "!\\[x\\](y)"),
            ("<b>_x_*", Kind::Text, "\\<b\\>\\_x\\_\\*"),
            ("a|b", Kind::Id, "`a\\|b`"),
            ("a`b", Kind::Id, "a\\`b"),
            ("a\\|b", Kind::Id, "a\\\\\\|b"),
            ("", Kind::Id, ""),
        ] {
            assert_eq!(marked(cell, kind), expected, "{cell}");
        }
    }
}
