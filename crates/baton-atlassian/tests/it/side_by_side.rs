//! Several runs of one connector object, at once and one after the other, and
//! several connectors in one process: each run is as if it were alone.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use atlassian_sim::{Action, Calls, Fault, Simulator};
use baton_atlassian::{Settings, connector};
use baton_c1z::Table;
use baton_connector::http::{BodyStream, HttpParts, HttpSettings, Transport, TransportError};
use baton_connector::{
    BuiltConnector, EndpointTraffic, Planning, Random, Secret, SplitMix, SystemClock,
};
use baton_sync::{Error, Report, Silent, SyncHost, SyncRequest};
use bytes::Bytes;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::in_process::InProcess;
use crate::simulated::{rows, simulator, spec};

/// Answers late, so that calls of several runs mix; and panics when told to.
struct Slow {
    inner: InProcess,
    delays: SplitMix,
    panics: Arc<AtomicBool>,
}

impl fmt::Debug for Slow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Slow")
    }
}

#[async_trait]
impl Transport for Slow {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<BodyStream>, TransportError> {
        let wait = self.delays.next_u64() % 50;
        tokio::time::sleep(Duration::from_millis(wait)).await;
        let is_asked_about = request.uri().path().contains("role-assignments");
        assert!(
            !(is_asked_about && self.panics.load(Ordering::Relaxed)),
            "a fault in the client"
        );
        self.inner.send(request).await
    }
}

/// The same number each time: who is checked does not depend on other runs.
#[derive(Debug)]
struct Same;

impl Random for Same {
    fn next_u64(&self) -> u64 {
        7
    }
}

struct Office {
    simulator: Simulator,
    connector: Arc<BuiltConnector>,
    panics: Arc<AtomicBool>,
    folder: TempDir,
}

impl Office {
    fn of(simulator: Simulator) -> Self {
        let (key, id) = (simulator.access_token(), simulator.organization_id());
        let base = "http://simulated.test/admin";
        let settings = Settings::new(Secret::new(key), id, base).unwrap();
        let panics = Arc::new(AtomicBool::new(false));
        let transport = Slow {
            inner: InProcess(simulator.clone()),
            delays: SplitMix::seeded(1),
            panics: Arc::clone(&panics),
        };
        let mut parts = HttpParts::new(Arc::new(transport), 1);
        parts.random = Arc::new(Same);
        let connector = connector(&settings, parts, HttpSettings::default()).unwrap();
        Self {
            simulator,
            connector: Arc::new(connector),
            panics,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn target(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("{name}.c1z"))
    }

    async fn sync(&self, name: &str, wish: &Wish) -> Result<Report, Error> {
        let mut request = SyncRequest::new(self.target(name));
        request.resource_type_filter = wish.types.iter().map(|t| (*t).to_owned()).collect();
        if let Some(target) = &wish.target {
            request.targets = vec![target.parse().unwrap()];
        }
        let host = SyncHost {
            clock: Arc::new(SystemClock),
            random: Arc::new(Same),
            cancel: CancellationToken::new(),
            observer: Arc::new(Silent),
        };
        baton_sync::run(Arc::clone(&self.connector) as _, request, host).await
    }

    async fn outcome(&self, name: &str, wish: &Wish) -> Outcome {
        let report = self.sync(name, wish).await.unwrap();
        Outcome::of(&report, &self.target(name))
    }
}

/// What a sync is asked for.
#[derive(Debug, Default)]
struct Wish {
    types: Vec<&'static str>,
    target: Option<String>,
}

/// What a run leaves behind and tells of itself.
#[derive(Debug, PartialEq)]
struct Outcome {
    rows: Vec<Vec<(String, Vec<u8>)>>,
    requests: Vec<(String, [u64; 3])>,
    planning: Option<Planning>,
    warnings: Vec<String>,
}

impl Outcome {
    fn of(report: &Report, target: &Path) -> Self {
        let traffic = report.traffic.as_ref().unwrap();
        let counts = |e: &EndpointTraffic| [e.requests, e.retries, e.rate_limited];
        Self {
            rows: Table::ALL.map(|table| rows(target, table)).to_vec(),
            requests: (traffic.endpoints.iter())
                .map(|(endpoint, counters)| (endpoint.clone(), counts(counters)))
                .collect(),
            planning: report.planning,
            warnings: report.warnings.clone(),
        }
    }

