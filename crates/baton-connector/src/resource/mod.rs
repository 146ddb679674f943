//! Builders of resource types, resources, entitlements and grants.
//!
//! This module is the only place that joins ids (`sync-runtime.md` §5.4), and
//! nothing ever splits them again: the parts may hold `:` and `/` themselves.
//! Builders refuse records that an engine would drop (empty types and ids);
//! everything else goes out as the author wrote it.
//!
//! ```
//! use baton_connector::resource::{
//!     EntitlementBuilder, GrantBuilder, Profile, ResourceBuilder, UserTraitBuilder, resource_id,
//! };
//!
//! # fn main() -> baton_connector::Result<()> {
//! let group = ResourceBuilder::new("group", "g-1")
//!     .display_name("Welders")
//!     .group()
//!     .build()?;
//! let user = ResourceBuilder::new("user", "557058:ab")
//!     .display_name("Ada")
//!     .profile(Profile::new().text("account_id", "557058:ab"))
//!     .user(UserTraitBuilder::new().primary_email("ada@acme.test"))
//!     .build()?;
//! let member = EntitlementBuilder::assignment(&group, "member").build()?;
//! assert_eq!(member.id, "group:g-1:member");
//! let grant = GrantBuilder::new(&group, "member", &user).build()?;
//! assert_eq!(grant.id, "group:g-1:member:user:557058:ab");
//! // An id is enough where the rest is not at hand.
//! let same = GrantBuilder::new(resource_id("group", "g-1"), "member", resource_id("user", "557058:ab"));
//! assert_eq!(same.build()?.id, grant.id);
//! # Ok(())
//! # }
//! ```
//!
//! A text that happens to look like an id is not one:
//!
//! ```compile_fail
//! use baton_connector::resource::{GrantBuilder, resource_id};
//!
//! GrantBuilder::new(resource_id("group", "g-1"), "member", resource_id("group", "g-2"))
//!     .expandable(["Welders member"]);
//! ```

mod entitlement;
mod grant;
mod ids;
mod profile;
mod record;
mod resource_type;
mod traits;

pub use entitlement::EntitlementBuilder;
pub use grant::GrantBuilder;
pub use ids::{EntitlementId, GrantId, ResourceArg, ResourceExt, resource_id};
pub use profile::Profile;
pub use record::{ResourceBuilder, Status};
pub use resource_type::ResourceTypeBuilder;
pub use traits::{AppTraitBuilder, RoleTraitBuilder, SecretTraitBuilder, UserTraitBuilder};
