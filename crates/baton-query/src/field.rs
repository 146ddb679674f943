//! The names of everything that a record shows: one set for filters, columns,
//! sorting and search.
//!
//! A name is an entity and a part of it, such as `resource.display_name`. Each
//! field has one kind of value and belongs to the tables in which a record has
//! that entity.

use std::fmt;

use baton_c1z::Table as Rows;

use crate::error::{Error, NoSuchField, Result};
use crate::nearest::Nearest;

/// What a list shows: one record per line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Table {
    /// Resource types.
    ResourceTypes,
    /// Resources.
    Resources,
    /// Entitlements, with their resources.
    Entitlements,
    /// Grants, with their entitlements, those ones' resources, and principals.
    Grants,
    /// Principals of grants. Its records are read from rows of grants; in them,
    /// `resource.*` means the same as `principal.*`, so that one expression
    /// serves the lists of resources and of principals.
    Principals,
}

impl Table {
    /// All tables.
    pub const ALL: [Self; 5] = [
        Self::ResourceTypes,
        Self::Resources,
        Self::Entitlements,
        Self::Grants,
        Self::Principals,
    ];

    /// The name in messages: `resource types`, `principals`.
    pub fn name(self) -> &'static str {
        match self {
            Self::ResourceTypes => "resource types",
            Self::Resources => "resources",
            Self::Entitlements => "entitlements",
            Self::Grants => "grants",
            Self::Principals => "principals",
        }
    }

    /// The rows from which its records are read.
    pub fn rows(self) -> Rows {
        match self {
            Self::ResourceTypes => Rows::ResourceTypes,
            Self::Resources => Rows::Resources,
            Self::Entitlements => Rows::Entitlements,
            Self::Grants | Self::Principals => Rows::Grants,
        }
    }

    /// The fields of its records, in the order of the reference.
    pub fn fields(self) -> impl Iterator<Item = Field> {
        Field::all().filter(move |field| field.is_in(self))
    }

    /// The entities of its records, in the order of the reference.
    pub(crate) fn entities(self) -> &'static [Entity] {
        match self {
            Self::ResourceTypes => &[Entity::ResourceType],
            Self::Resources => &[Entity::Resource, Entity::ResourceType, Entity::Secret],
            Self::Entitlements => &[Entity::Entitlement, Entity::Resource, Entity::ResourceType],
            Self::Grants => &[
                Entity::Grant,
                Entity::Entitlement,
                Entity::Resource,
                Entity::ResourceType,
                Entity::Principal,
            ],
            Self::Principals => &[
                Entity::Principal,
                Entity::Resource,
                Entity::ResourceType,
                Entity::Secret,
            ],
        }
    }
}

/// What the values of a field are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FieldKind {
    /// Text; absent: empty.
    Text,
    /// True or false.
    Boolean,
    /// A point in time; absent: null.
    Time,
    /// A list of texts.
    List,
    /// Names with values of any kind; absent: empty.
    Map,
}

impl FieldKind {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Boolean => "boolean",
            Self::Time => "time",
            Self::List => "list",
            Self::Map => "map",
        }
    }
}

/// What a field is a part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Entity {
    Resource,
    ResourceType,
    Entitlement,
    Grant,
    Principal,
    Secret,
}

impl Entity {
    pub fn name(self) -> &'static str {
        match self {
            Self::Resource => "resource",
            Self::ResourceType => "resource_type",
            Self::Entitlement => "entitlement",
            Self::Grant => "grant",
            Self::Principal => "principal",
            Self::Secret => "secret",
        }
    }
}

/// A part of an entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Part {
    Id,
    Type,
    DisplayName,
    Description,
    ParentId,
    ParentType,
    Status,
    Profile,
    Email,
    Login,
    LastLogin,
    AccountType,
    CreatedAt,
    Traits,
    Slug,
    Purpose,
    ResourceId,
    ResourceType,
    Immutable,
    Direct,
    Sources,
    Expandable,
    DiscoveredAt,
    ExpiresAt,
    LastUsedAt,
    IdentityId,
}

/// A field: its name, its kind, and what it means.
struct Definition {
    entity: Entity,
    part: Part,
    name: &'static str,
    kind: FieldKind,
    about: &'static str,
}

