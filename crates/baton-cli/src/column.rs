//! The columns of tables.

use std::borrow::Cow;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Text that may be cut on a terminal.
    Text,
    /// What is copied to be used elsewhere: always whole, behind all text.
    Id,
}

/// A column.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub head: Cow<'static, str>,
    pub kind: Kind,
    /// What people see where there is nothing.
    pub if_empty: &'static str,
}

impl Column {
    /// Shows people a dash where there is nothing.
    pub const fn or_dash(mut self) -> Self {
        self.if_empty = "-";
        self
    }

    /// What people see of a cell.
    pub fn shown<'c>(&self, cell: &'c str) -> &'c str {
        if cell.is_empty() { self.if_empty } else { cell }
    }
}

/// A column of names and other text.
pub(crate) const fn text(head: &'static str) -> Column {
    Column {
        head: Cow::Borrowed(head),
        kind: Kind::Text,
        if_empty: "",
    }
}

/// A column of ids.
pub(crate) const fn id(head: &'static str) -> Column {
    Column {
        head: Cow::Borrowed(head),
        kind: Kind::Id,
        if_empty: "",
    }
}
