//! One syncer per resource type. A syncer has no memory: its page token holds the
//! position in the list. The plan of requests decides only how a list is queried,
//! never what it holds.

mod directory;
mod groups;
mod products;

pub(crate) use directory::{ApiTokens, Users};
pub(crate) use groups::Groups;
pub(crate) use products::{Organizations, Workspaces};

use std::sync::Arc;

use baton_connector::{Call, Clock, CredentialKinds, Page, TypeSpec, Types, UpstreamCount};
use baton_proto::c1::connector::v2;

use crate::api::models::RoleAssignment;
use crate::api::{Access, Api, IdentityProvider, ListPage, Organization};
use crate::events::{self, AuditLog};
use crate::mapping::{self, Fidelity, RoleContext, RoleGrants};
use crate::plan::{Plan, Planner};
use crate::recent::Recent;

/// What every syncer shares.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    pub organization: Arc<Organization>,
    pub planner: Arc<Planner>,
    pub fidelity: Fidelity,
    /// What was changed a moment ago.
    pub recent: Arc<Recent>,
    /// The site on which roles of sites are changed.
    pub site: Option<String>,
    /// Where accounts are created.
    pub accounts: AccountSource,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
}

/// Suspends or restores people: the actions of the connector.
#[derive(Debug)]
pub(crate) struct AccessAction {
    pub shared: Shared,
    pub access: Access,
}

/// Where accounts are created.
#[derive(Debug, Clone)]
pub(crate) enum AccountSource {
    /// In the directory of an identity provider.
    Scim(Arc<IdentityProvider>),
    /// By the people themselves, who are invited.
    Invitations,
    /// One of two settings is missing.
    Incomplete {
        given: &'static str,
        missing: &'static str,
    },
}

impl Shared {
    /// The API and the plan, as a call of the engine uses them.
    fn on(&self, call: &Call) -> (Api, Plan) {
        (self.organization.on(call), self.planner.on(call))
    }

    fn roles(&self) -> RoleContext<'_> {
        RoleContext {
            organization_id: &self.organization.id,
            fidelity: self.fidelity,
        }
    }
}

/// The resource types, and what can be done with each: what the connector
/// announces. The Go connector reads nothing by id, changes no role of the
/// organization, and revokes no API token.
pub(crate) fn types(fidelity: Fidelity) -> Types<Shared> {
    let mut users = TypeSpec::new(mapping::user_type(), |s: &Shared| Ok(Users(s.clone())))
        .account_manager(mapping::account_schema(), CredentialKinds::no_password())
        .deleter();
    let mut groups =
        TypeSpec::new(mapping::group_type(), |s: &Shared| Ok(Groups(s.clone()))).provisioner();
    let mut organizations = TypeSpec::new(mapping::organization_type(), |s: &Shared| {
        Ok(Organizations(s.clone()))
    });
    let mut tokens = TypeSpec::new(mapping::api_token_type(), |s: &Shared| {
        Ok(ApiTokens(s.clone()))
    });
    if fidelity.is_full() {
        tokens = tokens.deleter();
        users = users.get();
        groups = groups.get();
        organizations = organizations.get().provisioner();
    }
    let actions = [Access::Suspended, Access::Active].into_iter();
    let mut types = actions.fold(Types::new(), |types, access| {
        types.action(mapping::access_schema(access), move |s: &Shared| {
            Ok(AccessAction {
                shared: s.clone(),
                access,
            })
        })
    });
    if fidelity.is_full() {
        types = types.event_feed(events::metadata(), |s: &Shared| {
            let organization = Arc::clone(&s.organization);
            Ok(AuditLog::new(organization, Arc::clone(&s.clock)))
        });
    }
    types
        .with(users)
        .with(
            TypeSpec::new(mapping::workspace_type(), |s: &Shared| {
                Ok(Workspaces(s.clone()))
            })
            .provisioner(),
        )
        .with(groups)
        .with(organizations)
        .with(tokens)
}

/// A page of role grants. Lists of roles are not counted: a full last page, or a
/// total above the rows of the only page, shows that there may be more.
fn role_page(made: RoleGrants, page: &ListPage<RoleAssignment>, is_first: bool) -> Page<v2::Grant> {
    let items = page.items.len();
    let is_short = is_first && matches!(page.counted, UpstreamCount::Rows(n) if n > items as u64);
    Page::new(made.grants, page.next.clone())
        .ends_full(page.next.is_empty() && (page.full || is_short))
        .added(made.added)
}

/// A page of resources from a page of the API's objects.
fn resources<T>(page: &ListPage<T>, map: impl Fn(&T) -> v2::Resource) -> Page<v2::Resource> {
    let rows = page.items.iter().map(map).collect();
    Page::new(rows, page.next.clone()).upstream_count(page.counted.clone())
}

/// The id of a resource that the engine hands back.
fn id_of(resource: &v2::Resource) -> &str {
    resource.id.as_ref().map_or("", |id| id.resource.as_str())
}
