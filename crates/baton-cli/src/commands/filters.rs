//! What a list is narrowed to: as the user wrote it, and as it is in the file.
//!
//! Ids are taken as they are. What is not the id of an object may be the name
//! of only one. Where it is neither, the list is that of the Go tool, mostly
//! an empty one, and a warning names what is near.

use std::collections::HashSet;

use baton_c1z::{Filter, Row, Table as Rows};
use baton_flags::{Command, Field};
use baton_query::{Error as QueryError, Table as Records};

use super::flags::{self, SYNC_ID};
use super::listing::Sync;
use super::question::{self, Question};
use super::{Given, Runs};
use crate::error::CliError;
use crate::scan::each_row;

pub(super) const PRINCIPAL: Field<String> = Field::string(
    "principal",
    "only what this principal holds: id, TYPE:ID, or unique name",
)
.value_name("principal");
pub(super) const LIMIT: Field<i64> =
    Field::int("limit", "show at most this many rows").value_name("rows");
const EXPLAIN: Field<bool> = Field::bool(
    "explain",
    "report on standard error how the rows were found",
);

/// The flags that every list has.
pub(super) fn with_list_flags(command: Command<Runs>) -> Command<Runs> {
    question::with_flags(command)
        .field(LIMIT)
        .field(EXPLAIN)
        .field(SYNC_ID)
}

/// What the user wrote.
#[derive(Debug, Default)]
pub(super) struct Options {
    pub sync_id: Option<String>,
    pub type_id: Option<String>,
    /// Id or name of a resource of the type.
    pub resource: Option<String>,
    /// Id or name. An empty one is the id of no entitlement.
    pub entitlement: Option<String>,
    /// Id, type and id, or name.
    pub principal: Option<String>,
    pub question: Question,
    pub limit: Option<u64>,
    pub explain: bool,
}

impl Options {
    /// The flags of every list. The others are each command's own.
    pub fn parse(given: &Given, table: Records) -> Result<Self, CliError> {
        Ok(Self {
            question: Question::parse(given, table)?,
            sync_id: flags::sync_id(given),
            limit: limit(given)?,
            explain: given.config.get(&EXPLAIN),
            principal: not_empty(given, &PRINCIPAL)?,
            ..Self::default()
        })
    }

    /// With a resource, if the flag was given: its type must be, too.
    pub fn with_resource(
        mut self,
        given: &Given,
        type_id: &Field<String>,
        id: &Field<String>,
    ) -> Result<Self, CliError> {
        if given.config.was_set(id) {
            let (type_id, id) = flags::typed_id(given, type_id, id)?;
            self.type_id = Some(type_id);
            self.resource = Some(id);
        }
        Ok(self)
    }

    /// What these are in the file. Warns of what is not in it.
    pub fn choose(&self, table: Rows, sync: &mut Sync<'_, '_>) -> Result<Chosen, CliError> {
        let mut chosen = Chosen {
            type_id: self.type_id.clone(),
            ..Chosen::default()
        };
        let finder = sync.finder();
        if let (Some(type_id), None) = (&self.type_id, &self.resource) {
            // A row may have a type that is not in the file: it stays.
            sync.found(finder.resource_type(type_id))?;
        }
        if let (Some(type_id), Some(resource)) = (&self.type_id, &self.resource) {
            let row = sync.found(finder.resource(type_id, resource))?;
            let id = row.map_or_else(|| resource.clone(), |row| row.resource_id);
            chosen.note("--resource", resource, &id);
            chosen.resource = Some((type_id.clone(), id));
        }
        if let Some(entitlement) = self.entitlement.as_ref().filter(|id| !id.is_empty()) {
            let row = sync.found(finder.entitlement(entitlement))?;
            let id = row.as_ref().map_or(entitlement, |row| &row.id);
            chosen.note("--entitlement", entitlement, id);
            chosen.entitlement = Some(id.clone());
            chosen.entitlement_on = row.map(|row| (row.resource_type_id, row.resource_id));
        } else {
            chosen.entitlement.clone_from(&self.entitlement);
        }
        if let Some(principal) = &self.principal {
            let found = sync.found(finder.any_resource(principal))?;
            let (type_id, id) = match found {
                Some(row) => (row.resource_type_id, row.resource_id),
                // It may hold grants though it is not in the file.
                None => typed(principal),
            };
            chosen.note("--principal", principal, &format!("{type_id}:{id}"));
            chosen.principal = Some((type_id, id));
            if table != Rows::Grants {
                chosen.held = Some(held(table, &chosen, sync)?);
            }
        } else if let (Rows::Resources, Some(entitlement)) = (table, &chosen.entitlement) {
            chosen.held = Some(resources_of(entitlement, &chosen, sync)?);
        }
        Ok(chosen)
    }
}

