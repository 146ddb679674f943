//! The command line. One definition per flag; the rules between flags and the
//! first words of errors are those of the Go tool, since scripts match them.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::{NonEmptyStringValueParser, OsStringValueParser, TypedValueParser};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use clap_complete::Shell;

use crate::error::CliError;

const PROGRAM: &str = "baton";

/// How rows are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    Console,
    Json,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    ResourceTypes,
    Resources {
        type_id: Option<String>,
    },
    Entitlements {
        type_id: Option<String>,
    },
    Grants(GrantFilter),
    Principals(GrantFilter),
    Access {
        type_id: String,
        id: String,
    },
    Syncs,
    Stats,
    RecalculateStats,
    ExportC1z {
        out: PathBuf,
    },
    ToPebble {
        out: PathBuf,
        temp_dir: Option<PathBuf>,
    },
    ToSqlite {
        out: PathBuf,
    },
    Expand {
        out: PathBuf,
        max_grants: Option<u64>,
    },
    DumpDb {
        out: PathBuf,
    },
    RollBack(Rollback),
}

impl Action {
    /// Whether this only shows something. Other actions do their work even
    /// where their output has no reader.
    pub fn only_shows(&self) -> bool {
        match self {
            Self::ResourceTypes
            | Self::Resources { .. }
            | Self::Entitlements { .. }
            | Self::Grants(_)
            | Self::Principals(_)
            | Self::Access { .. }
            | Self::Syncs
            | Self::Stats => true,
            Self::RollBack(rollback) => rollback.out.is_none(),
            Self::RecalculateStats
            | Self::ExportC1z { .. }
            | Self::ToPebble { .. }
            | Self::ToSqlite { .. }
            | Self::Expand { .. }
            | Self::DumpDb { .. } => false,
        }
    }

    /// The file or folder that is made.
    pub fn output(&self) -> Option<&PathBuf> {
        match self {
            Self::ExportC1z { out }
            | Self::ToPebble { out, .. }
            | Self::ToSqlite { out }
            | Self::Expand { out, .. }
            | Self::DumpDb { out } => Some(out),
            Self::RollBack(wanted) => wanted.out.as_ref(),
            _ => None,
        }
    }
}

/// What `rollback-expansion` is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rollback {
    /// `None` for a look only.
    pub out: Option<PathBuf>,
    pub replay: bool,
    pub keep_suspects: bool,
    pub validate: bool,
}

/// Which grants a command looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum GrantFilter {
    All,
    Resource { type_id: String, id: String },
    Type(String),
    Entitlement(String),
}

/// A command line that was understood.
#[derive(Debug, Clone)]
pub(crate) struct Invocation {
    pub action: Action,
    pub file: PathBuf,
    pub output: Output,
    pub sync_id: Option<String>,
    /// Whether everything is shown that is summed up otherwise.
    pub verbose: bool,
    /// The command's words, such as `export c1z`.
    pub command: String,
    /// Things that were ignored, to be said on stderr.
    pub notices: Vec<String>,
}

/// The outcome of parsing.
#[derive(Debug)]
pub(crate) enum Parsed {
    /// Help, the version or a completion script.
    Print(String),
    Command(Box<Invocation>),
}

/// Understands a command line.
pub(crate) fn parse(args: &[OsString]) -> Result<Parsed, CliError> {
    let mut command = command();
    let matches = match command.try_get_matches_from_mut(args) {
        Ok(matches) => matches,
        Err(error) => return explain(&error),
    };
    let Some((name, sub)) = matches.subcommand() else {
        return Ok(Parsed::Print(command.render_help().to_string()));
    };
    if name == "completion" {
        return Ok(match sub.get_one::<Shell>("shell") {
            Some(shell) => Parsed::Print(completion(&mut command, *shell)),
            None => Parsed::Print(sub_help(&mut command, name)),
        });
    }
    let (action, sub, words) = match sub.subcommand() {
        Some((inner, sub)) => {
            let action = Action::ExportC1z { out: out(sub)? };
            (action, sub, format!("{name} {inner}"))
        }
        None if name == "export" => return Ok(Parsed::Print(sub_help(&mut command, name))),
        None => (action(name, sub)?, sub, name.to_owned()),
    };
    let mut notices = Vec::new();
    if let Some(extra) = sub.get_many::<String>("extra") {
        notices.extend(extra.map(|word| format!("ignored argument `{word}`")));
    }
    Ok(Parsed::Command(Box::new(Invocation {
        action,
        file: file(sub)?,
        output: output(sub, &mut notices),
        sync_id: text(sub, "sync-id").filter(|id| !id.is_empty()),
        verbose: sub.get_flag("verbose"),
        command: words,
        notices,
    })))
}

