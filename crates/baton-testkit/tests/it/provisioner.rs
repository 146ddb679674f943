//! The check of provisioners, with one that keeps its promises and with ones
//! that do not.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use baton_connector::resource::{
    EntitlementBuilder, EntitlementId, GrantBuilder, ResourceBuilder, ResourceExt as _,
    ResourceTypeBuilder, resource_id,
};
use baton_connector::{
    Call, Change, Code, Connector, ConnectorBuilder, Error, Held, Page, Provisioner,
    ResourceSyncer, Result, TypeSpec, Types, Write, async_trait, v2,
};
use baton_testkit::{Promise, ProvisionerCase, check_provisioner};

/// What is wrong with a provisioner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    Nothing,
    NotAnnounced,
    TakesAnyType,
    WritesWhileDescribing,
    NeverHeld,
    OtherId,
    NotExpandable,
    RevokesOtherId,
    ReadsNothing,
    KeepsInMemory,
    RevokesNothing,
    RevokesAll,
    NeedsNames,
    NeedsSlug,
    WritesLate,
}

/// Members of the one group of an application.
type Members = Arc<Mutex<Vec<String>>>;

struct Groups {
    flaw: Flaw,
    members: Members,
}

fn group() -> Result<v2::Resource> {
    let group = ResourceBuilder::new("group", "g");
    group.display_name("Welders").group().build()
}

impl Groups {
    fn built(&self, group: &v2::Resource, id: &str, of_sync: bool) -> Result<v2::Grant> {
        let grant = GrantBuilder::new(group, "member", resource_id("team", id));
        let team = EntitlementId::of(&resource_id("team", id), "member");
        if !of_sync && self.flaw == Flaw::NotExpandable {
            return grant.build();
        }
        let mut grant = grant.expandable([team]).build()?;
        if !of_sync && self.flaw == Flaw::OtherId {
            grant.id = format!("g/{id}");
        }
        Ok(grant)
    }

    fn has(&self, id: &str) -> Held {
        let members = self.members.lock().unwrap();
        if members.iter().any(|member| member == id) && self.flaw != Flaw::NeverHeld {
            Held::directly()
        } else {
            Held::No
        }
    }

    fn check(&self, entitlement: &v2::Entitlement, principal: &v2::Resource) -> Result<()> {
        let refused = |text: &str| Err(Error::stated(Code::InvalidArgument, text));
        if principal.type_id() != "team" && self.flaw != Flaw::TakesAnyType {
            return refused("only teams can be members");
        }
        match self.flaw {
            Flaw::NeedsNames if principal.display_name.is_empty() => refused("no name"),
            Flaw::NeedsSlug if entitlement.slug.is_empty() => refused("no slug"),
            _ => Ok(()),
        }
    }

    fn add(&self, id: &str) -> Write {
        let (members, id, flaw) = (Arc::clone(&self.members), id.to_owned(), self.flaw);
        Write::local("add a member", move |_| {
            let (members, id) = (Arc::clone(&members), id.clone());
            async move {
                if flaw == Flaw::WritesLate {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                let mut members = members.lock().unwrap();
                let late = [Flaw::WritesLate, Flaw::NeverHeld].contains(&flaw);
                if late || !members.contains(&id) {
                    members.push(id);
                }
                Ok(())
            }
        })
    }
}

#[async_trait]
impl ResourceSyncer for Groups {
    async fn list(&self, _: &Call, _: Option<&v2::ResourceId>) -> Result<Page<v2::Resource>> {
        Ok(Page::last(vec![group()?]))
    }

    async fn static_entitlements(&self, _: &Call) -> Result<Page<v2::Entitlement>> {
        let member = EntitlementBuilder::template("member").build()?;
        Ok(Page::last(vec![member]))
    }

    async fn grants(&self, _: &Call, group: &v2::Resource) -> Result<Page<v2::Grant>> {
        let members = self.members.lock().unwrap();
        let grants = members.iter().map(|id| self.built(group, id, true));
        Ok(Page::last(grants.collect::<Result<_>>()?))
    }
}

#[async_trait]
impl Provisioner for Groups {
    async fn grant(
        &self,
        _call: &Call,
        entitlement: &v2::Entitlement,
        principal: &v2::Resource,
    ) -> Result<Change> {
        self.check(entitlement, principal)?;
        let group = entitlement.resource.clone().unwrap_or_default();
        let id = principal.id();
        let change = Change::grant(self.built(&group, id, false)?, self.has(id));
        if self.flaw == Flaw::WritesWhileDescribing {
            self.members.lock().unwrap().push(id.to_owned());
        }
        Ok(change.write(self.add(id)))
    }

