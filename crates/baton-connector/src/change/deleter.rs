//! Deleting resources: the author's side and the engine's side.

use async_trait::async_trait;
use baton_proto::c1::connector::v2;
use prost_types::Any;

use super::carry::Applied;
use super::description::Change;
use crate::call::Call;
use crate::error::Result;

/// Describes how resources of one type are deleted. Registered with
/// [`TypeSpec::deleter`](crate::TypeSpec::deleter).
///
/// No method sends a write: see [`Change`].
#[async_trait]
pub trait ResourceDeleter: Send + Sync {
    /// What deletes `resource`, made with [`Change::delete`]. The resource has
    /// its id, its parent if it has one, and the rest as far as the caller knows
    /// it: over gRPC that is nothing.
    ///
    /// # Errors
    /// Why it must not be deleted.
    async fn delete(&self, call: &Call, resource: &v2::Resource) -> Result<Change>;

    /// Whether `resource` is there now. What waits for its deletion is not.
    /// Decides when the answer to a write was lost.
    async fn exists(&self, call: &Call, resource: &v2::Resource) -> Result<bool>;
}

/// Deletes resources, as an engine asks for it: `ResourceDeleterService`, and
/// the second method of `ResourceManagerService`.
#[async_trait]
pub trait Deleting: Send + Sync {
    /// Deletes `resource`, of which id and parent id count. One that is gone
    /// already is a success with the annotation `ResourceDoesNotExist`.
    ///
    /// # Errors
    /// Code `Unimplemented` for a type without a deleter; `Unavailable` with
    /// "not known" if the outcome is not known.
    async fn delete(&self, call: &Call, resource: &v2::Resource) -> Result<Deleted>;
}

/// The answer to a deletion.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Deleted {
    /// `ResourceDoesNotExist` when it was gone already.
    pub annotations: Vec<Any>,
}

impl From<Applied> for Deleted {
    fn from(applied: Applied) -> Self {
        let gone = applied
            .gone
            .then(|| baton_proto::any::pack(&v2::ResourceDoesNotExist {}));
        Self {
            annotations: gone.into_iter().collect(),
        }
    }
}