/// The file to read: a word where a command takes one, else the flag.
fn file(sub: &ArgMatches) -> Result<PathBuf, CliError> {
    let path = named_file(sub)?;
    if path.as_os_str().is_empty() {
        return Err(CliError::Usage {
            message: "the path of the sync file is empty".to_owned(),
            hint: Some("name a file with --file, or leave the flag out for sync.c1z".to_owned()),
        });
    }
    Ok(path)
}

fn named_file(sub: &ArgMatches) -> Result<PathBuf, CliError> {
    let flag = sub
        .get_one::<PathBuf>("file")
        .cloned()
        .unwrap_or_else(|| PathBuf::from("sync.c1z"));
    match sub.try_get_one::<PathBuf>("input").ok().flatten() {
        None => Ok(flag),
        Some(word) if sub.value_source("file") == Some(ValueSource::CommandLine) => {
            Err(CliError::Usage {
                message: format!(
                    "the file is named twice: `{}` and `--file {}`",
                    word.display(),
                    flag.display()
                ),
                hint: Some("name it once".to_owned()),
            })
        }
        Some(word) => Ok(word.clone()),
    }
}

fn output(sub: &ArgMatches, notices: &mut Vec<String>) -> Output {
    match sub.get_one::<String>("output-format").map(String::as_str) {
        Some("json") => Output::Json,
        None | Some("console") => Output::Console,
        Some(other) => {
            notices.push(format!(
                "unknown output format `{other}`: using `console` (known: console, json)"
            ));
            Output::Console
        }
    }
}

fn action(name: &str, sub: &ArgMatches) -> Result<Action, CliError> {
    Ok(match name {
        "resource-types" => Action::ResourceTypes,
        "resources" => Action::Resources {
            type_id: text(sub, "resource-type").filter(|id| !id.is_empty()),
        },
        "entitlements" => Action::Entitlements {
            type_id: text(sub, "resource-type").filter(|id| !id.is_empty()),
        },
        "grants" => Action::Grants(grants_filter(sub)?),
        "principals" => Action::Principals(principals_filter(sub)?),
        "access" => {
            together(sub)?;
            let (type_id, id) = resource(sub)?;
            Action::Access { type_id, id }
        }
        "syncs" => Action::Syncs,
        "recalculate-stats" => Action::RecalculateStats,
        "to-pebble" => to_pebble(sub)?,
        "to-sqlite" => Action::ToSqlite { out: out(sub)? },
        "expand" => Action::Expand {
            out: out(sub)?,
            max_grants: sub.get_one::<u64>("max-grants").copied(),
        },
        "rollback-expansion" => Action::RollBack(rollback(sub)?),
        "dump-db" => Action::DumpDb { out: out(sub)? },
        _ => Action::Stats,
    })
}

fn rollback(sub: &ArgMatches) -> Result<Rollback, CliError> {
    let (replay, validate) = (sub.get_flag("replay"), sub.get_flag("validate"));
    if validate && !replay {
        return Err(CliError::usage(
            "--validate requires --replay (without re-deriving, deleted grants cannot be compared)",
        ));
    }
    let out = sub.get_one::<PathBuf>("out").cloned();
    let out = out.filter(|path| !path.as_os_str().is_empty());
    let dry_run = sub.get_flag("dry-run");
    if out.is_none() && !dry_run {
        return Err(CliError::usage(
            "--out is required to write a rolled-back c1z; the input is never modified \u{2014} pass --dry-run to preview",
        ));
    }
    Ok(Rollback {
        out: out.filter(|_| !dry_run),
        replay,
        keep_suspects: sub.get_flag("preserve-suspect-grants"),
        validate,
    })
}

