//! Checks a provisioner: what its grants and revokes do, and whether syncs show
//! it.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use baton_connector::resource::{EntitlementId, ResourceExt, resource_id};
use baton_connector::{Any, Call, Code, Connector, Error, Held, v2};
use baton_runtime::Recorded;
use tokio::time::sleep;

use crate::read_all;
use crate::tried::Tried;

/// What a provisioner is checked with. The application is as before when the
/// check has passed.
#[derive(Debug, Clone)]
pub struct ProvisionerCase {
    entitlement: String,
    principal: v2::ResourceId,
    wrong: v2::ResourceId,
    visible_after: Duration,
}

impl ProvisionerCase {
    /// The entitlement with this id is granted to a principal that does not
    /// hold it; both are in a sync. `wrong` is of a type that cannot hold it.
    pub fn new(entitlement: &str, principal: (&str, &str), wrong: (&str, &str)) -> Self {
        Self {
            entitlement: entitlement.to_owned(),
            principal: resource_id(principal.0, principal.1),
            wrong: resource_id(wrong.0, wrong.1),
            visible_after: Duration::ZERO,
        }
    }

    /// The application shows a change only after this time. Use paused time.
    #[must_use]
    pub fn visible_after(mut self, delay: Duration) -> Self {
        self.visible_after = delay;
        self
    }
}

/// What a provisioner promises.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Promise {
    /// The resource type announces that its access can be changed.
    Announced,
    /// A principal of a type that cannot hold the entitlement is refused with
    /// `InvalidArgument`, and nothing is written.
    WrongTypeRefused,
    /// To describe a change writes nothing: a dry run leaves all as it is.
    DescribedWithoutWrites,
    /// Once granted, a sync shows the grant, and shows it once.
    GrantShown,
    /// Once revoked, no sync shows the grant.
    RevokeShown,
    /// The answer to a grant, and the ids that a change adds or removes, are those
    /// of the grant that a sync shows: its id, its parts, what it is expanded
    /// from.
    SameGrant,
    /// A change that is made already is reported as such, and nothing is written.
    SecondTimeHarmless,
    /// What the provisioner reads agrees with the sync, before and after.
    ReadsWhatSyncsShow,
    /// Other grants stay as they are.
    OthersUntouched,
    /// A change of whose parts only ids are known has the same effect.
    IdsSuffice,
    /// Two equal changes at once have the effect of one.
    AtOnceHarmless,
}

/// A promise that a provisioner breaks, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenPromise {
    /// The promise.
    pub promise: Promise,
    /// What came instead.
    pub found: String,
}

impl fmt::Display for BrokenPromise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.promise, self.found)
    }
}

/// Grants and revokes the entitlement of the case in several ways, syncs after
/// each step, and returns the promises that were broken; none if all is well.
///
/// `connect` makes the connector. It is called for each step, as each run of a
/// program connects: what a connector keeps in memory proves nothing.
///
/// # Panics
/// If a part of the case is not in a sync, or the principal holds the
/// entitlement before.
pub async fn check_provisioner(
    case: &ProvisionerCase,
    connect: impl Fn() -> Arc<dyn Connector>,
) -> Vec<BrokenPromise> {
    let mut check = Check::begin(case, connect).await;
    check.announced().await;
    check.wrong_type().await;
    for form in [Form::Whole, Form::Ids] {
        if check.broken.is_empty() {
            check.there_and_back(form).await;
        }
    }
    if check.broken.is_empty() {
        check.at_once().await;
    }
    check.broken
}

/// How much of a change's parts is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// All that a sync has of them.
    Whole,
    /// Their ids.
    Ids,
}

struct Check<'a, F> {
    case: &'a ProvisionerCase,
    connect: F,
    entitlement: v2::Entitlement,
    principal: v2::Resource,
    wrong: v2::Resource,
    /// Ids of all other grants, before anything was changed.
    others: BTreeSet<String>,
    form: Form,
    broken: Vec<BrokenPromise>,
}