    async fn revoke(&self, _call: &Call, grant: &v2::Grant) -> Result<Change> {
        let entitlement = grant.entitlement.clone().unwrap_or_default();
        let principal = grant.principal.clone().unwrap_or_default();
        self.check(&entitlement, &principal)?;
        let grant_id = match self.flaw {
            Flaw::RevokesOtherId => "g/1",
            _ => &grant.id,
        };
        let (members, id, flaw) = (
            Arc::clone(&self.members),
            principal.id().to_owned(),
            self.flaw,
        );
        let change = Change::revoke(grant_id, self.has(principal.id()));
        Ok(change.write(Write::local("remove a member", move |_| {
            let mut members = members.lock().unwrap();
            members.retain(|member| match flaw {
                Flaw::RevokesNothing => true,
                Flaw::RevokesAll => false,
                _ => *member != id,
            });
            async { Ok(()) }
        })))
    }

    async fn holds(&self, _: &Call, _: &v2::Entitlement, team: &v2::Resource) -> Result<Held> {
        match self.flaw {
            Flaw::ReadsNothing => Ok(Held::No),
            _ => Ok(self.has(team.id())),
        }
    }
}

/// Users and teams.
struct Named(&'static str);

#[async_trait]
impl ResourceSyncer for Named {
    async fn list(&self, _: &Call, _: Option<&v2::ResourceId>) -> Result<Page<v2::Resource>> {
        let named = |id| {
            let resource = ResourceBuilder::new(self.0, id);
            resource.display_name("Ada").build()
        };
        Ok(Page::last(vec![named("1")?, named("2")?]))
    }
}

fn connector(flaw: Flaw, members: &Members) -> Arc<dyn Connector> {
    let mut members = Arc::clone(members);
    if flaw == Flaw::KeepsInMemory {
        // Each connector has members of its own.
        let copy = members.lock().unwrap().clone();
        members = Arc::new(Mutex::new(copy));
    }
    let kind = |id: &str| ResourceTypeBuilder::new(id, id);
    let without = |id| kind(id).skip_entitlements_and_grants().build().unwrap();
    let groups = TypeSpec::new(kind("group").build().unwrap(), move |members: &Members| {
        let members = Arc::clone(members);
        Ok(Groups { flaw, members })
    });
    let groups = match flaw {
        Flaw::NotAnnounced => groups,
        _ => groups.provisioner(),
    };
    let types = Types::new()
        .with(groups)
        .with(TypeSpec::new(without("user"), |_| Ok(Named("user"))))
        .with(TypeSpec::new(without("team"), |_| Ok(Named("team"))));
    let builder = ConnectorBuilder::new().types(&types, &members).unwrap();
    Arc::new(builder.build().unwrap())
}

async fn broken(flaw: Flaw) -> BTreeSet<Promise> {
    let members: Members = Arc::new(Mutex::new(vec!["2".to_owned()]));
    let case = ProvisionerCase::new("group:g:member", ("team", "1"), ("user", "1"));
    let found = check_provisioner(&case, || connector(flaw, &members)).await;
    if found.is_empty() {
        assert_eq!(*members.lock().unwrap(), ["2"], "as before");
    }
    found.iter().map(|broken| broken.promise).collect()
}

#[tokio::test(start_paused = true)]
async fn each_flaw_of_a_provisioner_breaks_its_promise() {
    assert_eq!(broken(Flaw::Nothing).await, BTreeSet::new());
    for (flaw, promise) in [
        (Flaw::NotAnnounced, Promise::Announced),
        (Flaw::TakesAnyType, Promise::WrongTypeRefused),
        (Flaw::WritesWhileDescribing, Promise::DescribedWithoutWrites),
        (Flaw::NeverHeld, Promise::SecondTimeHarmless),
        (Flaw::NeverHeld, Promise::GrantShown),
        (Flaw::NeverHeld, Promise::ReadsWhatSyncsShow),
        (Flaw::OtherId, Promise::SameGrant),
        (Flaw::NotExpandable, Promise::SameGrant),
        (Flaw::RevokesOtherId, Promise::SameGrant),
        (Flaw::ReadsNothing, Promise::ReadsWhatSyncsShow),
        (Flaw::KeepsInMemory, Promise::GrantShown),
        (Flaw::RevokesNothing, Promise::RevokeShown),
        (Flaw::RevokesAll, Promise::OthersUntouched),
        (Flaw::NeedsNames, Promise::IdsSuffice),
        (Flaw::NeedsSlug, Promise::IdsSuffice),
        (Flaw::WritesLate, Promise::AtOnceHarmless),
    ] {
        let broken = broken(flaw).await;
        assert!(broken.contains(&promise), "{flaw:?}: {broken:?}");
    }
}
