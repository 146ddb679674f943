//! What the list of the Go tool shows of a user and of an entitlement.

use baton_c1z::{Projection, Row, Table};
use baton_proto::any;
use baton_proto::c1::connector::v2;
use baton_proto::field::c1::connector::v2 as field;
use baton_proto::wire::{self, Value};
use prost::{Message, Name};
use prost_types::value::Kind;
use prost_types::{Any, Struct};

use crate::error::CliError;

/// A user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct User {
    pub last_name: String,
    pub first_name: String,
    pub own_id: String,
    pub email: String,
    pub status: &'static str,
}

/// An entitlement.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Entitlement {
    pub display_name: String,
    pub id: String,
    pub type_id: String,
    pub resource_name: String,
    pub description: String,
    pub slug: String,
}

/// What is kept of an object that a grant refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Facts {
    User(User),
    Entitlement(Entitlement),
    /// Another resource, or no object of the file.
    Other,
}

const ENABLED: &str = "Enabled";
const DISABLED: &str = "Disabled";
const DELETED: &str = "Deleted";
const UNKNOWN: &str = "Unknown";

impl User {
    /// A resource as a user; `None` without a user trait.
    pub fn read(row: &Row<'_>) -> Result<Option<Self>, CliError> {
        let user_trait = v2::UserTrait::full_name();
        let is_user = wire::has_annotation(
            row.data,
            field::resource::ANNOTATIONS,
            &[user_trait.as_str()],
        );
        if !is_user.map_err(|source| damaged(row, source))? {
            return Ok(None);
        }
        let decoded = v2::Resource::decode(row.data).map_err(|source| {
            let message = v2::Resource::full_name();
            damaged(row, baton_proto::Error::Decode { message, source })
        })?;
        Self::of(&decoded)
            .map(Some)
            .map_err(|source| damaged(row, source))
    }

    #[expect(deprecated, reason = "older connectors fill the fields of the trait")]
    fn of(resource: &v2::Resource) -> baton_proto::Result<Self> {
        let user = any::find::<v2::UserTrait>(&resource.annotations)?.unwrap_or_default();
        let profile = match &resource.profile {
            Some(profile) => Some(profile.clone()),
            None => profile_of_traits(&user, &resource.annotations)?,
        };
        let text = |key: &str| text_of(profile.as_ref(), key);
        let agent = any::find::<v2::AgentTrait>(&resource.annotations)?;
        let primary = user.emails.iter().find(|email| email.is_primary);
        Ok(Self {
            last_name: text("last_name"),
            first_name: text("first_name"),
            own_id: text("user_id"),
            email: primary.map_or_else(String::new, |email| email.address.clone()),
            status: match (&resource.status, &user.status, agent) {
                (Some(status), ..) => status_word(status.status),
                (None, Some(status), _) => status_word(status.status),
                // Its values are numbered as the ones of users.
                (None, None, Some(agent)) => status_word(agent.status),
                (None, None, None) => ENABLED,
            },
        })
    }
}

/// The word for 1 enabled (or ready), 2 disabled, 3 deleted.
fn status_word(status: i32) -> &'static str {
    match status {
        1 => ENABLED,
        2 => DISABLED,
        3 => DELETED,
        _ => UNKNOWN,
    }
}

/// A value of a profile, if it is a text.
fn text_of(profile: Option<&Struct>, key: &str) -> String {
    let value = profile.and_then(|profile| profile.fields.get(key));
    match value.and_then(|value| value.kind.as_ref()) {
        Some(Kind::StringValue(text)) => text.clone(),
        _ => String::new(),
    }
}

/// The first profile among those of the traits.
#[expect(deprecated, reason = "older connectors fill the fields of the trait")]
fn profile_of_traits(user: &v2::UserTrait, list: &[Any]) -> baton_proto::Result<Option<Struct>> {
    fn of<M: Message + Name + Default>(
        list: &[Any],
        profile: impl FnOnce(M) -> Option<Struct>,
    ) -> baton_proto::Result<Option<Struct>> {
        Ok(any::find::<M>(list)?.and_then(profile))
    }
    if user.profile.is_some() {
        return Ok(user.profile.clone());
    }
    let others = [
        of(list, |group: v2::GroupTrait| group.profile)?,
        of(list, |role: v2::RoleTrait| role.profile)?,
        of(list, |app: v2::AppTrait| app.profile)?,
        of(list, |secret: v2::SecretTrait| secret.profile)?,
        of(list, |agent: v2::AgentTrait| agent.profile)?,
    ];
    Ok(others.into_iter().flatten().next())
}

