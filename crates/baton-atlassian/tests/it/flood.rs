//! Senders that send as much as the limiter lets through, for a few simulated
//! minutes, to a simulator that keeps quotas.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use atlassian_sim::{Config, OrganizationSpec, RateLimits, Simulator};
use baton_connector::http::{
    BodyStream, Credential, HttpClient, HttpParts, HttpSettings, RateSettings, Request, Transport,
    TransportError,
};
use baton_connector::{Clock, Run, Secret, TrafficSnapshot, TrafficSource};
use bytes::Bytes;
use futures_util::future::join_all;
use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};

use crate::in_process::InProcess;

const ENDPOINT: &str = "GET v2/directories";
/// A whole minute, with which a window of the simulator begins.
const MINUTE: &str = "2026-11-23T20:31:00Z";
/// Whole windows that are counted.
pub const MINUTES: u64 = 6;
/// More senders than requests that may be in flight.
const SENDERS: usize = 128;

/// Who floods what.
#[derive(Debug, Clone)]
pub struct Flood {
    pub limits: RateLimits,
    pub share: f64,
    pub clients: usize,
    pub latency: Duration,
    /// Seconds into a minute at which it begins. What happens before the next
    /// minute is not counted.
    pub begins_at: u64,
    /// Requests that the server works on at once; all others queue.
    pub served_at_once: Option<usize>,
}

/// How a flood begins.
#[derive(Debug, Clone, Copy, Default)]
pub struct Start {
    /// When so many requests were in flight for the first time: 8, 16, 32, 64.
    pub reached: [Option<Duration>; 4],
    /// Answers within the first second.
    pub answered: u64,
    /// Requests in flight on average over the last second.
    pub settled_at: f64,
    /// Requests refused within 100 ms of the first one, and in the ten
    /// seconds after those.
    pub first_refusals: u64,
    pub later_refusals: u64,
}

/// Requests that were let through, and that were answered with 429.
#[derive(Debug, Clone, Copy)]
pub struct Counted {
    pub let_through: u64,
    pub refused: u64,
}

impl Counted {
    /// The part of requests that was refused, in thousandths.
    pub fn refused_per_mille(self) -> u64 {
        self.refused * 1000 / (self.let_through + self.refused).max(1)
    }
}

impl Flood {
    pub fn of(limits: RateLimits) -> Self {
        Self {
            limits,
            share: RateSettings::SHARE,
            clients: 1,
            latency: Duration::from_millis(40),
            begins_at: 0,
            served_at_once: None,
        }
    }

    /// Floods for a few seconds and watches the requests in flight.
    pub async fn begin(&self, seconds: u64) -> Start {
        let simulator = simulator(self.limits.clone(), at(0));
        let rate = RateSettings::new(self.share, None).unwrap();
        let client = self.client(&simulator, rate, at(0));
        let began = Instant::now();
        let span = Duration::from_secs(seconds);
        let mut start = Start::default();
        let (mut samples, mut sum) = (0_u32, 0.0);
        let watch = async {
            while began.elapsed() < span {
                sleep(Duration::from_millis(5)).await;
                let in_flight = client.traffic().in_flight;
                for (reached, many) in start.reached.iter_mut().zip([8, 16, 32, 64]) {
                    if in_flight >= many {
                        reached.get_or_insert(began.elapsed());
                    }
                }
                if began.elapsed() + Duration::from_secs(1) >= span {
                    samples += 1;
                    sum += f64::from(u32::try_from(in_flight).unwrap());
                }
            }
        };
        tokio::join!(flood(&client, &simulator, span), watch);
        start.settled_at = sum / f64::from(samples.max(1));
        let mut first = None;
        for record in simulator.requests() {
            start.answered += u64::from(record.status == 200 && record.at_millis < 1_000);
            if record.status == 429 {
                let first = *first.get_or_insert(record.at_millis);
                match record.at_millis - first {
                    0..=100 => start.first_refusals += 1,
                    101..=10_100 => start.later_refusals += 1,
                    _ => {}
                }
            }
        }
        start
    }

