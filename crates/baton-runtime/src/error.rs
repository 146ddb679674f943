//! Everything that can end a run early, with its text, its gRPC code and what to do about it.
//!
//! The first words of the texts are a contract (connector CLI specification, §2.2, §2.3 and §5);
//! scripts match on them. Advice is kept apart from the message, so that both can be tested.

use std::path::PathBuf;
use std::time::Duration;

use baton_connector::ActionState;
use baton_grpc::PemError;
use baton_grpc::child::ChildError;
use baton_grpc::serve::ServeError;
use baton_proto::advice::Limit;
use baton_proto::{Advice, Advise, Code};
use baton_term::Block;

use crate::figures::duration;
use crate::flags::API_HOST;
use crate::{advice, traits};

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an action is no longer waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ActionEnd {
    /// It ended.
    ByItself,
    /// A signal asked the program to stop.
    Stopped,
    /// It took longer than this.
    Late(Duration),
}

impl ActionEnd {
    /// The first words of a failure are those of the Go programs.
    fn text(self, state: &ActionState) -> String {
        let ended = match self {
            Self::ByItself => {
                let failure = state.failure().unwrap_or("it answered no error");
                return format!("action invoke failed: {failure}");
            }
            Self::Stopped => "stopped waiting for the action".to_owned(),
            Self::Late(limit) => format!("the action did not end within {}", duration(limit)),
        };
        match state.failure() {
            Some(failure) => format!("{ended}: {failure}"),
            None => ended,
        }
    }
}

