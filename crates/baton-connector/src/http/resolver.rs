//! Host names by the system's resolver, with errors that tell a name that
//! does not exist from a name service that does not work.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

#[derive(Debug)]
pub(super) struct Resolver;

/// Why a name has no address.
#[derive(Debug)]
pub(super) struct LookupError {
    /// The name service answers that there is no such name.
    pub unknown: bool,
    detail: String,
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

/// The addresses of a host. An error is known to
/// [`connection_error`](super::connection_error).
///
/// # Errors
/// A name that does not exist, or a name service that does not work.
pub async fn look_up(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    match tokio::net::lookup_host((host, port)).await {
        Ok(found) => Ok(found.collect()),
        Err(error) => Err(io::Error::other(LookupError {
            unknown: is_unknown(&error),
            detail: format!("`{host}`: {error}"),
        })),
    }
}

/// The standard library keeps the resolver's answer as text only, save on
/// Windows. The texts are those of glibc (two), musl (two) and macOS; they
/// are not translated, since no Rust program sets a locale.
fn is_unknown(error: &io::Error) -> bool {
    const UNIX: [&str; 5] = [
        "Name or service not known",
        "No address associated with hostname",
        "Name does not resolve",
        "Name has no usable address",
        "nodename nor servname provided",
    ];
    const WINDOWS: [i32; 2] = [11001, 11004];
    let text = error.to_string();
    UNIX.iter().any(|known| text.contains(known))
        || (cfg!(windows) && error.raw_os_error().is_some_and(|n| WINDOWS.contains(&n)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_service_that_does_not_work_is_no_unknown_name() {
        let unknown = |text: &str| is_unknown(&io::Error::other(text));
        let prefix = "failed to lookup address information";
        assert!(!unknown(&format!(
            "{prefix}: Temporary failure in name resolution"
        )));
        assert!(!unknown("connection refused"));
        assert!(unknown(&format!("{prefix}: Name or service not known")));
        assert!(unknown(&format!("{prefix}: Name does not resolve")));
    }
}
