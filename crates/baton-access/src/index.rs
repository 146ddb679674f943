//! Numbers that stand for ids.
//!
//! Inside the graph everything is a `u32`. Numbers are given in canonical
//! order, so that comparing numbers is comparing keys, and what is sorted by
//! number comes out as files want it.

/// An entitlement of the graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entitlement(pub u32);

/// A principal: one (resource type, resource) pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Principal(pub u32);

/// A resource type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceType(pub u32);

/// The number for a count that was checked against `u32` when it grew.
#[allow(clippy::cast_possible_truncation)] // checked where it grows
pub(crate) fn narrow(count: usize) -> u32 {
    debug_assert!(u32::try_from(count).is_ok(), "a count beyond u32");
    count as u32
}
