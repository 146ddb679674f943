//! The connector as a program: its fields, and how they become a connector.

use std::sync::Arc;

use baton_connector::http::TransportSettings;
use baton_connector::{Error, Result};
use baton_proto::Code;
use baton_runtime::{
    App, Built, CommonSettings as _, Config, ConnectorEnv, Export, Field, OneOf, Presentation,
    Secret, StringRules,
};

use crate::mapping::Fidelity;
use crate::settings::SCIM_BASE_URL_NAME;
use crate::syncers::types;
use crate::{RequestPlan, Settings, SettingsError, connector, demo};

/// The program's name, which files and logs show.
pub(crate) const NAME: &str = "baton-atlassian";

/// The headings of the connector's flags in the help.
const CONNECTION: &str = "Connection";
const CHANGES: &str = "Grants and revokes";
const ACCOUNTS: &str = "Accounts";
const CONTENT: &str = "Requests and content";

/// Environment names that older documentation gave for two of the fields are
/// honoured too.
const ACCESS_TOKEN: Field<Secret> =
    Field::secret("access-token", "organization API key, without scopes")
        .heading(CONNECTION)
        .display_name("Access Token")
        .required()
        .env_aliases(&["BATON_API_TOKEN"]);
const ORGANIZATION_ID: Field<String> = Field::string(
    "organization-id",
    "organization to sync: the id in https://admin.atlassian.com/o/<id>/",
)
.value_name("id")
.heading(CONNECTION)
.display_name("Organization ID")
.required()
.env_aliases(&["BATON_ORG"]);
const SITE: Field<String> = Field::string(
    "site",
    "site on which a role of sites is granted or revoked, as ari:cloud:platform::site/<id>",
)
.value_name("ari")
.heading(CHANGES)
.rules(StringRules::NONE)
.export(Export::None);
const SCIM_TOKEN: Field<Secret> = Field::secret(
    "scim-token",
    "token of the identity provider's directory, for creating accounts",
)
.heading(ACCOUNTS)
.display_name("SCIM Token")
.rules(StringRules::NONE);
const SCIM_BASE_URL: Field<String> = Field::string(
    SCIM_BASE_URL_NAME,
    "base URL of the identity provider's directory, for creating accounts",
)
.value_name("url")
.heading(ACCOUNTS)
.display_name("SCIM Base URL")
.rules(StringRules::NONE);
const BASE_URL: Field<String> = Field::string(
    "base-url",
    "base URL of the admin APIs, for tests and proxies",
)
.value_name("url")
.hidden()
.export(Export::Cli);
/// Has no default value: an `auto` that was asked for differs from the plan
/// that is used when nothing was asked for.
pub(crate) const REQUEST_PLAN: Field<Option<OneOf<RequestPlan>>> = Field::choice(
    "request-plan",
    "how to fetch access: auto (default) skips users and groups that a verified overview shows to be empty; plain queries every one",
)
.value_name("plan")
.heading(CONTENT)
.export(Export::None);
pub(crate) const GO_COMPATIBLE: Field<bool> = Field::bool(
    "go-compatible",
    "write exactly what the Go connector writes: no added fields, rows or assets",
)
.heading(CONTENT)
.export(Export::None);

/// The program.
pub fn app() -> App {
    App::new(NAME, env!("CARGO_PKG_VERSION"), Box::new(connect))
        .commit(option_env!("BATON_COMMIT"))
        .about("sync who has access to what in an Atlassian organization, and change it")
        .presentation(Presentation {
            display_name: "Atlassian",
            help_url: "/docs/baton/atlassian",
            icon_url: "/static/app-icons/atlassian.svg",
            ..Presentation::default()
        })
        .field(ACCESS_TOKEN)
        .field(ORGANIZATION_ID)
        .field(SCIM_TOKEN)
        .field(SCIM_BASE_URL)
        .field(SITE)
        .field(BASE_URL)
        .field(REQUEST_PLAN)
        .field(GO_COMPATIBLE)
        .unsigned_when(GO_COMPATIBLE)
        .types(|config| Ok(types(Fidelity::of(config.get(&GO_COMPATIBLE)))))
        .command(demo::command())
        .example("see it at work, without an account", "demo")
        .example(
            "sync an organization into sync.c1z; the API key is in a file",
            "--access-token @key.txt --organization-id 5a1c",
        )
        .example(
            "sync users and groups only, into another file",
            "--access-token @key.txt --organization-id 5a1c --sync-resource-types user,group -f users.c1z",
        )
        .example(
            "show what a grant would send; the settings are in the environment",
            "--grant-entitlement 'Welders member' --grant-principal kim@acme.test --grant-principal-type user --dry-run",
        )
        .example(
            "revoke a grant of the file, and keep a record",
            "--revoke-grant <grant id> --audit-log audit.jsonl",
        )
}

/// The settings that both the sync and the demo take from flags.
pub(crate) fn modes(settings: &mut Settings, config: &Config) -> Result<()> {
    settings.go_compatible = config.get(&GO_COMPATIBLE);
    settings.request_plan = config.get(&REQUEST_PLAN);
    settings.grants_follow = config.syncs_grants();
    settings.check().map_err(|error| refused(&error))
}

fn connect(config: &Config, env: &ConnectorEnv) -> Result<Built> {
    let mut settings = settings(config).map_err(|error| refused(&error))?;
    modes(&mut settings, config)?;
    build(&settings, config, env, &env.network)
}

fn settings(config: &Config) -> std::result::Result<Settings, SettingsError> {
    Settings::new(
        config.get(&ACCESS_TOKEN).clone(),
        config.get(&ORGANIZATION_ID),
        config.get(&BASE_URL),
    )?
    .with_scim(config.get(&SCIM_TOKEN).clone(), config.get(&SCIM_BASE_URL))?
    .with_site(config.get(&SITE))
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
        SettingsError::Site { .. } => {
            "grants of site roles name their sites in the sync file, as `resource_ids`"
        }
        SettingsError::Url { setting } | SettingsError::UrlPart { setting, .. }
            if *setting == SCIM_BASE_URL_NAME =>
        {
            "for example https://api.atlassian.com/scim/directory/<directory id>"
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
    env: &ConnectorEnv,
    transport: &TransportSettings,
) -> Result<Built> {
    let (parts, mut http) = env.http_parts(config, transport)?;
    http.request_id_headers.push("atl-traceid".to_owned());
    Ok(Built {
        connector: Arc::new(connector(settings, parts, http)?),
        content_facts: settings.content_facts(),
    })
}
