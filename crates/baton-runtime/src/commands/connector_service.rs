//! `_connector-service`: serves the connector to the process that started this one.
//!
//! The order of the steps is part of the contract (`service-mode.md`, "To §4.9"):
//! settings, the first line of standard input, the connector, the socket.

use std::io::Read as _;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use baton_connector::ClientSecret;
use baton_flags::{Command, Config};
use baton_grpc::child::{
    CHILD_COMMAND, ChildError, Dialer, FirstLine, read_first_line, server_config,
};
use baton_grpc::serve::{Identity, Listener};
use baton_grpc::{
    ConnectorSettings, Limiter, MemorySessions, RemoteSessions, Server, Sessions, channel_within,
    connector_services,
};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::context::CommandContext;
use crate::error::{Error, Result};
use crate::exit::ExitStatus;
use crate::service::{self, Offered};
use crate::signals::StopMessages;
use crate::task::{Runs, Task, Writes, body};
use crate::{flags, preflight};

/// How long a connection to the parent's session store may take.
const TO_CONNECT: Duration = Duration::from_secs(5);
/// What is read at once of what follows the first line.
const CHUNK_BYTES: usize = 4096;

pub(super) fn command() -> Command<Runs> {
    Command::new(CHILD_COMMAND, "serve the connector to a parent process")
        .hidden()
        .with_root_fields()
        .runs(Runs::Child(Arc::new(|_| Task {
            doing: "serving the connector".to_owned(),
            stop_messages: StopMessages::SERVICE,
            writes: Writes::Nothing,
            lasts: false,
            body: body(run),
        })))
}

async fn run(context: CommandContext) -> Result<ExitStatus> {
    let config = context.config();
    preflight::check_values(config)?;
    let parent_ended = CancellationToken::new();
    let stopped = context.cancel().clone();
    let line = tokio::select! {
        biased;
        () = stopped.cancelled() => return Ok(ExitStatus::Success),
        line = first_line(&context, parent_ended.clone()) => line?,
    };
    let line = FirstLine::decode(&line)?;
    let clock = Arc::clone(&context.connector_env().clock);
    let limiter = Limiter::from_config(line.limiter.as_ref(), clock)
        .map_err(|status| Error::Connector(status.into()))?;
    let client_secret = client_secret(config)?;
    let built = context.connect()?;
    context.check_announced(&built).await?;
    let listener = Listener::of_tcp(context.inherited_listener(line.port)?)
        .map_err(|source| ChildError::Listen { source })?;
    let identity: Arc<dyn Identity> = Arc::new(Arc::new(server_config(&line.credential)?));
    let Offered {
        provisioning,
        ticketing,
    } = Offered::by_mode(config);
    let settings = ConnectorSettings {
        // A parent cannot see that a write was left out.
        provisioning: provisioning && !config.get(&flags::DRY_RUN),
        ticketing,
        limiter,
        sessions: sessions(&line, &context)?,
        client_secret: client_secret.map(Arc::new),
    };
    let connector = Arc::clone(&built.connector);
    let mut router = connector_services(Arc::clone(&connector), settings);
    router.continue_traces(context.connector_env().traces.clone());
    let server = Server::new(router);
    tracing::debug!(port = line.port, "serving the connector");
    let stop = async {
        tokio::select! {
            () = parent_ended.cancelled() => {}
            () = stopped.cancelled() => {}
        }
    };
    service::serve(server, connector, listener, Some(identity), stop).await;
    Ok(ExitStatus::Success)
}

/// What opens encrypted passwords of requests, if the parent has it.
fn client_secret(config: &Config) -> Result<Option<ClientSecret>> {
    let text = config.get(&flags::CLIENT_SECRET).expose();
    if text.is_empty() {
        return Ok(None);
    }
    let secret = ClientSecret::parse(text).map_err(|source| Error::ClientId { source })?;
    Ok(Some(secret))
}

/// Where the values of syncs are: in the parent if it has a place for them, else in
/// this process, which lives as long as the parent's sync.
fn sessions(line: &FirstLine, context: &CommandContext) -> Result<Arc<dyn Sessions>> {
    let Some(port) = line.session_port else {
        return Ok(Arc::new(MemorySessions::new()));
    };
    let dialer = Dialer::new(port, &line.credential)?;
    let channel = channel_within(TO_CONNECT, move || {
        let dialer = dialer.clone();
        async move { dialer.dial().await }
    });
    let bytes = context.config().get(&flags::SESSION_STORE_MAXIMUM_SIZE);
    let bytes = usize::try_from(bytes).unwrap_or(0);
    let traces = context.connector_env().traces.clone();
    Ok(Arc::new(RemoteSessions::new(channel, bytes, traces)))
}

/// Reads the first line of standard input, decoded, on a thread that then reads and
/// drops what follows, and cancels `ended` at its end.
async fn first_line(
    context: &CommandContext,
    ended: CancellationToken,
) -> Result<zeroize::Zeroizing<Vec<u8>>, ChildError> {
    let stdin = Arc::clone(&context.stdin);
    let (sender, line) = oneshot::channel();
    tokio::task::spawn_blocking(move || {
        let mut stdin = stdin.lock().unwrap_or_else(PoisonError::into_inner);
        let line = read_first_line(&mut **stdin);
        let failed = line.is_err();
        if sender.send(line).is_err() || failed {
            return;
        }
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            match stdin.read(&mut chunk) {
                Ok(1..) => {}
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => break,
            }
        }
        ended.cancel();
    });
    match line.await {
        Ok(line) => line,
        // The thread panicked.
        Err(_) => Err(ChildError::Stdin {
            source: std::io::ErrorKind::BrokenPipe.into(),
        }),
    }
}
