//! Doors and who has keys to them: an application that keeps its state, with a
//! connector of it, for tests of changes.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use baton_connector::http::{
    BodyStream, HttpClient, HttpParts, HttpSettings, Method, Request, Transport, TransportError,
    TransportErrorKind, whole_body,
};
use baton_connector::resource::{GrantBuilder, ResourceBuilder, ResourceExt as _, resource_id};
use baton_connector::{
    BuiltConnector, Call, Change, ChangeSettings, Code, ConnectorBuilder, Error, Held, Outcome,
    Page, Plan, Protected, Provisioner, Provisioning as _, Recorder, Reply, Report,
    ResourceDeleter, ResourceSyncer, Result, Through, TypeSpec, Types, Write, v2,
};
use bytes::Bytes;
use url::Url;

pub const DOOR: &str = "/doors/{door}/keys/{holder}";
/// The key that stands for the door itself.
pub const ALL: &str = "/doors/d-1/keys/all";

/// What goes wrong with one write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It has its effect, and the answer is lost.
    LostAfter,
    /// The connection is lost before it has its effect.
    LostBefore,
    /// It has its effect, and the answer is an error of the server.
    ErrorAfter,
    /// No effect, and an error of the server.
    ErrorBefore,
    /// It has its effect, and a proxy answers a web page.
    PageAfter,
    /// It has its effect, which shows only after 20 s, and the answer is lost.
    LateAfter,
    /// A refusal.
    Refused,
    /// A refusal that says "already so".
    Already,
    /// All goes well.
    None,
}

pub const FAULTS: [Fault; 9] = [
    Fault::LostAfter,
    Fault::LostBefore,
    Fault::ErrorAfter,
    Fault::ErrorBefore,
    Fault::PageAfter,
    Fault::LateAfter,
    Fault::Refused,
    Fault::Already,
    Fault::None,
];

/// An application: who has keys to which doors.
#[derive(Debug, Default)]
pub struct Application {
    pub keys: Mutex<BTreeSet<String>>,
    pub faults: Mutex<VecDeque<Fault>>,
    pub writes: Mutex<Vec<String>>,
    pub effects: AtomicU32,
    pub hidden_until: Mutex<Option<(tokio::time::Instant, BTreeSet<String>)>>,
    /// No read succeeds once a write was sent.
    pub blind: bool,
}

impl Application {
    pub fn with(keys: &[&str], faults: &[Fault]) -> Arc<Self> {
        Arc::new(Self {
            keys: Mutex::new(keys.iter().map(|&key| key.to_owned()).collect()),
            faults: Mutex::new(faults.iter().copied().collect()),
            ..Self::default()
        })
    }

    pub fn has(&self, key: &str) -> bool {
        self.keys.lock().unwrap().contains(key)
    }

    /// As a reader sees it now.
    pub fn shows(&self, key: &str) -> bool {
        let hidden = self.hidden_until.lock().unwrap();
        match &*hidden {
            Some((until, old)) if tokio::time::Instant::now() < *until => old.contains(key),
            _ => self.has(key),
        }
    }

    pub fn apply(&self, method: &Method, key: &str, late: bool) {
        let mut keys = self.keys.lock().unwrap();
        if late {
            let until = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
            *self.hidden_until.lock().unwrap() = Some((until, keys.clone()));
        }
        self.effects.fetch_add(1, Ordering::Relaxed);
        if *method == Method::DELETE {
            keys.remove(key);
        } else {
            keys.insert(key.to_owned());
        }
    }

    pub fn writes(&self) -> usize {
        self.writes.lock().unwrap().len()
    }
}

