//! Reads the settings again while the program runs: secrets in files change.

use std::path::PathBuf;

use baton_flags::sources::{self, Sources, Values};
use baton_flags::{AnyField, Config, Environment};

use crate::error::Result;

/// What the settings of a run are read from.
#[derive(Clone)]
pub(crate) struct Resettle {
    /// The fields of the command.
    pub fields: Vec<AnyField>,
    /// The fields of all commands: a config file may name them.
    pub all: Vec<AnyField>,
    pub values: Values,
    pub env: Environment,
    pub cwd: PathBuf,
    /// The settings as they were first read.
    pub first: Config,
}

impl Resettle {
    /// The settings as their sources have them now. What came from standard input stays.
    ///
    /// # Errors
    /// As at the start of the program.
    pub(crate) fn config(&self) -> Result<Config> {
        let all: Vec<&AnyField> = self.all.iter().collect();
        let file = sources::config_file(&self.env, &self.cwd, &all)?;
        let is_read_once = |field: &&AnyField| {
            let given = self.values.get(field.name).and_then(|values| values.last());
            field.secret && given.is_some_and(|text| text == "-")
        };
        let fields: Vec<&AnyField> = self
            .fields
            .iter()
            .filter(|field| !is_read_once(field))
            .collect();
        let below = sources::settings(&self.env, file.as_ref());
        let mut sources = Sources {
            values: &self.values,
            below: &below,
            cwd: &self.cwd,
            stdin: &mut std::io::empty(),
        };
        let now = sources::settle(&mut sources, &fields)?.config;
        Ok(self.first.clone().updated(now))
    }
}
