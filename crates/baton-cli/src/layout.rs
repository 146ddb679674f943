//! Tables on a terminal: names first, ids last. Text is cut where the line
//! would be too long. Ids are never cut: where they do not fit, they get a line
//! of their own below. No line ends with blanks.

use std::borrow::Cow;
use std::io::{self, Write};

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::column::{Column, Kind};

const SEPARATOR: &str = " | ";
const HEADER_COLOUR: &str = "\x1b[96m";
const LINE_COLOUR: &str = "\x1b[90m";
const NO_COLOUR: &str = "\x1b[0m";

/// Narrowest terminal that lines are fitted to, in columns.
const MIN_TERMINAL: usize = 20;
/// Columns of text that must be left for each column of names beside ids;
/// with less, ids get lines of their own.
const MIN_TEXT: usize = 12;
/// Blanks before ids on a line of their own.
const INDENT: &str = "    ";
/// What stands for the end of a text that was cut.
const CUT: &str = "…";
/// What stands for a line break in a cell: a name cannot begin a line.
const LINE_BREAK: &str = "\u{2424}";

/// A cell and the blanks behind it.
pub(crate) struct Part<'t> {
    pub text: Cow<'t, str>,
    pub blanks: usize,
}

/// Writes cells with separators between them, and a line break.
pub(crate) fn write_line<'t>(
    out: &mut dyn Write,
    parts: impl IntoIterator<Item = Part<'t>>,
    colour: bool,
    is_head: bool,
) -> io::Result<()> {
    for (index, part) in parts.into_iter().enumerate() {
        if index > 0 {
            if colour {
                write!(out, "{LINE_COLOUR}{SEPARATOR}{NO_COLOUR}")?;
            } else {
                out.write_all(SEPARATOR.as_bytes())?;
            }
        }
        let is_coloured = colour && is_head;
        if is_coloured {
            out.write_all(HEADER_COLOUR.as_bytes())?;
        }
        out.write_all(part.text.as_bytes())?;
        blanks(out, part.blanks)?;
        if is_coloured {
            out.write_all(NO_COLOUR.as_bytes())?;
        }
    }
    out.write_all(b"\n")
}

/// Writes spaces. (A width in a format string is a `u16`, and a larger one
/// panics.)
fn blanks(out: &mut dyn Write, mut count: usize) -> io::Result<()> {
    const SPACES: [u8; 64] = [b' '; 64];
    while count > 0 {
        let now = count.min(SPACES.len());
        out.write_all(SPACES.get(..now).unwrap_or_default())?;
        count -= now;
    }
    Ok(())
}

/// A layout for one table on a terminal of a known width.
pub(crate) struct Fitted {
    terminal: usize,
    /// Places of text columns among the cells, and the width of each.
    texts: Vec<(usize, usize)>,
    /// Places of id columns among the cells, and the widest of each.
    ids: Vec<(usize, usize)>,
}

impl Fitted {
    /// Shares the width among columns whose widest cells are known.
    pub fn new(columns: &[Column], widths: &[usize], terminal: usize) -> Self {
        let terminal = terminal.max(MIN_TERMINAL);
        let of = |kind| {
            let all = columns.iter().zip(widths).enumerate();
            all.filter(move |(_, (column, _))| column.kind == kind)
                .map(|(place, (_, width))| (place, *width))
                .collect::<Vec<_>>()
        };
        let (mut texts, ids) = (of(Kind::Text), of(Kind::Id));
        let ids_width: usize = ids.iter().map(|(_, width)| SEPARATOR.len() + width).sum();
        let between = SEPARATOR.len() * texts.len().saturating_sub(1);
        let least: usize = texts.iter().map(|(_, width)| (*width).min(MIN_TEXT)).sum();
        let beside_ids = terminal.saturating_sub(ids_width);
        let room = if beside_ids >= least + between {
            beside_ids
        } else {
            terminal
        };
        share(&mut texts, room.saturating_sub(between));
        Self {
            terminal,
            texts,
            ids,
        }
    }

    pub fn header(&self, out: &mut dyn Write, heads: &[&str], colour: bool) -> io::Result<()> {
        let heads: Vec<Cow<'_, str>> = heads.iter().map(|head| Cow::Borrowed(*head)).collect();
        let ids_width: usize = self.ids.iter().map(|(_, w)| SEPARATOR.len() + w).sum();
        self.write(out, &heads, ids_width, colour, true)
    }

