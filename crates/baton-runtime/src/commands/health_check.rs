//! `health-check`: asks a running service for its health.

use std::sync::Arc;
use std::time::Duration;

use baton_connector::http::look_up;
use baton_flags::{Command, Config, Export, Field, IntRules, Positionals};
use baton_ops::{ProbeError, authority, client_host, get};

use crate::context::CommandContext;
use crate::error::{Error, Result};
use crate::exit::ExitStatus;
use crate::signals::StopMessages;
use crate::task::{Runs, Task, Writes, body};
use crate::{flags, probes};

/// The pages of a service, by the words of `--endpoint`.
const PAGES: [(&str, &str); 3] = [
    ("health", "/health"),
    ("ready", "/ready"),
    ("live", "/live"),
];

const ENDPOINT: Field<String> = Field::string(
    "endpoint",
    "what to ask for: health (are the credentials accepted), ready (does it take tasks) or live",
)
.value_name("name")
.default("health")
.only_typed()
.export(Export::None);
const TIMEOUT: Field<i64> = Field::int(
    "timeout",
    "longest wait for the answer, in seconds; 0 for no limit",
)
.value_name("seconds")
.default(5)
.rules(IntRules {
    gte: Some(0),
    ..IntRules::NONE
})
.only_typed()
.export(Export::None);

pub(super) fn command() -> Command<Runs> {
    let mut address = flags::HEALTH_CHECK_BIND_ADDRESS.any();
    address.hidden = false;
    Command::new("health-check", "ask a running service for its health")
        .positionals(Positionals::Accepted)
        .without_common()
        .without_settings()
        .field(ENDPOINT)
        .field(TIMEOUT)
        .field(flags::HEALTH_CHECK_PORT)
        .field(address)
        .example(
            "check that the service on port 8081 takes tasks",
            "health-check --endpoint ready",
        )
        .runs(Runs::Work(Arc::new(|_| Task {
            doing: "asking a service for its health".to_owned(),
            stop_messages: StopMessages::FILES,
            writes: Writes::Nothing,
            lasts: false,
            body: body(run),
        })))
}

async fn run(context: CommandContext) -> Result<ExitStatus> {
    let config = context.config();
    let path = page(config)?;
    let port = probes::port_to_ask(config)?;
    let host = client_host(probes::host(config)?);
    let limit = u64::try_from(config.get(&TIMEOUT)).unwrap_or(0);
    let server = authority(&host, port);
    let answer = async {
        let answer = async {
            let addresses = look_up(&host, port).await;
            let addresses = addresses.map_err(|source| ProbeError::Connect {
                address: server.clone(),
                source,
            })?;
            get(&addresses, &server, path).await
        };
        if limit == 0 {
            return Some(answer.await);
        }
        tokio::time::timeout(Duration::from_secs(limit), answer)
            .await
            .ok()
    };
    let answer = tokio::select! {
        biased;
        answer = answer => answer,
        () = context.cancel().cancelled() => return Err(Error::Stopped {
            doing: "asking the service",
        }),
    };
    let url = format!("http://{server}{path}");
    match answer {
        Some(Ok(status)) if status == http::StatusCode::OK => Ok(ExitStatus::Success),
        Some(Ok(status)) => Err(Error::Unhealthy {
            status: status.as_u16(),
        }),
        Some(Err(source)) => Err(Error::NoHealthAnswer { url, source }),
        None => Err(Error::LateHealthAnswer {
            url,
            limit: Duration::from_secs(limit),
        }),
    }
}

/// The page that `--endpoint` names.
fn page(config: &Config) -> Result<&'static str> {
    let named = config.get(&ENDPOINT);
    let page = PAGES.iter().find(|(word, _)| *word == named);
    page.map(|(_, path)| *path)
        .ok_or_else(|| Error::HealthEndpoint {
            named: named.to_owned(),
        })
}
