//! The audit log: late events, growth, flaws, refused cursors, and the log as truth.

use std::collections::BTreeSet;
use std::time::Duration;

use atlassian_sim::{
    Audit, Config, Error, EventFlaws, EventRate, NewEvent, OrganizationSpec, Simulator, Writes,
};
use serde_json::{Value, json};

use crate::client::{List, config, get, ids, next, simulator};

const STREAM: &str = "v1:events-stream";

fn with(audit: Audit) -> Simulator {
    Simulator::new(Config {
        audit,
        ..config(60, 8)
    })
    .unwrap()
}

fn rate(text: &str) -> Vec<EventRate> {
    vec![text.parse().unwrap()]
}

/// All events of the stream, and the cursor at its end.
async fn read_from(sim: &Simulator, cursor: Option<String>) -> (Vec<Value>, String) {
    let list = List::get(STREAM);
    let (mut all, mut cursor) = (Vec::new(), cursor);
    loop {
        let question = json!({});
        let page = list.page(sim, Some(500), cursor.as_deref(), &question);
        let page = page.await.json();
        let data = page["data"].as_array().unwrap();
        let at_end = data.is_empty();
        all.extend(data.iter().cloned());
        let resume = page["meta"]["next"].as_str().unwrap().to_owned();
        if at_end {
            return (all, resume);
        }
        cursor = Some(resume);
    }
}

fn logged(sim: &Simulator) -> Vec<String> {
    sim.audit_log().into_iter().map(|e| e.id).collect()
}

