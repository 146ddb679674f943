//! Field numbers of the annotations of rows, for looking at them without
//! decoding the rest.

/// Of a `Resource`.
pub(crate) const RESOURCE_ANNOTATIONS: u32 = 4;
/// Of an `Entitlement`.
pub(crate) const ENTITLEMENT_ANNOTATIONS: u32 = 6;
/// Of a `Grant`.
pub(crate) const GRANT_ANNOTATIONS: u32 = 4;
