//! `export xlsx`: records as an Excel workbook.

use std::path::{Path, PathBuf};

use baton_c1z::{Snapshot, Use, replace_file};
use baton_flags::{Command, Field};
use baton_proto::figures::{count, counted};

use super::export_flags::{Export, LAYOUT, Layout, RAW, SYNC, replaced_file, report_left_out};
use super::output_file::print_line;
use super::{Cmd, Cx, Given, Runs};
use super::{OUTPUT_FORMAT, VERBOSE};
use crate::error::CliError;
use crate::exported::{FLAT_COLUMNS, LeftOut, RecordTable, visit_flat, visit_table};
use crate::sheets::{MAX_ROWS, SheetOptions, Sheets, with_sheets};

const OUT: Field<PathBuf> = replaced_file("./sync.xlsx");
const STRICT: Field<bool> = Field::bool(
    "strict",
    "fail if a text has more than the 32,767 characters of a cell (default: cut it, and mark it)",
);

const EXTENSION: &str = "xlsx";
/// The sheet of the list, as the Go tool names it.
const FLAT_SHEET: &str = "Sheet1";

pub(super) struct ExportXlsx {
    export: Export,
    strict: bool,
}

/// What was written.
#[derive(Default)]
struct Written {
    left_out: LeftOut,
    /// Tables, with their rows.
    tables: Vec<(&'static str, u64)>,
    cut: u64,
}

impl Cmd for ExportXlsx {
    fn define() -> Command<Runs> {
        Command::new(
            "xlsx",
            "write users, entitlements and grants as an Excel workbook",
        )
        .field(OUT)
        .field(LAYOUT)
        .field(RAW)
        .field(STRICT)
        .field(SYNC)
        .without(OUTPUT_FORMAT)
        .without(VERBOSE)
        .example(
            "who holds what, on one sheet",
            "export xlsx --out access.xlsx",
        )
        .example(
            "everything, with a sheet per kind of record",
            "export xlsx --layout tables --out access.xlsx",
        )
    }

    fn parse(given: &Given) -> Result<Self, CliError> {
        let export = Export::parse(given, &OUT)?;
        let extension = export.out.extension().unwrap_or_default();
        if !extension.eq_ignore_ascii_case(EXTENSION) {
            return Err(CliError::Usage {
                message: format!(
                    "{} does not end in .{EXTENSION}, which Excel needs to open it",
                    export.out.display()
                ),
                hint: Some(format!("pass a path that ends in .{EXTENSION} with --out")),
            });
        }
        Ok(Self {
            export,
            strict: given.config.get(&STRICT),
        })
    }

    fn output(&self) -> Option<&Path> {
        Some(&self.export.out)
    }

    fn uses_output(&self) -> Option<Use> {
        Some(Use::Replace)
    }

    fn only_shows(&self) -> bool {
        false
    }

    fn run(self, cx: &mut Cx<'_, '_>) -> Result<(), CliError> {
        let temp_dir = cx.process.temp_dir.clone();
        let max_rows = cx.process.sheet_rows.unwrap_or(MAX_ROWS);
        let is_tables = self.export.layout == Layout::Tables;
        let written = self.export.with_sync(cx, |snapshot| {
            let made_at = snapshot.sync().and_then(|sync| sync.ended_at);
            let options = SheetOptions {
                styled: is_tables,
                continued: is_tables,
                strict: self.strict,
                raw: self.export.raw,
                max_rows,
                ..SheetOptions::new(temp_dir.as_deref(), made_at.map_or(0, |at| at.seconds))
            };
            let mut written = Written::default();
            replace_file(&self.export.out, |file| {
                with_sheets(&options, |sheets| {
                    written = if is_tables {
                        tables(snapshot, sheets)?
                    } else {
                        flat(snapshot, sheets)?
                    };
                    sheets.save(file)
                })
            })?;
            Ok::<_, CliError>(written)
        })?;
        report_left_out(written.left_out, cx);
        if written.cut > 0 {
            cx.err.warning(format!(
                "{} cut: a cell holds 32,767 characters",
                counted(written.cut, "text was", "texts were")
            ));
        }
        for (title, rows) in written.tables {
            print_line(cx.out, &format!("{title}: {}", count(rows)))?;
        }
        Ok(())
    }
}

fn flat(snapshot: &Snapshot<'_>, sheets: &mut Sheets) -> Result<Written, CliError> {
    sheets.begin(FLAT_SHEET, &FLAT_COLUMNS)?;
    let left_out = visit_flat(snapshot, &mut |cells| sheets.row(cells))?;
    Ok(Written {
        left_out,
        cut: sheets.cut,
        ..Written::default()
    })
}

fn tables(snapshot: &Snapshot<'_>, sheets: &mut Sheets) -> Result<Written, CliError> {
    let mut written = Written::default();
    for table in RecordTable::ALL {
        sheets.begin(table.title, table.fields)?;
        let rows = visit_table(snapshot, table, &mut |cells| sheets.row(cells))?;
        written.tables.push((table.title, rows));
    }
    written.cut = sheets.cut;
    Ok(written)
}
