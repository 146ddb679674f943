//! The one error type of this crate.

use std::fmt;
use std::path::PathBuf;

use baton_proto::figures::{count, counted};
use baton_proto::{Advice, Advise, Code};

use crate::condition::BadCondition;
use crate::field::Table;

/// Result of everything that can fail in this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// What is looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// An entitlement.
    Entitlement,
    /// A grant.
    Grant,
    /// A resource of this type.
    Resource(String),
    /// A resource of any type.
    AnyResource,
    /// A resource type.
    ResourceType,
    /// A resource of any type, or an entitlement.
    ResourceOrEntitlement,
}

/// An object of the file, as far as it takes to recognize it. The texts are
/// those of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Object {
    /// Its id; of a resource the id within its type.
    pub id: String,
    /// Its display name, or empty.
    pub name: String,
    /// Type and id of the resource that it belongs to: of an entitlement its
    /// resource, of a grant the entitlement's, of a resource itself.
    pub resource: (String, String),
}

/// Nothing has the id or the name.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotFound {
    /// The file.
    pub path: PathBuf,
    /// What was looked up.
    pub kind: Kind,
    /// Id or name as it was given.
    pub wanted: String,
    /// Objects whose id or name is near to it, the nearest first.
    pub nearest: Vec<Object>,
    /// Other types of resources of which one has this id.
    pub other_types: Vec<String>,
}

/// Several objects have the id or the name.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ambiguous {
    /// The file.
    pub path: PathBuf,
    /// What was looked up.
    pub kind: Kind,
    /// Id or name as it was given.
    pub wanted: String,
    /// It is their id, not a name.
    pub is_id: bool,
    /// The first of them.
    pub found: Vec<Object>,
    /// How many there are.
    pub total: u64,
}

/// A stored row refers to an object that is not in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dangling {
    /// The file.
    pub path: PathBuf,
    /// Of what the row is.
    pub kind: Kind,
    /// Its id.
    pub id: String,
    /// What is missing.
    pub missing: Kind,
    /// The id of what is missing.
    pub missing_id: String,
}

/// No field of records has the name.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NoSuchField {
    /// The name as it was given.
    pub name: String,
    /// The table whose fields were looked at; `None`: those of all tables.
    pub table: Option<Table>,
    /// Records of other tables have this field.
    pub is_elsewhere: bool,
    /// Names that are near to it, the nearest first.
    pub nearest: Vec<&'static str>,
}

/// No row has the field that is to be ignored.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BadIgnore {
    /// The path as it was given.
    pub field: String,
    /// Names that are near to its first, the nearest first.
    pub nearest: Vec<String>,
}

/// What went wrong, and with what.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file cannot be read, or holds no finished sync.
    #[error(transparent)]
    File(#[from] baton_c1z::Error),
    /// Nothing to look for was given.
    #[error("{what} is empty")]
    Empty {
        /// What is empty, such as `the id of the grant`.
        what: &'static str,
    },
    /// Nothing has the id or the name.
    #[error("{0}")]
    NotFound(Box<NotFound>),
    /// The file has no resource type with this id.
    #[error("{} has no resource type `{type_id}`{}", path.display(), types_text(.types))]
    NoSuchType {
        /// The file.
        path: PathBuf,
        /// The type asked for.
        type_id: String,
        /// Types that the file has: the near ones, else the first.
        types: Vec<String>,
    },
    /// Several objects have the id or the name.
    #[error("{0}")]
    Ambiguous(Box<Ambiguous>),
    /// A stored row refers to an object that is not in the file.
    #[error("{0}")]
    Dangling(Box<Dangling>),
    /// No field of records has the name.
    #[error("{0}")]
    NoSuchField(Box<NoSuchField>),
    /// No row has the field that is to be ignored.
    #[error("{0}")]
    BadIgnore(Box<BadIgnore>),
    /// A text is not a condition.
    #[error("{0}")]
    BadCondition(Box<BadCondition>),
    /// A field was asked for that the view of the records lacks.
    #[error("field `{field}` is not in the view of the records")]
    NotInView {
        /// Its name.
        field: &'static str,
    },
    /// The entitlement's resource was copied from another connector's file.
    /// The text is what the Go tools print.
    #[error("cannot grant entitlement on external resource")]
    ExternalGrant,
    /// The granted entitlement's resource was copied from another connector's
    /// file. The text is what the Go tools print.
    #[error("cannot revoke grant on external resource")]
    ExternalRevoke,
}

impl Error {
    /// The kind of this failure in the common vocabulary.
    pub fn code(&self) -> Code {
        match self {
            Self::File(e) => e.code(),
            Self::Ambiguous(ambiguous) if ambiguous.is_id => Code::FailedPrecondition,
            Self::Empty { .. }
            | Self::Ambiguous(_)
            | Self::NoSuchField(_)
            | Self::BadCondition(_)
            | Self::BadIgnore(_) => Code::InvalidArgument,
            Self::NotInView { .. } => Code::Internal,
            Self::NotFound(_) | Self::NoSuchType { .. } | Self::Dangling(_) => Code::NotFound,
            // Plain errors in the Go tools.
            Self::ExternalGrant | Self::ExternalRevoke => Code::Unknown,
        }
    }
}