fn to_pebble(sub: &ArgMatches) -> Result<Action, CliError> {
    // Rows are sorted, not fetched in batches, but a batch of none was always
    // a mistake.
    if sub
        .get_one::<i64>("batch-size")
        .is_some_and(|size| *size <= 0)
    {
        return Err(CliError::usage("batch-size must be greater than zero"));
    }
    Ok(Action::ToPebble {
        out: out(sub)?,
        temp_dir: sub
            .get_one::<PathBuf>("tmp-dir")
            .filter(|dir| !dir.as_os_str().is_empty())
            .cloned(),
    })
}

fn out(sub: &ArgMatches) -> Result<PathBuf, CliError> {
    match sub.get_one::<PathBuf>("out") {
        Some(path) if !path.as_os_str().is_empty() => Ok(path.clone()),
        _ => Err(CliError::Usage {
            message: "an output path is required".to_owned(),
            hint: Some("name it with --out".to_owned()),
        }),
    }
}

fn text(sub: &ArgMatches, name: &str) -> Option<String> {
    sub.try_get_one::<String>(name).ok().flatten().cloned()
}

/// `-r` wins over `-t`, which wins over `-e`.
fn grants_filter(sub: &ArgMatches) -> Result<GrantFilter, CliError> {
    exclusive(sub)?;
    if text(sub, "resource").is_some() {
        let (type_id, id) = resource(sub)?;
        return Ok(GrantFilter::Resource { type_id, id });
    }
    if let Some(type_id) = text(sub, "resource-type") {
        if type_id.is_empty() {
            return Err(CliError::usage("--resource-type is required"));
        }
        return Ok(GrantFilter::Type(type_id));
    }
    match text(sub, "entitlement") {
        None => Ok(GrantFilter::All),
        // The flag is called --entitlement; the words are what scripts know.
        Some(id) if id.is_empty() => Err(CliError::Usage {
            message: "--entitlement-id is required".to_owned(),
            hint: Some("give --entitlement a value, or leave it out".to_owned()),
        }),
        Some(id) => Ok(GrantFilter::Entitlement(id)),
    }
}

fn principals_filter(sub: &ArgMatches) -> Result<GrantFilter, CliError> {
    together(sub)?;
    exclusive(sub)?;
    if text(sub, "resource").is_some() {
        let (type_id, id) = resource(sub)?;
        return Ok(GrantFilter::Resource { type_id, id });
    }
    // Here, other than with `grants`, an empty value is an id that nobody has.
    Ok(text(sub, "entitlement").map_or(GrantFilter::All, GrantFilter::Entitlement))
}

fn resource(sub: &ArgMatches) -> Result<(String, String), CliError> {
    match (text(sub, "resource-type"), text(sub, "resource")) {
        (Some(type_id), Some(id)) if !type_id.is_empty() && !id.is_empty() => Ok((type_id, id)),
        _ => Err(CliError::usage(
            "--resource-type and --resource are required",
        )),
    }
}

fn together(sub: &ArgMatches) -> Result<(), CliError> {
    let missing = match (text(sub, "resource-type"), text(sub, "resource")) {
        (Some(_), None) => "resource",
        (None, Some(_)) => "resource-type",
        _ => return Ok(()),
    };
    Err(CliError::usage(format!(
        "if any flags in the group [resource-type resource] are set they must all be set; missing [{missing}]"
    )))
}

fn exclusive(sub: &ArgMatches) -> Result<(), CliError> {
    if text(sub, "resource").is_some() && text(sub, "entitlement").is_some() {
        return Err(CliError::usage(
            "if any flags in the group [resource entitlement] are set none of the others can be; [entitlement resource] were all set",
        ));
    }
    Ok(())
}

