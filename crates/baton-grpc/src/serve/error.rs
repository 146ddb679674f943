//! Why a server cannot listen.

use std::io;
use std::path::PathBuf;

use baton_proto::Code;

use super::address::Address;

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
    /// A file of certificates cannot be read.
    #[error("cannot read {what} {}", .path.display())]
    Unreadable {
        /// Which file.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file has nothing of what it is for.
    #[error("{what} {} is not usable: {reason}", .path.display())]
    Unusable {
        /// Which file.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The key is not that of the certificate.
    #[error("the key {} does not belong to the certificate {}", .key.display(), .certificate.display())]
    OtherKey {
        /// The file of the key.
        key: PathBuf,
        /// The file of the certificate.
        certificate: PathBuf,
    },
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
