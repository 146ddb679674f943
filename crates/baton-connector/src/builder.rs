//! Makes a [`Connector`] of syncers: checks them once when the connector is
//! built (`sync-runtime.md` §5.1) and every page when it passes (§3.1).

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use baton_proto::any;
use baton_proto::c1::connector::v2;
use prost_types::Any;
use v2::Capability;

use crate::account::Accounts;
use crate::action::{Actions, Ids, Registered, Registry, ServedActions};
use crate::announced::{USER, by_id, union};
use crate::call::{Call, RunView};
use crate::change::{
    Creating, Deleted, Deleting, Granted, Provisioner, Provisioning, Revoked, carry_out, create,
};
use crate::clock::{Clock, Random, SystemClock};
use crate::connector::Connector;
use crate::credential::Credentials;
use crate::error::{Error, Result};
use crate::event_feed::{EventFeeds, Feeds};
use crate::held::{Held, Operation};
use crate::http::HttpClient;
use crate::local::LocalHooks;
use crate::page::{Page, Row};
use crate::run_notes::{NotesSource, RunNotes};
use crate::syncer::{ExpectedDuplicates, ResourceSyncer};
use crate::ticket::{TicketManager, Tickets};
use crate::traffic::TrafficSnapshot;
use crate::traffic_source::TrafficSource;
use crate::types::{Served, Types};

/// Checks settings and credentials with real calls.
#[async_trait]
pub trait Validator: Send + Sync {
    /// Fails with what is wrong and what to change; returns the annotations
    /// of the response.
    async fn validate(&self, call: &Call) -> Result<Vec<Any>>;
}

/// A function as a validator.
struct Check<F>(F);

#[async_trait]
impl<F, R> Validator for Check<F>
where
    F: Fn(Call) -> R + Send + Sync,
    R: Future<Output = Result<()>> + Send,
{
    async fn validate(&self, call: &Call) -> Result<Vec<Any>> {
        (self.0)(call.clone()).await.map(|()| Vec::new())
    }
}

/// Puts a connector together.
///
/// ```
/// # use baton_connector::{
/// #     Call, ConnectorBuilder, Page, ResourceSyncer, Result, TypeSpec, Types, resource,
/// # };
/// # use baton_proto::c1::connector::v2;
/// struct Doors;
///
/// #[async_trait::async_trait]
/// impl ResourceSyncer for Doors {
///     async fn list(
///         &self,
///         _call: &Call,
///         _parent: Option<&v2::ResourceId>,
///     ) -> Result<Page<v2::Resource>> {
///         let door = resource::ResourceBuilder::new("door", "1").display_name("Front").build()?;
///         Ok(Page::last(vec![door]))
///     }
/// }
///
/// let door = resource::ResourceTypeBuilder::new("door", "Door").build()?;
/// let types = Types::new().with(TypeSpec::new(door, |(): &()| Ok(Doors)));
/// let connector = ConnectorBuilder::new()
///     .metadata(v2::ConnectorMetadata {
///         display_name: "House".to_owned(),
///         ..v2::ConnectorMetadata::default()
///     })
///     .types(&types, &())?
///     .build()?;
/// # let _ = connector;
/// # Ok::<(), baton_connector::Error>(())
/// ```
#[must_use]
#[derive(Default)]
pub struct ConnectorBuilder {
    metadata: v2::ConnectorMetadata,
    validator: Option<Arc<dyn Validator>>,
    traffic_source: Option<Arc<dyn TrafficSource>>,
    run_notes: Option<Arc<dyn NotesSource>>,
    clock: Option<Arc<dyn Clock>>,
    feeds: Feeds,
    tickets: Option<Arc<dyn TicketManager>>,
    external_ticketing: bool,
    types: Vec<Served>,
    actions: Vec<Registered>,
    random: Option<Arc<dyn Random>>,
}

impl ConnectorBuilder {
    /// A connector without name and types.
    pub fn new() -> Self {
        Self::default()
    }

    /// What the connector announces about itself. Capabilities in it are overwritten.
    pub fn metadata(mut self, metadata: v2::ConnectorMetadata) -> Self {
        self.metadata = metadata;
        self
    }

    /// What `Validate` does; nothing if never set.
    pub fn validate_with(mut self, validator: Arc<dyn Validator>) -> Self {
        self.validator = Some(validator);
        self
    }