    fn total(&self) -> u64 {
        self.requests.iter().map(|(_, counts)| counts[0]).sum()
    }
}

/// An organization with more users than fit on a page, so that its requests
/// are planned.
fn organization(seed: u64) -> Simulator {
    let mut spec = spec(130, 12);
    spec.seed = seed;
    simulator(spec)
}

fn wishes(simulator: &Simulator) -> [(&'static str, Wish); 3] {
    let user = &simulator.truth().users[3].account_id;
    [
        ("all", Wish::default()),
        (
            "groups",
            Wish {
                types: vec!["user", "group"],
                target: None,
            },
        ),
        (
            "one user",
            Wish {
                types: Vec::new(),
                target: Some(format!("bid:r:user/{}", user.replace(':', "\\:"))),
            },
        ),
    ]
}

async fn alone(simulator: &Simulator, name: &str, wish: &Wish) -> Outcome {
    Office::of(simulator.clone()).outcome(name, wish).await
}

#[tokio::test(start_paused = true)]
async fn syncs_at_once_on_one_connector_are_as_each_alone() {
    let simulator = organization(3);
    let [all, groups, one] = wishes(&simulator);
    let mut expected = Vec::new();
    for (name, wish) in [&all, &groups, &one] {
        expected.push(alone(&simulator, name, wish).await);
    }
    let office = Office::of(simulator);
    let (first, second, third) = tokio::join!(
        office.outcome(all.0, &all.1),
        office.outcome(groups.0, &groups.1),
        office.outcome(one.0, &one.1),
    );
    assert_eq!(first.requests, expected[0].requests);
    assert_eq!(second.requests, expected[1].requests);
    assert_eq!(third.requests, expected[2].requests);
    assert!(first.planning.unwrap().avoided > 0);
    assert!(third.total() < second.total() && second.total() < first.total());
    assert!(
        [first, second, third] == *expected,
        "rows or remarks differ"
    );
}

#[tokio::test(start_paused = true)]
async fn connectors_of_two_organizations_are_as_each_alone() {
    let wish = Wish::default();
    let (one, other) = (organization(3), organization(4));
    let expected = (
        alone(&one, "one", &wish).await,
        alone(&other, "other", &wish).await,
    );
    let (one, other) = (Office::of(one), Office::of(other));
    let both = tokio::join!(one.outcome("one", &wish), other.outcome("other", &wish));
    assert_eq!(both.0.requests, expected.0.requests);
    assert_eq!(both.1.requests, expected.1.requests);
    assert!(both.0.rows != both.1.rows);
    assert!(both == expected, "rows or remarks differ");
}

#[tokio::test(start_paused = true)]
async fn a_run_leaves_nothing_that_the_next_one_sees() {
    let simulator = organization(3);
    let wish = Wish::default();
    let expected = alone(&simulator, "next", &wish).await;
    let failing = |action| {
        let fault = Fault::new("GET v2/users/{id}/role-assignments", Calls::All, action);
        vec![fault]
    };
    for earlier in ["complete", "refused", "down for half an hour", "a panic"] {
        let office = Office::of(simulator.clone());
        match earlier {
            "refused" => office.simulator.set_faults(failing(Action::Status(401))),
            "down for half an hour" => {
                office.simulator.set_faults(failing(Action::Status(503)));
                let error = office.sync("first", &wish).await.unwrap_err();
                assert!(error.code() == baton_proto::Code::Unavailable, "{error}");
                tokio::time::sleep(Duration::from_mins(31)).await;
            }
            "a panic" => office.panics.store(true, Ordering::Relaxed),
            _ => {}
        }
        let first = office.sync("first", &wish).await;
        assert_eq!(first.is_ok(), earlier == "complete", "{earlier}");
        office.simulator.set_faults(Vec::new());
        office.panics.store(false, Ordering::Relaxed);
        let next = office.outcome("next", &wish).await;
        assert_eq!(next.requests, expected.requests, "{earlier}");
        assert!(next == expected, "{earlier}: rows or remarks differ");
    }
}
