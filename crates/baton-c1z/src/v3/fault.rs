//! Errors of reading format v3, for all its modules.

use std::borrow::Cow;
use std::io;
use std::path::Path;

use baton_proto::Code;

use crate::error::Error;

/// A file whose envelope, tables or rows are damaged.
pub(super) fn damaged(path: &Path, what: impl Into<Cow<'static, str>>) -> Error {
    Error::Envelope {
        path: path.to_owned(),
        what: what.into(),
    }
}

/// A file that uses what is not supported here.
pub(super) fn unsupported(path: &Path, what: impl Into<Cow<'static, str>>) -> Error {
    Error::Unsupported {
        path: path.to_owned(),
        what: what.into(),
    }
}

/// An error of the table reader as one of ours.
pub(super) fn tables_error(path: &Path, error: baton_pebble::Error) -> Error {
    let code = match error {
        baton_pebble::Error::Io { file, source } => return source_error(path, &file, source),
        baton_pebble::Error::Unsupported { .. } => Code::Unimplemented,
        baton_pebble::Error::Limit { .. } => Code::ResourceExhausted,
        _ => Code::DataLoss,
    };
    Error::Tables {
        path: path.to_owned(),
        code,
        source: error.into(),
    }
}

/// Our own error on its way through the reader of tables, or the system's.
fn source_error(path: &Path, file: &str, source: io::Error) -> Error {
    match source.downcast::<Error>() {
        Ok(ours) => ours,
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            damaged(path, format!("it has no file `{file}`"))
        }
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
            damaged(path, format!("the file `{file}` in it is cut off"))
        }
        Err(e) => Error::io("read", path, e),
    }
}