    /// Checks settings and credentials before each sync, with real calls: fails
    /// with what is wrong and what to change.
    pub fn validate<F, R>(self, check: F) -> Self
    where
        F: Fn(Call) -> R + Send + Sync + 'static,
        R: Future<Output = Result<()>> + Send + 'static,
    {
        self.validate_with(Arc::new(Check(check)))
    }

    /// The client that the connector sends its requests with: what it did is
    /// shown while a sync runs and at its end.
    pub fn http(self, client: &HttpClient) -> Self {
        self.traffic_source(Arc::new(client.clone()))
    }

    /// Where traffic numbers come from.
    pub fn traffic_source(mut self, traffic_source: Arc<dyn TrafficSource>) -> Self {
        self.traffic_source = Some(traffic_source);
        self
    }

    /// Who has something to say about a run at its end.
    pub fn run_notes(mut self, run_notes: Arc<dyn NotesSource>) -> Self {
        self.run_notes = Some(run_notes);
        self
    }

    /// The time of day, where requests have dates; the machine's if never set.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Tickets that belong to another application can be handed to this one:
    /// `ExternalTicketSettings` of the metadata is enabled.
    pub fn external_ticketing(mut self) -> Self {
        self.external_ticketing = true;
        self
    }

    /// Random numbers, of which the ids of actions are made: a connector with
    /// actions needs them.
    pub fn random(mut self, random: Arc<dyn Random>) -> Self {
        self.random = Some(random);
        self
    }

    /// Adds types, with their syncers made of what connecting has brought.
    ///
    /// # Errors
    /// Those of [`Types::capabilities`], and what makes a syncer impossible.
    pub fn types<C: 'static>(mut self, types: &Types<C>, connected: &C) -> Result<Self> {
        self.types.extend(types.serve(connected)?);
        self.feeds = types.serve_feeds(connected)?;
        self.tickets = types.serve_tickets(connected)?;
        self.actions.extend(types.serve_actions(connected)?);
        Ok(self)
    }

    /// The connector.
    ///
    /// # Errors
    /// [`Error::Registration`] when a type comes twice,
    /// [`Error::ActionRegistration`] when an action does; an error for external
    /// ticketing without tickets, and for actions without
    /// [`ConnectorBuilder::random`].
    pub fn build(self) -> Result<BuiltConnector> {
        let types = by_id(self.types, |served| served.resource_type().id)?;
        let mut metadata = self.metadata;
        let announced = types.values();
        let announced = announced.map(|served| (served.announced.clone(), served.offered()));
        let clock = self.clock.unwrap_or_else(|| Arc::new(SystemClock));
        let ids = self.random.map(|random| Ids {
            clock: Arc::clone(&clock),
            random,
        });
        let actions = ServedActions::new(Registry::new(self.actions)?, ids)?;
        let further = [
            (!self.feeds.is_empty(), Capability::EventFeedV2),
            (self.tickets.is_some(), Capability::Ticketing),
            (!actions.is_empty(), Capability::Actions),
        ];
        let further = further.iter().filter(|(has, _)| *has);
        let further: Vec<_> = further.map(|(_, capability)| *capability).collect();
        metadata.capabilities = Some(union(announced, &further)?);
        if self.tickets.is_some() {
            let enabled = self.external_ticketing;
            let settings = v2::ExternalTicketSettings { enabled };
            any::update(&mut metadata.annotations, &settings);
        } else if self.external_ticketing {
            return Err(Error::stated(
                baton_proto::Code::Unknown,
                "external ticketing not supported",
            ));
        }
        if metadata.account_creation_schema.is_none() {
            let accounts = account_type(&types).and_then(|served| served.accounts.as_ref());
            metadata.account_creation_schema = accounts.map(|(schema, _)| schema.to_wire());
        }
        Ok(BuiltConnector {
            metadata,
            validator: self.validator,
            traffic_source: self.traffic_source,
            run_notes: self.run_notes,
            feeds: self.feeds,
            tickets: self.tickets,
            clock,
            types,
            actions,
        })
    }
}

/// A connector made of syncers.
pub struct BuiltConnector {
    metadata: v2::ConnectorMetadata,
    validator: Option<Arc<dyn Validator>>,
    traffic_source: Option<Arc<dyn TrafficSource>>,
    run_notes: Option<Arc<dyn NotesSource>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) feeds: Feeds,
    pub(crate) tickets: Option<Arc<dyn TicketManager>>,
    pub(crate) types: BTreeMap<String, Served>,
    actions: ServedActions,
}

