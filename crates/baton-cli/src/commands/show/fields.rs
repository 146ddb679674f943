//! The fields of one object that `show` has.

use baton_c1z::{OwnedRow, Row, Snapshot};
use baton_query::{Field, Record, Records, Table, View};

use super::Found;
use crate::error::CliError;

const RESOURCE_NAME: &str = "resource.display_name";
const RESOURCE: &[&str] = &[
    "resource.description",
    "resource.parent_id",
    "resource.status",
    "resource.email",
    "resource.login",
    "resource.last_login",
    "resource.account_type",
    "resource.created_at",
    "resource.traits",
    "resource.profile",
];
const ENTITLEMENT_NAME: &str = "entitlement.display_name";
const ENTITLEMENT: &[&str] = &[
    "entitlement.slug",
    "entitlement.purpose",
    "resource.display_name",
    "resource.type",
    "resource.id",
];

impl Found {
    /// The row of the object.
    pub fn row(&self) -> &OwnedRow {
        match self {
            Self::Resource(row) | Self::Entitlement(row) => row,
        }
    }

    /// What its records are.
    fn table(&self) -> Table {
        match self {
            Self::Resource(_) => Table::Resources,
            Self::Entitlement(_) => Table::Entitlements,
        }
    }

    /// The field of its name, and the others in their order.
    pub fn fields(&self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::Resource(_) => (RESOURCE_NAME, RESOURCE),
            Self::Entitlement(_) => (ENTITLEMENT_NAME, ENTITLEMENT),
        }
    }
}

/// Fields of an object that are read together.
pub(super) struct Fields<'s> {
    chosen: Vec<Field>,
    records: Records<'s>,
    /// What the names of its own fields begin with.
    own: &'static str,
}

impl<'s> Fields<'s> {
    pub fn new(
        snapshot: &Snapshot<'s>,
        found: &Found,
        names: impl IntoIterator<Item = &'static str>,
    ) -> Result<Self, CliError> {
        let chosen: Vec<Field> = names
            .into_iter()
            .map(Field::parse)
            .collect::<Result<_, _>>()?;
        let view = View::new(found.table()).with_all(chosen.iter().copied());
        Ok(Self {
            chosen,
            records: Records::new(snapshot, view),
            own: match found {
                Found::Resource(_) => "resource.",
                Found::Entitlement(_) => "entitlement.",
            },
        })
    }

    pub fn record<'r>(&'r self, row: &Row<'r>) -> Record<'r, 's> {
        self.records.record(row)
    }

    /// Each field with its name; its own ones without that of the object.
    pub fn labelled(&self) -> impl Iterator<Item = (Field, &'static str)> {
        self.chosen.iter().map(|field| {
            let name = field.name();
            (*field, name.strip_prefix(self.own).unwrap_or(name))
        })
    }
}
