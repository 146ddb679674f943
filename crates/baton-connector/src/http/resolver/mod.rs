//! Host names, with errors that tell a name that does not exist from a name service
//! that does not work.
//!
//! On Linux the names are looked up here, from `/etc/hosts` and the servers of
//! `/etc/resolv.conf`, and not by the C library: its look-up loads modules that
//! `/etc/nsswitch.conf` names, and a statically linked program crashes in modules of
//! another version of the library. Dynamically linked programs do the same, so there is
//! one way to test. On other systems the system's resolver decides, because it alone
//! knows of name servers for single domains, as VPNs set them up.

#[cfg(target_os = "linux")]
mod answer;
#[cfg(target_os = "linux")]
mod dns;
#[cfg(target_os = "linux")]
mod hosts;
#[cfg(target_os = "linux")]
mod literal;
#[cfg(target_os = "linux")]
mod order;
#[cfg(not(target_os = "linux"))]
mod system;
#[cfg(all(test, target_os = "linux"))]
mod tests;

use std::fmt;
use std::io;
use std::net::SocketAddr;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

#[cfg(target_os = "linux")]
use dns::of_system;
#[cfg(not(target_os = "linux"))]
use system::of_system;

#[derive(Debug)]
pub(super) struct Resolver;

/// Why a name has no address.
#[derive(Debug)]
pub(super) struct LookupError {
    /// The name service answers that there is no such name.
    pub unknown: bool,
    detail: String,
}

impl LookupError {
    fn new(unknown: bool, host: &str, reason: impl fmt::Display) -> Self {
        Self {
            unknown,
            detail: format!("`{host}`: {reason}"),
        }
    }
}

impl fmt::Display for LookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl std::error::Error for LookupError {}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = look_up(name.as_str(), 0).await;
            found
                .map(|found| Box::new(found.into_iter()) as Addrs)
                .map_err(Into::into)
        })
    }
}

/// The addresses of a host, the best first. An error is known to
/// [`connection_error`](super::connection_error).
///
/// # Errors
/// A name that does not exist, or a name service that does not work.
pub async fn look_up(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    of_system(host, port).await.map_err(io::Error::other)
}
