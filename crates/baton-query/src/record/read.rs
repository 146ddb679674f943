//! The fields of one message, read from its bytes.

use baton_proto::c1::connector::v2;
use baton_proto::field::c1::connector::v2 as field;
use baton_proto::time;
use baton_proto::wire::{self, AnyRef, Value as Wire};
use prost::Name;
use prost_types::Timestamp;

use super::needs::trait_of;
use crate::field::Part;
use crate::value::{MapValue, Value};

type Result<T> = baton_proto::Result<T>;

/// Numbers of the fields of `google.protobuf.Timestamp`.
const SECONDS: u32 = 1;
const NANOS: u32 = 2;

/// A part of a `ResourceType`.
pub(super) fn resource_type(part: Part, message: &[u8]) -> Result<Value<'_>> {
    match part {
        Part::DisplayName => text(message, field::resource_type::DISPLAY_NAME),
        Part::Traits => type_traits(message),
        _ => Ok(Value::Null),
    }
}

/// A part of an `Entitlement`.
pub(super) fn entitlement(part: Part, message: &[u8]) -> Result<Value<'_>> {
    match part {
        Part::DisplayName => text(message, field::entitlement::DISPLAY_NAME),
        Part::Slug => text(message, field::entitlement::SLUG),
        Part::Purpose => {
            let purpose = wire::last_varint(message, field::entitlement::PURPOSE)?;
            Ok(Value::text(purpose_name(purpose)))
        }
        _ => Ok(Value::Null),
    }
}

/// A part of a `Grant`; `own` is the entitlement that it is of, `expansion`
/// its expansion where that is stored apart.
pub(super) fn grant<'g>(
    part: Part,
    message: &'g [u8],
    own: &str,
    expansion: Option<&[u8]>,
) -> Result<Value<'g>> {
    let has = |types: &[&str]| wire::has_annotation(message, field::grant::ANNOTATIONS, types);
    Ok(match part {
        Part::Immutable => Value::Bool(has(&[&v2::GrantImmutable::full_name()])?),
        Part::Expandable => {
            Value::Bool(expansion.is_some() || has(&[&v2::GrantExpandable::full_name()])?)
        }
        Part::Sources => Value::List(sources(message)?.into_iter().map(Value::text).collect()),
        Part::Direct => {
            let sources = sources(message)?;
            Value::Bool(sources.is_empty() || sources.contains(&own))
        }
        _ => Value::Null,
    })
}

/// A part of a `Resource`, or of the secret that it is.
pub(super) fn resource(part: Part, message: &[u8]) -> Result<Value<'_>> {
    use field::{resource, secret_trait, user_trait};
    match part {
        Part::DisplayName => text(message, resource::DISPLAY_NAME),
        Part::Description => text(message, resource::DESCRIPTION),
        Part::ParentId => parent(message, field::resource_id::RESOURCE),
        Part::ParentType => parent(message, field::resource_id::RESOURCE_TYPE),
        Part::Status => status(message),
        Part::Profile => profile(message),
        Part::Email => email(user(message)?),
        Part::Login => text(user(message)?, user_trait::LOGIN),
        Part::LastLogin => time_of(user(message)?, user_trait::LAST_LOGIN),
        Part::AccountType => account_type(message),
        Part::CreatedAt => created_at(message),
        Part::Traits => traits(message),
        Part::ExpiresAt => time_of(secret(message)?, secret_trait::EXPIRES_AT),
        Part::LastUsedAt => time_of(secret(message)?, secret_trait::LAST_USED_AT),
        Part::IdentityId => {
            let id = wire::last_bytes(secret(message)?, secret_trait::IDENTITY_ID)?;
            text(id.unwrap_or_default(), field::resource_id::RESOURCE)
        }
        _ => Ok(Value::Null),
    }
}

