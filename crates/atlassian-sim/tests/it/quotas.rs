//! Quotas through the router, under paused time.

use std::time::Duration;

use atlassian_sim::{Config, RateLimits, Simulator};
use http::StatusCode;

use crate::client::{config, get, path, request, send};

fn with(limits: RateLimits) -> Simulator {
    Simulator::new(Config {
        limits,
        ..config(20, 3)
    })
    .unwrap()
}

#[tokio::test(start_paused = true)]
async fn default_budgets_are_per_endpoint() {
    let sim = with(RateLimits::default());
    for (short, budget) in [
        ("v2:directories", "500"),
        ("v1:events", "10"),
        ("v1:events-stream", "100"),
    ] {
        assert_eq!(
            get(&sim, short).await.header("x-ratelimit-limit"),
            Some(budget)
        );
    }
    for _ in 0..9 {
        assert_eq!(get(&sim, "v1:events").await.status, StatusCode::OK);
    }
    assert_eq!(
        get(&sim, "v1:events").await.status,
        StatusCode::TOO_MANY_REQUESTS
    );
}

#[tokio::test(start_paused = true)]
async fn a_bucket_gives_its_rate_over_time() {
    let sim = with(RateLimits::per_second(10));
    let (mut passed, mut refused) = (0, 0);
    for _ in 0..400 {
        match get(&sim, "v2:directories").await.status {
            StatusCode::OK => passed += 1,
            status => {
                assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
                refused += 1;
            }
        }
        tokio::time::advance(Duration::from_millis(25)).await;
    }
    assert_eq!(
        (passed, refused),
        (10 + 99, 400 - 109),
        "one second's worth at once, then ten a second"
    );
}

#[tokio::test(start_paused = true)]
async fn headers_come_with_errors_too_and_can_be_left_out() {
    let sim = with(RateLimits::default());
    assert!(
        get(&sim, "v2:directories?limit=0")
            .await
            .header("x-ratelimit-remaining")
            .is_some()
    );
    let unauthorized = send(
        &sim,
        request("GET", &path(&sim, "v2:directories"), None, None),
    )
    .await;
    assert!(unauthorized.header("x-ratelimit-remaining").is_some());
    let bare = with(RateLimits {
        headers: false,
        ..RateLimits::per_minute(1)
    });
    assert_eq!(
        get(&bare, "v2:directories")
            .await
            .header("x-ratelimit-limit"),
        None
    );
    let refused = get(&bare, "v2:directories").await;
    assert_eq!(
        (
            refused.header("x-ratelimit-reset"),
            refused.header("retry-after")
        ),
        (None, Some("45"))
    );
    let off = with(RateLimits::off());
    assert_eq!(
        get(&off, "v2:directories")
            .await
            .header("x-ratelimit-limit"),
        None
    );
}

#[tokio::test(start_paused = true)]
async fn refusals_can_be_bare_and_resets_without_seconds() {
    let sim = with(RateLimits {
        bare_refusals: true,
        reset_without_seconds: true,
        ..RateLimits::per_minute(1)
    });
    assert_eq!(
        get(&sim, "v2:directories")
            .await
            .header("x-ratelimit-reset"),
        Some("2026-11-23T20:32Z")
    );
    let refused = get(&sim, "v2:directories").await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(
        refused
            .headers
            .keys()
            .map(http::HeaderName::as_str)
            .collect::<Vec<_>>(),
        ["content-type", "content-length"]
    );
}

#[tokio::test(start_paused = true)]
async fn workspaces_are_refused_in_the_proxys_form() {
    let sim = with(RateLimits::per_minute(1));
    let uri = path(&sim, "v2:workspaces");
    for _ in 0..2 {
        let answer = send(&sim, request("POST", &uri, Some(sim.access_token()), None)).await;
        if answer.status != StatusCode::OK {
            assert_eq!(answer.json()["code"], 429);
            return;
        }
    }
    panic!("the second request must be refused");
}
