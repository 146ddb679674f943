//! The one error vocabulary: the canonical gRPC status codes as plain data, so
//! that every crate can name the kind of a failure without a gRPC library.

use std::fmt;

/// A canonical status code, with its number on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Code {
    /// No error.
    Ok = 0,
    /// The caller gave up.
    Canceled = 1,
    /// Nothing better is known.
    Unknown = 2,
    /// The request itself is at fault.
    InvalidArgument = 3,
    /// Time ran out.
    DeadlineExceeded = 4,
    /// The thing asked for does not exist.
    NotFound = 5,
    /// The thing to create exists.
    AlreadyExists = 6,
    /// Known caller, not allowed.
    PermissionDenied = 7,
    /// A quota or a limit is used up.
    ResourceExhausted = 8,
    /// The system is not in the state that the call needs.
    FailedPrecondition = 9,
    /// A conflict with something concurrent.
    Aborted = 10,
    /// Beyond the valid range.
    OutOfRange = 11,
    /// Not supported here.
    Unimplemented = 12,
    /// A broken invariant: a bug.
    Internal = 13,
    /// Out of service for now; a later try may work.
    Unavailable = 14,
    /// Data is lost or damaged.
    DataLoss = 15,
    /// No valid credentials.
    Unauthenticated = 16,
}

impl Code {
    /// Every code, in the order of the numbers.
    pub const ALL: [Code; 17] = [
        Code::Ok,
        Code::Canceled,
        Code::Unknown,
        Code::InvalidArgument,
        Code::DeadlineExceeded,
        Code::NotFound,
        Code::AlreadyExists,
        Code::PermissionDenied,
        Code::ResourceExhausted,
        Code::FailedPrecondition,
        Code::Aborted,
        Code::OutOfRange,
        Code::Unimplemented,
        Code::Internal,
        Code::Unavailable,
        Code::DataLoss,
        Code::Unauthenticated,
    ];

    /// The number on the wire, 0 to 16.
    #[must_use]
    pub const fn as_u8(self) -> u8 {
        self as u8
    }

    /// The code with this number; `None` above 16 and below 0.
    #[must_use]
    pub fn from_number(number: i32) -> Option<Code> {
        usize::try_from(number)
            .ok()
            .and_then(|at| Code::ALL.get(at))
            .copied()
    }

    /// The name as gRPC libraries print it: `NotFound`, `OK` for no error.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Code::Ok => "OK",
            Code::Canceled => "Canceled",
            Code::Unknown => "Unknown",
            Code::InvalidArgument => "InvalidArgument",
            Code::DeadlineExceeded => "DeadlineExceeded",
            Code::NotFound => "NotFound",
            Code::AlreadyExists => "AlreadyExists",
            Code::PermissionDenied => "PermissionDenied",
            Code::ResourceExhausted => "ResourceExhausted",
            Code::FailedPrecondition => "FailedPrecondition",
            Code::Aborted => "Aborted",
            Code::OutOfRange => "OutOfRange",
            Code::Unimplemented => "Unimplemented",
            Code::Internal => "Internal",
            Code::Unavailable => "Unavailable",
            Code::DataLoss => "DataLoss",
            Code::Unauthenticated => "Unauthenticated",
        }
    }

    /// The code for an HTTP status of an upstream API (sync-runtime.md §6.2).
    #[must_use]
    pub const fn from_http_status(status: u16) -> Code {
        match status {
            200..=299 => Code::Ok,
            401 => Code::Unauthenticated,
            403 => Code::PermissionDenied,
            404 => Code::NotFound,
            408 => Code::DeadlineExceeded,
            409 => Code::AlreadyExists,
            501 => Code::Unimplemented,
            429 | 500..=599 => Code::Unavailable,
            400..=499 => Code::InvalidArgument,
            _ => Code::Unknown,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::Code;

    #[test]
    fn numbers_out_of_range_have_no_code() {
        assert_eq!(Code::from_number(-1), None);
        assert_eq!(Code::from_number(17), None);
        for code in Code::ALL {
            assert_eq!(Code::from_number(i32::from(code.as_u8())), Some(code));
        }
    }

    #[test]
    fn http_statuses_map_as_the_table_says() {
        let table = [
            (100, Code::Unknown),
            (200, Code::Ok),
            (204, Code::Ok),
            (302, Code::Unknown),
            (400, Code::InvalidArgument),
            (401, Code::Unauthenticated),
            (403, Code::PermissionDenied),
            (404, Code::NotFound),
            (408, Code::DeadlineExceeded),
            (409, Code::AlreadyExists),
            (410, Code::InvalidArgument),
            (422, Code::InvalidArgument),
            (429, Code::Unavailable),
            (500, Code::Unavailable),
            (501, Code::Unimplemented),
            (502, Code::Unavailable),
            (503, Code::Unavailable),
            (504, Code::Unavailable),
            (599, Code::Unavailable),
            (600, Code::Unknown),
        ];
        for (status, code) in table {
            assert_eq!(Code::from_http_status(status), code, "status {status}");
        }
    }

    #[test]
    fn display_is_the_name() {
        assert_eq!(Code::Ok.to_string(), "OK");
        assert_eq!(Code::PermissionDenied.to_string(), "PermissionDenied");
    }
}
