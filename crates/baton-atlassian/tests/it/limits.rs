//! The limiter against the simulator's quotas, in virtual time. How much of
//! them is used is measured by `benches/limits.rs`, in the same way.

use std::num::NonZeroU32;
use std::time::Duration;

use atlassian_sim::{RateLimits, Simulator};
use baton_c1z::Table;
use baton_connector::LeastTime;
use baton_connector::http::RateSettings;

use crate::flood::{Client, Counted, Flood, MINUTES, at, flood, simulator};
use crate::simulated::{rows, sync};

fn assert_used(told: &str, counted: Counted, budget: u64) {
    let used = counted.let_through;
    assert!(used * 10 >= budget * 9, "{told}: {used} of {budget}");
    assert!(counted.refused_per_mille() < 10, "{told}: {counted:?}");
}

#[tokio::test(start_paused = true)]
async fn with_headers_the_budget_is_used_and_hardly_anything_refused() {
    for per_minute in [60, 500] {
        for (share, budget) in [(0.8, per_minute * 8 / 10), (1.0, per_minute)] {
            let limits = RateLimits::per_minute(per_minute);
            let counted = Flood {
                share,
                ..Flood::of(limits)
            };
            let counted = counted.run().await;
            let told = format!("{per_minute}/m, share {share}");
            let budget = u64::from(budget) * MINUTES;
            assert_used(&told, counted, budget);
            assert!(counted.let_through <= budget + 1, "{told}: {counted:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_seconds_may_be_the_last_of_a_window() {
    for begins_at in [30, 58, 59] {
        let flood = Flood {
            begins_at,
            ..Flood::of(RateLimits::per_minute(500))
        };
        let counted = flood.run().await;
        assert_used(&format!("from second {begins_at}"), counted, 400 * MINUTES);
    }
}

#[tokio::test(start_paused = true)]
async fn slow_answers_are_no_reason_for_refusals() {
    for (per_minute, latency_ms) in [(10, 5_000), (500, 1_000)] {
        let flood = Flood {
            latency: Duration::from_millis(latency_ms),
            ..Flood::of(RateLimits::per_minute(per_minute))
        };
        let told = format!("{per_minute}/m after {latency_ms} ms");
        let budget = u64::from(per_minute) * 8 / 10 * MINUTES;
        assert_used(&told, flood.run().await, budget);
    }
}

#[tokio::test(start_paused = true)]
async fn a_rate_per_second_is_used_and_not_overdrawn() {
    for per_second in [20] {
        let counted = Flood::of(RateLimits::per_second(per_second)).run().await;
        let budget = u64::from(per_second) * 60 * MINUTES * 8 / 10;
        assert_used(&format!("{per_second}/s"), counted, budget);
        let most = budget + u64::from(per_second);
        assert!(counted.let_through <= most, "{counted:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn resets_without_seconds_are_enough() {
    let limits = RateLimits {
        reset_without_seconds: true,
        ..RateLimits::per_minute(500)
    };
    let counted = Flood::of(limits).run().await;
    assert_used("no seconds", counted, 400 * MINUTES);
}

#[tokio::test(start_paused = true)]
async fn two_clients_share_one_quota() {
    let flood = Flood {
        clients: 2,
        ..Flood::of(RateLimits::per_minute(500))
    };
    let counted = flood.run().await;
    assert_used("two clients", counted, 400 * MINUTES);
    let most = (400 + 50) * MINUTES;
    assert!(counted.let_through <= most, "{counted:?}");
}

#[tokio::test(start_paused = true)]
async fn without_headers_few_requests_are_refused() {
    for (told, limits) in [
        ("500/m", RateLimits::per_minute(500)),
        ("40/s", RateLimits::per_second(40)),
    ] {
        for bare_refusals in [false, true] {
            let limits = RateLimits {
                headers: false,
                bare_refusals,
                ..limits.clone()
            };
            let counted = Flood::of(limits).run().await;
            // A refusal that says nothing of its end costs a minute.
            let least = if bare_refusals { 300 } else { 2_000 };
            assert!(counted.let_through > least, "{told}: {counted:?}");
            assert!(counted.refused_per_mille() <= 30, "{told}: {counted:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_without_announcements_begins_quickly() {
    let start = Flood::of(RateLimits::off()).begin(2).await;
    // Six doublings of 40 ms each.
    assert!(
        start.reached[3] <= Some(Duration::from_millis(260)),
        "{start:?}"
    );
    assert!(start.answered >= 1_200, "{start:?}");
    assert!(start.settled_at > 60.0, "{start:?}");
}

#[tokio::test(start_paused = true)]
async fn answers_that_take_longer_the_more_are_in_flight_end_the_ramp() {
    for (served, most) in [(16_u8, 48.0), (4, 40.0)] {
        let flood = Flood {
            served_at_once: Some(usize::from(served)),
            ..Flood::of(RateLimits::off())
        };
        let start = flood.begin(40).await;
        assert!(start.settled_at <= most, "{served}: {start:?}");
        // And never at the cost of what the server can do.
        assert!(
            start.settled_at >= f64::from(served) * 0.9,
            "{served}: {start:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn no_storm_follows_the_first_refusal() {
    for limits in [RateLimits::per_minute(500), RateLimits::per_second(40)] {
        for bare_refusals in [false, true] {
            let told = format!("{limits:?}, bare {bare_refusals}");
            let flood = Flood::of(RateLimits {
                headers: false,
                bare_refusals,
                ..limits.clone()
            });
            let start = flood.begin(12).await;
            assert!(
                (1..=64).contains(&start.first_refusals),
                "{told}: {start:?}"
            );
            assert!(start.later_refusals <= 2, "{told}: {start:?}");
        }
    }
}

fn share(share: f64) -> RateSettings {
    RateSettings::new(share, None).unwrap()
}

fn limited(rate: RateSettings, limits: RateLimits) -> (Simulator, Client) {
    let simulator = simulator(limits.clone(), at(0));
    let client = Flood::of(limits).client(&simulator, rate, at(0));
    (simulator, client)
}

#[tokio::test(start_paused = true)]
async fn the_cap_holds_in_every_second() {
    let rate = RateSettings::new(1.0, NonZeroU32::new(25)).unwrap();
    let (simulator, client) = limited(rate, RateLimits::off());
    flood(&client, &simulator, Duration::from_secs(20)).await;
    let at: Vec<u64> = simulator.requests().iter().map(|r| r.at_millis).collect();
    assert!(at.len() >= 490, "{}", at.len());
    for (first, last) in at.iter().zip(at.iter().skip(26)) {
        assert!(
            last - first >= 1000,
            "27 requests within {} ms",
            last - first
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_summary_knows_the_announced_limit() {
    let (simulator, client) = limited(share(0.8), RateLimits::per_minute(500));
    flood(&client, &simulator, Duration::from_secs(150)).await;
    let traffic = client.traffic();
    let used = traffic.endpoints.values().next().unwrap();
    let limit = used.limit.unwrap();
    assert_eq!(limit.requests, 500);
    assert!(
        (58_000..=61_000).contains(&limit.period_ms),
        "{}",
        limit.period_ms
    );
    assert!(matches!(used.least_time(), Some(LeastTime::Known(1..))));
}

#[tokio::test(start_paused = true)]
async fn the_summary_does_not_take_a_part_of_a_period_for_the_whole() {
    let (simulator, client) = limited(share(0.8), RateLimits::per_minute(500));
    tokio::time::sleep(Duration::from_secs(20)).await;
    flood(&client, &simulator, Duration::from_secs(10)).await;
    let traffic = client.traffic();
    let used = traffic.endpoints.values().next().unwrap();
    assert!(matches!(used.least_time(), Some(LeastTime::AtLeast(1..))));
}

#[tokio::test(start_paused = true)]
async fn the_file_does_not_depend_on_limits() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    for (name, limits) in [
        ("off", RateLimits::off()),
        ("window", RateLimits::per_minute(40)),
        ("bucket", RateLimits::per_second(5)),
        (
            "bare",
            RateLimits {
                headers: false,
                ..RateLimits::per_minute(30)
            },
        ),
    ] {
        let target = folder.path().join(format!("{name}.c1z"));
        sync(&simulator(limits, at(0)), &target).await.unwrap();
        // Whole rows of every table, in the order in which they are stored.
        files.push((name, Table::ALL.map(|table| rows(&target, table))));
    }
    let (_, free) = &files[0];
    assert!(free.iter().map(Vec::len).sum::<usize>() > 200);
    for (name, limited) in &files[1..] {
        for (table, (limited, free)) in Table::ALL.iter().zip(limited.iter().zip(free)) {
            assert_eq!(limited, free, "{name}: {}", table.name());
        }
    }
}
