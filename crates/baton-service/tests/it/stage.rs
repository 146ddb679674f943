//! A service in this process, with the simulator at the other end of a stream in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use baton_connector::http::{
    BodyStream, NoSecretRegistry, Transport, TransportError, TransportErrorKind, whole_body,
};
use baton_connector::{ChangeSettings, Clock, Connector, SplitMix};
use baton_crypto::ClientId;
use baton_grpc::{Caller, CallerSettings, channel};
use baton_proto::c1::connectorapi::baton::v1::BatonServiceHelloRequest as Hello;
use baton_proto::c1::connectorapi::baton::v1::baton_service_hello_request::{BuildInfo, OsInfo};
use baton_service::{
    Api, CredentialParts, Credentials, DebugLog, Endpoint, Engine, Error, FixedSecret, Service,
    ServiceObserver, Settings, SyncSettings,
};
use baton_sync::SyncRequest;
use bytes::Bytes;
use c1_sim::{ClientKey, Config, PlannedTask, Simulator};
use http::HeaderValue;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::rich::Rich;
use crate::serving::{HOST, services};

const CLIENT_ID: &str = "sim@tenant.test/valet";
/// No test takes longer.
const LONGEST: Duration = Duration::from_hours(24);
/// Bytes of the pipe between both ends.
const PIPE_BYTES: usize = 256 * 1024;

/// The clock of the simulator, for the client.
struct SimClock(Simulator);

impl std::fmt::Debug for SimClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SimClock")
    }
}

impl Clock for SimClock {
    fn now(&self) -> SystemTime {
        SystemTime::try_from(self.0.clock().now()).unwrap()
    }
}

/// Sends token requests to the simulator.
#[derive(Clone)]
struct TokenPath(Simulator);

impl std::fmt::Debug for TokenPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenPath")
    }
}

#[async_trait]
impl Transport for TokenPath {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<BodyStream>, TransportError> {
        match self.0.token(request).await {
            Ok(response) => Ok(response.map(whole_body)),
            Err(broken) => Err(TransportError::new(
                TransportErrorKind::Reset,
                broken.to_string(),
            )),
        }
    }
}

/// Keeps the debug log of one task in a file of one line.
struct OneLine;

impl DebugLog for OneLine {
    fn begin(&self, path: &std::path::Path) -> std::io::Result<Box<dyn Send>> {
        std::fs::write(path, "{\"msg\":\"a line\"}\n")?;
        Ok(Box::new(()))
    }
}

/// What a test decides before the service starts.
pub(crate) struct Stage {
    pub(crate) simulator: Simulator,
    pub(crate) folder: Arc<TempDir>,
    pub(crate) connector: Arc<dyn Connector>,
    pub(crate) engine: Engine,
    pub(crate) request: SyncRequest,
    pub(crate) slots: usize,
    pub(crate) batch: bool,
    pub(crate) enabled: bool,
    pub(crate) observers: Vec<Arc<dyn ServiceObserver>>,
    key: ClientKey,
}

/// A service that runs.
pub(crate) struct Running {
    simulator: Simulator,
    pub(crate) service: Service,
    pub(crate) stop: CancellationToken,
    task: tokio::task::JoinHandle<Result<(), Error>>,
}

impl Running {
    /// Waits until so many tasks are finished.
    pub(crate) async fn finished(&mut self, tasks: usize) {
        let finished = tokio::time::timeout(LONGEST, self.simulator.wait_finished(tasks));
        tokio::select! {
            finished = finished => {
                let calls = self.simulator.calls();
                let calls: Vec<String> = calls.iter().map(ToString::to_string).collect();
                assert!(finished.is_ok(), "{calls:#?}");
            }
            ended = &mut self.task => panic!("the service ended: {ended:?}"),
        }
    }

    /// Asks it to stop, and waits for its end.
    pub(crate) async fn end(self) -> Result<(), Error> {
        self.stop.cancel();
        self.task.await.unwrap()
    }

    /// Waits for its end.
    pub(crate) async fn ended(self) -> Result<(), Error> {
        self.task.await.unwrap()
    }
}

impl Stage {
    /// A service of `connector` that changes access and has tickets.
    pub(crate) fn new(connector: Arc<dyn Connector>) -> Self {
        Self::configured(connector, |_| ())
    }

    /// As [`Stage::new`], with other settings of the simulator.
    pub(crate) fn configured(
        connector: Arc<dyn Connector>,
        configure: impl FnOnce(&mut Config),
    ) -> Self {
        let key = ClientKey::from_seed([7; 32]).unwrap();
        let date = "2026-12-01T10:00:00Z".parse().unwrap();
        let mut config = Config::new(CLIENT_ID, &key, date).unwrap();
        configure(&mut config);
        let simulator = Simulator::new(config);
        simulator.forbid("the client secret", key.client_secret().as_bytes());
        Self {
            simulator,
            folder: Arc::new(tempfile::tempdir().unwrap()),
            connector,
            engine: Arc::new(|connector, request, host| {
                Box::pin(baton_sync::run(connector, request, host))
            }),
            request: SyncRequest::new("unused"),
            slots: 3,
            batch: false,
            enabled: true,
            observers: Vec::new(),
            key,
        }
    }