    /// A client of the simulator, whose clock begins with the simulator's.
    pub fn client(&self, simulator: &Simulator, rate: RateSettings, begin: Timestamp) -> Client {
        let inner = InProcess(simulator.clone());
        let served = self
            .served_at_once
            .map(|most| Arc::new(Semaphore::new(most)));
        client_over(Far(inner, self.latency, served), rate, begin)
    }

    pub async fn run(&self) -> Counted {
        let begin = at(self.begins_at);
        let simulator = simulator(self.limits.clone(), begin);
        let rate = RateSettings::new(self.share, None).unwrap();
        let clients: Vec<_> = (0..self.clients)
            .map(|_| self.client(&simulator, rate, begin))
            .collect();
        let before = Duration::from_secs((60 - self.begins_at) % 60);
        let ends = before + Duration::from_secs(60 * MINUTES);
        join_all(clients.iter().map(|client| flood(client, &simulator, ends))).await;
        counted(&simulator, before, ends)
    }
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
struct Far(InProcess, Duration, Option<Arc<Semaphore>>);

#[async_trait]
impl Transport for Far {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<BodyStream>, TransportError> {
        let _served = match &self.2 {
            Some(served) => Some(served.acquire().await.unwrap()),
            None => None,
        };
        sleep(self.1 / 2).await;
        let answer = self.0.send(request).await;
        sleep(self.1 / 2).await;
        answer
    }
}

/// So many seconds into the minute.
pub fn at(second: u64) -> Timestamp {
    MINUTE.parse::<Timestamp>().unwrap() + Duration::from_secs(second)
}

pub fn simulator(limits: RateLimits, begin: Timestamp) -> Simulator {
    Simulator::new(Config {
        organization: OrganizationSpec {
            users: 30,
            groups: 3,
            seed: 7,
            ..OrganizationSpec::default()
        },
        limits,
        clock: atlassian_sim::Clock::starting_at(begin),
        ..Config::default()
    })
    .unwrap()
}

/// A client, and the run that its requests are of.
pub struct Client {
    http: HttpClient,
    run: Run,
}

impl Client {
    pub fn traffic(&self) -> TrafficSnapshot {
        self.http.traffic(&self.run.view())
    }
}

/// A client whose clock begins with the simulator's.
fn client_over(far: Far, rate: RateSettings, begin: Timestamp) -> Client {
    let mut parts = HttpParts::new(Arc::new(far), 1);
    let now = SystemTime::UNIX_EPOCH + Duration::try_from(begin.as_duration()).unwrap();
    parts.clock = Arc::new(Virtual(now, Instant::now()));
    let settings = HttpSettings {
        rate,
        ..HttpSettings::default()
    };
    Client {
        http: HttpClient::new(parts, settings).unwrap(),
        run: Run::begin(None),
    }
}

/// Sends as much as the client lets through until the time is over.
pub async fn flood(client: &Client, simulator: &Simulator, span: Duration) {
    let key = Credential::bearer("key", &Secret::new(simulator.access_token())).unwrap();
    let base = url::Url::parse("http://simulated.test/admin").unwrap();
    let org = simulator.organization_id();
    let request = Request::get(&base, "/v2/orgs/{org}/directories", &[org])
        .unwrap()
        .credential(&key);
    let ends = Instant::now() + span;
    let on_call = client.http.on(&client.run.call());
    let sender = || async {
        while Instant::now() < ends {
            on_call.send(&request).await.unwrap();
        }
    };
    let all = join_all((0..SENDERS).map(|_| sender()));
    let _ = tokio::time::timeout_at(ends, all).await;
}

fn counted(simulator: &Simulator, from: Duration, to: Duration) -> Counted {
    let within = from.as_millis()..to.as_millis();
    let (mut let_through, mut refused) = (0, 0);
    for record in simulator.requests() {
        assert_eq!(record.endpoint, Some(ENDPOINT));
        if within.contains(&u128::from(record.at_millis)) {
            let_through += u64::from(record.status == 200);
            refused += u64::from(record.status == 429);
        }
    }
    Counted {
        let_through,
        refused,
    }
}
