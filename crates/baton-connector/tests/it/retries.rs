//! Decision 6 from outside: how often, after how long, and when no more.

use std::sync::Arc;
use std::time::Duration;

use baton_connector::http::{ExchangeOutcome, HttpParts, HttpSettings, TransportErrorKind};
use baton_connector::{RequestErrorKind, Run, WaitReason};
use baton_proto::{Advice, Advise, Code};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::script::{
    Client, DATE, NOW_S, Reply, Script, Waits, client, failed, get, kind, ok, parts, post, proven,
    status,
};

#[tokio::test(start_paused = true)]
async fn an_unreachable_server_fails_within_ten_seconds_of_the_first_request() {
    for reply in [
        Reply::Fail(TransportErrorKind::Refused),
        Reply::Fail(TransportErrorKind::NameLookup),
        Reply::Fail(TransportErrorKind::Truncated),
        Reply::Truncated,
        status(500),
        status(503),
    ] {
        let script = Script::new([reply.clone()]);
        let began = Instant::now();
        let error = failed(client(&script).send(&get("/x")).await);
        assert!(began.elapsed() <= Duration::from_secs(5), "{reply:?}");
        assert_eq!(script.count(), 3, "{reply:?}");
        assert_eq!(error.request().unwrap().tries, 3);
        assert!(error.to_string().contains("(3 tries in "), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_unknown_host_and_a_tls_failure_fail_at_once() {
    for failure in [
        TransportErrorKind::UnknownHost,
        TransportErrorKind::Tls,
        TransportErrorKind::ProxyAuth,
    ] {
        let script = Script::new([Reply::Fail(failure)]);
        let began = Instant::now();
        failed(client(&script).send(&get("/x")).await);
        assert_eq!(script.count(), 1, "{failure}");
        assert_eq!(began.elapsed(), Duration::ZERO);
    }
}

#[tokio::test(start_paused = true)]
async fn slow_failures_leave_no_time_for_more_tries_at_first() {
    let refused = Reply::Fail(TransportErrorKind::ConnectTimeout);
    let script = Script::slow(Duration::from_secs(8), [refused]);
    failed(client(&script).send(&get("/x")).await);
    assert_eq!(script.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn after_a_success_there_are_five_tries_with_growing_pauses() {
    for reply in [
        status(502),
        Reply::Truncated,
        Reply::Fail(TransportErrorKind::Refused),
    ] {
        let script = Script::new([reply]);
        failed(proven(&script).await.send(&get("/x")).await);
        assert_eq!(script.count(), 5);
        for (gap, bound) in script.gaps_ms().into_iter().zip([500, 1000, 2000, 4000]) {
            // The clock of tests has a resolution of a millisecond.
            assert!(gap <= bound + 1, "{gap} > {bound}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn passing_failures_end_in_the_answer() {
    let script = Script::new([
        status(500),
        Reply::Truncated,
        Reply::Fail(TransportErrorKind::Timeout),
        status(504),
        ok().body(r#"{"a":1}"#),
    ]);
    let client = proven(&script).await;
    let answer: serde_json::Value = client.json(&get("/x")).await.unwrap();
    assert_eq!(answer["a"], 1);
    let counters = client.traffic().endpoints["/x"];
    assert_eq!((counters.requests, counters.retries), (5, 4));
}

#[tokio::test(start_paused = true)]
async fn a_lost_connection_is_resent_at_once_and_costs_no_try() {
    let lost = Reply::Fail(TransportErrorKind::Reset);
    let script = Script::new([lost.clone()]);
    failed(client(&script).send(&get("/x")).await);
    assert_eq!(script.count(), 4, "three tries and one resend");
    assert_eq!(script.gaps_ms()[0], 0);

    let script = Script::new([lost, ok()]);
    client(&script).send(&get("/x")).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn writes_are_repeated_only_when_nothing_can_have_happened() {
    for reply in [
        status(500),
        status(503).with("retry-after", 1),
        Reply::Fail(TransportErrorKind::Reset),
        Reply::Fail(TransportErrorKind::Timeout),
        Reply::Truncated,
    ] {
        let script = Script::new([reply.clone()]);
        failed(proven(&script).await.send(&post("/x")).await);
        assert_eq!(script.count(), 1, "{reply:?}");
    }
    for reply in [status(429), Reply::Fail(TransportErrorKind::Refused)] {
        let script = Script::new([reply, ok()]);
        proven(&script).await.send(&post("/x")).await.unwrap();
        assert_eq!(script.count(), 2);
    }
    let script = Script::new([status(500), ok()]);
    let harmless = post("/x").idempotent(true);
    proven(&script).await.send(&harmless).await.unwrap();
}

/// The pause that a 429 with these headers causes, in seconds.
async fn pause_after(headers: &[(&'static str, &str)]) -> u128 {
    let mut refusal = status(429);
    for (name, value) in headers {
        refusal = refusal.with(name, value);
    }
    let script = Script::new([refusal, ok()]);
    client(&script).send(&get("/x")).await.unwrap();
    script.gaps_ms()[0].div_ceil(1000)
}

#[tokio::test(start_paused = true)]
async fn a_refusal_waits_as_long_as_stated() {
    assert_eq!(pause_after(&[("retry-after", "7")]).await, 7);
    assert_eq!(pause_after(&[("retry-after", "0")]).await, 1);
    let in_90_s = "Mon, 23 Nov 2026 20:31:30 GMT";
    assert_eq!(pause_after(&[("retry-after", in_90_s)]).await, 90);
    assert_eq!(
        pause_after(&[("x-ratelimit-reset", "2026-11-23T20:31Z")]).await,
        60
    );
    let both = [
        ("retry-after", "5"),
        ("x-ratelimit-reset", "2026-11-23T20:30:20Z"),
    ];
    assert_eq!(pause_after(&both).await, 20);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_without_a_usable_wait_waits_a_minute() {
    assert_eq!(pause_after(&[]).await, 60);
    for text in [
        "-5",
        "soon",
        "",
        "Mon, 23 Nov 2026 20:29:00 GMT",
        "2020-01-01T00:00:00Z",
    ] {
        assert_eq!(pause_after(&[("retry-after", text)]).await, 60, "{text:?}");
    }
    let unreadable_reset = [("retry-after", "3"), ("x-ratelimit-reset", "later")];
    assert_eq!(pause_after(&unreadable_reset).await, 3);
}

#[tokio::test(start_paused = true)]
async fn a_huge_wait_is_cut_and_asked_about_again() {
    let day = status(429).with("retry-after", 86_400);
    let script = Script::new([day, status(429).with("retry-after", 10), ok()]);
    client(&script).send(&get("/x")).await.unwrap();
    let seconds: Vec<u128> = script
        .gaps_ms()
        .iter()
        .map(|ms| ms.div_ceil(1000))
        .collect();
    assert_eq!(seconds, [900, 10]);
}

#[tokio::test(start_paused = true)]
async fn dates_count_against_the_servers_clock_not_ours() {
    // The server lives a day ahead of us; its dates still mean 30 s.
    let server_date = "Tue, 24 Nov 2026 20:30:00 GMT";
    let at = "Tue, 24 Nov 2026 20:30:30 GMT";
    assert_eq!(
        pause_after(&[("date", server_date), ("retry-after", at)]).await,
        30
    );
    let epoch = (NOW_S + 86_400 + 30).to_string();
    assert_eq!(
        pause_after(&[("date", server_date), ("x-ratelimit-reset", &epoch)]).await,
        30
    );
    // Without it, ours has to do.
    assert_eq!(
        pause_after(&[
            ("date", "?"),
            ("retry-after", "Mon, 23 Nov 2026 20:30:30 GMT")
        ])
        .await,
        30
    );
    // A reset a day ahead is not believed, unlike a stated wait.
    let far = |header| [("date", DATE), (header, at)];
    assert_eq!(pause_after(&far("x-ratelimit-reset")).await, 60);
    assert_eq!(pause_after(&far("retry-after")).await, 900);
}

#[tokio::test(start_paused = true)]
async fn stated_waits_cost_no_tries_even_in_a_storm() {
    let storm = (0..40).map(|_| status(429).with("retry-after", 2));
    let busy = (0..40).map(|_| status(503).with("retry-after", 2));
    let script = Script::new(storm.chain(busy).chain([ok()]));
    let client = client(&script);
    client.send(&get("/x")).await.unwrap();
    assert_eq!(script.count(), 81);
    let counters = client.traffic().endpoints["/x"];
    assert_eq!(counters.rate_limited, 40);
    assert_eq!(counters.wait_ms, 160_000);
}

#[tokio::test(start_paused = true)]
async fn half_an_hour_without_a_success_ends_the_run_resumably() {
    for refusal in [
        status(429),
        status(429).with("retry-after", 700),
        status(503).with("retry-after", 86_400),
    ] {
        let script = Script::new([refusal]);
        let began = Instant::now();
        let error = failed(proven(&script).await.send(&get("/x")).await);
        assert_eq!(error.code(), Code::Unavailable);
        assert_eq!(began.elapsed().as_secs() / 60, 30);
        assert!(matches!(
            kind(&error),
            RequestErrorKind::NeverSucceeded { .. }
        ));
        assert!(
            error.to_string().contains("has failed for 30 min"),
            "{error}"
        );
        assert_eq!(error.advice(), [Advice::ResumeLater]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_success_of_the_endpoint_starts_the_half_hour_anew() {
    let hour = status(429).with("retry-after", 15 * 60);
    let script = Script::new([hour.clone(), ok(), hour.clone(), ok(), hour, ok()]);
    let client = client(&script);
    for _ in 0..3 {
        client.send(&get("/x")).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn one_hopeless_endpoint_does_not_speak_for_another() {
    let script = Script::new([status(429).with("retry-after", 60)]);
    let client = proven(&script).await;
    let (a, b) = (get("/a"), get("/b"));
    let began = Instant::now();
    let later = async {
        tokio::time::sleep(Duration::from_mins(20)).await;
        failed(client.send(&b).await);
        began.elapsed().as_secs() / 60
    };
    let (error, ended) = tokio::join!(client.send(&a), later);
    failed(error);
    assert_eq!(ended, 50);
}

#[tokio::test(start_paused = true)]
async fn an_ended_run_leaves_the_next_one_its_short_patience_and_no_figures() {
    let script = Script::new([status(500)]);
    let earlier = proven(&script).await;
    failed(earlier.send(&get("/x")).await);
    assert_eq!(earlier.traffic().endpoints["/x"].requests, 5);
    script.seen.lock().unwrap().clear();
    let next = Client {
        run: Run::begin(None),
        http: earlier.http.clone(),
    };
    assert!(next.traffic().endpoints.is_empty());
    failed(next.send(&get("/x")).await);
    assert_eq!(script.count(), 3);
    assert_eq!(next.traffic().endpoints["/x"].requests, 3);
    assert_eq!(earlier.traffic().endpoints["/x"].requests, 5);
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_ended_a_run_has_all_its_time_in_the_next() {
    let script = Script::new([status(500)]);
    let earlier = proven(&script).await;
    loop {
        let error = failed(earlier.send(&get("/x")).await);
        if let RequestErrorKind::NeverSucceeded { .. } = kind(&error) {
            break;
        }
    }
    script.replies.lock().unwrap().push_front(ok());
    script.seen.lock().unwrap().clear();
    let next = Client {
        run: Run::begin(None),
        http: earlier.http.clone(),
    };
    next.send(&get("/warm")).await.unwrap();
    let error = failed(next.send(&get("/x")).await);
    assert_eq!(*kind(&error), RequestErrorKind::Status);
    assert_eq!(script.count(), 6);
}

#[tokio::test(start_paused = true)]
async fn waits_are_seen_while_they_last() {
    let waits = Arc::new(Waits::default());
    let script = Script::new([status(429).with("retry-after", 30), ok()]);
    let parts = HttpParts {
        observer: Arc::clone(&waits) as _,
        ..parts(&script)
    };
    let client = Client::new(parts, HttpSettings::default());
    let request = get("/x");
    let look = async {
        tokio::time::sleep(Duration::from_secs(10)).await;
        client.traffic()
    };
    let (answer, seen) = tokio::join!(client.send(&request), look);
    answer.unwrap();
    let [waiting] = seen.waiting.as_slice() else {
        panic!("{seen:?}");
    };
    assert_eq!(waiting.reason, WaitReason::RateLimited);
    assert_eq!((waiting.left_ms, waiting.requests), (20_000, 1));
    assert_eq!(seen.in_flight, 0, "who waits is not on the wire");
    assert!(client.traffic().waiting.is_empty());
    let begun = waits.begun.lock().unwrap();
    assert_eq!((begun[0].endpoint, begun[0].duration.as_secs()), ("/x", 30));
    assert_eq!(waits.ended.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn each_try_is_observed_with_its_outcome() {
    let waits = Arc::new(Waits::default());
    let replies = [
        ok(),
        status(503),
        Reply::Fail(TransportErrorKind::Reset),
        status(404),
        Reply::Bytes(5_000),
        Reply::Hang,
    ];
    let script = Script::new(replies);
    let parts = HttpParts {
        observer: Arc::clone(&waits) as _,
        ..parts(&script)
    };
    let settings = HttpSettings {
        max_response_bytes: 4_000,
        ..HttpSettings::default()
    };
    let client = Client::new(parts, settings);
    client.send(&get("/a")).await.unwrap();
    failed(client.send(&get("/b")).await);
    failed(client.send(&get("/c")).await);
    let hour = Duration::from_hours(1);
    let request = post("/d");
    failed(
        tokio::time::timeout(hour, client.send(&request))
            .await
            .unwrap(),
    );
    let seen: Vec<_> = waits.exchanged.lock().unwrap().clone();
    let outcomes = seen
        .iter()
        .map(|one| (one.endpoint, one.outcome, one.repeated));
    let failure = |kind| ExchangeOutcome::Failed(kind);
    assert_eq!(
        outcomes.collect::<Vec<_>>(),
        [
            ("/a", ExchangeOutcome::Status(200), false),
            ("/b", ExchangeOutcome::Status(503), false),
            ("/b", failure(TransportErrorKind::Reset), true),
            ("/b", ExchangeOutcome::Status(404), true),
            ("/c", ExchangeOutcome::TooLarge, false),
            ("/d", failure(TransportErrorKind::Timeout), false),
        ]
    );
    let idle = HttpSettings::default().idle_timeout;
    assert_eq!(seen.last().unwrap().took, idle);
    // The pauses before the repetitions, however short they are.
    let all = waits.all.lock().unwrap();
    assert!(
        all.iter().any(|wait| wait.reason == WaitReason::Retry),
        "{all:?}"
    );
    assert!(all.len() >= waits.ended.lock().unwrap().len());
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_wait_is_over() {
    let script = Script::new([status(429).with("retry-after", 300)]);
    let client = client(&script);
    let request = get("/x");
    let cut = tokio::time::timeout(Duration::from_secs(20), client.send(&request)).await;
    assert!(cut.is_err());
    let traffic = client.traffic();
    assert!(traffic.waiting.is_empty());
    assert_eq!(traffic.endpoints["/x"].wait_ms, 20_000);
}

#[tokio::test(start_paused = true)]
async fn every_wait_ends_at_once_when_its_run_is_to_stop() {
    for (reply, reason) in [
        (status(429), WaitReason::RateLimited),
        (status(503).with("retry-after", 700), WaitReason::ServerBusy),
        (status(500), WaitReason::Retry),
        (
            ok().with("x-ratelimit-limit", 10)
                .with("x-ratelimit-remaining", 0)
                .with("x-ratelimit-reset", 600),
            WaitReason::QuotaSpent,
        ),
    ] {
        let script = Script::new([ok(), reply]);
        let client = client(&script);
        client.send(&get("/x")).await.unwrap();
        let stop = CancellationToken::new();
        let began = Instant::now();
        let call = client.run.call().stopped_by(stop.clone());
        let calls = async {
            loop {
                if let Err(error) = client.http.on(&call).send(&get("/x")).await {
                    return error;
                }
            }
        };
        let stopper = async {
            // Until it waits, and some of the wait has passed.
            while client.traffic().waiting.is_empty() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            assert_eq!(client.traffic().waiting[0].reason, reason);
            stop.cancel();
        };
        let (error, ()) = tokio::join!(calls, stopper);
        assert_eq!(error.code(), Code::Canceled, "{reason}: {error}");
        assert!(began.elapsed() < Duration::from_secs(1), "{reason}");
        assert_eq!(client.traffic().in_flight, 0);
        // Other calls go on as before.
        let other = get("/y");
        let other = tokio::time::timeout(Duration::from_millis(1), client.send(&other)).await;
        assert!(!matches!(other, Ok(Err(error)) if error.code() == Code::Canceled));
    }
}

#[tokio::test(start_paused = true)]
async fn the_time_waited_is_known_by_reason() {
    let storm = (0..3).map(|_| status(429).with("retry-after", 2));
    let busy = (0..4).map(|_| status(503).with("retry-after", 5));
    let client = client(&Script::new(storm.chain(busy).chain([ok()])));
    client.send(&get("/x")).await.unwrap();
    let waited = client.traffic().waited;
    assert_eq!(waited.total_ms, 26_000);
    let by_reason: Vec<_> = waited.by_reason.into_iter().collect();
    assert_eq!(
        by_reason,
        [
            (WaitReason::RateLimited, 6_000),
            (WaitReason::ServerBusy, 20_000)
        ]
    );
}
