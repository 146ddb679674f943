//! How rows are shown.

/// A table for people, or JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    Console,
    Json,
}
