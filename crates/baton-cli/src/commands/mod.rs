//! The commands. Each reads one view of one file and writes rows as they come.

mod access;
mod expand;
mod files;
mod grants;
mod lists;
mod rollback;
mod runs;

use std::io::Write;

use baton_c1z::{Filter, RunPaths, Use};
use baton_term::Printer;

use crate::Surroundings;
use crate::args::{Action, GrantFilter, Invocation, Output};
use crate::error::CliError;
use crate::json::Shapes;
use crate::lookups::{Lookups, Want};
use crate::missing::Missing;
use crate::open;
use crate::table::Style;

/// What a list command works with.
struct Listing<'c> {
    snapshot: &'c baton_c1z::Snapshot<'c>,
    lookups: Lookups<'c>,
    shapes: Shapes,
    output: Output,
    style: Style,
    out: &'c mut dyn Write,
}

/// Runs a command.
pub(crate) fn run(
    invocation: &Invocation,
    surroundings: &Surroundings,
    out: &mut dyn Write,
    err: &mut Printer<'_>,
) -> Result<(), CliError> {
    compare_files(invocation)?;
    let files = std::iter::once(&invocation.file).chain(invocation.action.output());
    for file in files {
        baton_c1z::clear_leftovers(file, surroundings.temp_dir.as_deref());
    }
    if matches!(
        invocation.action,
        Action::RecalculateStats
            | Action::ExportC1z { .. }
            | Action::ToSqlite { .. }
            | Action::Expand { .. }
    ) {
        open::warn_of_migration_in(&invocation.file, surroundings, err)?;
    }
    match &invocation.action {
        Action::Syncs => return runs::syncs(invocation, surroundings, out, err),
        Action::Stats => return runs::stats(invocation, surroundings, out, err),
        Action::RecalculateStats => return files::recalculate(invocation, surroundings, out),
        Action::ExportC1z { out: target } => {
            return files::export(invocation, target, surroundings);
        }
        Action::ToPebble {
            out: target,
            temp_dir,
        } => {
            let temp_dir = temp_dir.as_deref();
            return files::to_pebble(invocation, target, temp_dir, surroundings, out, err);
        }
        Action::ToSqlite { out: target } => {
            return files::to_sqlite(invocation, target, surroundings, out);
        }
        Action::Expand {
            out: target,
            max_grants,
        } => {
            return expand::expand(invocation, target, *max_grants, surroundings, out, err);
        }
        Action::RollBack(wanted) => {
            return rollback::rollback(invocation, wanted, surroundings, out, err);
        }
        Action::DumpDb { out: target } => {
            return files::dump(invocation, target, surroundings, out);
        }
        _ => {}
    }
    let file = open::open(&invocation.file, surroundings)?;
    open::warn_of_migration(&invocation.file, file.migration(), err);
    let sync_id = invocation.sync_id.as_deref();
    let snapshot = open::view(&file, &invocation.file, sync_id, surroundings)?;
    let shapes = Shapes::new()?;
    let want = match invocation.output {
        Output::Json => Want::Json,
        Output::Console => Want::Names,
    };
    let mut listing = Listing {
        snapshot: &snapshot,
        lookups: Lookups::new(&snapshot, shapes, want, Missing::new(invocation.verbose)),
        shapes,
        output: invocation.output,
        style: style(surroundings),
        out,
    };
    let shown = match &invocation.action {
        Action::ResourceTypes => lists::resource_types(&mut listing),
        Action::Resources { type_id } => lists::resources(&mut listing, type_id.as_deref()),
        Action::Entitlements { type_id } => lists::entitlements(&mut listing, type_id.as_deref()),
        Action::Grants(filter) => grants::grants(&mut listing, filter),
        Action::Principals(filter) => grants::principals(&mut listing, filter),
        Action::Access { type_id, id } => access::access(&mut listing, type_id, id),
        // Answered above, without a view of a sync.
        _ => Ok(()),
    };
    shown?;
    err.print(&listing.lookups.into_missing().report());
    Ok(())
}

/// How tables look in these surroundings.
fn style(surroundings: &Surroundings) -> Style {
    Style {
        terminal: surroundings.terminal,
        colour: surroundings.colour,
    }
}

/// Refuses to write onto another file of the run. New files need no look: they
/// take the place of nothing.
fn compare_files(invocation: &Invocation) -> Result<(), CliError> {
    let mut paths = RunPaths::of_process();
    let how = match invocation.action {
        Action::RecalculateStats => Use::Replace,
        _ => Use::Read,
    };
    paths.add("sync file", &invocation.file, how)?;
    if let Action::DumpDb { out } = &invocation.action {
        paths.add("output", out, Use::Replace)?;
    }
    Ok(())
}

/// The rows that a grant filter selects.
fn grant_rows(filter: &GrantFilter) -> Filter<'_> {
    match filter {
        GrantFilter::All => Filter::default(),
        GrantFilter::Resource { type_id, id } => Filter {
            resource: Some((type_id, id)),
            ..Filter::default()
        },
        GrantFilter::Type(type_id) => Filter {
            resource_type_id: Some(type_id),
            ..Filter::default()
        },
        GrantFilter::Entitlement(id) => Filter {
            entitlement_id: Some(id),
            ..Filter::default()
        },
    }
}
