//! An audit event as the API shows it: actor, context, container, place, and what is left out.

use serde_json::{Value, json};

use super::access::token_facts;
use crate::audit::{EventFlaws, NewEvent, TruthEvent, TruthSubject};
use crate::clock::{from_millis, iso_millis};
use crate::ids::{self, Kind};
use crate::model::{Event, Organization, ResourceKind, Subject};
use crate::random::{below, draw, pick};

pub(super) const PRODUCTS: [&str; 5] = ["bitbucket", "confluence", "guard_detect", "jira", "loom"];
const CITIES: [(&str, &str); 4] = [
    ("Germany", "Berlin"),
    ("Australia", "Sydney"),
    ("Brazil", "Recife"),
    ("Japan", "Osaka"),
];
const AUTH_TYPES: [&str; 5] = [
    "container-token",
    "api-token",
    "connect-token",
    "auth-token-for-2LO",
    "auth-token-for-3LO",
];

pub(super) fn ip(org: &Organization, number: u32) -> String {
    format!(
        "192.0.2.{}",
        1 + below(draw(org.seed, 0x1b, u64::from(number)), 250)
    )
}

pub(super) fn place(org: &Organization, number: u32) -> (&'static str, &'static str) {
    pick(draw(org.seed, 0x1c, u64::from(number)), &CITIES)
        .copied()
        .unwrap_or(("Germany", "Berlin"))
}

pub(super) fn product(org: &Organization, number: u32) -> &'static str {
    pick(draw(org.seed, 0x1d, u64::from(number)), &PRODUCTS)
        .copied()
        .unwrap_or("jira")
}

/// How events are shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EventView<'a> {
    pub org: &'a Organization,
    /// Events of roles name role and resource.
    pub role_context: bool,
    pub flaws: &'a EventFlaws,
}

