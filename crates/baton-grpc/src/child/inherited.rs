//! The listening socket that a parent passes to its child.

use std::net::TcpListener;

use super::error::ChildError;

fn invalid(reason: impl std::fmt::Display) -> ChildError {
    ChildError::InvalidListener {
        reason: reason.to_string(),
    }
}

/// The number of the socket, from the value of [`super::LISTENER_VARIABLE`].
///
/// # Errors
///
/// There is no value, or it is not a number that a socket of a parent can have.
pub fn listener_number(value: &str) -> Result<i32, ChildError> {
    use std::num::IntErrorKind;

    if value.is_empty() {
        return Err(ChildError::MissingListener);
    }
    let number: i32 = value.parse().map_err(|error: std::num::ParseIntError| {
        let reason = match error.kind() {
            IntErrorKind::PosOverflow | IntErrorKind::NegOverflow => "value out of range",
            _ => "invalid syntax",
        };
        invalid(format_args!("strconv.Atoi: parsing {value:?}: {reason}"))
    })?;
    match number {
        ..0 => Err(invalid("must be non-negative")),
        0..3 => Err(invalid(format_args!("{number} is a standard stream"))),
        number => Ok(number),
    }
}

/// The inherited socket, ready for the async runtime; it must listen on the
/// announced port.
///
/// # Errors
///
/// It is not a listening TCP socket, or has another port.
#[cfg(unix)]
pub fn take_listener(
    socket: std::os::fd::OwnedFd,
    announced: u16,
) -> Result<tokio::net::TcpListener, ChildError> {
    use rustix::net::sockopt::socket_acceptconn;

    if !socket_acceptconn(&socket).map_err(invalid)? {
        return Err(invalid("the socket does not listen"));
    }
    let listener = TcpListener::from(socket);
    let found = listener.local_addr().map_err(invalid)?.port();
    if found != announced {
        return Err(ChildError::PortMismatch { found, announced });
    }
    // The parent's copy shares the flag; it does not use that copy.
    listener.set_nonblocking(true).map_err(invalid)?;
    tokio::net::TcpListener::from_std(listener).map_err(invalid)
}

/// Where no socket can be passed, the child listens on the announced port itself.
///
/// # Errors
///
/// The port cannot be listened on.
#[cfg(not(unix))]
pub fn take_listener(_socket: (), announced: u16) -> Result<tokio::net::TcpListener, ChildError> {
    let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, announced))
        .map_err(|source| ChildError::Listen { source })?;
    listener.set_nonblocking(true).map_err(invalid)?;
    tokio::net::TcpListener::from_std(listener).map_err(invalid)
}
