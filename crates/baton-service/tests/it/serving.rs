//! The services of a connector, for tasks of tests.

use std::sync::Arc;

use baton_connector::{ClientSecret, Connector};
use baton_grpc::connector_services;
use baton_grpc::{CallOptions, ConnectorSettings, InProcess, Limiter, MemorySessions};
use baton_proto::c1::connectorapi::baton::v1::{BatonServiceFinishTaskRequest as FinishTask, Task};
use baton_service::carry_out;

/// The host of the recordings.
pub(crate) const HOST: &str = "golden-host";

/// The services of a connector; `enabled` with those that change access, and tickets.
pub(crate) fn services(connector: Arc<dyn Connector>, enabled: bool) -> InProcess {
    services_with(connector, enabled, None)
}

/// As [`services`], with a secret that opens the passwords of tasks.
pub(crate) fn services_with(
    connector: Arc<dyn Connector>,
    enabled: bool,
    client_secret: Option<Arc<ClientSecret>>,
) -> InProcess {
    InProcess::new(connector_services(
        connector,
        ConnectorSettings {
            provisioning: enabled,
            ticketing: enabled,
            limiter: Limiter::default(),
            sessions: Arc::new(MemorySessions::new()),
            client_secret,
        },
    ))
}

/// The report of a task.
pub(crate) async fn report(calls: &InProcess, task: &Task, options: CallOptions) -> FinishTask {
    let outcome = carry_out(task, calls, options).await;
    outcome.into_report(HOST, &task.id)
}
