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
use super::expand::Expander;
use super::outlet::{Outlet, Pouring};
use super::plan::SealEvent;
use super::sink::{Finished, Sink};

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

impl PageLog {
    /// Shows the rows that [`PageLog::seal`] would put into a new file of this
    /// format, in their order: sorted, repeated ids resolved, expanded.
    /// Nothing is written but scratch in the working folder.
    ///
    /// # Errors
    /// Those of [`PageLog::seal`] up to the file, and those of `visit`.
    pub fn visit_sealed(
        &self,
        format: Format,
        memory_budget_bytes: usize,
        expander: &mut dyn Expander,
        visit: &mut dyn FnMut(Table, &Row<'_>) -> Result<()>,
    ) -> Result<()> {
        self.work_dir().scratch()?;
        let form = match format {
            Format::V1 => Form::Messages,
            Format::V3 => Form::Records {
                discovered_at: v3::timestamp(&Timestamp::default()),
            },
        };
        let outlet = Outlet {
            form,
            open: Box::new(move || Ok(Box::new(Visited(visit)) as Box<dyn Sink>)),
        };
        let plan = Pouring {
            memory_budget_bytes,
            assets: Vec::new(),
        };
        self.pour(outlet, &plan, expander, &mut |_| ()).map(|_| ())
    }
}