/// What a sync shows.
struct Shown {
    /// The grants of the case.
    ours: Vec<v2::Grant>,
    /// Ids of all others.
    others: BTreeSet<String>,
}

#[allow(clippy::expect_used, reason = "a panic is how a test fails")]
async fn listed(connector: Arc<dyn Connector>) -> Recorded {
    read_all(connector).await.expect("a sync")
}

impl<'a, F: Fn() -> Arc<dyn Connector>> Check<'a, F> {
    #[allow(clippy::expect_used, reason = "a panic is how a test fails")]
    async fn begin(case: &'a ProvisionerCase, connect: F) -> Self {
        let all = listed(connect()).await;
        let mut check = Self {
            case,
            entitlement: entitlement(&all, &case.entitlement),
            principal: found(&all, &case.principal).expect("the principal is in a sync"),
            wrong: found(&all, &case.wrong).unwrap_or_else(|| v2::Resource {
                id: Some(case.wrong.clone()),
                ..v2::Resource::default()
            }),
            others: BTreeSet::new(),
            form: Form::Whole,
            broken: Vec::new(),
            connect,
        };
        let shown = check.sorted(all);
        assert!(shown.ours.is_empty(), "the principal holds it already");
        check.others = shown.others;
        check
    }

    fn broke(&mut self, promise: Promise, found: impl Into<String>) {
        let (promise, found) = match self.form {
            Form::Whole => (promise, found.into()),
            Form::Ids => (Promise::IdsSuffice, found.into()),
        };
        self.broken.push(BrokenPromise { promise, found });
    }

    async fn announced(&mut self) {
        let connector = (self.connect)();
        let metadata = connector.metadata(&Call::alone()).await;
        let capabilities = metadata.ok().and_then(|metadata| metadata.capabilities);
        let types = capabilities.unwrap_or_default().resource_type_capabilities;
        let of = self.entitlement.resource.as_ref();
        let type_id = of.map(ResourceExt::type_id);
        let able = types.iter().find(|able| {
            let of = able.resource_type.as_ref().map(|of| of.id.as_str());
            of == type_id
        });
        let provision = i32::from(v2::Capability::Provision);
        if !able.is_some_and(|able| able.capabilities.contains(&provision)) {
            self.broke(Promise::Announced, format!("type {type_id:?} does not"));
        }
    }

    async fn wrong_type(&mut self) {
        let promise = Promise::WrongTypeRefused;
        let tried = self.grant(&self.wrong, false).await;
        match tried.error.as_ref().map(Error::code) {
            Some(Code::InvalidArgument) => {}
            Some(code) => self.broke(promise, format!("refused with {code:?}")),
            None => self.broke(promise, "granted"),
        }
        if tried.intents > 0 {
            self.broke(promise, "a write was sent");
        }
        self.expect(promise, false, "the refusal").await;
    }

    /// A grant and its revoke, each described, made, and made once more.
    async fn there_and_back(&mut self, form: Form) {
        self.form = form;
        let described = Promise::DescribedWithoutWrites;
        let tried = self.grant(&self.principal, true).await;
        self.made(Promise::GrantShown, &tried, 0, "the dry run of a grant");
        self.expect(described, false, "the dry run of a grant")
            .await;
        let first = self.grant(&self.principal, false).await;
        self.made(Promise::GrantShown, &first, 1, "a grant");
        let second = self.grant(&self.principal, false).await;
        self.again(&second, "GrantAlreadyExists");
        let shown = self.expect(Promise::GrantShown, true, "two grants").await;
        let Some(shown) = shown else { return };
        self.same(&first, &shown);
        let tried = self.revoke(&shown, true).await;
        self.made(Promise::RevokeShown, &tried, 0, "the dry run of a revoke");
        self.expect(described, true, "the dry run of a revoke")
            .await;
        let first = self.revoke(&shown, false).await;
        self.made(Promise::RevokeShown, &first, 1, "a revoke");
        if first.removes != [shown.id.clone()] {
            let found = format!("the revoke removes {:?}", first.removes);
            self.broke(Promise::SameGrant, found);
        }
        let second = self.revoke(&shown, false).await;
        self.again(&second, "GrantAlreadyRevoked");
        self.expect(Promise::RevokeShown, false, "two revokes")
            .await;
    }

