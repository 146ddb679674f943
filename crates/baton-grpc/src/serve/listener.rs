//! A socket that listens.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;

use super::address::Address;
use super::error::ServeError;
#[cfg(unix)]
use super::files::SocketFile;

/// A stream of bytes with a peer.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A socket that listens. A socket file is removed when this value is dropped.
#[derive(Debug)]
pub struct Listener {
    address: Address,
    socket: Socket,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(SocketFile),
}

impl Listener {
    /// Listens there. A socket file has mode 0600; one that exists is replaced only
    /// if no process answers on it. Must be called within the async runtime.
    ///
    /// # Errors
    ///
    /// The port is in use, the address is not of this machine, or the path of the
    /// socket file is another file or has a server.
    pub async fn bind(address: Address) -> Result<Self, ServeError> {
        match address {
            Address::Tcp(wanted) => {
                let failed = |source| ServeError::Listen {
                    address: Address::Tcp(wanted),
                    source,
                };
                let listener = TcpListener::bind(wanted).await.map_err(failed)?;
                let address = Address::Tcp(listener.local_addr().map_err(failed)?);
                let socket = Socket::Tcp(listener);
                Ok(Self { address, socket })
            }
            #[cfg(unix)]
            Address::Unix(ref path) => {
                let socket = Socket::Unix(SocketFile::bind(path, &address).await?);
                Ok(Self { address, socket })
            }
            #[cfg(not(unix))]
            Address::Unix(_) => Err(ServeError::Address {
                text: address.to_string(),
            }),
        }
    }

    /// A listener on a socket that exists already.
    ///
    /// # Errors
    ///
    /// The socket has no address.
    pub fn of_tcp(listener: TcpListener) -> io::Result<Self> {
        let address = Address::Tcp(listener.local_addr()?);
        let socket = Socket::Tcp(listener);
        Ok(Self { address, socket })
    }

    /// Where it listens, with the port that the system chose for port 0.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The next connection. Cancel safe.
    pub(super) async fn accept(&self) -> io::Result<Box<dyn Stream>> {
        match &self.socket {
            Socket::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                // Without it, small frames wait for the acknowledgement of earlier ones. It
                // fails for a peer that is already gone.
                let _ = stream.set_nodelay(true);
                Ok(Box::new(stream))
            }
            #[cfg(unix)]
            Socket::Unix(file) => Ok(Box::new(file.accept().await?)),
        }
    }
}
