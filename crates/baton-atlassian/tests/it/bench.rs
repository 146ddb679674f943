//! Set-up of tests of changes: an organization, objects by the part that they
//! play, and the connector.

use std::sync::{Arc, Mutex};

use atlassian_sim::{
    AccountStatus, Change, Config, NewUser, OrganizationSpec, Principal, RateLimits, Simulator,
    Writes,
};
use baton_atlassian::{Settings, connector};
use baton_connector::http::{HttpParts, HttpSettings};
use baton_connector::resource::{EntitlementId, GrantBuilder, resource_id};
use baton_connector::{
    BuiltConnector, Call, ChangeSettings, Code, Error, Granted, Plan, Provisioning as _, Recorder,
    Report, Result, Revoked, Secret, async_trait, v2,
};
use baton_proto::{Advise as _, any, causes};
use prost_types::value::Kind;
use prost_types::{ListValue, Struct, Value};

use crate::in_process::InProcess;

pub(crate) const USER_ROLE: &str = "atlassian/user";
pub(crate) const ADMIN: &str = "atlassian/org-admin";
pub(crate) const SITE_ADMIN: &str = "atlassian/site-admin";

/// An organization with one directory of everything that a change can meet.
pub(crate) struct Bench {
    pub sim: Simulator,
    pub directory: String,
    /// An active user without any role or group, in the first directory.
    pub user: String,
    /// An active user of the other directory alone.
    pub outsider: String,
    /// An empty group without roles.
    pub group: String,
    /// A group of an identity provider, with `user` as its member.
    pub synced: String,
    /// The group that makes organization admins.
    pub admins: String,
    pub jira: String,
    pub confluence: String,
    /// Sites, in order.
    pub sites: Vec<String>,
    /// The organization as a resource of roles.
    pub organization: String,
    site: Option<String>,
    go_compatible: bool,
    scim_token: String,
    scim_base_url: String,
}

