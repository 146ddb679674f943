//! The access graph: who holds what through what.
//!
//! A grant can be *expandable*: a principal that holds one of the source entitlements
//! it names (members of a group, say) also gets the entitlement it is on (the
//! group's role). Expansion writes these consequences down as grants of their
//! own, each with the sources it came from.
//!
//! Inside, everything is numbers. Ids are interned once, cycles are merged
//! ([`Graph`]), and holders flow along the edges in topological order, one
//! destination at a time ([`propagate`]); rows are made again at the very end,
//! as a stream. [`GraphExpander`] does all that for a file that is being
//! sealed. The result depends on the rows alone: not on their order, not on
//! the depth of the graph, not on memory.
//!
//! ```
//! use baton_access::{Entitlement, Graph, Holders, Principal, Rule, propagate};
//!
//! // Members of group 0 get role 1; principals 0 and 1 are in the group.
//! let (group, role) = (Entitlement(0), Entitlement(1));
//! let mut graph = Graph::new(2);
//! graph.add_edge(group, role, Rule::new(false, &[]));
//! let mut holders = Holders::new(2);
//! holders.add(group, Principal(0), true)?;
//! holders.add(group, Principal(1), true)?;
//!
//! let mut derived = Vec::new();
//! propagate(&graph.into_plan(), &[], holders, &mut |derivation| {
//!     derived.extend(derivation.new.iter().map(|claim| claim.principal));
//!     Ok(())
//! })?;
//! assert_eq!(derived, [Principal(0), Principal(1)]);
//! # Ok::<(), baton_access::Error>(())
//! ```

#![warn(missing_docs)]

mod blob;
mod changes;
mod count;
mod embedded;
mod error;
mod expander;
mod graph;
mod index;
mod intern;
mod load;
mod propagate;
mod sources;

pub use error::{Error, Result};
pub use expander::{Estimate, ExpandOptions, GraphExpander};
pub use graph::{Graph, Plan, Rule};
pub use index::{Entitlement, Principal, ResourceType};
pub use propagate::{Claim, Derivation, Holders, MAX_NUMBER, Source, propagate};

/// The example of the README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
