//! Connections under TLS read much at once.

use tokio::io::{AsyncRead, BufReader};

/// What is read at once. rustls reads 4 KiB at a time, and a page has megabytes.
const READ_BYTES: usize = 128 * 1024;

/// The stream, for TLS to read from.
pub(crate) fn buffered<S: AsyncRead>(stream: S) -> BufReader<S> {
    BufReader::with_capacity(READ_BYTES, stream)
}
