//! The manifest: which tables make up the database. A list of edits, each of
//! which adds and removes tables, applied one after the other. Spec §5.2.

mod edit;
mod version;

pub(crate) use edit::{Name, comparer};
pub use edit::{NewTable, VersionEdit};
pub use version::Version;
pub(crate) use version::live_version;
