//! What a reqwest error means, read off its chain of causes.

use std::error::Error as StdError;
use std::io::ErrorKind;

use baton_proto::Advice;
use baton_proto::advice::Limit;

use super::resolver::LookupError;
use crate::transport_error::{TransportError, TransportErrorKind as Kind};

/// An error before the head of an answer.
pub(super) fn classify(error: &reqwest::Error) -> TransportError {
    let kind = chain(error)
        .find_map(known_cause)
        // Last, because I/O errors also wrap what has its own class.
        .or_else(|| chain(error).find_map(io_cause))
        .unwrap_or_else(|| fallback(error));
    let kind = match kind {
        Kind::Timeout if error.is_connect() => Kind::ConnectTimeout,
        kind => kind,
    };
    TransportError::new(kind, detail(error))
}

/// The same for an error of a connection that is not made for a request.
pub fn connection_error(error: &(dyn StdError + 'static)) -> TransportError {
    let kind = chain(error)
        .find_map(known_cause)
        .or_else(|| chain(error).find_map(io_cause))
        .unwrap_or(Kind::Other);
    let innermost = chain(error).last();
    TransportError::new(
        kind,
        innermost.map_or_else(String::new, ToString::to_string),
    )
}

/// An error in the middle of a body.
pub(super) fn classify_body(error: &reqwest::Error) -> TransportError {
    let kind = if error.is_timeout() {
        Kind::Timeout
    } else {
        Kind::Truncated
    };
    TransportError::new(kind, detail(error))
}

/// All causes. An I/O error's `source` skips the error that it wraps, and TLS
/// failures are wrapped so, sometimes twice.
fn chain<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error| {
        let wrapped = error
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref);
        match wrapped {
            Some(inner) => Some(inner as &(dyn StdError + 'static)),
            None => (*error).source(),
        }
    })
}

fn known_cause(cause: &(dyn StdError + 'static)) -> Option<Kind> {
    if let Some(lookup) = cause.downcast_ref::<LookupError>() {
        return Some(if lookup.unknown {
            Kind::UnknownHost
        } else {
            Kind::NameLookup
        });
    }
    if cause.is::<rustls::Error>() {
        return Some(Kind::Tls);
    }
    if let Some(hyper) = cause.downcast_ref::<hyper::Error>() {
        if hyper.is_parse() {
            return Some(Kind::Protocol);
        }
        if hyper.is_incomplete_message() || hyper.is_canceled() || hyper.is_closed() {
            return Some(Kind::Reset);
        }
    }
    // The tunnel's error type is private; its words are all there is.
    match cause.to_string().as_str() {
        "tunnel error: proxy authorization required" => Some(Kind::ProxyAuth),
        text if text.starts_with("tunnel error: unsuccessful") => Some(Kind::Proxy),
        _ => None,
    }
}

fn io_cause(cause: &(dyn StdError + 'static)) -> Option<Kind> {
    let cause = cause.downcast_ref::<std::io::Error>()?;
    if Advice::of_io(cause) == Some(Advice::RaiseLimit(Limit::OpenFiles)) {
        return Some(Kind::OpenFiles);
    }
    match cause.kind() {
        ErrorKind::ConnectionRefused => Some(Kind::Refused),
        ErrorKind::HostUnreachable
        | ErrorKind::NetworkUnreachable
        | ErrorKind::NetworkDown
        | ErrorKind::AddrNotAvailable => Some(Kind::Unreachable),
        ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe
        | ErrorKind::UnexpectedEof
        | ErrorKind::NotConnected => Some(Kind::Reset),
        ErrorKind::TimedOut => Some(Kind::Timeout),
        _ => None,
    }
}

fn fallback(error: &reqwest::Error) -> Kind {
    if error.is_timeout() {
        Kind::Timeout
    } else if error.is_dns() {
        Kind::NameLookup
    } else if error.is_connect() {
        Kind::Unreachable
    } else if error.is_request() {
        // A connection that ended otherwise, as HTTP/2 streams do.
        Kind::Reset
    } else {
        Kind::Other
    }
}

/// The innermost words: the outer ones only repeat that something failed, and
/// the outermost show the URL.
fn detail(error: &reqwest::Error) -> String {
    let innermost = chain(error).skip(1).last();
    innermost.map_or_else(String::new, ToString::to_string)
}
