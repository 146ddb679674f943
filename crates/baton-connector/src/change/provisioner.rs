//! Granting and revoking: the author's side and the engine's side.

use async_trait::async_trait;
use baton_proto::c1::connector::v2;
use prost_types::Any;

use super::carry::Applied;
use super::description::Change;
use crate::call::Call;
use crate::error::Result;
use crate::held::Held;

/// Describes who is to hold entitlements on the resources of one type.
/// Registered with [`TypeSpec::provisioner`](crate::TypeSpec::provisioner).
///
/// No method sends a write: see [`Change`]. Entitlements come with their whole
/// resource, and principals whole, as far as the caller knows them.
#[async_trait]
pub trait Provisioner: Send + Sync {
    /// What makes `principal` hold `entitlement`.
    ///
    /// # Errors
    /// Why it must not be, as a principal of the wrong type.
    async fn grant(
        &self,
        call: &Call,
        entitlement: &v2::Entitlement,
        principal: &v2::Resource,
    ) -> Result<Change>;

    /// What takes `grant` away. It has its entitlement and its principal.
    ///
    /// # Errors
    /// Why it cannot be, as a grant that comes from a group.
    async fn revoke(&self, call: &Call, grant: &v2::Grant) -> Result<Change>;

    /// Whether `principal` holds `entitlement` now. Decides when the answer to
    /// a write was lost.
    async fn holds(
        &self,
        call: &Call,
        entitlement: &v2::Entitlement,
        principal: &v2::Resource,
    ) -> Result<Held>;
}

/// Grants and revokes, as an engine asks for them: `GrantManagerService`.
///
/// The type of the entitlement's resource decides who serves a call.
#[async_trait]
pub trait Provisioning: Send + Sync {
    /// Makes `principal` hold `entitlement`.
    ///
    /// # Errors
    /// Code `Unavailable` with "not known" if the outcome is not known.
    async fn grant(
        &self,
        call: &Call,
        entitlement: &v2::Entitlement,
        principal: &v2::Resource,
    ) -> Result<Granted>;

    /// Takes `grant` away; it has its entitlement and its principal.
    ///
    /// # Errors
    /// As with [`Provisioning::grant`].
    async fn revoke(&self, call: &Call, grant: &v2::Grant) -> Result<Revoked>;
}

/// The answer to a grant.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Granted {
    /// The grants as they now are.
    pub grants: Vec<v2::Grant>,
    /// `GrantAlreadyExists` when nothing had to be done, `GrantReplaced`.
    pub annotations: Vec<Any>,
}

/// The answer to a revoke.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Revoked {
    /// `GrantAlreadyRevoked` when nothing had to be done.
    pub annotations: Vec<Any>,
}

impl From<Applied> for Granted {
    fn from(applied: Applied) -> Self {
        let mut annotations = Vec::new();
        if applied.already {
            annotations.push(baton_proto::any::pack(&v2::GrantAlreadyExists {}));
        }
        if let Some(replaced_grant_id) = applied.replaced {
            annotations.push(baton_proto::any::pack(&v2::GrantReplaced {
                replaced_grant_id,
            }));
        }
        Self {
            grants: applied.grants,
            annotations,
        }
    }
}

impl From<Applied> for Revoked {
    fn from(applied: Applied) -> Self {
        let already = applied
            .already
            .then(|| baton_proto::any::pack(&v2::GrantAlreadyRevoked {}));
        Self {
            annotations: already.into_iter().collect(),
        }
    }
}