const fn field(
    entity: Entity,
    part: Part,
    name: &'static str,
    kind: FieldKind,
    about: &'static str,
) -> Definition {
    Definition {
        entity,
        part,
        name,
        kind,
        about,
    }
}

/// The fields of a resource, under the name of an entity that is one.
macro_rules! resource_fields {
    ($entity:ident, $prefix:literal, $noun:literal) => {
        [
            field(
                Entity::$entity,
                Part::Id,
                concat!($prefix, ".id"),
                FieldKind::Text,
                concat!("id of the ", $noun, " within its type"),
            ),
            field(
                Entity::$entity,
                Part::Type,
                concat!($prefix, ".type"),
                FieldKind::Text,
                "id of its resource type",
            ),
            field(
                Entity::$entity,
                Part::DisplayName,
                concat!($prefix, ".display_name"),
                FieldKind::Text,
                "display name",
            ),
            field(
                Entity::$entity,
                Part::Description,
                concat!($prefix, ".description"),
                FieldKind::Text,
                "description",
            ),
            field(
                Entity::$entity,
                Part::ParentId,
                concat!($prefix, ".parent_id"),
                FieldKind::Text,
                "id of the resource that it is in",
            ),
            field(
                Entity::$entity,
                Part::ParentType,
                concat!($prefix, ".parent_type"),
                FieldKind::Text,
                "resource type of the resource that it is in",
            ),
            field(
                Entity::$entity,
                Part::Status,
                concat!($prefix, ".status"),
                FieldKind::Text,
                "`enabled`, `disabled`, `deleted` or `unspecified`",
            ),
            field(
                Entity::$entity,
                Part::Profile,
                concat!($prefix, ".profile"),
                FieldKind::Map,
                "what the application records about it",
            ),
            field(
                Entity::$entity,
                Part::Email,
                concat!($prefix, ".email"),
                FieldKind::Text,
                "primary e-mail address of a user",
            ),
            field(
                Entity::$entity,
                Part::Login,
                concat!($prefix, ".login"),
                FieldKind::Text,
                "login of a user",
            ),
            field(
                Entity::$entity,
                Part::LastLogin,
                concat!($prefix, ".last_login"),
                FieldKind::Time,
                "when a user logged in last",
            ),
            field(
                Entity::$entity,
                Part::AccountType,
                concat!($prefix, ".account_type"),
                FieldKind::Text,
                "of a user: `human`, `service`, `system` or `unspecified`",
            ),
            field(
                Entity::$entity,
                Part::CreatedAt,
                concat!($prefix, ".created_at"),
                FieldKind::Time,
                "when it was created",
            ),
            field(
                Entity::$entity,
                Part::Traits,
                concat!($prefix, ".traits"),
                FieldKind::List,
                "what it is: `user`, `group`, `role` and so on",
            ),
        ]
    };
}

/// Fields of resources and of principals, each in this number.
const RESOURCE_FIELDS: usize = 14;

const RESOURCE: [Definition; RESOURCE_FIELDS] = resource_fields!(Resource, "resource", "resource");
const PRINCIPAL: [Definition; RESOURCE_FIELDS] =
    resource_fields!(Principal, "principal", "principal");