/// Visits the e-mail addresses and logins of a resource that is a user, until
/// one is the right one.
pub(super) fn any_user_name(message: &[u8], is_it: &mut dyn FnMut(&[u8]) -> bool) -> Result<bool> {
    use field::user_trait;
    for part in wire::values(user(message)?) {
        let found = match part? {
            (user_trait::EMAILS, Wire::Bytes(email)) => {
                wire::last_bytes(email, user_trait::email::ADDRESS)?.is_some_and(&mut *is_it)
            }
            (user_trait::LOGIN | user_trait::LOGIN_ALIASES, Wire::Bytes(login)) => is_it(login),
            _ => false,
        };
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

fn text(message: &[u8], number: u32) -> Result<Value<'_>> {
    wire::last_str(message, number).map(Value::text)
}

fn parent(message: &[u8], number: u32) -> Result<Value<'_>> {
    let parent = wire::last_bytes(message, field::resource::PARENT_RESOURCE_ID)?;
    text(parent.unwrap_or_default(), number)
}

/// The packed message of an annotation, as the first of its type.
fn annotation<'m>(message: &'m [u8], type_name: &str) -> Result<Option<&'m [u8]>> {
    for part in wire::values(message) {
        if let (field::resource::ANNOTATIONS, Wire::Bytes(entry)) = part? {
            let any = AnyRef::read(entry)?;
            if any.type_name() == type_name {
                return Ok(Some(any.value));
            }
        }
    }
    Ok(None)
}

fn user(message: &[u8]) -> Result<&[u8]> {
    let user = annotation(message, "c1.connector.v2.UserTrait")?;
    Ok(user.unwrap_or_default())
}

fn secret(message: &[u8]) -> Result<&[u8]> {
    let secret = annotation(message, "c1.connector.v2.SecretTrait")?;
    Ok(secret.unwrap_or_default())
}

/// The resource's own status, else the user's, else the agent's.
fn status(message: &[u8]) -> Result<Value<'_>> {
    let own = wire::last_bytes(message, field::resource::STATUS)?;
    if let Some(own) = own {
        let status = wire::last_varint(own, field::status::STATUS)?;
        return Ok(Value::text(status_name(status)));
    }
    let of_user = wire::last_bytes(user(message)?, field::user_trait::STATUS)?;
    if let Some(of_user) = of_user {
        let status = wire::last_varint(of_user, field::user_trait::status::STATUS)?;
        return Ok(Value::text(status_name(status)));
    }
    let agent = annotation(message, "c1.connector.v2.AgentTrait")?.unwrap_or_default();
    let status = wire::last_varint(agent, field::agent_trait::STATUS)?;
    Ok(Value::text(status_name(status)))
}

/// Resources, users and agents number these alike; an agent is ready.
fn status_name(number: u64) -> &'static str {
    match number {
        1 => "enabled",
        2 => "disabled",
        3 => "deleted",
        _ => "unspecified",
    }
}

fn purpose_name(number: u64) -> &'static str {
    match number {
        1 => "assignment",
        2 => "permission",
        3 => "ownership",
        _ => "unspecified",
    }
}

/// The resource's own profile, else that of its first trait that has one.
fn profile(message: &[u8]) -> Result<Value<'_>> {
    if let Some(own) = wire::last_bytes(message, field::resource::PROFILE)? {
        return MapValue::read(own).map(Value::Map);
    }
    for (name, number) in [
        ("c1.connector.v2.UserTrait", field::user_trait::PROFILE),
        ("c1.connector.v2.GroupTrait", field::group_trait::PROFILE),
        ("c1.connector.v2.RoleTrait", field::role_trait::PROFILE),
        ("c1.connector.v2.AppTrait", field::app_trait::PROFILE),
        ("c1.connector.v2.SecretTrait", field::secret_trait::PROFILE),
        ("c1.connector.v2.AgentTrait", field::agent_trait::PROFILE),
    ] {
        let Some(of_trait) = annotation(message, name)? else {
            continue;
        };
        if let Some(profile) = wire::last_bytes(of_trait, number)? {
            return MapValue::read(profile).map(Value::Map);
        }
    }
    MapValue::read(&[]).map(Value::Map)
}

