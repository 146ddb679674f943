//! Set-up of identity provider tests: an organization and requests with a directory's own token.

use std::time::Duration;

use atlassian_sim::{Config, ScimAccountId, Simulator, Writes};
use serde_json::{Value, json};

use crate::client::{Answer, config, get, request, send};

/// The part of a user that names the account.
pub const ACCOUNT: &str = "urn:scim:schemas:extension:atlassian-external:1.0";

/// An organization and the identity provider of its first directory.
pub struct Provider {
    pub sim: Simulator,
    pub directory: String,
    /// A verified domain.
    pub domain: String,
}

impl Provider {
    pub fn new() -> Self {
        Self::of(Config { ..config(60, 12) })
    }

    /// One whose answers name accounts at the given time, and with a visibility delay in seconds.
    pub fn with(account_id: ScimAccountId, delay: u64) -> Self {
        Self::of(Config {
            scim_account_id: account_id,
            visibility_delay: Duration::from_secs(delay),
            ..config(60, 12)
        })
    }

    pub fn with_writes(writes: Writes) -> Self {
        Self::of(Config {
            writes,
            ..config(60, 12)
        })
    }

    pub fn of(config: Config) -> Self {
        let sim = Simulator::new(Config {
            scim_token: Some("own".to_owned()),
            ..config
        })
        .unwrap();
        let truth = sim.truth();
        let managed = truth.users.iter().find(|u| u.managed && u.email.is_some());
        let email = managed.unwrap().email.clone().unwrap();
        Self {
            directory: truth.directory_ids[0].clone(),
            domain: email.split_once('@').unwrap().1.to_owned(),
            sim,
        }
    }

    pub async fn send(&self, method: &str, rest: &str, body: Option<&Value>) -> Answer {
        let token = self.sim.scim_token(&self.directory);
        let uri = format!("{}/{rest}", Simulator::scim_path(&self.directory));
        send(&self.sim, request(method, &uri, Some(&token), body)).await
    }

    pub async fn get(&self, rest: &str) -> Value {
        self.send("GET", rest, None).await.json()
    }

    pub fn user(&self, name: &str) -> Value {
        let email = format!("{name}@{}", self.domain);
        json!({"userName": name, "emails": [{"value": email, "primary": true}]})
    }

    /// Creates a user; gives it as answered.
    pub async fn create(&self, name: &str) -> Value {
        let answer = self.send("POST", "Users", Some(&self.user(name))).await;
        assert_eq!(answer.status.as_u16(), 201, "{}", answer.text());
        answer.json()
    }

    /// Creates a group with these users; gives it as answered.
    pub async fn create_group(&self, name: &str, members: &[&Value]) -> Value {
        let members: Vec<Value> = members.iter().map(|m| json!({"value": m["id"]})).collect();
        let body = json!({"displayName": name, "members": members});
        let answer = self.send("POST", "Groups", Some(&body)).await;
        assert_eq!(answer.status.as_u16(), 201, "{}", answer.text());
        answer.json()
    }

    /// What the admin API shows of a user's account; `null` when it does not list it.
    pub async fn account(&self, user: &Value) -> Value {
        let id = user[ACCOUNT]["atlassianAccountId"].as_str().unwrap();
        let path = format!("v2:directories/-/users/{id}");
        get(&self.sim, &path).await.json()["data"].clone()
    }

    pub async fn status(&self, user: &Value) -> Value {
        self.account(user).await["status"].clone()
    }

    /// The members that the directory's group has, by account.
    pub fn accounts_in(&self, group: &Value) -> Vec<String> {
        let truth = self.sim.truth();
        let id = group["id"].as_str().unwrap();
        let Some(found) = truth.scim_groups.iter().find(|g| g.id == id) else {
            return Vec::new();
        };
        let members = truth.memberships.iter();
        let members = members.filter(|m| m.group_id == found.group_id);
        members.map(|m| m.account_id.clone()).collect()
    }
}