impl Entitlement {
    /// Reads a row. The resource's name is the one in the row.
    pub fn read(row: &Row<'_>) -> Result<Self, CliError> {
        Self::of(row.data).map_err(|source| damaged(row, source))
    }

    fn of(data: &[u8]) -> baton_proto::Result<Self> {
        let mut entitlement = Self::default();
        for part in wire::values(data) {
            let (number, Value::Bytes(bytes)) = part? else {
                continue;
            };
            let text = match number {
                field::entitlement::ID => &mut entitlement.id,
                field::entitlement::DISPLAY_NAME => &mut entitlement.display_name,
                field::entitlement::DESCRIPTION => &mut entitlement.description,
                field::entitlement::SLUG => &mut entitlement.slug,
                field::entitlement::RESOURCE => {
                    let name = wire::last_str(bytes, field::resource::DISPLAY_NAME)?;
                    name.clone_into(&mut entitlement.resource_name);
                    if let Some(id) = wire::last_bytes(bytes, field::resource::ID)? {
                        wire::last_str(id, field::resource_id::RESOURCE_TYPE)?
                            .clone_into(&mut entitlement.type_id);
                    }
                    continue;
                }
                _ => continue,
            };
            wire::text(bytes)?.clone_into(text);
        }
        Ok(entitlement)
    }

    /// What a grant itself records of its entitlement.
    pub fn of_grant(row: &Row<'_>) -> Result<Self, CliError> {
        let embedded = wire::last_bytes(row.data, field::grant::ENTITLEMENT)
            .and_then(|entitlement| Self::of(entitlement.unwrap_or_default()))
            .map_err(|source| damaged(row, source))?;
        Ok(Self {
            id: row.entitlement_id.to_owned(),
            type_id: row.resource_type_id.to_owned(),
            resource_name: embedded.resource_name,
            ..Self::default()
        })
    }

    pub fn texts(&self) -> [&str; 6] {
        [
            &self.display_name,
            &self.id,
            &self.type_id,
            &self.resource_name,
            &self.description,
            &self.slug,
        ]
    }
}

fn damaged(row: &Row<'_>, source: baton_proto::Error) -> CliError {
    CliError::Render {
        what: format!("`{}`", row.id),
        source,
    }
}

/// Keeps the facts of the objects that grants refer to.
pub(super) struct FactsOfObjects;

impl Projection for FactsOfObjects {
    type Value = Facts;
    type Error = CliError;

    fn found(&self, table: Table, row: &Row<'_>) -> Result<Facts, CliError> {
        Ok(match table {
            Table::Resources => User::read(row)?.map_or(Facts::Other, Facts::User),
            Table::Entitlements => Facts::Entitlement(Entitlement::read(row)?),
            Table::ResourceTypes | Table::Grants => Facts::Other,
        })
    }

    fn missing(&self, _: Table, _: &str, _: &str) -> Result<Facts, CliError> {
        Ok(Facts::Other)
    }

    fn pack(&self, value: &Facts, out: &mut Vec<u8>) {
        let mut put = |text: &str| {
            out.extend_from_slice(&(text.len() as u64).to_le_bytes());
            out.extend_from_slice(text.as_bytes());
        };
        match value {
            Facts::User(user) => {
                for text in [&user.last_name, &user.first_name, &user.own_id, &user.email] {
                    put(text);
                }
                put(user.status);
            }
            Facts::Entitlement(entitlement) => entitlement.texts().map(put).iter().for_each(drop),
            Facts::Other => {}
        }
    }