#[rustfmt::skip]
const OTHERS: [Definition; 18] = [
    field(Entity::ResourceType, Part::Id, "resource_type.id", FieldKind::Text, "id"),
    field(Entity::ResourceType, Part::DisplayName, "resource_type.display_name", FieldKind::Text,
        "display name"),
    field(Entity::ResourceType, Part::Traits, "resource_type.traits", FieldKind::List,
        "what its resources are: `user`, `group`, `role` and so on"),
    field(Entity::Entitlement, Part::Id, "entitlement.id", FieldKind::Text, "id"),
    field(Entity::Entitlement, Part::DisplayName, "entitlement.display_name", FieldKind::Text,
        "display name"),
    field(Entity::Entitlement, Part::Slug, "entitlement.slug", FieldKind::Text,
        "short name, such as `member`"),
    field(Entity::Entitlement, Part::Purpose, "entitlement.purpose", FieldKind::Text,
        "`assignment`, `permission`, `ownership` or `unspecified`"),
    field(Entity::Entitlement, Part::ResourceId, "entitlement.resource_id", FieldKind::Text,
        "id of its resource"),
    field(Entity::Entitlement, Part::ResourceType, "entitlement.resource_type", FieldKind::Text,
        "resource type of its resource"),
    field(Entity::Grant, Part::Id, "grant.id", FieldKind::Text, "id"),
    field(Entity::Grant, Part::Immutable, "grant.immutable", FieldKind::Boolean,
        "whether the application refuses to revoke it"),
    field(Entity::Grant, Part::Direct, "grant.direct", FieldKind::Boolean,
        "whether the application itself has it; false where it only follows from other grants"),
    field(Entity::Grant, Part::Sources, "grant.sources", FieldKind::List,
        "ids of the entitlements that it follows from"),
    field(Entity::Grant, Part::Expandable, "grant.expandable", FieldKind::Boolean,
        "whether other grants follow from it"),
    field(Entity::Grant, Part::DiscoveredAt, "grant.discovered_at", FieldKind::Time,
        "when a sync wrote it"),
    field(Entity::Secret, Part::ExpiresAt, "secret.expires_at", FieldKind::Time,
        "when the secret expires"),
    field(Entity::Secret, Part::LastUsedAt, "secret.last_used_at", FieldKind::Time,
        "when the secret was used last"),
    field(Entity::Secret, Part::IdentityId, "secret.identity_id", FieldKind::Text,
        "id of the resource that the secret belongs to"),
];

/// Number of fields. A set of them is one bit per field.
const FIELDS: usize = 2 * RESOURCE_FIELDS + OTHERS.len();
const _: () = assert!(FIELDS <= 64);

/// A field of records.
///
/// ```
/// use baton_query::{Field, FieldKind, Table};
///
/// let field = Field::parse("principal.email")?;
/// assert_eq!(field.kind(), FieldKind::Text);
/// assert!(field.is_in(Table::Grants));
/// assert!(Field::parse("principal.mail").is_err());
/// # Ok::<(), baton_query::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Field(u8);

impl Field {
    /// All fields, in the order of the reference.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..FIELDS).filter_map(|number| u8::try_from(number).ok().map(Self))
    }

    /// The field with this name.
    ///
    /// # Errors
    /// [`Error::NoSuchField`] with near names.
    pub fn parse(name: &str) -> Result<Self> {
        let found = Self::all().find(|field| field.name() == name);
        found.ok_or_else(|| no_such_field(name, None))
    }

    /// The field with this name in the records of a table.
    ///
    /// # Errors
    /// [`Error::NoSuchField`] with near names of that table.
    pub fn parse_in(table: Table, name: &str) -> Result<Self> {
        let found = table.fields().find(|field| field.name() == name);
        found.ok_or_else(|| no_such_field(name, Some(table)))
    }

    /// The name, such as `resource.display_name`.
    pub fn name(self) -> &'static str {
        self.definition().name
    }

    /// What its values are.
    pub fn kind(self) -> FieldKind {
        self.definition().kind
    }

    /// What it means, in a few words.
    pub fn about(self) -> &'static str {
        self.definition().about
    }

    /// Whether records of this table have it.
    pub fn is_in(self, table: Table) -> bool {
        table.entities().contains(&self.entity())
    }

    pub(crate) fn entity(self) -> Entity {
        self.definition().entity
    }

    pub(crate) fn part(self) -> Part {
        self.definition().part
    }

    /// The part of its name behind the entity.
    pub(crate) fn part_name(self) -> &'static str {
        let name = self.name();
        name.split_once('.').map_or(name, |(_, part)| part)
    }

    /// The field of an entity with this part's name.
    pub(crate) fn of(entity: Entity, part_name: &str) -> Option<Self> {
        Self::all().find(|field| field.entity() == entity && field.part_name() == part_name)
    }

    /// Its place in a set of fields.
    pub(crate) fn bit(self) -> u64 {
        1 << self.0
    }

    fn definition(self) -> &'static Definition {
        const ALL: [&[Definition]; 3] = [&RESOURCE, &OTHERS, &PRINCIPAL];
        let mut at = usize::from(self.0);
        for group in ALL {
            match group.get(at) {
                Some(definition) => return definition,
                None => at -= group.len(),
            }
        }
        // Numbers are below `FIELDS`, which is the length of all groups.
        &RESOURCE[0]
    }
}

impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A field, or a value behind a key of a map: `resource.profile.department`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FieldPath {
    field: Field,
    keys: Vec<String>,
}

impl FieldPath {
    /// Reads a path. Behind the name of a map follow keys, each behind a point.
    ///
    /// # Errors
    /// [`Error::NoSuchField`] with near names of that table.
    pub fn parse_in(table: Table, text: &str) -> Result<Self> {
        let of_map = |field: &Field| {
            field.kind() == FieldKind::Map
                && text
                    .strip_prefix(field.name())
                    .is_some_and(|keys| keys.starts_with('.'))
        };
        let Some(field) = table.fields().find(of_map) else {
            let field = Field::parse_in(table, text)?;
            return Ok(field.into());
        };
        let keys = &text[field.name().len() + 1..];
        Ok(Self {
            field,
            keys: keys.split('.').map(str::to_owned).collect(),
        })
    }

    /// The field.
    pub fn field(&self) -> Field {
        self.field
    }

    /// The keys behind it.
    pub fn keys(&self) -> &[String] {
        &self.keys
    }
}

impl From<Field> for FieldPath {
    fn from(field: Field) -> Self {
        Self {
            field,
            keys: Vec::new(),
        }
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.field.name())?;
        self.keys.iter().try_for_each(|key| write!(f, ".{key}"))
    }
}

/// The error for a name that no field has.
pub(crate) fn no_such_field(name: &str, table: Option<Table>) -> Error {
    Error::NoSuchField(Box::new(NoSuchField {
        name: name.to_owned(),
        table,
        is_elsewhere: Field::all().any(|field| field.name() == name),
        nearest: nearest(name, table),
    }))
}

/// Names of fields near to a name. Behind a known entity, only the other part
/// counts: of `principal.emial`, most names of a principal would be near.
fn nearest(name: &str, table: Option<Table>) -> Vec<&'static str> {
    let fields = || Field::all().filter(move |f| table.is_none_or(|table| f.is_in(table)));
    if let Some((entity, part)) = name.split_once('.') {
        let mut nearest = Nearest::new(part);
        for field in fields().filter(|field| field.entity().name() == entity) {
            if let Some(nearness) = nearest.measure(field.part_name()) {
                nearest.keep(nearness, field.name());
            }
        }
        let found = nearest.into_items();
        if !found.is_empty() {
            return found;
        }
    }
    let mut nearest = Nearest::new(name);
    for field in fields() {
        // Who types `display_name` has not seen the whole name.
        let near = [field.name(), field.part_name()];
        let near = near.into_iter().filter_map(|text| nearest.measure(text));
        if let Some(nearness) = near.min() {
            nearest.keep(nearness, field.name());
        }
    }
    nearest.into_items()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_parsed_to_its_own_field() {
        for field in Field::all() {
            assert_eq!(Field::parse(field.name()).ok(), Some(field));
            assert_eq!(
                field.name().split_once('.').map(|(entity, _)| entity),
                Some(field.entity().name())
            );
            assert!(
                Table::ALL.iter().any(|table| field.is_in(*table)),
                "{field}"
            );
        }
        assert_eq!(Field::all().count(), FIELDS);
    }

    #[test]
    fn a_principal_has_every_field_of_a_resource() {
        for field in Field::all().filter(|field| field.entity() == Entity::Resource) {
            assert!(Field::of(Entity::Principal, field.part_name()).is_some());
            assert!(field.is_in(Table::Principals));
        }
    }

    #[test]
    fn a_path_ends_at_a_field_or_goes_behind_a_map() {
        let path = |text| FieldPath::parse_in(Table::Grants, text);
        let found = path("principal.profile.a.b").expect("a path");
        assert_eq!(found.field().name(), "principal.profile");
        assert_eq!(found.keys(), ["a", "b"]);
        assert_eq!(found.to_string(), "principal.profile.a.b");
        assert!(path("grant.sources").expect("a path").keys().is_empty());
        assert!(path("grant.sources.x").is_err());
        assert!(path("secret.expires_at").is_err());
    }
}
