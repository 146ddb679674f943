//! Connectors made of syncers: what is refused when they are built, and what
//! is refused of what they return.

use std::sync::Arc;

use async_trait::async_trait;
use baton_connector::http::{HttpClient, HttpParts, HttpSettings};
use baton_connector::resource::{
    EntitlementBuilder, ResourceBuilder, ResourceTypeBuilder, resource_id,
};
use baton_connector::{
    Call, Connector, ConnectorBuilder, Error, Page, ResourceGetter, ResourceSyncer, Result, Run,
    RunView, TrafficSnapshot, TrafficSource, TypeGrants, TypeSpec, Types, Validator,
};
use baton_proto::c1::connector::v2;
use baton_proto::{Advice, Advise, Code};
use v2::Capability as C;

use crate::script::{Script, ok};

/// Lists whatever it was given, with `next` as the next token.
#[derive(Clone)]
struct Fixed {
    kind: v2::ResourceType,
    next: &'static str,
    groups: usize,
    get: bool,
}

fn fixed(id: &str) -> Fixed {
    Fixed {
        kind: ResourceTypeBuilder::new(id, id.to_uppercase())
            .build()
            .unwrap(),
        next: "",
        groups: 0,
        get: false,
    }
}

impl Fixed {
    fn resource(&self) -> v2::Resource {
        ResourceBuilder::new(&self.kind.id, "1").build().unwrap()
    }

    fn entitlements(&self) -> Page<v2::Entitlement> {
        let mut entitlement = EntitlementBuilder::assignment(self.resource(), "member")
            .build()
            .unwrap();
        for order in 0..self.groups {
            let group = v2::EntitlementExclusionGroup {
                exclusion_group_id: order.to_string(),
                ..v2::EntitlementExclusionGroup::default()
            };
            baton_proto::any::append(&mut entitlement.annotations, &group);
        }
        Page::new(vec![entitlement], self.next)
    }
}

#[async_trait]
impl ResourceSyncer for Fixed {
    async fn list(&self, _: &Call, _: Option<&v2::ResourceId>) -> Result<Page<v2::Resource>> {
        Ok(Page::new(vec![self.resource()], self.next))
    }

    async fn entitlements(&self, _: &Call, _: &v2::Resource) -> Result<Page<v2::Entitlement>> {
        Ok(self.entitlements())
    }

    async fn grants(&self, _: &Call, _: &v2::Resource) -> Result<Page<v2::Grant>> {
        Ok(Page::new(Vec::new(), self.next))
    }

    async fn static_entitlements(&self, _: &Call) -> Result<Page<v2::Entitlement>> {
        Ok(self.entitlements())
    }
}

#[async_trait]
impl ResourceGetter for Fixed {
    async fn get(
        &self,
        _: &Call,
        _: &v2::ResourceId,
        _: Option<&v2::ResourceId>,
    ) -> Result<Option<v2::Resource>> {
        Ok(Some(self.resource()))
    }
}

fn spec(fixed: Fixed) -> TypeSpec<(), Fixed> {
    let gets = fixed.get;
    let spec = TypeSpec::new(fixed.kind.clone(), move |(): &()| Ok(fixed.clone()));
    if gets { spec.get() } else { spec }
}

fn types(fixed: impl IntoIterator<Item = Fixed>) -> Types<()> {
    let specs = fixed.into_iter().map(spec);
    specs.fold(Types::new(), Types::with)
}

fn build(syncers: impl IntoIterator<Item = Fixed>) -> Result<impl Connector + std::fmt::Debug> {
    let builder = ConnectorBuilder::new().metadata(v2::ConnectorMetadata {
        display_name: "Test".to_owned(),
        ..v2::ConnectorMetadata::default()
    });
    builder.types(&types(syncers), &())?.build()
}

fn cx() -> Call {
    Call::alone()
}