impl std::fmt::Debug for BuiltConnector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BuiltConnector")
            .field("name", &self.metadata.display_name)
            .field("types", &self.types.keys())
            .finish_non_exhaustive()
    }
}

/// The type that accounts are created of where a request names none: the only
/// one with accounts, else the type `user`.
pub(crate) fn account_type(types: &BTreeMap<String, Served>) -> Option<&Served> {
    let mut with = types.values().filter(|served| served.accounts.is_some());
    match (with.next(), with.next()) {
        (only, None) => only,
        _ => types.get(USER).filter(|served| served.accounts.is_some()),
    }
}

impl BuiltConnector {
    fn served(&self, call: &'static str, type_id: &str) -> Result<&Served> {
        self.types
            .get(type_id)
            .ok_or_else(|| Error::UnknownResourceType {
                call,
                type_id: type_id.to_owned(),
            })
    }

    fn syncer(&self, call: &'static str, type_id: &str) -> Result<&dyn ResourceSyncer> {
        self.served(call, type_id)
            .map(|served| served.syncer.as_ref())
    }

    fn provisioner(&self, type_id: &str) -> Result<&dyn Provisioner> {
        let served = self.types.get(type_id);
        served
            .and_then(|served| served.provisioner.as_deref())
            .ok_or_else(|| Error::NoProvisioner {
                type_id: type_id.to_owned(),
            })
    }

    fn syncer_of(
        &self,
        call: &'static str,
        resource: &v2::Resource,
    ) -> Result<&dyn ResourceSyncer> {
        match &resource.id {
            Some(id) if !id.resource_type.is_empty() && !id.resource.is_empty() => {
                self.syncer(call, &id.resource_type)
            }
            _ => Err(Error::MissingResource { call }),
        }
    }
}

fn check_exclusion_groups(page: Page<v2::Entitlement>) -> Result<Page<v2::Entitlement>> {
    for entitlement in page.items() {
        let groups = entitlement
            .annotations
            .iter()
            .filter(|entry| any::is::<v2::EntitlementExclusionGroup>(entry));
        if groups.count() > 1 {
            return Err(Error::ExclusionGroups {
                entitlement_id: entitlement.id.clone(),
            });
        }
    }
    Ok(page)
}

/// A list of a whole type was asked for that the type does not have (§5.2).
fn not_scoped(call: &'static str, type_id: &str) -> Error {
    Error::NotTypeScoped {
        call,
        type_id: type_id.to_owned(),
    }
}

fn about(what: &str, resource: &v2::Resource) -> String {
    let id = resource.id.clone().unwrap_or_default();
    format!("{what} of {} `{}`", id.resource_type, id.resource)
}

#[async_trait]
impl Connector for BuiltConnector {
    async fn metadata(&self, _call: &Call) -> Result<v2::ConnectorMetadata> {
        Ok(self.metadata.clone())
    }

    async fn validate(&self, call: &Call) -> Result<Vec<Any>> {
        match &self.validator {
            Some(validator) => validator.validate(call).await,
            None => Ok(Vec::new()),
        }
    }

    async fn list_resource_types(&self, _call: &Call) -> Result<Page<v2::ResourceType>> {
        if self.types.is_empty() {
            return Err(Error::NoResourceTypes);
        }
        let types = self.types.values();
        Ok(Page::last(types.map(Served::resource_type).collect()))
    }

    async fn list_resources(
        &self,
        call: &Call,
        type_id: &str,
        parent: Option<&v2::ResourceId>,
    ) -> Result<Page<v2::Resource>> {
        let syncer = self.syncer("list resources", type_id)?;
        let page = syncer.list(call, parent).await?;
        page.advanced(call.token(), || format!("resources of type `{type_id}`"))
    }

    async fn list_static_entitlements(
        &self,
        call: &Call,
        type_id: &str,
    ) -> Result<Page<v2::Entitlement>> {
        let syncer = self.syncer("list static entitlements", type_id)?;
        let page = check_exclusion_groups(syncer.static_entitlements(call).await?)?;
        page.advanced(call.token(), || {
            format!("static entitlements of type `{type_id}`")
        })
    }

