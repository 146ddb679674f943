//! Workbooks of sheets that are written row by row, in memory that does not
//! grow with them. Rows wait in private files until the workbook is saved.

use std::borrow::Cow;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};

use baton_proto::panic_text;
use rust_xlsxwriter::{
    Color, DocProperties, ExcelDateTime, Format, FormatBorder, Workbook, Worksheet, XlsxError,
};
use unicode_width::UnicodeWidthStr;

use crate::error::CliError;
use crate::sinks::FORMULA_STARTS;

/// Rows of a sheet, the head included.
pub(crate) const MAX_ROWS: u32 = 1_048_576;
/// UTF-16 units of a cell.
const MAX_CELL_UNITS: usize = 32_767;
/// What the text of a cell that was cut ends with.
const CUT: &str = " … [cut]";
/// Widths of columns, in characters.
const MIN_WIDTH: usize = 10;
const MAX_WIDTH: usize = 60;

/// How the sheets of a workbook look, and what they may hold.
#[derive(Debug, Clone)]
pub(crate) struct SheetOptions {
    /// Heads are styled and stay in view, columns can be filtered and have the
    /// width of their texts. Otherwise cells are all there is.
    pub styled: bool,
    /// A sheet that is full is continued on another one. Otherwise it is an error.
    pub continued: bool,
    /// A text that is too long for a cell is an error.
    pub strict: bool,
    /// Texts that begin like a formula are not marked as texts.
    pub raw: bool,
    /// Folder for private files; `None`: the system's.
    pub temp_dir: Option<PathBuf>,
    /// When the workbook counts as made, in seconds since 1970.
    pub made_at: i64,
    /// Rows of a sheet, the head included.
    pub max_rows: u32,
}

impl SheetOptions {
    /// A plain list on one sheet.
    pub fn new(temp_dir: Option<&Path>, made_at: i64) -> Self {
        Self {
            styled: false,
            continued: false,
            strict: false,
            raw: false,
            temp_dir: temp_dir.map(Path::to_owned),
            made_at,
            max_rows: MAX_ROWS,
        }
    }
}

/// Does work with workbooks. Their library panics if a private file cannot be
/// written; here that is an error that names the folder.
pub(crate) fn with_sheets<T>(
    options: &SheetOptions,
    work: impl FnOnce(&mut Sheets) -> Result<T, CliError>,
) -> Result<T, CliError> {
    let done = catch_unwind(AssertUnwindSafe(|| work(&mut Sheets::new(options)?)));
    match done {
        Ok(done) => done,
        Err(panic) if panic_text(&*panic).contains("StorageFull") => {
            Err(temporary(options, io::ErrorKind::StorageFull.into()))
        }
        Err(panic) => resume_unwind(panic),
    }
}

/// A failure of a private file.
fn temporary(options: &SheetOptions, source: io::Error) -> CliError {
    let folder = options.temp_dir.clone();
    CliError::File(baton_c1z::Error::Io {
        doing: "write temporary files in",
        path: folder.unwrap_or_else(tempfile::env::temp_dir),
        source,
    })
}

/// A workbook that is being made.
pub(crate) struct Sheets {
    options: SheetOptions,
    workbook: Workbook,
    head: Format,
    /// Marks a text as one.
    quoted: Format,
    sheet: Option<Sheet>,
    /// Sheets so far.
    count: usize,
    /// Cells that were cut.
    pub cut: u64,
}

/// The sheet that is written.
struct Sheet {
    title: &'static str,
    heads: &'static [&'static str],
    /// Of how many for this title it is.
    number: u32,
    rows: u32,
    widths: Vec<usize>,
}

