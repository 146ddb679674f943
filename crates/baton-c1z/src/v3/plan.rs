//! From a filter to ranges of keys.
//!
//! A filter that begins like a key, or that an index is for, becomes a range
//! of that; nothing is read to be thrown away but grants of other principal
//! types. Whatever is walked, rows come in the order of their own keys.

use std::ops::Bound;

use super::find::Finder;
use super::keys;
use crate::error::{Error, Result};
use crate::row::{Filter, Table};
use crate::store::Query;
use crate::tuple;

/// Which keys to walk, and how to get from them to rows.
pub(super) struct Plan<'a> {
    pub table: Table,
    pub access: Access<'a>,
    /// Ascending, without overlap.
    pub ranges: Vec<Range>,
    /// Principal types in their escaped form; empty: any.
    principal_types: Vec<Vec<u8>>,
}

/// What the ranges are ranges of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access<'a> {
    /// The table itself.
    Rows,
    /// The index of resources by this parent.
    ByParent((&'a str, &'a str)),
    /// The index of grants by principal.
    ByPrincipal,
}

/// Keys from the first up to, and without, the second.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Range {
    pub start: Vec<u8>,
    pub end: Vec<u8>,
}

impl Range {
    /// All keys that begin with `prefix`, which ends in a separator.
    fn of_prefix(prefix: Vec<u8>) -> Self {
        Self {
            end: keys::behind(&prefix),
            start: prefix,
        }
    }

    /// One key.
    fn of_key(key: Vec<u8>) -> Self {
        Self {
            end: successor(&key),
            start: key,
        }
    }

    pub fn bounds(&self) -> (Bound<&[u8]>, Bound<&[u8]>) {
        (Bound::Included(&self.start), Bound::Excluded(&self.end))
    }
}

/// The first key behind `key`.
fn successor(key: &[u8]) -> Vec<u8> {
    [key, &[0]].concat()
}

impl<'a> Plan<'a> {
    /// The rows of `query`, in the file's own sync.
    ///
    /// # Errors
    /// [`Error::Filter`] if the table lacks a column of the filter.
    pub fn new(query: &Query<'a>, finder: &Finder<'_>) -> Result<Self> {
        query.check_filter()?;
        let filter = query.filter;
        let resource = filter.resource.filter(|(_, id)| !id.is_empty());
        let mut plan = Self {
            table: query.table,
            access: Access::Rows,
            ranges: Vec::new(),
            principal_types: filter
                .principal_types
                .iter()
                .map(|t| tuple::escaped(t))
                .collect(),
        };
        // The type that the row's resource must have, or a contradiction.
        let wanted_type = match (filter.resource_type_id, resource) {
            (Some(wanted), Some((type_id, _))) if wanted != type_id => return Ok(plan),
            (wanted, resource) => wanted.or(resource.map(|(type_id, _)| type_id)),
        };
        let mut parts: Vec<&str> = wanted_type.into_iter().collect();
        parts.extend(resource.map(|(_, id)| id));
        match query.table {
            Table::ResourceTypes => plan.rows(&parts, 1),
            Table::Resources => match filter.parent {
                Some(parent) => plan.children(parent, &parts),
                None => plan.rows(&parts, 2),
            },
            Table::Entitlements => plan.rows(&parts, usize::MAX),
            Table::Grants => plan.grants(filter, &parts, finder)?,
        }
        Ok(plan)
    }

    /// Rows whose keys begin with `parts`, which are the whole key if there
    /// are as many as `key_parts`.
    fn rows(&mut self, parts: &[&str], key_parts: usize) {
        let mut prefix = keys::table_prefix(self.table, parts);
        self.ranges.push(if parts.len() == key_parts {
            prefix.pop();
            Range::of_key(prefix)
        } else {
            Range::of_prefix(prefix)
        });
    }

    fn children(&mut self, parent: (&'a str, &'a str), parts: &[&str]) {
        self.access = Access::ByParent(parent);
        let mut prefix = keys::by_parent_prefix(&[&[parent.0, parent.1], parts].concat());
        self.ranges.push(if parts.len() == 2 {
            prefix.pop();
            Range::of_key(prefix)
        } else {
            Range::of_prefix(prefix)
        });
    }

    fn grants(&mut self, filter: &Filter<'a>, parts: &[&str], finder: &Finder<'_>) -> Result<()> {
        let Some(entitlement_id) = filter.entitlement_id else {
            if let Some((type_id, id)) = filter.principal {
                self.access = Access::ByPrincipal;
                let prefix = keys::by_principal_prefix(&[&[type_id, id], parts].concat());
                self.ranges.push(Range::of_prefix(prefix));
            } else {
                self.rows(parts, usize::MAX);
            }
            return Ok(());
        };
        // What the key of a grant of the resource asked for begins with.
        let begin = keys::table_prefix(Table::Grants, parts);
        let mut prefixes = finder.granted(entitlement_id)?;
        prefixes.retain(|prefix| prefix.starts_with(&begin));
        prefixes.sort_unstable();
        self.ranges = match filter.principal {
            None => prefixes.into_iter().map(Range::of_prefix).collect(),
            Some((type_id, id)) => prefixes
                .into_iter()
                .map(|prefix| Range::of_key(keys::grant(&prefix, (type_id, id))))
                .collect(),
        };
        Ok(())
    }

    /// The ranges behind the row with the key `after`.
    pub fn behind(mut self, after: &[u8]) -> Result<Self> {
        let foreign = Error::Cursor {
            reason: "it belongs to another format",
        };
        if !after.starts_with(&keys::table(self.table)) {
            return Err(foreign);
        }
        let mut place = Vec::new();
        match self.access {
            Access::Rows => place.extend_from_slice(after),
            Access::ByParent(parent) => keys::by_parent(parent, after, &mut place),
            Access::ByPrincipal => keys::by_principal(after, &mut place).ok_or(foreign)?,
        }
        let start = successor(&place);
        self.ranges.retain(|range| start < range.end);
        if let Some(first) = self.ranges.first_mut() {
            first.start = start.max(std::mem::take(&mut first.start));
        }
        Ok(self)
    }

    /// Whether the row with this key passes what the ranges leave open.
    pub fn wants(&self, key: &[u8]) -> bool {
        self.principal_types.is_empty()
            || tuple::parts(keys::tuple_of(key))
                .nth(keys::ENTITLEMENT_PARTS)
                .is_some_and(|part| self.principal_types.iter().any(|wanted| wanted == part))
    }
}
