//! The limiter against the simulator's quotas, in virtual time.
// What was measured is told with `--nocapture`.
#![allow(clippy::print_stdout)]

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use atlassian_sim::{Config, RateLimits, Simulator};
use baton_connector::http::{
    BodyStream, Credential, HttpClient, HttpParts, HttpSettings, RateSettings, Request, Transport,
    TransportError,
};
use baton_connector::{Clock, Secret, Upstream};
use bytes::Bytes;
use futures_util::future::join_all;
use jiff::Timestamp;
use tokio::time::{Instant, sleep};

use crate::simulated::{InProcess, rows, spec, sync};

const LATENCY: Duration = Duration::from_millis(40);
const ENDPOINT: &str = "GET v2/directories";
/// When everything begins: with a minute, so that a span of minutes is one of
/// whole windows.
const BEGIN: &str = "2026-11-23T20:31:00Z";

fn begin() -> Timestamp {
    BEGIN.parse().unwrap()
}

/// The same moment for the client.
fn begun() -> SystemTime {
    let seconds = u64::try_from(begin().as_second()).unwrap();
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

/// The date that the simulator begins with, moved by tokio's clock.
#[derive(Debug)]
struct Virtual(SystemTime, Instant);

impl Clock for Virtual {
    fn now(&self) -> SystemTime {
        self.0 + self.1.elapsed()
    }
}

#[derive(Debug)]
struct Far(InProcess);

#[async_trait]
impl Transport for Far {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<BodyStream>, TransportError> {
        sleep(LATENCY / 2).await;
        let answer = self.0.send(request).await;
        sleep(LATENCY / 2).await;
        answer
    }
}

fn simulator(limits: RateLimits) -> Simulator {
    Simulator::new(Config {
        organization: spec(30, 3),
        limits,
        clock: atlassian_sim::Clock::starting_at(begin()),
        ..Config::default()
    })
    .unwrap()
}

fn client(simulator: &Simulator, rate: RateSettings) -> HttpClient {
    let mut parts = HttpParts::new(Arc::new(Far(InProcess(simulator.clone()))), 1);
    parts.clock = Arc::new(Virtual(begun(), Instant::now()));
    let settings = HttpSettings {
        rate,
        ..HttpSettings::default()
    };
    HttpClient::new(parts, settings).unwrap()
}

/// Sends as much as the client lets through until the time is over.
async fn flood(client: &HttpClient, simulator: &Simulator, span: Duration) {
    let key = Credential::bearer("key", &Secret::new(simulator.access_token())).unwrap();
    let base = url::Url::parse("http://simulated.test/admin").unwrap();
    let org = simulator.organization_id();
    let request = Request::get(&base, "/v2/orgs/{org}/directories", &[org])
        .unwrap()
        .credential(&key);
    let ends = Instant::now() + span;
    let sender = || async {
        while Instant::now() < ends {
            client.send(&request).await.unwrap();
        }
    };
    let all = join_all((0..64).map(|_| sender()));
    let _ = tokio::time::timeout_at(ends, all).await;
}

/// Requests that were let through, and that were refused, within a span.
fn counted(simulator: &Simulator, from: Duration, to: Duration) -> (u64, u64) {
    let within = from.as_millis()..to.as_millis();
    let (mut let_through, mut refused) = (0, 0);
    for record in simulator.requests() {
        assert_eq!(record.endpoint, Some(ENDPOINT));
        if within.contains(&u128::from(record.at_millis)) {
            let_through += u64::from(record.status == 200);
            refused += u64::from(record.status == 429);
        }
    }
    (let_through, refused)
}

fn share(share: f64) -> RateSettings {
    RateSettings::new(share, None).unwrap()
}

const MINUTES: u64 = 6;

async fn flooded(limits: RateLimits, share_used: f64, clients: usize) -> (u64, u64) {
    let simulator = simulator(limits);
    let clients: Vec<_> = (0..clients)
        .map(|_| client(&simulator, share(share_used)))
        .collect();
    let span = Duration::from_secs(60 * MINUTES);
    join_all(clients.iter().map(|client| flood(client, &simulator, span))).await;
    counted(&simulator, Duration::ZERO, span)
}

fn assert_used(told: &str, (let_through, refused): (u64, u64), budget: u64) {
    println!("{told}: {let_through} of {budget} used, {refused} refused");
    assert!(
        let_through * 10 >= budget * 9,
        "{told}: {let_through} of {budget}"
    );
    assert!(
        refused * 100 < let_through + refused,
        "{told}: {refused} refused"
    );
}

#[tokio::test(start_paused = true)]
async fn with_headers_the_budget_is_used_and_hardly_anything_refused() {
    for per_minute in [60, 500] {
        for (part, budget) in [(0.8, per_minute * 8 / 10), (1.0, per_minute)] {
            let limits = RateLimits::per_minute(per_minute);
            let used = flooded(limits, part, 1).await;
            let told = format!("{per_minute}/m, share {part}");
            let budget = u64::from(budget);
            assert_used(&told, used, budget * MINUTES);
            assert!(used.0 <= budget * MINUTES + 1, "{told}: {}", used.0);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_rate_per_second_is_used_and_not_overdrawn() {
    for per_second in [20] {
        let used = flooded(RateLimits::per_second(per_second), 0.8, 1).await;
        let budget = u64::from(per_second) * 60 * MINUTES * 8 / 10;
        assert_used(&format!("{per_second}/s"), used, budget);
        assert!(used.0 <= budget + u64::from(per_second), "{}", used.0);
    }
}

#[tokio::test(start_paused = true)]
async fn resets_without_seconds_are_enough() {
    let limits = RateLimits {
        reset_without_seconds: true,
        ..RateLimits::per_minute(500)
    };
    assert_used("no seconds", flooded(limits, 0.8, 1).await, 400 * MINUTES);
}

#[tokio::test(start_paused = true)]
async fn two_clients_share_one_quota() {
    let used = flooded(RateLimits::per_minute(500), 0.8, 2).await;
    assert_used("two clients", used, 400 * MINUTES);
    assert!(used.0 <= (400 + 50) * MINUTES, "{}", used.0);
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
            let (let_through, refused) = flooded(limits, 0.8, 1).await;
            println!("{told} without headers: {let_through} let through, {refused} refused");
            // A refusal that says nothing of its end costs a minute.
            let least = if bare_refusals { 300 } else { 2_000 };
            assert!(let_through > least, "{told}: {let_through}");
            assert!(
                refused * 100 <= (let_through + refused) * 3,
                "{told}: {refused} refused of {let_through}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_cap_holds_in_every_second() {
    let simulator = simulator(RateLimits::off());
    let rate = RateSettings::new(1.0, NonZeroU32::new(25)).unwrap();
    let client = client(&simulator, rate);
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
    let simulator = simulator(RateLimits::per_minute(500));
    let client = client(&simulator, share(0.8));
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
    assert!(used.least_ms().unwrap() > 0);
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
        sync(&simulator(limits), &target).await.unwrap();
        let tables = [
            baton_c1z::Table::Resources,
            baton_c1z::Table::Entitlements,
            baton_c1z::Table::Grants,
        ];
        files.push(tables.map(|table| {
            let rows = rows(&target, table).into_iter();
            rows.map(|(id, _)| id).collect::<Vec<_>>()
        }));
    }
    for file in &files[1..] {
        assert_eq!(file, &files[0]);
    }
}
