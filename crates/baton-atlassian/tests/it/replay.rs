//! Equality with the Go connector: the same requests, and the same resource
//! types, resources, entitlements and grants from their answers.

use std::sync::Arc;

use baton_atlassian::{Settings, connector};
use baton_connector::http::{HttpParts, HttpSettings};
use baton_connector::{Call, Connector, Page, Secret};
use baton_proto::c1::connector::v2;
use baton_proto::json::{self, Options};
use prost::{Message, Name};
use serde_json::Value;

use crate::recording::{ORGANIZATION, Recording, TOKEN, golden};

fn go_compatible(recording: Arc<Recording>) -> impl Connector {
    let base = "http://recording.test/admin";
    let mut settings = Settings::new(Secret::new(TOKEN), ORGANIZATION, base).unwrap();
    settings.go_compatible = true;
    connector(
        &settings,
        HttpParts::new(recording, 1),
        HttpSettings::default(),
    )
    .unwrap()
}

/// Everything that a connector tells, asked one page after the other.
struct Told {
    types: Vec<v2::ResourceType>,
    resources: Vec<v2::Resource>,
    entitlements: Vec<v2::Entitlement>,
    grants: Vec<v2::Grant>,
}

async fn pages<T>(mut next: impl AsyncFnMut(String) -> Page<T>) -> Vec<T> {
    let mut all = Vec::new();
    let mut token = String::new();
    loop {
        let page = next(token).await;
        let following = page.next.clone();
        all.extend(page.into_items());
        if following.is_last() {
            return all;
        }
        token = following.into_string();
    }
}

async fn listen(connector: &impl Connector) -> Told {
    let cx = Call::alone();
    connector.validate(&cx).await.unwrap();
    let types = connector
        .list_resource_types(&cx)
        .await
        .unwrap()
        .into_items();
    let (mut resources, mut entitlements, mut grants) = (Vec::new(), Vec::new(), Vec::new());
    for kind in &types {
        let list = async |token: String| {
            connector
                .list_resources(&cx.at(token), &kind.id, None)
                .await
                .unwrap()
        };
        resources.extend(pages(list).await);
    }
    for resource in &resources {
        let list = async |token: String| {
            connector
                .list_entitlements(&cx.at(token), resource)
                .await
                .unwrap()
        };
        entitlements.extend(pages(list).await);
        let list = async |token: String| {
            connector
                .list_grants(&cx.at(token), resource)
                .await
                .unwrap()
        };
        grants.extend(pages(list).await);
    }
    Told {
        types,
        resources,
        entitlements,
        grants,
    }
}

/// Messages as JSON, in the order of their text; equal ones once, as a file
/// holds them.
fn told<M: Message + Name>(messages: &[M]) -> Vec<Value> {
    let texts = messages
        .iter()
        .map(|message| json::to_string(message, &Options::default()).unwrap());
    sorted(
        texts
            .map(|text| serde_json::from_str(&text).unwrap())
            .collect(),
    )
}

fn expected(file: &str, list: &str, part: &str) -> Vec<Value> {
    let rows = golden(file);
    let rows = rows[list].as_array().unwrap();
    sorted(rows.iter().map(|row| row[part].clone()).collect())
}

fn sorted(mut values: Vec<Value>) -> Vec<Value> {
    let canonical = |value: &Value| canonical(value).to_string();
    values.sort_by_key(canonical);
    values.dedup_by_key(|value| canonical(value));
    values
}

/// A value whose objects have their keys in order.
fn canonical(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().map(|(k, v)| (k.clone(), canonical(v))).collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(entries.into_iter().collect())
        }
        Value::Array(items) => items.iter().map(canonical).collect(),
        other => other.clone(),
    }
}

#[track_caller]
fn assert_same(what: &str, told: &[Value], expected: &[Value]) {
    for (ours, theirs) in told.iter().zip(expected) {
        assert_eq!(canonical(ours), canonical(theirs), "{what}");
    }
    assert_eq!(told.len(), expected.len(), "number of {what}");
}

#[tokio::test]
async fn the_recorded_organization_becomes_what_the_go_connector_made_of_it() {
    let recording = Arc::new(Recording::load());
    let told_all = listen(&go_compatible(Arc::clone(&recording))).await;
    for (what, ours, file, list, part) in [
        (
            "resource types",
            told(&told_all.types),
            "sync.resource-types.json",
            "resourceTypes",
            "resourceType",
        ),
        (
            "resources",
            told(&told_all.resources),
            "sync.resources.json",
            "resources",
            "resource",
        ),
        (
            "entitlements",
            told(&told_all.entitlements),
            "sync.entitlements.json",
            "entitlements",
            "entitlement",
        ),
        (
            "grants",
            told(&told_all.grants),
            "sync.grants.json",
            "grants",
            "grant",
        ),
    ] {
        assert_same(what, &ours, &expected(file, list, part));
    }
    assert_eq!(recording.strays(), Vec::<String>::new());
    assert_eq!(recording.unasked(), Vec::<String>::new());
}
