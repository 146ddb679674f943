//! The sync engine: it asks a connector for everything, page by page, and
//! leaves a sync file.
//!
//! Phases run one after the other; within a phase many lists are asked for
//! at once, the pages of one list in order. Every page goes into an
//! append-only log before it counts, so an interrupted run goes on where it
//! stopped, and the finished file does not depend on timing, on the number
//! of workers or on interruptions. The engine knows nothing of flags, of
//! printing and of HTTP; retries are the connector's business.

#![warn(missing_docs)]

mod ask;
mod check;
mod context;
mod cursor;
mod drive;
mod error;
mod event;
mod groups;
mod index;
mod journal;
mod list;
mod phases;
mod plan;
mod progress;
mod records;
mod report;
mod request;
mod run;
mod seal;
mod target;
mod template;
mod types;

pub use error::{Error, Result};
pub use event::{Event, Observer, Phase, Silent};
pub use report::{Completeness, Dropped, Report, SkipKind, Skipped};
pub use request::{Host, Provenance, SyncRequest, Workers};
pub use run::run;
