//! A sync file on standard input, and addresses that are no paths.
//!
//! A file is read in several places, so the stream is kept in a private file
//! for as long as the command runs. It may be as large as the file may unpack
//! to.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use baton_c1z::Scratch;

use crate::Process;
use crate::error::CliError;
use crate::open;

/// Where standard input comes from.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum StandardInput {
    /// The process's own.
    #[default]
    OfProcess,
    /// Given by the caller, such as a test.
    Given(Arc<[u8]>),
}

/// A private copy of standard input; dropping it removes it.
pub(crate) struct Copied {
    path: PathBuf,
    /// Dropped behind the file.
    _folder: Scratch,
}

impl Copied {
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Whether the word for a file means standard input.
pub(crate) fn is_meant(file: &Path) -> bool {
    file == Path::new("-")
}

/// Refuses an address of another service. Only regular files are read.
pub(crate) fn refuse_address(file: &Path) -> Result<(), CliError> {
    match file.to_str() {
        Some(address) if address.starts_with("s3://") => Err(CliError::Usage {
            message: format!("cannot read {address}: files in S3 are not supported yet"),
            hint: Some(format!(
                "download it first, as in `aws s3 cp {address} - | baton stats -f -`"
            )),
        }),
        _ => Ok(()),
    }
}

/// Reads standard input to its end.
pub(crate) fn copy(process: &Process) -> Result<Copied, CliError> {
    match &process.stdin {
        StandardInput::OfProcess => copy_from(&mut io::stdin().lock(), process),
        StandardInput::Given(bytes) => copy_from(&mut &**bytes, process),
    }
}

fn copy_from(from: &mut dyn Read, process: &Process) -> Result<Copied, CliError> {
    let limit = open::read_options(process)?.limits.max_decoded_bytes;
    let folder = Scratch::new(process.temp_dir.as_deref())?;
    let path = folder.folder_path().join("standard-input.c1z");
    let failed = |source| CliError::StandardInput { source };
    let mut file = tempfile::Builder::new()
        .tempfile_in(folder.folder_path())
        .map_err(failed)?;
    let copied = io::copy(&mut from.take(limit.saturating_add(1)), &mut file).map_err(failed)?;
    if copied > limit {
        return Err(CliError::Usage {
            message: format!("standard input has more than {limit} bytes"),
            hint: Some("if you trust it, raise BATON_DECODER_MAX_DECODED_SIZE_MB".to_owned()),
        });
    }
    file.flush().map_err(failed)?;
    file.persist(&path).map_err(|error| failed(error.error))?;
    Ok(Copied {
        path,
        _folder: folder,
    })
}
