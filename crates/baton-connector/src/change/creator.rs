//! Creating resources: the author's side and the engine's side.

use async_trait::async_trait;
use baton_proto::c1::connector::v2;

use super::creation::Creation;
use super::deleter::ResourceDeleter;
use crate::call::Call;
use crate::error::Result;

/// Describes how resources of one type are created. Registered with
/// [`TypeSpec::creator`](crate::TypeSpec::creator).
#[async_trait]
pub trait ResourceCreator: ResourceDeleter {
    /// What creates `resource`, and gives it as it then is. Sends reads only.
    ///
    /// # Errors
    /// Why it must not be created.
    async fn create(&self, call: &Call, resource: &v2::Resource) -> Result<Creation<v2::Resource>>;
}

/// Creates resources, as an engine asks for it: `ResourceManagerService`.
#[async_trait]
pub trait Creating: Send + Sync {
    /// Creates `resource`; `None` in a dry run.
    ///
    /// # Errors
    /// Code `Unimplemented` for a type without a creator; `Unavailable` with
    /// "not known" if the outcome is not known.
    async fn create(&self, call: &Call, resource: &v2::Resource) -> Result<Option<v2::Resource>>;
}