    async fn list_entitlements(
        &self,
        call: &Call,
        resource: &v2::Resource,
    ) -> Result<Page<v2::Entitlement>> {
        let syncer = self.syncer_of("list entitlements", resource)?;
        let page = check_exclusion_groups(syncer.entitlements(call, resource).await?)?;
        page.advanced(call.token(), || about("entitlements", resource))
    }

    async fn list_grants(&self, call: &Call, resource: &v2::Resource) -> Result<Page<v2::Grant>> {
        let syncer = self.syncer_of("list grants", resource)?;
        let page = syncer.grants(call, resource).await?;
        page.advanced(call.token(), || about("grants", resource))
    }

    async fn list_entitlements_of_type(
        &self,
        call: &Call,
        type_id: &str,
    ) -> Result<Page<v2::Entitlement>> {
        let doing = "list entitlements of a type";
        let Some(lists) = &self.served(doing, type_id)?.type_entitlements else {
            return Err(not_scoped(doing, type_id));
        };
        let page = check_exclusion_groups(lists.type_entitlements(call).await?)?;
        page.advanced(call.token(), || format!("entitlements of type `{type_id}`"))
    }

    async fn list_grants_of_type(&self, call: &Call, type_id: &str) -> Result<Page<v2::Grant>> {
        let doing = "list grants of a type";
        let Some(lists) = &self.served(doing, type_id)?.type_grants else {
            return Err(not_scoped(doing, type_id));
        };
        let page = lists.type_grants(call).await?;
        page.advanced(call.token(), || format!("grants of type `{type_id}`"))
    }

    async fn get_resource(
        &self,
        call: &Call,
        id: &v2::ResourceId,
        parent: Option<&v2::ResourceId>,
    ) -> Result<Option<Row<v2::Resource>>> {
        let served = self.types.get(&id.resource_type);
        match served.and_then(|served| served.getter.as_ref()) {
            Some(getter) => Ok(getter.get(call, id, parent).await?.map(Row::from)),
            None => Err(Error::Unimplemented {
                call: "get resource",
                type_id: id.resource_type.clone(),
            }),
        }
    }

    async fn added_entitlement(
        &self,
        _call: &Call,
        resource: &v2::Resource,
        slug: &str,
    ) -> Result<Option<v2::Entitlement>> {
        let syncer = self.syncer_of("make an added entitlement", resource)?;
        syncer.added_entitlement(resource, slug)
    }

    async fn cleanup(&self, _call: &Call) -> Result<()> {
        Ok(())
    }

    fn provisioning(&self) -> Option<&dyn Provisioning> {
        Some(self)
    }

    fn deleting(&self) -> Option<&dyn Deleting> {
        Some(self)
    }

    fn creating(&self) -> Option<&dyn Creating> {
        Some(self)
    }

    fn accounts(&self) -> Option<&dyn Accounts> {
        Some(self)
    }

    fn credentials(&self) -> Option<&dyn Credentials> {
        Some(self)
    }

    fn event_feeds(&self) -> Option<&dyn EventFeeds> {
        (!self.feeds.is_empty()).then_some(self)
    }

    fn tickets(&self) -> Option<&dyn Tickets> {
        self.tickets.is_some().then_some(self)
    }

    fn actions(&self) -> Option<&dyn Actions> {
        Some(&self.actions)
    }

    fn local(&self) -> Option<&dyn LocalHooks> {
        Some(self)
    }
}

/// The id of a resource and its type, which must be there.
fn whole_id<'r>(call: &'static str, resource: &'r v2::Resource) -> Result<&'r v2::ResourceId> {
    let missing = || Error::MissingResource { call };
    let id = resource.id.as_ref().ok_or_else(missing)?;
    if id.resource_type.is_empty() || id.resource.is_empty() {
        return Err(missing());
    }
    Ok(id)
}

#[async_trait]
impl Creating for BuiltConnector {
    async fn create(&self, call: &Call, resource: &v2::Resource) -> Result<Option<v2::Resource>> {
        let doing = "create resource";
        // The application may give it its id.
        let type_id = resource.id.as_ref().map(|id| id.resource_type.as_str());
        let type_id = type_id.filter(|id| !id.is_empty());
        let type_id = type_id.ok_or(Error::MissingResource { call: doing })?;
        let served = self.types.get(type_id);
        let creator = served
            .and_then(|served| served.creator.as_deref())
            .ok_or_else(|| Error::Unimplemented {
                call: doing,
                type_id: type_id.to_owned(),
            })?;
        let creation = creator.create(call, resource).await?;
        let ids = |resource: &v2::Resource| vec![any_id(resource)];
        create(call, Operation::CreateResource, creation, ids).await
    }
}

