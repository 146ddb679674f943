//! The requests that the metrics of a run count are those that the simulator got.

#![allow(clippy::float_cmp, reason = "the numbers are exact")]

use std::collections::BTreeMap;

use atlassian_sim::{
    Action, Calls, Config, Fault, OrganizationSpec, RateLimits, RetryAfter, Simulator,
};
use baton_metrics::TextForm;
use baton_testkit::Harness;

use crate::checker::checked;
use crate::in_process::InProcess;

#[test]
fn requests_are_counted_by_endpoint_and_status() {
    let refused = Action::TooManyRequests(RetryAfter::Seconds(2));
    let sim = Simulator::new(Config {
        organization: OrganizationSpec {
            users: 30,
            groups: 5,
            seed: 3,
            odd_data: false,
            ..OrganizationSpec::default()
        },
        limits: RateLimits::off(),
        faults: vec![
            Fault::new("GET *", Calls::Nth(3), refused),
            Fault::new("GET *", Calls::Nth(6), Action::Status(503)),
        ],
        ..Config::default()
    })
    .unwrap();
    let network = InProcess(sim.clone());
    let mut harness = Harness::new(baton_atlassian::app).network(&network);
    let (key, organization) = (sim.access_token(), sim.organization_id());
    let outcome = harness.run(&[
        "--access-token",
        key,
        "--organization-id",
        organization,
        "--base-url",
        "http://simulated.test/admin",
        "--metrics-file",
        "run.prom",
    ]);
    let text = std::fs::read_to_string(harness.folder().join("run.prom"));
    let text = text.unwrap_or_else(|error| panic!("{error}: {}", outcome.stderr));
    let seen = checked(&text, TextForm::Prometheus);
    assert!(
        !text.contains(key) && !text.contains(organization),
        "{text}"
    );

    let mut expected: BTreeMap<String, f64> = BTreeMap::new();
    for request in sim.requests() {
        *expected.entry(request.status.to_string()).or_default() += 1.0;
    }
    assert!(
        expected.contains_key("429") && expected.contains_key("503"),
        "{expected:?}"
    );
    let samples = |name: &'static str| seen.samples.iter().filter(move |one| one.name == name);
    let mut by_status: BTreeMap<String, f64> = BTreeMap::new();
    for sample in samples("baton_http_requests_total") {
        assert!(sample.labels["endpoint"].starts_with('/'), "{sample:?}");
        let status = sample.labels["status"].clone();
        *by_status.entry(status).or_default() += sample.value;
    }
    assert_eq!(by_status, expected);
    let sum = |name: &'static str| -> f64 { samples(name).map(|one| one.value).sum() };
    let total: f64 = expected.values().sum();
    assert_eq!(sum("baton_http_request_duration_seconds_count"), total);
    assert_eq!(sum("baton_http_request_retries_total"), 2.0);
    let limited = samples("baton_http_wait_seconds_total")
        .find(|one| one.labels["reason"] == "rate_limited")
        .unwrap();
    assert!(limited.value >= 2.0, "{limited:?}");
    let rows = samples("baton_sync_last_rows").find(|one| one.labels["kind"] == "resources");
    assert!(rows.unwrap().value >= 35.0, "{text}");
}
