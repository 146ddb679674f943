//! Set-up of write tests: objects of an organization by their part, and one row of a status table.

use atlassian_sim::{
    Change, Config, Membership, NewUser, Principal, Simulator, Truth, TruthRole, TruthUser, Writes,
};
use http::StatusCode;
use serde_json::Value;

use crate::client::{Answer, config, path, request, send};

/// An organization and the parts that its objects play.
pub struct Stage {
    pub sim: Simulator,
    /// First directory, where everything below is unless it says otherwise.
    pub directory: String,
    pub other_directory: String,
    /// An active user without any role or group.
    pub user: String,
    /// An active user of the other directory alone.
    pub outsider: String,
    /// An inactive user.
    pub inactive: String,
    /// An empty group without roles.
    pub group: String,
    /// An active user of the first directory who owns `token`.
    pub member: String,
    /// An API token.
    pub token: String,
    /// A group that an identity provider fills, with `user` as member.
    pub synced: String,
    /// A group of the other directory.
    pub other_group: String,
    /// The group of organization admins.
    pub admins: String,
    /// A Jira workspace.
    pub jira: String,
    /// A Confluence workspace.
    pub confluence: String,
    /// A Jira Service Management workspace.
    pub service_desk: String,
    /// A workspace of the other directory.
    pub other_workspace: String,
    /// A site.
    pub site: String,
    /// The organization as a resource.
    pub organization: String,
}

impl Stage {
    pub fn new() -> Self {
        Self::with(Writes::default())
    }

    pub fn with(writes: Writes) -> Self {
        Self::of(Config {
            writes,
            ..config(60, 12)
        })
    }

    pub fn of(config: Config) -> Self {
        let sim = Simulator::new(config).unwrap();
        let org = sim.organization();
        let truth = sim.truth();
        let [directory, other_directory] = truth.directory_ids.as_slice() else {
            panic!("not two directories");
        };
        let add = |name: &str, directory: &str| {
            let email = format!("{name}@acme.test");
            org.add_user(NewUser {
                directory_id: Some(directory.to_owned()),
                ..NewUser::named(name, email)
            })
            .unwrap()
        };
        let user = add("pat", directory);
        let member = add("mem", directory);
        let token = org.add_token(&member).unwrap();
        let outsider = add("out", other_directory);
        let inactive = add("idle", directory);
        org.set_account_status(&inactive, atlassian_sim::AccountStatus::Inactive, false)
            .unwrap();
        let group = org.add_group("plain", Some(directory), false).unwrap();
        let synced = org.add_group("synced", Some(directory), true).unwrap();
        org.add_member(&synced, &user).unwrap();
        let other_group = org
            .add_group("other", Some(other_directory), false)
            .unwrap();
        let workspace = |product: &str, number: usize| {
            let mut all = truth.workspaces.iter().filter(|w| w.type_key == product);
            all.nth(number).unwrap().id.clone()
        };
        let (directory, other_directory) = (directory.clone(), other_directory.clone());
        Self {
            admins: truth.groups[0].id.clone(),
            jira: workspace("jira-software", 0),
            confluence: workspace("confluence", 0),
            service_desk: workspace("jira-servicedesk", 0),
            other_workspace: workspace("compass", 0),
            site: truth.site_ids[0].clone(),
            organization: truth.organization_resource_id.clone(),
            directory,
            other_directory,
            user,
            member,
            token,
            outsider,
            inactive,
            group,
            synced,
            other_group,
            sim,
        }
    }

    /// The text with `{user}`, `{group}` and so on replaced by ids.
    pub fn fill(&self, text: &str) -> String {
        let parts = [
            ("{dir}", &self.directory),
            ("{other_dir}", &self.other_directory),
            ("{user}", &self.user),
            ("{member}", &self.member),
            ("{token}", &self.token),
            ("{outsider}", &self.outsider),
            ("{inactive}", &self.inactive),
            ("{group}", &self.group),
            ("{synced}", &self.synced),
            ("{other_group}", &self.other_group),
            ("{admins}", &self.admins),
            ("{jira}", &self.jira),
            ("{confluence}", &self.confluence),
            ("{jsm}", &self.service_desk),
            ("{other_workspace}", &self.other_workspace),
            ("{site}", &self.site),
            ("{organization}", &self.organization),
        ];
        let text = parts.iter().fold(text.to_owned(), |text, (name, id)| {
            text.replace(name, id.as_str())
        });
        if !["{scim_", "{key}", "{domain}"]
            .iter()
            .any(|p| text.contains(p))
        {
            return text;
        }
        let truth = self.sim.settled_truth();
        let mut managed = truth.users.iter().filter(|u| u.managed);
        let email = managed.find_map(|u| u.email.clone()).unwrap();
        let domain = email.rsplit('@').next().unwrap();
        let text = text
            .replace("{domain}", domain)
            .replace("{key}", truth.key_ids.last().unwrap());
        let user = truth.scim_users.first().map(|u| u.id.as_str());
        let group = truth.scim_groups.first().map(|g| g.id.as_str());
        text.replace("{scim_user}", user.unwrap_or("none"))
            .replace("{scim_group}", group.unwrap_or("none"))
    }

