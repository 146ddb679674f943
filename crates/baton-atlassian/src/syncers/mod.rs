//! One syncer per resource type. A syncer has no memory: where a list goes on
//! is in its page token. What the plan of requests knows decides only how a
//! list is asked, never what it holds.

mod directory;
mod groups;
mod products;

pub(crate) use directory::{ApiTokens, Users};
pub(crate) use groups::Groups;
pub(crate) use products::{Organizations, Workspaces};

use std::sync::Arc;

use baton_connector::{Call, Counted, Page, SyncerCapabilities};
use baton_proto::c1::connector::v2;

use crate::api::models::RoleAssignment;
use crate::api::{Api, ListPage, Organization};
use crate::mapping::{Fidelity, RoleContext, RoleGrants};
use crate::plan::{Plan, Planner};

/// What every syncer shares.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    pub organization: Arc<Organization>,
    pub planner: Arc<Planner>,
    pub fidelity: Fidelity,
}

impl Shared {
    /// The API and the plan, as a call of the engine uses them.
    fn on(&self, call: &Call) -> (Api, Plan) {
        (self.organization.on(call), self.planner.on(call))
    }

    /// Of types that can be read by id. The Go connector reads none.
    fn single(&self) -> SyncerCapabilities {
        let none = SyncerCapabilities::default();
        if self.fidelity.is_full() {
            none.with_get()
        } else {
            none
        }
    }

    fn roles(&self) -> RoleContext<'_> {
        RoleContext {
            organization_id: &self.organization.id,
            fidelity: self.fidelity,
        }
    }
}

/// A page of role grants. Nothing counts lists of roles: a full last page, or
/// a total that the only page does not reach, says that there may be more.
fn role_page(made: RoleGrants, page: &ListPage<RoleAssignment>, is_first: bool) -> Page<v2::Grant> {
    let items = page.items.len();
    let is_short = is_first && matches!(page.counted, Counted::Rows(n) if n > items as u64);
    Page {
        full_end: page.next.is_empty() && (page.full || is_short),
        added: made.added,
        ..Page::new(made.grants, page.next.clone())
    }
}

/// A page of resources from a page of the API's objects.
fn resources<T>(page: &ListPage<T>, map: impl Fn(&T) -> v2::Resource) -> Page<v2::Resource> {
    let rows = page.items.iter().map(map).collect();
    Page::new(rows, page.next.clone()).counted(page.counted.clone())
}

/// The id of a resource that the engine hands back.
fn id_of(resource: &v2::Resource) -> &str {
    resource.id.as_ref().map_or("", |id| id.resource.as_str())
}
