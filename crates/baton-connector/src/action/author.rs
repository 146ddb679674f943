//! What an author writes.

use async_trait::async_trait;
use prost_types::Struct;

use super::arguments::Arguments;
use crate::call::Call;
use crate::change::Creation;
use crate::error::Result;

/// One action. Registered with [`Types::action`](crate::Types::action) for the
/// connector, with [`TypeSpec::action`](crate::TypeSpec::action) for a resource
/// type.
#[async_trait]
pub trait Action: Send + Sync {
    /// What the action does with these arguments, and what it answers. Sends
    /// reads only: see [`Change`](crate::Change). The arguments have passed the
    /// checks of the action's schema; those that the schema does not declare are
    /// passed as they came. An answer without fields is none.
    ///
    /// # Errors
    /// Why it must not be done. The action then failed with this error's text.
    async fn describe(&self, call: &Call, arguments: &Arguments) -> Result<Creation<Struct>>;
}
