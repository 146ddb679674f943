//! A connector as a service of ConductorOne: credentials, tasks, heartbeats, uploads
//! (`service-mode.md` §1, §2).
#![cfg_attr(
    test,
    allow(
        clippy::disallowed_methods,
        clippy::unwrap_used,
        reason = "tests read files; a failing unwrap is a failing test"
    )
)]
#![warn(missing_docs)]

mod kind;

pub use kind::TaskKind;
