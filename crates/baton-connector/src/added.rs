//! What grants are on and no list may have.
//!
//! An application can grant a role that its lists of roles lack, on a thing
//! that its lists of things lack. A file is whole only if it holds both. A
//! page of grants names them ([`Page::added`](crate::Page::added)); the engine
//! knows which of them are listed, and adds the others.

use baton_proto::c1::connector::v2;

/// An entitlement that a grant of the page is on.
#[derive(Debug, Clone, PartialEq)]
pub struct Added {
    /// The resource of the entitlement, as it is stored if no list has it.
    pub resource: v2::Resource,
    /// The entitlement's slug.
    pub slug: String,
    /// The entitlements of every listed resource of this type include it, so
    /// only the entitlement of an unlisted resource is added.
    pub listed_with_resource: bool,
}
