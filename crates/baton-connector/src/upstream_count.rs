//! The application's own count of a list, which the engine compares with the
//! rows of the list.
//!
//! A cursor that counts items skips some when items before it are removed while
//! the list is read. The pages do not show this, but a count from before the
//! first page does. A syncer that knows such a count puts it on a page of the
//! list ([`Page::upstream_count`](crate::Page::upstream_count)). The engine warns when the list has
//! fewer or more rows.

/// How many rows a list has, by the application's own count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum UpstreamCount {
    /// The count is unknown.
    #[default]
    Unknown,
    /// This number of rows.
    Rows(u64),
    /// This number of rows, from something other than the list itself, such as
    /// a group's own number of members. It is compared with the rows and limits
    /// nothing.
    Approximate(u64),
    /// The count failed, for this reason.
    Failed(String),
}