/// The whole command tree.
pub(crate) fn command() -> Command {
    Command::new(PROGRAM)
        .about("Explore who has access to what: reads the sync files (.c1z) that connectors write")
        .version(env!("CARGO_PKG_VERSION"))
        .disable_version_flag(true)
        .disable_help_subcommand(false)
        .arg(
            Arg::new("version")
                .short('v')
                .long("version")
                .action(ArgAction::Version)
                .help("print the version"),
        )
        .arg(
            Arg::new("file")
                .short('f')
                .long("file")
                .global(true)
                .value_name("path")
                .default_value("sync.c1z")
                .value_parser(OsStringValueParser::new().map(PathBuf::from))
                .help("the sync file to read"),
        )
        .arg(
            Arg::new("output-format")
                .short('o')
                .long("output-format")
                .global(true)
                .value_name("format")
                .default_value("console")
                .help("how to show the result: console or json"),
        )
        .arg(
            Arg::new("verbose")
                .long("verbose")
                .global(true)
                .action(ArgAction::SetTrue)
                .help("list each missing object; on a terminal, show sync tokens whole"),
        )
        .subcommand(leaf("resource-types", "list resource types").arg(sync_id()))
        .subcommand(
            leaf("resources", "list resources")
                .arg(resource_type("only resources of this type"))
                .arg(sync_id()),
        )
        .subcommand(
            leaf("entitlements", "list entitlements")
                .arg(resource_type("only entitlements of resources of this type"))
                .arg(sync_id()),
        )
        .subcommand(
            leaf("grants", "list grants")
                .arg(resource_type("only grants on resources of this type"))
                .arg(resource_flag(
                    "only grants on this resource (with --resource-type)",
                ))
                .arg(entitlement("only grants of this entitlement"))
                .arg(sync_id()),
        )
        .subcommand(
            leaf("principals", "list who holds grants")
                .arg(resource_type("the type of --resource"))
                .arg(resource_flag("only holders of grants on this resource"))
                .arg(entitlement("only holders of this entitlement"))
                .arg(sync_id()),
        )
        .subcommand(
            leaf("access", "show what one principal can access")
                .arg(resource_type("the principal's type"))
                .arg(resource_flag("the principal's id")),
        )
        .subcommand(leaf("syncs", "list the syncs in the file"))
        .subcommand(leaf("stats", "count what the newest finished sync holds"))
        .subcommand(
            Command::new("export")
                .about("write what a file holds in another form")
                .subcommand(
                    leaf("c1z", "copy one sync into a new file of the same format")
                        .arg(out_flag("./latest.c1z", "the file to make; it must not exist"))
                        .arg(chosen_sync("copy this sync (default: the newest finished full one)")),
                ),
        )
        .subcommand(
            leaf(
                "recalculate-stats",
                "count rows again and store the counts in the file",
            )
            .arg(chosen_sync("only this sync (default: every finished one)")),
        )
        .subcommand(
            leaf("to-pebble", "convert one sync of a v1 file into a new v3 file")
                .arg(out_flag(
                    "./sync.pebble.c1z",
                    "the file to make; it must not exist",
                ))
                .arg(chosen_sync("convert this sync (default: the newest finished full one)"))
                .arg(
                    Arg::new("batch-size")
                        .long("batch-size")
                        .value_name("rows")
                        .default_value("10000")
                        .allow_negative_numbers(true)
                        .value_parser(value_parser!(i64))
                        .hide(true)
                        .help("accepted for the scripts that have it; any number above 0"),
                )
                .arg(
                    Arg::new("tmp-dir")
                        .long("tmp-dir")
                        .value_name("folder")
                        .value_parser(OsStringValueParser::new().map(PathBuf::from))
                        .help("where temporary files go (default: BATON_TMPDIR, else the system's folder)"),
                ),
        )
        .subcommand(
            leaf(
                "to-sqlite",
                "convert a v3 file into a new v1 file, ids joined back to whole objects",
            )
            .arg(out_flag(
                "./sync.sqlite.c1z",
                "the file to make; it must not exist",
            )),
        )
        .subcommand(expand())
        .subcommand(rollback_expansion())
        .subcommand(
            leaf(
                "dump-db",
                "unpack the database (v1: one SQLite file, v3: a Pebble folder)",
            )
            .hide(true)
            .arg(out_flag("./sync.db", "the file or folder to write")),
        )
        .subcommand(
            Command::new("completion")
                .about("print a completion script for a shell")
                .arg(Arg::new("shell").value_parser(value_parser!(Shell))),
        )
}

fn expand() -> Command {
    Command::new("expand")
        .about("derive the grants that arrived unexpanded, into a new file of the same format")
        .arg(
            Arg::new("input")
                .value_name("FILE")
                .value_parser(OsStringValueParser::new().map(PathBuf::from))
                .help("the sync file to read, as with --file"),
        )
        .arg(extra_words())
        .arg(out_flag(
            "./sync.expanded.c1z",
            "the file to make; it must not exist",
        ))
        .arg(chosen_sync(
            "expand this sync, finished or not (default: the newest finished full one, else the only one)",
        ))
        .arg(
            Arg::new("max-grants")
                .long("max-grants")
                .value_name("number")
                .value_parser(value_parser!(u64))
                .help("make no file if more grants than this would be derived"),
        )
}

