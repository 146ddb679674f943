//! Entitlements that must keep a minimum of holders.

use async_trait::async_trait;

use crate::call::Call;
use crate::error::Result;

/// A protected entitlement, seen from a change that takes it away from one
/// principal, in whatever way: by a revoke, by the end of a membership that
/// gives it, or with the account.
#[async_trait]
pub trait Protected: Send + Sync {
    /// The entitlement in messages, as in `` `Organization admin` of `Acme` ``.
    fn name(&self) -> String;

    /// How many active holders must remain.
    fn minimum(&self) -> u32;

    /// How many active holders there are without the principal, counted no
    /// further than the minimum. The principal counts where it keeps the
    /// entitlement in another way. Sends reads only. It is asked before the
    /// first write and again after the last.
    async fn remaining(&self, call: &Call) -> Result<u32>;
}
