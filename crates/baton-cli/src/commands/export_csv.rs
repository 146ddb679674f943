//! `export csv`: records for spreadsheets and other programs.

use std::borrow::Cow;
use std::ffi::OsString;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use baton_c1z::{Snapshot, Use, replace_file};
use baton_flags::{Command, Field};
use baton_proto::figures::count;
use csv::QuoteStyle;

use super::export_flags::{
    Export, LAYOUT, Layout, RAW, SYNC, check_targets, replaced_file, report_left_out,
};
use super::output_file::print_line;
use super::{Cmd, Cx, Given, Runs};
use super::{OUTPUT_FORMAT, VERBOSE};
use crate::error::CliError;
use crate::exported::{FLAT_COLUMNS, RecordTable, visit_flat, visit_table};
use crate::sinks::FORMULA_STARTS;

const OUT: Field<PathBuf> = replaced_file("./sync.csv");

/// Bytes that are handed to the file at a time.
const PIECE_BYTES: usize = 1 << 20;

pub(super) struct ExportCsv(Export);

impl Cmd for ExportCsv {
    fn define() -> Command<Runs> {
        Command::new("csv", "write users, entitlements and grants as CSV")
            .field(OUT)
            .field(LAYOUT)
            .field(RAW)
            .field(SYNC)
            .without(OUTPUT_FORMAT)
            .without(VERBOSE)
            .example("who holds what, in one file", "export csv --out access.csv")
            .example(
                "everything, in access.resources.csv, access.grants.csv and so on",
                "export csv --layout tables --out access.csv",
            )
            .example(
                "the same in a folder that exists, as grants.csv and so on",
                "export csv --layout tables --out .",
            )
    }

    fn parse(given: &Given) -> Result<Self, CliError> {
        Export::parse(given, &OUT).map(Self)
    }

    fn output(&self) -> Option<&Path> {
        Some(&self.0.out)
    }

    fn uses_output(&self) -> Option<Use> {
        Some(Use::Replace)
    }

    fn only_shows(&self) -> bool {
        false
    }

    fn run(self, cx: &mut Cx<'_, '_>) -> Result<(), CliError> {
        let Self(export) = self;
        match export.layout {
            Layout::Flat => {
                let left_out = export.with_sync(cx, |snapshot| {
                    let mut left_out = None;
                    replace_file(&export.out, |file| {
                        let mut csv = Csv::new(file, export.raw);
                        csv.row(&FLAT_COLUMNS)?;
                        left_out = Some(visit_flat(snapshot, &mut |cells| csv.row(cells))?);
                        csv.finish()
                    })?;
                    Ok::<_, CliError>(left_out.unwrap_or_default())
                })?;
                report_left_out(left_out, cx);
                Ok(())
            }
            Layout::Tables => {
                let files = RecordTable::ALL.map(|table| (table, file_of(&export.out, table)));
                let targets = files.each_ref().map(|(_, path)| path.clone());
                check_targets(cx.file, &targets)?;
                let mut rows = Vec::new();
                export.with_sync(cx, |snapshot| {
                    write_tables(snapshot, &files, export.raw, &mut rows)
                })?;
                for ((table, path), rows) in files.iter().zip(rows) {
                    let path = path.display();
                    print_line(
                        cx.out,
                        &format!("{}: {} in {path}", table.title, count(rows)),
                    )?;
                }
                Ok(())
            }
        }
    }
}

/// The file of a table: in a folder that exists by its name, else with its
/// name before the extension.
fn file_of(out: &Path, table: RecordTable) -> PathBuf {
    if out.is_dir() {
        return out.join(table.file_name).with_extension("csv");
    }
    let mut name = OsString::from(out.file_stem().unwrap_or_default());
    name.push(".");
    name.push(table.file_name);
    if let Some(extension) = out.extension() {
        name.push(".");
        name.push(extension);
    }
    out.with_file_name(name)
}

/// Writes all tables before the first file is replaced.
fn write_tables(
    snapshot: &Snapshot<'_>,
    files: &[(RecordTable, PathBuf)],
    raw: bool,
    rows: &mut Vec<u64>,
) -> Result<(), CliError> {
    let Some(((table, path), others)) = files.split_first() else {
        return Ok(());
    };
    replace_file(path, |file| {
        let mut csv = Csv::new(file, raw);
        csv.row(table.fields)?;
        rows.push(visit_table(snapshot, *table, &mut |cells| csv.row(cells))?);
        csv.finish()?;
        write_tables(snapshot, others, raw, rows)
    })?;
    Ok(())
}

