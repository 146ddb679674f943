//! The connector of Atlassian organizations: users, groups, workspaces, the
//! organization and its API tokens, with every role and membership between
//! them, over the admin APIs.
//!
//! [`connector`] puts it together from settings and the parts that a host
//! provides (network, clock, randomness); it reads no environment.
#![warn(missing_docs)]

mod api;
mod demo;
mod mapping;
mod plan;
mod program;
mod roles;
mod settings;
mod syncers;
mod validate;

use std::sync::Arc;

use baton_connector::http::{Credential, HttpClient, HttpParts, HttpSettings};
use baton_connector::{BuiltConnector, ConnectorBuilder, Planner, Remarks, Result, Validator};
use baton_proto::c1::connector::v2;
use prost_types::Any;

use api::{Api, Refusals};
use baton_connector::session::Session;
use mapping::Fidelity;
use plan::Plan;
pub use plan::RequestPlan;
pub use program::app;
pub use settings::{ADMIN_BASE_URL, Settings, SettingsError};
use syncers::{ApiTokens, Groups, Organizations, Shared, Users, Workspaces};

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
    let session = Session::new();
    let wanted = settings.effective_plan();
    let plan = Arc::new(Plan::new(
        wanted,
        settings.grants_follow,
        &session,
        Arc::clone(&parts.random),
    ));
    let client = HttpClient::new(parts, http)?;
    let key = Credential::bearer("access token", &settings.access_token)?;
    let api = Arc::new(Api::new(
        client.clone(),
        settings.base_url.clone(),
        settings.organization_id.clone(),
        key,
        settings.go_compatible,
        &session,
    ));
    let shared = Shared {
        api: Arc::clone(&api),
        plan: Arc::clone(&plan),
        fidelity: if settings.go_compatible {
            Fidelity::GoCompatible
        } else {
            Fidelity::Full
        },
    };
    ConnectorBuilder::new()
        .metadata(v2::ConnectorMetadata {
            display_name: DISPLAY_NAME.to_owned(),
            description: DESCRIPTION.to_owned(),
            ..v2::ConnectorMetadata::default()
        })
        .upstream(Arc::new(client))
        .session(session)
        .planner(Arc::new(Notes {
            plan,
            api: Arc::clone(&api),
        }))
        .validate_with(Arc::new(Check(api)))
        .syncer(Arc::new(Users(shared.clone())))
        .syncer(Arc::new(Workspaces(shared.clone())))
        .syncer(Arc::new(Groups(shared.clone())))
        .syncer(Arc::new(Organizations(shared.clone())))
        .syncer(Arc::new(ApiTokens(shared)))
        .build()
}

/// What there is to say about a run: of its plan, and of what it read.
struct Notes {
    plan: Arc<Plan>,
    api: Arc<Api>,
}

impl Planner for Notes {
    fn remarks(&self) -> Remarks {
        let mut remarks = self.plan.remarks();
        remarks.warnings.extend(self.api.odd_values());
        remarks
    }

    fn end_run(&self) {
        self.plan.end_run();
        self.api.end_run();
    }
}

/// The check before a sync.
struct Check(Arc<Api>);

#[async_trait::async_trait]
impl Validator for Check {
    async fn validate(&self) -> Result<Vec<Any>> {
        validate::validate(&self.0).await.map(|()| Vec::new())
    }
}
