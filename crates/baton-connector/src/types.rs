//! Which resource types a connector has, and what it can do with each.
//!
//! They are registered once, before anything is connected, so what a connector
//! announces needs no settings; and a type's syncer is made of what connecting
//! brings (`C`). An ability is registered by the method that needs its trait,
//! so what is announced and what is there cannot differ:
//!
//! ```compile_fail,E0277
//! use baton_connector::{Call, Page, ResourceSyncer, Result, TypeSpec, v2};
//! # struct Doors;
//! # #[async_trait::async_trait]
//! # impl ResourceSyncer for Doors {
//! #     async fn list(
//! #         &self,
//! #         _call: &Call,
//! #         _parent: Option<&v2::ResourceId>,
//! #     ) -> Result<Page<v2::Resource>> {
//! #         Ok(Page::empty())
//! #     }
//! # }
//! // `Doors` is no `ResourceGetter`.
//! let doors = TypeSpec::new(v2::ResourceType::default(), |(): &()| Ok(Doors)).get();
//! ```

use std::sync::Arc;

use baton_proto::any;
use baton_proto::c1::connector::v2;
use v2::Capability;

use crate::account::{AccountManager, AccountSchema};
use crate::action::{Action, ActionSpec, Registered, check_schemas};
use crate::announced::{Offered, by_id, id, type_capability, union};
use crate::change::{Provisioner, ResourceCreator, ResourceDeleter};
use crate::credential::{CredentialIssuer, CredentialKinds, CredentialManager};
use crate::error::{Error, Result};
use crate::event_feed::{self, EventFeed, Feeds};
use crate::syncer::{ResourceGetter, ResourceSyncer, TypeEntitlements, TypeGrants};
use crate::ticket::TicketManager;

/// Makes a syncer of what connecting has brought.
type Make<C, S> = Box<dyn Fn(&C) -> Result<S> + Send + Sync>;

/// Makes an event feed of what connecting has brought.
type MakeFeed<C> = Make<C, Arc<dyn EventFeed>>;

/// A syncer as one of its abilities.
type Cast<S, A> = fn(Arc<S>) -> Arc<A>;

/// One resource type, how its syncer is made, and what else it can do.
///
/// ```
/// # use baton_connector::{Call, Page, ResourceGetter, ResourceSyncer, Result, TypeSpec, Types, v2};
/// # struct House;
/// struct Doors;
///
/// # #[async_trait::async_trait]
/// # impl ResourceSyncer for Doors {
/// #     async fn list(
/// #         &self,
/// #         _call: &Call,
/// #         _parent: Option<&v2::ResourceId>,
/// #     ) -> Result<Page<v2::Resource>> {
/// #         Ok(Page::empty())
/// #     }
/// # }
/// #[async_trait::async_trait]
/// impl ResourceGetter for Doors {
///     // ...
/// #     async fn get(
/// #         &self,
/// #         _call: &Call,
/// #         _id: &v2::ResourceId,
/// #         _parent: Option<&v2::ResourceId>,
/// #     ) -> Result<Option<v2::Resource>> {
/// #         Ok(None)
/// #     }
/// }
///
/// let door = v2::ResourceType { id: "door".to_owned(), ..v2::ResourceType::default() };
/// let types = Types::new().with(TypeSpec::new(door, |_: &House| Ok(Doors)).get());
/// let announced = types.capabilities()?;
/// assert_eq!(announced.connector_capabilities.len(), 3);
/// # Ok::<(), baton_connector::Error>(())
/// ```
#[must_use]
pub struct TypeSpec<C, S> {
    resource_type: v2::ResourceType,
    make: Make<C, S>,
    as_getter: Option<Cast<S, dyn ResourceGetter>>,
    as_type_entitlements: Option<Cast<S, dyn TypeEntitlements>>,
    as_type_grants: Option<Cast<S, dyn TypeGrants>>,
    as_provisioner: Option<Cast<S, dyn Provisioner>>,
    as_deleter: Option<Cast<S, dyn ResourceDeleter>>,
    as_creator: Option<Cast<S, dyn ResourceCreator>>,
    as_account_manager: Option<Cast<S, dyn AccountManager>>,
    as_credential_manager: Option<Cast<S, dyn CredentialManager>>,
    as_credential_issuer: Option<Cast<S, dyn CredentialIssuer>>,
    /// What accounts are made from, and their kinds of credential.
    accounts: Option<(AccountSchema, CredentialKinds)>,
    /// The kinds of credential that can be replaced.
    rotated: Option<CredentialKinds>,
    /// The credentials that can be issued.
    issued: Option<v2::CredentialDetailsCredentialIssue>,
    actions: Vec<ActionSpec<C>>,
}