#[async_trait]
impl Transport for Application {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> std::result::Result<http::Response<BodyStream>, TransportError> {
        let key = request.uri().path().to_owned();
        let answer = |status: u16, body: &'static str| {
            let answer = http::Response::builder().status(status);
            let answer = answer.header("content-type", "application/json");
            Ok(answer
                .header("x-request-id", "r-1")
                .body(whole_body(body))
                .unwrap())
        };
        if request.method() == Method::GET && self.blind && self.writes() > 0 {
            return answer(403, "{}");
        }
        if request.method() == Method::GET {
            let held = self.shows(&key);
            return answer(200, if held { "true" } else { "false" });
        }
        self.writes.lock().unwrap().push(key.clone());
        let fault = self.faults.lock().unwrap().pop_front();
        let lost = || Err(TransportError::new(TransportErrorKind::Reset, "as planned"));
        let apply = |late| self.apply(request.method(), &key, late);
        match fault.unwrap_or(Fault::None) {
            Fault::LostAfter => apply(false),
            Fault::LateAfter => apply(true),
            Fault::LostBefore => {}
            Fault::ErrorAfter => {
                apply(false);
                return answer(502, "{}");
            }
            Fault::ErrorBefore => return answer(503, "{}"),
            Fault::PageAfter => {
                apply(false);
                return answer(200, "<!DOCTYPE html><title>Sign in</title>");
            }
            Fault::Refused => return answer(403, r#"{"code":"NO"}"#),
            Fault::Already => return answer(409, r#"{"code":"SO"}"#),
            Fault::None => {
                apply(false);
                return answer(200, "{}");
            }
        }
        lost()
    }
}

/// How the provisioner of a test behaves.
#[derive(Debug, Clone, Copy, Default)]
pub struct Manner {
    pub repeatable: bool,
    /// It writes to so many further doors first.
    pub doors_before: usize,
    /// Holders that remain, and the minimum.
    pub protected: Option<(u32, u32)>,
    /// A group gives the key, too.
    pub through_group: bool,
}

pub struct Doors {
    pub client: HttpClient,
    pub manner: Manner,
}

pub struct Holders(u32, u32);

#[async_trait]
impl Protected for Holders {
    fn name(&self) -> String {
        "`master key`".to_owned()
    }

    fn minimum(&self) -> u32 {
        self.1
    }

    async fn remaining(&self, _call: &Call) -> Result<u32> {
        Ok(self.0)
    }
}

impl Doors {
    pub fn request(&self, method: Method, door: &str, principal: &v2::Resource) -> Result<Request> {
        let base = Url::parse("https://doors.test/").unwrap();
        let _ = &self.client;
        Request::new(method, &base, DOOR, &[door, principal.id()])
    }

    pub fn changed(
        &self,
        mut change: Change,
        method: &Method,
        entitlement: &v2::Entitlement,
        principal: &v2::Resource,
    ) -> Result<Change> {
        let door = entitlement.resource.as_ref().map_or("", |door| door.id());
        let before = (0..self.manner.doors_before).map(|n| format!("before-{n}"));
        for door in before.chain([door.to_owned()]) {
            let request = self.request(method.clone(), &door, principal)?;
            let mut write = Write::http(&self.client, request).judged(|error| {
                match error.request().and_then(|request| request.status) {
                    Some(409) => Reply::Already,
                    _ => Reply::Failed(error),
                }
            });
            if self.manner.repeatable {
                write = write.repeatable();
            }
            change = change.write(write);
        }
        if let Some((remaining, minimum)) = self.manner.protected {
            change = change.takes(Arc::new(Holders(remaining, minimum)));
        }
        Ok(change)
    }
}

#[async_trait]
impl ResourceSyncer for Doors {
    async fn list(
        &self,
        _call: &Call,
        _parent: Option<&v2::ResourceId>,
    ) -> Result<Page<v2::Resource>> {
        Ok(Page::empty())
    }
}

#[async_trait]
impl Provisioner for Doors {
    async fn grant(
        &self,
        call: &Call,
        entitlement: &v2::Entitlement,
        principal: &v2::Resource,
    ) -> Result<Change> {
        let grant = GrantBuilder::of(entitlement, principal).build()?;
        let change = Change::grant(grant, self.holds(call, entitlement, principal).await?);
        self.changed(change, &Method::PUT, entitlement, principal)
    }

    async fn revoke(&self, call: &Call, grant: &v2::Grant) -> Result<Change> {
        let entitlement = grant.entitlement.as_ref().unwrap();
        let principal = grant.principal.as_ref().unwrap();
        let held = self.holds(call, entitlement, principal).await?;
        let change = Change::revoke(grant.id.clone(), held);
        self.changed(change, &Method::DELETE, entitlement, principal)
    }