#[test]
fn types_that_cannot_be_served_are_refused() {
    let refused = |syncers: Vec<Fixed>, says: &str| {
        // Known before anything is connected, and when it is.
        let announced = types(syncers.clone()).capabilities().expect_err(says);
        let built = build(syncers).expect_err(says);
        for error in [announced, built] {
            assert!(error.to_string().contains(says), "{error}");
            assert_eq!(error.code(), Code::InvalidArgument);
        }
    };
    refused(
        vec![fixed("user"), fixed("user")],
        "another syncer serves it",
    );
    let mut unnamed = fixed("user");
    unnamed.kind.id.clear();
    refused(vec![unnamed], "its id is empty");
    let mut scoped = fixed("user");
    scoped.kind = ResourceTypeBuilder::new("user", "User")
        .annotation(&v2::TypeScopedGrants {})
        .build()
        .unwrap();
    refused(vec![scoped], "marked as type-scoped");
}

struct Scoped;

#[async_trait]
impl ResourceSyncer for Scoped {
    async fn list(&self, _: &Call, _: Option<&v2::ResourceId>) -> Result<Page<v2::Resource>> {
        Ok(Page::empty())
    }
}

#[async_trait]
impl TypeGrants for Scoped {
    async fn type_grants(&self, call: &Call) -> Result<Page<v2::Grant>> {
        let next = if call.token().is_empty() { "2" } else { "" };
        Ok(Page::new(Vec::new(), next))
    }
}

