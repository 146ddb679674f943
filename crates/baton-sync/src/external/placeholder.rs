//! Grants whose principal is to be found in another file.

use baton_c1z::Row;
use baton_proto::c1::connector::v2::{self, resource_type::Trait};
use baton_proto::field::c1::connector::v2 as field;
use baton_proto::wire;
use prost::{Message, Name};

use super::fold::fold;
use crate::error::{Error, Result};

/// Who a placeholder stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Placeholder {
    /// Everybody with a trait.
    All(i32),
    /// Whom either way finds.
    Some {
        id: Option<String>,
        profile: Option<Profile>,
    },
}

/// Whose profile holds a value.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Profile {
    /// Number of the trait.
    pub(super) of: i32,
    pub(super) key: String,
    /// The value, folded.
    pub(super) value: String,
}

impl Placeholder {
    /// Reads a grant's annotations; `None` if it is no placeholder. Of
    /// several of a kind the first counts.
    pub(super) fn of(row: &Row<'_>) -> Result<Option<Self>> {
        let (mut all, mut id, mut profile) = (None, None, None);
        for value in wire::values(row.data) {
            let (number, value) = value.map_err(|source| unreadable(row, source))?;
            let Some(entry) = value
                .bytes()
                .filter(|_| number == field::grant::ANNOTATIONS)
            else {
                continue;
            };
            let any = wire::AnyRef::read(entry).map_err(|source| unreadable(row, source))?;
            let name = any.type_name();
            if name == v2::ExternalResourceMatchAll::full_name() {
                let found: v2::ExternalResourceMatchAll = decode(row, any.value)?;
                all.get_or_insert(found.resource_type);
            } else if name == v2::ExternalResourceMatchId::full_name() {
                let found: v2::ExternalResourceMatchId = decode(row, any.value)?;
                id.get_or_insert(found.id);
            } else if name == v2::ExternalResourceMatch::full_name() {
                let found: v2::ExternalResourceMatch = decode(row, any.value)?;
                profile.get_or_insert(Profile {
                    of: found.resource_type,
                    key: found.key,
                    value: fold(&found.value),
                });
            }
        }
        Ok(match (all, id, profile) {
            (Some(of), _, _) => Some(Self::All(of)),
            (None, None, None) => None,
            (None, id, profile) => Some(Self::Some { id, profile }),
        })
    }
}

/// Whether this is the number of a trait whose messages can be matched
/// (sync-runtime.md §1.5).
pub(super) fn trait_of(number: i32) -> Option<Trait> {
    let of = Trait::try_from(number).ok()?;
    matches!(
        of,
        Trait::App | Trait::Group | Trait::User | Trait::Role | Trait::Secret
    )
    .then_some(of)
}

pub(super) fn unreadable(row: &Row<'_>, source: baton_proto::Error) -> Error {
    Error::Annotation {
        record: format!("grant `{}`", row.id),
        source,
    }
}

fn decode<M: Message + Name + Default>(row: &Row<'_>, bytes: &[u8]) -> Result<M> {
    super::decode(bytes).map_err(|source| unreadable(row, source))
}
