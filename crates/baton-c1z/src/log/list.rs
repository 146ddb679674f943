//! What a page belongs to: the list, and the order of lists.

/// Which of the connector's listing calls a list is made of. The order is
/// the canonical one: later calls win where ids repeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Op {
    /// All resource types.
    #[default]
    ResourceTypes,
    /// Resources of one type, possibly under one parent.
    Resources,
    /// Entitlements that every resource of a type has.
    StaticEntitlements,
    /// Entitlements of one resource, or of one type.
    Entitlements,
    /// Grants on one resource, or on one type.
    Grants,
    /// Rows of all tables that come from another file.
    External,
}

impl Op {
    pub(crate) const ALL: [Self; 6] = [
        Self::ResourceTypes,
        Self::Resources,
        Self::StaticEntitlements,
        Self::Entitlements,
        Self::Grants,
        Self::External,
    ];

    /// The operation's name, as it stands in sync tokens.
    pub fn name(self) -> &'static str {
        match self {
            Self::ResourceTypes => "list-resource-types",
            Self::Resources => "list-resources",
            Self::StaticEntitlements => "list-static-entitlements",
            Self::Entitlements => "list-entitlements",
            Self::Grants => "list-grants",
            Self::External => "list-external-resources",
        }
    }
}

/// One list of the connector: what is asked for, without the page. Fields
/// that an operation does not use are empty. The derived order is the
/// canonical order of lists, on which duplicate ids are decided.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct ListId {
    /// The call.
    pub op: Op,
    /// Resource type asked for: of resources, static entitlements, and of
    /// lists that cover a whole type.
    pub type_id: String,
    /// Parent's type (resources).
    pub parent_type: String,
    /// Parent's id (resources).
    pub parent_id: String,
    /// Type of the resource asked for (entitlements, grants).
    pub resource_type: String,
    /// Id of the resource asked for (entitlements, grants).
    pub resource_id: String,
    /// The token that the list begins with, if it is one of several that
    /// together make up the list without it (entitlements, grants).
    pub cursor: String,
}

impl ListId {
    /// The list of resource types.
    pub fn resource_types() -> Self {
        Self::default()
    }

    /// Resources of a type, with the parent's type and id if there is one.
    pub fn resources(type_id: &str, parent: Option<(&str, &str)>) -> Self {
        let (parent_type, parent_id) = parent.unwrap_or_default();
        Self {
            op: Op::Resources,
            type_id: type_id.to_owned(),
            parent_type: parent_type.to_owned(),
            parent_id: parent_id.to_owned(),
            ..Self::default()
        }
    }

    /// Static entitlements of a type.
    pub fn static_entitlements(type_id: &str) -> Self {
        Self {
            op: Op::StaticEntitlements,
            type_id: type_id.to_owned(),
            ..Self::default()
        }
    }

    /// Entitlements of one resource.
    pub fn entitlements(resource_type: &str, resource_id: &str) -> Self {
        Self {
            op: Op::Entitlements,
            resource_type: resource_type.to_owned(),
            resource_id: resource_id.to_owned(),
            ..Self::default()
        }
    }

    /// Grants on one resource.
    pub fn grants(resource_type: &str, resource_id: &str) -> Self {
        Self {
            op: Op::Grants,
            resource_type: resource_type.to_owned(),
            resource_id: resource_id.to_owned(),
            ..Self::default()
        }
    }

    /// Entitlements of all resources of a type.
    pub fn entitlements_of_type(type_id: &str) -> Self {
        Self {
            op: Op::Entitlements,
            type_id: type_id.to_owned(),
            ..Self::default()
        }
    }

    /// Grants on all resources of a type.
    pub fn grants_of_type(type_id: &str) -> Self {
        Self {
            op: Op::Grants,
            type_id: type_id.to_owned(),
            ..Self::default()
        }
    }

    /// What is copied from another file.
    pub fn external() -> Self {
        Self {
            op: Op::External,
            ..Self::default()
        }
    }

    /// The list that begins with another token and belongs to this one.
    #[must_use]
    pub fn with_cursor(&self, token: &str) -> Self {
        Self {
            cursor: token.to_owned(),
            ..self.clone()
        }
    }

    pub(crate) fn parts(&self) -> [&str; 6] {
        [
            &self.type_id,
            &self.parent_type,
            &self.parent_id,
            &self.resource_type,
            &self.resource_id,
            &self.cursor,
        ]
    }

    pub(crate) fn parts_mut(&mut self) -> [&mut String; 6] {
        [
            &mut self.type_id,
            &mut self.parent_type,
            &mut self.parent_id,
            &mut self.resource_type,
            &mut self.resource_id,
            &mut self.cursor,
        ]
    }
}

/// Why a list's rows do not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DropReason {
    /// The object listed under is gone: the API's own not-found answer.
    Vanished,
    /// The key may not read it.
    Forbidden,
    /// Not found, where that ends the list with a warning only.
    NotFound,
}

impl DropReason {
    pub(crate) const ALL: [Self; 3] = [Self::Vanished, Self::Forbidden, Self::NotFound];
}