impl<C: 'static, S: ResourceSyncer + 'static> TypeSpec<C, S> {
    /// A type whose resources, entitlements and grants are listed.
    pub fn new(
        resource_type: v2::ResourceType,
        make: impl Fn(&C) -> Result<S> + Send + Sync + 'static,
    ) -> Self {
        Self {
            resource_type,
            make: Box::new(make),
            as_getter: None,
            as_type_entitlements: None,
            as_type_grants: None,
            as_provisioner: None,
            as_deleter: None,
            as_creator: None,
            as_account_manager: None,
            as_credential_manager: None,
            as_credential_issuer: None,
            accounts: None,
            rotated: None,
            issued: None,
            actions: Vec::new(),
        }
    }

    /// Its resources can be read by id: the type announces targeted syncs.
    pub fn get(mut self) -> Self
    where
        S: ResourceGetter,
    {
        self.as_getter = Some(|syncer| syncer);
        self
    }

    /// Who holds the entitlements of its resources can be changed: the type
    /// announces `PROVISION`.
    pub fn provisioner(mut self) -> Self
    where
        S: Provisioner,
    {
        self.as_provisioner = Some(|syncer| syncer);
        self
    }

    /// Its resources can be deleted: the type announces `RESOURCE_DELETE`.
    pub fn deleter(mut self) -> Self
    where
        S: ResourceDeleter,
    {
        self.as_deleter = Some(|syncer| syncer);
        self
    }

    /// Its resources can be created, and deleted: the type announces
    /// `RESOURCE_CREATE` and `RESOURCE_DELETE`.
    pub fn creator(mut self) -> Self
    where
        S: ResourceCreator,
    {
        self.as_creator = Some(|syncer| syncer);
        self.deleter()
    }

    /// Accounts can be created from `schema` with credentials of `kinds`: the type
    /// announces `ACCOUNT_PROVISIONING`.
    pub fn account_manager(mut self, schema: AccountSchema, kinds: CredentialKinds) -> Self
    where
        S: AccountManager,
    {
        self.as_account_manager = Some(|syncer| syncer);
        self.accounts = Some((schema, kinds));
        self
    }

    /// Credentials of its resources can be replaced by ones of `kinds`: the type
    /// announces `CREDENTIAL_ROTATION`.
    pub fn credential_manager(mut self, kinds: CredentialKinds) -> Self
    where
        S: CredentialManager,
    {
        self.as_credential_manager = Some(|syncer| syncer);
        self.rotated = Some(kinds);
        self
    }

    /// Further credentials of its resources can be made, as `details` describes: the
    /// type announces `CREDENTIAL_ISSUE`. The types of the secrets must have a
    /// deleter.
    pub fn credential_issuer(mut self, details: v2::CredentialDetailsCredentialIssue) -> Self
    where
        S: CredentialIssuer,
    {
        self.as_credential_issuer = Some(|syncer| syncer);
        self.issued = Some(details);
        self
    }

    /// Adds an action of the type, made of what connecting has brought: the
    /// connector announces `ACTIONS`.
    pub fn action<A: Action + 'static>(
        mut self,
        schema: impl Into<v2::BatonActionSchema>,
        make: impl Fn(&C) -> Result<A> + Send + Sync + 'static,
    ) -> Self {
        let action = ActionSpec::new(&self.resource_type.id, schema, make);
        self.actions.push(action);
        self
    }

    /// Entitlements of all its resources are one list, which is asked for in
    /// place of those of each resource. The type is marked as
    /// `TypeScopedEntitlements`.
    pub fn type_entitlements(mut self) -> Self
    where
        S: TypeEntitlements,
    {
        self.as_type_entitlements = Some(|syncer| syncer);
        self
    }

    /// Grants on all its resources are one list, which is asked for in place
    /// of those of each resource. The type is marked as `TypeScopedGrants`.
    pub fn type_grants(mut self) -> Self
    where
        S: TypeGrants,
    {
        self.as_type_grants = Some(|syncer| syncer);
        self
    }
}

/// A [`TypeSpec`] of any syncer.
trait Spec<C>: Send + Sync {
    fn announced(&self) -> Result<v2::ResourceTypeCapability>;

    fn serve(&self, connected: &C) -> Result<Served>;

    /// The kinds of credential of accounts, and of those that can be replaced.
    fn credentials(&self) -> Offered<'_>;

    fn actions(&self) -> &[ActionSpec<C>];
}