    pub(crate) fn plan(&self, id: &str, task: &str) {
        let text = format!("{{\"id\": \"{}\", {task}}}", padded(id));
        self.simulator.plan(PlannedTask::from_json(&text).unwrap());
    }

    /// Starts the service.
    pub(crate) fn start(&self) -> Running {
        let service = self.service();
        let stop = CancellationToken::new();
        let task = tokio::spawn({
            let (service, stop) = (service.clone(), stop.clone());
            async move { service.run(stop).await }
        });
        Running {
            simulator: self.simulator.clone(),
            service,
            stop,
            task,
        }
    }

    /// Gives a running service a new connector, as new settings do.
    pub(crate) fn replace_connector(&self, running: &Running) {
        let connector = Rich::with_schemas(2);
        let calls = services(Arc::clone(&connector), self.enabled);
        running.service.replace_connector(connector, calls);
    }

    fn service(&self) -> Service {
        let id = ClientId::parse(CLIENT_ID).unwrap();
        let endpoint = Endpoint::new(&id, None).unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SimClock(self.simulator.clone()));
        let credentials = Credentials::new(CredentialParts {
            id: id.clone(),
            endpoint: endpoint.clone(),
            secret: Arc::new(FixedSecret::new(self.key.client_secret().into())),
            transport: Arc::new(TokenPath(self.simulator.clone())),
            clock: Arc::clone(&clock),
            registry: Arc::new(NoSecretRegistry),
            user_agent: HeaderValue::from_static("baton-c1-credential-provider test"),
        })
        .unwrap();
        let simulator = self.simulator.clone();
        let channel = channel(move || {
            let (client, server) = tokio::io::duplex(PIPE_BYTES);
            let simulator = simulator.clone();
            tokio::spawn(async move { simulator.serve_stream(server).await });
            std::future::ready(Ok(client))
        });
        let caller = Caller::new(
            channel,
            CallerSettings::new(
                "the service",
                endpoint.authority().clone(),
                HeaderValue::from_static("sim baton-rust/v0"),
            ),
        );
        let api = Api::new(caller, Arc::new(credentials), HOST);
        let settings = Settings {
            client_id: CLIENT_ID.to_owned(),
            hello: hello(),
            slots: self.slots,
            batch: self.batch,
            syncs: SyncSettings {
                request: self.request.clone(),
                engine: Arc::clone(&self.engine),
                clock,
                random: Arc::new(SplitMix::seeded(1)),
                temp_dir: self.folder.path().to_owned(),
                debug_log: Arc::new(OneLine),
            },
            changes: Arc::new(|_| ChangeSettings::default()),
            observers: self.observers.clone(),
        };
        let calls = services(Arc::clone(&self.connector), self.enabled);
        Service::new(api, Arc::clone(&self.connector), calls, settings)
    }

    /// Runs the service until so many tasks are finished, and stops it. The simulator
    /// must have nothing to complain about.
    pub(crate) async fn run(&self, tasks: usize) {
        let mut running = self.start();
        running.finished(tasks).await;
        running.end().await.unwrap();
        self.assert_fine();
    }

    /// Whether the file of a sync is in the folder of the service.
    pub(crate) fn has_file(&self) -> bool {
        let mut folders = std::fs::read_dir(self.folder.path()).unwrap();
        folders.any(|folder| folder.unwrap().path().join("sync.c1z").exists())
    }

    /// The simulator has nothing to complain about.
    pub(crate) fn assert_fine(&self) {
        let verdict = self.simulator.verdict_at_end();
        assert!(verdict.is_empty(), "{verdict:#?}");
    }

    /// Code and text of the report of a task; code 0 is a success.
    pub(crate) fn report(&self, id: &str) -> (i32, String) {
        let finished = self.simulator.result_of(&padded(id)).unwrap();
        let status = finished.request.status.as_ref();
        let text = status.map_or_else(String::new, |status| status.message.clone());
        assert_eq!(finished.is_success(), status.is_none());
        (finished.code(), text)
    }
}

/// An id of a task.
pub(crate) fn padded(id: &str) -> String {
    format!("{id:0<27}")
}

fn hello() -> Hello {
    let text = || "test".to_owned();
    Hello {
        build_info: Some(BuildInfo {
            lang_version: text(),
            package: text(),
            package_version: text(),
        }),
        os_info: Some(OsInfo {
            hostname: text(),
            os: text(),
            platform: text(),
            platform_version: text(),
            platform_family: text(),
            kernel_version: text(),
            kernel_arch: text(),
            virtualization_system: text(),
        }),
        ..Hello::default()
    }
}

/// Counts, across the tasks of a test.
#[derive(Clone, Default)]
pub(crate) struct Counter(Arc<AtomicU64>);

impl Counter {
    pub(crate) fn add(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
