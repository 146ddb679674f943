//! The commands, one file each, and the table of them.
//!
//! Adding one is a file with its definition, its parsed arguments as a type and its `run`, and a
//! line in [`table`].

mod access;
mod compare;
mod complete_value;
mod diff;
mod dump_db;
mod entitlements;
mod expand;
mod explain;
mod export_c1z;
mod export_csv;
mod export_flags;
mod export_xlsx;
mod filters;
mod flags;
mod grants;
mod listing;
mod man;
mod optimize;
mod output_file;
mod overview;
mod principals;
mod question;
mod recalculate_stats;
mod resource_types;
mod resources;
mod rollback;
mod run_text;
mod same_person;
mod sanitize;
mod show;
mod stats;
mod syncs;
mod to_pebble;
mod to_sqlite;

use baton_flags::builtin;
use baton_flags::{Command, Positionals, Program};

use crate::command::{Cmd, Cx, FILE, Given, NO_PAGER, OUTPUT_FORMAT, QUIET, Runs, VERBOSE};
use crate::start::start;

/// An entry of the table. Further words are accepted, as always, but not silently.
fn entry<C: Cmd>() -> Command<Runs> {
    let mut entry = C::define().runs(Runs::Work(start::<C>));
    if entry.positionals == Positionals::Refused {
        entry.positionals = Positionals::Accepted;
    }
    // Without rows there is nothing to page.
    if entry.unused.contains(&OUTPUT_FORMAT.name()) {
        entry.unused.push(NO_PAGER.name());
    }
    entry
}

/// All commands, in the order of the help.
fn table() -> Vec<Command<Runs>> {
    let mut table = vec![
        entry::<listing::Listing<resource_types::ResourceTypes>>(),
        entry::<listing::Listing<resources::Resources>>(),
        entry::<listing::Listing<entitlements::Entitlements>>(),
        entry::<listing::Listing<grants::Grants>>(),
        entry::<listing::Listing<principals::Principals>>().command(entry::<compare::Compare>()),
        entry::<access::Access>(),
        entry::<show::Show>(),
        entry::<syncs::Syncs>(),
        entry::<stats::Stats>(),
        entry::<diff::Diff>(),
        Command::new("export", "export a sync")
            .command(entry::<export_c1z::ExportC1z>())
            .command(entry::<export_csv::ExportCsv>())
            .command(entry::<export_xlsx::ExportXlsx>()),
        entry::<recalculate_stats::RecalculateStats>(),
        entry::<to_pebble::ToPebble>(),
        entry::<to_sqlite::ToSqlite>(),
        entry::<expand::Expand>(),
        entry::<rollback::RollBack>(),
        entry::<sanitize::Sanitize>(),
        entry::<dump_db::DumpDb>(),
        entry::<optimize::Optimize>(),
    ];
    let builtin = builtin::commands(Runs::BuiltIn);
    // Ours also writes files, which the library of flags does not.
    let builtin = builtin.into_iter().filter(|command| command.name != "man");
    table.extend(builtin.map(complete_value::offered_by));
    table.push(entry::<man::Man>());
    table.push(entry::<complete_value::CompleteValue>());
    table
}

/// The program.
pub(crate) fn program() -> Program<Runs> {
    let mut root = Command::new(
        "baton",
        "explore who has access to what: reads the sync files (.c1z) that connectors write",
    )
    .example("what a file holds", "stats -f sync.c1z")
    .example(
        "what one user can access",
        "access -t user -r u1 -f sync.c1z",
    )
    .example(
        "all grants for another program",
        "grants -o json -f sync.c1z",
    );
    root.commands = table();
    root.run = Some(Runs::Overview(start::<overview::Overview>));
    Program {
        version: env!("CARGO_PKG_VERSION"),
        commit: option_env!("BATON_COMMIT"),
        root,
        common: vec![
            FILE.any(),
            OUTPUT_FORMAT.any(),
            VERBOSE.any(),
            QUIET.any(),
            NO_PAGER.any(),
        ],
        relations: Vec::new(),
        groups: Vec::new(),
        reads_settings: false,
        reserved: Vec::new(),
    }
}