#[tokio::test]
async fn a_plan_without_an_audit_log_refuses_everything_about_events() {
    let sim = with(Audit {
        absent: true,
        ..Audit::default()
    });
    for short in [STREAM, "v1:events", "v1:events/x", "v1:event-actions"] {
        let answer = get(&sim, short).await;
        assert_eq!(answer.status, 403, "{short}");
        assert_eq!(answer.code(), "ADMIN-UAM-403-1", "{short}");
    }
    assert_eq!(get(&sim, "v2:directories/-/groups").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn forgotten_and_expired_cursors_of_the_stream_are_refused_and_new_ones_work() {
    let sim = with(Audit {
        cursor_lifetime: Some(Duration::from_mins(1)),
        ..Audit::default()
    });
    let list = List::get(STREAM);
    let poll = async |cursor: &str| list.page(&sim, None, Some(cursor), &json!({})).await;
    let (_, first) = read_from(&sim, None).await;
    assert_eq!(poll(&first).await.status, 200);
    sim.forget_event_cursors();
    assert_eq!(poll(&first).await.code(), "ADMIN-400-1");
    let (_, second) = read_from(&sim, None).await;
    assert_eq!(poll(&second).await.status, 200);
    tokio::time::advance(Duration::from_secs(61)).await;
    assert_eq!(poll(&second).await.code(), "ADMIN-400-1");
}

#[tokio::test(start_paused = true)]
async fn a_late_event_is_the_newest_of_the_stream_and_old_by_its_time() {
    let sim = simulator(60, 8);
    let (_, end) = read_from(&sim, None).await;
    let late = sim.add_events([NewEvent {
        late_by: Duration::from_hours(48),
        ..NewEvent::of("user_created")
    }]);
    let next_one = sim.add_events([NewEvent::of("user_created")]);
    let (new, _) = read_from(&sim, Some(end)).await;
    assert_eq!(ids(&new, "id"), [late.concat(), next_one.concat()]);
    let log = sim.audit_log();
    let [.., late, prompt] = log.as_slice() else {
        panic!("no events");
    };
    let day_millis = 86_400_000;
    assert_eq!(
        prompt.time_millis.unwrap() - late.time_millis.unwrap(),
        2 * day_millis
    );
    assert!(late.processed_millis <= prompt.processed_millis);
    let from = (prompt.time_millis.unwrap() - day_millis).to_string();
    let polled = List::get(STREAM).all(&sim, &json!({ "from": from })).await;
    assert_eq!(ids(&polled, "id"), next_one, "`from` goes by the time");
}

#[tokio::test]
async fn events_that_come_during_paging_are_read_once_each() {
    let sim = simulator(60, 8);
    let list = List::get(STREAM);
    let (mut found, mut cursor) = (Vec::new(), None);
    for round in 0.. {
        let question = json!({});
        let page = list.page(&sim, Some(50), cursor.as_deref(), &question);
        let page = page.await.json();
        found.extend(ids(page["data"].as_array().unwrap(), "id"));
        cursor = page["meta"]["next"].as_str().map(str::to_owned);
        if next(&page).is_none() {
            break;
        }
        sim.invent_events(if round < 3 { 40 } else { 1 });
    }
    assert_eq!(found, logged(&sim));
    assert!(found.len() > 240);
}

#[tokio::test]
async fn a_burst_of_ten_thousand_and_a_long_log_are_served_in_order() {
    let mut config = config(60, 8);
    config.organization = OrganizationSpec {
        events: Some(5000),
        ..config.organization
    };
    let sim = Simulator::new(config).unwrap();
    let added = sim.invent_events(10_000);
    assert_eq!(added.len(), 10_000);
    let (all, _) = read_from(&sim, None).await;
    assert_eq!(ids(&all, "id"), logged(&sim));
    assert_eq!(all.len(), 15_000);
    let processed = |e: &Value| e["attributes"]["processedAt"].as_str().unwrap().to_owned();
    assert!(all.windows(2).all(|w| processed(&w[0]) <= processed(&w[1])));
}

#[tokio::test(start_paused = true)]
async fn the_log_grows_by_the_clock_alike_for_equal_seeds() {
    for visibility_delay in [Duration::ZERO, Duration::from_secs(5)] {
        let make = || {
            let audit = Audit {
                growth: [rate("30/min"), rate("100/1m")].concat(),
                late_every: 4,
                dated_by_clock: true,
                ..Audit::default()
            };
            let config = Config {
                audit,
                visibility_delay,
                ..config(60, 8)
            };
            Simulator::new(config).unwrap()
        };
        let (often, once) = (make(), make());
        let before = logged(&often).len();
        let started = 1_795_465_875_500; // 2026-11-23T20:31:15.5Z
        for _ in 0..130 {
            tokio::time::advance(Duration::from_secs(1)).await;
            get(&often, STREAM).await;
        }
        let log = often.audit_log();
        assert_eq!(log, once.audit_log());
        let new = &log[before..];
        assert_eq!(new.len(), 65 + 2 * 100);
        assert!(
            new.windows(2)
                .all(|w| w[0].processed_millis <= w[1].processed_millis)
        );
        assert_eq!(new[0].processed_millis, started + 2000 + 877);
        let late = |e: &&atlassian_sim::TruthEvent| e.time_millis < Some(e.processed_millis - 877);
        assert!((30..=100).contains(&new.iter().filter(late).count()));
        let actions: BTreeSet<&str> = new.iter().filter_map(|e| e.action.as_deref()).collect();
        assert!(actions.len() >= 10, "{actions:?}");
    }
}

#[test]
fn a_growth_that_would_never_end_is_refused() {
    for (count, every) in [(0, 1000), (1, 0), (200_000, 1000)] {
        let growth = vec![EventRate {
            count,
            every: Duration::from_millis(every),
        }];
        let config = Config {
            audit: Audit {
                growth,
                ..Audit::default()
            },
            ..config(20, 2)
        };
        let refused = Simulator::new(config).unwrap_err();
        assert!(matches!(refused, Error::EventRateSyntax(_)), "{refused}");
    }
}

#[tokio::test]
async fn generated_events_show_every_kind_and_plain_data_only_known_ones() {
    for odd_data in [true, false] {
        let mut config = config(60, 8);
        config.organization = OrganizationSpec {
            events: Some(1000),
            odd_data,
            ..config.organization
        };
        let sim = Simulator::new(config).unwrap();
        let log = sim.audit_log();
        let has = |test: &dyn Fn(&atlassian_sim::TruthEvent) -> bool| log.iter().any(test);
        let kind = |e: &atlassian_sim::TruthEvent, kind: &str| {
            e.context.iter().any(|s| s.kind.as_deref() == Some(kind))
        };
        let place = |e: &atlassian_sim::TruthEvent, kind: &str| {
            e.container.iter().any(|s| s.kind.as_deref() == Some(kind))
        };
        let action = |e: &atlassian_sim::TruthEvent, word: &str| {
            e.action.as_ref().is_some_and(|a| a.contains(word))
        };
        assert!(has(&|e| kind(e, "users") && kind(e, "groups")));
        assert!(has(&|e| kind(e, "groups") && kind(e, "roles")));
        assert!(has(&|e| action(e, "role") && kind(e, "resources")));
        assert!(has(&|e| action(e, "role") && !kind(e, "resources")));
        assert!(has(&|e| action(e, "user_login") && e.container.is_empty()));
        assert!(has(&|e| action(e, "user_login") && place(e, "products")));
        assert!(has(&|e| e.context.is_empty() && place(e, "products")));
        assert!(has(&|e| place(e, "sites")));
        assert!(has(&|e| kind(e, "tokens")));
        for odd in [
            has(&|e| kind(e, "users") && e.context[0].id.is_none()),
            has(&|e| kind(e, "policies-of-tomorrow")),
            has(&|e| action(e, "of_tomorrow") && kind(e, "users")),
            has(&|e| e.context.is_empty() && e.container.is_empty()),
        ] {
            assert_eq!(odd, odd_data);
        }
    }
}

#[tokio::test]
async fn flaws_hit_the_same_events_in_answers_and_in_the_truth() {
    let flaws = EventFlaws {
        no_id: 5,
        no_time: 6,
        no_action: 7,
        no_actor: 8,
        no_context_ids: 9,
    };
    let sim = with(Audit {
        flaws,
        ..Audit::default()
    });
    let (all, _) = read_from(&sim, None).await;
    let log = sim.audit_log();
    assert_eq!(all.len(), log.len());
    let plain = simulator(60, 8).audit_log();
    let mut hits = [0; 5];
    for ((shown, truth), plain) in all.iter().zip(&log).zip(&plain) {
        let at = |name: &str| !shown["attributes"][name].is_null();
        let lost = [
            (shown["id"].is_string(), truth.has_id),
            (at("time"), truth.time_millis.is_some()),
            (at("action"), truth.action.is_some()),
            (at("actor"), truth.actor_id.is_some()),
            (
                true,
                plain.context.iter().all(|s| s.id.is_none()) || truth.context == plain.context,
            ),
        ];
        for (hits, (is_shown, in_truth)) in hits.iter_mut().zip(lost) {
            assert!(is_shown || !in_truth);
            *hits += usize::from(!in_truth);
        }
        assert!(at("processedAt"));
    }
    assert!(hits.iter().all(|n| (3..60).contains(n)), "{hits:?}");
}

#[tokio::test]
async fn own_events_are_shown_as_given() {
    let sim = Simulator::new(Config {
        writes: Writes::default(),
        ..config(20, 2)
    })
    .unwrap();
    let context = json!({ "id": "x", "type": "comets", "attributes": { "tail": true } });
    let event = NewEvent {
        actor: Some(json!({ "id": "712020:kim" })),
        context: vec![context.clone()],
        container: vec![json!({ "id": "ari:cloud:jira::site/1", "type": "sites" })],
        missing: vec!["time".to_owned(), "message".to_owned()],
        ..NewEvent::of("comet_seen")
    };
    let id = sim.add_events([event]).concat();
    let shown = get(&sim, &format!("v1:events/{id}")).await.json()["data"].clone();
    assert_eq!(shown["attributes"]["context"], json!([context]));
    assert_eq!(shown["attributes"]["actor"], json!({ "id": "712020:kim" }));
    assert_eq!(shown["attributes"]["container"][0]["type"], "sites");
    assert_eq!(shown["attributes"]["action"], "comet_seen");
    assert!(shown.get("message").is_none() && shown["attributes"].get("time").is_none());
    let question = json!({ "action": "comet_seen" });
    let found = List::get("v1:events").all(&sim, &question).await;
    assert_eq!(ids(&found, "id"), [id]);
}
