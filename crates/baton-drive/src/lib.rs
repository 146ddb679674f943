//! Drives a connector that is another program: everything that a connector's own
//! program can do, from a sync to a ticket, over gRPC.
//!
//! The connector serves at an address (`--connector-addr`), or is started for the run
//! (`--connector-command`). It can be written in any language: the protocol is that of
//! the Go SDK.

mod command;
mod served;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use baton_connector::{CallRetryPolicy, Code, Error, Retrying};
use baton_grpc::RemoteConnector;
use baton_runtime::{
    App, Built, Config, ConnectorEnv, Export, Field, Presentation, Relation, StringRules,
};

const NAME: &str = "baton-drive";
const CONNECTOR: &str = "Connector";

const COMMAND: Field<String> = Field::string(
    "connector-command",
    "command that starts a connector, as in 'baton-okta --domain acme'; quotes as in a shell",
)
.value_name("command")
.heading(CONNECTOR)
.rules(StringRules::NONE)
.export(Export::None);
const ADDRESS: Field<String> = Field::string(
    "connector-addr",
    "where a connector serves: <host>:<port> or unix:<path>",
)
.value_name("address")
.heading(CONNECTOR)
.rules(StringRules::NONE)
.export(Export::None);
const TLS_CA: Field<Option<PathBuf>> = Field::path(
    "connector-tls-ca",
    "authorities that sign the connector's certificate (PEM); without it those of this machine",
)
.heading(CONNECTOR)
.export(Export::None);
const TLS_CERT: Field<Option<PathBuf>> = Field::path(
    "connector-tls-cert",
    "certificate that is shown to the connector (PEM)",
)
.heading(CONNECTOR)
.export(Export::None);
const TLS_KEY: Field<Option<PathBuf>> =
    Field::path("connector-tls-key", "key of that certificate (PEM)")
        .heading(CONNECTOR)
        .export(Export::None);
const TLS_NAME: Field<String> = Field::string(
    "connector-tls-name",
    "name in the connector's certificate, if it is not that of the address",
)
.value_name("name")
.heading(CONNECTOR)
.rules(StringRules::NONE)
.export(Export::None);
const TLS: Field<bool> = Field::bool(
    "connector-tls",
    "use TLS with the trusted authorities of this machine; implied by the other TLS flags",
)
.heading(CONNECTOR)
.export(Export::None);
const INSECURE: Field<bool> = Field::bool(
    "connector-insecure",
    "send everything unencrypted to another machine",
)
.heading(CONNECTOR)
.export(Export::None);

/// The program.
pub fn app() -> App {
    let of_address = [
        TLS_CA.name(),
        TLS_CERT.name(),
        TLS_KEY.name(),
        TLS_NAME.name(),
    ];
    let of_address = of_address.into_iter().chain([TLS.name(), INSECURE.name()]);
    App::new(NAME, env!("CARGO_PKG_VERSION"), Box::new(connect))
        .commit(option_env!("BATON_COMMIT"))
        .about("drive a connector that is another program: sync, change access, run its actions")
        .presentation(Presentation {
            display_name: "Drive",
            ..Presentation::default()
        })
        .field(COMMAND)
        .field(ADDRESS)
        .field(TLS)
        .field(TLS_CA)
        .field(TLS_CERT)
        .field(TLS_KEY)
        .field(TLS_NAME)
        .field(INSECURE)
        .relation(Relation::AtLeastOne(vec![COMMAND.name(), ADDRESS.name()]))
        .relation(Relation::MutuallyExclusive(vec![
            COMMAND.name(),
            ADDRESS.name(),
        ]))
        .relation(Relation::RequiredTogether(vec![
            TLS_CERT.name(),
            TLS_KEY.name(),
        ]))
        .relation(Relation::DependentOn {
            fields: of_address.collect(),
            on: vec![ADDRESS.name()],
        })
        .without_http()
        .capabilities_of_connector()
        .example(
            "sync what a connector reads, which is started for it",
            "--connector-command 'baton-csv --folder sample'",
        )
        .example(
            "test a connector that serves at a port of this machine",
            "selftest --connector-addr 127.0.0.1:9000",
        )
}

fn connect(config: &Config, env: &ConnectorEnv) -> baton_connector::Result<Built> {
    let command = config.get(&COMMAND);
    if command.is_empty() && config.get(&ADDRESS).is_empty() {
        let (command, address) = (COMMAND.name(), ADDRESS.name());
        let text = format!("no connector to drive: give --{command} or --{address}");
        return Err(Error::stated(Code::InvalidArgument, text));
    }
    let (remote, fact): (RemoteConnector, _) = if command.is_empty() {
        served::connector(config, env)?
    } else {
        command::connector(command, config, env)?
    };
    // Only reads are repeated.
    let connector = Retrying::new(
        remote,
        CallRetryPolicy::default(),
        Arc::clone(&env.clock),
        Arc::clone(&env.random),
    );
    Ok(Built {
        connector: Arc::new(connector),
        content_facts: BTreeMap::from([("driven".to_owned(), fact)]),
    })
}

/// The example of the README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