pub(crate) fn config() -> Config {
    Config {
        organization: OrganizationSpec {
            odd_data: false,
            seed: 7,
            users: 60,
            groups: 12,
            ..OrganizationSpec::default()
        },
        limits: RateLimits::off(),
        ..Config::default()
    }
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::of(config())
    }

    pub(crate) fn with(writes: Writes) -> Self {
        Self::of(Config { writes, ..config() })
    }

    pub(crate) fn of(config: Config) -> Self {
        let sim = Simulator::new(config).unwrap();
        let (org, truth) = (sim.organization(), sim.truth());
        let add = |name: &str, directory: &String| {
            let email = format!("{name}@acme.test");
            org.add_user(NewUser {
                directory_id: Some(directory.clone()),
                ..NewUser::named(name, email)
            })
            .unwrap()
        };
        let directory = truth.directory_ids[0].clone();
        let user = add("pat", &directory);
        let outsider = add("out", truth.directory_ids.last().unwrap());
        let group = org.add_group("plain", Some(&directory), false).unwrap();
        let synced = org.add_group("synced", Some(&directory), true).unwrap();
        org.add_member(&synced, &user).unwrap();
        let workspace = |product: &str| {
            let mut all = truth.workspaces.iter();
            all.find(|w| w.type_key == product).unwrap().id.clone()
        };
        Self {
            admins: truth.groups[0].id.clone(),
            jira: workspace("jira-software"),
            confluence: workspace("confluence"),
            sites: truth.site_ids.clone(),
            organization: truth.organization_resource_id.clone(),
            directory,
            user,
            outsider,
            group,
            synced,
            site: None,
            go_compatible: false,
            scim_token: String::new(),
            scim_base_url: String::new(),
            sim,
        }
    }

    /// The same, with a site named.
    pub(crate) fn site(mut self, site: &str) -> Self {
        self.site = Some(site.to_owned());
        self
    }

    pub(crate) fn go_compatible(mut self) -> Self {
        self.go_compatible = true;
        self
    }

    /// The same, with the identity provider of the first directory.
    pub(crate) fn scim(self) -> Self {
        let base = Simulator::scim_path(&self.directory);
        let (token, base) = (
            self.sim.scim_token(&self.directory),
            format!("http://simulated.test{base}"),
        );
        self.with_scim(&token, &base)
    }

    /// The same, with a token and a base URL of an identity provider.
    pub(crate) fn with_scim(mut self, token: &str, base_url: &str) -> Self {
        token.clone_into(&mut self.scim_token);
        base_url.clone_into(&mut self.scim_base_url);
        self
    }

    /// A connector that remembers nothing.
    pub(crate) fn connector(&self) -> BuiltConnector {
        let key = Secret::new(self.sim.access_token());
        let base = "http://simulated.test/admin";
        let settings = Settings::new(key, self.sim.organization_id(), base).unwrap();
        let site = self.site.as_deref().unwrap_or_default();
        let settings = settings.with_site(site).unwrap();
        let token = Secret::new(self.scim_token.clone());
        let mut settings = settings.with_scim(token, &self.scim_base_url).unwrap();
        settings.go_compatible = self.go_compatible;
        let parts = HttpParts::new(Arc::new(InProcess(self.sim.clone())), 1);
        connector(&settings, parts, HttpSettings::default()).unwrap()
    }

    pub(crate) fn member(&self, group: &str) -> v2::Entitlement {
        let mut group = resource("group", group);
        group.profile = Some(Struct {
            fields: [("directory_id".to_owned(), text(&self.directory))].into(),
        });
        entitlement(group, "member")
    }

    /// A role of the organization.
    pub(crate) fn own_role(&self, role: &str) -> v2::Entitlement {
        let organization = resource("organization", self.sim.organization_id());
        entitlement(organization, &format!("role:{role}"))
    }

    pub(crate) fn member_of(&self, group: &str, user: &str) -> bool {
        let truth = self.sim.settled_truth();
        let mut all = truth.memberships.iter();
        all.any(|m| m.group_id == group && m.account_id == user)
    }

    /// Whether a principal holds a role itself.
    pub(crate) fn holds(&self, principal: &Principal, resource: &str, role: &str) -> bool {
        let truth = self.sim.settled_truth();
        truth.direct_roles.iter().any(|held| {
            held.principal == *principal
                && held.resource_id == resource
                && held.role == role
                && held.methods.direct
        })
    }

    pub(crate) fn user_holds(&self, resource: &str, role: &str) -> bool {
        self.holds(&Principal::User(self.user.clone()), resource, role)
    }

    /// Sets a role without the refusals of the API.
    pub(crate) fn set(&self, principal: Principal, resource: &str, role: &str, held: bool) {
        let (resource_id, role) = (resource.to_owned(), role.to_owned());
        let change = if held {
            Change::AssignRole {
                principal,
                resource_id,
                role,
            }
        } else {
            Change::RevokeRole {
                principal,
                resource_id,
                role,
            }
        };
        self.sim.organization().apply(change).unwrap();
    }

    /// Leaves `user` as the only organization admin.
    pub(crate) fn one_admin(&self) {
        let truth = self.sim.truth();
        for m in truth
            .memberships
            .iter()
            .filter(|m| m.group_id == self.admins)
        {
            let org = self.sim.organization();
            org.remove_member(&m.group_id, &m.account_id).unwrap();
        }
        for held in truth.direct_roles.iter().filter(|held| held.role == ADMIN) {
            if let Principal::User(_) = held.principal {
                self.set(held.principal.clone(), &held.resource_id, ADMIN, false);
            }
        }
        self.set(
            Principal::User(self.user.clone()),
            &self.organization,
            ADMIN,
            true,
        );
    }

    pub(crate) fn deactivate(&self, user: &str) {
        let org = self.sim.organization();
        org.set_account_status(user, AccountStatus::Inactive, false)
            .unwrap();
    }

    /// Requests since the log was emptied: reads and writes.
    pub(crate) fn asked(&self) -> (u64, u64) {
        let writes = self.sim.writes().len() as u64;
        (self.sim.total() - writes, writes)
    }

    pub(crate) async fn grant(
        &self,
        entitlement: &v2::Entitlement,
        principal: &v2::Resource,
    ) -> Result<Granted> {
        self.sim.reset_log();
        let call = Call::alone();
        self.connector().grant(&call, entitlement, principal).await
    }

    pub(crate) async fn revoke(
        &self,
        entitlement: &v2::Entitlement,
        principal: &v2::Resource,
    ) -> Result<Revoked> {
        self.sim.reset_log();
        let grant = grant_of(entitlement, principal);
        self.connector().revoke(&Call::alone(), &grant).await
    }
}