    /// Sends a request; placeholders are filled in path and body. An empty body is none. A path after `scim:` is one of
    /// the first directory's identity provider, which has a token of its own.
    pub async fn send(&self, method: &str, short: &str, body: &str) -> Answer {
        if let Some(rest) = short.strip_prefix("scim:") {
            let path = format!("{}/{rest}", Simulator::scim_path(&self.directory));
            let token = self.sim.scim_token(&self.directory);
            return self.send_as(&token, method, &path, body).await;
        }
        self.send_as(self.sim.access_token(), method, short, body)
            .await
    }

    pub async fn send_as(&self, token: &str, method: &str, short: &str, body: &str) -> Answer {
        let (short, body) = (self.fill(short), self.fill(body));
        let body: Option<Value> = (!body.is_empty()).then(|| serde_json::from_str(&body).unwrap());
        let uri = path(&self.sim, &short);
        send(&self.sim, request(method, &uri, Some(token), body.as_ref())).await
    }

    /// Whether the last request changed the organization.
    pub fn changed(&self) -> bool {
        self.sim.requests().last().unwrap().changed
    }

    pub fn is_member(&self, group: &str, user: &str) -> bool {
        let truth = self.sim.truth();
        truth
            .memberships
            .iter()
            .any(|m| m.group_id == group && m.account_id == user)
    }

    /// The user's effective role on a resource, if held.
    pub fn role(&self, user: &str, resource: &str, role: &str) -> Option<TruthRole> {
        let truth = self.sim.truth();
        let principal = Principal::User(user.to_owned());
        let mut held = truth.effective_roles.into_iter();
        held.find(|r| r.principal == principal && r.resource_id == resource && r.role == role)
    }

    /// Leaves one organization admin: the returned user, of its own.
    pub fn one_admin(&self) -> String {
        let org = self.sim.organization();
        let truth = self.sim.truth();
        for m in truth
            .memberships
            .iter()
            .filter(|m| m.group_id == self.admins)
        {
            org.remove_member(&m.group_id, &m.account_id).unwrap();
        }
        let admin = "atlassian/org-admin";
        let holders = truth.direct_roles.iter().filter(|r| r.role == admin);
        for held in holders {
            if let Principal::User(_) = held.principal {
                self.set_role(&held.principal, &held.resource_id, admin, false);
            }
        }
        let user = Principal::User(self.user.clone());
        self.set_role(&user, &self.organization, admin, true);
        self.user.clone()
    }

    /// Sets a role without the refusals of the API.
    pub fn set_role(&self, principal: &Principal, resource: &str, role: &str, held: bool) {
        let (principal, resource_id, role) =
            (principal.clone(), resource.to_owned(), role.to_owned());
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
}

/// A request with the expected status, code and effect.
pub struct Row {
    pub name: &'static str,
    pub method: &'static str,
    pub path: &'static str,
    pub body: &'static str,
    pub status: u16,
    pub code: &'static str,
    pub changed: bool,
}

/// A row that is refused with a code.
pub const fn refused(
    name: &'static str,
    method: &'static str,
    path: &'static str,
    body: &'static str,
    status: u16,
    code: &'static str,
) -> Row {
    Row {
        name,
        method,
        path,
        body,
        status,
        code,
        changed: false,
    }
}

/// A row that succeeds with 204.
pub const fn done(
    name: &'static str,
    method: &'static str,
    path: &'static str,
    body: &'static str,
    changed: bool,
) -> Row {
    Row {
        name,
        method,
        path,
        body,
        status: 204,
        code: "",
        changed,
    }
}

/// Sends each row and compares status, code, effect and state.
pub async fn check(stage: &Stage, rows: &[Row]) {
    for row in rows {
        let before = facts(&stage.sim.settled_truth());
        let answer = stage.send(row.method, row.path, row.body).await;
        assert_eq!(
            answer.status,
            StatusCode::from_u16(row.status).unwrap(),
            "{}: {}",
            row.name,
            answer.text()
        );
        if row.status < 300 {
            assert_eq!(answer.text(), "", "{}", row.name);
        } else {
            assert_eq!(answer.code(), row.code, "{}: {}", row.name, answer.text());
        }
        assert_eq!(stage.changed(), row.changed, "{}", row.name);
        let after = facts(&stage.sim.settled_truth());
        assert_eq!(before != after, row.changed, "{}: the state", row.name);
    }
}

/// The truth without what changes by itself.
fn facts(truth: &Truth) -> (Vec<TruthUser>, String) {
    let rest = format!(
        "{:?} {:?} {:?}",
        truth.groups, truth.memberships, truth.direct_roles
    );
    (truth.users.clone(), rest)
}

/// Takes a user out of a directory, or suspends it there.
pub fn set_membership(stage: &Stage, user: &str, directory: &str, to: Membership) {
    let org = stage.sim.organization();
    org.set_membership(user, directory, to).unwrap();
}
