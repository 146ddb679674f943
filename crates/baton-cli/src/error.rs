//! What the program says when it fails, and with which exit status it ends:
//! the gRPC code of the cause, 2 for everything that has none.

use std::error::Error as _;
use std::io::{self, ErrorKind, Write};

use baton_proto::Code;

/// Exit status of failures without a code of their own, bad flags included.
pub const EXIT_UNKNOWN: u8 = 2;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum CliError {
    /// The command line is wrong.
    #[error("{message}")]
    Usage {
        message: String,
        hint: Option<String>,
    },
    #[error(transparent)]
    File(#[from] baton_c1z::Error),
    /// A message of a row cannot be shown.
    #[error("cannot show {what}")]
    Render {
        what: String,
        #[source]
        source: baton_proto::Error,
    },
    /// A row lacks an id that the output needs.
    #[error("{what}")]
    Row { what: String },
    #[error("no sync `{id}` in {file}")]
    NoSuchSync { id: String, file: String },
    /// More grants would be derived than are allowed.
    #[error("{failure}")]
    TooManyGrants { failure: baton_c1z::CallerFailure },
    #[error("cannot write the output")]
    Output(#[from] io::Error),
}

impl CliError {
    pub fn usage(message: impl Into<String>) -> Self {
        Self::Usage {
            message: message.into(),
            hint: None,
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::File(error) => error.code(),
            Self::NoSuchSync { .. } => Code::NotFound,
            Self::TooManyGrants { .. } => Code::ResourceExhausted,
            _ => Code::Unknown,
        }
    }

    /// The exit status: a code as its number, everything else 2.
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::File(baton_c1z::Error::Unfinished { .. }) => Code::FailedPrecondition.as_u8(),
            Self::File(baton_c1z::Error::NoFile { .. }) => EXIT_UNKNOWN,
            // Opening and decoding failures carry no code in the Go tools.
            Self::File(error) if error.code() != Code::NotFound => EXIT_UNKNOWN,
            _ => match self.code() {
                Code::Ok | Code::Unknown => EXIT_UNKNOWN,
                code => code.as_u8(),
            },
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Usage { hint, .. } => hint.clone(),
            Self::TooManyGrants { .. } => {
                Some("no file was made; --max-grants allows more".to_owned())
            }
            Self::NoSuchSync { file, .. } => Some(format!(
                "`baton syncs -f {file}` lists the syncs of the file"
            )),
            Self::File(error) => error.hint().map(ToOwned::to_owned),
            _ => None,
        }
    }

    /// Prints the failure: what failed, the causes, what to do.
    pub fn print(&self, err: &mut dyn Write) -> io::Result<()> {
        writeln!(err, "error: {self}")?;
        let mut cause = self.source();
        let mut said = self.to_string();
        while let Some(error) = cause {
            let text = error.to_string();
            if !said.contains(&text) {
                writeln!(err, "caused by: {text}")?;
                said = text;
            }
            cause = error.source();
        }
        if let Some(hint) = self.hint() {
            writeln!(err, "hint: {hint}")?;
        }
        Ok(())
    }
}

/// Whether the failure is that nobody reads the output any more.
pub(crate) fn is_closed_pipe(error: &CliError) -> bool {
    matches!(error, CliError::Output(e) if e.kind() == ErrorKind::BrokenPipe)
}
