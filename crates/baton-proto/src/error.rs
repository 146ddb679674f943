//! What can go wrong with bytes and JSON, each with the place where it did.

use crate::Code;

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// A failure to read or write the wire format or its JSON form.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes are no valid protobuf encoding.
    #[error("malformed protobuf at byte {offset}: {what}")]
    Wire {
        /// What is wrong there.
        what: &'static str,
        /// Offset in the slice that was being read.
        offset: usize,
    },
    /// More levels of messages inside messages than allowed.
    #[error("message nested deeper than {limit} levels")]
    TooDeep {
        /// The limit that was passed.
        limit: usize,
    },
    /// Valid bytes that are no valid message of the wanted type.
    #[error("cannot decode `{message}`: {source}")]
    Decode {
        /// Full name of the message type.
        message: String,
        /// The decoder's reason.
        source: prost::DecodeError,
    },
    /// An `Any` holds another type than the one asked for.
    #[error("expected an Any of `{expected}`, found `{found}`")]
    WrongType {
        /// Full name of the type asked for.
        expected: String,
        /// Type URL found.
        found: String,
    },
    /// A value that its text form cannot express, or text that is no such value.
    #[error("{what}")]
    Value {
        /// What is wrong with it.
        what: &'static str,
    },
    /// A message that has no JSON form.
    #[error("cannot write `{message}` as JSON: {source}")]
    Render {
        /// Full name of the message type.
        message: String,
        /// What stood in the way.
        source: Box<Error>,
    },
    /// JSON text that does not fit the wanted message.
    #[error("line {line}, column {column}: {what}")]
    Json {
        /// Line in the text, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// What is wrong there.
        what: String,
    },
    /// A message type that is not compiled in.
    #[error("unknown message type `{name}`")]
    UnknownType {
        /// The name or type URL.
        name: String,
    },
}

impl Error {
    /// The kind of this failure in the common vocabulary.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Error::Wire { .. } | Error::TooDeep { .. } | Error::Decode { .. } => Code::DataLoss,
            Error::WrongType { .. }
            | Error::UnknownType { .. }
            | Error::Value { .. }
            | Error::Json { .. } => Code::InvalidArgument,
            Error::Render { source, .. } => source.code(),
        }
    }
}

/// Bytes and texts are beyond a user's reach: no remedy is known.
impl crate::Advise for Error {
    fn advice(&self) -> Vec<crate::Advice> {
        Vec::new()
    }
}