impl<C: 'static, S: ResourceSyncer + 'static> Spec<C> for TypeSpec<C, S> {
    fn announced(&self) -> Result<v2::ResourceTypeCapability> {
        let mut resource_type = self.resource_type.clone();
        let marks = &mut resource_type.annotations;
        let by_type = (
            self.as_type_entitlements.is_some(),
            self.as_type_grants.is_some(),
        );
        let reason = if resource_type.id.is_empty() {
            "its id is empty"
        } else if any::contains::<v2::TypeScopedEntitlements>(marks) && !by_type.0
            || any::contains::<v2::TypeScopedGrants>(marks) && !by_type.1
        {
            "it is marked as type-scoped, but its syncer lists per resource"
        } else {
            if by_type.0 {
                any::update(marks, &v2::TypeScopedEntitlements::default());
            }
            if by_type.1 {
                any::update(marks, &v2::TypeScopedGrants::default());
            }
            let abilities = [
                (self.as_getter.is_some(), Capability::TargetedSync),
                (self.as_provisioner.is_some(), Capability::Provision),
                (self.accounts.is_some(), Capability::AccountProvisioning),
                (self.rotated.is_some(), Capability::CredentialRotation),
                (self.issued.is_some(), Capability::CredentialIssue),
                (self.as_creator.is_some(), Capability::ResourceCreate),
                (self.as_deleter.is_some(), Capability::ResourceDelete),
            ];
            let mut announced = type_capability(resource_type, &abilities)?;
            announced.credential_issue.clone_from(&self.issued);
            return Ok(announced);
        };
        Err(Error::Registration {
            type_id: resource_type.id,
            reason,
        })
    }

    fn serve(&self, connected: &C) -> Result<Served> {
        let announced = self.announced()?;
        let syncer = Arc::new((self.make)(connected)?);
        Ok(Served {
            announced,
            getter: self.as_getter.map(|getter| getter(Arc::clone(&syncer))),
            type_entitlements: self
                .as_type_entitlements
                .map(|lists| lists(Arc::clone(&syncer))),
            type_grants: self.as_type_grants.map(|lists| lists(Arc::clone(&syncer))),
            provisioner: self
                .as_provisioner
                .map(|provisioner| provisioner(Arc::clone(&syncer))),
            deleter: self.as_deleter.map(|deleter| deleter(Arc::clone(&syncer))),
            creator: self.as_creator.map(|creator| creator(Arc::clone(&syncer))),
            account_manager: self
                .as_account_manager
                .map(|manager| manager(Arc::clone(&syncer))),
            credential_manager: self
                .as_credential_manager
                .map(|manager| manager(Arc::clone(&syncer))),
            credential_issuer: self
                .as_credential_issuer
                .map(|issuer| issuer(Arc::clone(&syncer))),
            accounts: self.accounts.clone(),
            rotated: self.rotated.clone(),
            syncer,
        })
    }

    fn actions(&self) -> &[ActionSpec<C>] {
        &self.actions
    }

    fn credentials(&self) -> Offered<'_> {
        Offered {
            of_accounts: self.accounts.as_ref().map(|(_, kinds)| kinds),
            rotated: self.rotated.as_ref(),
        }
    }
}

/// A type, served.
pub(crate) struct Served {
    pub(crate) announced: v2::ResourceTypeCapability,
    pub(crate) syncer: Arc<dyn ResourceSyncer>,
    pub(crate) getter: Option<Arc<dyn ResourceGetter>>,
    pub(crate) type_entitlements: Option<Arc<dyn TypeEntitlements>>,
    pub(crate) type_grants: Option<Arc<dyn TypeGrants>>,
    pub(crate) provisioner: Option<Arc<dyn Provisioner>>,
    pub(crate) deleter: Option<Arc<dyn ResourceDeleter>>,
    pub(crate) creator: Option<Arc<dyn ResourceCreator>>,
    pub(crate) account_manager: Option<Arc<dyn AccountManager>>,
    pub(crate) credential_manager: Option<Arc<dyn CredentialManager>>,
    pub(crate) credential_issuer: Option<Arc<dyn CredentialIssuer>>,
    pub(crate) accounts: Option<(AccountSchema, CredentialKinds)>,
    pub(crate) rotated: Option<CredentialKinds>,
}

impl Served {
    pub(crate) fn offered(&self) -> Offered<'_> {
        Offered {
            of_accounts: self.accounts.as_ref().map(|(_, kinds)| kinds),
            rotated: self.rotated.as_ref(),
        }
    }

    pub(crate) fn resource_type(&self) -> v2::ResourceType {
        self.announced.resource_type.clone().unwrap_or_default()
    }
}

/// All resource types of a connector, before it is connected.
#[must_use]
pub struct Types<C> {
    specs: Vec<Box<dyn Spec<C>>>,
    feeds: Vec<(v2::EventFeedMetadata, MakeFeed<C>)>,
    tickets: Option<Make<C, Arc<dyn TicketManager>>>,
    actions: Vec<ActionSpec<C>>,
}

impl<C> Default for Types<C> {
    fn default() -> Self {
        Self {
            specs: Vec::new(),
            feeds: Vec::new(),
            tickets: None,
            actions: Vec::new(),
        }
    }
}

