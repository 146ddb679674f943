//! The application's own count of a list, to be compared with what the list
//! brought.
//!
//! Cursors that count items lose some when items before them are removed
//! while the list is read, and nothing in the pages shows it. A count from
//! before the first page does: whoever knows one puts it on a page of the
//! list ([`Page::counted`](crate::Page::counted)), and the engine tells where
//! the list brought fewer rows, or more.

/// How many rows a list has, by the application's own count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Counted {
    /// Nothing is known of it.
    #[default]
    Untold,
    /// So many.
    Rows(u64),
    /// So many, by a count of something else than the list itself, such as
    /// the number of members that a group has by its own word. It is compared
    /// and limits nothing.
    Roughly(u64),
    /// A count was asked for in vain: why.
    Unknown(String),
}