    /// Writes one row of cells, which may have line breaks.
    pub fn row(&self, out: &mut dyn Write, cells: &[Cow<'_, str>], colour: bool) -> io::Result<()> {
        let cells: Vec<Cow<'_, str>> = cells
            .iter()
            .map(|cell| {
                if cell.contains('\n') {
                    Cow::Owned(cell.replace('\n', LINE_BREAK))
                } else {
                    Cow::Borrowed(&**cell)
                }
            })
            .collect();
        let (last, before) = match self.ids.split_last() {
            Some((last, before)) => (cells.get(last.0).map_or(0, |id| id.width()), before),
            None => (0, &[][..]),
        };
        let padded = before.iter().map(|(place, widest)| {
            let width = cells.get(*place).map_or(0, |id| id.width());
            SEPARATOR.len() + width.max(*widest)
        });
        let ids_width = padded.sum::<usize>() + SEPARATOR.len() + last;
        self.write(out, &cells, ids_width, colour, false)
    }

    fn write(
        &self,
        out: &mut dyn Write,
        cells: &[Cow<'_, str>],
        ids_width: usize,
        colour: bool,
        is_head: bool,
    ) -> io::Result<()> {
        let cell = |place: usize| cells.get(place).map_or("", |cell| &**cell);
        let texts = self.texts.iter().map(|(place, width)| {
            let text = cut(cell(*place), *width);
            let blanks = width.saturating_sub(text.width());
            Part { text, blanks }
        });
        let ids = self.ids.iter().map(|(place, widest)| {
            let text = Cow::Borrowed(cell(*place));
            let blanks = widest.saturating_sub(text.width());
            Part { text, blanks }
        });
        let between = SEPARATOR.len() * self.texts.len().saturating_sub(1);
        let texts_width = self.texts.iter().map(|(_, width)| width).sum::<usize>() + between;
        // Without text, the first id needs no separator before it.
        let whole = match texts_width {
            0 => ids_width.saturating_sub(SEPARATOR.len()),
            width => width + ids_width,
        };
        if whole <= self.terminal {
            let parts: Vec<Part<'_>> = texts.chain(ids).collect();
            return trimmed(out, "", parts, colour, is_head);
        }
        let texts: Vec<Part<'_>> = texts.collect();
        if texts.iter().any(|part| !part.text.trim().is_empty()) {
            trimmed(out, "", texts, colour, is_head)?;
        }
        let one_line = INDENT.len() + ids_width.saturating_sub(SEPARATOR.len());
        if one_line <= self.terminal {
            return trimmed(out, INDENT, ids.collect(), colour, is_head);
        }
        for id in ids.filter(|id| !id.text.is_empty()) {
            trimmed(out, INDENT, vec![id], colour, is_head)?;
        }
        Ok(())
    }
}

/// Writes a line without anything behind the last cell that is not empty.
fn trimmed(
    out: &mut dyn Write,
    indent: &str,
    mut parts: Vec<Part<'_>>,
    colour: bool,
    is_head: bool,
) -> io::Result<()> {
    while parts.last().is_some_and(|part| part.text.trim().is_empty()) {
        parts.pop();
    }
    if let Some(last) = parts.last_mut() {
        last.blanks = 0;
        if last.text.ends_with(' ') {
            last.text = Cow::Owned(last.text.trim_end().to_owned());
        }
        out.write_all(indent.as_bytes())?;
    }
    write_line(out, parts, colour, is_head)
}

/// Gives each column its width, or an equal share of what narrower columns
/// leave.
fn share(texts: &mut [(usize, usize)], room: usize) {
    let mut order: Vec<usize> = (0..texts.len()).collect();
    order.sort_by_key(|at| texts.get(*at).map_or(0, |(_, width)| *width));
    let (mut left, mut columns) = (room, texts.len());
    for at in order {
        if let Some((_, width)) = texts.get_mut(at) {
            *width = (*width).min(left / columns.max(1)).max(1);
            left = left.saturating_sub(*width);
            columns -= 1;
        }
    }
}

/// The rest of a line of which so many columns are written: a text and what
/// stands behind it. Where a terminal would break the line, first the text is
/// cut, then the whole.
pub(crate) fn fit(text: &str, behind: &str, written: usize, terminal: Option<usize>) -> String {
    let Some(terminal) = terminal else {
        return [text, behind].concat();
    };
    let room = terminal.max(MIN_TERMINAL).saturating_sub(written).max(1);
    let text = cut(text, room.saturating_sub(behind.width()).max(MIN_TEXT));
    cut(&[&text, behind].concat(), room).into_owned()
}

/// The text, or as much of its beginning as fits with a mark behind it.
/// Combining marks and joined emoji stay with their first character.
fn cut(text: &str, width: usize) -> Cow<'_, str> {
    if text.width() <= width {
        return Cow::Borrowed(text);
    }
    let room = width.saturating_sub(CUT.width());
    let (mut used, mut end) = (0, 0);
    for (at, cluster) in text.grapheme_indices(true) {
        used += cluster.width();
        if used > room {
            break;
        }
        end = at + cluster.len();
    }
    let kept = text.get(..end).unwrap_or_default().trim_end();
    Cow::Owned(format!("{kept}{CUT}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::table::{Style, Table, id, text};

    const COLUMNS: [Column; 4] = [
        id("ID"),
        text("Display Name"),
        text("Resource Type"),
        text("Parent Resource"),
    ];
    const LONG_ID: &str =
        "ari:cloud:jira-software::site/8a2c4c0e-6c8d-4f7a-9d6b-0123456789ab/role/administrator";

    fn rows() -> Vec<Vec<&'static str>> {
        vec![
            vec!["u1", "Ann", "User", "-"],
            vec![
                "5b10a2844c20165700ede21g",
                "山田太郎".repeat(9).leak(),
                "User",
                "Acme (org)",
            ],
            vec![LONG_ID, "e\u{301}".repeat(90).leak(), "Workspace", "-"],
            vec!["g1", "👩‍👩‍👧‍👦🇩🇪👍🏽".repeat(12).leak(), "Group", "-"],
            vec!["日本-1", "two\nlines", "User", ""],
            vec!["g2", "", "", ""],
        ]
    }

    fn printed(rows: &[Vec<&str>], terminal: usize, colour: bool) -> String {
        let style = Style {
            terminal: Some(terminal),
            colour,
        };
        let mut out = Vec::new();
        Table::print(&COLUMNS, rows, style, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn lines_fit_every_terminal_and_ids_are_whole() {
        for terminal in [1, 20, 60, 80, 100, 200] {
            let text = printed(&rows(), terminal, false);
            for line in text.lines() {
                let is_own_id = line.starts_with(INDENT);
                assert!(
                    is_own_id || line.width() <= terminal.max(MIN_TERMINAL),
                    "{terminal}: {line}"
                );
                assert_eq!(line, line.trim_end(), "{terminal}");
            }
            for row in rows() {
                let found = text.lines().any(|line| {
                    line.trim_start() == row[0] || line.ends_with(&format!(" | {}", row[0]))
                });
                assert!(found, "{terminal}: {} is not in\n{text}", row[0]);
            }
            assert!(text.ends_with("\n\n"));
        }
    }

    #[test]
    fn a_name_with_a_line_break_stays_on_its_line() {
        let text = printed(&[vec!["u", "a\nb | c | d | evil", "User", "-"]], 80, false);
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(text.contains("a\u{fffd}b | c"), "{text}");
    }

    #[test]
    fn what_fits_is_on_one_line_with_the_id_last() {
        let text = printed(&[vec!["u1", "Ann", "User", "-"]], 80, false);
        assert_eq!(
            text,
            "Display Name | Resource Type | Parent Resource | ID\n\
             Ann          | User          | -               | u1\n\n"
        );
    }

    #[test]
    fn an_id_that_does_not_fit_stands_below() {
        let text = printed(&[vec![LONG_ID, "Jira", "Workspace", "-"]], 80, false);
        assert_eq!(
            text,
            format!(
                "Display Name | Resource Type | Parent Resource\n    ID\n\
                 Jira         | Workspace     | -\n    {LONG_ID}\n\n"
            )
        );
    }

    #[test]
    fn colours_change_nothing_else() {
        let coloured = printed(&rows(), 80, true);
        let mut plain = coloured.clone();
        for code in [HEADER_COLOUR, LINE_COLOUR, NO_COLOUR] {
            assert!(coloured.contains(code));
            plain = plain.replace(code, "");
        }
        assert_eq!(plain, printed(&rows(), 80, false));
    }

    #[test]
    fn a_cut_keeps_clusters_whole_and_the_width() {
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdefg", 6), "abcde…");
        assert_eq!(cut("山田太郎", 6), "山田…");
        assert_eq!(cut("山田太郎", 5), "山田…");
        assert_eq!(cut("e\u{301}e\u{301}e\u{301}", 2), "e\u{301}…");
        assert_eq!(cut("👩‍👩‍👧‍👦👩‍👩‍👧‍👦", 3), "👩‍👩‍👧‍👦…");
        assert_eq!(cut("anything", 1), "…");
        for width in 1..40 {
            for row in rows() {
                assert!(cut(row[1], width).width() <= width);
            }
        }
    }
}
