//! `atlassian-sim`: serves a simulated organization and prints the command that syncs from it.

mod args;

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::process::ExitCode;

use atlassian_sim::Simulator;
use baton_term::{Block, Printer, StandardOutput, TextGate};
use clap::Parser as _;
use tokio::net::TcpListener;

use args::Args;

#[tokio::main]
async fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(refused) => return explain(&refused),
    };
    match run(args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failed(&failure),
    }
}

fn failed(failure: &Failure) -> ExitCode {
    let block = Block::of_error(failure, &failure.hints());
    Printer::new(&mut io::stderr(), TextGate::default(), false).print(&block);
    ExitCode::FAILURE
}

/// Prints the help, the version, or why the arguments cannot be used.
#[expect(
    clippy::disallowed_methods,
    reason = "the entry point reads the arguments"
)]
fn explain(refused: &clap::Error) -> ExitCode {
    if !refused.use_stderr() {
        return match show(&refused.to_string()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => failed(&failure),
        };
    }
    // The text quotes arguments. Quoted from clean ones, its line breaks are all its own.
    let clean = std::env::args_os()
        .map(|argument| baton_term::clean(&argument.to_string_lossy()).into_owned());
    let text = match Args::try_parse_from(clean) {
        Err(refused) => refused.to_string(),
        Ok(_) => "error: an argument contains control characters".to_owned(),
    };
    let mut block = Block::new();
    block.laid_out(&text);
    Printer::new(&mut io::stderr(), TextGate::default(), false).print(&block);
    ExitCode::from(u8::try_from(refused.exit_code()).unwrap_or(2))
}

/// Writes to standard output. That its reader has left does not matter: nothing else is printed.
fn show(text: &str) -> Result<(), Failure> {
    match StandardOutput::of_process().write_all(text.as_bytes()) {
        Err(cause) if cause.kind() != io::ErrorKind::BrokenPipe => Err(Failure::Output(cause)),
        _ => Ok(()),
    }
}

async fn run(args: Args) -> Result<(), Failure> {
    let address = args.address();
    let listener = TcpListener::bind(address)
        .await
        .map_err(|cause| Failure::Listen { address, cause })?;
    let simulator = Simulator::new(args.config())?;
    let server = simulator.serve(listener)?;
    // Before the line that announces the server: a reader of that line may interrupt at once.
    let interrupted = interruption().map_err(Failure::Signal)?;
    // A closed pipe does not end the server: the line need not be read.
    let command = args::sync_command(&simulator, server.address());
    show(&format!("{command}\n"))?;
    interrupted.await.map_err(Failure::Signal)?;
    // Connections that a client keeps open must not hold up the end.
    let _ = tokio::time::timeout(args::SHUTDOWN_LIMIT, server.shutdown()).await;
    match simulator.alarms().len() {
        0 => Ok(()),
        count => Err(Failure::Alarm { count }),
    }
}

/// Ctrl-C from now on, where the platform can listen before it waits.
#[cfg(unix)]
fn interruption() -> io::Result<impl Future<Output = io::Result<()>>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => Ok(()),
            _ = terminate.recv() => Ok(()),
        }
    })
}

/// Ctrl-C from the first poll on.
#[cfg(not(unix))]
#[allow(clippy::unnecessary_wraps, reason = "the other platforms can fail")]
fn interruption() -> io::Result<impl Future<Output = io::Result<()>>> {
    Ok(tokio::signal::ctrl_c())
}

/// Why the program cannot run.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("cannot listen on {address}")]
    Listen {
        address: SocketAddr,
        #[source]
        cause: io::Error,
    },
    #[error(transparent)]
    Simulator(#[from] atlassian_sim::Error),
    #[error(
        "requests to revoke the API tokens of all users: {count}; a client must never send one"
    )]
    Alarm { count: usize },
    #[error("cannot write to standard output")]
    Output(#[source] io::Error),
    #[error("cannot wait for Ctrl-C")]
    Signal(#[source] io::Error),
}

impl Failure {
    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Listen { cause, .. } if cause.kind() == io::ErrorKind::AddrInUse => {
                "pass --port 0 to take any free port"
            }
            Self::Listen { cause, .. } if cause.kind() == io::ErrorKind::PermissionDenied => {
                "ports below 1024 need privileges; pass --port 8080"
            }
            _ => return Vec::new(),
        };
        vec![hint.to_owned()]
    }
}
