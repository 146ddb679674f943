//! Rows as every store gives them, and the filters that select them.
//!
//! A row is the message's bytes plus the columns it is found by. Both are
//! borrowed from the store; [`OwnedRow`] is a copy.

use prost_types::Timestamp;

/// One of the four kinds of rows that a sync consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Table {
    /// Rows are `c1.connector.v2.ResourceType`.
    ResourceTypes,
    /// Rows are `c1.connector.v2.Resource`.
    Resources,
    /// Rows are `c1.connector.v2.Entitlement`.
    Entitlements,
    /// Rows are `c1.connector.v2.Grant`.
    Grants,
}

impl Table {
    /// All tables in the order in which a sync fills them.
    pub const ALL: [Self; 4] = [
        Self::ResourceTypes,
        Self::Resources,
        Self::Entitlements,
        Self::Grants,
    ];

    /// The name in messages: `resource_types`, `resources`, `entitlements`, `grants`.
    pub fn name(self) -> &'static str {
        match self {
            Self::ResourceTypes => "resource_types",
            Self::Resources => "resources",
            Self::Entitlements => "entitlements",
            Self::Grants => "grants",
        }
    }
}

/// One stored row, borrowed. Columns that its table lacks are empty.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Row<'a> {
    /// External id. For a resource `<type>:<id>`, as format v1 stores it.
    pub id: &'a str,
    /// Resource type: of the resource itself, of the entitlement's resource,
    /// or of the granted entitlement's resource.
    pub resource_type_id: &'a str,
    /// Id of that resource within its type.
    pub resource_id: &'a str,
    /// Type and id of a resource's parent.
    pub parent: Option<(&'a str, &'a str)>,
    /// The granted entitlement (grants only).
    pub entitlement_id: &'a str,
    /// Type of the principal (grants only).
    pub principal_type_id: &'a str,
    /// Id of the principal within its type (grants only).
    pub principal_id: &'a str,
    /// The message's protobuf bytes. A grant's `GrantExpandable` annotation
    /// is not in here but in `expansion`; slim grants are already rebuilt.
    pub data: &'a [u8],
    /// Bytes of a grant's `c1.connector.v2.GrantExpandable`.
    pub expansion: Option<&'a [u8]>,
    /// The expansion is not to be done (`needs_expansion` is off). Without an
    /// expansion `false`.
    pub is_expanded: bool,
    /// When the row was written, if that is known and was asked for
    /// ([`Filter::dates`]).
    pub discovered_at: Option<Timestamp>,
}

impl Row<'_> {
    /// A copy that owns its parts.
    pub fn to_owned(&self) -> OwnedRow {
        OwnedRow {
            id: self.id.to_owned(),
            resource_type_id: self.resource_type_id.to_owned(),
            resource_id: self.resource_id.to_owned(),
            parent: self.parent.map(|(t, i)| (t.to_owned(), i.to_owned())),
            entitlement_id: self.entitlement_id.to_owned(),
            principal_type_id: self.principal_type_id.to_owned(),
            principal_id: self.principal_id.to_owned(),
            data: self.data.to_owned(),
            expansion: self.expansion.map(<[u8]>::to_vec),
            is_expanded: self.is_expanded,
            discovered_at: self.discovered_at,
        }
    }
}

/// A [`Row`] that owns its parts; the fields mean the same.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnedRow {
    /// See [`Row::id`].
    pub id: String,
    /// See [`Row::resource_type_id`].
    pub resource_type_id: String,
    /// See [`Row::resource_id`].
    pub resource_id: String,
    /// See [`Row::parent`].
    pub parent: Option<(String, String)>,
    /// See [`Row::entitlement_id`].
    pub entitlement_id: String,
    /// See [`Row::principal_type_id`].
    pub principal_type_id: String,
    /// See [`Row::principal_id`].
    pub principal_id: String,
    /// See [`Row::data`].
    pub data: Vec<u8>,
    /// See [`Row::expansion`].
    pub expansion: Option<Vec<u8>>,
    /// See [`Row::is_expanded`].
    pub is_expanded: bool,
    /// See [`Row::discovered_at`].
    pub discovered_at: Option<Timestamp>,
}

impl OwnedRow {
    /// The row, borrowed.
    pub fn as_row(&self) -> Row<'_> {
        Row {
            id: &self.id,
            resource_type_id: &self.resource_type_id,
            resource_id: &self.resource_id,
            parent: self.parent.as_ref().map(|(t, i)| (t.as_str(), i.as_str())),
            entitlement_id: &self.entitlement_id,
            principal_type_id: &self.principal_type_id,
            principal_id: &self.principal_id,
            data: &self.data,
            expansion: self.expansion.as_deref(),
            is_expanded: self.is_expanded,
            discovered_at: self.discovered_at,
        }
    }
}

/// Which rows to visit; everything set must hold. A field that the table
/// does not have is refused, not ignored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Filter<'a> {
    /// Resource type: every table. For resource types the type itself.
    pub resource_type_id: Option<&'a str>,
    /// Type and id of the resource (not for resource types). With an empty
    /// id the pair is ignored, as the format's own readers do.
    pub resource: Option<(&'a str, &'a str)>,
    /// Type and id of the parent (resources only).
    pub parent: Option<(&'a str, &'a str)>,
    /// The entitlement (grants only).
    pub entitlement_id: Option<&'a str>,
    /// Type and id of the principal (grants only).
    pub principal: Option<(&'a str, &'a str)>,
    /// Types of principals (grants only); empty: any type.
    pub principal_types: &'a [&'a str],
    /// Scans read when each row was written, too. It selects nothing.
    pub dates: bool,
}
