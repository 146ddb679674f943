//! A connector that is a child process, started when it is first called.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use baton_connector::Clock;
use baton_proto::Code;
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::credential::Credentials;
use super::error::ChildError;
use super::start::{Child, Launch, Peer};
use super::tls::server_config;
use crate::TraceContext;
use crate::client::{ClientSettings, RemoteConnector};
use crate::serve::{Listener, accept};
use crate::server::Server;
use crate::session::{SyncStores, session_service};
use crate::transport::{Gone, channel_within};

/// A broken connection can be the first sign of the child's end.
const END_AFTER_BREAK: Duration = Duration::from_millis(500);
/// How long a start may take in all, with the certificates.
const TO_START: Duration = Duration::from_secs(40);

type MakeLaunch = dyn Fn(Credentials) -> Launch + Send + Sync;

/// A connector whose process is started by the first call, with a session server of
/// its own. It ends when the connector is dropped; `ending` then waits for the end of
/// the process. A process that has ended is not started again.
///
/// `launch` describes what to start, with these certificates. `traces` continues traces
/// in the child, and those of the child in its session server.
pub fn child_connector<L>(
    name: &str,
    clock: Arc<dyn Clock>,
    ending: TaskTracker,
    traces: Option<Arc<dyn TraceContext>>,
    launch: L,
) -> RemoteConnector
where
    L: Fn(Credentials) -> Launch + Send + Sync + 'static,
{
    let stores = SyncStores::new();
    let driven = Arc::new(Driven {
        clock,
        ending,
        launch: Box::new(launch),
        stores: stores.clone(),
        traces: traces.clone(),
        state: Mutex::new(State::NotStarted),
    });
    let dialled = Arc::clone(&driven);
    let channel = channel_within(TO_START, move || {
        let driven = Arc::clone(&dialled);
        async move { driven.dial().await }
    });
    let channel = channel.explained_by(move || {
        let driven = Arc::clone(&driven);
        async move { driven.explain().await }
    });
    let mut settings = ClientSettings::new(name);
    settings.sessions = Some(stores);
    settings.traces = traces;
    RemoteConnector::new(channel, settings)
}

struct Driven {
    clock: Arc<dyn Clock>,
    ending: TaskTracker,
    launch: Box<MakeLaunch>,
    stores: SyncStores,
    traces: Option<Arc<dyn TraceContext>>,
    state: Mutex<State>,
}

enum State {
    NotStarted,
    Running(Running),
    Gone(Gone),
}

struct Running {
    child: Child,
    /// Ends the session server.
    _sessions: DropGuard,
}

impl Driven {
    async fn dial(&self) -> io::Result<Peer> {
        let mut state = self.state.lock().await;
        if let State::NotStarted = *state {
            *state = match self.start().await {
                Ok(running) => State::Running(running),
                Err(error) => State::Gone(gone(&error)),
            };
        }
        match &*state {
            State::Running(running) => {
                let dialer = running.child.dialer();
                drop(state);
                dialer.dial().await
            }
            State::Gone(gone) => Err(io::Error::other(gone.clone())),
            State::NotStarted => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    async fn start(&self) -> Result<Running, ChildError> {
        let credentials = Credentials::issue(self.clock.now())?;
        let tls = server_config(&credentials.child)?;
        let mut launch = (self.launch)(credentials);
        let (port, sessions) = serve_sessions(&self.stores, self.traces.clone(), tls).await?;
        launch.session_port = Some(port);
        let child = launch.start().await?;
        self.ending.spawn(child.gone());
        Ok(Running {
            child,
            _sessions: sessions,
        })
    }

    /// Why a call was broken off, if the child has ended.
    async fn explain(&self) -> Option<Gone> {
        let mut state = self.state.lock().await;
        if let State::Running(running) = &*state {
            let ended = timeout(END_AFTER_BREAK, running.child.ended()).await;
            *state = State::Gone(gone(&ended.ok()?));
        }
        match &*state {
            State::Gone(gone) => Some(gone.clone()),
            _ => None,
        }
    }
}

/// Serves the session stores at a port of this machine, to holders of a certificate
/// of the same authority.
async fn serve_sessions(
    stores: &SyncStores,
    traces: Option<Arc<dyn TraceContext>>,
    tls: ServerConfig,
) -> Result<(u16, DropGuard), ChildError> {
    let failed = |source| ChildError::Listen { source };
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    let socket = socket.map_err(failed)?;
    let port = socket.local_addr().map_err(failed)?.port();
    let listener = Listener::of_tcp(socket).map_err(failed)?;
    let mut router = session_service(stores);
    router.continue_traces(traces);
    let server = Server::new(router);
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    tokio::spawn(async move {
        let served = server.clone();
        let identity = Arc::new(Arc::new(tls));
        accept(&listener, Some(identity), &stopped, move |io| {
            let server = served.clone();
            async move { server.serve(io).await }
        })
        .await;
        server.stop(Duration::ZERO).await;
    });
    Ok((port, stop.drop_guard()))
}

fn gone(error: &ChildError) -> Gone {
    let source = std::error::Error::source(error);
    let cause = source.map(|source| source.to_string().replace('\n', "; "));
    let code = match error {
        ChildError::Late { .. } => Code::DeadlineExceeded,
        ChildError::Start { source, .. } => match source.kind() {
            io::ErrorKind::NotFound => Code::NotFound,
            io::ErrorKind::PermissionDenied => Code::PermissionDenied,
            _ => Code::Unknown,
        },
        _ => Code::Unknown,
    };
    Gone {
        code,
        text: error.to_string(),
        cause,
    }
}
