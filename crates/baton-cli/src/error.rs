//! Failures of the program, and its exit status: the gRPC code of the cause, or
//! 2 where the cause has none.

use std::io;

use baton_proto::advice::Limit;
use baton_proto::figures::counted;
use baton_proto::{Advice, Advise, Code};
use baton_query::Kind;
use baton_term::{Block, Label};

use crate::advice;
use crate::advice::list_syncs;
use crate::signals::Signal;

/// Exit status of failures without a code, wrong flags included.
pub const EXIT_UNKNOWN: u8 = 2;
/// Exit status of a diff with changes, where it was asked for.
const EXIT_CHANGES: u8 = 1;

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
    /// The command line is wrong in a way that all programs know.
    #[error(transparent)]
    Flags(#[from] baton_flags::Error),
    #[error(transparent)]
    File(#[from] baton_c1z::Error),
    /// Something that the command line names cannot be looked up.
    #[error(transparent)]
    Query(baton_query::Error),
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
    /// There are changes, and the user asked for an exit status of their own.
    /// Nothing is reported: the changes were shown.
    #[error("there are changes")]
    Changes,
    /// Two files differ where they must not.
    #[error("{}", lines.join("\n"))]
    Differ {
        /// What differs, then one line per difference.
        lines: Vec<String>,
    },
    /// More grants would be derived than are allowed.
    #[error("{failure}")]
    TooManyGrants { failure: baton_c1z::CallerFailure },
    /// A list does not fit on one sheet of a workbook.
    #[error("the list is longer than a sheet, which holds {}", counted(u64::from(*max_rows), "row", "rows"))]
    TooManyRows { max_rows: u32 },
    /// A text does not fit into a cell of a workbook.
    #[error("row {row}, column {column}: the text has more than the 32,767 characters of a cell")]
    CellTooLong { row: u32, column: u16 },
    #[error("cannot make the workbook")]
    Workbook(#[source] Box<rust_xlsxwriter::XlsxError>),
    #[error("cannot read standard input")]
    StandardInput { source: io::Error },
    #[error("cannot write the output")]
    Output(#[from] io::Error),
    /// A signal stopped a command that writes a file.
    #[error("stopped by {} while {doing}", signal.name())]
    Stopped { signal: Signal, doing: String },
    /// The program panicked.
    #[error("internal error while {doing}: {message}")]
    Crashed { doing: String, message: String },
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
            Self::Query(error) => error.code(),
            Self::NoSuchSync { .. } => Code::NotFound,
            Self::TooManyGrants { .. } => Code::ResourceExhausted,
            Self::Crashed { .. } => Code::Internal,
            Self::Stopped { .. } => Code::Canceled,
            _ => Code::Unknown,
        }
    }

    /// The exit status: a code as its number, everything else 2.
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::Stopped { signal, .. } => signal.exit_status(),
            Self::Changes => EXIT_CHANGES,
            Self::File(
                baton_c1z::Error::Unfinished { .. } | baton_c1z::Error::NoCurrentSync { .. },
            ) => Code::FailedPrecondition.as_u8(),
            Self::File(baton_c1z::Error::NoFile { .. }) => EXIT_UNKNOWN,
            // The disk is at fault, not the file.
            Self::File(error @ (baton_c1z::Error::NoRoom { .. } | baton_c1z::Error::Io { .. }))
                if error.code() == Code::ResourceExhausted =>
            {
                Code::ResourceExhausted.as_u8()
            }
            // Opening and decoding failures carry no code in the Go tools.
            Self::File(error) if error.code() != Code::NotFound => EXIT_UNKNOWN,
            _ => match self.code() {
                Code::Ok | Code::Unknown => EXIT_UNKNOWN,
                code => code.as_u8(),
            },
        }
    }

    fn hints(&self) -> Vec<String> {
        let hints = self.own_hints();
        if hints.is_empty() {
            let advice: Vec<Advice> = Advice::of_causes(self).into_iter().collect();
            return advice::sentences(&advice);
        }
        hints
    }

    fn own_hints(&self) -> Vec<String> {
        match self {
            Self::Usage { hint, .. } => hint.iter().cloned().collect(),
            Self::Flags(error) => flag_hints(error),
            Self::TooManyGrants { .. } => {
                advice::sentences(&[Advice::RaiseLimit(Limit::DerivedGrants)])
            }
            Self::NoSuchSync { file, .. } => {
                vec![list_syncs(file)]
            }
            Self::File(error) => advice::sentences(&error.advice()),
            Self::Query(baton_query::Error::Ambiguous(several)) if several.is_id => {
                let list = match several.kind {
                    Kind::Entitlement => "entitlements",
                    Kind::Grant => "grants",
                    _ => "resources",
                };
                vec![format!(
                    "list them with `baton {list} -f {} --search {}`",
                    several.path.display(),
                    several.wanted
                )]
            }
            Self::Query(error) => advice::sentences(&error.advice()),
            Self::TooManyRows { .. } => {
                vec!["use several sheets: pass tables with --layout".to_owned()]
            }
            Self::CellTooLong { .. } => {
                vec!["cut such texts: run the command without --strict".to_owned()]
            }
            _ => Vec::new(),
        }
    }

    /// The failure for people: what failed, the causes, what to do.
    pub fn block(&self) -> Block {
        if let Self::Changes = self {
            return Block::new();
        }
        if let Self::Differ { lines } = self {
            let mut block = Block::new();
            for (index, line) in lines.iter().enumerate() {
                let label = (index == 0).then_some(Label::Error);
                match label {
                    Some(label) => block.labelled(label, line.as_str()),
                    None => block.line(line.as_str()),
                };
            }
            return block;
        }
        Block::of_error(self, &self.hints())
    }
}

impl From<baton_query::Error> for CliError {
    fn from(error: baton_query::Error) -> Self {
        match error {
            baton_query::Error::File(error) => Self::File(error),
            other => Self::Query(other),
        }
    }
}

/// What to do about a wrong command line.
fn flag_hints(error: &baton_flags::Error) -> Vec<String> {
    let hints = error.hints();
    if let (true, baton_flags::Error::UnknownCommand { root, .. }) = (hints.is_empty(), error) {
        return vec![format!("list its commands and flags with `{root} --help`")];
    }
    let is_unknown = matches!(
        error,
        baton_flags::Error::UnknownFlag { .. }
            | baton_flags::Error::UnknownShorthand { .. }
            | baton_flags::Error::MissingArgument { .. }
            | baton_flags::Error::InvalidArgument { .. }
    );
    if hints.is_empty() && is_unknown {
        return vec!["list commands and flags with `baton --help`".to_owned()];
    }
    hints
}
