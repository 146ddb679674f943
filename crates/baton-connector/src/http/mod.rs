//! The HTTP client that every connector shares.
//!
//! Retries, waits, limits, error mapping and redaction happen here and
//! nowhere else. A connector describes its requests and reads answers; the
//! network below is the [`Transport`] trait.

mod in_flight;
mod transport;

pub use in_flight::InFlight;
pub use transport::{BodyStream, Transport, TransportError, TransportErrorKind, whole_body};