    async fn holds(
        &self,
        call: &Call,
        entitlement: &v2::Entitlement,
        principal: &v2::Resource,
    ) -> Result<Held> {
        let door = entitlement.resource.as_ref().map_or("", |door| door.id());
        let request = self.request(Method::GET, door, principal)?;
        let direct: bool = self.client.on(call).json(&request).await?;
        let mut through = Vec::new();
        if self.manner.through_group {
            through.push(Through {
                resource: ResourceBuilder::new("group", "g-1")
                    .display_name("Welders")
                    .build()?,
                grant_id: "group:g-1:member:user:u-1".to_owned(),
            });
        }
        Ok(match (direct, through.is_empty()) {
            (true, _) => Held::Directly { through },
            (false, true) => Held::No,
            (false, false) => Held::Indirectly { through },
        })
    }
}

/// A door is there as long as its key of `all` is.
#[async_trait]
impl ResourceDeleter for Doors {
    async fn delete(&self, call: &Call, resource: &v2::Resource) -> Result<Change> {
        let everybody = resource_id("user", "all");
        let holder = v2::Resource {
            id: Some(everybody),
            ..v2::Resource::default()
        };
        let request = self.request(Method::DELETE, resource.id(), &holder)?;
        let change = Change::delete(self.exists(call, resource).await?);
        Ok(change.write(Write::http(&self.client, request)))
    }

    async fn exists(&self, call: &Call, resource: &v2::Resource) -> Result<bool> {
        let holder = v2::Resource {
            id: Some(resource_id("user", "all")),
            ..v2::Resource::default()
        };
        let request = self.request(Method::GET, resource.id(), &holder)?;
        self.client.on(call).json(&request).await
    }
}

/// Outcome and code of a change, and the grants that it added and removed.
pub type Ended = (Outcome, Code, Vec<String>, Vec<String>);

/// Keeps what it gets, and refuses intents if it shall.
#[derive(Debug, Default)]
pub struct Notes {
    pub plans: Mutex<Vec<(usize, bool, Vec<String>)>>,
    pub intents: AtomicU32,
    pub ends: Mutex<Vec<Ended>>,
    pub full: bool,
}

#[async_trait]
impl Recorder for Notes {
    async fn planned(&self, plan: &Plan<'_>) -> Result<()> {
        let warnings = plan.warnings.to_vec();
        let entry = (plan.writes.len(), plan.refusal.is_some(), warnings);
        self.plans.lock().unwrap().push(entry);
        Ok(())
    }

    async fn intended(&self, _plan: &Plan<'_>) -> Result<()> {
        if self.full {
            return Err(Error::stated(Code::ResourceExhausted, "no room"));
        }
        self.intents.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    async fn finished(&self, report: &Report<'_>) -> Result<()> {
        self.ends.lock().unwrap().push((
            report.outcome,
            report.code,
            report.added.to_vec(),
            report.removed.to_vec(),
        ));
        Ok(())
    }
}

pub fn connector(application: &Arc<Application>, manner: Manner) -> BuiltConnector {
    let transport: Arc<dyn Transport> = Arc::clone(application) as _;
    let parts = HttpParts::new(transport, 7);
    let client = HttpClient::new(parts, HttpSettings::default()).unwrap();
    let door = v2::ResourceType {
        id: "door".to_owned(),
        ..v2::ResourceType::default()
    };
    let window = v2::ResourceType {
        id: "window".to_owned(),
        ..v2::ResourceType::default()
    };
    let make = move |client: &HttpClient| {
        Ok(Doors {
            client: client.clone(),
            manner,
        })
    };
    let types = Types::new()
        .with(TypeSpec::new(door, make).provisioner().deleter())
        .with(TypeSpec::new(window, make));
    ConnectorBuilder::new()
        .types(&types, &client)
        .unwrap()
        .build()
        .unwrap()
}

pub const KEY: &str = "/doors/d-1/keys/u-1";

pub fn key() -> v2::Grant {
    let door = resource_id("door", "d-1");
    GrantBuilder::new(door, "key", resource_id("user", "u-1"))
        .build()
        .unwrap()
}

/// Grants or revokes the key; returns the annotations.
pub async fn change(
    application: &Arc<Application>,
    manner: Manner,
    grants: bool,
    call: &Call,
) -> Result<Vec<prost_types::Any>> {
    let connector = connector(application, manner);
    let grant = key();
    if grants {
        let (entitlement, principal) = (grant.entitlement.unwrap(), grant.principal.unwrap());
        let granted = connector.grant(call, &entitlement, &principal).await?;
        assert_eq!(granted.grants[0].id, "door:d-1:key:user:u-1");
        Ok(granted.annotations)
    } else {
        Ok(connector.revoke(call, &grant).await?.annotations)
    }
}

pub fn recorded(notes: &Arc<Notes>) -> Call {
    Call::alone().with_changes(ChangeSettings {
        recorder: Some(Arc::clone(notes) as _),
        ..ChangeSettings::default()
    })
}

pub fn start(grants: bool) -> &'static [&'static str] {
    if grants { &[] } else { &[KEY] }
}
