//! `principals compare`: who holds one entitlement and not another one, of the
//! same file or of two. Memory grows with the holders of these two.

use std::path::{Path, PathBuf};

use baton_c1z::{Filter, Lookup, Table as Rows};
use baton_flags::{Command, Field};

use super::flags::{self, ENTITLEMENT, SYNC_ID};
use super::listing::{RESOURCE_COLUMNS, Sync, resource_cells, resource_context, with_sync};
use super::principals::Seen;
use super::same_person::{Identities, Identity, match_up};
use super::{Cmd, Cx, Given, Runs};
use crate::command::empty_file;
use crate::error::CliError;
use crate::json::Fields;
use crate::lookups::Detail;
use crate::open;
use crate::output::Output;
use crate::rows::{Cells, RowSource, Visit};
use crate::scan::each_row;
use crate::table::{Column, Table, id, text};

const BASE: Field<String> = ENTITLEMENT.about("the entitlement whose holders are the base");
pub(super) const OTHER_FILE: Field<Option<PathBuf>> = Field::path(
    "compare-file",
    "the file of the other entitlement (default: the one of --file)",
)
.value_name("path");
pub(super) const OTHER: Field<String> = Field::string(
    "compare-entitlement",
    "the entitlement whose holders are compared with the base",
)
.value_name("id");

const SYNC: Field<String> =
    SYNC_ID.about("the sync of the base (default: the newest finished one)");
pub(super) const OTHER_SYNC: Field<String> = Field::string(
    "compare-sync-id",
    "the sync of the other entitlement (default: the newest finished one)",
)
.value_name("id");

/// What is printed if both sides have the same holders: the Go tool's words.
const ALIKE: &str = "The principals between these entitlements appear to match!";

pub(super) struct Compare {
    base: Side,
    other_file: Option<PathBuf>,
    other: Side,
}

/// Whose holders are compared.
struct Side {
    entitlement: String,
    /// The flag that names the entitlement.
    flag: &'static str,
    sync_id: Option<String>,
}

impl Cmd for Compare {
    fn define() -> Command<Runs> {
        Command::new("compare", "compare the holders of two entitlements")
            .field(BASE)
            .field(OTHER_FILE)
            .field(OTHER)
            .field(SYNC)
            .field(OTHER_SYNC)
            .example(
                "who is in one group and not in the other",
                "principals compare -e group:g1:member --compare-entitlement group:g2:member",
            )
            .example(
                "who left or joined a group since the sync in another file",
                "principals compare -f old.c1z -e group:g1:member --compare-file sync.c1z \
                 --compare-entitlement group:g1:member",
            )
    }

    fn parse(given: &Given) -> Result<Self, CliError> {
        let other_file = given.config.get(&OTHER_FILE).map(ToOwned::to_owned);
        if other_file.is_none() && given.config.was_set(&OTHER_FILE) {
            return Err(empty_file());
        }
        Ok(Self {
            base: Side::of(given, &BASE, &SYNC),
            other_file,
            other: Side::of(given, &OTHER, &OTHER_SYNC),
        })
    }

    fn run(self, cx: &mut Cx<'_, '_>) -> Result<(), CliError> {
        let base = holders(cx, &self.base)?;
        let other = match &self.other_file {
            None => holders(cx, &self.other)?,
            Some(file) => {
                must_hold_something(file)?;
                let mut cx = Cx {
                    process: cx.process,
                    file,
                    output: cx.output,
                    verbose: cx.verbose,
                    out: &mut *cx.out,
                    err: &mut *cx.err,
                };
                holders(&mut cx, &self.other)?
            }
        };
        let pairs = match_up(&base.identities, &other.identities);
        let missing = base.without(|place| pairs.base[place]);
        let extra = other.without(|place| pairs.other[place]);
        match cx.output {
            Output::Console => console(cx, &missing, &extra),
            Output::Json | Output::Yaml => {
                let json = json([&missing, &extra, &base.all(), &other.all()]);
                cx.output.write_object(&json, cx.out)
            }
            Output::Ndjson | Output::Csv | Output::Markdown => {
                let sink = cx.output.sink(cx.style());
                let lists = [("missing", missing), ("extra", extra)];
                sink.write(&mut Differences { lists }, cx.out)
            }
        }
    }
}

impl Side {
    fn of(given: &Given, entitlement: &Field<String>, sync: &Field<String>) -> Self {
        Self {
            entitlement: given.config.get(entitlement).to_owned(),
            flag: entitlement.name(),
            sync_id: flags::text(given, sync),
        }
    }
}

/// Refuses a missing or empty file, by the flag that names it.
fn must_hold_something(other_file: &Path) -> Result<(), CliError> {
    match open::must_hold_something(other_file) {
        Err(CliError::Usage { message, .. }) => Err(CliError::Usage {
            message,
            hint: Some(format!("pass another file with --{}", OTHER_FILE.name())),
        }),
        other => other,
    }
}

/// The distinct holders of one entitlement, in grant order.
#[derive(Default)]
struct Holders {
    identities: Vec<Identity>,
    shown: Vec<Shown>,
}

/// A holder as the output shows it.
enum Shown {
    Cells(Vec<String>),
    Json(Vec<u8>),
}

impl Shown {
    fn cells(&self) -> &[String] {
        match self {
            Self::Cells(cells) => cells,
            Self::Json(_) => &[],
        }
    }

    fn json(&self) -> &[u8] {
        match self {
            Self::Json(json) => json,
            Self::Cells(_) => &[],
        }
    }
}

impl Holders {
    fn all(&self) -> Vec<&Shown> {
        self.shown.iter().collect()
    }

