//! What a seal would write, row by row and without a file.

use std::path::PathBuf;

use prost_types::Timestamp;

use crate::Format;
use crate::error::Result;
use crate::log::PageLog;
use crate::row::{Row, Table};
use crate::run::{NewAsset, Stats};
use crate::v3;

use super::collect::Form;
use super::format_writer::FormatWriter;
use super::plan::SealEvent;
use super::sink::{Finished, Sink};
use super::steps::SealSteps;
use super::{place, write_rows};

/// Takes a row.
type Visit<'v> = &'v mut dyn FnMut(Table, &Row<'_>) -> Result<()>;

struct Visited<'v>(Visit<'v>);

impl Sink for Visited<'_> {
    fn put(&mut self, table: Table, row: &Row<'_>) -> Result<()> {
        (self.0)(table, row)
    }

    fn set_discovered_at(&mut self, _at: Timestamp) -> Result<()> {
        Ok(())
    }

    fn put_asset(&mut self, _asset: &NewAsset) -> Result<()> {
        Ok(())
    }

    fn finish(self: Box<Self>, _progress: &mut dyn FnMut(SealEvent)) -> Result<Finished> {
        Ok(Finished {
            path: PathBuf::new(),
            stats: Stats::default(),
            removed_syncs: Vec::new(),
        })
    }
}

/// Calls `visit` with the rows that [`seal`](super::seal()) would put into a
/// new file of this format, in their order. Nothing is written but scratch
/// files in the working folder.
///
/// # Errors
/// Those of [`seal`](super::seal()) up to the file, and those of `visit`.
pub fn visit_sealed(
    log: &PageLog,
    format: Format,
    memory_budget_bytes: usize,
    steps: SealSteps<'_>,
    visit: &mut dyn FnMut(Table, &Row<'_>) -> Result<()>,
) -> Result<()> {
    log.work_dir().scratch()?;
    let form = match format {
        Format::V1 => Form::Messages,
        Format::V3 => Form::Records {
            discovered_at: v3::timestamp(&Timestamp::default()),
        },
    };
    let writer = FormatWriter {
        form,
        open: Box::new(move || Ok(Box::new(Visited(visit)) as Box<dyn Sink>)),
    };
    let place = place(log, memory_budget_bytes);
    write_rows(log, writer, &place, &[], steps, &mut |_| ()).map(|_| ())
}