impl Sheets {
    fn new(options: &SheetOptions) -> Result<Self, CliError> {
        let mut workbook = Workbook::new();
        if let Some(folder) = &options.temp_dir {
            workbook
                .set_tempdir(folder)
                .map_err(|error| failed(error, options))?;
        }
        let mut properties = DocProperties::new();
        if let Ok(at) = ExcelDateTime::from_timestamp(options.made_at) {
            properties = properties.set_creation_datetime(&at);
        }
        workbook.set_properties(&properties);
        Ok(Self {
            options: options.clone(),
            workbook,
            head: Format::new()
                .set_bold()
                .set_background_color(Color::RGB(0x00DD_E6F3))
                .set_border_bottom(FormatBorder::Thin),
            quoted: Format::new().set_quote_prefix(),
            sheet: None,
            count: 0,
            cut: 0,
        })
    }

    /// Begins a sheet with a row of heads.
    pub fn begin(
        &mut self,
        title: &'static str,
        heads: &'static [&'static str],
    ) -> Result<(), CliError> {
        self.end()?;
        self.begin_part(title, heads, 1)
    }

    fn begin_part(
        &mut self,
        title: &'static str,
        heads: &'static [&'static str],
        number: u32,
    ) -> Result<(), CliError> {
        let Self {
            workbook,
            options,
            head,
            ..
        } = self;
        let mut make = || {
            let worksheet = workbook.add_worksheet_with_constant_memory()?;
            match number {
                1 => worksheet.set_name(title)?,
                number => worksheet.set_name(format!("{title} ({number})"))?,
            };
            for (column, text) in (0..).zip(heads) {
                if options.styled {
                    worksheet.write_string_with_format(0, column, *text, head)?;
                } else {
                    worksheet.write_string(0, column, *text)?;
                }
            }
            if options.styled {
                worksheet.set_freeze_panes(1, 0)?;
            }
            Ok(())
        };
        make().map_err(|error| failed(error, &self.options))?;
        self.count += 1;
        self.sheet = Some(Sheet {
            title,
            heads,
            number,
            rows: 1,
            widths: heads
                .iter()
                .map(|head| head.width() + FILTER_WIDTH)
                .collect(),
        });
        Ok(())
    }

    /// Adds a row to the sheet.
    pub fn row<S: AsRef<str>>(&mut self, cells: &[S]) -> Result<(), CliError> {
        let max_rows = self.options.max_rows;
        let Some(sheet) = self.sheet.as_mut() else {
            return Ok(());
        };
        if sheet.rows >= max_rows {
            if !self.options.continued {
                return Err(CliError::TooManyRows { max_rows });
            }
            let (title, heads, number) = (sheet.title, sheet.heads, sheet.number + 1);
            self.end()?;
            self.begin_part(title, heads, number)?;
        }
        let (Some(sheet), Ok(worksheet)) = (
            self.sheet.as_mut(),
            self.workbook.worksheet_from_index(self.count - 1),
        ) else {
            return Ok(());
        };
        let row = sheet.rows;
        sheet.rows += 1;
        let mut put = Put {
            worksheet,
            options: &self.options,
            quoted: &self.quoted,
            cut: &mut self.cut,
        };
        for ((column, cell), width) in (0..).zip(cells).zip(&mut sheet.widths) {
            let cell = cell.as_ref();
            put.cell(row, column, cell)?;
            if self.options.styled && *width < MAX_WIDTH {
                *width = (*width).max(cell.width().min(MAX_WIDTH));
            }
        }
        Ok(())
    }

    /// Completes the sheet.
    fn end(&mut self) -> Result<(), CliError> {
        let Some(sheet) = self.sheet.take() else {
            return Ok(());
        };
        if !self.options.styled {
            return Ok(());
        }
        let (workbook, index) = (&mut self.workbook, self.count - 1);
        let mut complete = || {
            let worksheet = workbook.worksheet_from_index(index)?;
            for (column, width) in (0..).zip(&sheet.widths) {
                let width = u32::try_from((*width).clamp(MIN_WIDTH, MAX_WIDTH));
                worksheet.set_column_width(column, f64::from(width.unwrap_or_default()))?;
            }
            let last = u16::try_from(sheet.heads.len())
                .unwrap_or(1)
                .saturating_sub(1);
            worksheet.autofilter(0, 0, sheet.rows - 1, last)?;
            Ok(())
        };
        complete().map_err(|error| failed(error, &self.options))
    }

    /// Writes the workbook.
    pub fn save(&mut self, out: &mut (dyn Write + Send)) -> Result<(), CliError> {
        self.end()?;
        let saved = self.workbook.save_to_writer(out);
        saved.map_err(|error| failed(error, &self.options))
    }
}

