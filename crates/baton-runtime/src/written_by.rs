//! The tool that wrote a sync file, if the file names it.

use std::path::Path;

use baton_c1z::{C1zFile, Detected, PROVENANCE_ASSET, ReadOptions, View, detect};
use serde::Deserialize;

use crate::context::CommandContext;
use crate::error::Result;

/// The part of the provenance asset that is read here.
#[derive(Deserialize)]
struct Provenance {
    tool: String,
}

/// The writer of a path's content.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WrittenBy {
    /// Nothing: no file, or an empty one.
    NoFile,
    /// A sync file that names the tool that wrote its newest sync.
    Tool(String),
    /// A sync file that names no tool.
    Unnamed,
}

impl CommandContext {
    /// The tool that wrote the newest sync in `path`. A file that is not a sync file, or
    /// that cannot be read, is an error.
    pub fn written_by(&self, path: &Path) -> Result<WrittenBy> {
        if matches!(detect(path)?, Detected::Missing | Detected::Empty) {
            return Ok(WrittenBy::NoFile);
        }
        let options = ReadOptions {
            limits: self.storage.limits.clone(),
            ..ReadOptions::default()
        };
        let file = C1zFile::open(path, &options)?;
        let now = self.connector_env.clock.now();
        let view = match file.view(View::Default { now }) {
            Err(baton_c1z::Error::NoCurrentSync { .. }) => return Ok(WrittenBy::Unnamed),
            view => view?,
        };
        let asset = view.asset(PROVENANCE_ASSET)?;
        let named = asset.and_then(|asset| serde_json::from_slice::<Provenance>(&asset.data).ok());
        Ok(named.map_or(WrittenBy::Unnamed, |provenance| {
            WrittenBy::Tool(provenance.tool)
        }))
    }
}
