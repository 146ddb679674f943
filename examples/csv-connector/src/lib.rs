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

use baton_connector::{Call, ConnectorBuilder, Error, Result, Validator, async_trait, v2};
use baton_runtime::{App, Built, Config, Field, Presentation, Surroundings};

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

fn connect(config: &Config, _: &Surroundings) -> Result<Built> {
    let folder = Folder::read(config.get(&FOLDER)).map_err(|error| refused(&error))?;
    let folder = Arc::new(folder);
    let connector = ConnectorBuilder::new()
        .metadata(v2::ConnectorMetadata {
            display_name: "CSV folder".to_owned(),
            ..v2::ConnectorMetadata::default()
        })
        .validate_with(Arc::new(Checks(Arc::clone(&folder))))
        .types(&syncers::types()?, &folder)?
        .build()?;
    Ok(Built {
        connector: Arc::new(connector),
        content_facts: BTreeMap::from([("tables".to_owned(), folder.fingerprint())]),
    })
}

struct Checks(Arc<Folder>);

#[async_trait]
impl Validator for Checks {
    async fn validate(&self, _call: &Call) -> Result<Vec<baton_connector::Any>> {
        self.0.check().map_err(|error| refused(&error))?;
        Ok(Vec::new())
    }
}

/// A problem of the folder as the end of a run: a code, a text and advice.
fn refused(error: &FolderError) -> Error {
    let stated = Error::stated(error.code(), error.to_string());
    match error.hint() {
        Some(hint) => stated.with_hint(hint),
        None => stated,
    }
}