pub(crate) fn text(words: &str) -> Value {
    Value {
        kind: Some(Kind::StringValue(words.to_owned())),
    }
}

pub(crate) fn texts(all: &[&str]) -> Value {
    let values = all.iter().map(|words| text(words)).collect();
    Value {
        kind: Some(Kind::ListValue(ListValue { values })),
    }
}

pub(crate) fn resource(type_id: &str, id: &str) -> v2::Resource {
    v2::Resource {
        id: Some(resource_id(type_id, id)),
        ..v2::Resource::default()
    }
}

pub(crate) fn user(id: &str) -> v2::Resource {
    resource("user", id)
}

pub(crate) fn entitlement(resource: v2::Resource, slug: &str) -> v2::Entitlement {
    let id = EntitlementId::of(resource.id.as_ref().unwrap(), slug);
    v2::Entitlement {
        id: id.into_string(),
        slug: slug.to_owned(),
        resource: Some(resource),
        ..v2::Entitlement::default()
    }
}

/// A role on a workspace.
pub(crate) fn role_on(workspace: &str, role: &str) -> v2::Entitlement {
    entitlement(resource("workspace", workspace), &format!("role:{role}"))
}

pub(crate) fn grant_of(entitlement: &v2::Entitlement, principal: &v2::Resource) -> v2::Grant {
    GrantBuilder::of(entitlement, principal).build().unwrap()
}

pub(crate) fn was_there(granted: &Granted) -> bool {
    any::contains::<v2::GrantAlreadyExists>(&granted.annotations)
}

pub(crate) fn was_gone(revoked: &Revoked) -> bool {
    any::contains::<v2::GrantAlreadyRevoked>(&revoked.annotations)
}

/// An error as people read it: its causes, and what they can do.
pub(crate) fn read(error: &Error) -> (Code, String) {
    let advice = error.advice();
    let advice: Vec<String> = advice.iter().map(ToString::to_string).collect();
    let text = format!("{} [{}]", causes::one_line(error), advice.join("; "));
    (error.code(), text)
}

/// What was planned.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub warnings: Mutex<Vec<String>>,
    pub writes: Mutex<Vec<String>>,
    pub read_back: Mutex<bool>,
}

impl Notes {
    pub(crate) fn call(self: &Arc<Self>, dry_run: bool) -> Call {
        Call::alone().with_changes(ChangeSettings {
            dry_run,
            recorder: Some(Arc::clone(self) as _),
            ..ChangeSettings::default()
        })
    }
}

#[async_trait]
impl Recorder for Notes {
    async fn planned(&self, plan: &Plan<'_>) -> Result<()> {
        let writes = plan.writes.iter().map(ToString::to_string);
        self.writes.lock().unwrap().extend(writes);
        let warnings = plan.warnings.iter().cloned();
        self.warnings.lock().unwrap().extend(warnings);
        Ok(())
    }

    async fn intended(&self, _plan: &Plan<'_>) -> Result<()> {
        Ok(())
    }

    async fn finished(&self, report: &Report<'_>) -> Result<()> {
        *self.read_back.lock().unwrap() |= report.read_back;
        Ok(())
    }
}