    /// Only resources are unpacked.
    fn unpack(&self, bytes: &[u8]) -> Option<Facts> {
        fn text<'b>(rest: &mut &'b [u8]) -> Option<&'b str> {
            let (len, behind) = rest.split_first_chunk()?;
            let len = usize::try_from(u64::from_le_bytes(*len)).ok()?;
            let (part, behind) = behind.split_at_checked(len)?;
            *rest = behind;
            str::from_utf8(part).ok()
        }
        if bytes.is_empty() {
            return Some(Facts::Other);
        }
        let mut rest = bytes;
        let mut next = || text(&mut rest);
        let user = User {
            last_name: next()?.to_owned(),
            first_name: next()?.to_owned(),
            own_id: next()?.to_owned(),
            email: next()?.to_owned(),
            status: {
                let status = next()?;
                [ENABLED, DISABLED, DELETED, UNKNOWN]
                    .into_iter()
                    .find(|word| *word == status)?
            },
        };
        Some(Facts::User(user))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost_types::Value as Json;

    fn profile(pairs: &[(&str, Kind)]) -> Struct {
        let fields = pairs.iter().map(|(key, kind)| {
            let value = Json {
                kind: Some(kind.clone()),
            };
            ((*key).to_owned(), value)
        });
        Struct {
            fields: fields.collect(),
        }
    }

    fn named(name: &str) -> Struct {
        profile(&[("last_name", Kind::StringValue(name.to_owned()))])
    }

    #[test]
    #[expect(deprecated, reason = "older connectors fill the fields of the trait")]
    fn the_own_profile_wins_then_the_first_of_a_trait_and_only_texts_count() {
        let user = v2::UserTrait {
            profile: Some(named("user")),
            ..v2::UserTrait::default()
        };
        let app = v2::AppTrait {
            profile: Some(named("app")),
            ..v2::AppTrait::default()
        };
        let agent = v2::AgentTrait {
            profile: Some(named("agent")),
            ..v2::AgentTrait::default()
        };
        let plain = any::pack(&v2::UserTrait::default());
        for (own, list, expected) in [
            (Some(named("own")), vec![any::pack(&user)], "own"),
            (Some(profile(&[])), vec![any::pack(&user)], ""),
            (None, vec![any::pack(&app), any::pack(&user)], "user"),
            (
                None,
                vec![any::pack(&agent), any::pack(&app), plain.clone()],
                "app",
            ),
            (None, vec![plain.clone(), any::pack(&agent)], "agent"),
            (
                Some(profile(&[("last_name", Kind::NumberValue(1.0))])),
                vec![plain],
                "",
            ),
        ] {
            let resource = v2::Resource {
                profile: own,
                annotations: list,
                ..v2::Resource::default()
            };
            let read = User::of(&resource).expect("whole");
            assert_eq!(read.last_name, expected, "{resource:?}");
        }
    }

    #[test]
    #[expect(deprecated, reason = "older connectors fill the fields of the trait")]
    fn the_own_status_wins_then_the_users_then_the_agents() {
        let own = |status| v2::Status {
            status,
            ..v2::Status::default()
        };
        let user = |status: Option<i32>| {
            any::pack(&v2::UserTrait {
                status: status.map(|status| v2::user_trait::Status {
                    status,
                    ..v2::user_trait::Status::default()
                }),
                ..v2::UserTrait::default()
            })
        };
        let agent = |status| {
            any::pack(&v2::AgentTrait {
                status,
                ..v2::AgentTrait::default()
            })
        };
        for (status, list, expected) in [
            (Some(own(2)), vec![user(Some(1))], "Disabled"),
            (Some(own(0)), vec![user(Some(1))], "Unknown"),
            (None, vec![user(Some(3)), agent(1)], "Deleted"),
            (None, vec![user(None), agent(2)], "Disabled"),
            (None, vec![user(None), agent(0)], "Unknown"),
            (None, vec![user(None)], "Enabled"),
            (Some(own(9)), vec![user(None)], "Unknown"),
        ] {
            let resource = v2::Resource {
                status,
                annotations: list,
                ..v2::Resource::default()
            };
            let read = User::of(&resource).expect("whole");
            assert_eq!(read.status, expected, "{resource:?}");
        }
    }

    #[test]
    fn a_user_survives_packing() {
        let user = User {
            last_name: "l".to_owned(),
            first_name: String::new(),
            own_id: "1".to_owned(),
            email: "a@x".to_owned(),
            status: DELETED,
        };
        for facts in [Facts::User(user), Facts::Other] {
            let mut packed = Vec::new();
            FactsOfObjects.pack(&facts, &mut packed);
            assert_eq!(FactsOfObjects.unpack(&packed), Some(facts));
        }
    }
}
