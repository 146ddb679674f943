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

/// Type and id of a resource that a list is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectId {
    /// The resource type.
    pub type_id: Box<str>,
    /// The id within the type.
    pub id: Box<str>,
}

impl ObjectId {
    /// The object of this type and id.
    pub fn new(type_id: &str, id: &str) -> Self {
        Self {
            type_id: type_id.into(),
            id: id.into(),
        }
    }

    fn maybe([type_id, id]: [&str; 2]) -> Option<Self> {
        (!type_id.is_empty() || !id.is_empty()).then(|| Self::new(type_id, id))
    }
}

/// One list of the connector: what is asked for, without the page. The order is
/// the canonical one of lists, on which duplicate ids are decided.
///
/// A `cursor` is the token that the list begins with, if it is one of several
/// that together make up the list without it; else it is empty.
#[derive(Debug, Clone, Default)]
pub enum ListId {
    /// All resource types.
    #[default]
    ResourceTypes,
    /// Resources of a type, below a parent if there is one.
    Resources {
        /// The type.
        type_id: Box<str>,
        /// The parent.
        parent: Option<ObjectId>,
        /// See [`ListId`].
        cursor: Box<str>,
    },
    /// One resource, asked for by its id.
    Resource {
        /// The resource.
        id: ObjectId,
        /// Its parent.
        parent: Option<ObjectId>,
    },
    /// Entitlements that every resource of a type has, as templates.
    StaticEntitlements {
        /// The type.
        type_id: Box<str>,
    },
    /// Rows that are made of these templates, and not asked for.
    TemplateRows {
        /// The type.
        type_id: Box<str>,
    },
    /// Entitlements of all resources of a type.
    EntitlementsOfType {
        /// The type.
        type_id: Box<str>,
        /// See [`ListId`].
        cursor: Box<str>,
    },
    /// Entitlements of one resource.
    Entitlements {
        /// The resource.
        of: ObjectId,
        /// See [`ListId`].
        cursor: Box<str>,
    },
    /// Grants on all resources of a type.
    GrantsOfType {
        /// The type.
        type_id: Box<str>,
        /// See [`ListId`].
        cursor: Box<str>,
    },
    /// Grants on one resource.
    Grants {
        /// The resource.
        on: ObjectId,
        /// See [`ListId`].
        cursor: Box<str>,
    },
    /// Rows of all tables that come from another file.
    External,
}

impl ListId {
    /// The list of resource types.
    pub fn resource_types() -> Self {
        Self::ResourceTypes
    }

    /// Resources of a type, with the parent's type and id if there is one.
    pub fn resources(type_id: &str, parent: Option<(&str, &str)>) -> Self {
        Self::Resources {
            type_id: type_id.into(),
            parent: parent.map(|(type_id, id)| ObjectId::new(type_id, id)),
            cursor: Box::default(),
        }
    }

    /// Static entitlements of a type.
    pub fn static_entitlements(type_id: &str) -> Self {
        Self::StaticEntitlements {
            type_id: type_id.into(),
        }
    }

    /// Entitlements of one resource.
    pub fn entitlements(resource_type: &str, resource_id: &str) -> Self {
        Self::Entitlements {
            of: ObjectId::new(resource_type, resource_id),
            cursor: Box::default(),
        }
    }

    /// Grants on one resource.
    pub fn grants(resource_type: &str, resource_id: &str) -> Self {
        Self::Grants {
            on: ObjectId::new(resource_type, resource_id),
            cursor: Box::default(),
        }
    }

    /// Entitlements of all resources of a type.
    pub fn entitlements_of_type(type_id: &str) -> Self {
        Self::EntitlementsOfType {
            type_id: type_id.into(),
            cursor: Box::default(),
        }
    }

    /// Grants on all resources of a type.
    pub fn grants_of_type(type_id: &str) -> Self {
        Self::GrantsOfType {
            type_id: type_id.into(),
            cursor: Box::default(),
        }
    }

    /// What is copied from another file.
    pub fn external() -> Self {
        Self::External
    }

    /// The call that the list is made of.
    pub fn op(&self) -> Op {
        match self {
            Self::ResourceTypes => Op::ResourceTypes,
            Self::Resources { .. } | Self::Resource { .. } => Op::Resources,
            Self::StaticEntitlements { .. } | Self::TemplateRows { .. } => Op::StaticEntitlements,
            Self::EntitlementsOfType { .. } | Self::Entitlements { .. } => Op::Entitlements,
            Self::GrantsOfType { .. } | Self::Grants { .. } => Op::Grants,
            Self::External => Op::External,
        }
    }

