//! What operators see of a running service: probes, and notices to the service manager.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use baton_connector::http::look_up;
use baton_metrics::TextForm;
use baton_ops::{Health, Limits, Probes, Server, ServiceManager, without_brackets};
use baton_service::{Activity, Service};
use baton_term::TextGate;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::context::CommandContext;
use crate::error::{Error, Result};
use crate::{flags, probes};

/// Where the metrics are.
const METRICS_PATH: &str = "/metrics";
/// The longest check of the connector.
const LONGEST_CHECK: Duration = Duration::from_secs(30);
/// How often the status for the service manager is compared with what the service does.
const STATUS_EVERY: Duration = Duration::from_secs(1);
/// How long requests that have arrived may take when the program ends.
const DRAIN: Duration = Duration::from_millis(400);

/// The probes and the service manager of a service.
pub(super) struct Operations {
    manager: ServiceManager,
    health: Health,
    service: Service,
    /// A signal asked the service to stop.
    stopped: CancellationToken,
    /// Ends the server of probes.
    end: DropGuard,
    served: TaskTracker,
    /// The service manager knows that the program ends.
    has_notified: AtomicBool,
}

impl Operations {
    /// Serves probes if that is asked for, and then notifies the service manager: what can
    /// fail at once has succeeded.
    ///
    /// # Errors
    /// The port cannot be bound.
    pub(super) async fn start(context: &CommandContext, service: &Service) -> Result<Self> {
        let end = CancellationToken::new();
        let operations = Self {
            manager: ServiceManager::new(&context.service_env.manager),
            health: health(service, context.stderr.gate()),
            service: service.clone(),
            stopped: context.cancel().clone(),
            end: end.clone().drop_guard(),
            served: TaskTracker::new(),
            has_notified: AtomicBool::new(false),
        };
        if let Some(server) = bind(context).await? {
            let address = server.address();
            tracing::info!(%address, "serving health checks");
            let mut pages = operations.probes(context).pages();
            if let Some(metrics) = context.metrics.clone() {
                pages = pages.with_chosen_text(METRICS_PATH, move |accept| {
                    let form = TextForm::accepted(accept);
                    (form.content_type(), metrics.render(form))
                });
            }
            let limits = Limits {
                drain: DRAIN,
                ..Limits::default()
            };
            operations.served.spawn(server.serve(pages, limits, end));
        }
        operations.manager.ready(&operations.status()).await;
        Ok(operations)
    }

    fn probes(&self, context: &CommandContext) -> Probes {
        let clock = Arc::clone(&context.connector_env().clock);
        let (service, stopped) = (self.service.clone(), self.stopped.clone());
        Probes {
            now: Arc::new(move || clock.now()),
            ready: Arc::new(move || {
                if stopped.is_cancelled() {
                    return Err("the program is stopping".to_owned());
                }
                let is_ready = service.is_ready();
                let reason = "ConductorOne has not yet accepted this program";
                is_ready.then_some(()).ok_or_else(|| reason.to_owned())
            }),
            health: self.health.clone(),
        }
    }

    /// Notifies the service manager of what the service does, until this is dropped. It is
    /// polled beside the service: if that blocks, the watchdog is not fed.
    pub(super) async fn report<T>(&self) -> T {
        if !self.manager.is_there() {
            return std::future::pending().await;
        }
        let stopping = async {
            self.stopped.cancelled().await;
            self.notify_of_end().await;
        };
        tokio::join!(self.report_status(), self.feed_watchdog(), stopping).0
    }

    async fn notify_of_end(&self) {
        if !self.has_notified.swap(true, Ordering::Relaxed) {
            self.manager.stopping("stopping").await;
        }
    }

    async fn report_status<T>(&self) -> T {
        let mut last = String::new();
        let mut ticks = interval(STATUS_EVERY);
        loop {
            ticks.tick().await;
            let status = self.status();
            if status != last {
                self.manager.status(&status).await;
                last = status;
            }
        }
    }

    async fn feed_watchdog(&self) {
        let Some(period) = self.manager.alive_period() else {
            return;
        };
        let mut ticks = interval(period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            // The threads that carry out tasks are not blocked either.
            let _ = tokio::spawn(async {}).await;
            self.manager.alive().await;
        }
    }

    /// Settings are read again while this runs.
    pub(super) async fn around_reload(&self, reload: impl Future<Output = ()>) {
        self.manager.reloading().await;
        reload.await;
        // It was about the connector before.
        self.health.forget();
        self.manager.ready(&self.status()).await;
    }

    /// Ends the server of probes. The service has ended.
    pub(super) async fn end(self) {
        self.notify_of_end().await;
        drop(self.end);
        self.served.close();
        self.served.wait().await;
    }

    fn status(&self) -> String {
        if self.stopped.is_cancelled() {
            return "stopping".to_owned();
        }
        match self.service.activity() {
            Activity::Calling => "calling ConductorOne".to_owned(),
            Activity::Running(1) => "1 task is running".to_owned(),
            Activity::Running(tasks) => format!("{tasks} tasks are running"),
            Activity::Stopping => "stopping".to_owned(),
            // `Asking`.
            _ => "asking for tasks".to_owned(),
        }
    }
}

async fn bind(context: &CommandContext) -> Result<Option<Server>> {
    let config = context.config();
    if !config.get(&flags::HEALTH_CHECK) {
        return Ok(None);
    }
    let (host, port) = (probes::host(config)?, probes::port_to_bind(config)?);
    let bound = match look_up(without_brackets(host), port).await {
        Ok(addresses) => Server::bind(&addresses).await,
        Err(error) => Err(error),
    };
    bound.map(Some).map_err(|source| Error::HealthServer {
        address: baton_ops::authority(host, port),
        source,
    })
}

/// The health of the connector: does it accept its settings and credentials?
fn health(service: &Service, gate: TextGate) -> Health {
    let service = service.clone();
    Health::new(Arc::new(move || {
        let (service, gate) = (service.clone(), gate.clone());
        Box::pin(async move {
            let refused = service.validate(LONGEST_CHECK).await.err();
            let Some(status) = refused else {
                return Ok(());
            };
            // The form of the Go programs.
            let (code, text) = (status.code.name(), &status.message);
            let text = format!("rpc error: code = {code} desc = {text}");
            let text = gate.pass(&text).into_owned();
            tracing::warn!(error = text, "the check of the connector failed");
            Err(text)
        })
    }))
}
