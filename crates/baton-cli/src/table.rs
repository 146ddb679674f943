//! Console tables, in two layouts. Rows are measured in a first pass and
//! written in a second, so that a table of any length needs little memory.
//!
//! Into a pipe or a file: cells padded to the widest of their column, joined
//! by ` | `, one empty line at the end, as scripts know it. On a terminal
//! (see [`crate::layout`]): nothing wider than the screen but ids.

use std::borrow::Cow;
use std::io::{self, Write};

use baton_term::clean;
use unicode_width::UnicodeWidthStr;

pub(crate) use crate::column::{Column, id, text};
use crate::layout::{Fitted, Part, write_line};

/// Widest cell that widens its column, in terminal columns. A wider one is
/// printed whole; the other cells of its column are not padded to it.
pub(crate) const MAX_COLUMN_WIDTH: usize = 4_096;

/// How tables look.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Style {
    /// Columns of the terminal; none for a pipe or a file.
    pub terminal: Option<usize>,
    pub colour: bool,
}

/// A table whose column widths are being learned, then used.
pub(crate) struct Table<'h> {
    columns: &'h [Column],
    widths: Vec<usize>,
    style: Style,
    /// On a terminal, once all rows were measured.
    fitted: Option<Fitted>,
}

impl<'h> Table<'h> {
    pub fn new(columns: &'h [Column], style: Style) -> Self {
        Self {
            columns,
            widths: columns.iter().map(|column| column.head.width()).collect(),
            style,
            fitted: None,
        }
    }

    /// Learns from a row. Every row must pass here before the first is written.
    pub fn measure<S: AsRef<str>>(&mut self, cells: &[S]) {
        for ((width, cell), column) in self.widths.iter_mut().zip(cells).zip(self.columns) {
            let cell = clean(column.shown(cell.as_ref()));
            let fits = Some(cell.width()).filter(|width| *width <= MAX_COLUMN_WIDTH);
            *width = (*width).max(fits.unwrap_or_default());
        }
    }

    /// Writes the heads. All rows have been measured.
    pub fn header(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let heads: Vec<&str> = self.columns.iter().map(|column| &*column.head).collect();
        if let Some(terminal) = self.style.terminal {
            let fitted = Fitted::new(self.columns, &self.widths, terminal);
            fitted.header(out, &heads, self.style.colour)?;
            self.fitted = Some(fitted);
            return Ok(());
        }
        self.line(out, &heads, true)
    }

    pub fn row<S: AsRef<str>>(&self, out: &mut dyn Write, cells: &[S]) -> io::Result<()> {
        let shown = cells.iter().zip(self.columns);
        let cells: Vec<Cow<'_, str>> = shown
            .map(|(cell, column)| clean(column.shown(cell.as_ref())))
            .collect();
        if let Some(fitted) = &self.fitted {
            return fitted.row(out, &cells, self.style.colour);
        }
        let cells: Vec<&str> = cells.iter().map(AsRef::as_ref).collect();
        self.line(out, &cells, false)
    }

    /// The empty line after the last row.
    pub fn end(out: &mut dyn Write) -> io::Result<()> {
        out.write_all(b"\n")
    }

    /// A whole table whose rows are at hand.
    pub fn print<S: AsRef<str>>(
        columns: &[Column],
        rows: &[Vec<S>],
        style: Style,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let mut table = Table::new(columns, style);
        for row in rows {
            table.measure(row);
        }
        table.header(out)?;
        for row in rows {
            table.row(out, row)?;
        }
        Self::end(out)
    }

    fn line(&self, out: &mut dyn Write, cells: &[&str], is_head: bool) -> io::Result<()> {
        let parts = self.widths.iter().zip(cells).map(|(width, cell)| Part {
            text: Cow::Borrowed(cell),
            blanks: width.saturating_sub(cell.width()),
        });
        write_line(out, parts, self.style.colour, is_head)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn printed(columns: &[Column], rows: &[Vec<&str>]) -> String {
        let mut out = Vec::new();
        Table::print(columns, rows, Style::default(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_name_cannot_steer_the_terminal() {
        let text = printed(&[text("Name")], &[vec!["a\x1b[2Jb\x07"]]);
        assert!(!text.contains('\x1b') && !text.contains('\x07'));
    }

    #[test]
    fn every_cell_is_padded_to_its_column() {
        let text = printed(
            &[id("ID"), text("Name")],
            &[vec!["x", "long name"], vec!["yyy", "日本"]],
        );
        assert_eq!(
            text,
            "ID  | Name     \nx   | long name\nyyy | 日本     \n\n"
        );
    }

    #[test]
    fn a_line_break_in_a_name_makes_no_line() {
        let text = printed(&[text("A"), text("B")], &[vec!["1\n22", "x"]]);
        assert_eq!(text, "A    | B\n1\u{fffd}22 | x\n\n");
    }

    #[test]
    fn an_empty_list_is_a_header_and_an_empty_line() {
        assert_eq!(printed(&[text("A")], &[]), "A\n\n");
    }

    #[test]
    fn a_cell_of_any_width_is_printed_whole_and_does_not_widen_its_column_beyond_the_limit() {
        for width in [
            MAX_COLUMN_WIDTH,
            MAX_COLUMN_WIDTH + 1,
            usize::from(u16::MAX),
            usize::from(u16::MAX) + 1,
            200_000,
        ] {
            for terminal in [None, Some(80)] {
                let wide = "x".repeat(width);
                let mut out = Vec::new();
                let style = Style {
                    terminal,
                    colour: false,
                };
                let rows = [vec!["short", &wide], vec![&wide, "short"]];
                Table::print(&[id("ID"), id("Other")], &rows, style, &mut out).unwrap();
                let text = String::from_utf8(out).unwrap();
                assert_eq!(text.matches(&wide).count(), 2, "{width} {terminal:?}");
                let is_padded = width <= MAX_COLUMN_WIDTH && terminal.is_none();
                let head = text.lines().next().unwrap().len();
                assert_eq!(head > MAX_COLUMN_WIDTH, is_padded, "{width} {terminal:?}");
            }
        }
    }
}
