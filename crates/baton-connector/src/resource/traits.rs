//! The messages that say what kind of thing a resource is.

use baton_proto::c1::connector::v2;
use prost_types::Timestamp;
use v2::app_trait::AppFlag;
use v2::secret_trait::CredentialType;
use v2::user_trait::{AccountType, Email, MfaStatus, SsoStatus, StructuredName};

use super::record::Status;

/// Builds a user trait: an enabled human by default.
#[derive(Debug, Clone)]
pub struct UserTraitBuilder {
    built: v2::UserTrait,
    status: Option<(Status, String)>,
}

impl Default for UserTraitBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl UserTraitBuilder {
    /// An enabled human without further facts.
    pub fn new() -> Self {
        Self {
            built: v2::UserTrait {
                account_type: AccountType::Human.into(),
                ..v2::UserTrait::default()
            },
            status: None,
        }
    }

    /// The primary address. An empty one is ignored.
    #[must_use]
    pub fn primary_email(self, address: impl Into<String>) -> Self {
        self.push_email(address.into(), true)
    }

    /// A further address. An empty one is ignored.
    #[must_use]
    pub fn email(self, address: impl Into<String>) -> Self {
        self.push_email(address.into(), false)
    }

    /// The login name. An empty one is ignored.
    #[must_use]
    pub fn login(mut self, login: impl Into<String>) -> Self {
        let login = login.into();
        if !login.is_empty() {
            self.built.login = login;
        }
        self
    }

    /// A further login name. An empty one is ignored.
    #[must_use]
    pub fn login_alias(mut self, login: impl Into<String>) -> Self {
        let login = login.into();
        if !login.is_empty() {
            self.built.login_aliases.push(login);
        }
        self
    }

    /// Human, service or system.
    #[must_use]
    pub fn account_type(mut self, kind: AccountType) -> Self {
        self.built.account_type = kind.into();
        self
    }

    /// The trait's own status, with the application's own word for it.
    #[must_use]
    pub fn status(mut self, status: Status, details: impl Into<String>) -> Self {
        self.status = Some((status, details.into()));
        self
    }

    /// When the user last signed in.
    #[must_use]
    pub fn last_login(mut self, at: Timestamp) -> Self {
        self.built.last_login = Some(at);
        self
    }

    /// Whether a second factor is set up.
    #[must_use]
    pub fn mfa_enabled(mut self, enabled: bool) -> Self {
        self.built.mfa_status = Some(MfaStatus {
            mfa_enabled: enabled,
        });
        self
    }

    /// Whether the user signs in through an identity provider.
    #[must_use]
    pub fn sso_enabled(mut self, enabled: bool) -> Self {
        self.built.sso_status = Some(SsoStatus {
            sso_enabled: enabled,
        });
        self
    }

    /// The parts of the name.
    #[must_use]
    pub fn structured_name(mut self, name: StructuredName) -> Self {
        self.built.structured_name = Some(name);
        self
    }

    /// An employee number. An empty one is ignored.
    #[must_use]
    pub fn employee_id(mut self, id: impl Into<String>) -> Self {
        let id = id.into();
        if !id.is_empty() {
            self.built.employee_ids.push(id);
        }
        self
    }

    fn push_email(mut self, address: String, is_primary: bool) -> Self {
        if !address.is_empty() {
            self.built.emails.push(Email {
                address,
                is_primary,
            });
        }
        self
    }

    pub(super) fn status_or_default(&self) -> (Status, String) {
        self.status
            .clone()
            .unwrap_or((Status::Enabled, String::new()))
    }

    // The field is deprecated upstream, but every file has it and older
    // readers know no other.
    #[allow(deprecated)]
    pub(super) fn build(self) -> v2::UserTrait {
        use v2::user_trait::status::Status as Wire;
        let (status, details) = self.status_or_default();
        let status = match status {
            Status::Unspecified => Wire::Unspecified,
            Status::Enabled => Wire::Enabled,
            Status::Disabled => Wire::Disabled,
            Status::Deleted => Wire::Deleted,
        };
        let mut built = self.built;
        built.status = Some(v2::user_trait::Status {
            status: status.into(),
            details,
        });
        built
    }
}

/// Builds a secret trait.
#[derive(Debug, Clone, Default)]
pub struct SecretTraitBuilder {
    built: v2::SecretTrait,
}

impl SecretTraitBuilder {
    /// A secret of this kind; `detail` names it exactly, as in `acme.token`.
    pub fn new(kind: CredentialType, detail: impl Into<String>) -> Self {
        Self {
            built: v2::SecretTrait {
                credential_type: kind.into(),
                credential_detail: detail.into(),
                ..v2::SecretTrait::default()
            },
        }
    }

    /// When it stops working.
    #[must_use]
    pub fn expires_at(mut self, at: Timestamp) -> Self {
        self.built.expires_at = Some(at);
        self
    }

    /// When it was last used.
    #[must_use]
    pub fn last_used_at(mut self, at: Timestamp) -> Self {
        self.built.last_used_at = Some(at);
        self
    }

    /// Who made it.
    #[must_use]
    pub fn created_by(mut self, id: v2::ResourceId) -> Self {
        self.built.created_by_id = Some(id);
        self
    }

    /// Whom it stands for.
    #[must_use]
    pub fn identity(mut self, id: v2::ResourceId) -> Self {
        self.built.identity_id = Some(id);
        self
    }

    pub(super) fn build(self) -> v2::SecretTrait {
        self.built
    }
}

/// Builds a role trait.
#[derive(Debug, Clone, Default)]
pub struct RoleTraitBuilder {
    built: v2::RoleTrait,
}

impl RoleTraitBuilder {
    /// A role without conditions.
    pub fn new() -> Self {
        Self::default()
    }

    /// Expressions that limit where the role applies.
    #[must_use]
    pub fn scope_conditions<T: Into<String>>(
        mut self,
        kind: impl Into<String>,
        expressions: impl IntoIterator<Item = T>,
    ) -> Self {
        let conditions = expressions
            .into_iter()
            .map(|expression| v2::RoleScopeCondition {
                expression: expression.into(),
            })
            .collect();
        self.built.role_scope_conditions = Some(v2::RoleScopeConditions {
            r#type: kind.into(),
            conditions,
        });
        self
    }

    pub(super) fn build(self) -> v2::RoleTrait {
        self.built
    }
}

/// Builds an application trait.
#[derive(Debug, Clone, Default)]
pub struct AppTraitBuilder {
    built: v2::AppTrait,
}

impl AppTraitBuilder {
    /// An application without further facts.
    pub fn new() -> Self {
        Self::default()
    }

    /// Where users find help.
    #[must_use]
    pub fn help_url(mut self, url: impl Into<String>) -> Self {
        self.built.help_url = url.into();
        self
    }

    /// A property of the application.
    #[must_use]
    pub fn flag(mut self, flag: AppFlag) -> Self {
        self.built.flags.push(flag.into());
        self
    }

    /// Where the application comes from: a word of the Baton vocabulary and
    /// the application's own.
    #[must_use]
    pub fn source(mut self, source_type: &str, raw_source_type: &str) -> Self {
        source_type.clone_into(&mut self.built.app_source_type);
        raw_source_type.clone_into(&mut self.built.raw_app_source_type);
        self
    }

    pub(super) fn build(self) -> v2::AppTrait {
        self.built
    }
}
