//! Everything that is tested through the public interface.

#![allow(
    clippy::disallowed_methods,
    reason = "tests make files, threads and processes"
)]
// In tests a failed expectation is the finding.
#![allow(clippy::unwrap_used)]

mod compact;
mod compact_rules;
mod conformance;
mod conformance_differences;
mod conformance_sync;
mod convert;
mod convert_losses;
mod damage;
mod diff;
mod earlier;
mod history;
mod log_damage;
mod log_lists;
mod log_rows;
mod log_support;
mod maintain;
mod optimize;
mod rewrite;
mod seal_v1;
mod seal_v3;
mod sorted;
mod stopping;
mod support;
mod v1_damage;
mod v1_migration;
mod v1_peek;
mod v1_reading;
mod v3_reading;
