#![doc = include_str!("../README.md")]
#![warn(missing_docs)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::cast_precision_loss,
        clippy::cast_possible_wrap,
        reason = "a failing unwrap is a failing test"
    )
)]

mod client_id;
mod client_secret;
mod content;
mod error;
mod fault;
mod issue;
mod jwe;
mod jwk;
mod options;
pub mod password;
mod plaintext;
mod recipients;
mod ssh;
#[cfg(test)]
mod tests;

pub use client_id::ClientId;
pub use client_secret::{ClientSecret, DecryptionKey};
pub use error::{Error, Result};
pub use fault::{OptionsFault, RequestFault, ResultFault};
pub use issue::Issue;
pub use options::LocalOptions;
pub use plaintext::{Hidden, Plaintext};
pub use recipients::{Recipients, Sealed, config_of_text};