/// Characters beside a head for the mark of its filter.
const FILTER_WIDTH: usize = 3;

/// Where a cell goes.
struct Put<'p> {
    worksheet: &'p mut Worksheet,
    options: &'p SheetOptions,
    quoted: &'p Format,
    cut: &'p mut u64,
}

impl Put<'_> {
    fn cell(&mut self, row: u32, column: u16, cell: &str) -> Result<(), CliError> {
        if cell.is_empty() {
            return Ok(());
        }
        let text = shortened(cell);
        if let Cow::Owned(_) = &text {
            if self.options.strict {
                return Err(CliError::CellTooLong {
                    row: row + 1,
                    column: column + 1,
                });
            }
            *self.cut += 1;
        }
        let done = if cell.starts_with(FORMULA_STARTS) && !self.options.raw {
            self.worksheet
                .write_string_with_format(row, column, text, self.quoted)
        } else {
            self.worksheet.write_string(row, column, text)
        };
        done.map(drop).map_err(|error| failed(error, self.options))
    }
}

/// A text that a cell can hold.
fn shortened(cell: &str) -> Cow<'_, str> {
    if cell.len() <= MAX_CELL_UNITS {
        return Cow::Borrowed(cell);
    }
    let room = MAX_CELL_UNITS - CUT.encode_utf16().count();
    let (mut units, mut end) = (0, 0);
    for (at, c) in cell.char_indices() {
        units += c.len_utf16();
        if units <= room {
            end = at + c.len_utf8();
        }
        if units > MAX_CELL_UNITS {
            return Cow::Owned([cell.get(..end).unwrap_or_default(), CUT].concat());
        }
    }
    Cow::Borrowed(cell)
}

fn failed(error: XlsxError, options: &SheetOptions) -> CliError {
    match error {
        XlsxError::TempFileError(_, error) => temporary(options, error),
        XlsxError::IoError(error) => CliError::Output(error),
        other => CliError::Workbook(Box::new(other)),
    }
}

#[cfg(test)]
mod tests {
    use calamine::{Data, Reader, Xlsx, open_workbook_from_rs};

    use super::*;

    /// The name and the rows of a sheet.
    type Sheet = (String, Vec<Vec<String>>);

    /// Writes rows and reads them back.
    fn round(options: &SheetOptions, rows: &[&[&str]]) -> (Vec<Sheet>, u64) {
        let mut bytes = Vec::new();
        let cut = with_sheets(options, |sheets| {
            sheets.begin("Things", &["A", "B"])?;
            for row in rows {
                sheets.row(row)?;
            }
            sheets.begin("Others", &["C"])?;
            sheets.save(&mut bytes)?;
            Ok(sheets.cut)
        })
        .expect("in memory");
        let mut book: Xlsx<_> = open_workbook_from_rs(io::Cursor::new(bytes)).expect("a workbook");
        let text = |cell: &Data| match cell {
            Data::Empty => String::new(),
            Data::String(text) => text.clone(),
            other => panic!("{other:?} is no text"),
        };
        let read = book
            .worksheets()
            .into_iter()
            .map(|(name, cells)| {
                let rows = cells.rows().map(|row| row.iter().map(text).collect());
                (name, rows.collect())
            })
            .collect();
        (read, cut)
    }

    fn options() -> SheetOptions {
        SheetOptions::new(None, 0)
    }