fn rollback_expansion() -> Command {
    let switch = |name: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .action(ArgAction::SetTrue)
            .help(help)
    };
    leaf(
        "rollback-expansion",
        "take back what expansion made of the grants of a v1 file, in a new file",
    )
    .arg(chosen_sync(
        "take back this sync (default: the newest finished one)",
    ))
    .arg(
        Arg::new("out")
            .long("out")
            .value_name("path")
            .value_parser(OsStringValueParser::new().map(PathBuf::from))
            .help("the file to make; it must not exist"),
    )
    .arg(switch("dry-run", "only say what would be done"))
    .arg(switch("replay", "expand the grants again afterwards"))
    .arg(switch(
        "preserve-suspect-grants",
        "keep grants that have foreign sources but no mark of a derived one",
    ))
    .arg(switch(
        "validate",
        "with --replay: fail if the sources of any grant differ from before",
    ))
}

fn extra_words() -> Arg {
    Arg::new("extra")
        .num_args(0..)
        .hide(true)
        .value_parser(NonEmptyStringValueParser::new())
}

fn leaf(name: &'static str, about: &'static str) -> Command {
    // Further words are accepted, as always, but not silently.
    Command::new(name).about(about).arg(extra_words())
}

fn sync_id() -> Arg {
    Arg::new("sync-id")
        .long("sync-id")
        .value_name("id")
        .help("look at this sync (default: the newest finished one)")
}

fn chosen_sync(help: &'static str) -> Arg {
    sync_id().help(help)
}

fn out_flag(default: &'static str, help: &'static str) -> Arg {
    Arg::new("out")
        .long("out")
        .value_name("path")
        .default_value(default)
        // An empty path has its own refusal.
        .value_parser(OsStringValueParser::new().map(PathBuf::from))
        .help(help)
}

fn resource_type(help: &'static str) -> Arg {
    Arg::new("resource-type")
        .short('t')
        .long("resource-type")
        .value_name("type")
        .help(help)
}

fn resource_flag(help: &'static str) -> Arg {
    Arg::new("resource")
        .short('r')
        .long("resource")
        .value_name("id")
        .help(help)
}

fn entitlement(help: &'static str) -> Arg {
    Arg::new("entitlement")
        .short('e')
        .long("entitlement")
        .value_name("id")
        .help(help)
}

fn completion(command: &mut Command, shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, command, PROGRAM, &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

fn sub_help(command: &mut Command, name: &str) -> String {
    command
        .find_subcommand_mut(name)
        .map(|sub| sub.render_help().to_string())
        .unwrap_or_default()
}

/// A refused command line in the words that scripts know.
fn explain(error: &clap::Error) -> Result<Parsed, CliError> {
    let named = |kind| match error.get(kind) {
        Some(ContextValue::String(word)) => Some(word.clone()),
        _ => None,
    };
    let message = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            return Ok(Parsed::Print(error.to_string()));
        }
        ErrorKind::DisplayVersion => {
            return Ok(Parsed::Print(format!(
                "{PROGRAM} version {}\n",
                env!("CARGO_PKG_VERSION")
            )));
        }
        ErrorKind::UnknownArgument => {
            unknown_flag(&named(ContextKind::InvalidArg).unwrap_or_default())
        }
        ErrorKind::InvalidSubcommand => format!(
            "unknown command \"{}\" for \"{PROGRAM}\"",
            named(ContextKind::InvalidSubcommand).unwrap_or_default()
        ),
        ErrorKind::InvalidValue
            if named(ContextKind::InvalidValue).is_none_or(|v| v.is_empty()) =>
        {
            let flag = named(ContextKind::InvalidArg).unwrap_or_default();
            format!("flag needs an argument: {}", flag_name(&flag))
        }
        _ => error
            .to_string()
            .lines()
            .next()
            .unwrap_or_default()
            .trim_start_matches("error: ")
            .to_owned(),
    };
    let similar = error
        .get(ContextKind::SuggestedSubcommand)
        .or_else(|| error.get(ContextKind::SuggestedArg));
    let hint = match similar {
        Some(ContextValue::Strings(words)) if !words.is_empty() => {
            format!("did you mean `{}`?", words.join("` or `"))
        }
        Some(ContextValue::String(word)) => format!("did you mean `{word}`?"),
        _ => format!("`{PROGRAM} --help` lists commands and flags"),
    };
    Err(CliError::Usage {
        message,
        hint: Some(hint),
    })
}

