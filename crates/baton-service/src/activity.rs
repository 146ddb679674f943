//! What a service does at a moment, for people.

/// What a service does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Activity {
    /// It introduces itself.
    Calling,
    /// It has nothing to do, and asks for tasks.
    Asking,
    /// It carries out so many tasks.
    Running(usize),
    /// It ends.
    Stopping,
}
