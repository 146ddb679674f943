//! `c1-sim`: serves a simulated ConductorOne, prints the command that connects to it, and judges.

mod args;

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use baton_term::{Block, Printer, StandardOutput, TextGate};
use c1_sim::{ClientKey, Complaint, Config, Listener, Script, Simulator};
use clap::Parser as _;
use jiff::Timestamp;
use tempfile::NamedTempFile;

use args::Args;

/// Without a script: one full sync.
const ONE_SYNC: &str = "tasks: [{task: {syncFull: {}}}]";

#[tokio::main]
async fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(refused) => return explain(&refused),
    };
    match run(&args).await {
        Ok(complaints) if complaints.is_empty() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(failure) => {
            let block = Block::of_error(&failure, &failure.hints());
            printer(&mut io::stderr()).print(&block);
            ExitCode::FAILURE
        }
    }
}

fn printer(stderr: &mut io::Stderr) -> Printer<'_> {
    Printer::new(stderr, TextGate::default(), false)
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
            Err(_) => ExitCode::FAILURE,
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
    printer(&mut io::stderr()).print(&block);
    ExitCode::from(u8::try_from(refused.exit_code()).unwrap_or(2))
}

/// Writes to standard output. That its reader has left does not matter.
fn show(text: &str) -> Result<(), Failure> {
    match StandardOutput::of_process().write_all(text.as_bytes()) {
        Err(cause) if cause.kind() != io::ErrorKind::BrokenPipe => Err(Failure::Output(cause)),
        _ => Ok(()),
    }
}

async fn run(args: &Args) -> Result<Vec<Complaint>, Failure> {
    let script = match &args.script {
        Some(path) => Script::from_yaml(&read(path)?),
        None => Script::from_yaml(ONE_SYNC),
    }
    .map_err(Failure::Simulator)?;
    let key = match &args.key_file {
        Some(path) => ClientKey::from_client_secret(&read(path)?),
        None => new_key(),
    }
    .map_err(Failure::Simulator)?;
    let names = [args.host_name.clone()];
    let listener = Listener::bind(args.listen, &names).await.map_err(|cause| {
        let address = args.listen;
        Failure::Listen { address, cause }
    })?;
    let client_id = format!(
        "{}@{}:{}/valet",
        args.client_name,
        args.host_name,
        listener.address().port()
    );
    let config = Config::new(&client_id, &key, Timestamp::now());
    let mut config = config.map_err(Failure::Simulator)?;
    script.configure(&mut config);
    config.observer = Some(Arc::new(|call| {
        printer(&mut io::stderr()).line(call.to_string());
    }));
    let authority = authority_file(listener.authority()).map_err(Failure::Authority)?;
    let simulator = Simulator::new(config);
    script.run(&simulator).map_err(Failure::Simulator)?;
    let server = simulator.serve(listener);
    // Before the line that announces the server: a reader of that line may interrupt at once.
    let interrupted = interruption().map_err(Failure::Signal)?;
    let path = authority.path().to_string_lossy().into_owned();
    let command = connecting(&path, &client_id, &key.client_secret(), &args.command);
    show(&format!("{command}\n"))?;
    tokio::select! {
        ended = interrupted => ended.map_err(Failure::Signal)?,
        () = finished(&simulator, args.until_finished) => {}
    }
    let complaints = simulator.verdict_at_end();
    server.shutdown().await;
    judge(&simulator, &complaints)?;
    Ok(complaints)
}

/// Waits for the results of so many tasks; for ever without a number.
async fn finished(simulator: &Simulator, count: Option<usize>) {
    match count {
        Some(count) => simulator.wait_finished(count).await,
        None => std::future::pending().await,
    }
}

/// Prints the verdict: complaints are data, the summary is not.
fn judge(simulator: &Simulator, complaints: &[Complaint]) -> Result<(), Failure> {
    for complaint in complaints {
        let line = complaint.to_string();
        show(&format!("{}\n", baton_term::clean(&line)))?;
    }
    let counted = baton_proto::figures::counted;
    let summary = format!(
        "{} handed out, {} finished, {}",
        counted(simulator.handed_out() as u64, "task", "tasks"),
        simulator.finished_count(),
        counted(complaints.len() as u64, "complaint", "complaints"),
    );
    printer(&mut io::stderr()).line(summary);
    Ok(())
}

fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|cause| Failure::Read {
        path: path.to_owned(),
        cause,
    })
}

fn new_key() -> Result<ClientKey, c1_sim::Error> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|_| c1_sim::Error::Key)?;
    ClientKey::from_seed(seed)
}

/// A file with the certificate of the authority, removed at the end.
fn authority_file(pem: &str) -> io::Result<NamedTempFile> {
    let mut file = tempfile::Builder::new()
        .prefix("c1-sim-ca-")
        .suffix(".pem")
        .tempfile()?;
    file.write_all(pem.as_bytes())?;
    file.flush()?;
    Ok(file)
}

/// The command that connects a connector, for a shell.
fn connecting(authority: &str, client_id: &str, secret: &str, command: &str) -> String {
    let set = |name: &str, value: &str| {
        // Quoting fails for NUL only, which no value has.
        let value = shlex::try_quote(value).unwrap_or_default();
        format!("{name}={value}")
    };
    [
        set("SSL_CERT_FILE", authority),
        set("BATON_CLIENT_ID", client_id),
        set("BATON_CLIENT_SECRET", secret),
        command.to_owned(),
    ]
    .join(" ")
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
        cause: c1_sim::Error,
    },
    #[error(transparent)]
    Simulator(c1_sim::Error),
    #[error("cannot read {}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("cannot write the certificate of the authority to a temporary file")]
    Authority(#[source] io::Error),
    #[error("cannot write to standard output")]
    Output(#[source] io::Error),
    #[error("cannot wait for Ctrl-C")]
    Signal(#[source] io::Error),
}

impl Failure {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Listen { .. } => {
                vec!["pass --listen 127.0.0.1:0 to take any free port".to_owned()]
            }
            Self::Simulator(c1_sim::Error::Script { .. }) => {
                vec!["run c1-sim --help for the form of scripts".to_owned()]
            }
            _ => Vec::new(),
        }
    }
}