/// `--file <path>` as `--file`.
fn flag_name(shown: &str) -> &str {
    shown.split([' ', '=']).next().unwrap_or(shown)
}

fn unknown_flag(word: &str) -> String {
    let name = flag_name(word);
    match name.strip_prefix('-') {
        Some(letters) if !letters.starts_with('-') => {
            let letter = letters.chars().next().unwrap_or('-');
            format!("unknown shorthand flag: '{letter}' in {name}")
        }
        _ => format!("unknown flag: {name}"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn refused(words: &[&str]) -> String {
        let args: Vec<OsString> = std::iter::once("baton")
            .chain(words.iter().copied())
            .map(Into::into)
            .collect();
        match parse(&args) {
            Err(error) => error.to_string(),
            Ok(parsed) => panic!("{parsed:?}"),
        }
    }

    fn accepted(words: &[&str]) -> Invocation {
        let args: Vec<OsString> = std::iter::once("baton")
            .chain(words.iter().copied())
            .map(Into::into)
            .collect();
        match parse(&args).unwrap() {
            Parsed::Command(invocation) => *invocation,
            Parsed::Print(text) => panic!("{text}"),
        }
    }

    #[test]
    fn refusals_begin_with_the_words_of_the_go_tool() {
        for (words, text) in [
            (&["nope"][..], "unknown command \"nope\" for \"baton\""),
            (&["resources", "--nope"], "unknown flag: --nope"),
            (&["resources", "--nope=1"], "unknown flag: --nope"),
            (&["resources", "-z"], "unknown shorthand flag: 'z' in -z"),
            (&["resources", "--file"], "flag needs an argument: --file"),
            (
                &["access", "-t", "user", "-r", "x", "--sync-id", "y"],
                "unknown flag: --sync-id",
            ),
            (&["access"], "--resource-type and --resource are required"),
            (
                &["grants", "-r", "x"],
                "--resource-type and --resource are required",
            ),
            (&["grants", "-t", ""], "--resource-type is required"),
            (&["grants", "-e", ""], "--entitlement-id is required"),
        ] {
            assert_eq!(refused(words), text, "{words:?}");
        }
    }

    #[test]
    fn global_flags_stand_before_or_after_the_command() {
        assert_eq!(
            accepted(&["-f", "a.c1z", "syncs"]).file,
            PathBuf::from("a.c1z")
        );
        assert_eq!(
            accepted(&["syncs", "-f", "a.c1z"]).file,
            PathBuf::from("a.c1z")
        );
        assert_eq!(accepted(&["syncs", "-ojson"]).output, Output::Json);
    }

    #[test]
    fn further_words_and_unknown_formats_are_said_to_be_ignored() {
        let invocation = accepted(&["resources", "x", "-o", "yaml"]);
        assert_eq!(invocation.output, Output::Console);
        assert_eq!(invocation.notices.len(), 2);
    }

    #[test]
    fn the_narrowest_filter_wins() {
        let filter = |words: &[&str]| match accepted(words).action {
            Action::Grants(filter) => filter,
            other => panic!("{other:?}"),
        };
        assert_eq!(filter(&["grants"]), GrantFilter::All);
        assert_eq!(
            filter(&["grants", "-t", "group", "-r", "g1"]),
            GrantFilter::Resource {
                type_id: "group".into(),
                id: "g1".into()
            }
        );
        assert_eq!(
            filter(&["grants", "-t", "group", "-e", "x"]),
            GrantFilter::Type("group".into())
        );
        assert_eq!(
            filter(&["grants", "-e", "x"]),
            GrantFilter::Entitlement("x".into())
        );
    }

    #[test]
    fn an_empty_entitlement_has_no_principals() {
        assert_eq!(
            accepted(&["principals", "-e", ""]).action,
            Action::Principals(GrantFilter::Entitlement(String::new()))
        );
    }
}
