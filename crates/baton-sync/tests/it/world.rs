//! A connector that serves a small organization from memory, page by page,
//! and does what a test's hook tells it to.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use baton_connector::resource::{
    EntitlementBuilder, EntitlementId, GrantBuilder, ResourceBuilder, ResourceTypeBuilder,
    RoleTraitBuilder, UserTraitBuilder, resource_id,
};
use baton_connector::{
    Added, Call, Connector, Error, Page, Random, Result, Row, SplitMix, UpstreamCount,
};
use baton_proto::c1::connector::v2::{self, resource_type::Trait};
use prost_types::Any;

/// What a hook makes of a call.
pub enum Twist {
    Fail(Error),
    /// The page as it is, but with this next token.
    Next(&'static str),
    /// The page as it is, with annotations on the response.
    Annotate(Any),
    /// The page as it is, but with this next token and these further ones.
    Spawn(&'static str, &'static [&'static str]),
    /// The page as it is, with the application's own count of the list.
    UpstreamCount(UpstreamCount),
    /// The page as it is, the last of what was counted.
    EndsCounted,
    /// The page as it is, with entitlements that no list may have.
    Adds(Vec<Added>),
    /// No answer, ever.
    Hang,
}

type Hook = Box<dyn Fn(&str, &str, usize) -> Option<Twist> + Send + Sync>;

#[derive(Default)]
struct Seen {
    calls: Vec<String>,
    in_flight: usize,
    most_in_flight: usize,
}

pub struct World {
    pub types: Vec<v2::ResourceType>,
    pub resources: BTreeMap<String, Vec<v2::Resource>>,
    pub templates: BTreeMap<String, Vec<v2::Entitlement>>,
    pub entitlements: BTreeMap<String, Vec<v2::Entitlement>>,
    pub grants: BTreeMap<String, Vec<v2::Grant>>,
    pub page_size: usize,
    pub invalid: Option<fn() -> Error>,
    hook: Option<Hook>,
    delays: Option<SplitMix>,
    seen: Mutex<Seen>,
}

impl World {
    pub fn empty() -> Self {
        Self {
            types: Vec::new(),
            resources: BTreeMap::new(),
            templates: BTreeMap::new(),
            entitlements: BTreeMap::new(),
            grants: BTreeMap::new(),
            page_size: 2,
            invalid: None,
            hook: None,
            delays: None,
            seen: Mutex::new(Seen::default()),
        }
    }

    /// Seven users, three groups, a role that the first group hands on to
    /// its members, two organizations with two sites each.
    pub fn small() -> Self {
        let mut world = Self::empty();
        world.types = vec![
            kind("user", Some(Trait::User)),
            kind("group", Some(Trait::Group)),
            kind("role", Some(Trait::Role)),
            kind("org", None),
            kind("site", None),
        ];
        for n in 1..=7 {
            world.add("user", user(&format!("u{n}")));
        }
        for n in 1..=3 {
            world.add("group", group(&format!("g{n}")));
            let id = format!("g{n}");
            let members = (1..=2 * n).map(|m| ("user", format!("u{m}")));
            world.give("group", &id, "member", members);
        }
        world.add("role", role("r:1"));
        let expandable = GrantBuilder::new(
            ResourceBuilder::new("role", "r:1").build().expect("valid"),
            "assigned",
            resource_id("group", "g1"),
        )
        .expandable([EntitlementId::of(&resource_id("group", "g1"), "member")])
        .build()
        .expect("valid");
        world.give("role", "r:1", "assigned", []);
        world
            .grants
            .entry("role:r:1".to_owned())
            .or_default()
            .push(expandable);
        for org in ["o1", "o2"] {
            let resource = ResourceBuilder::new("org", org).child_type("site");
            world.add("org", resource.build().expect("valid"));
            for n in 1..=2 {
                let site = ResourceBuilder::new("site", format!("{org}/s{n}"))
                    .display_name("Site")
                    .parent(resource_id("org", org));
                let list = format!("site<org:{org}");
                world.add(&list, site.build().expect("valid"));
            }
        }
        let template = v2::Entitlement {
            slug: "visitor".to_owned(),
            display_name: "Visitor".to_owned(),
            ..v2::Entitlement::default()
        };
        world.templates.insert("site".to_owned(), vec![template]);
        world
    }

    /// Adds to the list of a type, or with `type<parent type:id` of a child type.
    pub fn add(&mut self, list: &str, resource: v2::Resource) {
        self.resources
            .entry(list.to_owned())
            .or_default()
            .push(resource);
    }

    /// Adds an entitlement to a resource and grants it.
    pub fn give<'a>(
        &mut self,
        kind: &str,
        id: &str,
        slug: &str,
        principals: impl IntoIterator<Item = (&'a str, String)>,
    ) {
        let key = format!("{kind}:{id}");
        let entitlement = EntitlementBuilder::assignment(resource_id(kind, id), slug)
            .build()
            .expect("valid");
        let grants = self.grants.entry(key.clone()).or_default();
        for (principal_kind, principal) in principals {
            let principal = resource_id(principal_kind, principal);
            let grant = GrantBuilder::of(&entitlement, principal);
            grants.push(grant.build().expect("valid"));
        }
        self.entitlements.entry(key).or_default().push(entitlement);
    }

    /// Calls `hook` with the list, the token and how often this page was
    /// asked for before.
    pub fn hooked(
        mut self,
        hook: impl Fn(&str, &str, usize) -> Option<Twist> + Send + Sync + 'static,
    ) -> Self {
        self.hook = Some(Box::new(hook));
        self
    }

    /// Every call takes up to a second, in an order that the seed decides.
    pub fn slow(mut self, seed: u64) -> Self {
        self.delays = Some(SplitMix::seeded(seed));
        self
    }

    pub fn calls(&self) -> Vec<String> {
        self.seen.lock().expect("no panic").calls.clone()
    }

    pub fn most_in_flight(&self) -> usize {
        self.seen.lock().expect("no panic").most_in_flight
    }

    async fn answer<T: Clone>(
        &self,
        list: String,
        items: Option<&Vec<T>>,
        token: &str,
    ) -> Result<Page<T>> {
        let call = format!("{list} @{token}");
        let before = {
            let mut seen = self.seen.lock().expect("no panic");
            let before = seen.calls.iter().filter(|c| **c == call).count();
            seen.calls.push(call);
            seen.in_flight += 1;
            seen.most_in_flight = seen.most_in_flight.max(seen.in_flight);
            before
        };
        let _flight = Flight(&self.seen);
        match &self.delays {
            Some(delays) => {
                let wait = Duration::from_millis(delays.next_u64() % 1000);
                tokio::time::sleep(wait).await;
            }
            None => tokio::task::yield_now().await,
        }
        let twist = self
            .hook
            .as_ref()
            .and_then(|hook| hook(&list, token, before));
        let items = items.map(Vec::as_slice).unwrap_or_default();
        let start: usize = match token {
            "" => 0,
            token => token.trim_start_matches('p').parse().expect("our token"),
        };
        let end = items.len().min(start + self.page_size);
        let next = if end < items.len() {
            format!("p{end}")
        } else {
            String::new()
        };
        let mut page = Page::new(items[start..end].to_vec(), next);
        match twist {
            None => {}
            Some(Twist::Fail(error)) => return Err(error),
            Some(Twist::Next(token)) => page.next = token.into(),
            Some(Twist::Annotate(annotation)) => page.annotations.push(annotation),
            Some(Twist::Spawn(next, further)) => {
                page.next = next.into();
                let tokens = v2::EnqueuePageTokens {
                    page_tokens: further.iter().map(|t| (*t).to_owned()).collect(),
                    ..v2::EnqueuePageTokens::default()
                };
                page.annotations.push(baton_proto::any::pack(&tokens));
            }
            Some(Twist::UpstreamCount(counted)) => page.notes.upstream_count = counted,
            Some(Twist::EndsCounted) => page.notes.count_ends_here = true,
            Some(Twist::Adds(added)) => page.notes.added = added,
            Some(Twist::Hang) => std::future::pending().await,
        }
        Ok(page)
    }
}

struct Flight<'a>(&'a Mutex<Seen>);

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        self.0.lock().expect("no panic").in_flight -= 1;
    }
}