    fn without(&self, is_matched: impl Fn(usize) -> bool) -> Vec<&Shown> {
        let all = self.shown.iter().enumerate();
        all.filter(|(place, _)| !is_matched(*place))
            .map(|(_, shown)| shown)
            .collect()
    }
}

/// Reads the holders of an entitlement. An id that the file lacks has none, as
/// in the Go tool, but not without a warning; a name that only one entitlement
/// has stands for it.
fn holders(cx: &mut Cx<'_, '_>, side: &Side) -> Result<Holders, CliError> {
    let (wanted, flag) = (&*side.entitlement, side.flag);
    let mut holders = Holders::default();
    with_sync(cx, side.sync_id.as_deref(), |sync| {
        let mut ids = ids(sync, wanted)?;
        if wanted.is_empty() {
            sync.err.warning(format!(
                "no entitlement is given with `--{flag}`: there are no principals to compare"
            ));
        } else if ids.is_empty() {
            let found = sync.finder().entitlement(wanted);
            if let Some(row) = sync.found(found)? {
                ids = self::ids(sync, &row.id)?;
            }
        }
        let mut identities = Lookup::new(sync.snapshot, Identities);
        for (type_id, id) in &ids {
            let identity = identities.resource(type_id, id)?;
            holders.identities.push(Identity::clone(&identity));
            holders.shown.push(shown(sync, type_id, id)?);
        }
        Ok(())
    })?;
    Ok(holders)
}

/// Types and ids of the distinct holders of an entitlement.
fn ids(sync: &Sync<'_, '_>, entitlement: &str) -> Result<Vec<(String, String)>, CliError> {
    let mut ids = Vec::new();
    let mut seen = Seen::default();
    let filter = Filter {
        entitlement_id: Some(entitlement),
        ..Filter::default()
    };
    each_row(sync.snapshot, Rows::Grants, &filter, |row| {
        if seen.is_first(row) {
            let id = (row.principal_type_id, row.principal_id);
            ids.push((id.0.to_owned(), id.1.to_owned()));
        }
        Ok(())
    })?;
    Ok(ids)
}

fn shown(sync: &mut Sync<'_, '_>, type_id: &str, id: &str) -> Result<Shown, CliError> {
    let lookups = &mut sync.lookups;
    let principal = lookups.resource(type_id, id)?;
    if sync.output.detail() == Detail::Json {
        let mut json = Vec::new();
        let mut fields = Fields::open(&mut json);
        fields.json("resource", &principal.json);
        resource_context(lookups, &mut fields, type_id, principal.parent())?;
        fields.close();
        return Ok(Shown::Json(json));
    }
    let mut cells = Cells::default();
    let key = (type_id, id);
    resource_cells(
        lookups,
        key,
        &principal.name,
        principal.parent(),
        &mut cells,
    )?;
    Ok(Shown::Cells(cells.as_slice().to_vec()))
}

/// One object with the lists that are not empty.
fn json(lists: [&[&Shown]; 4]) -> Vec<u8> {
    let mut text = Vec::new();
    let mut fields = Fields::open(&mut text);
    for (key, list) in ["missing", "extra", "base", "compared"].iter().zip(lists) {
        if list.is_empty() {
            continue;
        }
        fields.array(key, list, |out, shown| {
            out.extend_from_slice(shown.json());
        });
    }
    fields.close();
    text
}

/// The principals of one side only, a row each.
struct Differences<'h> {
    lists: [(&'static str, Vec<&'h Shown>); 2],
}

impl Differences<'_> {
    fn each(
        &self,
        mut visit: impl FnMut(&'static str, &Shown) -> Result<(), CliError>,
    ) -> Result<(), CliError> {
        for (side, list) in &self.lists {
            list.iter().try_for_each(|shown| visit(side, shown))?;
        }
        Ok(())
    }
}

impl RowSource for Differences<'_> {
    fn key(&self) -> &'static str {
        "differences"
    }

    fn columns(&self) -> &[Column] {
        const {
            &[
                text("Difference"),
                id("ID"),
                text("Display Name"),
                text("Resource Type"),
                text("Parent Resource").or_dash(),
            ]
        }
    }

    fn cells(&mut self, visit: &mut Visit<'_, [String]>) -> Result<(), CliError> {
        let mut cells = Cells::default();
        self.each(|side, shown| {
            cells.clear();
            cells.push(side);
            shown.cells().iter().for_each(|cell| cells.push(cell));
            visit(cells.as_slice())
        })
    }

    fn objects(&mut self, visit: &mut Visit<'_, [u8]>) -> Result<(), CliError> {
        let mut json = Vec::new();
        self.each(|side, shown| {
            json.clear();
            let mut fields = Fields::open(&mut json);
            // A constant, in which nothing needs escaping.
            fields.json("difference", format!("\"{side}\"").as_bytes());
            fields.json("principal", shown.json());
            fields.close();
            visit(&json)
        })
    }
}

/// A titled table per list that is not empty, or one sentence.
fn console(cx: &mut Cx<'_, '_>, missing: &[&Shown], extra: &[&Shown]) -> Result<(), CliError> {
    if missing.is_empty() && extra.is_empty() {
        return Ok(cx.out.write_all(ALIKE.as_bytes())?);
    }
    let style = cx.style();
    for (title, list) in [("Missing Principals", missing), ("Extra Principals", extra)] {
        if list.is_empty() {
            continue;
        }
        let line = " ".repeat(title.len() + 2 * MARGIN.len());
        write!(cx.out, "\n{line}\n{MARGIN}{title}{MARGIN}\n{line}\n\n")?;
        let rows: Vec<Vec<String>> = list.iter().map(|shown| shown.cells().to_vec()).collect();
        Table::print(RESOURCE_COLUMNS, &rows, style, cx.out)?;
    }
    Ok(())
}

/// Blanks on either side of a title.
const MARGIN: &str = "     ";
