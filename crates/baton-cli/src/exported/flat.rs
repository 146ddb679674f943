//! The list of the Go tool: identities, then entitlements, then grants to
//! users, all with the same columns. The order of each group is the stored
//! one; in the Go tool it is random.

use std::collections::BTreeSet;

use baton_c1z::{Filter, Lookup, Row, Snapshot, Table};
use baton_proto::c1::connector::v2::resource_type::Trait;
use baton_proto::field::c1::connector::v2 as field;
use baton_proto::wire::{self, Value};

use super::facts::{Entitlement, Facts, FactsOfObjects, User};
use crate::error::CliError;
use crate::scan::each_row;

/// The columns, as the Go tool heads them.
pub(crate) const FLAT_COLUMNS: [&str; 12] = [
    "Type",
    "Last Name",
    "First Name",
    "User ID",
    "User Status",
    "Email Address",
    "Entitlement Display Name",
    "Entitlement",
    "Resource Type",
    "Resource Name",
    "Entitlement Description",
    "Entitlement Slug",
];

/// What the list has no place for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct LeftOut {
    /// Grants whose principal is not a user of the file.
    pub grants: u64,
}

/// Called with each row.
pub(crate) type VisitFlat<'v> = dyn FnMut(&[&str; 12]) -> Result<(), CliError> + 'v;

/// Visits the rows of the list.
pub(crate) fn visit_flat(
    snapshot: &Snapshot<'_>,
    visit: &mut VisitFlat<'_>,
) -> Result<LeftOut, CliError> {
    for type_id in user_types(snapshot)? {
        let filter = Filter {
            resource_type_id: Some(&type_id),
            ..Filter::default()
        };
        each_row(
            snapshot,
            Table::Resources,
            &filter,
            |row| match User::read(row)? {
                Some(user) => visit(&line("Identity", &user, user.status, None)),
                None => Ok(()),
            },
        )?;
    }
    let nobody = User::default();
    each_row(snapshot, Table::Entitlements, &Filter::default(), |row| {
        let entitlement = Entitlement::read(row)?;
        visit(&line("Entitlement", &nobody, "", Some(&entitlement)))
    })?;
    let mut lookup = Lookup::new(snapshot, FactsOfObjects);
    let mut left_out = LeftOut::default();
    each_row(snapshot, Table::Grants, &Filter::default(), |row| {
        let principal = lookup.resource(row.principal_type_id, row.principal_id)?;
        let Facts::User(user) = principal.as_ref() else {
            left_out.grants += 1;
            return Ok(());
        };
        let found = lookup.entitlement(row.entitlement_id)?;
        match found.as_ref() {
            Facts::Entitlement(entitlement) => visit(&line("Grant", user, "", Some(entitlement))),
            _ => {
                let embedded = Entitlement::of_grant(row)?;
                visit(&line("Grant", user, "", Some(&embedded)))
            }
        }
    })?;
    Ok(left_out)
}

/// The types whose resources are users, each once, in stored order.
fn user_types(snapshot: &Snapshot<'_>) -> Result<Vec<String>, CliError> {
    let mut types = Vec::new();
    let mut seen = BTreeSet::new();
    each_row(snapshot, Table::ResourceTypes, &Filter::default(), |row| {
        if has_user_trait(row)? && seen.insert(row.id.to_owned()) {
            types.push(row.id.to_owned());
        }
        Ok(())
    })?;
    Ok(types)
}

fn has_user_trait(row: &Row<'_>) -> Result<bool, CliError> {
    let user = u64::from((Trait::User as i32).unsigned_abs());
    let read = || {
        for part in wire::values(row.data) {
            match part? {
                (field::resource_type::TRAITS, Value::Varint(value)) if value == user => {
                    return Ok(true);
                }
                (field::resource_type::TRAITS, Value::Bytes(packed)) => {
                    for value in wire::packed_varints(packed) {
                        if value? == user {
                            return Ok(true);
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(false)
    };
    read().map_err(|source| CliError::Render {
        what: format!("`{}`", row.id),
        source,
    })
}

fn line<'l>(
    kind: &'l str,
    user: &'l User,
    status: &'l str,
    entitlement: Option<&'l Entitlement>,
) -> [&'l str; 12] {
    let [display_name, id, type_id, resource_name, description, slug] =
        entitlement.map_or([""; 6], Entitlement::texts);
    [
        kind,
        &user.last_name,
        &user.first_name,
        &user.own_id,
        status,
        &user.email,
        display_name,
        id,
        type_id,
        resource_name,
        description,
        slug,
    ]
}
