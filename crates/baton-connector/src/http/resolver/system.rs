//! Look-ups by the system's resolver.

use std::io;
use std::net::SocketAddr;

use super::LookupError;

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that asks the system's resolver, where its programs share a library"
)]
pub(super) async fn of_system(host: &str, port: u16) -> Result<Vec<SocketAddr>, LookupError> {
    match tokio::net::lookup_host((host, port)).await {
        Ok(found) => Ok(found.collect()),
        Err(error) => Err(LookupError::new(is_unknown(&error), host, error)),
    }
}

/// The standard library keeps the resolver's answer as text only, except on Windows.
/// The texts are those of macOS and of BSD; they are not translated, since no Rust
/// program sets a locale.
fn is_unknown(error: &io::Error) -> bool {
    const UNIX: [&str; 3] = [
        "nodename nor servname provided",
        "Name does not resolve",
        "No address associated with",
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
    fn a_name_service_that_does_not_work_is_not_an_unknown_name() {
        let unknown = |text: &str| is_unknown(&io::Error::other(text));
        let prefix = "failed to lookup address information";
        assert!(!unknown(&format!(
            "{prefix}: Temporary failure in name resolution"
        )));
        assert!(!unknown("connection refused"));
        assert!(unknown(&format!(
            "{prefix}: nodename nor servname provided, or not known"
        )));
    }
}
