//! `atlassian-sim`: serves a simulated organization and says how to sync from it.

mod args;

use std::io::{self, Write as _};
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
            let _ = writeln!(io::stderr(), "{failure}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<(), String> {
    let address = args.address();
    let listener = TcpListener::bind(address).await.map_err(|cause| {
        let hint = match cause.kind() {
            io::ErrorKind::AddrInUse => "\nhint: pass --port 0 to take any free port",
            io::ErrorKind::PermissionDenied => {
                "\nhint: ports below 1024 need privileges; pass --port 8080"
            }
            _ => "",
        };
        format!("error: cannot listen on {address}\ncaused by: {cause}{hint}")
    })?;
    let simulator = Simulator::new(args.config()).map_err(|cause| format!("error: {cause}"))?;
    let server = simulator
        .serve(listener)
        .map_err(|cause| format!("error: {cause}"))?;
    // Nobody has to read it: a closed pipe does not end the server.
    let _ = writeln!(
        io::stdout(),
        "{}",
        args::sync_command(&simulator, server.address())
    );
    let _ = io::stdout().flush();
    tokio::signal::ctrl_c()
        .await
        .map_err(|cause| format!("error: cannot wait for Ctrl-C\ncaused by: {cause}"))?;
    // Connections that a client keeps open must not hold up the end.
    let _ = tokio::time::timeout(args::SHUTDOWN_LIMIT, server.shutdown()).await;
    Ok(())
}
