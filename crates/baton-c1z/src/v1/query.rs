//! From a filter to SQL.
//!
//! Rows must come in the order of `id`, without a sort: a statement that sorts
//! holds all matching rows at once. So each query leaves at most one index open
//! to the planner, one that yields this order, and hides the other columns
//! behind a unary plus.

use super::schema::table_name;
use crate::error::Result;
use crate::row::Table;
use crate::store::Query;

/// A `where` clause with the values of its parameters.
pub(super) struct Condition<'a> {
    /// From `from` on, without order.
    pub sql: String,
    /// Texts for the parameters, in order.
    pub values: Vec<Value<'a>>,
}

/// A text parameter.
pub(super) enum Value<'a> {
    /// The text.
    Text(&'a str),
    /// A resource's stored external id, put together from type and id.
    Joined(String),
}

impl rusqlite::ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        let text = match self {
            Self::Text(text) => text,
            Self::Joined(text) => text.as_str(),
        };
        Ok(rusqlite::types::ToSqlOutput::from(text))
    }
}

impl<'a> Condition<'a> {
    /// The rows of `query`.
    ///
    /// # Errors
    /// [`Error::Filter`] if the table lacks a column of the filter.
    pub fn new(query: &Query<'a>) -> Result<Self> {
        let mut this = Self {
            sql: format!(" from {} where 1", table_name(query.table)),
            values: Vec::new(),
        };
        query.check_filter()?;
        let by_entitlement = this.filter(query);
        if let Some(sync_id) = query.sync_id {
            // Together with the entitlement it is the front of an index.
            let column = if by_entitlement {
                "sync_id"
            } else {
                "+sync_id"
            };
            this.equal(column, sync_id);
        }
        Ok(this)
    }

    /// Adds the filter's conditions; returns whether the index that begins with
    /// entitlement and sync is the one left open.
    fn filter(&mut self, query: &Query<'a>) -> bool {
        let filter = query.filter;
        let resource = filter.resource.filter(|(_, id)| !id.is_empty());
        let by_entitlement = filter.entitlement_id.is_some() && filter.principal.is_none();
        if let Some(id) = filter.entitlement_id {
            self.equal("entitlement_id", id);
        }
        if let Some((type_id, id)) = filter.principal {
            self.equal("principal_resource_type_id", type_id);
            self.equal("principal_resource_id", id);
        }
        let indexed = filter.entitlement_id.is_some() || filter.principal.is_some();
        match (query.table, resource) {
            (_, None) => {}
            (Table::Resources, Some((type_id, id))) => {
                self.joined_id(type_id, id);
            }
            (_, Some((type_id, id))) if indexed => {
                self.equal("+resource_type_id", type_id);
                self.equal("+resource_id", id);
            }
            (_, Some((type_id, id))) => {
                self.equal("resource_type_id", type_id);
                self.equal("resource_id", id);
            }
        }
        if let Some((type_id, id)) = filter.parent {
            if resource.is_none() {
                self.equal("parent_resource_type_id", type_id);
                self.equal("parent_resource_id", id);
            } else {
                self.equal("+parent_resource_type_id", type_id);
                self.equal("+parent_resource_id", id);
            }
        }
        if let Some(type_id) = filter.resource_type_id {
            let column = match query.table {
                Table::ResourceTypes => "external_id",
                _ => "+resource_type_id",
            };
            self.equal(column, type_id);
        }
        if !filter.principal_types.is_empty() {
            let marks = vec!["?"; filter.principal_types.len()].join(",");
            self.sql += " and +principal_resource_type_id in (";
            self.sql += &marks;
            self.sql.push(')');
            self.values
                .extend(filter.principal_types.iter().map(|t| Value::Text(t)));
        }
        by_entitlement
    }

    /// The resource of this type and id. The joined id alone is not enough:
    /// (`a:b`, `c`) and (`a`, `b:c`) have the same.
    pub fn joined_id(&mut self, type_id: &'a str, id: &str) {
        self.sql += " and external_id = ?";
        self.values.push(Value::Joined([type_id, ":", id].concat()));
        self.equal("+resource_type_id", type_id);
    }

    /// Adds `column = value`.
    pub fn equal(&mut self, column: &str, value: &'a str) {
        self.sql.push_str(" and ");
        self.sql.push_str(column);
        self.sql.push_str(" = ?");
        self.values.push(Value::Text(value));
    }
}

/// The columns of a table in the one order that the reader expects.
pub(super) fn columns(table: Table) -> &'static str {
    match table {
        Table::ResourceTypes => {
            "id, external_id, external_id, null, null, null, null, null, null, data, null, null"
        }
        Table::Resources => {
            "id, external_id, resource_type_id, null, parent_resource_type_id,
             parent_resource_id, null, null, null, data, null, null"
        }
        Table::Entitlements => {
            "id, external_id, resource_type_id, resource_id, null, null, null, null, null,
             data, null, null"
        }
        Table::Grants => {
            "id, external_id, resource_type_id, resource_id, null, null, entitlement_id,
             principal_resource_type_id, principal_resource_id, data, expansion,
             needs_expansion"
        }
    }
}

/// As [`columns`], of those only that the canonical key of a row is made of.
pub(super) fn key_columns(table: Table) -> &'static str {
    match table {
        Table::ResourceTypes => {
            "id, external_id, external_id, null, null, null, null, null, null, null, null, null"
        }
        Table::Resources => {
            "id, external_id, resource_type_id, null, null, null, null, null, null, null, null,
             null"
        }
        Table::Entitlements => {
            "id, external_id, resource_type_id, resource_id, null, null, null, null, null,
             null, null, null"
        }
        Table::Grants => {
            "id, external_id, resource_type_id, resource_id, null, null, entitlement_id,
             principal_resource_type_id, principal_resource_id, null, null, null"
        }
    }
}
