//! Which parts of a message are needed, and a copy of a message that holds no
//! other.
//!
//! What is kept of an object that rows refer to is again a message, so that
//! one reader of fields serves rows and kept objects.

use std::borrow::Cow;

use baton_proto::c1::connector::v2;
use baton_proto::field::c1::connector::v2 as field;
use baton_proto::field::google::protobuf::any;
use baton_proto::wire::{self, AnyRef, Value as Wire};
use prost::Name;

use crate::field::{Entity, Field, Part};

/// What begins and ends the full name of a trait's message.
const TRAIT: (&str, &str) = ("c1.connector.v2.", "Trait");

/// The name of a trait that a message type stands for, as `UserTrait`.
pub(super) fn trait_of(type_name: &str) -> Option<&str> {
    let name = type_name.strip_prefix(TRAIT.0)?;
    name.ends_with(TRAIT.1).then_some(name)
}

/// The parts of one kind of message that are needed.
#[derive(Debug, Clone, Default)]
pub(super) struct Needs {
    /// One bit per field number of the message.
    fields: u64,
    /// Traits by full name, with a bit per field number.
    traits: Vec<(Cow<'static, str>, u64)>,
    /// Which traits there are.
    trait_names: bool,
}

fn bits(numbers: &[u32]) -> u64 {
    numbers.iter().fold(0, |bits, number| bits | bit(*number))
}

fn bit(number: u32) -> u64 {
    1_u64.checked_shl(number).unwrap_or(0)
}

impl Needs {
    /// Whether nothing is needed: the object need not be looked up.
    pub fn is_empty(&self) -> bool {
        self.fields == 0 && self.traits.is_empty() && !self.trait_names
    }

    /// Adds what a field of the record is read from.
    pub fn add(&mut self, wanted: Field) {
        use field::{agent_trait, app_trait, group_trait, role_trait, secret_trait, user_trait};
        match (wanted.entity(), wanted.part()) {
            (Entity::ResourceType, Part::DisplayName) => {
                self.fields |= bits(&[field::resource_type::DISPLAY_NAME]);
            }
            (Entity::ResourceType, Part::Traits) => {
                self.fields |= bits(&[field::resource_type::TRAITS]);
            }
            (Entity::Entitlement, Part::DisplayName) => {
                self.fields |= bits(&[field::entitlement::DISPLAY_NAME]);
            }
            (Entity::Entitlement, Part::Slug) => self.fields |= bits(&[field::entitlement::SLUG]),
            (Entity::Entitlement, Part::Purpose) => {
                self.fields |= bits(&[field::entitlement::PURPOSE]);
            }
            (_, Part::DisplayName) => self.fields |= bits(&[field::resource::DISPLAY_NAME]),
            (_, Part::Description) => self.fields |= bits(&[field::resource::DESCRIPTION]),
            (_, Part::ParentId | Part::ParentType) => {
                self.fields |= bits(&[field::resource::PARENT_RESOURCE_ID]);
            }
            (_, Part::Status) => {
                self.fields |= bits(&[field::resource::STATUS]);
                self.add_trait::<v2::UserTrait>(user_trait::STATUS);
                self.add_trait::<v2::AgentTrait>(agent_trait::STATUS);
            }
            (_, Part::Profile) => {
                self.fields |= bits(&[field::resource::PROFILE]);
                self.add_trait::<v2::UserTrait>(user_trait::PROFILE);
                self.add_trait::<v2::GroupTrait>(group_trait::PROFILE);
                self.add_trait::<v2::RoleTrait>(role_trait::PROFILE);
                self.add_trait::<v2::AppTrait>(app_trait::PROFILE);
                self.add_trait::<v2::SecretTrait>(secret_trait::PROFILE);
                self.add_trait::<v2::AgentTrait>(agent_trait::PROFILE);
            }
            (_, Part::Email) => self.add_trait::<v2::UserTrait>(user_trait::EMAILS),
            (_, Part::Login) => self.add_trait::<v2::UserTrait>(user_trait::LOGIN),
            (_, Part::LastLogin) => self.add_trait::<v2::UserTrait>(user_trait::LAST_LOGIN),
            (_, Part::AccountType) => self.add_trait::<v2::UserTrait>(user_trait::ACCOUNT_TYPE),
            (_, Part::CreatedAt) => {
                self.fields |= bits(&[field::resource::CREATED_AT]);
                self.add_trait::<v2::UserTrait>(user_trait::CREATED_AT);
                self.add_trait::<v2::SecretTrait>(secret_trait::CREATED_AT);
            }
            (_, Part::Traits) => self.trait_names = true,
            (_, Part::ExpiresAt) => self.add_trait::<v2::SecretTrait>(secret_trait::EXPIRES_AT),
            (_, Part::LastUsedAt) => self.add_trait::<v2::SecretTrait>(secret_trait::LAST_USED_AT),
            (_, Part::IdentityId) => self.add_trait::<v2::SecretTrait>(secret_trait::IDENTITY_ID),
            // Read from the columns or the message of the row itself.
            (
                _,
                Part::Id
                | Part::Type
                | Part::ResourceId
                | Part::ResourceType
                | Part::Slug
                | Part::Purpose
                | Part::Immutable
                | Part::Direct
                | Part::Sources
                | Part::Expandable
                | Part::DiscoveredAt,
            ) => {}
        }
    }

    /// Adds the texts of a user by which people search, besides its name.
    pub fn add_user_names(&mut self) {
        use field::user_trait;
        for number in [
            user_trait::EMAILS,
            user_trait::LOGIN,
            user_trait::LOGIN_ALIASES,
        ] {
            self.add_trait::<v2::UserTrait>(number);
        }
    }

    fn add_trait<M: Name>(&mut self, number: u32) {
        let name = M::full_name();
        match self.traits.iter_mut().find(|(found, _)| *found == name) {
            Some((_, fields)) => *fields |= bit(number),
            None => self.traits.push((name.into(), bit(number))),
        }
    }

    /// Appends a message's needed parts, which are again such a message;
    /// `annotations` is the number of its field of annotations.
    pub fn copy(
        &self,
        message: &[u8],
        annotations: u32,
        out: &mut Vec<u8>,
    ) -> baton_proto::Result<()> {
        for part in wire::fields(message) {
            let part = part?;
            if part.number == annotations {
                if let Wire::Bytes(entry) = part.value {
                    self.copy_annotation(&AnyRef::read(entry)?, annotations, out)?;
                }
            } else if self.fields & bit(part.number) != 0 {
                out.extend_from_slice(part.raw);
            }
        }
        Ok(())
    }

    fn copy_annotation(
        &self,
        entry: &AnyRef<'_>,
        annotations: u32,
        out: &mut Vec<u8>,
    ) -> baton_proto::Result<()> {
        let name = entry.type_name();
        let needed = self.traits.iter().find(|(found, _)| found == name);
        if needed.is_none() && !(self.trait_names && trait_of(name).is_some()) {
            return Ok(());
        }
        let mut copy = Vec::new();
        wire::put_str(&mut copy, any::TYPE_URL, name);
        if let Some((_, fields)) = needed {
            let mut value = Vec::new();
            for part in wire::fields(entry.value) {
                let part = part?;
                if fields & bit(part.number) != 0 {
                    value.extend_from_slice(part.raw);
                }
            }
            wire::put_bytes(&mut copy, any::VALUE, &value);
        }
        wire::put_bytes(out, annotations, &copy);
        Ok(())
    }
}
