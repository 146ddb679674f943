//! Service mode: carries out the tasks of ConductorOne (`service-mode.md` §2).

mod changes;
mod given;
mod operations;
mod secret;
mod task_metrics;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use baton_connector::http::{ReqwestTransport, Transport, TransportSettings};
use baton_connector::{Connector, LocalHooks};
use baton_crypto::ClientId;
use baton_grpc::{
    Caller, CallerSettings, ConnectorSettings, InProcess, Limiter, MemorySessions,
    connector_services,
};
use baton_proto::c1::connectorapi::baton::v1::BatonServiceHelloRequest as Hello;
use baton_proto::causes;
use baton_service::{
    Api, ChangesOf, ClientSecretSource, CredentialParts, Credentials, Endpoint, HostFacts, Service,
    ServiceObserver, Settings, SyncSettings, build_info, host_id, os_info, service_channel,
};
use futures_util::future::join_all;
use http::HeaderValue;

use crate::connector_env::Built;
use crate::context::CommandContext;
use crate::error::{Error, Result};
use crate::exit::ExitStatus;
use crate::service::Offered;
use crate::{flags, refused_flags};
pub use given::GivenService;
use operations::Operations;
use secret::SettingSecret;
use task_metrics::TaskMetrics;

/// How this SDK names itself to the service, behind the name of the client.
const SDK: &str = concat!("baton-rust/v", env!("CARGO_PKG_VERSION"));
/// How long actions get to end once the service has.
const ACTIONS_LIMIT: Duration = Duration::from_millis(400);

/// The service that tasks come from, and what this program is to it.
struct Peer {
    id: ClientId,
    endpoint: Endpoint,
    secret: Arc<dyn ClientSecretSource>,
    network: TransportSettings,
    offered: Offered,
    /// Where its folder is; `None` for the folder of the settings.
    temp_dir: Option<PathBuf>,
}

impl Peer {
    /// The one that the flags name.
    fn of_flags(context: &CommandContext) -> Result<Self> {
        let config = context.config();
        let id = ClientId::parse(config.get(&flags::CLIENT_ID))
            .map_err(|source| Error::ClientId { source })?;
        Ok(Self {
            endpoint: Endpoint::new(&id, context.service_env.api_host.as_deref())?,
            id,
            secret: Arc::new(SettingSecret::new(context)),
            network: context.connector_env().network.clone(),
            offered: Offered::by_switches(config),
            temp_dir: None,
        })
    }
}

/// Carries out tasks until a signal.
pub(crate) async fn run(context: CommandContext) -> Result<ExitStatus> {
    let config = context.config();
    refused_flags::refuse_flags_of_one_change(config)?;
    context.check_settings()?;
    if config.get(&flags::KEEP_PREVIOUS_SYNC_C1Z) {
        // No connector of this SDK declares that it can replay a sync.
        tracing::warn!("--keep-previous-sync-c1z has no effect: the connector does not support it");
    }
    let peer = Peer::of_flags(&context)?;
    let credentials = Arc::new(credentials(&context, &peer)?);
    let built = context.connect()?;
    context.check_announced(&built).await?;
    let service = service(&context, &peer, &built, Arc::clone(&credentials)).await?;
    let operations = Operations::start(&context, &service).await?;
    tracing::info!(host = %peer.endpoint, "calling the service");
    let reloads = async {
        loop {
            context.reload.notified().await;
            let reload = reload(&context, &peer, &credentials, &service);
            operations.around_reload(reload).await;
        }
    };
    let ended = tokio::select! {
        biased;
        ended = service.run(context.cancel().clone()) => ended,
        never = reloads => never,
        never = operations.report() => never,
    };
    tokio::join!(end_actions(&service), operations.end());
    ended?;
    Ok(ExitStatus::Success)
}

async fn service(
    context: &CommandContext,
    peer: &Peer,
    built: &Built,
    credentials: Arc<Credentials>,
) -> Result<Service> {
    let api = api(context, peer, Arc::clone(&credentials))?;
    let changes = changes::of_tasks(context, built, credentials).await?;
    let settings = settings(context, peer, built, changes)?;
    let connector = Arc::clone(&built.connector);
    let calls = calls(peer.offered, Arc::clone(&connector));
    Ok(Service::new(api, connector, calls, settings))
}

/// Writes had their time before; this ends what only waits.
async fn end_actions(service: &Service) {
    let connectors = service.connectors();
    let local = connectors.iter().filter_map(|connector| connector.local());
    let actions = join_all(local.map(LocalHooks::end_actions));
    let _ = tokio::time::timeout(ACTIONS_LIMIT, actions).await;
}

fn credentials(context: &CommandContext, peer: &Peer) -> Result<Credentials> {
    let env = context.connector_env();
    let transport: Arc<dyn Transport> = match &env.transport {
        Some(transport) => Arc::clone(transport),
        None => Arc::new(ReqwestTransport::new(&peer.network)?),
    };
    let made = Credentials::new(CredentialParts {
        id: peer.id.clone(),
        endpoint: peer.endpoint.clone(),
        secret: Arc::clone(&peer.secret),
        transport,
        clock: Arc::clone(&env.clock),
        registry: Arc::clone(&env.secrets),
        user_agent: header(&format!("baton-c1-credential-provider {SDK}"))?,
    });
    made.map_err(|source| Error::ClientSecret { source })
}

