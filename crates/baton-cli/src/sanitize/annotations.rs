//! Annotations of the known types. All others are left out, since nothing is
//! known of what they hold, or kept as they are if the user allows it.

use baton_proto::c1::connector::v2;
use baton_proto::{any, wire};
use prost::{Message, Name};
use prost_types::{Any, Struct};

use super::Sanitizer;
use super::redact::Redactor;

type Result<T> = baton_proto::Result<T>;

/// Types of left out annotations that are listed.
const MAX_LISTED_TYPES: usize = 3;

/// Annotations that were left out or kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Unknown {
    /// Their number.
    pub count: u64,
    /// Some of their types.
    pub types: Vec<String>,
}

impl Unknown {
    fn add(&mut self, type_name: &str) {
        self.count += 1;
        let is_listed = self.types.iter().any(|listed| listed == type_name);
        if !is_listed && self.types.len() < MAX_LISTED_TYPES {
            self.types.push(type_name.to_owned());
        }
    }
}

/// What becomes of the content of an annotation.
trait Redact: Message + Name + Default {
    fn redact(&mut self, sanitizer: &Sanitizer);
}

/// The new form of an annotation of one type; `None` for another one.
type Redacted = fn(&Sanitizer, &Any) -> Result<Option<Any>>;

impl Sanitizer {
    /// Replaces the annotations of a message.
    pub(super) fn annotations(&mut self, list: &mut Vec<Any>) -> Result<()> {
        let mut kept = Vec::with_capacity(list.len());
        for old in list.drain(..) {
            if let Some(new) = self.annotation(&old)? {
                kept.push(new);
                continue;
            }
            self.unknown.add(wire::type_name(&old.type_url));
            if self.keeps_unknown {
                kept.push(old);
            }
        }
        *list = kept;
        Ok(())
    }

    /// The annotation's new form; `None` for one of another type.
    fn annotation(&self, old: &Any) -> Result<Option<Any>> {
        let known: [Redacted; 12] = [
            Self::redacted::<v2::UserTrait>,
            Self::redacted::<v2::GroupTrait>,
            Self::redacted::<v2::AppTrait>,
            Self::redacted::<v2::RoleTrait>,
            Self::redacted::<v2::SecretTrait>,
            Self::redacted::<v2::LicenseProfileTrait>,
            Self::redacted::<v2::ScopeBindingTrait>,
            Self::redacted::<v2::GrantExpandable>,
            Self::redacted::<v2::GrantImmutable>,
            Self::redacted::<v2::EntitlementImmutable>,
            Self::redacted::<v2::ExternalLink>,
            Self::redacted::<v2::ChildResourceType>,
        ];
        for redacted in known {
            if let Some(new) = redacted(self, old)? {
                return Ok(Some(new));
            }
        }
        Ok(None)
    }

    fn redacted<M: Redact>(&self, old: &Any) -> Result<Option<Any>> {
        if !any::is::<M>(old) {
            return Ok(None);
        }
        let mut message: M = any::unpack(old)?;
        message.redact(self);
        Ok(Some(any::pack(&message)))
    }

    /// The expansion of a grant, which is stored beside it.
    pub(super) fn expansion(&self, bytes: &[u8]) -> Result<Vec<u8>> {
        let mut message =
            v2::GrantExpandable::decode(bytes).map_err(|source| baton_proto::Error::Decode {
                message: v2::GrantExpandable::full_name(),
                source,
            })?;
        message.redact(self);
        Ok(baton_proto::encode::to_vec(&message))
    }
}

fn profile(redactor: &Redactor, profile: &mut Option<Struct>) {
    if let Some(profile) = profile {
        redactor.profile(profile);
    }
}

impl Redact for v2::UserTrait {
    #[expect(deprecated, reason = "older connectors fill these fields")]
    fn redact(&mut self, sanitizer: &Sanitizer) {
        let redactor = &sanitizer.redactor;
        for email in &mut self.emails {
            redactor.email(&mut email.address);
        }
        if let Some(status) = &mut self.status {
            redactor.redact(&mut status.details);
        }
        profile(redactor, &mut self.profile);
        sanitizer.asset_ref(&mut self.icon);
        redactor.redact(&mut self.login);
        for text in self.login_aliases.iter_mut().chain(&mut self.employee_ids) {
            redactor.redact(text);
        }
        for at in [&mut self.created_at, &mut self.last_login]
            .into_iter()
            .flatten()
        {
            redactor.time(at);
        }
        if let Some(name) = &mut self.structured_name {
            let parts = [
                &mut name.given_name,
                &mut name.family_name,
                &mut name.prefix,
                &mut name.suffix,
            ];
            parts
                .into_iter()
                .chain(&mut name.middle_names)
                .for_each(|part| redactor.redact(part));
        }
    }
}

