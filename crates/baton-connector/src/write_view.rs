//! What people see of a write: in a dry run, in records, in results.

use std::fmt;

/// What people see of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteView {
    /// The HTTP method; empty for a write that is no request.
    pub method: String,
    /// The URL with its path; for other writes what they do, in words.
    pub target: String,
    /// The body as text; empty if there is none.
    pub body: String,
}

impl fmt::Display for WriteView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [&self.method, &self.target, &self.body];
        let mut parts = parts.into_iter().filter(|part| !part.is_empty());
        if let Some(first) = parts.next() {
            f.write_str(first)?;
        }
        parts.try_for_each(|part| write!(f, " {part}"))
    }
}