fn api(context: &CommandContext, peer: &Peer, credentials: Arc<Credentials>) -> Result<Api> {
    let endpoint = &peer.endpoint;
    let channel = match &context.service_channel {
        Some(channel) => channel.clone(),
        None => service_channel(endpoint, &peer.network)?,
    };
    let user_agent = header(&format!("{} {SDK}", peer.id.name()))?;
    let settings = CallerSettings::new(
        endpoint.to_string(),
        endpoint.authority().clone(),
        user_agent,
    );
    let facts = HostFacts::read(Path::new("/"));
    let host_id = host_id(context.service_env.host_id.as_deref(), &facts);
    Ok(Api::new(
        Caller::new(channel, settings),
        credentials,
        &host_id,
    ))
}

fn settings(
    context: &CommandContext,
    peer: &Peer,
    built: &Built,
    changes: ChangesOf,
) -> Result<Settings> {
    let config = context.config();
    let env = context.connector_env();
    let facts = HostFacts::read(Path::new("/"));
    // The target is that of the service, and each task sets the rest.
    let mut request = context.request(built, Path::new("sync.c1z"))?;
    request.skip_full_sync = config.get(&flags::SKIP_FULL_SYNC);
    let temp_dir = match &peer.temp_dir {
        Some(folder) => folder.clone(),
        None => temp_dir(context)?,
    };
    let slots = config.get(&flags::TASK_CONCURRENCY);
    Ok(Settings {
        client_id: peer.id.as_str().to_owned(),
        hello: Hello {
            build_info: Some(build_info(context.program, context.version)),
            os_info: Some(os_info(&facts)),
            ..Hello::default()
        },
        slots: usize::try_from(slots).unwrap_or(1),
        batch: context.service_env.batch,
        syncs: SyncSettings {
            request,
            engine: Arc::clone(&context.engine),
            clock: Arc::clone(&env.clock),
            random: Arc::clone(&env.random),
            temp_dir,
            debug_log: Arc::new(context.debug_log.clone()),
        },
        changes,
        observers: observers(context),
    })
}

/// The folder for temporary files, by the settings or of the system.
fn temp_dir(context: &CommandContext) -> Result<PathBuf> {
    let given = context.temp_dir()?;
    Ok(given.unwrap_or_else(|| context.service_env.temp_dir.clone()))
}

/// Who is notified of what the service does.
fn observers(context: &CommandContext) -> Vec<Arc<dyn ServiceObserver>> {
    let metrics = context.metrics.iter().cloned();
    let metrics = metrics.map(|metrics| metrics as Arc<dyn ServiceObserver>);
    let exported = context.meter.iter().map(TaskMetrics::new);
    let exported = exported.map(|metrics| Arc::new(metrics) as Arc<dyn ServiceObserver>);
    metrics.chain(exported).collect()
}

/// The services of a connector in this process.
fn calls(offered: Offered, connector: Arc<dyn Connector>) -> InProcess {
    let settings = ConnectorSettings {
        provisioning: offered.provisioning,
        ticketing: offered.ticketing,
        limiter: Limiter::default(),
        sessions: Arc::new(MemorySessions::new()),
        // Each task gets the one that counts then.
        client_secret: None,
    };
    InProcess::new(connector_services(connector, settings))
}

/// Reads settings and secrets again. What cannot be read stays as it was.
async fn reload(
    context: &CommandContext,
    peer: &Peer,
    credentials: &Credentials,
    service: &Service,
) {
    match credentials.reload().await {
        Ok(true) => tracing::info!("the client secret was read again and has changed"),
        Ok(false) => tracing::info!("the client secret was read again and has not changed"),
        Err(error) => tracing::error!(
            error = causes::one_line(&error),
            "the client secret stays as it was"
        ),
    }
    match connect_again(context).await {
        Ok(built) => {
            let connector = built.connector;
            let calls = calls(peer.offered, Arc::clone(&connector));
            service.replace_connector(connector, calls);
            tracing::info!("the settings of the connector were read again");
        }
        Err(error) => tracing::error!(
            error = causes::one_line(&error),
            "the settings of the connector stay as they were"
        ),
    }
}

async fn connect_again(context: &CommandContext) -> Result<Built> {
    let resettle = context.resettle.clone();
    let config = tokio::task::spawn_blocking(move || resettle.config()).await;
    let config = config.unwrap_or(Err(Error::Stopped {
        doing: "reading the settings",
    }))?;
    let context = context.clone().with_config(config);
    let built = context.connect()?;
    context.check_announced(&built).await?;
    Ok(built)
}

fn header(text: &str) -> Result<HeaderValue> {
    HeaderValue::from_str(text).map_err(|_| Error::ClientId {
        source: baton_crypto::Error::ClientId,
    })
}