impl Redact for v2::GroupTrait {
    #[expect(deprecated, reason = "older connectors fill these fields")]
    fn redact(&mut self, sanitizer: &Sanitizer) {
        sanitizer.asset_ref(&mut self.icon);
        profile(&sanitizer.redactor, &mut self.profile);
        sanitizer.redactor.redact(&mut self.group_source_type);
        sanitizer.redactor.redact(&mut self.raw_group_source_type);
    }
}

impl Redact for v2::AppTrait {
    #[expect(deprecated, reason = "older connectors fill these fields")]
    fn redact(&mut self, sanitizer: &Sanitizer) {
        sanitizer.redactor.url(&mut self.help_url);
        sanitizer.asset_ref(&mut self.icon);
        sanitizer.asset_ref(&mut self.logo);
        profile(&sanitizer.redactor, &mut self.profile);
        sanitizer.redactor.redact(&mut self.app_source_type);
        sanitizer.redactor.redact(&mut self.raw_app_source_type);
    }
}

impl Redact for v2::RoleTrait {
    #[expect(deprecated, reason = "older connectors fill these fields")]
    fn redact(&mut self, sanitizer: &Sanitizer) {
        profile(&sanitizer.redactor, &mut self.profile);
        if let Some(conditions) = &mut self.role_scope_conditions {
            sanitizer.redactor.redact(&mut conditions.r#type);
            for condition in &mut conditions.conditions {
                sanitizer.redactor.redact(&mut condition.expression);
            }
        }
    }
}

impl Redact for v2::SecretTrait {
    #[expect(deprecated, reason = "older connectors fill these fields")]
    fn redact(&mut self, sanitizer: &Sanitizer) {
        let redactor = &sanitizer.redactor;
        profile(redactor, &mut self.profile);
        let times = [
            &mut self.created_at,
            &mut self.expires_at,
            &mut self.last_used_at,
        ];
        for at in times.into_iter().flatten() {
            redactor.time(at);
        }
        sanitizer.resource_id(&mut self.created_by_id);
        sanitizer.resource_id(&mut self.identity_id);
        redactor.redact(&mut self.credential_detail);
    }
}

impl Redact for v2::LicenseProfileTrait {
    /// What is bought, and for how much, stays.
    fn redact(&mut self, sanitizer: &Sanitizer) {
        for id in &mut self.entitlement_ids {
            sanitizer.redactor.redact_id(id);
        }
    }
}

impl Redact for v2::ScopeBindingTrait {
    fn redact(&mut self, sanitizer: &Sanitizer) {
        sanitizer.resource_id(&mut self.role_id);
        sanitizer.resource_id(&mut self.scope_resource_id);
    }
}

impl Redact for v2::GrantExpandable {
    fn redact(&mut self, sanitizer: &Sanitizer) {
        for id in &mut self.entitlement_ids {
            sanitizer.redactor.redact_id(id);
        }
    }
}

impl Redact for v2::GrantImmutable {
    fn redact(&mut self, sanitizer: &Sanitizer) {
        sanitizer.redactor.redact_id(&mut self.source_id);
        profile(&sanitizer.redactor, &mut self.metadata);
    }
}

impl Redact for v2::EntitlementImmutable {
    fn redact(&mut self, sanitizer: &Sanitizer) {
        sanitizer.redactor.redact_id(&mut self.source_id);
        profile(&sanitizer.redactor, &mut self.metadata);
    }
}

impl Redact for v2::ExternalLink {
    fn redact(&mut self, sanitizer: &Sanitizer) {
        sanitizer.redactor.url(&mut self.url);
    }
}

impl Redact for v2::ChildResourceType {
    /// The id of a resource type stays.
    fn redact(&mut self, _: &Sanitizer) {}
}