/// Why a run ended early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The command line, a setting or a declaration is wrong.
    #[error(transparent)]
    Flags(#[from] baton_flags::Error),
    /// The operating system starts no more threads.
    #[error("cannot start {needed} threads")]
    Threads {
        /// How many are needed.
        needed: usize,
        /// Why.
        source: std::io::Error,
    },
    /// The operating system opens no more files.
    #[error("cannot open {needed} files and connections at once")]
    Handles {
        /// How many are needed.
        needed: usize,
        /// Why.
        source: std::io::Error,
    },
    /// A flag about one change or one reading, in service mode.
    #[error("--{flag} has no meaning for the tasks of a service")]
    NotForTasks {
        /// Its name.
        flag: &'static str,
    },
    /// The client id of service mode has another form, or the client secret of a connector
    /// service.
    #[error(transparent)]
    ClientId {
        /// Which of them.
        source: baton_crypto::Error,
    },
    /// The client secret of service mode cannot be used.
    #[error(transparent)]
    ClientSecret {
        /// Why.
        source: baton_service::CredentialError,
    },
    /// The host of the service cannot be used.
    #[error(transparent)]
    Endpoint(#[from] baton_service::EndpointError),
    /// The settings of the network cannot be used to reach the service.
    #[error(transparent)]
    Connect(#[from] baton_service::ConnectError),
    /// The service ended.
    #[error(transparent)]
    Service(#[from] baton_service::Error),
    /// A sync file that came from elsewhere cannot be saved.
    #[error("cannot write {}", .path.display())]
    Save {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
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
        /// The given word.
        word: String,
    },
    /// A value of `--sync-resources` is not the id of a resource.
    #[error(transparent)]
    BatonId {
        /// What is wrong, and where.
        source: baton_proto::bid::ParseBidError,
    },
    /// `--skip-grants` outside a targeted sync.
    #[error("skip-grants can only be set within a targeted sync")]
    SkipGrantsAlone,
    /// A signal ended the self-test.
    #[error("the self-test was stopped before its result")]
    TestStopped,
    /// No folder for scratch files can be made.
    #[error("cannot create a folder for scratch files")]
    Scratch {
        /// Why.
        source: std::io::Error,
    },
    /// Standard output cannot be written.
    #[error("cannot write to standard output")]
    Stdout {
        /// Why.
        source: std::io::Error,
    },
    /// The protocol between a parent process and its connector failed.
    #[error(transparent)]
    Child(#[from] ChildError),
    /// The connector cannot be served.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// Other machines would reach the connector without a certificate.
    #[error(
        "refused to listen on {address}: other machines reach it, and clients need no certificate"
    )]
    Exposed {
        /// The address.
        address: baton_grpc::serve::Address,
    },
    /// The services cannot be described.
    #[error("cannot describe the gRPC services")]
    Reflection {
        /// Why.
        source: baton_grpc::serve::ReflectionError,
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
        /// Whether the program runs in a container, where other users own the folders.
        in_container: bool,
        /// Why.
        source: std::io::Error,
    },
    /// The path of the sync file is a folder.
    #[error("`{}` is a folder, not a sync file", .path.display())]
    OutputIsFolder {
        /// The path.
        path: PathBuf,
    },
    /// The target cannot be used.
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
    /// An unknown compaction strategy.
    #[error("unknown compactor `{word}`: expected fold, overlay or kway")]
    CompactStrategy {
        /// The given word.
        word: String,
    },
    /// The work was ended by a signal, or its thread was.
    #[error("{doing} was interrupted: nothing was changed")]
    Stopped {
        /// What was being done.
        doing: &'static str,
    },
    /// The connector refused its settings, or failed outside a sync.
    #[error(transparent)]
    Connector(#[from] baton_connector::Error),
    /// What is to be changed cannot be looked up in the sync file.
    #[error(transparent)]
    Query(#[from] baton_query::Error),
    /// A value of a change is missing. The text is that of the Go programs.
    #[error("unknown provisioning action")]
    NoProvisioningAction {
        /// The flag that is missing or empty.
        flag: &'static str,
    },
    /// The value of a flag is not JSON.
    #[error("--{flag} is not valid JSON")]
    FlagJson {
        /// The flag.
        flag: &'static str,
        /// What is wrong, and where.
        source: serde_json::Error,
    },
    /// The value of a flag is JSON, but not an object.
    #[error("--{flag} is {found}, not a JSON object")]
    NotAnObject {
        /// The flag.
        flag: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// The arguments of an action are not an object. The first words are those of the
    /// Go programs.
    #[error("failed to parse {flag}: {source}")]
    ActionArguments {
        /// The flag.
        flag: &'static str,
        /// What is wrong with it.
        source: Box<Error>,
    },
    /// The connector cannot have actions.
    #[error("the connector has no actions")]
    NoActions,
    /// An action did not complete.
    #[error("{}", end.text(state))]
    Action {
        /// Its state.
        state: Box<ActionState>,
        /// Why it is no longer waited for.
        end: ActionEnd,
    },
    /// A recipient of secrets cannot be used.
    #[error("cannot encrypt credentials to recipient `{recipient}`")]
    Recipient {
        /// The beginning of it.
        recipient: String,
        /// What is wrong with it.
        source: baton_crypto::Error,
    },
    /// The file of a recipient cannot be read.
    #[error("cannot read recipient file {}", .path.display())]
    RecipientFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file for secrets, without a reader.
    #[error("--credentials-out has no effect without --credential-recipient")]
    SecretsWithoutRecipient,
    /// A credential would be made without a reader.
    #[error("the new credential would have no reader: no recipient is given")]
    NoRecipient,
    /// A credential would be made and not be shown.
    #[error("the new credential would be lost: it has no place to go")]
    NoPlaceForSecrets,
    /// The file for secrets cannot be written.
    #[error("cannot write credentials to {}", .path.display())]
    SecretsFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A person was asked, and did not agree.
    #[error("nothing was changed: the answer was not yes")]
    Declined,
    /// A flag about events, in another mode.
    #[error("--follow and --event-feed-cursor-file have no effect without --event-feed")]
    NotEvents,
    /// The connector has no event feed.
    #[error("the connector has no event feeds")]
    NoEventFeeds,
    /// No event feed has this id.
    #[error("event feed id {named} not found")]
    UnknownEventFeed {
        /// The given id.
        named: String,
        /// Those that there are.
        ids: Vec<String>,
    },
    /// There are several event feeds, and none is named.
    #[error("the connector has {} event feeds", .ids.len())]
    SeveralEventFeeds {
        /// Their ids.
        ids: Vec<String>,
    },
    /// An event feed does not move on.
    #[error("event feed {feed} has more events, but its cursor is unchanged")]
    EventsRepeat {
        /// The feed.
        feed: String,
    },
    /// The time of the earliest event cannot be read.
    #[error("--event-feed-start-at `{text}` is not a time")]
    EventStart {
        /// The given text.
        text: String,
        /// What is wrong with it.
        source: baton_proto::Error,
    },
    /// Two cursors are given.
    #[error("{} has a cursor, and --event-feed-cursor gives another one", .path.display())]
    TwoCursors {
        /// The cursor file.
        path: PathBuf,
    },
    /// The cursor file cannot be read or written.
    #[error("cannot use cursor file {}", .path.display())]
    CursorFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file of metrics cannot be written.
    #[error("cannot write the metrics file")]
    MetricsFile {
        /// Why, with the path.
        source: baton_c1z::Error,
    },
    /// The cursor file holds something else.
    #[error("{} does not hold a cursor", .path.display())]
    NotACursorFile {
        /// The file.
        path: PathBuf,
    },
    /// The connector has no tickets.
    #[error("the connector has no tickets")]
    NoTickets,
    /// A value about tickets is missing.
    #[error("--{flag} is empty")]
    NoTicketValue {
        /// The flag.
        flag: &'static str,
    },
    /// The file of a ticket template cannot be read.
    #[error("cannot read ticket template {}", .path.display())]
    TicketFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file of a ticket template is not JSON.
    #[error("ticket template {} is not valid JSON", .path.display())]
    TicketJson {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        source: serde_json::Error,
    },
    /// A ticket template has a fault.
    #[error("the ticket template is invalid{}{text}", in_template(.place))]
    TicketTemplate {
        /// The member at fault; empty for the whole.
        place: String,
        /// What is wrong with it.
        text: String,
    },
    /// The connector answers about another number of tickets.
    #[error("the connector answered about {found} of {wanted} tickets")]
    TicketAnswers {
        /// Tickets that were asked for.
        wanted: usize,
        /// Answers.
        found: usize,
    },
    /// Some tickets were not created.
    #[error("{failed} of {wanted} tickets were not created")]
    TicketsFailed {
        /// Tickets that were not created.
        failed: usize,
        /// Tickets that were asked for.
        wanted: usize,
    },
    /// A flag that only changes what another flag does, without it.
    #[error("--{flag} has no effect without --{on}")]
    NeedsFlag {
        /// The flag.
        flag: &'static str,
        /// The other one.
        on: &'static str,
    },
    /// The server of probes cannot listen. The first words are those of the Go programs.
    #[error("failed to start health check server: cannot listen on {address}")]
    HealthServer {
        /// Host and port.
        address: String,
        /// Why.
        source: std::io::Error,
    },
    /// A service has no page of this name. The text is that of the Go programs.
    #[error("invalid endpoint: {named} (valid: health, ready, live)")]
    HealthEndpoint {
        /// The given name.
        named: String,
    },
    /// A service answered that something is wrong. The text is that of the Go programs.
    #[error("health check returned status {status}")]
    Unhealthy {
        /// The status.
        status: u16,
    },
    /// A service gave no answer. The first words are those of the Go programs.
    #[error("health check failed: Get {url:?}")]
    NoHealthAnswer {
        /// What was asked for.
        url: String,
        /// Why.
        source: baton_ops::ProbeError,
    },
    /// A service gave no answer in time.
    #[error("health check failed: Get {url:?}: no answer within {}", duration(*.limit))]
    LateHealthAnswer {
        /// What was asked for.
        url: String,
        /// The time.
        limit: Duration,
    },
    /// A flag about changes, without a change.
    #[error("--{flag} has no effect without a change")]
    NotAChange {
        /// The flag.
        flag: &'static str,
    },
    /// A change was refused or failed.
    #[error("{doing}")]
    Change {
        /// What could not be done, on what.
        doing: String,
        /// Why.
        source: Box<Error>,
    },
    /// The sync after a change failed.
    #[error("the change was made, but the sync after it failed")]
    SyncAfterChange {
        /// Why.
        source: Box<Error>,
    },
    /// The audit log cannot be opened.
    #[error("cannot open the audit log")]
    AuditFile {
        /// Why.
        source: baton_c1z::Error,
    },
    /// The audit log cannot be used.
    #[error("cannot use audit log {}", .path.display())]
    AuditLog {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The result of a change cannot be printed as JSON.
    #[error("cannot print the result")]
    ResultJson {
        /// Why.
        source: serde_json::Error,
    },
    /// The sync failed.
    #[error(transparent)]
    Sync(#[from] baton_sync::Error),
    /// The connector declares no capabilities.
    #[error("connector does not support capabilities")]
    NoCapabilities,
    /// The connector was made of other types than the program registers.
    #[error("the connector's capabilities differ from those of its program")]
    OtherCapabilities,
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

fn in_template(place: &str) -> String {
    if place.is_empty() {
        return ": ".to_owned();
    }
    format!(" at {place}: ")
}

impl Error {
    /// The gRPC code that becomes the exit code: 2 for everything plain.
    pub fn code(&self) -> Code {
        match self {
            Self::Store(error) => error.code(),
            Self::NoEventFeeds | Self::UnknownEventFeed { .. } => Code::NotFound,
            Self::EventsRepeat { .. } | Self::TicketAnswers { .. } => Code::Internal,
            Self::NoTickets | Self::NoActions => Code::Unimplemented,
            Self::Stopped { .. } | Self::TestStopped | Self::Declined => Code::Canceled,

            Self::Connector(error) => error.code(),
            Self::Sync(error) => error.code(),
            // As in the Go programs, where such a file is an empty store.
            Self::Query(baton_query::Error::File(baton_c1z::Error::NoFile { .. })) => {
                Code::FailedPrecondition
            }
            Self::Query(baton_query::Error::File(baton_c1z::Error::NotC1z { .. })) => Code::Unknown,
            Self::Query(error) => error.code(),
            Self::Child(error) => error.code(),
            Self::Serve(error) => error.code(),
            Self::Service(error) => error.code(),
            Self::Action { end, .. } => match end {
                ActionEnd::ByItself => Code::Unknown,
                ActionEnd::Stopped => Code::Canceled,
                ActionEnd::Late(_) => Code::DeadlineExceeded,
            },
            Self::Change { source, .. } | Self::SyncAfterChange { source } => source.code(),
            Self::NoHealthAnswer { source, .. } => source.code(),
            Self::LateHealthAnswer { .. } => Code::DeadlineExceeded,
            _ => Code::Unknown,
        }
    }

    /// The state of the action that this error is about.
    pub(crate) fn action_state(&self) -> Option<&ActionState> {
        match self {
            Self::Action { state, .. } => Some(state),
            Self::Change { source, .. } => source.action_state(),
            _ => None,
        }
    }

    /// The error with its causes and hints, for people.
    pub(crate) fn block(&self) -> Block {
        match self {
            Self::Flags(error) => error.block(),
            other => Block::of_error(other, &other.hints()),
        }
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
            Self::Flags(error) => error.hints(),
            Self::Service(error) => advice::sentences(&error.advice()),
            Self::ClientSecret { source } => advice::sentences(&source.advice()),
            Self::Connect(error) => advice::sentences(&error.advice()),
            Self::Endpoint(
                baton_service::EndpointError::Replacement { .. }
                | baton_service::EndpointError::EmptyReplacement,
            ) => {
                vec![format!(
                    "set {API_HOST} to a host, or to <host>:<port>, or unset it"
                )]
            }
            Self::ClientId { .. } | Self::Endpoint(_) => vec![
                "a client id has the form <name>@<host>/<path>, a client secret \
                 <text>:<text>:v1:<key>, as ConductorOne shows them"
                    .to_owned(),
            ],
            Self::TempDirMissing { .. } => {
                vec!["create the folder, or leave out --c1z-temp-dir".to_owned()]
            }
            Self::ExternalFileMissing { .. } => {
                vec!["--external-resource-c1z names the sync file of another connector".to_owned()]
            }
            Self::ExternalTrait { .. } => {
                let known = traits::all().map(|(word, _)| word);
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
            Self::Handles { .. } => advice::sentences(&[Advice::RaiseLimit(Limit::OpenFiles)]),
            Self::SkipGrantsAlone => vec![
                "name the resources with --sync-resources, or pass --skip-entitlements-and-grants"
                    .to_owned(),
            ],
            Self::OutputFolderMissing { .. } => advice::sentences(&[Advice::CreateFolder]),
            Self::OutputFolderUnwritable {
                in_container: true, ..
            } => vec![
                "run the container as the user who owns the folder, as in `docker run --user \
                 \"$(id -u):$(id -g)\"`, or mount a folder that user 65532 can write"
                    .to_owned(),
            ],
            Self::OutputIsFolder { .. } | Self::OutputFolderUnwritable { .. } => {
                advice::sentences(&[Advice::NameAnotherTarget])
            }
            Self::Store(error) => advice::sentences(&error.advice()),
            Self::Connector(error) => advice::sentences(&error.advice()),
            Self::Sync(error) => advice::sentences(&error.advice()),
            Self::Query(error) => advice::sentences(&error.advice()),
            Self::Change { source, .. } => source.own_hints(),
            Self::Child(error) => child_hints(error),
            Self::Serve(error) => serve_hints(error),
            Self::Exposed { .. } => vec![
                "authenticate clients with --tls-cert, --tls-key and --tls-client-ca".to_owned(),
                "to accept calls of every machine, pass --insecure".to_owned(),
            ],
            Self::SyncAfterChange { source } => {
                let mut hints = vec!["run the sync by itself; the change is made".to_owned()];
                hints.extend(source.own_hints());
                hints
            }
            Self::AuditFile { source } => match Advice::of_causes(source) {
                Some(advice) => advice::sentences(&[advice]),
                None => vec!["pass the path of a regular file with --audit-log".to_owned()],
            },
            Self::NoProvisioningAction { flag } | Self::NoTicketValue { flag } => {
                vec![format!("pass a value with --{flag}")]
            }
            Self::UnknownEventFeed { ids, .. } | Self::SeveralEventFeeds { ids } => vec![format!(
                "pass one of these with --event-feed-id: {}",
                ids.join(", ")
            )],
            Self::EventStart { .. } => {
                vec!["pass a time such as 2026-01-31T00:00:00Z".to_owned()]
            }
            Self::TwoCursors { .. } => {
                vec!["leave out --event-feed-cursor, or name another file".to_owned()]
            }
            Self::CursorFile { .. } | Self::NotACursorFile { .. } => {
                vec!["pass another path with --event-feed-cursor-file".to_owned()]
            }
            Self::MetricsFile { .. } => vec![
                "pass a path in a folder that can be written to with --metrics-file".to_owned(),
            ],
            Self::NeedsFlag { on, .. } => {
                vec![format!("pass --{on} as well, or leave the flag out")]
            }
            Self::HealthServer { source, .. } => health_server_hints(source),
            Self::NoHealthAnswer { .. } | Self::LateHealthAnswer { .. } => vec![
                "check that a service runs with --health-check, and with the port and the address \
                 of --health-check-port and --health-check-bind-address"
                    .to_owned(),
            ],
            Self::NotAChange { .. } => vec![
                "pass --grant-entitlement, --revoke-grant or another change, or leave the flag out"
                    .to_owned(),
            ],
            Self::FlagJson { .. } | Self::NotAnObject { .. } => {
                vec![
                    r#"pass an object, as in '{"login":"kim","email":"kim@example.com"}'"#
                        .to_owned(),
                ]
            }
            Self::Action { state, .. } if !state.is_final() => {
                vec![format!(
                    "the action may continue in the connector, as `{}`",
                    state.id
                )]
            }
            Self::ActionArguments { .. } => {
                vec![r#"pass an object, as in '{"user_id":"u-1"}'"#.to_owned()]
            }
            Self::NoRecipient | Self::SecretsWithoutRecipient | Self::Recipient { .. } => vec![
                "pass --credential-recipient with an age recipient (age1...), an ssh-ed25519 \
                 public key, or @file of a JSON Web Key"
                    .to_owned(),
            ],
            Self::NoPlaceForSecrets => vec![
                "pass --credentials-out <file>, or -o json to get it with the result".to_owned(),
            ],
            Self::SecretsFile { source, .. }
                if source.kind() == std::io::ErrorKind::AlreadyExists =>
            {
                vec!["pass a path that does not exist with --credentials-out".to_owned()]
            }
            Self::SecretsFile { .. } => {
                vec!["pass another path with --credentials-out".to_owned()]
            }
            _ => Vec::new(),
        }
    }
}

/// What to do where no other program started this one.
fn child_hints(error: &ChildError) -> Vec<String> {
    match error {
        ChildError::EmptyInput | ChildError::MissingListener => vec![
            "this command is for programs that start a connector; use `serve` to serve it"
                .to_owned(),
        ],
        _ => Vec::new(),
    }
}

/// What to do where probes cannot be served.
fn health_server_hints(source: &std::io::Error) -> Vec<String> {
    use std::io::ErrorKind;

    let hint = match source.kind() {
        ErrorKind::AddrInUse => {
            "stop the program that uses the port, or pass another one with --health-check-port"
        }
        ErrorKind::PermissionDenied => {
            "pass a port that this user may use with --health-check-port, such as one above 1023"
        }
        _ => "pass an address of this machine with --health-check-bind-address",
    };
    vec![hint.to_owned()]
}

/// What to do where the connector cannot be served.
fn serve_hints(error: &ServeError) -> Vec<String> {
    use std::io::ErrorKind;

    let hint = match error {
        ServeError::Address { .. } => {
            "pass an address such as 127.0.0.1:9000 or unix:/run/connector.sock with --listen"
        }
        ServeError::Listen { source, .. } => match source.kind() {
            ErrorKind::AddrInUse => {
                "stop the program that uses the port, or pass another one with --listen"
            }
            ErrorKind::AddrNotAvailable => "pass an address of this machine with --listen",
            ErrorKind::PermissionDenied => {
                "pass an address that this user may use with --listen, such as a port above 1023"
            }
            ErrorKind::NotFound => "create the folder, or pass another path with --listen",
            _ => "pass another address with --listen",
        },
        ServeError::Answered { .. } => "stop that process, or pass another path with --listen",
        ServeError::NotASocket { .. } => "remove the file, or pass another path with --listen",
        ServeError::Pem(PemError::OtherKey { .. }) => {
            "pass the key of the first certificate in --tls-cert with --tls-key"
        }
        ServeError::Pem(_) => "check the files of --tls-cert, --tls-key and --tls-client-ca",
        _ => return Vec::new(),
    };
    vec![hint.to_owned()]
}
