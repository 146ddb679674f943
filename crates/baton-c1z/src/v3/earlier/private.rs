//! A directory of our own: tables one behind the other, in memory as far as a
//! budget goes, behind that in a private file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::room::Work;
use crate::v3::content::{Span, Unpacked};
use crate::v3::directory::{Directory, Place, Storage};
use crate::v3::write::TableSink;
use crate::{Limits, ReadOptions};

/// The directory while it is being filled.
pub(super) struct Private<'a> {
    path: PathBuf,
    content: Unpacked,
    places: BTreeMap<String, Place>,
    at: u64,
    limits: &'a Limits,
    options: &'a ReadOptions,
}

impl<'a> Private<'a> {
    /// An empty directory made from the file `path`, that is going to have at
    /// least `needed` bytes.
    pub fn new(path: &Path, needed: u64, limits: &'a Limits, options: &'a ReadOptions) -> Self {
        Self {
            path: path.to_owned(),
            content: Unpacked::new(
                options.memory_budget_bytes / 2,
                needed,
                options.temp_dir.as_deref(),
                Work::BringUpToDate,
            ),
            places: BTreeMap::new(),
            at: 0,
            limits,
            options,
        }
    }
}

impl TableSink for Private<'_> {
    type Done = Directory;

    fn put(&mut self, name: String, bytes: Vec<u8>) -> Result<()> {
        let span = Span {
            start: self.at,
            len: bytes.len() as u64,
        };
        self.at += span.len;
        if self.at > self.limits.max_decoded_bytes {
            return Err(Error::TooLarge {
                path: self.path.clone(),
                limit: self.limits.max_decoded_bytes,
            });
        }
        self.content.write(&bytes)?;
        self.places.insert(name, Place::Span(span));
        Ok(())
    }

    fn finish(self) -> Result<Directory> {
        let storage = Storage::Spans(self.content.finish());
        Ok(Directory::new(
            &self.path,
            storage,
            self.places,
            self.limits.clone(),
            self.options,
        ))
    }
}
