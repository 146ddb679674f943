//! Why a server cannot listen.

use std::io;

use baton_proto::Code;

use super::address::Address;
use crate::pem::PemError;

/// Why a server cannot listen, or not with these certificates.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The address has no known form.
    #[error("cannot listen on `{text}`: expected <ip address>:<port> or unix:<path>")]
    Address {
        /// As it was given.
        text: String,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: Address,
        /// Why.
        source: io::Error,
    },
    /// Another process answers on the socket file.
    #[error("cannot listen on {address}: another process answers there")]
    Answered {
        /// The address.
        address: Address,
    },
    /// The path of the socket file is another kind of file.
    #[error("cannot listen on {address}: the file exists and is not a socket")]
    NotASocket {
        /// The address.
        address: Address,
    },
    /// A file of certificates or keys cannot be used.
    #[error(transparent)]
    Pem(#[from] PemError),
}

impl ServeError {
    /// The gRPC code.
    pub fn code(&self) -> Code {
        match self {
            Self::Address { .. } => Code::InvalidArgument,
            _ => Code::Unknown,
        }
    }
}
