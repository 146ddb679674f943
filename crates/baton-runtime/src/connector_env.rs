//! What a connector gets from its program, and gives back.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use baton_connector::http::{
    HttpClient, HttpObserver, HttpParts, HttpSettings, ReadApiError, ReqwestTransport,
    SecretRegistry, Transport, TransportSettings,
};
use baton_connector::{Clock, Connector, Random, v2};
use baton_flags::Config;
use baton_grpc::TraceContext;

use crate::child_process::ChildProcesses;
use crate::settings::CommonSettings as _;

/// A connector, ready to be driven.
pub struct Built {
    /// The connector.
    pub connector: Arc<dyn Connector>,
    /// What decides the content of its answers, such as base URL and organization. Work that was
    /// begun under other facts is not resumed. No secrets.
    pub content_facts: BTreeMap<String, String>,
}

/// What a connector may use of the program around it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ConnectorEnv {
    /// Wall clock.
    pub clock: Arc<dyn Clock>,
    /// Random source, for jitter.
    pub random: Arc<dyn Random>,
    /// Current folder; relative paths in settings start here.
    pub cwd: PathBuf,
    /// Name and version of the program, as a `User-Agent` header wants them.
    pub user_agent: String,
    /// The network; `None` for that of the machine.
    pub transport: Option<Arc<dyn Transport>>,
    /// How that of the machine is used: the authorities that the user trusts.
    pub network: TransportSettings,
    /// Keeps tokens that are got during a run out of everything that people read.
    pub secrets: Arc<dyn SecretRegistry>,
    /// Continues traces in connectors of other processes.
    pub traces: Option<Arc<dyn TraceContext>>,
    /// Is notified of the requests of clients made here.
    pub http_observer: Arc<dyn HttpObserver>,
    /// For connectors that start another program.
    pub child_processes: ChildProcesses,
}

impl ConnectorEnv {
    /// A client for the application's API with everything set that flags and the environment decide:
    /// time limit, rates, user agent, clock, randomness, network and hiding of tokens. Pass it to
    /// [`ConnectorBuilder::http`](baton_connector::ConnectorBuilder::http), too.
    ///
    /// # Errors
    ///
    /// Rates that cannot be used, or a network that cannot be set up.
    pub fn http(
        &self,
        config: &Config,
        api_errors: impl ReadApiError + 'static,
    ) -> baton_connector::Result<HttpClient> {
        let (mut parts, settings) = self.http_parts(config, &self.network)?;
        parts.api_errors = Arc::new(api_errors);
        HttpClient::new(parts, settings)
    }

    /// What [`ConnectorEnv::http`] makes a client of, for connectors that change something of it.
    /// `network` is usually [`ConnectorEnv::network`]; it has no effect if [`ConnectorEnv::transport`] is set.
    ///
    /// # Errors
    ///
    /// As [`ConnectorEnv::http`].
    pub fn http_parts(
        &self,
        config: &Config,
        network: &TransportSettings,
    ) -> baton_connector::Result<(HttpParts, HttpSettings)> {
        let transport = match &self.transport {
            Some(transport) => Arc::clone(transport),
            None => Arc::new(ReqwestTransport::new(network)?),
        };
        let parts = HttpParts {
            clock: Arc::clone(&self.clock),
            random: Arc::clone(&self.random),
            secrets: Arc::clone(&self.secrets),
            observer: Arc::clone(&self.http_observer),
            ..HttpParts::new(transport, 0)
        };
        let settings = HttpSettings {
            user_agent: self.user_agent.clone(),
            total_timeout: config.http_timeout(),
            rate: config.rate()?,
            ..HttpSettings::default()
        };
        Ok((parts, settings))
    }
}

/// Makes a connector from settled values. It sends no request.
pub type Connect =
    Box<dyn Fn(&Config, &ConnectorEnv) -> baton_connector::Result<Built> + Send + Sync>;

/// The same, shared with the commands that make a connector.
pub(crate) type SharedConnect =
    Arc<dyn Fn(&Config, &ConnectorEnv) -> baton_connector::Result<Built> + Send + Sync>;

/// What a connector announces, known before it is made.
pub(crate) type Announce =
    Arc<dyn Fn(&Config) -> baton_connector::Result<v2::ConnectorCapabilities> + Send + Sync>;
