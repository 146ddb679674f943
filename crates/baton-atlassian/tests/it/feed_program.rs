//! The event feed through the whole program, against the simulator.

use atlassian_sim::{Audit, Config, NewEvent, OrganizationSpec, RateLimits, Simulator};
use baton_testkit::{Harness, Outcome};
use serde_json::{Value, json};

use crate::in_process::InProcess;

const SITE: &str = "ari:cloud:confluence::site/s-1";

fn simulator(audit: Audit) -> Simulator {
    Simulator::new(Config {
        organization: OrganizationSpec {
            users: 12,
            groups: 3,
            seed: 7,
            events: Some(0),
            odd_data: false,
            ..OrganizationSpec::default()
        },
        limits: RateLimits::off(),
        audit,
        ..Config::default()
    })
    .unwrap()
}

fn read(sim: &Simulator, more: &[&str]) -> Outcome {
    let network = InProcess(sim.clone());
    let mut harness = Harness::new(baton_atlassian::app).network(&network);
    let (key, organization) = (sim.access_token(), sim.organization_id());
    let mut words = vec!["--access-token", key, "--organization-id", organization];
    words.extend(["--base-url", "http://simulated.test/admin", "--event-feed"]);
    words.extend(more);
    harness.run(&words)
}

fn event(action: &str, context: Value) -> NewEvent {
    NewEvent {
        actor: Some(json!({ "id": "712020:kim", "name": "Kim" })),
        context: serde_json::from_value(context).unwrap(),
        ..NewEvent::of(action)
    }
}

/// An event's id, its arm, and the ids in it.
fn short(line: &str) -> String {
    let event: Value = serde_json::from_str(line).unwrap();
    assert!(event["occurredAt"].is_string(), "{line}");
    let text = |pointer: &str| {
        event
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or("?")
    };
    let of = |part: &str| {
        let kind = text(&format!("{part}/resourceType"));
        format!("{kind}:{}", text(&format!("{part}/resource")))
    };
    let rest = if event.get("createGrantEvent").is_some() {
        let entitlement = text("/createGrantEvent/entitlement/id");
        format!(
            "grant {entitlement} to {}",
            of("/createGrantEvent/principal/id")
        )
    } else if event.get("createRevokeEvent").is_some() {
        let entitlement = text("/createRevokeEvent/entitlement/id");
        format!(
            "revoke {entitlement} from {}",
            of("/createRevokeEvent/principal/id")
        )
    } else if event.get("usageEvent").is_some() {
        let target = of("/usageEvent/targetResource/id");
        format!("use {target} by {}", of("/usageEvent/actorResource/id"))
    } else {
        format!("change {}", of("/resourceChangeEvent/resourceId"))
    };
    format!("{} {rest}", text("/id"))
}

