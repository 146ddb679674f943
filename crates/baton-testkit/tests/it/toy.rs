//! A connector with a flaw of choice.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use baton_connector::paging::slice;
use baton_connector::resource::{
    EntitlementBuilder, GrantBuilder, ResourceBuilder, ResourceExt as _, ResourceTypeBuilder,
    UserTraitBuilder, resource_id,
};
use baton_connector::v2::resource_type::Trait;
use baton_connector::{
    BuiltConnector, Call, Code, ConnectorBuilder, Error, Page, ResourceGetter, ResourceSyncer,
    Result, TypeSpec, Types, async_trait, v2,
};
use baton_runtime::{App, Built};

/// What is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    Nothing,
    BadKey,
    RowsChange,
    NeverEnds,
    NeverAnswers,
    Panics,
    TakesAnyToken,
    Twice,
    Again,
    Dangling,
    UnknownType,
    NoTrait,
    NoName,
    Forbidden,
}

struct Toy {
    flaw: Flaw,
    asked: Arc<AtomicU64>,
}

/// The connector, which counts its lists of users in `asked`.
pub fn connector(flaw: Flaw, asked: &Arc<AtomicU64>) -> Result<BuiltConnector> {
    ConnectorBuilder::new()
        .validate(move |_| async move {
            match flaw {
                Flaw::BadKey => Err(Error::stated(Code::Unauthenticated, "bad key")),
                _ => Ok(()),
            }
        })
        .types(&types(flaw)?, asked)?
        .build()
}

pub fn app(flaw: Flaw) -> App {
    // The program is started once per test, so its calls can be counted here.
    let asked = Arc::new(AtomicU64::new(0));
    App::new(
        "baton-toy",
        "1.2.3",
        Box::new(move |_, _| {
            Ok(Built {
                connector: Arc::new(connector(flaw, &asked)?),
                content_facts: std::collections::BTreeMap::new(),
            })
        }),
    )
    .types(move |_| types(flaw))
    .without_http()
}

fn types(flaw: Flaw) -> Result<Types<Arc<AtomicU64>>> {
    let user = ResourceTypeBuilder::new("user", "User")
        .with_trait(Trait::User)
        .skip_entitlements_and_grants();
    let team = ResourceTypeBuilder::new("team", "Team").with_trait(Trait::Group);
    let made = move |asked: &Arc<AtomicU64>| {
        let asked = Arc::clone(asked);
        Ok(Toy { flaw, asked })
    };
    let teams = move |_: &Arc<AtomicU64>| Ok(Teams(flaw));
    let types = Types::new().with(TypeSpec::new(user.build()?, made).get());
    Ok(types.with(TypeSpec::new(team.build()?, teams)))
}

#[async_trait]
impl ResourceSyncer for Toy {
    async fn list(&self, call: &Call, _: Option<&v2::ResourceId>) -> Result<Page<v2::Resource>> {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        match self.flaw {
            Flaw::NeverAnswers => std::future::pending().await,
            Flaw::Panics => panic!("as a bug would"),
            Flaw::NeverEnds => return Ok(Page::new(Vec::new(), format!("t{asked}"))),
            _ => {}
        }
        let rows: Vec<u64> = (0..250).collect();
        slice("users", call, &rows, |number| self.user(*number, asked))
    }
}

#[async_trait]
impl ResourceGetter for Toy {
    async fn get(
        &self,
        _: &Call,
        id: &v2::ResourceId,
        _: Option<&v2::ResourceId>,
    ) -> Result<Option<v2::Resource>> {
        let number = id.resource.parse().ok().filter(|number| *number < 250);
        number.map(|number| self.user(number, 0)).transpose()
    }
}

impl Toy {
    fn user(&self, number: u64, asked: u64) -> Result<v2::Resource> {
        let number = match (self.flaw, number) {
            (Flaw::Again, 8) => 7,
            _ => number,
        };
        let name = match (self.flaw, number) {
            (Flaw::NoName, 7) => String::new(),
            (Flaw::RowsChange, 7) => format!("changed {asked} times"),
            _ => format!("User {number}"),
        };
        let id = match (self.flaw, number) {
            (Flaw::Twice, 8) => 7,
            _ => number,
        };
        let user = ResourceBuilder::new("user", id.to_string()).display_name(name);
        match (self.flaw, number) {
            (Flaw::NoTrait, 7) => user.build(),
            _ => user.user(UserTraitBuilder::new()).build(),
        }
    }
}

struct Teams(Flaw);

#[async_trait]
impl ResourceSyncer for Teams {
    async fn list(&self, call: &Call, _: Option<&v2::ResourceId>) -> Result<Page<v2::Resource>> {
        let token = match self.0 {
            Flaw::TakesAnyToken => call.at(""),
            _ => call.clone(),
        };
        slice("teams", &token, &[1, 2], |id| {
            let team = ResourceBuilder::new("team", id.to_string());
            team.display_name(format!("Team {id}")).group().build()
        })
    }

    async fn static_entitlements(&self, _: &Call) -> Result<Page<v2::Entitlement>> {
        Ok(Page::last(vec![
            EntitlementBuilder::template("member").build()?,
        ]))
    }

    async fn grants(&self, call: &Call, team: &v2::Resource) -> Result<Page<v2::Grant>> {
        if self.0 == Flaw::Forbidden && team.id() == "2" {
            return Err(Error::stated(Code::PermissionDenied, "not yours"));
        }
        let list = match self.0 {
            Flaw::TakesAnyToken => "members".to_owned(),
            _ => format!("members of {}", team.id()),
        };
        let rows: Vec<u64> = (0..150).collect();
        slice(&list, call, &rows, |number| {
            let holder = match (self.0, number) {
                (Flaw::Dangling, 7) => resource_id("user", "ghost"),
                (Flaw::UnknownType, 7) => resource_id("robot", "7"),
                _ => resource_id("user", number.to_string()),
            };
            GrantBuilder::new(team, "member", holder).build()
        })
    }
}
