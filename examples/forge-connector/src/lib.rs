//! A connector for a made-up forge: users, teams and repositories over a REST
//! API that has `Link` headers, numbered pages, rate limits, and objects that
//! disappear or that the token may not read.
//!
//! The second part of `docs/write-a-connector.md` builds it.

mod api;
mod syncers;

use std::collections::BTreeMap;
use std::sync::Arc;

use baton_connector::http::JsonErrors;
use baton_connector::{ConnectorBuilder, Result, Secret, Url, v2};
use baton_runtime::{App, Built, Config, ConnectorEnv, Field, Presentation};

use api::Forge;

const BASE_URL: Field<Url> = Field::url(
    "base-url",
    "address of the forge's API, such as https://forge.test/api/v1",
)
.display_name("Base URL")
.required();
const TOKEN: Field<Secret> = Field::secret("token", "access token with the scope `read`")
    .display_name("Token")
    .required();

/// How the forge reports errors.
const ERRORS: JsonErrors = JsonErrors {
    message: "/message",
    code: "/code",
    gone: &["team_not_found", "repo_not_found"],
    ..JsonErrors::NONE
};

/// The program.
pub fn app() -> App {
    App::new("baton-forge", env!("CARGO_PKG_VERSION"), Box::new(connect))
        .presentation(Presentation {
            display_name: "Forge",
            ..Presentation::default()
        })
        .field(TOKEN)
        .field(BASE_URL)
        .types(|_| syncers::types())
}

fn connect(config: &Config, env: &ConnectorEnv) -> Result<Built> {
    let client = env.http(config, ERRORS)?;
    let base = config.get(&BASE_URL);
    let forge = Forge::new(client.clone(), base, config.get(&TOKEN))?;
    let checked = forge.clone();
    let connector = ConnectorBuilder::new()
        .metadata(v2::ConnectorMetadata {
            display_name: "Forge".to_owned(),
            ..v2::ConnectorMetadata::default()
        })
        .http(&client)
        .validate(move |call| {
            let forge = checked.clone();
            async move { forge.check(&call).await }
        })
        .types(&syncers::types()?, &forge)?
        .build()?;
    Ok(Built {
        connector: Arc::new(connector),
        content_facts: BTreeMap::from([("base-url".to_owned(), base.to_string())]),
    })
}
