//! The connector as a program: its fields, and how they become a connector.

use std::sync::Arc;

use baton_connector::http::{HttpParts, HttpSettings, ReqwestTransport, TransportSettings};
use baton_connector::{Error, Result};
use baton_proto::Code;
use baton_runtime::{
    App, Built, CommonSettings as _, Config, Export, Field, Presentation, StringRules, Surroundings,
};

use crate::{Settings, SettingsError, connector, demo};

/// The program's name, which files and logs show.
pub(crate) const NAME: &str = "baton-atlassian";

/// The program.
pub fn app() -> App {
    App::new(NAME, env!("CARGO_PKG_VERSION"), Box::new(connect))
        .presentation(Presentation {
            display_name: "Atlassian",
            help_url: "/docs/baton/atlassian",
            icon_url: "/static/app-icons/atlassian.svg",
            ..Presentation::default()
        })
        .fields(fields())
        .command(demo::command())
}

/// The connector's own flags. Environment names that older documentation
/// gave for two of them are honoured too.
fn fields() -> [Field; 6] {
    [
        Field::string("access-token", "Organization API key, without scopes")
            .display_name("Access Token")
            .required(true)
            .secret()
            .env_aliases(&["BATON_API_TOKEN"]),
        Field::string(
            "organization-id",
            "Organization to sync: the id in https://admin.atlassian.com/o/<id>/",
        )
        .display_name("Organization ID")
        .required(true)
        .env_aliases(&["BATON_ORG"]),
        Field::string(
            "scim-token",
            "Token of the identity provider's directory, for creating accounts",
        )
        .display_name("SCIM Token")
        .string_rules(StringRules::default())
        .secret(),
        Field::string(
            "scim-base-url",
            "Base URL of the identity provider's directory, for creating accounts",
        )
        .display_name("SCIM Base URL")
        .string_rules(StringRules::default()),
        Field::string(
            "base-url",
            "Base URL of the admin APIs, for tests and proxies",
        )
        .hidden()
        .export(Export::Cli),
        request_plan_field(),
    ]
}

/// The flag that chooses the plan. Empty stands for the default, so that an
/// `auto` that somebody asked for can be told from one that nobody did.
pub(crate) fn request_plan_field() -> Field {
    Field::string(
        "request-plan",
        "How access is asked for: auto, with fewer requests where a checked overview allows (the default), or plain, about every user and group",
    )
    .string_rules(StringRules {
        one_of: &["", "auto", "plain"],
        ..StringRules::default()
    })
    .export(Export::None)
}

/// The settings that both the sync and the demo take from flags.
pub(crate) fn modes(settings: &mut Settings, config: &Config) -> Result<()> {
    settings.go_compatible = config.go_compatible();
    settings.request_plan = config.string("request-plan").parse().ok();
    settings.grants_follow = config.syncs_grants();
    settings.check().map_err(|error| refused(&error))
}

fn connect(config: &Config, surroundings: &Surroundings) -> Result<Built> {
    let mut settings = settings(config).map_err(|error| refused(&error))?;
    modes(&mut settings, config)?;
    build(
        &settings,
        config,
        surroundings,
        &TransportSettings::default(),
    )
}

fn settings(config: &Config) -> std::result::Result<Settings, SettingsError> {
    let secret = |name| config.secret(name).cloned().unwrap_or_default();
    Settings::new(
        secret("access-token"),
        config.string("organization-id"),
        config.string("base-url"),
    )?
    .with_scim(secret("scim-token"), config.string("scim-base-url"))
}

fn refused(error: &SettingsError) -> Error {
    // A value that cannot be used ends like any wrong flag.
    let hint = match error {
        SettingsError::OrganizationId { .. } => {
            "it is the last part of the address https://admin.atlassian.com/o/<id>/"
        }
        SettingsError::Contradiction => {
            "the Go connector's requests are plain ones: leave out one of the two"
        }
        SettingsError::Url { .. } | SettingsError::UrlPart { .. } => {
            "for example https://api.atlassian.com/admin"
        }
    };
    Error::stated(Code::Unknown, error.to_string()).with_hint(hint)
}

/// A connector over the real network.
pub(crate) fn build(
    settings: &Settings,
    config: &Config,
    surroundings: &Surroundings,
    transport: &TransportSettings,
) -> Result<Built> {
    let parts = HttpParts {
        clock: Arc::clone(&surroundings.clock),
        random: Arc::clone(&surroundings.random),
        ..HttpParts::new(Arc::new(ReqwestTransport::new(transport)?), 0)
    };
    let mut http = HttpSettings::default();
    http.user_agent.clone_from(&surroundings.user_agent);
    http.total_timeout = config.http_timeout();
    http.rate = config.rate()?;
    http.request_id_headers.push("atl-traceid".to_owned());
    Ok(Built {
        connector: Arc::new(connector(settings, parts, http)?),
        content_facts: settings.content_facts(),
    })
}
