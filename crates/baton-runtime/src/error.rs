//! Everything that can end a run early, with its text, its gRPC code and what to do about it.
//!
//! The first words of the texts are a contract (connector CLI specification, §2.2, §2.3 and §5);
//! scripts match on them. Advice is kept apart from the message, so that both can be tested.

use std::path::PathBuf;

use baton_proto::advice::Limit;
use baton_proto::{Advice, Advise, Code};
use baton_term::{Block, Label};

use crate::relation::Violation;
use crate::value::Malformed;
use crate::{advice, preflight};

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a run ended early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A long flag that the command does not have.
    #[error("unknown flag: --{name}")]
    UnknownFlag {
        /// Name without dashes.
        name: String,
        /// The closest flag that exists.
        similar: Option<String>,
    },
    /// A one-letter flag that the command does not have.
    #[error("unknown shorthand flag: '{letter}' in {argument}")]
    UnknownShorthand {
        /// The letter.
        letter: char,
        /// The argument as it was given.
        argument: String,
    },
    /// A flag at the end of the line that wants a value.
    #[error("flag needs an argument: {flag}")]
    MissingArgument {
        /// `--file`, or `'f' in -f`.
        flag: String,
    },
    /// A value on the command line that is not of the flag's type.
    #[error("invalid argument {text:?} for \"{flag}\" flag: {problem}")]
    InvalidArgument {
        /// What was given.
        text: String,
        /// The flag in both spellings.
        flag: String,
        /// What is wrong with it; not a separate cause, since the Go text has it in one line.
        problem: Malformed,
    },
    /// A word that is no command.
    #[error("unknown command {word:?} for {root:?}")]
    UnknownCommand {
        /// The word.
        word: String,
        /// The command it was given to.
        root: String,
        /// The closest command that exists.
        similar: Option<String>,
    },
    /// An argument that is not UTF-8.
    #[error("argument {argument:?} is not UTF-8 text")]
    ArgumentEncoding {
        /// The argument, with replacement characters.
        argument: String,
    },
    /// The command line could not be understood in a way that has no text of its own.
    #[error("{text}")]
    CommandLine {
        /// First line of the parser's own message.
        text: String,
    },
    /// Required flags that nothing set.
    #[error("required flag(s) {} not set", quoted(.names))]
    RequiredFlags {
        /// Names, sorted.
        names: Vec<String>,
    },
    /// Fields whose values break their rules.
    #[error("errors found:\n{}", .problems.join("\n"))]
    InvalidFields {
        /// One text per field.
        problems: Vec<String>,
    },
    /// Fields that do not go together.
    #[error(transparent)]
    Relation(#[from] Violation),
    /// A path that is set to nothing.
    #[error("--{flag} is empty: expected {expected}")]
    EmptyPath {
        /// The flag.
        flag: &'static str,
        /// What it names.
        expected: &'static str,
    },
    /// The operating system starts no more threads.
    #[error("cannot start {needed} threads")]
    Threads {
        /// How many are needed.
        needed: usize,
        /// Why.
        source: std::io::Error,
    },
    /// The config file is something else than a text file.
    #[error("config file `{}` is {found}: expected {expected}", .path.display())]
    ConfigKind {
        /// The file.
        path: PathBuf,
        /// What it is, such as a folder.
        found: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// The config file that `BATON_CONFIG_PATH` names has another extension.
    #[error("expected config file to have .yaml or .yml extension")]
    ConfigExtension {
        /// What the variable holds.
        path: PathBuf,
    },
    /// The config file cannot be read.
    #[error("cannot read config file `{}`", .path.display())]
    ConfigUnreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The config file is not a YAML mapping of the expected shape.
    #[error("config file `{}` is malformed: {problem}", .path.display())]
    ConfigSyntax {
        /// The file.
        path: PathBuf,
        /// What is wrong, with its place.
        problem: String,
    },
    /// A value from the environment or the config file that is not of the field's type.
    #[error("failed to make configuration: cannot parse '{field}' as {type_name}")]
    InvalidSetting {
        /// The field.
        field: &'static str,
        /// `int`, `bool` or `list`.
        type_name: &'static str,
        /// The variable or file that holds the value.
        origin: String,
        /// What is wrong.
        source: Malformed,
    },
    /// An environment variable that is not UTF-8.
    #[error("environment variable {name} is not UTF-8 text")]
    EnvironmentEncoding {
        /// The variable.
        name: String,
    },
    /// A setting that would choose a mode that does not exist here.
    #[error("`{setting}` is set by {origin}, but {mode} is not supported by this version")]
    UnsupportedMode {
        /// Flag name.
        setting: &'static str,
        /// The variable or file that sets it.
        origin: String,
        /// What the Go program would do.
        mode: &'static str,
    },
    /// A secret that is in a file or on standard input cannot be read.
    #[error("cannot read the value of {flag} from {from}")]
    SecretUnreadable {
        /// The flag.
        flag: String,
        /// The file, or standard input.
        from: String,
        /// Why.
        source: std::io::Error,
    },
    /// A secret from a file or from standard input is not one line of text.
    #[error("value of {flag}: {from} {problem}")]
    SecretMalformed {
        /// The flag.
        flag: String,
        /// The file, or standard input.
        from: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// Two flags want standard input.
    #[error("{first} and {second} cannot both read standard input")]
    StdinTwice {
        /// One flag.
        first: String,
        /// The other.
        second: String,
    },
    /// A log destination cannot be opened.
    #[error("open sink {path:?}")]
    LogSink {
        /// As given to `--log-path`.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The folder for working files does not exist.
    #[error("the specified c1z temp dir does not exist: {}", .path.display())]
    TempDirMissing {
        /// The folder.
        path: PathBuf,
    },
    /// The file of external resources does not exist.
    #[error("the specified external resource c1z file does not exist: {}", .path.display())]
    ExternalFileMissing {
        /// The file.
        path: PathBuf,
    },
    /// A trait of external resources does not exist.
    #[error("unknown external resource trait {word:?}")]
    ExternalTrait {
        /// What was asked for.
        word: String,
    },
    /// What `--sync-resources` names is no id of a resource.
    #[error(transparent)]
    BatonId {
        /// What is wrong, and where.
        source: baton_proto::bid::ParseBidError,
    },
    /// `--skip-grants` outside a targeted sync.
    #[error("skip-grants can only be set within a targeted sync")]
    SkipGrantsAlone,
    /// Standard output cannot be written.
    #[error("cannot write to standard output")]
    Stdout {
        /// Why.
        source: std::io::Error,
    },
    /// Two fields of a program have one name.
    #[error("multiple fields with the same name: {name}")]
    DuplicateField {
        /// The name.
        name: &'static str,
    },
    /// Two flags of a program have one letter, or a flag has a name that the program needs.
    #[error("flag --{name} cannot have the name or letter of another flag: {taken}")]
    TakenName {
        /// The later flag.
        name: &'static str,
        /// What is taken.
        taken: String,
    },
    /// A relationship that cannot hold, or names a field that does not exist.
    #[error("invalid config: invalid relationship constraint")]
    MalformedRelation {
        /// Its fields.
        fields: Vec<&'static str>,
    },
    /// There is no current folder.
    #[error("cannot find the current folder")]
    CurrentFolder {
        /// Why.
        source: std::io::Error,
    },
    /// The folder of the sync file does not exist.
    #[error("output folder `{}` does not exist", .path.display())]
    OutputFolderMissing {
        /// The folder.
        path: PathBuf,
    },
    /// The folder of the sync file cannot be written.
    #[error("cannot write to output folder `{}`", .path.display())]
    OutputFolderUnwritable {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The path of the sync file is a folder.
    #[error("`{}` is a folder, not a sync file", .path.display())]
    OutputIsFolder {
        /// The path.
        path: PathBuf,
    },
    /// The file that is to be written onto cannot be used.
    #[error(transparent)]
    Store(#[from] baton_c1z::Error),
    /// There is not one sync id per file to compact.
    #[error("sync-compactor: must include exactly one syncID per file")]
    CompactLists {
        /// Number of files.
        files: usize,
        /// Number of ids.
        ids: usize,
    },
    /// An unknown way of compacting is asked for.
    #[error("unknown compactor `{word}`: expected fold, overlay or kway")]
    CompactStrategy {
        /// What was asked for.
        word: String,
    },
    /// The work was ended by a signal, or its thread was.
    #[error("{doing} was interrupted: nothing was changed")]
    Stopped {
        /// What was being done.
        doing: &'static str,
    },
    /// The connector refused to be made, or failed outside a sync.
    #[error(transparent)]
    Connector(#[from] baton_connector::Error),
    /// The sync failed.
    #[error(transparent)]
    Sync(#[from] baton_sync::Error),
    /// The connector says nothing about what it can do.
    #[error("connector does not support capabilities")]
    NoCapabilities,
    /// A message cannot be printed as JSON.
    #[error("cannot print {what}")]
    Print {
        /// What was to be printed.
        what: &'static str,
        /// Why.
        source: baton_proto::Error,
    },
    /// The async runtime did not start.
    #[error("cannot start the async runtime")]
    Runtime {
        /// Why.
        source: std::io::Error,
    },
}

impl Error {
    /// The gRPC code that becomes the exit code: 2 for everything plain.
    pub fn code(&self) -> Code {
        match self {
            Self::Store(error) => error.code(),
            Self::Stopped { .. } => Code::Canceled,
            Self::Connector(error) => error.code(),
            Self::Sync(error) => error.code(),
            _ => Code::Unknown,
        }
    }

    /// The error with its causes and hints, for people.
    pub(crate) fn block(&self) -> Block {
        let hints = self.hints();
        // The one text that has lines of our own making.
        if let Self::InvalidFields { problems } = self {
            let mut block = Block::new();
            block.labelled(Label::Error, "errors found:");
            for problem in problems {
                block.line(problem.as_str());
            }
            block.hints(&hints);
            return block;
        }
        Block::of_error(self, &hints)
    }

    /// What the user can do, one line each.
    pub fn hints(&self) -> Vec<String> {
        let hints = self.own_hints();
        if hints.is_empty() {
            let advice: Vec<Advice> = Advice::of_causes(self).into_iter().collect();
            return advice::sentences(&advice);
        }
        hints
    }

    fn own_hints(&self) -> Vec<String> {
        match self {
            Self::UnknownFlag {
                similar: Some(similar),
                ..
            } => {
                vec![format!("a similar flag exists: --{similar}")]
            }
            Self::UnknownCommand {
                similar: Some(similar),
                ..
            } => {
                vec![format!("a similar command exists: {similar}")]
            }
            Self::RequiredFlags { names } => vec![format!(
                "set {} on the command line, in the environment or in the config file; see --help",
                names
                    .iter()
                    .map(|name| format!("--{name}"))
                    .collect::<Vec<_>>()
                    .join(" and ")
            )],
            Self::ConfigExtension { path } => {
                vec![format!("BATON_CONFIG_PATH is `{}`", path.display())]
            }
            Self::InvalidSetting { origin, .. } => vec![format!("the value comes from {origin}")],
            Self::UnsupportedMode { setting, .. } => {
                vec![format!("unset `{setting}` to run a one-shot sync")]
            }
            Self::SecretUnreadable { flag, .. } => vec![format!(
                "{flag} takes the value itself, @path to read it from a file, or - for standard input"
            )],
            Self::TempDirMissing { .. } => {
                vec!["create the folder, or leave out --c1z-temp-dir".to_owned()]
            }
            Self::ExternalFileMissing { .. } => {
                vec!["--external-resource-c1z names the sync file of another connector".to_owned()]
            }
            Self::ExternalTrait { .. } => {
                let known = preflight::traits().map(|(word, _)| word);
                vec![format!(
                    "known traits: {}",
                    known.collect::<Vec<_>>().join(", ")
                )]
            }
            Self::BatonId { .. } => vec![
                "a resource is bid:r:<type>/<id>, or bid:r:<parent type>/<parent id>/<type>/<id>; \
                 a backslash stands before `\\`, `/` and `:` inside a part"
                    .to_owned(),
            ],
            Self::Threads { .. } => advice::sentences(&[Advice::RaiseLimit(Limit::Threads)]),
            Self::EmptyPath { flag, .. } => {
                vec![format!("pass a path with --{flag}, or leave the flag out")]
            }
            Self::SkipGrantsAlone => vec![
                "name the resources with --sync-resources, or pass --skip-entitlements-and-grants"
                    .to_owned(),
            ],
            Self::OutputFolderMissing { .. } | Self::OutputIsFolder { .. } => {
                vec!["pass another path with --file, or create the folder".to_owned()]
            }
            Self::OutputFolderUnwritable { .. } => {
                vec!["pass another path with --file".to_owned()]
            }
            Self::Store(error) => advice::sentences(&error.advice()),
            Self::Connector(error) => advice::sentences(&error.advice()),
            Self::Sync(error) => advice::sentences(&error.advice()),
            _ => Vec::new(),
        }
    }
}

fn quoted(names: &[String]) -> String {
    names
        .iter()
        .map(|name| format!("\"{name}\""))
        .collect::<Vec<_>>()
        .join(", ")
}
