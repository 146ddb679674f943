//! Quotas that servers announce, and the cap on requests in flight.

use std::time::Duration;

use baton_connector::Run;
use baton_connector::Secret;
use baton_connector::http::{Credential, HttpSettings, InFlight};
use futures_util::future::join_all;
use tokio::time::Instant;

use crate::script::{Client, Script, client, get, ok, parts, status};

const LATENCY: Duration = Duration::from_millis(40);

#[tokio::test(start_paused = true)]
async fn a_spent_quota_is_not_asked_against() {
    let spent = ok()
        .with("x-ratelimit-limit", 100)
        .with("x-ratelimit-remaining", 0)
        .with("x-ratelimit-reset", "2026-11-23T20:30:45Z");
    let script = Script::new([spent, ok()]);
    let client = client(&script);
    client.send(&get("/x")).await.unwrap();
    client.send(&get("/other")).await.unwrap();
    assert_eq!(script.gaps_ms(), [0], "another endpoint has its own quota");
    client.send(&get("/x")).await.unwrap();
    assert_eq!(script.gaps_ms()[1], 45_000);
    assert_eq!(client.traffic().endpoints["/x"].rate_limited, 0);
}

#[tokio::test(start_paused = true)]
async fn another_credential_has_its_own_quota() {
    let spent = ok()
        .with("ratelimit-remaining", 0)
        .with("ratelimit-reset", 45);
    let script = Script::new([spent, ok()]);
    let client = client(&script);
    let [a, b] = ["a", "b"].map(|name| {
        let credential = Credential::bearer(name, &Secret::new("t")).unwrap();
        get("/x").credential(&credential)
    });
    client.send(&a).await.unwrap();
    client.send(&b).await.unwrap();
    assert_eq!(script.gaps_ms(), [0]);
}

#[tokio::test(start_paused = true)]
async fn a_crowd_does_not_overdraw_what_is_left() {
    let left = |n: u32| {
        ok().with("ratelimit-remaining", n)
            .with("ratelimit-reset", 60)
    };
    let script = Script::slow(LATENCY, [left(3), left(2), left(1), left(0), ok()]);
    let client = client(&script);
    client.send(&get("/x")).await.unwrap();
    let requests: Vec<_> = (0..10).map(|_| get("/x")).collect();
    let began = Instant::now();
    let answers = join_all(requests.iter().map(|request| client.send(request))).await;
    assert!(answers.iter().all(Result::is_ok));
    assert!(began.elapsed() >= Duration::from_secs(59));
    let seen = script.seen.lock().unwrap();
    let early = seen
        .iter()
        .filter(|(at, _)| *at - began < Duration::from_secs(50));
    assert_eq!(early.count(), 2 + 1, "one is the share of others");
}

#[tokio::test(start_paused = true)]
async fn one_refusal_holds_back_the_whole_endpoint() {
    let script = Script::new([status(429).with("retry-after", 30), ok()]);
    let client = client(&script);
    let (a, b) = (get("/x"), get("/x"));
    let (first, second) = tokio::join!(client.send(&a), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        client.send(&b).await
    });
    first.unwrap();
    second.unwrap();
    assert_eq!(script.count(), 3);
    assert_eq!(script.gaps_ms()[0], 30_000);
}

#[tokio::test(start_paused = true)]
async fn requests_in_flight_stay_under_the_cap() {
    for (limit, most, rounds) in [
        (InFlight::Sequential, 1, 64),
        (InFlight::AtMost(8), 8, 8),
        (InFlight::Auto, 64, 1),
    ] {
        let script = Script::slow(LATENCY, [ok()]);
        let settings = HttpSettings {
            in_flight: limit,
            ..HttpSettings::default()
        };
        let client = Client::new(parts(&script), settings);
        // The width grows with the answers: so many make it as wide as the cap.
        let warm: Vec<_> = (0..2000).map(|_| get("/x")).collect();
        join_all(warm.iter().map(|request| client.send(request))).await;
        let requests: Vec<_> = (0..64).map(|_| get("/x")).collect();
        let began = Instant::now();
        join_all(requests.iter().map(|request| client.send(request))).await;
        assert_eq!(script.most_at_once(), most);
        assert_eq!(began.elapsed(), LATENCY * rounds);
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_has_the_cap_that_it_was_begun_with() {
    let script = Script::slow(LATENCY, [ok()]);
    let client = Client {
        run: Run::begin(Some(InFlight::AtMost(2))),
        ..client(&script)
    };
    let requests: Vec<_> = (0..6).map(|_| get("/x")).collect();
    join_all(requests.iter().map(|request| client.send(request))).await;
    assert_eq!(script.most_at_once(), 2);
}