/// How many rows to show at most.
pub(super) fn limit(given: &Given) -> Result<Option<u64>, CliError> {
    match given.config.given(&LIMIT).map(u64::try_from) {
        None => Ok(None),
        Some(Ok(rows @ 1..)) => Ok(Some(rows)),
        Some(_) => Err(CliError::usage("limit must be greater than zero")),
    }
}

/// A principal as it is written: type and id, or an id that has no type.
pub(super) fn typed(principal: &str) -> (String, String) {
    let (type_id, id) = principal.split_once(':').unwrap_or(("", principal));
    (type_id.to_owned(), id.to_owned())
}

/// A text that must not be empty where it is given.
pub(super) fn not_empty(given: &Given, field: &Field<String>) -> Result<Option<String>, CliError> {
    match given.config.given(field) {
        Some("") => Err(CliError::usage(format!("--{} is empty", field.name()))),
        text => Ok(text.map(ToOwned::to_owned)),
    }
}

/// What the user means, by ids.
#[derive(Debug, Default)]
pub(super) struct Chosen {
    pub type_id: Option<String>,
    pub resource: Option<(String, String)>,
    pub entitlement: Option<String>,
    /// The resource of that entitlement, if there is only one of its id.
    entitlement_on: Option<(String, String)>,
    pub principal: Option<(String, String)>,
    /// What the principal holds or the entitlement is on, for tables that do not name it.
    held: Option<HashSet<String>>,
    /// Names that were resolved, for people.
    pub notes: Vec<String>,
}

impl Chosen {
    fn note(&mut self, flag: &str, wanted: &str, id: &str) {
        if wanted != id {
            self.notes.push(format!("{flag} `{wanted}` is `{id}`"));
        }
    }

    /// The rows to read: as much of it as the table has columns for.
    pub fn filter(&self, table: Rows) -> Filter<'_> {
        fn parts(pair: Option<&(String, String)>) -> Option<(&str, &str)> {
            pair.map(|(type_id, id)| (type_id.as_str(), id.as_str()))
        }
        let mut filter = Filter {
            resource: parts(self.resource.as_ref()),
            ..Filter::default()
        };
        if filter.resource.is_none() {
            filter.resource_type_id = self.type_id.as_deref();
        }
        match table {
            Rows::Grants => {
                filter.entitlement_id = self.entitlement.as_deref();
                filter.principal = parts(self.principal.as_ref());
            }
            Rows::Entitlements | Rows::Resources if filter.resource.is_none() => {
                filter.resource = parts(self.entitlement_on.as_ref());
            }
            _ => {}
        }
        filter
    }

    /// Whether a row that the filter gave is wanted.
    pub fn selects(&self, table: Rows, row: &Row<'_>) -> bool {
        if table == Rows::Grants {
            return true;
        }
        let is_it = |id: &String| table != Rows::Entitlements || row.id == id;
        let is_held = |held: &HashSet<String>| held.contains(&key(table, row, row.id));
        self.entitlement.as_ref().is_none_or(is_it) && self.held.as_ref().is_none_or(is_held)
    }
}

/// The resources or entitlements that the principal has grants on.
fn held(
    table: Rows,
    chosen: &Chosen,
    sync: &mut Sync<'_, '_>,
) -> Result<HashSet<String>, CliError> {
    let mut held = HashSet::new();
    let filter = chosen.filter(Rows::Grants);
    each_row(sync.snapshot, Rows::Grants, &filter, |row| {
        held.insert(key(table, row, row.entitlement_id));
        Ok(())
    })?;
    Ok(held)
}

/// The resources that have an entitlement of this id.
fn resources_of(
    id: &str,
    chosen: &Chosen,
    sync: &mut Sync<'_, '_>,
) -> Result<HashSet<String>, CliError> {
    let mut resources = HashSet::new();
    let filter = chosen.filter(Rows::Entitlements);
    each_row(sync.snapshot, Rows::Entitlements, &filter, |row| {
        if row.id == id {
            resources.insert(key(Rows::Resources, row, row.id));
        }
        Ok(())
    })?;
    Ok(resources)
}

/// What a row of the table has in common with its grants.
fn key(table: Rows, row: &Row<'_>, entitlement_id: &str) -> String {
    if table == Rows::Entitlements {
        return entitlement_id.to_owned();
    }
    [row.resource_type_id, "\0", row.resource_id].concat()
}

/// The row, or none and a warning if the file has nothing that is called so.
/// An id that several objects have selects all of them.
pub(super) fn or_warning(
    found: Result<baton_c1z::OwnedRow, QueryError>,
) -> Result<Result<baton_c1z::OwnedRow, Option<String>>, CliError> {
    match found {
        Ok(row) => Ok(Ok(row)),
        Err(QueryError::Ambiguous(several)) if several.is_id => Ok(Err(None)),
        Err(
            error @ (QueryError::NotFound(_)
            | QueryError::NoSuchType { .. }
            | QueryError::Ambiguous(_)),
        ) => Ok(Err(Some(error.to_string()))),
        Err(error) => Err(error.into()),
    }
}