/// The id of a resource as one text.
pub(crate) fn any_id(resource: &v2::Resource) -> String {
    let id = resource.id.clone().unwrap_or_default();
    format!("{}:{}", id.resource_type, id.resource)
}

#[async_trait]
impl Deleting for BuiltConnector {
    async fn delete(&self, call: &Call, resource: &v2::Resource) -> Result<Deleted> {
        let doing = "delete resource";
        let id = whole_id(doing, resource)?;
        let served = self.types.get(&id.resource_type);
        let deleter = served
            .and_then(|served| served.deleter.as_deref())
            .ok_or_else(|| Error::Unimplemented {
                call: doing,
                type_id: id.resource_type.clone(),
            })?;
        let change = deleter.delete(call, resource).await?;
        let read = |call: Call| async move { Ok(!deleter.exists(&call, resource).await?) };
        Ok(carry_out(call, change, read).await?.into())
    }
}

/// The parts of a change that must be there.
fn parts<'a>(
    call: &'static str,
    entitlement: Option<&'a v2::Entitlement>,
    principal: Option<&'a v2::Resource>,
) -> Result<(&'a v2::Entitlement, &'a v2::Resource, &'a str)> {
    let missing = || Error::MissingResource { call };
    let complete = |id: &&v2::ResourceId| !id.resource_type.is_empty() && !id.resource.is_empty();
    let entitlement = entitlement.ok_or_else(missing)?;
    let principal = principal.ok_or_else(missing)?;
    principal.id.as_ref().filter(complete).ok_or_else(missing)?;
    let resource = entitlement.resource.as_ref();
    let id = resource.and_then(|resource| resource.id.as_ref());
    let id = id.filter(complete).ok_or_else(missing)?;
    Ok((entitlement, principal, &id.resource_type))
}

#[async_trait]
impl Provisioning for BuiltConnector {
    async fn grant(
        &self,
        call: &Call,
        entitlement: &v2::Entitlement,
        principal: &v2::Resource,
    ) -> Result<Granted> {
        let (_, _, type_id) = parts("grant", Some(entitlement), Some(principal))?;
        let provisioner = self.provisioner(type_id)?;
        let change = provisioner.grant(call, entitlement, principal).await?;
        let read = |call: Call| async move {
            let held = provisioner.holds(&call, entitlement, principal).await?;
            Ok(held.is_direct())
        };
        Ok(carry_out(call, change, read).await?.into())
    }

    async fn revoke(&self, call: &Call, grant: &v2::Grant) -> Result<Revoked> {
        let (entitlement, principal, type_id) = parts(
            "revoke",
            grant.entitlement.as_ref(),
            grant.principal.as_ref(),
        )?;
        let provisioner = self.provisioner(type_id)?;
        let change = provisioner.revoke(call, grant).await?;
        let read = |call: Call| async move {
            let held = provisioner.holds(&call, entitlement, principal).await?;
            Ok(!held.is_direct())
        };
        Ok(carry_out(call, change, read).await?.into())
    }
}

#[async_trait]
impl LocalHooks for BuiltConnector {
    fn traffic(&self, run: &RunView) -> Option<TrafficSnapshot> {
        self.traffic_source
            .as_ref()
            .map(|traffic_source| traffic_source.traffic(run))
    }

    fn run_notes(&self, run: &RunView) -> RunNotes {
        let run_notes = self.run_notes.as_ref();
        run_notes
            .map(|run_notes| run_notes.run_notes(run))
            .unwrap_or_default()
    }

    fn expected_duplicates(&self, type_id: &str) -> ExpectedDuplicates {
        let served = self.types.get(type_id);
        served.map_or_else(ExpectedDuplicates::default, |served| {
            served.syncer.expected_duplicates()
        })
    }

    async fn holds(
        &self,
        call: &Call,
        entitlement: &v2::Entitlement,
        principal: &v2::Resource,
    ) -> Result<Option<Held>> {
        let (_, _, type_id) = parts("read a grant", Some(entitlement), Some(principal))?;
        let provisioner = self.provisioner(type_id)?;
        provisioner
            .holds(call, entitlement, principal)
            .await
            .map(Some)
    }

    async fn end_actions(&self) {
        self.actions.end().await;
    }
}
