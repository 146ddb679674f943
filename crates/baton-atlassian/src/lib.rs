//! The connector of Atlassian organizations: users, groups, workspaces, the
//! organization and its API tokens, with every role and membership between
//! them, over the admin APIs.
//!
//! [`connector`] puts it together from settings and the parts that a host
//! provides (network, clock, randomness); it reads no environment.
#![warn(missing_docs)]

mod accounts;
mod api;
mod demo;
mod events;
mod mapping;
mod plan;
mod program;
mod provision;
mod recent;
mod roles;
mod settings;
mod syncers;
mod validate;

use std::sync::Arc;

use baton_connector::http::{Credential, HttpClient, HttpParts, HttpSettings};
use baton_connector::{
    BuiltConnector, Call, ConnectorBuilder, NotesSource, Result, RunNotes, RunView, Validator,
};
use baton_proto::c1::connector::v2;
use prost_types::Any;

use api::{IdentityProvider, Organization, Refusals};
use mapping::Fidelity;
use plan::Planner;
pub use plan::RequestPlan;
pub use program::app;
pub use settings::{ADMIN_BASE_URL, Settings, SettingsError};
use syncers::{AccountSource, Shared};

/// The connector's name in metadata.
pub const DISPLAY_NAME: &str = "Atlassian Core";

const DESCRIPTION: &str =
    "Syncs users, groups, workspaces, roles and API tokens of an Atlassian organization";

/// Puts the connector together. No request is sent.
///
/// The reader of error bodies in `parts` is replaced by the connector's own.
pub fn connector(
    settings: &Settings,
    parts: HttpParts,
    http: HttpSettings,
) -> Result<BuiltConnector> {
    let parts = HttpParts {
        api_errors: Arc::new(Refusals),
        ..parts
    };
    let planner = Arc::new(Planner::new(
        settings.effective_plan(),
        settings.grants_follow,
        Arc::clone(&parts.random),
    ));
    let (clock, random) = (Arc::clone(&parts.clock), Arc::clone(&parts.random));
    let client = HttpClient::new(parts, http)?;
    let key = Credential::bearer("access token", &settings.access_token)?;
    let organization = Arc::new(Organization::new(
        client.clone(),
        settings.base_url.clone(),
        settings.organization_id.clone(),
        key,
        settings.go_compatible,
    ));
    let shared = Shared {
        organization: Arc::clone(&organization),
        planner: Arc::clone(&planner),
        fidelity: Fidelity::of(settings.go_compatible),
        recent: Arc::default(),
        site: settings.site.clone(),
        accounts: account_source(settings, &client)?,
        clock: Arc::clone(&clock),
    };
    ConnectorBuilder::new()
        .metadata(v2::ConnectorMetadata {
            display_name: DISPLAY_NAME.to_owned(),
            description: DESCRIPTION.to_owned(),
            ..v2::ConnectorMetadata::default()
        })
        .clock(clock)
        .random(random)
        .traffic_source(Arc::new(client))
        .run_notes(Arc::new(Notes {
            planner,
            organization: Arc::clone(&organization),
        }))
        .validate_with(Arc::new(Check(organization)))
        .types(&syncers::types(shared.fidelity), &shared)?
        .build()
}

/// Where accounts are created, by the settings that are there.
fn account_source(settings: &Settings, client: &HttpClient) -> Result<AccountSource> {
    let token = &settings.scim_token;
    Ok(match (&settings.scim_base_url, token.is_empty()) {
        (Some(base), false) => AccountSource::Scim(Arc::new(IdentityProvider {
            client: client.clone(),
            base: base.clone(),
            token: Credential::bearer("SCIM token", token)?,
        })),
        (None, true) => AccountSource::Invitations,
        (Some(_), true) => AccountSource::Incomplete {
            given: "--scim-base-url",
            missing: "--scim-token",
        },
        (None, false) => AccountSource::Incomplete {
            given: "--scim-token",
            missing: "--scim-base-url",
        },
    })
}

/// What there is to say about a run: of its plan, and of what it read.
struct Notes {
    planner: Arc<Planner>,
    organization: Arc<Organization>,
}

impl NotesSource for Notes {
    fn run_notes(&self, run: &RunView) -> RunNotes {
        let mut notes = self.planner.run_notes(run);
        notes.warnings.extend(self.organization.odd_values(run));
        notes.warnings.extend(self.organization.unknown_events(run));
        notes
    }
}

/// The check before a sync.
struct Check(Arc<Organization>);

#[async_trait::async_trait]
impl Validator for Check {
    async fn validate(&self, call: &Call) -> Result<Vec<Any>> {
        validate::validate(&self.0.on(call))
            .await
            .map(|()| Vec::new())
    }
}