    /// Two equal changes at once.
    async fn at_once(&mut self) {
        self.form = Form::Whole;
        let promise = Promise::AtOnceHarmless;
        let (one, two) = tokio::join!(
            self.grant(&self.principal, false),
            self.grant(&self.principal, false)
        );
        self.succeeded(promise, &one, "one of two grants at once");
        self.succeeded(promise, &two, "one of two grants at once");
        let shown = self.expect(promise, true, "two grants at once").await;
        let Some(shown) = shown else { return };
        let (one, two) = tokio::join!(self.revoke(&shown, false), self.revoke(&shown, false));
        self.succeeded(promise, &one, "one of two revokes at once");
        self.succeeded(promise, &two, "one of two revokes at once");
        self.expect(promise, false, "two revokes at once").await;
    }

    /// A change succeeded, and had so many intents recorded.
    fn made(&mut self, promise: Promise, tried: &Tried, intents: u32, what: &str) {
        if !self.succeeded(promise, tried, what) {
            return;
        }
        if tried.intents != intents {
            let found = format!("{what} had {} intents", tried.intents);
            self.broke(promise, found);
        }
        if tried.planned == 0 {
            self.broke(promise, format!("{what} has no write"));
        }
    }

    fn succeeded(&mut self, promise: Promise, tried: &Tried, what: &str) -> bool {
        if let Some(error) = &tried.error {
            self.broke(promise, format!("{what} failed: {error}"));
        }
        tried.error.is_none()
    }

    /// The second of two equal changes.
    fn again(&mut self, tried: &Tried, annotation: &str) {
        let promise = Promise::SecondTimeHarmless;
        if !self.succeeded(promise, tried, "the second time") {
            return;
        }
        let mut names = tried.annotations.iter().map(|any| &any.type_url);
        if !names.any(|name| name.ends_with(annotation)) {
            self.broke(promise, format!("the second time has no {annotation}"));
        }
        if tried.intents > 0 {
            self.broke(promise, "the second time sent a write");
        }
    }

    /// The answer to a grant is what a sync shows.
    fn same(&mut self, tried: &Tried, shown: &v2::Grant) {
        let shapes: Vec<_> = tried.grants.iter().map(shape).collect();
        if shapes != [shape(shown)] {
            let found = format!(
                "the answer is {shapes:?}, and a sync shows {:?}",
                shape(shown)
            );
            self.broke(Promise::SameGrant, found);
        }
        if tried.adds != [shown.id.clone()] {
            let found = format!("the grant adds {:?}", tried.adds);
            self.broke(Promise::SameGrant, found);
        }
    }

    /// Syncs, and looks whether the grant is there; returns it.
    async fn expect(&mut self, promise: Promise, there: bool, after: &str) -> Option<v2::Grant> {
        let all = listed((self.connect)()).await;
        let mut shown = self.sorted(all);
        if shown.ours.len() != usize::from(there) {
            let found = format!("after {after} a sync shows it {} times", shown.ours.len());
            self.broke(promise, found);
        }
        let differ: Vec<_> = shown.others.symmetric_difference(&self.others).collect();
        if !differ.is_empty() {
            let found = format!("after {after} these differ: {differ:?}");
            self.broke(Promise::OthersUntouched, found);
        }
        let (entitlement, principal) = (self.entitlement(), self.known(&self.principal));
        let connector = (self.connect)();
        if let Some(local) = connector.local() {
            let read = local.holds(&Call::alone(), &entitlement, &principal).await;
            match read.map(|held| held.as_ref().map(Held::is_direct)) {
                Ok(Some(held)) if held != there => {
                    let found = format!("after {after} it reads {held}");
                    self.broke(Promise::ReadsWhatSyncsShow, found);
                }
                Ok(_) => {}
                Err(error) => self.broke(Promise::ReadsWhatSyncsShow, error.to_string()),
            }
        }
        shown.ours.pop()
    }

