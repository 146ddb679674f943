//! One call to the connector and the check of its answer: the part of the
//! work that runs in many tasks at once. Nothing is decided here.

use std::sync::Arc;

use baton_c1z::{ListId, ObjectId};
use baton_connector::{Call, Connector, Page};
use baton_proto::Code;

use crate::check::{self, Checked, PageRules};
use crate::error::Error;
use crate::list::{self, OpenList};

/// What every call of a run needs.
pub(crate) struct Fetcher {
    pub(crate) connector: Arc<dyn Connector>,
    /// The call for the first page of any list.
    pub(crate) call: Call,
}

/// Why a page did not arrive.
pub(crate) enum FetchError {
    /// The connector returned an error; what follows depends on the list.
    Connector(baton_connector::Error),
    /// The page cannot be used, whatever the list.
    Page(Error),
}

impl From<baton_connector::Error> for FetchError {
    fn from(error: baton_connector::Error) -> Self {
        Self::Connector(error)
    }
}

impl From<Error> for FetchError {
    fn from(error: Error) -> Self {
        Self::Page(error)
    }
}

/// Asks for the page that `list` stands at.
pub(crate) async fn page(
    fetcher: &Fetcher,
    rules: &PageRules,
    list: &OpenList,
) -> Result<Checked, FetchError> {
    let connector = &fetcher.connector;
    let call = &fetcher.call.at(&list.token);
    let resource = list.resource.as_deref().ok_or(Error::Journal {
        what: "resource that a list belongs to",
    });
    let checked = match &list.id {
        ListId::ResourceTypes => {
            check::resource_types(connector.list_resource_types(call).await?, rules)
        }
        ListId::Resource { id, parent } => single(fetcher, rules, id, parent.as_ref()).await?,
        ListId::Resources {
            type_id, parent, ..
        } => {
            let parent = parent.as_ref().map(list::wire_id);
            let page = connector.list_resources(call, type_id, parent.as_ref());
            check::resources(page.await?, rules)?
        }
        ListId::StaticEntitlements { type_id } => {
            let page = connector.list_static_entitlements(call, type_id);
            check::static_entitlements(page.await?)?
        }
        ListId::EntitlementsOfType { type_id, .. } => {
            let page = connector.list_entitlements_of_type(call, type_id);
            check::entitlements(page.await?, rules)?
        }
        ListId::Entitlements { .. } => {
            let page = connector.list_entitlements(call, resource?);
            check::entitlements(page.await?, rules)?
        }
        ListId::GrantsOfType { type_id, .. } => {
            let page = connector.list_grants_of_type(call, type_id);
            check::grants(page.await?, rules)?
        }
        ListId::Grants { .. } => {
            let page = connector.list_grants(call, resource?);
            check::grants(page.await?, rules)?
        }
        // The engine makes these pages itself.
        ListId::TemplateRows { .. } | ListId::External => {
            return Err(FetchError::Page(Error::Journal {
                what: "list that the connector can be asked for",
            }));
        }
    };
    Ok(checked.keyed(list.id.op()))
}

/// Asks for one resource by its id. One that does not exist, or of a type
/// that is not asked for by id, makes an empty page.
async fn single(
    fetcher: &Fetcher,
    rules: &PageRules,
    id: &ObjectId,
    parent: Option<&ObjectId>,
) -> Result<Checked, FetchError> {
    let (id, parent) = (list::wire_id(id), parent.map(list::wire_id));
    let answer = fetcher
        .connector
        .get_resource(&fetcher.call, &id, parent.as_ref())
        .await;
    let resource = match answer {
        Ok(Some(resource)) => resource,
        Ok(None) => return Ok(Checked::absent("it does not exist".to_owned())),
        Err(error) if error.code() == Code::Unimplemented => {
            let has_type = rules.types.get(&id.resource_type).is_some();
            return Ok(if has_type {
                Checked::unreadable(error.to_string())
            } else {
                Checked::absent(check::no_such_type(&id.resource_type))
            });
        }
        Err(error) if means_absent(&error) => return Ok(Checked::absent(error.to_string())),
        Err(error) => return Err(error.into()),
    };
    Ok(check::single(Page::from(resource), rules)?)
}

/// Whether an error means that the resource does not exist. A 404 without
/// an error code of the application may come from a gateway.
fn means_absent(error: &baton_connector::Error) -> bool {
    error.code() == Code::NotFound && (error.is_vanished() || error.status() != Some(404))
}
