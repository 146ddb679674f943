//! What is known of the file that is about to be replaced.

use std::path::Path;

use crate::envelope::{Detected, detect};
use crate::error::Result;
use crate::peek::peek;
use crate::v3::envelope::{Encoding, read_summary};
use crate::{Limits, ReadOptions};

/// The target as it was.
pub(crate) struct Old {
    /// How its directory is packed: it stays so. New files have an index.
    pub encoding: Encoding,
    /// The syncs in it; format v3 has at most one.
    pub sync_ids: Vec<String>,
}

impl Old {
    /// Reads the target's summary. A missing or empty target is fine.
    pub fn read(target: &Path, limits: &Limits) -> Result<Self> {
        let sync_ids = match detect(target)? {
            Detected::V3 => {
                let (encoding, runs) = read_summary(target)?;
                return Ok(Self {
                    encoding,
                    sync_ids: runs.into_iter().map(|run| run.sync_id).collect(),
                });
            }
            Detected::V1 => {
                let options = ReadOptions {
                    limits: limits.clone(),
                    ..ReadOptions::default()
                };
                let runs = peek(target, &options)?.runs;
                runs.into_iter().map(|run| run.id).collect()
            }
            Detected::Missing | Detected::Empty => Vec::new(),
        };
        Ok(Self {
            encoding: Encoding::IndexedZstd,
            sync_ids,
        })
    }
}
