//! Checks over the whole workspace that the compiler cannot make: the
//! direction of dependencies between our crates, banned and unlicensed
//! dependencies, sources that stay readable. All of it lives in `tests/`.
#![warn(missing_docs)]
