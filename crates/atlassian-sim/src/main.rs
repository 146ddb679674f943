//! `atlassian-sim`: serves a simulated organization and says how to sync from it.

mod args;

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::process::ExitCode;

use atlassian_sim::Simulator;
use clap::Parser as _;
use tokio::net::TcpListener;

use args::Args;

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    match run(args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Standard error may be gone; there is nobody left to tell then.
            let _ = write!(io::stderr(), "{}", failure.report());
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<(), Failure> {
    let address = args.address();
    let listener = TcpListener::bind(address)
        .await
        .map_err(|cause| Failure::Listen { address, cause })?;
    let simulator = Simulator::new(args.config())?;
    let server = simulator.serve(listener)?;
    // Before the line that says all is ready: whoever reads it may interrupt at once.
    let interrupted = interruption().map_err(Failure::Signal)?;
    // Nobody has to read it: a closed pipe does not end the server.
    let _ = writeln!(
        io::stdout(),
        "{}",
        args::sync_command(&simulator, server.address())
    );
    let _ = io::stdout().flush();
    interrupted.await.map_err(Failure::Signal)?;
    // Connections that a client keeps open must not hold up the end.
    let _ = tokio::time::timeout(args::SHUTDOWN_LIMIT, server.shutdown()).await;
    Ok(())
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
    #[error("cannot wait for Ctrl-C")]
    Signal(#[source] io::Error),
}

impl Failure {
    /// The error, its causes, and what to do.
    fn report(&self) -> String {
        let mut text = format!("error: {self}\n");
        let mut cause = std::error::Error::source(self);
        while let Some(inner) = cause {
            text.push_str("caused by: ");
            text.push_str(&inner.to_string());
            text.push('\n');
            cause = inner.source();
        }
        text.push_str(self.hint());
        text
    }

    fn hint(&self) -> &'static str {
        match self {
            Self::Listen { cause, .. } if cause.kind() == io::ErrorKind::AddrInUse => {
                "hint: pass --port 0 to take any free port\n"
            }
            Self::Listen { cause, .. } if cause.kind() == io::ErrorKind::PermissionDenied => {
                "hint: ports below 1024 need privileges; pass --port 8080\n"
            }
            _ => "",
        }
    }
}
