//! The files that a run uses, compared with each other before any of them is opened for writing.
//!
//! A log that goes to the sync file, or to the file that a secret is read from, would destroy it.

use std::path::{Path, PathBuf};

use baton_c1z::{RunPaths, Use};

use crate::error::Result;
use crate::flags;
use baton_flags::Config;

/// What `--log-path` calls the streams of the process.
pub(crate) const STREAMS: [&str; 2] = ["stdout", "stderr"];

/// What a run writes besides its log.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Output<'a> {
    /// No file.
    None,
    /// A sync file, with its working folder here, if not beside it.
    Sync {
        target: &'a Path,
        temp_dir: Option<&'a Path>,
    },
    /// A new file that is named later.
    Compaction,
}

/// Files that were read for the settings.
#[derive(Debug, Clone, Default)]
pub(crate) struct Inputs {
    pub config_file: Option<PathBuf>,
    pub secrets: Vec<PathBuf>,
}

/// Refuses a run in which a file that is written is another file of the run as well.
pub(crate) fn compare(
    config: &Config,
    cwd: &Path,
    inputs: &Inputs,
    output: Output<'_>,
) -> Result<()> {
    let mut paths = RunPaths::of_process();
    if let Some(path) = &inputs.config_file {
        paths.add("config file", path, Use::Read)?;
    }
    for path in &inputs.secrets {
        paths.add("file of a secret", path, Use::Read)?;
    }
    match output {
        Output::None => {}
        Output::Sync { target, temp_dir } => {
            paths.add_target("sync file", target, temp_dir)?;
            let partial = baton_sync::partial_path(target);
            paths.add_target("partial sync file", &partial, temp_dir)?;
            if let Some(external) = config.get(&flags::EXTERNAL_RESOURCE_C1Z) {
                paths.add("file of external resources", external, Use::Read)?;
            }
        }
        Output::Compaction => {
            for path in config.get(&flags::COMPACT_FILE_PATHS) {
                paths.add("file to compact", &cwd.join(path), Use::Read)?;
            }
        }
    }
    if let Some(path) = config.find(&flags::AUDIT_LOG).flatten() {
        if matches!(output, Output::None) {
            let file = config.get(&flags::FILE);
            paths.add("sync file", &cwd.join(file), Use::Read)?;
        }
        paths.add("audit log", &cwd.join(path), Use::Append)?;
    }
    if let Some(path) = config.find(&flags::METRICS_FILE).flatten() {
        if matches!(output, Output::None) {
            let file = config.get(&flags::FILE);
            paths.add("sync file", &cwd.join(file), Use::Read)?;
        }
        paths.add("metrics file", &cwd.join(path), Use::Replace)?;
    }
    for path in config.get(&flags::LOG_PATH) {
        if !STREAMS.contains(&path.as_str()) {
            paths.add("log file", &cwd.join(path), Use::Append)?;
        }
    }
    Ok(())
}