/// Lines of cells, quoted where the Go tools quote.
struct Csv<W: Write> {
    writer: csv::Writer<BufWriter<W>>,
    raw: bool,
    quoted: String,
}

impl<W: Write> Csv<W> {
    fn new(file: W, raw: bool) -> Self {
        let buffered = BufWriter::with_capacity(PIECE_BYTES, file);
        Self {
            writer: csv::WriterBuilder::new()
                .quote_style(QuoteStyle::Never)
                .from_writer(buffered),
            raw,
            quoted: String::new(),
        }
    }

    fn row<S: AsRef<str>>(&mut self, cells: &[S]) -> Result<(), CliError> {
        for cell in cells {
            let cell = match cell.as_ref() {
                cell if self.raw => Cow::Borrowed(cell),
                cell => guarded(cell),
            };
            let field = if needs_quotes(&cell) {
                quote(&cell, &mut self.quoted);
                self.quoted.as_str()
            } else {
                &cell
            };
            self.writer.write_field(field).map_err(failed)?;
        }
        self.writer.write_record(None::<&[u8]>).map_err(failed)
    }

    fn finish(mut self) -> Result<(), CliError> {
        Ok(self.writer.flush()?)
    }
}

/// A cell that no spreadsheet evaluates.
fn guarded(cell: &str) -> Cow<'_, str> {
    if cell.starts_with(FORMULA_STARTS) {
        return Cow::Owned(["'", cell].concat());
    }
    Cow::Borrowed(cell)
}

/// Where the Go tools quote: also before leading blanks, and around `\.`,
/// which ends the data of some databases.
fn needs_quotes(cell: &str) -> bool {
    cell == r"\." || cell.starts_with(char::is_whitespace) || cell.contains([',', '"', '\n', '\r'])
}

fn quote(cell: &str, quoted: &mut String) {
    quoted.clear();
    quoted.push('"');
    for (number, part) in cell.split('"').enumerate() {
        if number > 0 {
            quoted.push_str("\"\"");
        }
        quoted.push_str(part);
    }
    quoted.push('"');
}

fn failed(error: csv::Error) -> CliError {
    CliError::Output(error.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(cells: &[&str], raw: bool) -> String {
        let mut out = Vec::new();
        let mut csv = Csv::new(&mut out, raw);
        csv.row(cells).expect("in memory");
        csv.finish().expect("in memory");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn cells_are_quoted_where_the_go_tools_do_and_read_back_as_they_were() {
        for (cell, expected) in [
            ("a", "a"),
            ("", ""),
            ("a b", "a b"),
            (" a", "\" a\""),
            ("\u{a0}a", "\"\u{a0}a\""),
            ("a,b", "\"a,b\""),
            ("say \"x\"", "\"say \"\"x\"\"\""),
            ("a\nb", "\"a\nb\""),
            ("a\r", "\"a\r\""),
            (r"\.", "\"\\.\""),
            (r"\.x", r"\.x"),
            ("=1+1", "=1+1"),
        ] {
            let text = line(&["x", cell], true);
            assert_eq!(text, format!("x,{expected}\n"));
            let mut reader = csv::ReaderBuilder::new()
                .has_headers(false)
                .from_reader(text.as_bytes());
            let read = reader.records().next().expect("a line").expect("whole");
            assert_eq!(&read[1], cell);
        }
    }

    #[test]
    fn what_begins_like_a_formula_is_guarded_unless_raw() {
        for start in FORMULA_STARTS {
            let cell = format!("{start}cmd|x!A0");
            let guarded = line(&[&cell], false);
            assert!(
                guarded.trim_start_matches('"').starts_with('\''),
                "{guarded}"
            );
            assert!(!line(&[&cell], true).contains('\''));
        }
        assert_eq!(line(&["a=1", "'=x", "1"], false), "a=1,'=x,1\n");
    }

    #[test]
    fn tables_get_files_beside_each_other() {
        let table = RecordTable::ALL[3];
        for (out, expected) in [
            ("sync.csv", "sync.grants.csv"),
            ("./a/sync.csv", "./a/sync.grants.csv"),
            ("a.b.csv", "a.b.grants.csv"),
            ("sync", "sync.grants"),
        ] {
            assert_eq!(file_of(Path::new(out), table), Path::new(expected));
        }
    }
}
