//! The simulator from outside: through its router in process, and over a socket where that matters.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failed assumption fails its test"
)]

mod audit;
mod binary;
mod changes;
mod client;
mod contents;
mod cursors;
mod failures;
mod filters;
mod flaws;
mod generations;
mod invitations;
mod key_writes;
mod keys;
mod lifecycle_writes;
mod memberships;
mod paging;
mod provider;
mod quotas;
mod role_writes;
mod scim;
mod scim_effects;
mod scim_groups;
mod singles;
mod socket;
mod stage;
mod suspension;
mod write_faults;
mod write_table;