impl<C: 'static> Types<C> {
    /// No types.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a type. What is wrong with it comes to light with
    /// [`Types::capabilities`], and when a connector is made of it.
    pub fn with<S: ResourceSyncer + 'static>(mut self, spec: TypeSpec<C, S>) -> Self {
        self.specs.push(Box::new(spec));
        self
    }

    /// Adds an event feed: the connector announces `EVENT_FEED_V2`.
    pub fn event_feed<F: EventFeed + 'static>(
        mut self,
        metadata: v2::EventFeedMetadata,
        make: impl Fn(&C) -> Result<F> + Send + Sync + 'static,
    ) -> Self {
        let make: MakeFeed<C> =
            Box::new(move |connected| Ok(Arc::new(make(connected)?) as Arc<dyn EventFeed>));
        self.feeds.push((metadata, make));
        self
    }

    /// Adds the tickets of the application: the connector announces `TICKETING`.
    pub fn tickets<T: TicketManager + 'static>(
        mut self,
        make: impl Fn(&C) -> Result<T> + Send + Sync + 'static,
    ) -> Self {
        let make: Make<C, Arc<dyn TicketManager>> =
            Box::new(move |connected| Ok(Arc::new(make(connected)?) as Arc<dyn TicketManager>));
        self.tickets = Some(make);
        self
    }

    /// Adds an action of the connector, made of what connecting has brought: the
    /// connector announces `ACTIONS`. What is wrong with it comes to light as for
    /// types.
    pub fn action<A: Action + 'static>(
        mut self,
        schema: impl Into<v2::BatonActionSchema>,
        make: impl Fn(&C) -> Result<A> + Send + Sync + 'static,
    ) -> Self {
        self.actions.push(ActionSpec::new("", schema, make));
        self
    }

    /// What a connector of these types announces.
    ///
    /// # Errors
    /// [`Error::Registration`] when a type has no id, comes twice, or is marked
    /// as type-scoped without being served so; [`Error::Annotation`] when its
    /// permissions cannot be read; [`Error::ActionRegistration`] when an action has
    /// no name, comes twice, or has an unusable schema.
    pub fn capabilities(&self) -> Result<v2::ConnectorCapabilities> {
        let specs = self.specs.iter();
        let announced = specs.map(|spec| Ok((spec.announced()?, spec.credentials())));
        let announced = announced.collect::<Result<Vec<_>>>()?;
        let types = by_id(announced, |(announced, _)| id(announced))?;
        check_schemas(self.all_actions().map(ActionSpec::schema))?;
        event_feed::check(self.feeds.iter().map(|(metadata, _)| metadata))?;
        let further = [
            (!self.feeds.is_empty(), Capability::EventFeedV2),
            (self.tickets.is_some(), Capability::Ticketing),
            (self.all_actions().next().is_some(), Capability::Actions),
        ];
        let further = further.iter().filter(|(has, _)| *has);
        let further: Vec<_> = further.map(|(_, capability)| *capability).collect();
        union(types.into_values(), &further)
    }

    fn all_actions(&self) -> impl Iterator<Item = &ActionSpec<C>> {
        let of_types = self.specs.iter().flat_map(|spec| spec.actions());
        self.actions.iter().chain(of_types)
    }

    /// The actions, served with what connecting has brought.
    pub(crate) fn serve_actions(&self, connected: &C) -> Result<Vec<Registered>> {
        let actions = self.all_actions();
        actions.map(|action| action.serve(connected)).collect()
    }

    /// The types, served with what connecting has brought.
    pub(crate) fn serve(&self, connected: &C) -> Result<Vec<Served>> {
        let specs = self.specs.iter();
        specs.map(|spec| spec.serve(connected)).collect()
    }

    /// The event feeds, made of what connecting has brought.
    pub(crate) fn serve_feeds(&self, connected: &C) -> Result<Feeds> {
        event_feed::check(self.feeds.iter().map(|(metadata, _)| metadata))?;
        let mut feeds = Feeds::default();
        for (metadata, make) in &self.feeds {
            feeds.add(metadata.clone(), make(connected)?);
        }
        Ok(feeds)
    }

    /// The tickets, made of what connecting has brought.
    pub(crate) fn serve_tickets(&self, connected: &C) -> Result<Option<Arc<dyn TicketManager>>> {
        self.tickets
            .as_ref()
            .map(|make| make(connected))
            .transpose()
    }
}

impl<C: 'static> std::fmt::Debug for Types<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let announced = self.specs.iter().map(|spec| spec.announced());
        f.debug_list()
            .entries(announced.map(|announced| announced.map(|announced| id(&announced))))
            .finish()
    }
}
