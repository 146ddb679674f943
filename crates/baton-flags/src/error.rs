//! What can be wrong with a command line, its settings or their declaration.
//!
//! The first words of the texts are a contract (connector CLI specification, §2.2, §2.3 and §5);
//! scripts match on them. Hints are kept apart from the message, so that both can be tested.

use std::path::PathBuf;

use baton_term::{Block, Label};

use crate::value::Malformed;
use crate::violation::Violation;

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a command line cannot be followed.
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
    /// A word that is not a command.
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
    /// The variable that names the config file names one with another extension.
    #[error("expected config file to have .yaml or .yml extension")]
    ConfigExtension {
        /// The variable.
        variable: &'static str,
        /// What it holds.
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
    /// A flag with a name that the parser cannot take.
    #[error(
        "`{name}` cannot be the name of a flag: expected lower-case letters, digits and single dashes, a letter first"
    )]
    BadName {
        /// The name.
        name: &'static str,
    },
    /// A field whose variable has a meaning of its own.
    #[error("flag --{name} cannot be defined: {variable} already means {meaning}")]
    ReservedName {
        /// The field.
        name: &'static str,
        /// The variable that it would read.
        variable: String,
        /// What the variable is for.
        meaning: String,
    },
    /// A command that is defined twice below one other.
    #[error("multiple commands with the same name: {path}")]
    DuplicateCommand {
        /// Its words, the program's name first.
        path: String,
    },
    /// A default that does not fit its field's type.
    #[error("the default of --{name} cannot be used: {problem}")]
    MalformedDefault {
        /// The field.
        name: &'static str,
        /// What is wrong.
        problem: Malformed,
    },
    /// A field group that is empty, repeats a name, or names a field that does not exist.
    #[error("invalid config: invalid field group {name}")]
    MalformedGroup {
        /// The group.
        name: &'static str,
    },
    /// More than one field group is the default.
    #[error("only one field group can be set as default, but found {count}: {names}")]
    ManyDefaultGroups {
        /// How many.
        count: usize,
        /// Their names.
        names: String,
    },
    /// A field group that does not exist.
    #[error("unknown auth method `{name}`")]
    UnknownGroup {
        /// The requested word.
        name: String,
        /// The groups that exist.
        known: Vec<&'static str>,
    },
    /// A relationship that cannot hold, or names a field that does not exist.
    #[error("invalid config: invalid relationship constraint")]
    MalformedRelation {
        /// Its fields.
        fields: Vec<&'static str>,
    },
}

impl Error {
    /// The error with its causes and hints, for people.
    pub fn block(&self) -> Block {
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
            Self::ConfigExtension { variable, path } => {
                vec![format!("{variable} is `{}`", path.display())]
            }
            Self::InvalidSetting { origin, .. } => vec![format!("the value comes from {origin}")],
            Self::SecretUnreadable { flag, .. } => vec![format!(
                "{flag} takes the value itself, @path to read it from a file, or - for standard input"
            )],
            Self::UnknownGroup { known, .. } => {
                vec![format!("known methods: {}", known.join(", "))]
            }
            Self::EmptyPath { flag, .. } => {
                vec![format!("pass a path with --{flag}, or leave the flag out")]
            }
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
