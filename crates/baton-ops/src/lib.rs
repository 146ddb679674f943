//! Operating a service: an HTTP server of probes, a client of it, and notices to the
//! service manager.
//!
//! [`Server`] answers [`Pages`]: those of [`Probes`], and any that the caller adds.
//! [`ServiceManager`] sends notices to systemd.
#![cfg_attr(
    test,
    allow(
        clippy::disallowed_methods,
        clippy::unwrap_used,
        reason = "a failing unwrap is a failing test"
    )
)]
#![warn(missing_docs)]

mod client;
mod health;
mod manager;
mod pages;
mod probes;
mod server;

pub use client::{ProbeError, authority, client_host, get, without_brackets};
pub use health::{Check, Health, Unhealthy, Verdict};
pub use manager::{ManagerSettings, ServiceManager};
pub use pages::{Answer, Page, Pages};
pub use probes::{Now, Probes, Ready};
pub use server::{Limits, Server};

/// The example of the README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
