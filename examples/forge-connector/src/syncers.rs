//! One syncer per resource type.

use baton_connector::resource::{
    EntitlementBuilder, EntitlementId, GrantBuilder, ResourceBuilder, ResourceExt as _,
    ResourceTypeBuilder, Status, UserTraitBuilder, resource_id,
};
use baton_connector::v2::resource_type::Trait;
use baton_connector::{Call, Page, ResourceSyncer, Result, TypeSpec, Types, async_trait, v2};

use crate::api::{Access, Forge, Repo, Team, User};

/// What one can hold of a repository.
const PERMISSIONS: [&str; 3] = ["read", "write", "admin"];

fn user_type() -> Result<v2::ResourceType> {
    let users = ResourceTypeBuilder::new("user", "User").with_trait(Trait::User);
    users.skip_entitlements_and_grants().build()
}

fn team_type() -> Result<v2::ResourceType> {
    let teams = ResourceTypeBuilder::new("team", "Team");
    teams.with_trait(Trait::Group).build()
}

/// The types, and how each is served.
pub(crate) fn types() -> Result<Types<Forge>> {
    let repos = ResourceTypeBuilder::new("repo", "Repository").build()?;
    let users = TypeSpec::new(user_type()?, |f: &Forge| Ok(Users(f.clone())));
    let teams = TypeSpec::new(team_type()?, |f: &Forge| Ok(Teams(f.clone())));
    let repos = TypeSpec::new(repos, |f: &Forge| Ok(Repos(f.clone())));
    Ok(Types::new().with(users).with(teams).with(repos))
}

struct Users(Forge);

#[async_trait]
impl ResourceSyncer for Users {
    async fn list(&self, call: &Call, _: Option<&v2::ResourceId>) -> Result<Page<v2::Resource>> {
        let row = |user: User| {
            let status = if user.active {
                Status::Enabled
            } else {
                Status::Disabled
            };
            let about = UserTraitBuilder::new().primary_email(&user.email);
            ResourceBuilder::new("user", user.id.to_string())
                .display_name(user.name)
                .user(about.login(&user.login).status(status, ""))
                .build()
        };
        self.0.linked(call, "/users", &[], row).await
    }
}

struct Teams(Forge);

#[async_trait]
impl ResourceSyncer for Teams {
    async fn list(&self, call: &Call, _: Option<&v2::ResourceId>) -> Result<Page<v2::Resource>> {
        let row = |team: Team| {
            let resource = ResourceBuilder::new("team", team.id.to_string());
            resource.display_name(team.name).group().build()
        };
        self.0.linked(call, "/teams", &[], row).await
    }

    async fn static_entitlements(&self, _: &Call) -> Result<Page<v2::Entitlement>> {
        let member = EntitlementBuilder::template("member").grantable_to(&[user_type()?]);
        Ok(Page::last(vec![member.build()?]))
    }

    async fn grants(&self, call: &Call, team: &v2::Resource) -> Result<Page<v2::Grant>> {
        let row = |member: User| {
            let user = resource_id("user", member.id.to_string());
            GrantBuilder::new(team, "member", user).build()
        };
        let members = "/teams/{team}/members";
        self.0.linked(call, members, &[team.id()], row).await
    }
}

struct Repos(Forge);

#[async_trait]
impl ResourceSyncer for Repos {
    async fn list(&self, call: &Call, _: Option<&v2::ResourceId>) -> Result<Page<v2::Resource>> {
        let row = |repo: Repo| {
            let resource = ResourceBuilder::new("repo", repo.id.to_string());
            resource.display_name(repo.name).build()
        };
        self.0.counted(call, "/repos", row).await
    }

    async fn static_entitlements(&self, _: &Call) -> Result<Page<v2::Entitlement>> {
        let holders = [user_type()?, team_type()?];
        let held = |slug| EntitlementBuilder::template(slug).grantable_to(&holders);
        let rows = PERMISSIONS.map(|slug| held(slug).build()).into_iter();
        Ok(Page::last(rows.collect::<Result<_>>()?))
    }

    async fn grants(&self, call: &Call, repo: &v2::Resource) -> Result<Page<v2::Grant>> {
        let row = |access: Access| {
            let holder = resource_id(&access.kind, access.id.to_string());
            let grant = GrantBuilder::new(repo, access.permission, &holder);
            match access.kind.as_str() {
                // Members of the team hold it, too.
                "team" => grant.expandable([EntitlementId::of(&holder, "member")]),
                _ => grant,
            }
            .build()
        };
        let access = "/repos/{repo}/access";
        self.0.linked(call, access, &[repo.id()], row).await
    }
}
