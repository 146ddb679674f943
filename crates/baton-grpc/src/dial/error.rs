//! Why a connector cannot be dialled.

use crate::pem::PemError;

/// Settings with which no connector can be dialled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DialError {
    /// The address has no known form.
    #[error("cannot connect to `{text}`: expected <host>:<port> or unix:<path>")]
    Address {
        /// As it was given.
        text: String,
    },
    /// The name cannot be that of a certificate.
    #[error("`{name}` cannot be the name of a TLS server")]
    ServerName {
        /// As it was given.
        name: String,
    },
    /// A certificate cannot be that of an authority.
    #[error("a certificate of an authority is not usable")]
    Authority {
        /// Why.
        source: rustls::Error,
    },
    /// A file of certificates or keys cannot be used.
    #[error(transparent)]
    Pem(#[from] PemError),
    /// The trusted certificates of this machine cannot be used.
    #[error(transparent)]
    Tls(#[from] baton_connector::Error),
}