    /// The token that the list begins with; empty unless it is one of several.
    pub fn cursor(&self) -> &str {
        match self {
            Self::Resources { cursor, .. }
            | Self::EntitlementsOfType { cursor, .. }
            | Self::Entitlements { cursor, .. }
            | Self::GrantsOfType { cursor, .. }
            | Self::Grants { cursor, .. } => cursor,
            _ => "",
        }
    }

    /// The list that begins with another token and belongs to this one. Lists
    /// that are never made up of several stay as they are.
    #[must_use]
    pub fn with_cursor(&self, token: &str) -> Self {
        let mut list = self.clone();
        if let Self::Resources { cursor, .. }
        | Self::EntitlementsOfType { cursor, .. }
        | Self::Entitlements { cursor, .. }
        | Self::GrantsOfType { cursor, .. }
        | Self::Grants { cursor, .. } = &mut list
        {
            *cursor = token.into();
        }
        list
    }

    /// The list as six fields, of which each kind leaves some empty: as it
    /// stands in the log, and as lists are put in order. They are: type, parent's
    /// type and id, resource's type and id, cursor.
    pub fn parts(&self) -> [&str; 6] {
        fn object(id: Option<&ObjectId>) -> [&str; 2] {
            id.map_or(["", ""], |id| [&id.type_id, &id.id])
        }
        let none = ["", ""];
        let (type_id, parent, of): (&str, [&str; 2], [&str; 2]) = match self {
            Self::ResourceTypes | Self::External => ("", none, none),
            Self::Resources {
                type_id, parent, ..
            } => (type_id, object(parent.as_ref()), none),
            Self::Resource { id, parent } => {
                (&id.type_id, object(parent.as_ref()), object(Some(id)))
            }
            Self::StaticEntitlements { type_id }
            | Self::EntitlementsOfType { type_id, .. }
            | Self::GrantsOfType { type_id, .. } => (type_id, none, none),
            Self::TemplateRows { type_id } => (type_id, none, [type_id, ""]),
            Self::Entitlements { of, .. } => ("", none, object(Some(of))),
            Self::Grants { on, .. } => ("", none, object(Some(on))),
        };
        [type_id, parent[0], parent[1], of[0], of[1], self.cursor()]
    }

    /// The list of these fields; `None` if no kind has them.
    pub fn of_parts(op: Op, parts: [&str; 6]) -> Option<Self> {
        let [type_id, parent_type, parent_id, of_type, of_id, cursor] = parts;
        let parent = ObjectId::maybe([parent_type, parent_id]);
        let of = ObjectId::maybe([of_type, of_id]);
        let type_id = Box::from(type_id);
        let list = match (op, of) {
            (Op::ResourceTypes, _) => Self::ResourceTypes,
            (Op::External, _) => Self::External,
            (Op::Resources, None) => Self::Resources {
                type_id,
                parent,
                cursor: cursor.into(),
            },
            (Op::Resources, Some(id)) => Self::Resource { id, parent },
            (Op::StaticEntitlements, None) => Self::StaticEntitlements { type_id },
            (Op::StaticEntitlements, Some(_)) => Self::TemplateRows { type_id },
            (Op::Entitlements, None) => Self::EntitlementsOfType {
                type_id,
                cursor: cursor.into(),
            },
            (Op::Entitlements, Some(of)) => Self::Entitlements {
                of,
                cursor: cursor.into(),
            },
            (Op::Grants, None) => Self::GrantsOfType {
                type_id,
                cursor: cursor.into(),
            },
            (Op::Grants, Some(on)) => Self::Grants {
                on,
                cursor: cursor.into(),
            },
        };
        // What the kind leaves empty must be empty.
        (list.parts() == parts).then_some(list)
    }
}

// By the fields, whatever the kind: lists of a type without a name and of an
// object without one have the same fields, and are one list.
impl PartialEq for ListId {
    fn eq(&self, other: &Self) -> bool {
        self.op() == other.op() && self.parts() == other.parts()
    }
}

impl Eq for ListId {}

impl std::hash::Hash for ListId {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.op().hash(state);
        self.parts().hash(state);
    }
}

impl PartialOrd for ListId {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ListId {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let ops = self.op().cmp(&other.op());
        ops.then_with(|| self.parts().cmp(&other.parts()))
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
