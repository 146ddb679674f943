//! Whole syncs in one process, in simulated time, under everything that can
//! go wrong.
//!
//! A seed decides a [`Plan`]: an organization, what its server does wrong,
//! how the organization changes during the sync, what the disk does wrong,
//! when the process is killed or the power lost, and how many attempts follow
//! until one runs undisturbed. [`play`] runs the plan with the real connector
//! and the real engine, and compares the file that is left with the history
//! of what was true upstream. [`shrink`] finds the mishaps that a failure
//! needs.
//!
//! Besides full syncs there are syncs without grants, of some resource types,
//! and of a few named resources.
//!
//! [`play_changes`] does the same for grants and revokes: a [`ChangePlan`] decides
//! which are made and what goes wrong.
//!
//! SQLite's own files lie on the real disk, where nothing fails: they are
//! private to one process, and no crash leaves any that is read again.
#![warn(missing_docs)]

mod changes;
mod disk;
mod finding;
mod history;
mod judge;
mod missing_rows;
mod network;
mod plan;
mod play;
mod random;
mod shrink;

pub use changes::{ChangePlan, Step, Subject, Trouble, play_changes, shrink_changes};
pub use disk::{Disk, DiskFault};
pub use history::{Facts, History};
pub use plan::{Alteration, Attempt, Extent, Mishap, Plan};
pub use play::{Played, Violation, play};
pub use random::Dice;
pub use shrink::shrink;
