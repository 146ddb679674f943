//! A file that is read for its one sync.

use std::path::Path;

use prost_types::Timestamp;

use crate::envelope::{Detected, detect};
use crate::error::{Error, Result};
use crate::run::SyncRun;
use crate::store::Store;
use crate::{Format, ReadOptions, v1, v3};

/// The file, open.
pub(crate) enum Source {
    V1(Box<v1::Reader>),
    V3(Box<v3::Reader>),
}

/// The file and the run of it that is taken.
pub(super) struct Input {
    pub source: Source,
    pub run: SyncRun,
}

impl Source {
    /// Opens a file.
    ///
    /// # Errors
    /// [`Error::NoFile`] for a missing or empty one, those of reading.
    pub fn open(path: &Path, options: &ReadOptions) -> Result<Self> {
        match detect(path)? {
            Detected::Missing | Detected::Empty => Err(Error::NoFile {
                path: path.to_owned(),
            }),
            Detected::V1 => Ok(Self::V1(Box::new(v1::Reader::open(path, options)?.0))),
            Detected::V3 => Ok(Self::V3(Box::new(v3::Reader::open(path, options)?.0))),
        }
    }

    pub fn store(&self) -> &dyn Store {
        match self {
            Self::V1(reader) => reader.as_ref(),
            Self::V3(reader) => reader.as_ref(),
        }
    }

    pub fn path(&self) -> &Path {
        match self {
            Self::V1(reader) => reader.path(),
            Self::V3(reader) => reader.path(),
        }
    }

    pub fn format(&self) -> Format {
        self.store().format()
    }
}

impl Input {
    /// The error about a row, which is in this file.
    pub fn of_row(&self, error: Error) -> Error {
        match error {
            Error::Malformed { table, id, .. } => Error::Row {
                path: self.source.path().to_owned(),
                table,
                id,
                reason: "it does not decode as that table's message",
            },
            other => other,
        }
    }

    /// The time of rows that have none of their own.
    pub fn undated(&self) -> Timestamp {
        self.run.started_at.unwrap_or_default()
    }
}