    fn sorted(&self, all: Recorded) -> Shown {
        let of_case = |grant: &v2::Grant| {
            let entitlement = grant.entitlement.as_ref().map(|of| of.id.as_str());
            let principal = grant.principal.as_ref().and_then(|of| of.id.as_ref());
            entitlement == Some(&self.case.entitlement) && principal == Some(&self.case.principal)
        };
        let (ours, others): (Vec<_>, Vec<_>) = all.grants.into_iter().partition(of_case);
        Shown {
            ours,
            others: others.into_iter().map(|grant| grant.id).collect(),
        }
    }

    async fn grant(&self, principal: &v2::Resource, dry_run: bool) -> Tried {
        let (entitlement, principal) = (self.entitlement(), self.known(principal));
        let connector = (self.connect)();
        let tried = Tried::grant(connector.as_ref(), &entitlement, &principal, dry_run).await;
        sleep(self.case.visible_after).await;
        tried
    }

    async fn revoke(&self, shown: &v2::Grant, dry_run: bool) -> Tried {
        let mut grant = shown.clone();
        grant.principal = Some(self.known(&self.principal));
        if self.form == Form::Whole {
            grant.entitlement = Some(self.entitlement());
        }
        let connector = (self.connect)();
        let tried = Tried::revoke(connector.as_ref(), &grant, dry_run).await;
        sleep(self.case.visible_after).await;
        tried
    }

    /// The entitlement, as far as it is known.
    fn entitlement(&self) -> v2::Entitlement {
        let resource = self.entitlement.resource.as_ref();
        match self.form {
            Form::Whole => self.entitlement.clone(),
            Form::Ids => v2::Entitlement {
                id: self.entitlement.id.clone(),
                resource: resource.map(|resource| self.known(resource)),
                ..v2::Entitlement::default()
            },
        }
    }

    fn known(&self, resource: &v2::Resource) -> v2::Resource {
        match self.form {
            Form::Whole => resource.clone(),
            Form::Ids => v2::Resource {
                id: resource.id.clone(),
                parent_resource_id: resource.parent_resource_id.clone(),
                ..v2::Resource::default()
            },
        }
    }
}

/// What of a grant decides who has what.
fn shape(grant: &v2::Grant) -> (String, String, Option<v2::ResourceId>, Vec<Any>) {
    let annotations = grant.annotations.iter();
    let expanded = annotations.filter(|any| any.type_url.ends_with("GrantExpandable"));
    let entitlement = grant.entitlement.as_ref().map(|of| of.id.clone());
    let principal = grant.principal.as_ref().and_then(|of| of.id.clone());
    (
        grant.id.clone(),
        entitlement.unwrap_or_default(),
        principal,
        expanded.cloned().collect(),
    )
}

fn found(all: &Recorded, id: &v2::ResourceId) -> Option<v2::Resource> {
    let mut found = all.resources.iter();
    let found = found.find(|resource| resource.id.as_ref() == Some(id));
    found.cloned()
}

/// The listed entitlement with this id, or the one that a resource has because
/// every resource of its type has it.
#[allow(clippy::panic, reason = "a panic is how a test fails")]
fn entitlement(all: &Recorded, id: &str) -> v2::Entitlement {
    if let Some(listed) = all.entitlements.iter().find(|listed| listed.id == id) {
        return listed.clone();
    }
    for (type_id, template) in &all.templates {
        let of_type = |resource: &&v2::Resource| resource.type_id() == type_id;
        for resource in all.resources.iter().filter(of_type) {
            let resource_id = resource_id(type_id, resource.id());
            if EntitlementId::of(&resource_id, &template.slug).as_str() == id {
                return v2::Entitlement {
                    id: id.to_owned(),
                    resource: Some(resource.clone()),
                    ..template.clone()
                };
            }
        }
    }
    panic!("no sync shows the entitlement `{id}`")
}
