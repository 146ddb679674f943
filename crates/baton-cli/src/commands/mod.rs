//! The commands. Each reads one view of one file and writes rows as they come.

mod access;
mod grants;
mod lists;
mod runs;

use std::io::Write;

use baton_c1z::Filter;

use crate::Surroundings;
use crate::args::{Action, GrantFilter, Invocation, Output};
use crate::error::CliError;
use crate::json::Shapes;
use crate::lookups::{Lookups, Want};
use crate::open;

/// What a list command works with.
struct Listing<'c> {
    snapshot: &'c baton_c1z::Snapshot<'c>,
    lookups: Lookups<'c>,
    shapes: Shapes,
    output: Output,
    colour: bool,
    out: &'c mut dyn Write,
}

/// Runs a command.
pub(crate) fn run(
    invocation: &Invocation,
    surroundings: &Surroundings,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<(), CliError> {
    match invocation.action {
        Action::Syncs => return runs::syncs(invocation, surroundings, out),
        Action::Stats => return runs::stats(invocation, surroundings, out),
        _ => {}
    }
    let file = open::open(&invocation.file, surroundings)?;
    let sync_id = invocation.sync_id.as_deref();
    let snapshot = open::view(&file, &invocation.file, sync_id, surroundings)?;
    let shapes = Shapes::new()?;
    let want = match invocation.output {
        Output::Json => Want::Json,
        Output::Console => Want::Names,
    };
    let mut listing = Listing {
        snapshot: &snapshot,
        lookups: Lookups::new(&snapshot, err, shapes, want),
        shapes,
        output: invocation.output,
        colour: surroundings.colour,
        out,
    };
    match &invocation.action {
        Action::ResourceTypes => lists::resource_types(&mut listing),
        Action::Resources { type_id } => lists::resources(&mut listing, type_id.as_deref()),
        Action::Entitlements { type_id } => lists::entitlements(&mut listing, type_id.as_deref()),
        Action::Grants(filter) => grants::grants(&mut listing, filter),
        Action::Principals(filter) => grants::principals(&mut listing, filter),
        Action::Access { type_id, id } => access::access(&mut listing, type_id, id),
        Action::Syncs | Action::Stats => Ok(()),
    }
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
