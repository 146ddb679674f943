//! Sealing: a page log becomes a file.
//!
//! Rows are brought into canonical order by an external merge sort, repeated
//! ids are resolved, grants are expanded, and the result is handed row by row
//! to the writer of a format. What comes out depends on the rows alone, not
//! on the order in which their pages arrived.

mod expand;
mod plan;

pub use expand::{Expander, Expansion, GrantChange, NoExpansion, SortedRows};
pub use plan::{Cleanup, SealEvent, SealPlan, Sealed};
