//! A connector for an application that exports its access as CSV files.
//!
//! It is small, complete and real, and stands model for others:
//! `docs/write-a-connector.md` builds it step by step. It uses
//! `baton-connector`, to say what there is, and `baton-runtime`, to become a
//! program.

mod folder;
mod syncers;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use baton_connector::{ConnectorBuilder, Error, Result, v2};
use baton_runtime::{App, Built, Config, ConnectorEnv, Field, Presentation};

pub use folder::{Folder, FolderError, Kind};

const FOLDER: Field<PathBuf> = Field::path("folder", "folder that holds the CSV files")
    .display_name("Folder")
    .required();

/// The program.
pub fn app() -> App {
    App::new("baton-csv", env!("CARGO_PKG_VERSION"), Box::new(connect))
        .presentation(Presentation {
            display_name: "CSV folder",
            ..Presentation::default()
        })
        .field(FOLDER)
        .types(|_| syncers::types())
        .without_http()
}

fn connect(config: &Config, _: &ConnectorEnv) -> Result<Built> {
    let folder = Arc::new(Folder::read(config.get(&FOLDER)).map_err(refused)?);
    let checked = Arc::clone(&folder);
    let connector = ConnectorBuilder::new()
        .metadata(v2::ConnectorMetadata {
            display_name: "CSV folder".to_owned(),
            ..v2::ConnectorMetadata::default()
        })
        .validate(move |_| {
            let outcome = checked.check().map_err(refused);
            async { outcome }
        })
        .types(&syncers::types()?, &folder)?
        .build()?;
    Ok(Built {
        connector: Arc::new(connector),
        content_facts: BTreeMap::from([("tables".to_owned(), folder.fingerprint())]),
    })
}

/// A problem of the folder as the end of a run: a code, a text, its cause and
/// advice.
fn refused(error: FolderError) -> Error {
    let (code, text, hint) = (error.code(), error.to_string(), error.hint());
    let stated = match error {
        FolderError::Read { source, .. } => Error::caused(code, text, source),
        FolderError::Table { source, .. } => Error::caused(code, text, source),
        FolderError::Row { .. } => Error::stated(code, text),
    };
    match hint {
        Some(hint) => stated.with_hint(hint),
        None => stated,
    }
}
