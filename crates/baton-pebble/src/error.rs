//! What can be wrong with a directory, and with which of its files.
//!
//! A decoder sees bytes and reports a [`Fault`]; the caller that knows the
//! file's name makes an [`Error`] of it. Other crates only see [`Error`].

use std::borrow::Cow;
use std::io;

/// Result of everything that deals with files.
pub type Result<T> = std::result::Result<T, Error>;

/// What a decoder found in the bytes of one file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The bytes are not what the format demands.
    #[error("{0}")]
    Damaged(Cow<'static, str>),
    /// A feature that is valid, but not supported; the text names it.
    #[error("{0} is not supported")]
    Unsupported(Cow<'static, str>),
    /// Something is larger than this crate accepts.
    #[error("{what} exceeds the limit of {limit}")]
    Limit {
        /// What it is, with its unit.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
}

impl Fault {
    /// Damage with a fixed text.
    pub const fn damaged(what: &'static str) -> Self {
        Self::Damaged(Cow::Borrowed(what))
    }

    /// An unsupported feature with a fixed name.
    pub const fn unsupported(what: &'static str) -> Self {
        Self::Unsupported(Cow::Borrowed(what))
    }

    /// This fault, of the file `file`.
    pub fn of_file(self, file: &str) -> Error {
        let file = file.to_owned();
        match self {
            Self::Damaged(what) => Error::Damaged { file, what },
            Self::Unsupported(what) => Error::Unsupported { file, what },
            Self::Limit { what, limit } => Error::Limit { file, what, limit },
        }
    }
}

/// Why a directory cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The content of a file is not what the format demands.
    #[error("{file} is damaged: {what}")]
    Damaged {
        /// The file's name in the directory.
        file: String,
        /// What is wrong with it.
        what: Cow<'static, str>,
    },
    /// A file uses a feature that this crate does not support.
    #[error("{file} cannot be read: {what} is not supported")]
    Unsupported {
        /// The file's name in the directory.
        file: String,
        /// The feature.
        what: Cow<'static, str>,
    },
    /// Something is larger than this crate accepts.
    #[error("{file} cannot be read: {what} exceeds the limit of {limit}")]
    Limit {
        /// The file's name in the directory.
        file: String,
        /// What is too large, with its unit.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
    /// The source could not deliver a file.
    #[error("cannot read {file}")]
    Io {
        /// The file's name in the directory.
        file: String,
        /// The source's error.
        #[source]
        source: io::Error,
    },
}

impl Error {
    /// A failure of the source with the file `file`.
    pub fn io(file: &str) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| Self::Io {
            file: file.to_owned(),
            source,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_file_and_the_thing() {
        let text = |fault: Fault| fault.of_file("000004.sst").to_string();
        assert_eq!(
            text(Fault::damaged("the footer is cut off")),
            "000004.sst is damaged: the footer is cut off"
        );
        assert_eq!(
            text(Fault::unsupported("MinLZ compression")),
            "000004.sst cannot be read: MinLZ compression is not supported"
        );
        assert_eq!(
            text(Fault::Limit {
                what: "a block's size in bytes",
                limit: 8
            }),
            "000004.sst cannot be read: a block's size in bytes exceeds the limit of 8"
        );
    }
}
