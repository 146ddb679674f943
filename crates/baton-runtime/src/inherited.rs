//! The listening socket that a parent process passes to a connector service.
//!
//! It is taken over before this process opens anything: if the parent passed
//! nothing, the first file that is opened gets the socket's number, and a later
//! take-over would close that file under its owner.

#[cfg(unix)]
use baton_grpc::child::listener_number;
use baton_grpc::child::{CHILD_COMMAND, ChildError, LISTENER_VARIABLE, take_listener};

#[cfg(unix)]
type Socket = std::os::fd::OwnedFd;
#[cfg(not(unix))]
type Socket = ();

/// What a parent process passed besides the standard streams.
#[derive(Debug, Default)]
pub struct Inherited(Option<Result<Socket, ChildError>>);

impl Inherited {
    /// Takes over what the parent of this process passed, if this process is to be a
    /// connector service. To be called before anything is opened.
    #[expect(
        clippy::disallowed_methods,
        reason = "the socket must be taken over before the process is read"
    )]
    pub(crate) fn take() -> Self {
        // The name of the program is not looked at.
        let is_service = std::env::args_os()
            .skip(1)
            .any(|word| word == CHILD_COMMAND);
        if !is_service {
            return Self(None);
        }
        let value = std::env::var_os(LISTENER_VARIABLE).unwrap_or_default();
        Self(Some(take_over(&value.to_string_lossy())))
    }

    /// The socket, which must listen on this port. To be called within the async
    /// runtime.
    pub(crate) fn listener(self, port: u16) -> Result<tokio::net::TcpListener, ChildError> {
        let socket = self.0.unwrap_or(Err(ChildError::MissingListener))?;
        take_listener(socket, port)
    }
}

/// The open file whose number is the value of the variable.
#[cfg(unix)]
#[expect(
    unsafe_code,
    reason = "a file that a parent passed is known by its number only"
)]
fn take_over(value: &str) -> Result<Socket, ChildError> {
    use std::os::fd::{BorrowedFd, FromRawFd as _, OwnedFd};

    let number = listener_number(value)?;
    // SAFETY: the number is not negative, and the borrow ends before anything could
    // close the file: the process has one thread.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    rustix::io::fcntl_setfd(borrowed, rustix::io::FdFlags::CLOEXEC).map_err(|error| {
        ChildError::InvalidListener {
            reason: std::io::Error::from(error).to_string(),
        }
    })?;
    // SAFETY: the file is open, and nothing in this process owns it: `main` calls
    // this before it opens anything, and the numbers of the standard streams are
    // refused.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// No socket is passed: the service listens itself.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the other platforms can fail")]
fn take_over(_value: &str) -> Result<Socket, ChildError> {
    Ok(())
}
