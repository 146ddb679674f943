//! Questions about a sync file, answered without printing anything.
//!
//! The first of them: which entitlement, principal or grant does a person
//! mean? [`SyncFile`] looks it up by its id, or by a name that only one object
//! has, and gives the whole message, as a connector needs it to change access.
//! Where a file keeps ids only of the objects that a row refers to, the stored
//! objects are put in; a row whose object is not in the file is an error,
//! never half a message.
//!
//! ```no_run
//! use baton_c1z::ReadOptions;
//! use baton_query::SyncFile;
//!
//! let file = SyncFile::open("sync.c1z".as_ref(), &ReadOptions::default())?;
//! let entitlement = file.entitlement_to_grant("jira-users:member")?;
//! let principal = file.principal("user", "kim@example.com")?;
//! # Ok::<(), baton_query::Error>(())
//! ```
//!
//! The second: what does a list show? [`Records`] gives the values of named
//! [`Field`]s of rows and of the objects that they refer to. [`Search`] finds
//! records by a text.
//!
//! [`Finder`] does the same for one sync of an open file, and gives rows.
//!
//! An id is found by key. Only what no object has as its id is searched for
//! as a name: one pass over the rows, in constant memory. Texts from the file
//! are data; errors hold them as they are.

#![warn(missing_docs)]

pub mod condition;
pub mod diff;
mod error;
mod field;
mod file;
mod finder;
mod lookup;
mod names;
mod nearest;
mod record;
mod search;
mod text_search;
mod value;

pub use condition::{Condition, Matched, Undecided};
pub use error::{
    Ambiguous, BadIgnore, Dangling, Error, Kind, NoSuchField, NotFound, Object, Result,
};
pub use field::{Field, FieldKind, FieldPath, Table};
pub use file::SyncFile;
pub use finder::Finder;
pub use record::{Record, Records, View};
pub use text_search::Search;
pub use value::{MapValue, Value};

/// The example of the README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
