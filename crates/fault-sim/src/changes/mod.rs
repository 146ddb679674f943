//! Grants and revokes in one process, in simulated time, under everything that
//! can go wrong.
//!
//! A seed decides a [`ChangePlan`]: an organization, a few changes, what the
//! server does wrong with their reads and writes, when an answer is lost, and
//! when the process is killed or asked to stop. [`play_changes`] makes the changes
//! with the real connector and compares, after each, the organization with the
//! result and with what the recorder was given:
//!
//! - it is as before, or as wanted, and nothing else is different;
//! - a success means that it is as wanted;
//! - there was an intent before the first write, and none without a plan;
//! - the recorded outcome agrees with the result and with the organization;
//! - no more than one write had an effect, and none was sent more than twice;
//! - a dry run sent none;
//! - without trouble the outcome is known.

mod notes;
mod plan;
mod play;
mod subjects;

pub use plan::{ChangePlan, Step, Subject, Trouble};
pub use play::{play_changes, shrink_changes};
