//! Listeners of a server: where they listen, with which certificates, and the
//! connections that they accept.

mod accept;
mod address;
mod error;
mod extras;
mod files;
mod listener;
mod tls;

pub use accept::{Identity, accept};
pub use address::Address;
pub use error::ServeError;
pub use extras::{ReflectionError, add_health_and_reflection};
pub use listener::{Listener, Stream};
pub use tls::{CertificateFiles, FileIdentity};
