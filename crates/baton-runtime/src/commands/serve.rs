//! `serve`: serves the connector over gRPC to other programs.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use baton_flags::{Command, Config, Export, Field, Relation};
use baton_grpc::serve::{
    Address, CertificateFiles, FileIdentity, Identity, Listener, add_health_and_reflection,
};
use baton_grpc::{ConnectorSettings, Limiter, MemorySessions, Server, connector_services};

use crate::context::CommandContext;
use crate::error::{Error, Result};
use crate::exit::ExitStatus;
use crate::service::{self, Offered};
use crate::signals::StopMessages;
use crate::task::{Runs, Task, Writes, body};
use crate::{preflight, refused_flags};

/// Between two pings of a connection.
const PING_EVERY: Duration = Duration::from_secs(30);

pub(crate) const LISTEN: Field<String> = Field::string(
    "listen",
    "where to listen: <ip address>:<port>, or unix:<path> for a socket file",
)
.value_name("address")
.default("127.0.0.1:9000")
.export(Export::None);
pub(crate) const TLS_CERT: Field<Option<PathBuf>> = Field::path(
    "tls-cert",
    "certificate chain of the server, as PEM; read again when it changes",
)
.must_name("the path of a certificate file")
.export(Export::None);
pub(crate) const TLS_KEY: Field<Option<PathBuf>> =
    Field::path("tls-key", "private key of --tls-cert, as PEM")
        .must_name("the path of a key file")
        .export(Export::None);
pub(crate) const TLS_CLIENT_CA: Field<Option<PathBuf>> = Field::path(
    "tls-client-ca",
    "authorities of client certificates, as PEM; each client must show a certificate",
)
.must_name("the path of a certificate file")
.export(Export::None);
pub(crate) const INSECURE: Field<bool> = Field::bool(
    "insecure",
    "accept calls from other machines without client certificates",
)
.export(Export::None);

pub(super) fn command() -> Command<Runs> {
    Command::new("serve", "serve the connector over gRPC to other programs")
        .with_root_fields()
        .field(LISTEN)
        .field(TLS_CERT)
        .field(TLS_KEY)
        .field(TLS_CLIENT_CA)
        .field(INSECURE)
        .relation(Relation::RequiredTogether(vec![
            TLS_CERT.name(),
            TLS_KEY.name(),
        ]))
        .relation(Relation::DependentOn {
            fields: vec![TLS_CLIENT_CA.name()],
            on: vec![TLS_CERT.name()],
        })
        .example(
            "serve to programs of this machine",
            "serve --listen unix:connector.sock",
        )
        .example(
            "serve changes of access to clients with a certificate",
            "serve --listen 0.0.0.0:9000 --tls-cert cert.pem --tls-key key.pem --tls-client-ca \
             ca.pem --provisioning",
        )
        .runs(Runs::Work(Arc::new(|_| Task {
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
    refused_flags::refuse_change_flags(config)?;
    let address = Address::parse(config.get(&LISTEN))?.within(context.cwd());
    let files = certificate_files(config);
    check_exposure(config, &address, files.as_ref())?;
    let secured = match &files {
        None => "without TLS",
        Some(files) if files.client_ca.is_none() => "with TLS",
        Some(_) => "with TLS and client certificates",
    };
    let identity = match files {
        Some(files) => Some(Arc::new(FileIdentity::read(files)?) as Arc<dyn Identity>),
        None => None,
    };
    let built = context.connect()?;
    context.check_announced(&built).await?;
    let offered = Offered::by_switches(config);
    let settings = ConnectorSettings {
        provisioning: offered.provisioning,
        ticketing: offered.ticketing,
        limiter: Limiter::default(),
        sessions: Arc::new(MemorySessions::new()),
        client_secret: None,
    };
    let connector = Arc::clone(&built.connector);
    let mut router = connector_services(Arc::clone(&connector), settings);
    add_health_and_reflection(&mut router)
        .await
        .map_err(|source| Error::Reflection { source })?;
    router.continue_traces(context.connector_env().traces.clone());
    let server = Server::with_pings(router, Some(PING_EVERY));
    let listener = Listener::bind(address).await?;
    context.print_status(&format!("listening on {} {secured}", listener.address()));
    let stopped = context.cancel().clone();
    let stop = async move { stopped.cancelled().await };
    service::serve(server, connector, listener, identity, stop).await;
    Ok(ExitStatus::Success)
}

fn certificate_files(config: &Config) -> Option<CertificateFiles> {
    let path = |field: &Field<Option<PathBuf>>| config.get(field).map(ToOwned::to_owned);
    Some(CertificateFiles {
        certificate: path(&TLS_CERT)?,
        key: path(&TLS_KEY)?,
        client_ca: path(&TLS_CLIENT_CA),
    })
}

/// Refuses an address that other machines reach, unless clients show certificates
/// or the user accepts that they do not.
fn check_exposure(
    config: &Config,
    address: &Address,
    files: Option<&CertificateFiles>,
) -> Result<()> {
    let authenticated = files.is_some_and(|files| files.client_ca.is_some());
    let insecure = config.get(&INSECURE);
    if address.is_local() || authenticated {
        if insecure {
            tracing::warn!(
                "--insecure has no effect: only programs of this machine, or with a \
                 certificate, can connect"
            );
        }
        return Ok(());
    }
    if !insecure {
        return Err(Error::Exposed {
            address: address.clone(),
        });
    }
    tracing::warn!(
        address = %address,
        "every machine that reaches this address can make calls: clients show no certificate"
    );
    Ok(())
}