#[tokio::test]
async fn a_type_that_is_asked_about_as_a_whole_says_so() {
    let team = ResourceTypeBuilder::new("team", "Team").build().unwrap();
    let types = Types::new().with(TypeSpec::new(team, |(): &()| Ok(Scoped)).type_grants());
    let builder = ConnectorBuilder::new().types(&types, &()).unwrap();
    let connector = builder.build().unwrap();
    let types = connector.list_resource_types(&cx()).await.unwrap();
    let marks = &types.items()[0].annotations;
    assert!(baton_proto::any::contains::<v2::TypeScopedGrants>(marks));
    assert!(!baton_proto::any::contains::<v2::TypeScopedEntitlements>(
        marks
    ));
    let page = connector.list_grants_of_type(&cx(), "team").await;
    assert_eq!(page.unwrap().next.as_str(), "2");
    let page = connector.list_grants_of_type(&cx().at("2"), "team").await;
    assert!(page.unwrap().next.is_last());
    let refused = connector.list_entitlements_of_type(&cx(), "team").await;
    assert_eq!(refused.unwrap_err().code(), Code::InvalidArgument);
    let refused = connector.list_grants_of_type(&cx(), "ghost").await;
    assert_eq!(refused.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn calls_about_unknown_types_and_resources_have_their_codes() {
    let connector = build([fixed("user")]).unwrap();
    let cx = cx();
    let ghost = ResourceBuilder::new("ghost", "1").build().unwrap();
    let nobody = v2::Resource::default();
    let code = |error: Error| error.code();
    assert_eq!(
        connector
            .list_resources(&cx, "ghost", None)
            .await
            .map_err(code),
        Err(Code::NotFound)
    );
    assert_eq!(
        connector
            .list_static_entitlements(&cx, "ghost")
            .await
            .map_err(code),
        Err(Code::NotFound)
    );
    assert_eq!(
        connector.list_entitlements(&cx, &ghost).await.map_err(code),
        Err(Code::NotFound)
    );
    assert_eq!(
        connector.list_grants(&cx, &ghost).await.map_err(code),
        Err(Code::NotFound)
    );
    assert_eq!(
        connector
            .list_entitlements(&cx, &nobody)
            .await
            .map_err(code),
        Err(Code::InvalidArgument)
    );
    assert_eq!(
        connector.list_grants(&cx, &nobody).await.map_err(code),
        Err(Code::InvalidArgument)
    );
    let user = resource_id("user", "1");
    assert_eq!(
        connector.get_resource(&cx, &user, None).await.map_err(code),
        Err(Code::Unimplemented)
    );
    let empty = build([]).unwrap();
    assert_eq!(
        empty.list_resource_types(&cx).await.map_err(code),
        Err(Code::FailedPrecondition)
    );
}

#[tokio::test]
async fn an_unchanged_token_is_an_error_in_every_list() {
    let connector = build([Fixed {
        next: "t",
        ..fixed("user")
    }])
    .unwrap();
    let (cx, user) = (cx(), ResourceBuilder::new("user", "1").build().unwrap());
    assert_eq!(
        connector
            .list_resources(&cx, "user", None)
            .await
            .unwrap()
            .next
            .as_str(),
        "t"
    );
    let errors = [
        connector
            .list_resources(&cx.at("t"), "user", None)
            .await
            .err(),
        connector
            .list_static_entitlements(&cx.at("t"), "user")
            .await
            .err(),
        connector.list_entitlements(&cx.at("t"), &user).await.err(),
        connector.list_grants(&cx.at("t"), &user).await.err(),
    ];
    for error in errors {
        let error = error.expect("refused");
        assert_eq!(error.code(), Code::Internal);
        assert!(
            error.to_string().contains("next page token unchanged"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn an_entitlement_is_in_one_exclusion_group_at_most() {
    let user = ResourceBuilder::new("user", "1").build().unwrap();
    for (groups, refused) in [(0, false), (1, false), (2, true)] {
        let connector = build([Fixed {
            groups,
            ..fixed("user")
        }])
        .unwrap();
        let listed = connector.list_entitlements(&cx(), &user).await;
        let templates = connector.list_static_entitlements(&cx(), "user").await;
        for outcome in [listed, templates] {
            assert_eq!(
                outcome.as_ref().err().map(Error::code),
                refused.then_some(Code::InvalidArgument)
            );
        }
    }
}

#[tokio::test]
async fn types_come_sorted_in_one_page() {
    let connector = build([fixed("user"), fixed("api_token"), fixed("group")]).unwrap();
    let page = connector.list_resource_types(&cx()).await.unwrap();
    let ids: Vec<_> = page.items().iter().map(|t| t.id.as_str()).collect();
    assert_eq!(ids, ["api_token", "group", "user"]);
    assert!(page.next.is_last());
}

#[tokio::test]
async fn capabilities_are_what_is_implemented_and_nothing_else() {
    let mut marked = fixed("role");
    marked.kind = ResourceTypeBuilder::new("role", "Role")
        .permissions(["read:roles"])
        .annotation(&v2::OptInRequired {})
        .annotation(&v2::Deprecated {})
        .annotation(&v2::SkipSyncAnomalyDetection {})
        .build()
        .unwrap();
    let plain = build([fixed("user"), fixed("group")]).unwrap();
    let capabilities = plain.metadata(&cx()).await.unwrap().capabilities.unwrap();
    assert_eq!(capabilities.connector_capabilities, [C::Sync as i32]);
    assert_eq!(capabilities.credential_details, None);
    let group = &capabilities.resource_type_capabilities[0];
    assert_eq!(group.resource_type.as_ref().unwrap().id, "group");
    assert_eq!(
        group.permissions,
        Some(v2::CapabilityPermissions::default())
    );

    let rich = build([
        Fixed {
            get: true,
            ..fixed("user")
        },
        marked.clone(),
    ])
    .unwrap();
    let capabilities = rich.metadata(&cx()).await.unwrap().capabilities.unwrap();
    let all = [C::Sync, C::TargetedSync, C::ServiceModeTargetedSync];
    assert_eq!(capabilities.connector_capabilities, all.map(|c| c as i32));
    let [role, user] = capabilities.resource_type_capabilities.as_slice() else {
        panic!("{capabilities:?}");
    };
    assert_eq!(user.capabilities, [C::Sync as i32, C::TargetedSync as i32]);
    assert_eq!(
        role.permissions.as_ref().unwrap().permissions[0].permission,
        "read:roles"
    );
    assert!(role.opt_in_required && role.deprecated && role.skip_sync_anomaly_detection);
    let rich_types = || {
        let mut user = fixed("user");
        user.get = true;
        types([user, marked.clone()])
    };
    assert_eq!(rich_types().capabilities().unwrap(), capabilities);
    let got = rich
        .get_resource(&cx(), &resource_id("user", "1"), None)
        .await
        .unwrap();
    let (got, bytes) = got.unwrap().into_parts();
    assert_eq!((got.id.unwrap().resource.as_str(), bytes), ("1", None));
}

#[tokio::test]
async fn metadata_keeps_everything_but_its_capabilities() {
    let metadata = v2::ConnectorMetadata {
        display_name: "Mine".to_owned(),
        capabilities: Some(v2::ConnectorCapabilities {
            connector_capabilities: vec![C::Provision as i32],
            ..v2::ConnectorCapabilities::default()
        }),
        ..v2::ConnectorMetadata::default()
    };
    let builder = ConnectorBuilder::new().metadata(metadata);
    let connector = builder.types(&types([fixed("user")]), &()).unwrap();
    let connector = connector.build().unwrap();
    let told = connector.metadata(&cx()).await.unwrap();
    assert_eq!(told.display_name, "Mine");
    assert_eq!(
        told.capabilities.unwrap().connector_capabilities,
        [C::Sync as i32]
    );
}

struct Refuses;

#[async_trait]
impl Validator for Refuses {
    async fn validate(&self, _: &Call) -> Result<Vec<prost_types::Any>> {
        Err(Error::stated(Code::Unauthenticated, "the key is wrong")
            .with_hint("make a new one")
            .during("cannot validate"))
    }
}

#[tokio::test]
async fn validation_is_the_validators() {
    let quiet = build([fixed("user")]).unwrap();
    assert_eq!(quiet.validate(&cx()).await.unwrap(), []);
    let strict = ConnectorBuilder::new()
        .validate_with(Arc::new(Refuses))
        .build()
        .unwrap();
    let error = strict.validate(&cx()).await.expect_err("refused");
    assert_eq!(error.code(), Code::Unauthenticated);
    assert_eq!(error.advice(), [Advice::sentence("make a new one")]);
    assert_eq!(error.to_string(), "cannot validate");
}

#[tokio::test]
async fn a_closure_can_validate() {
    for (key, code) in [("good", None), ("bad", Some(Code::Unauthenticated))] {
        let key = key.to_owned();
        let connector = ConnectorBuilder::new()
            .validate(move |call| {
                let key = key.clone();
                async move {
                    assert!(call.token().is_empty());
                    match key.as_str() {
                        "good" => Ok(()),
                        _ => Err(Error::stated(Code::Unauthenticated, "the key is wrong")),
                    }
                }
            })
            .build()
            .unwrap();
        let outcome = connector.validate(&cx()).await;
        assert_eq!(outcome.err().map(|error| error.code()), code);
    }
}

struct Busy;

impl TrafficSource for Busy {
    fn traffic(&self, _: &RunView) -> TrafficSnapshot {
        TrafficSnapshot {
            in_flight: 3,
            ..TrafficSnapshot::default()
        }
    }
}

#[test]
fn the_engine_sees_the_client_through_the_connector() {
    let builder = ConnectorBuilder::new().traffic_source(Arc::new(Busy));
    let connector = builder.types(&types([fixed("user")]), &()).unwrap();
    let connector = connector.build().unwrap();
    let run = Run::begin(None).view();
    let traffic = connector.local().unwrap().traffic(&run);
    assert_eq!(traffic.unwrap().in_flight, 3);
    let silent = build([fixed("user")]).unwrap();
    assert!(silent.local().unwrap().traffic(&run).is_none());
}

#[tokio::test]
async fn the_shared_client_is_an_upstream() {
    let script = Script::new([ok()]);
    let client = HttpClient::new(HttpParts::new(script, 1), HttpSettings::default()).unwrap();
    let connector = ConnectorBuilder::new().http(&client).build().unwrap();
    let run = Run::begin(None);
    let traffic = || connector.local().unwrap().traffic(&run.view()).unwrap();
    let send = async || {
        let on_call = client.on(&run.call());
        on_call.send(&crate::script::get("/x")).await.unwrap();
    };
    send().await;
    let before = traffic();
    send().await;
    assert_eq!(traffic().total().requests, 2);
    assert_eq!(traffic().since(&before).total().requests, 1);
}
