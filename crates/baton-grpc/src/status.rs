//! What a call ends with when it fails.

use baton_connector::Error;
use baton_proto::{Code, causes};
use prost_types::Any;

/// Longest text of a status of ours, in bytes: header lists have limits.
const MAX_TEXT_BYTES: usize = 8 * 1024;

/// The code, the text and the details of a failed call.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct Status {
    /// The gRPC code.
    pub code: Code,
    /// The text.
    pub message: String,
    /// Details that programs read.
    pub details: Vec<Any>,
}

impl Status {
    /// A status without details.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            details: Vec::new(),
        }
    }

    /// The status with `prefix` before its text.
    #[must_use]
    pub fn prefixed(mut self, prefix: &str) -> Self {
        self.message.insert_str(0, prefix);
        self
    }

    /// The text, cut where it is longer than peers accept.
    pub(crate) fn cut(mut self) -> Self {
        if self.message.len() > MAX_TEXT_BYTES {
            let end = self
                .message
                .floor_char_boundary(MAX_TEXT_BYTES - '…'.len_utf8());
            self.message.truncate(end);
            self.message.push('…');
        }
        self
    }
}

/// The error of a connector with all its causes in one line, and what another
/// engine decides by as details.
impl From<&Error> for Status {
    fn from(error: &Error) -> Self {
        Self {
            code: error.code(),
            message: causes::one_line(error),
            details: error.details(),
        }
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        Self::from(&error)
    }
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        Self::remote(status.code, status.message, status.details)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let long = Status::new(Code::Internal, "ä".repeat(MAX_TEXT_BYTES)).cut();
        assert!(long.message.len() <= MAX_TEXT_BYTES);
        assert!(long.message.ends_with("ä…"));
        let short = Status::new(Code::Internal, "ä").cut();
        assert_eq!(short.message, "ä");
    }
}