impl EventView<'_> {
    /// The event as in the stream, or as everywhere else.
    pub(crate) fn render(&self, number: u32, event: &Event, stream: bool) -> Value {
        let org = self.org;
        let actor = org.profile(event.actor);
        let auth_type = pick(draw(org.seed, 0x1e, u64::from(number)), &AUTH_TYPES)
            .copied()
            .unwrap_or("api-token");
        let (country, city) = place(org, number);
        let id = org.event_id(number);
        let mut attributes = json!({
            "time": iso_millis(from_millis(event.at_millis)),
            "action": event.action(),
            "actor": {
                "id": org.account_id(event.actor),
                "name": actor.name,
                "email": actor.email.value(),
                "auth": { "authType": auth_type, "tokenId": ids::uuid(org.seed, Kind::Token, number), "tokenLabel": "ci" },
                "links": {},
            },
            "context": self.context(&event.subject),
            "container": self.container(&event.subject),
            "location": { "ip": ip(org, number), "countryName": country, "city": city },
        });
        if stream {
            attributes["processedAt"] = json!(iso_millis(from_millis(event.processed_millis())));
        }
        if let Subject::Own(own) = &event.subject
            && let Some(actor) = &own.actor
        {
            attributes["actor"] = actor.clone();
        }
        let mut shown = json!({
            "id": id,
            "type": "events",
            "attributes": attributes,
            "message": { "content": format!("{} by {}", event.action(), actor.name), "format": "simple" },
            "links": { "self": format!("https://api.atlassian.com/admin/v1/orgs/{}/events/{id}", org.id) },
        });
        self.leave_out(&mut shown, number, event);
        shown
    }

    /// The event as [`EventView::render`] shows it in the stream, in short.
    pub(crate) fn truth(&self, number: u32, event: &Event) -> TruthEvent {
        let shown = self.render(number, event, true);
        let attributes = &shown["attributes"];
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let subjects = |name: &str| -> Vec<TruthSubject> {
            let all = attributes[name].as_array();
            let all = all.into_iter().flatten();
            all.map(|member| TruthSubject {
                kind: text(&member["type"]),
                id: text(&member["id"]),
            })
            .collect()
        };
        TruthEvent {
            id: self.org.event_id(number),
            has_id: shown["id"].is_string(),
            time_millis: attributes["time"].is_string().then_some(event.at_millis),
            processed_millis: event.processed_millis(),
            action: text(&attributes["action"]),
            actor_id: text(&attributes["actor"]["id"]),
            context: subjects("context"),
            container: subjects("container"),
        }
    }

    /// Takes out what the flaws hit, and what its maker leaves out.
    fn leave_out(&self, shown: &mut Value, number: u32, event: &Event) {
        let [no_id, no_time, no_action, no_actor, no_context_ids] =
            self.flaws.of(self.org.seed, number);
        let mut missing: Vec<&str> = [
            (no_id, "id"),
            (no_time, "time"),
            (no_action, "action"),
            (no_actor, "actor"),
        ]
        .into_iter()
        .filter_map(|(is_missing, name)| is_missing.then_some(name))
        .collect();
        if let Subject::Own(own) = &event.subject {
            missing.extend(own.missing.iter().map(String::as_str));
        }
        for name in missing {
            if let Some(map) = shown.as_object_mut() {
                map.remove(name);
            }
            if let Some(map) = shown["attributes"].as_object_mut() {
                map.remove(name);
            }
        }
        if no_context_ids && let Some(context) = shown["attributes"]["context"].as_array_mut() {
            for member in context.iter_mut().filter_map(Value::as_object_mut) {
                member.remove("id");
            }
        }
    }

    fn context(&self, subject: &Subject) -> Vec<Value> {
        let org = self.org;
        match subject {
            Subject::UserRole {
                user,
                resource,
                role,
            } => self.with_role(self.user(*user), *resource, *role),
            Subject::GroupRole {
                group,
                resource,
                role,
            } => self.with_role(self.group(*group), *resource, *role),
            Subject::User(n) | Subject::Within { user: n, .. } => vec![self.user(*n)],
            Subject::Group(n) => vec![self.group(*n)],
            Subject::Membership { user, group } => vec![self.user(*user), self.group(*group)],
            Subject::Key(n) => {
                let label = org.keys.get(*n as usize).map(|k| k.label.as_str());
                vec![object(
                    &org.key_id(*n),
                    "api-keys",
                    json!({ "label": label }),
                )]
            }
            Subject::Token(n) => {
                let label = token_facts(org, *n).label;
                vec![object(
                    &org.token_id(*n),
                    "tokens",
                    json!({ "label": label }),
                )]
            }
            Subject::EmailOnly(n) => {
                let profile = org.profile(*n);
                let email = profile.email.value();
                let attributes =
                    json!({ "accountType": "atlassian", "email": email, "name": profile.name });
                vec![json!({ "type": "users", "attributes": attributes, "links": {} })]
            }
            Subject::Unknown(n) => {
                let id = format!("policy-{n}");
                vec![object(&id, "policies-of-tomorrow", json!({}))]
            }
            Subject::Product(_) | Subject::Nothing => Vec::new(),
            Subject::Own(own) => own.context.clone(),
        }
    }

    fn container(&self, subject: &Subject) -> Vec<Value> {
        let resource = match subject {
            Subject::Within { resource, .. } | Subject::Product(resource) => *resource,
            Subject::Own(own) => {
                let NewEvent { container, .. } = own.as_ref();
                return container.clone();
            }
            _ => return Vec::new(),
        };
        let Some(found) = self.org.resources.get(resource as usize) else {
            return Vec::new();
        };
        let (kind, attributes) = match found.kind {
            ResourceKind::Site => {
                let host = format!("{}.atlassian.net", self.org.name.to_lowercase());
                (
                    "sites",
                    json!({ "siteHostName": host, "siteName": self.org.name }),
                )
            }
            ResourceKind::Organization => ("organizations", json!({ "name": self.org.name })),
            _ => (
                "products",
                json!({ "product": found.owner, "siteName": found.name }),
            ),
        };
        vec![object(&found.ari, kind, attributes)]
    }

    fn user(&self, user: u32) -> Value {
        let name = self.org.profile(user).name;
        object(&self.org.account_id(user), "users", json!({ "name": name }))
    }

    fn group(&self, group: u32) -> Value {
        let name = self.org.groups.get(group as usize).map(|g| g.name.as_str());
        object(&self.org.group_id(group), "groups", json!({ "name": name }))
    }

    /// The principal of a role, and on request the role and what it is held on.
    fn with_role(&self, principal: Value, resource: u32, role: u16) -> Vec<Value> {
        if !self.role_context {
            return vec![principal];
        }
        let name = self.org.role_name(role);
        let found = self.org.resources.get(resource as usize);
        let owner = found.map(|r| r.owner.as_str());
        vec![
            principal,
            object(name, "roles", json!({ "name": name })),
            object(
                self.org.ari(resource),
                "resources",
                json!({ "resourceOwner": owner }),
            ),
        ]
    }
}

/// A member of `context` or `container`.
#[expect(
    clippy::needless_pass_by_value,
    reason = "callers make the value for the call"
)]
fn object(id: &str, kind: &str, attributes: Value) -> Value {
    json!({ "id": id, "type": kind, "attributes": attributes, "links": {} })
}
