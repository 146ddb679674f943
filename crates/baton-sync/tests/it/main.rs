//! The engine against a scripted connector, read back through the file.

#![allow(
    clippy::disallowed_methods,
    reason = "tests make files, threads and processes"
)]

mod added;
mod bad_data;
mod counts;
mod directory;
mod endless;
mod external;
mod external_match;
mod external_runs;
mod failures;
mod foreign;
mod invariants;
mod lists;
mod outcomes;
mod properties;
mod resume;
mod sandbox;
mod schedule;
mod sessions;
mod split_lists;
mod targeted;
mod unknown_types;
mod validation;
mod vanished;
mod world;