    #[test]
    fn a_full_sheet_is_continued_with_its_heads_on_the_next_one() {
        let options = SheetOptions {
            continued: true,
            styled: true,
            max_rows: 3,
            ..options()
        };
        let rows: [&[&str]; 5] = [&["1", "x"], &["2", ""], &["3", ""], &["4", ""], &["5", ""]];
        let (sheets, _) = round(&options, &rows);
        let names: Vec<&str> = sheets.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["Things", "Things (2)", "Things (3)", "Others"]);
        let lengths: Vec<usize> = sheets.iter().map(|(_, rows)| rows.len()).collect();
        assert_eq!(lengths, [3, 3, 2, 1]);
        for (_, rows) in &sheets[..3] {
            assert_eq!(rows[0], ["A", "B"]);
        }
        assert_eq!(sheets[2].1[1][0], "5");
    }

    #[test]
    fn a_full_sheet_that_is_not_continued_is_an_error() {
        let options = SheetOptions {
            max_rows: 3,
            ..options()
        };
        let write = |rows: u32| {
            with_sheets(&options, |sheets| {
                sheets.begin("Things", &["A"])?;
                (0..rows).try_for_each(|_| sheets.row(&["x"]))
            })
        };
        assert!(write(2).is_ok());
        let error = write(3).expect_err("full");
        assert!(matches!(error, CliError::TooManyRows { max_rows: 3 }));
    }

    #[test]
    fn a_sheet_has_as_many_rows_as_the_format_allows() {
        let mut sheet = Worksheet::new();
        assert!(sheet.write_string(MAX_ROWS - 1, 0, "the last one").is_ok());
        assert!(sheet.write_string(MAX_ROWS, 0, "one more").is_err());
    }

    #[test]
    fn texts_are_read_back_whatever_is_in_them() {
        let texts = [
            "=1+1",
            "+1",
            "-1",
            "@x",
            "\t=1",
            " lead and trail ",
            "<a href=\"x\">&amp;</a>",
            "_x0041_",
            "http://example.com/?a=b",
            "1e5",
            "日本語 \u{202e}\u{1f600}",
            "\u{1}a\u{1f}b\u{0}",
            "\u{fffe}\u{ffff}",
            "a\u{7f}\u{85}\u{2028}b",
            "line\nbreak\tand\rreturn",
        ];
        for raw in [false, true] {
            let rows: Vec<[&str; 2]> = texts.iter().map(|text| [*text, "y"]).collect();
            let rows: Vec<&[&str]> = rows.iter().map(|row| &row[..]).collect();
            let (sheets, cut) = round(&SheetOptions { raw, ..options() }, &rows);
            let read: Vec<&str> = sheets[0].1[1..].iter().map(|row| row[0].as_str()).collect();
            assert_eq!(read, texts);
            assert_eq!(cut, 0);
        }
    }

    #[test]
    fn a_text_that_is_too_long_is_cut_between_characters_marked_and_counted() {
        for (c, fits) in [("a", 32_767), ("é", 32_767), ("\u{1f600}", 16_383)] {
            for (count, is_cut) in [(fits, false), (fits + 1, true), (3 * fits, true)] {
                let long = c.repeat(count);
                let (sheets, cut) = round(&options(), &[&["x", &long]]);
                let read = &sheets[0].1[1][1];
                assert_eq!(cut, u64::from(is_cut), "{c} {count}");
                assert_eq!(read.ends_with(CUT), is_cut);
                assert!(read.encode_utf16().count() <= MAX_CELL_UNITS);
                assert!(read.encode_utf16().count() >= MAX_CELL_UNITS - 1);
                let strict = SheetOptions {
                    strict: true,
                    ..options()
                };
                let done = with_sheets(&strict, |sheets| {
                    sheets.begin("Things", &["A"])?;
                    sheets.row(&[&long])
                });
                assert_eq!(done.is_err(), is_cut);
            }
        }
    }

    #[test]
    fn the_same_rows_give_the_same_bytes() {
        let write = || {
            let mut bytes = Vec::new();
            with_sheets(&options(), |sheets| {
                sheets.begin("Things", &["A"])?;
                sheets.row(&["x"])?;
                sheets.save(&mut bytes)
            })
            .expect("in memory");
            bytes
        };
        assert_eq!(write(), write());
    }
}
