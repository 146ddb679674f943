//! Carries out the tasks of a service that a command names, such as a simulated one.

use std::sync::Arc;

use baton_connector::Secret;
use baton_connector::http::{Proxies, TransportSettings};
use baton_crypto::ClientId;
use baton_service::{Endpoint, FixedSecret};
use tokio_util::sync::CancellationToken;

use super::{Peer, credentials, end_actions, service, temp_dir};
use crate::connector_env::Built;
use crate::context::CommandContext;
use crate::error::{Error, Result};
use crate::service::Offered;

/// A service on this machine, whose tasks [`CommandContext::serve_tasks`] carries out.
#[derive(Debug, Clone)]
pub struct GivenService {
    /// Names this program to the service, and the service's host and port.
    pub client_id: String,
    /// Belongs to the client id.
    pub client_secret: Secret,
    /// Certificates in PEM form that the service's certificate may be signed by.
    pub roots_pem: String,
}

impl CommandContext {
    /// Introduces the program to a service and carries out its tasks with a connector, until
    /// `stop` or a signal. Changes of access are offered to it.
    ///
    /// # Errors
    ///
    /// The service or the client secret cannot be used, or the service refuses the program.
    pub async fn serve_tasks(
        &self,
        built: &Built,
        given: &GivenService,
        stop: CancellationToken,
    ) -> Result<()> {
        let id = ClientId::parse(&given.client_id).map_err(|source| Error::ClientId { source })?;
        // A service that comes and goes must leave nothing behind.
        let parent = temp_dir(self)?;
        let folder = tempfile::Builder::new()
            .prefix("baton-service-")
            .tempdir_in(&parent)
            .map_err(|source| Error::Save {
                path: parent,
                source,
            })?;
        let peer = Peer {
            endpoint: Endpoint::new(&id, None)?,
            id,
            secret: Arc::new(FixedSecret::new(given.client_secret.clone())),
            network: TransportSettings {
                extra_roots_pem: Some(given.roots_pem.clone().into_bytes()),
                // The service is on this machine: no proxy can reach it.
                proxies: Proxies::None,
                ..TransportSettings::default()
            },
            offered: Offered {
                provisioning: true,
                ticketing: true,
            },
            temp_dir: Some(folder.path().to_owned()),
        };
        let credentials = Arc::new(credentials(self, &peer)?);
        let service = service(self, &peer, built, credentials).await?;
        let cancel = self.cancel().clone();
        let stopped = stop.clone();
        let by_signal = async move {
            cancel.cancelled().await;
            stopped.cancel();
            std::future::pending().await
        };
        let ended = tokio::select! {
            ended = service.run(stop) => ended,
            never = by_signal => never,
        };
        end_actions(&service).await;
        Ok(ended?)
    }
}
