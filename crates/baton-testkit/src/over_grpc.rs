//! A connector behind gRPC, in the process of a test.

use std::sync::Arc;

use baton_connector::{CallRetryPolicy, Connector, Retrying, SplitMix, SystemClock};
use baton_grpc::{
    Channel, ClientSettings, ConnectorSettings, Limiter, RemoteConnector, RemoteSessions, Router,
    Server, SyncStores, channel, connector_services, session_service,
};

/// Bytes in flight of a connection in memory.
const IN_FLIGHT: usize = 1 << 16;
/// Bytes of session values that the server keeps.
const SESSION_CACHE: usize = 1 << 20;

/// The connector as an engine in another process sees it: behind a server and a client
/// that are connected in memory. Changes and tickets are served. It has no
/// [`Connector::local`].
///
/// Needs a tokio runtime, whose time may be paused.
pub fn over_grpc(connector: Arc<dyn Connector>) -> Arc<dyn Connector> {
    let stores = SyncStores::new();
    let sessions = RemoteSessions::new(connected(session_service(&stores)), SESSION_CACHE, None);
    let services = connector_services(
        connector,
        ConnectorSettings {
            provisioning: true,
            ticketing: true,
            limiter: Limiter::default(),
            sessions: Arc::new(sessions),
            client_secret: None,
        },
    );
    let mut settings = ClientSettings::new("memory");
    settings.sessions = Some(stores);
    Arc::new(Retrying::new(
        RemoteConnector::new(connected(services), settings),
        CallRetryPolicy::default(),
        Arc::new(SystemClock),
        Arc::new(SplitMix::seeded(2)),
    ))
}

/// A channel to a server of these services.
fn connected(services: Router) -> Channel {
    let server = Server::new(services);
    channel(move || {
        let (near, far) = tokio::io::duplex(IN_FLIGHT);
        let server = server.clone();
        tokio::spawn(async move { server.serve(far).await });
        std::future::ready(Ok(near))
    })
}
