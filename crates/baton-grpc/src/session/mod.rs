//! Session stores of syncs over gRPC (`BatonSessionService`).
//!
//! The parent serves the stores of its syncs, by sync id ([`SyncStores`],
//! [`session_service`]). The child
//! uses them through [`RemoteSessions`].

mod cache;
mod counted;
mod remote;
mod served;
mod stores;

pub use counted::SessionUsage;
pub use remote::RemoteSessions;
pub use served::session_service;
pub use stores::{Registration, SyncStores};

#[cfg(test)]
mod tests;