#[test]
fn each_kind_of_event_is_a_line_and_the_rest_is_counted() {
    let sim = simulator(Audit::default());
    let user = json!({ "id": "u-1", "type": "users" });
    let group = json!({ "id": "g-1", "type": "groups" });
    let role = json!({ "id": "atlassian/user", "type": "roles" });
    let held_on =
        json!({ "id": SITE, "type": "resources", "attributes": { "resourceOwner": "confluence" } });
    let known = sim.truth().users[0].clone();
    let by_mail = json!({ "type": "users", "attributes": { "email": known.email } });
    let mut viewed = event("page_viewed", json!([]));
    viewed.container = vec![json!({ "id": SITE, "type": "products" })];
    let nameless = NewEvent {
        missing: vec!["id".to_owned()],
        ..event("user_created", json!([user]))
    };
    let ids = sim.add_events([
        event("user_added_to_group", json!([user, group])),
        event("user_removed_from_group", json!([user, group])),
        event("role_granted", json!([user, role, held_on])),
        event("role_granted", json!([user])),
        event("user_login", json!([])),
        viewed,
        event("something_of_tomorrow", json!([user, group])),
        event("user_updated", json!([by_mail])),
        event(
            "policy_of_tomorrow_changed",
            json!([{ "id": "p", "type": "policies" }]),
        ),
        event("setting_changed", json!([])),
        nameless,
    ]);
    let outcome = read(&sim, &[]);
    assert_eq!(outcome.status.code(), 0, "{}", outcome.stderr);
    let lines: Vec<String> = outcome.stdout.lines().map(short).collect();
    let organization = sim.organization_id();
    let expected = [
        format!("{} grant group:g-1:member to user:u-1", ids[0]),
        format!("{} revoke group:g-1:member from user:u-1", ids[1]),
        format!(
            "{} grant workspace:{SITE}:role:atlassian/user to user:u-1",
            ids[2]
        ),
        format!("{} change user:u-1", ids[3]),
        format!(
            "{} use organization:{organization} by user:712020:kim",
            ids[4]
        ),
        format!("{} use workspace:{SITE} by user:712020:kim", ids[5]),
        format!("{} change user:u-1", ids[6]),
        format!("{}#2 change group:g-1", ids[6]),
        format!("{} change user:{}", ids[7], known.account_id),
    ];
    assert_eq!(lines, expected);
    assert!(
        outcome
            .stderr
            .contains("left out 3 audit events that name nothing known"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn a_plan_without_an_audit_log_is_explained() {
    let sim = simulator(Audit {
        absent: true,
        ..Audit::default()
    });
    let outcome = read(&sim, &[]);
    assert_ne!(outcome.status.code(), 0);
    for part in ["plan", "Guard", "read:events:admin"] {
        assert!(outcome.stderr.contains(part), "{}", outcome.stderr);
    }
}

#[test]
fn a_refused_cursor_is_reported_with_the_interval_and_nothing_comes_twice() {
    let sim = simulator(Audit::default());
    sim.invent_events(5);
    let file = ["--event-feed-cursor-file", "place.txt"];
    let network = InProcess(sim.clone());
    let mut harness = Harness::new(baton_atlassian::app).network(&network);
    let (key, organization) = (sim.access_token(), sim.organization_id());
    let mut words = vec!["--access-token", key, "--organization-id", organization];
    words.extend(["--base-url", "http://simulated.test/admin", "--event-feed"]);
    words.extend(file);
    let first = harness.run(&words);
    assert_eq!(first.status.code(), 0, "{}", first.stderr);
    assert!(first.stdout.lines().count() >= 5);
    sim.forget_event_cursors();
    let new = sim.add_events([event("user_login", json!([]))]).concat();
    let second = harness.run(&words);
    assert_eq!(second.status.code(), 0, "{}", second.stderr);
    let lines: Vec<String> = second.stdout.lines().map(short).collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].starts_with(&new));
    for part in ["newest_seen", "begins_at", "2026-11-01T11:50:"] {
        assert!(second.stderr.contains(part), "{}", second.stderr);
    }
}

#[test]
fn a_start_in_the_future_is_refused_and_one_before_the_log_is_warned_about() {
    let sim = simulator(Audit::default());
    sim.invent_events(5);
    let future = read(&sim, &["--event-feed-start-at", "2030-01-01T00:00:00Z"]);
    assert_ne!(future.status.code(), 0);
    assert!(future.stderr.contains("future"), "{}", future.stderr);
    let before = read(&sim, &["--event-feed-start-at", "2020-01-01T00:00:00Z"]);
    assert_eq!(before.status.code(), 0, "{}", before.stderr);
    assert!(before.stderr.contains("180 days"), "{}", before.stderr);
    assert!(before.stdout.lines().count() >= 5);
}

#[test]
fn a_cursor_of_another_organization_or_none_at_all_is_refused() {
    let sim = simulator(Audit::default());
    let other = r#"{"v":1,"f":"atlassian_audit_log","o":"other","c":"x","p":1,"h":""}"#;
    for (cursor, expected) in [(other, "another organization"), ("rubbish", "another form")] {
        let outcome = read(&sim, &["--event-feed-cursor", cursor]);
        assert_ne!(outcome.status.code(), 0);
        assert!(outcome.stderr.contains(expected), "{}", outcome.stderr);
        assert_eq!(sim.total(), 0, "the server is not asked");
    }
}
