//! A connector for an application that exports its access as CSV files.
//!
//! It is small, complete and real, and stands model for others:
//! `docs/write-a-connector.md` builds it step by step. It uses
//! `baton-connector`, to say what there is and to change it, and `baton-runtime`,
//! to become a program.

mod accounts;
mod actions;
mod edit;
mod folder;
mod provisioner;
mod syncers;
mod tables;
mod tickets;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use baton_connector::{ConnectorBuilder, Error, Random, Result, v2};
use baton_runtime::{App, Built, Config, ConnectorEnv, Field, Presentation};

pub use folder::{Folder, FolderError, Kind};
use tables::Tables;

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

fn connect(config: &Config, env: &ConnectorEnv) -> Result<Built> {
    connector(config.get(&FOLDER), Arc::clone(&env.random))
}

/// The connector of a folder.
pub fn connector(folder: &Path, random: Arc<dyn Random>) -> Result<Built> {
    let fingerprint = Folder::read(folder).map_err(refused)?.fingerprint();
    let tables = Arc::new(Tables::new(folder));
    let checked = Arc::clone(&tables);
    let connector = ConnectorBuilder::new()
        .metadata(v2::ConnectorMetadata {
            display_name: "CSV folder".to_owned(),
            ..v2::ConnectorMetadata::default()
        })
        .validate(move |call| {
            let folder = checked.of(&call);
            async { folder?.check().map_err(refused) }
        })
        .random(random)
        .types(&syncers::types()?, &tables)?
        .build()?;
    Ok(Built {
        connector: Arc::new(connector),
        content_facts: BTreeMap::from([("tables".to_owned(), fingerprint)]),
    })
}

/// A problem of the folder as the end of a run: a code, a text, its cause and
/// advice.
fn refused(error: FolderError) -> Error {
    let (code, text, hint) = (error.code(), error.to_string(), error.hint());
    let stated = match error {
        FolderError::Read { source, .. } | FolderError::Write { source, .. } => {
            Error::caused(code, text, source)
        }
        FolderError::Sync { source, .. } => Error::caused(code, text, source).with_outcome_open(),
        FolderError::Table { source, .. } => Error::caused(code, text, source),
        FolderError::Row { .. } => Error::stated(code, text),
    };
    match hint {
        Some(hint) => stated.with_hint(hint),
        None => stated,
    }
}
