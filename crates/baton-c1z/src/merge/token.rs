//! What a finished sync stores as its syncer's state.

/// There is nothing left to do.
pub(super) const DONE: &str = r#"{"version":1}"#;
