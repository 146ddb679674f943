//! Console tables: cells padded to the widest of their column, joined by
//! ` | `, one empty line at the end. Rows are measured in a first pass and
//! written in a second, so that a table of any length needs no memory.

use std::borrow::Cow;
use std::io::{self, Write};

use unicode_width::UnicodeWidthStr;

const HEADER_COLOUR: &str = "\x1b[96m";
const LINE_COLOUR: &str = "\x1b[90m";
const NO_COLOUR: &str = "\x1b[0m";

/// A table whose column widths are being learned, then used.
pub(crate) struct Table<'h> {
    headers: &'h [&'h str],
    widths: Vec<usize>,
    colour: bool,
}

impl<'h> Table<'h> {
    pub fn new(headers: &'h [&'h str], colour: bool) -> Self {
        Self {
            headers,
            widths: headers.iter().map(|text| text.width()).collect(),
            colour,
        }
    }

    /// Learns from a row. Every row must pass here before the first is written.
    pub fn measure<S: AsRef<str>>(&mut self, cells: &[S]) {
        for (width, cell) in self.widths.iter_mut().zip(cells) {
            let widest = visible(cell.as_ref())
                .split('\n')
                .map(UnicodeWidthStr::width)
                .max();
            *width = (*width).max(widest.unwrap_or_default());
        }
    }

    pub fn header(&self, out: &mut dyn Write) -> io::Result<()> {
        self.line(out, self.headers, self.colour.then_some(HEADER_COLOUR))
    }

    pub fn row<S: AsRef<str>>(&self, out: &mut dyn Write, cells: &[S]) -> io::Result<()> {
        let cells: Vec<Cow<'_, str>> = cells.iter().map(|cell| visible(cell.as_ref())).collect();
        let lines = cells.iter().map(|cell| cell.split('\n').count()).max();
        for line in 0..lines.unwrap_or(1) {
            let parts: Vec<&str> = cells
                .iter()
                .map(|cell| cell.split('\n').nth(line).unwrap_or_default())
                .collect();
            self.line(out, &parts, None)?;
        }
        Ok(())
    }

    /// The empty line after the last row.
    pub fn end(out: &mut dyn Write) -> io::Result<()> {
        out.write_all(b"\n")
    }

    /// A whole table whose rows are at hand.
    pub fn print<S: AsRef<str>>(
        headers: &[&str],
        rows: &[Vec<S>],
        colour: bool,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let mut table = Table::new(headers, colour);
        for row in rows {
            table.measure(row);
        }
        table.header(out)?;
        for row in rows {
            table.row(out, row)?;
        }
        Self::end(out)
    }

    fn line(&self, out: &mut dyn Write, cells: &[&str], colour: Option<&str>) -> io::Result<()> {
        for (index, (width, cell)) in self.widths.iter().zip(cells).enumerate() {
            if index > 0 {
                if self.colour {
                    write!(out, "{LINE_COLOUR} | {NO_COLOUR}")?;
                } else {
                    out.write_all(b" | ")?;
                }
            }
            let padding = width.saturating_sub(cell.width());
            match colour {
                Some(colour) => write!(out, "{colour}{cell}{:padding$}{NO_COLOUR}", "")?,
                None => write!(out, "{cell}{:padding$}", "")?,
            }
        }
        out.write_all(b"\n")
    }
}

/// A cell without characters that would move a terminal's cursor or change
/// its state: names come from strangers. Line breaks stay.
fn visible(cell: &str) -> Cow<'_, str> {
    if cell.chars().all(|c| c == '\n' || !c.is_control()) {
        return Cow::Borrowed(cell);
    }
    let safe = cell.replace("\r\n", "\n");
    let safe = safe.chars().map(|c| match c {
        '\n' => '\n',
        c if c.is_control() => char::REPLACEMENT_CHARACTER,
        c => c,
    });
    Cow::Owned(safe.collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn printed(headers: &[&str], rows: &[Vec<&str>]) -> String {
        let mut out = Vec::new();
        Table::print(headers, rows, false, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_name_cannot_steer_the_terminal() {
        let text = printed(&["Name"], &[vec!["a\x1b[2Jb\x07"]]);
        assert!(!text.contains('\x1b') && !text.contains('\x07'));
    }

    #[test]
    fn every_cell_is_padded_to_its_column() {
        let text = printed(
            &["ID", "Name"],
            &[vec!["x", "long name"], vec!["yyy", "日本"]],
        );
        assert_eq!(
            text,
            "ID  | Name     \nx   | long name\nyyy | 日本     \n\n"
        );
    }

    #[test]
    fn a_line_break_continues_in_the_same_column() {
        let text = printed(&["A", "B"], &[vec!["1\n22", "x"]]);
        assert_eq!(text, "A  | B\n1  | x\n22 |  \n\n");
    }

    #[test]
    fn an_empty_list_is_a_header_and_an_empty_line() {
        assert_eq!(printed(&["A"], &[]), "A\n\n");
    }
}