fn key(resource: &v2::Resource) -> String {
    let id = resource.id.as_ref().expect("asked with an id");
    format!("{}:{}", id.resource_type, id.resource)
}

#[async_trait]
impl Connector for World {
    async fn metadata(&self, _: &Call) -> Result<v2::ConnectorMetadata> {
        Ok(v2::ConnectorMetadata {
            display_name: "World".to_owned(),
            ..v2::ConnectorMetadata::default()
        })
    }

    async fn validate(&self, _: &Call) -> Result<Vec<Any>> {
        match self.invalid {
            Some(error) => Err(error()),
            None => Ok(Vec::new()),
        }
    }

    async fn list_resource_types(&self, call: &Call) -> Result<Page<v2::ResourceType>> {
        assert_eq!(call.sync_id().len(), 27, "calls name the sync");
        let types = Some(&self.types);
        self.answer("types".to_owned(), types, call.token()).await
    }

    async fn list_resources(
        &self,
        call: &Call,
        type_id: &str,
        parent: Option<&v2::ResourceId>,
    ) -> Result<Page<v2::Resource>> {
        let list = match parent {
            None => type_id.to_owned(),
            Some(id) => format!("{type_id}<{}:{}", id.resource_type, id.resource),
        };
        let items = self.resources.get(&list);
        self.answer(format!("resources {list}"), items, call.token())
            .await
    }