/// The first address that is marked as primary.
fn email(user: &[u8]) -> Result<Value<'_>> {
    use field::user_trait::{self, email};
    for part in wire::values(user) {
        if let (user_trait::EMAILS, Wire::Bytes(entry)) = part?
            && wire::last_varint(entry, email::IS_PRIMARY)? != 0
        {
            return text(entry, email::ADDRESS);
        }
    }
    Ok(Value::text(""))
}

fn account_type(message: &[u8]) -> Result<Value<'_>> {
    let Some(user) = annotation(message, "c1.connector.v2.UserTrait")? else {
        return Ok(Value::text(""));
    };
    let number = wire::last_varint(user, field::user_trait::ACCOUNT_TYPE)?;
    Ok(Value::text(match number {
        1 => "human",
        2 => "service",
        3 => "system",
        _ => "unspecified",
    }))
}

/// The resource's own time, else the user's, else the secret's.
fn created_at(message: &[u8]) -> Result<Value<'_>> {
    let own = time_of(message, field::resource::CREATED_AT)?;
    if !own.is_empty() {
        return Ok(own);
    }
    let of_user = time_of(user(message)?, field::user_trait::CREATED_AT)?;
    if !of_user.is_empty() {
        return Ok(of_user);
    }
    time_of(secret(message)?, field::secret_trait::CREATED_AT)
}

fn time_of(message: &[u8], number: u32) -> Result<Value<'_>> {
    let Some(bytes) = wire::last_bytes(message, number)? else {
        return Ok(Value::Null);
    };
    let at = Timestamp {
        seconds: wire::last_varint(bytes, SECONDS)?.cast_signed(),
        // A number of 32 bits is stored with its sign extended.
        nanos: i32::try_from(wire::last_varint(bytes, NANOS)?.cast_signed()).unwrap_or(i32::MAX),
    };
    // A time that has no text is an error here, and nowhere later.
    time::format(&at)?;
    Ok(Value::Time(at))
}

/// The traits that a resource carries, in the order of the bytes.
fn traits(message: &[u8]) -> Result<Value<'_>> {
    let mut traits = Vec::new();
    for part in wire::values(message) {
        if let (field::resource::ANNOTATIONS, Wire::Bytes(entry)) = part?
            && let Some(name) = trait_of(AnyRef::read(entry)?.type_name())
        {
            let name = snake_case(name.strip_suffix("Trait").unwrap_or(name));
            traits.push(Value::Text(name.into()));
        }
    }
    Ok(Value::List(traits))
}

/// `SecurityInsight` as `security_insight`.
fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for (at, c) in name.char_indices() {
        if c.is_ascii_uppercase() && at > 0 {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

/// The traits that a resource type lists.
fn type_traits(message: &[u8]) -> Result<Value<'_>> {
    let mut traits = Vec::new();
    for part in wire::values(message) {
        let (field::resource_type::TRAITS, value) = part? else {
            continue;
        };
        match value {
            Wire::Varint(number) => traits.push(type_trait(number)),
            Wire::Bytes(packed) => {
                for number in wire::packed_varints(packed) {
                    traits.push(type_trait(number?));
                }
            }
            _ => {}
        }
    }
    Ok(Value::List(traits))
}

fn type_trait(number: u64) -> Value<'static> {
    let known = i32::try_from(number)
        .ok()
        .and_then(|number| v2::resource_type::Trait::try_from(number).ok());
    // A trait of a later version is shown by its number.
    Value::Text(match known {
        Some(known) => {
            let name = known.as_str_name();
            let name = name.strip_prefix("TRAIT_").unwrap_or(name);
            name.to_ascii_lowercase().into()
        }
        None => number.to_string().into(),
    })
}

/// Ids of the entitlements that a grant follows from, by id, each once.
pub(crate) fn sources(message: &[u8]) -> Result<Vec<&str>> {
    use field::grant_sources::{self, sources_entry};
    let mut ids = Vec::new();
    for part in wire::values(message) {
        let (field::grant::SOURCES, Wire::Bytes(sources)) = part? else {
            continue;
        };
        for entry in wire::values(sources) {
            if let (grant_sources::SOURCES, Wire::Bytes(entry)) = entry? {
                ids.push(wire::last_str(entry, sources_entry::KEY)?);
            }
        }
    }
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}
