//! The columns of tables.

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Text that may be cut on a terminal.
    Text,
    /// What is copied to be used elsewhere: always whole, behind all text.
    Id,
}

/// A column.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    pub head: &'static str,
    pub kind: Kind,
}

/// A column of names and other text.
pub(crate) const fn text(head: &'static str) -> Column {
    Column {
        head,
        kind: Kind::Text,
    }
}

/// A column of ids.
pub(crate) const fn id(head: &'static str) -> Column {
    Column {
        head,
        kind: Kind::Id,
    }
}