impl Advise for Error {
    fn advice(&self) -> Vec<Advice> {
        match self {
            // There is none to choose.
            Self::File(baton_c1z::Error::NoFinishedSync { .. }) => vec![Advice::CheckPath],
            Self::File(e) => e.advice(),
            Self::NotFound(not_found) => {
                let path = not_found.path.clone();
                let mut advice = match not_found.kind {
                    Kind::Entitlement => vec![Advice::ListEntitlements(path)],
                    Kind::Grant => vec![Advice::ListGrants(path)],
                    Kind::Resource(_) | Kind::AnyResource | Kind::ResourceType => {
                        vec![Advice::ListResources(path)]
                    }
                    Kind::ResourceOrEntitlement => vec![
                        Advice::ListResources(path.clone()),
                        Advice::ListEntitlements(path),
                    ],
                };
                advice.push(Advice::SyncAgain);
                advice
            }
            Self::NoSuchType { path, .. } => vec![Advice::ListResources(path.clone())],
            Self::Ambiguous(ambiguous) if !ambiguous.is_id => vec![Advice::UseId],
            Self::Dangling(_) => vec![Advice::SyncAgain],
            _ => Vec::new(),
        }
    }
}

impl Kind {
    /// As in "no entitlement has" or "2 entitlements have".
    fn nouns(&self) -> (String, String) {
        match self {
            Self::Entitlement => ("entitlement".to_owned(), "entitlements".to_owned()),
            Self::Grant => ("grant".to_owned(), "grants".to_owned()),
            Self::AnyResource => ("resource".to_owned(), "resources".to_owned()),
            Self::ResourceType => ("resource type".to_owned(), "resource types".to_owned()),
            Self::ResourceOrEntitlement => (
                "resource or entitlement".to_owned(),
                "resources or entitlements".to_owned(),
            ),
            Self::Resource(type_id) => (
                format!("resource of type `{type_id}`"),
                format!("resources of type `{type_id}`"),
            ),
        }
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.id)?;
        if !self.name.is_empty() && self.name != self.id {
            write!(f, " (`{}`)", self.name)?;
        }
        Ok(())
    }
}

impl fmt::Display for NotFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (noun, _) = self.kind.nouns();
        // Nothing else finds these.
        let by = match self.kind {
            Kind::Grant | Kind::ResourceType => "id",
            _ => "id or name",
        };
        write!(
            f,
            "{} has no {noun} with the {by} `{}`",
            self.path.display(),
            self.wanted
        )?;
        if let Some(type_id) = self.other_types.first() {
            write!(f, "; a resource of type `{type_id}` has this id")?;
        }
        if !self.nearest.is_empty() {
            write!(f, "; near matches: {}", joined(&self.nearest))?;
        }
        Ok(())
    }
}

impl fmt::Display for Ambiguous {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (one, many) = self.kind.nouns();
        // The id of a resource of any type shows its type.
        let list = if self.is_id && self.kind != Kind::AnyResource {
            // They differ in nothing else.
            joined(self.found.iter().map(OnResource))
        } else {
            joined(&self.found)
        };
        write!(
            f,
            "{} has {} with the {} `{}`: {list}",
            self.path.display(),
            counted(self.total, &one, &many),
            if self.is_id { "id" } else { "name" },
            self.wanted,
        )?;
        let listed = u64::try_from(self.found.len()).unwrap_or(u64::MAX);
        match self.total.saturating_sub(listed) {
            0 => Ok(()),
            more => write!(f, " and {} more", count(more)),
        }
    }
}

/// An object by its resource.
struct OnResource<'a>(&'a Object);

impl fmt::Display for OnResource<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (type_id, id) = &self.0.resource;
        write!(f, "{} on `{id}` of type `{type_id}`", self.0)
    }
}

impl fmt::Display for Dangling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {} `{}` refers to {} `{}`, which is not in the file",
            self.path.display(),
            self.kind.nouns().0,
            self.id,
            self.missing.nouns().0,
            self.missing_id,
        )
    }
}

impl fmt::Display for NoSuchField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.table {
            Some(table) if self.is_elsewhere => {
                write!(f, "{} have no field `{}`", table.name(), self.name)?;
            }
            _ => write!(f, "`{}` is not the name of a field", self.name)?,
        }
        if !self.nearest.is_empty() {
            let near = self.nearest.iter().map(|name| format!("`{name}`"));
            write!(f, "; near matches: {}", joined(near))?;
        }
        Ok(())
    }
}

impl fmt::Display for BadIgnore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no row has a field `{}`", self.field)?;
        if !self.nearest.is_empty() {
            let near = self.nearest.iter().map(|name| format!("`{name}`"));
            write!(f, "; near matches: {}", joined(near))?;
        }
        Ok(())
    }
}

fn joined(objects: impl IntoIterator<Item = impl fmt::Display>) -> String {
    let texts: Vec<String> = objects
        .into_iter()
        .map(|object| object.to_string())
        .collect();
    texts.join(", ")
}

fn types_text(types: &[String]) -> String {
    if types.is_empty() {
        return String::new();
    }
    let types = types.iter().map(|type_id| format!("`{type_id}`"));
    format!("; it has {}", joined(types))
}
