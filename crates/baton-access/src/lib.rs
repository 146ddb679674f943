//! The access graph: grant expansion and its rollback.
