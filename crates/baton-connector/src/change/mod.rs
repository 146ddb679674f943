//! Changing access: what an author describes, and what becomes of it.
//!
//! A connector describes a change as a value ([`Change`]): what it is about, how
//! things are now, and which writes bring about what is wanted. It sends reads
//! only. One place carries changes out, for every connector: it judges, has the
//! intent recorded, sends the writes one after another, reads back when the
//! outcome of a write is not known, and has the outcome recorded (`carry`). An
//! author therefore never repeats a write.
//!
//! ```
//! use baton_connector::{
//!     Call, Change, Held, Provisioner, Result, Write, resource::GrantBuilder, v2,
//! };
//!
//! /// Doors that have key holders.
//! struct Doors;
//!
//! #[async_trait::async_trait]
//! impl Provisioner for Doors {
//!     async fn grant(
//!         &self,
//!         call: &Call,
//!         entitlement: &v2::Entitlement,
//!         principal: &v2::Resource,
//!     ) -> Result<Change> {
//!         let grant = GrantBuilder::of(entitlement, principal).build()?;
//!         let change = Change::grant(grant, self.holds(call, entitlement, principal).await?);
//!         Ok(change.write(Write::local("hand over a key", |_call| async { Ok(()) })))
//!     }
//!
//!     async fn revoke(&self, call: &Call, grant: &v2::Grant) -> Result<Change> {
//!         // ...
//! #       let (entitlement, principal) = (grant.entitlement.as_ref(), grant.principal.as_ref());
//! #       let held = self.holds(call, entitlement.unwrap(), principal.unwrap()).await?;
//! #       Ok(Change::revoke(grant.id.clone(), held))
//!     }
//!
//!     async fn holds(
//!         &self,
//!         _call: &Call,
//!         _entitlement: &v2::Entitlement,
//!         _principal: &v2::Resource,
//!     ) -> Result<Held> {
//!         Ok(Held::No)
//!     }
//! }
//! ```

mod carry;
mod creation;
mod creator;
mod deleter;
mod description;
mod protected;
mod provisioner;
mod write;

pub(crate) use carry::{carry_out, create};
pub use creation::{Answer, Creation, Made};
pub use creator::{Creating, ResourceCreator};
pub use deleter::{Deleted, Deleting, ResourceDeleter};
pub use description::Change;
pub use protected::Protected;
pub use provisioner::{Granted, Provisioner, Provisioning, Revoked};
pub use write::{Reply, Write};