    async fn list_static_entitlements(
        &self,
        call: &Call,
        type_id: &str,
    ) -> Result<Page<v2::Entitlement>> {
        let items = self.templates.get(type_id);
        self.answer(format!("static {type_id}"), items, call.token())
            .await
    }

    async fn list_entitlements(
        &self,
        call: &Call,
        resource: &v2::Resource,
    ) -> Result<Page<v2::Entitlement>> {
        let key = key(resource);
        let items = self.entitlements.get(&key);
        self.answer(format!("entitlements {key}"), items, call.token())
            .await
    }

    async fn list_grants(&self, call: &Call, resource: &v2::Resource) -> Result<Page<v2::Grant>> {
        let key = key(resource);
        let items = self.grants.get(&key);
        self.answer(format!("grants {key}"), items, call.token())
            .await
    }

    async fn list_entitlements_of_type(
        &self,
        call: &Call,
        type_id: &str,
    ) -> Result<Page<v2::Entitlement>> {
        let own = format!("{type_id}:");
        let all = self
            .entitlements
            .iter()
            .filter(|(key, _)| key.starts_with(&own));
        let all: Vec<_> = all.flat_map(|(_, list)| list.clone()).collect();
        self.answer(
            format!("all entitlements {type_id}"),
            Some(&all),
            call.token(),
        )
        .await
    }

    async fn list_grants_of_type(&self, call: &Call, type_id: &str) -> Result<Page<v2::Grant>> {
        let own = format!("{type_id}:");
        let all = self.grants.iter().filter(|(key, _)| key.starts_with(&own));
        let all: Vec<_> = all.flat_map(|(_, list)| list.clone()).collect();
        self.answer(format!("all grants {type_id}"), Some(&all), call.token())
            .await
    }

    async fn get_resource(
        &self,
        _: &Call,
        id: &v2::ResourceId,
        parent: Option<&v2::ResourceId>,
    ) -> Result<Option<Row<v2::Resource>>> {
        let wanted = format!("{}:{}", id.resource_type, id.resource);
        let name = match parent {
            None => format!("get {wanted}"),
            Some(id) => format!("get {wanted}<{}:{}", id.resource_type, id.resource),
        };
        let all: Vec<v2::Resource> = self.resources.values().flatten().cloned().collect();
        let found: Vec<_> = all.into_iter().filter(|r| key(r) == wanted).collect();
        let page = self.answer(name, Some(&found), "").await?;
        Ok(page.into_rows().next())
    }

    async fn added_entitlement(
        &self,
        _: &Call,
        resource: &v2::Resource,
        slug: &str,
    ) -> Result<Option<v2::Entitlement>> {
        let list = format!("added {}:{slug}", key(resource));
        let made = self.answer(list, Some(&vec![resource.clone()]), "").await?;
        let Some(resource) = made.items().first() else {
            return Ok(None);
        };
        let name = format!("{slug} on {}", resource.display_name);
        let made = EntitlementBuilder::permission(resource, slug).display_name(name);
        made.build().map(Some)
    }

    async fn cleanup(&self, _: &Call) -> Result<()> {
        self.seen
            .lock()
            .expect("no panic")
            .calls
            .push("cleanup".to_owned());
        Ok(())
    }
}

pub fn kind(id: &str, declared: Option<Trait>) -> v2::ResourceType {
    let built = ResourceTypeBuilder::new(id, id);
    match declared {
        Some(declared) => built.with_trait(declared),
        None => built,
    }
    .build()
    .expect("valid")
}

pub fn user(id: &str) -> v2::Resource {
    let built = ResourceBuilder::new("user", id).display_name(format!("User {id}"));
    built.user(UserTraitBuilder::new()).build().expect("valid")
}

pub fn group(id: &str) -> v2::Resource {
    ResourceBuilder::new("group", id)
        .group()
        .build()
        .expect("valid")
}

pub fn role(id: &str) -> v2::Resource {
    ResourceBuilder::new("role", id)
        .role(RoleTraitBuilder::new())
        .build()
        .expect("valid")
}
