//! Calls behind the rate limiter of the connector.

use std::sync::Arc;

use baton_connector::{Call, Code, Connector, Provisioning, SystemClock, v2};
use baton_proto::c1::ratelimit::v1::{
    DoRequest, DoResponse, RateLimitDescription, rate_limit_description::Status as Limit,
};

use super::peer::{Answer, Log, Reply, Seen, scripted_with};
use crate::client::{ClientSettings, Limits, RemoteConnector};

fn limited(script: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> (RemoteConnector, Log) {
    let mut settings = ClientSettings::new("peer");
    settings.limits = Some(Limits {
        descriptors: vec![("tenant".to_owned(), "t1".to_owned())],
        clock: Arc::new(SystemClock),
    });
    scripted_with(settings, script)
}

fn let_begin(limit: Limit) -> Reply {
    let mut description = RateLimitDescription::default();
    description.set_status(limit);
    Reply::message(&DoResponse {
        request_token: String::new(),
        description: Some(description),
    })
}

fn names(log: &Log) -> Vec<String> {
    let log = log.lock().unwrap();
    let name = |seen: &Seen| seen.path.rsplit('/').next().unwrap().to_owned();
    log.iter().map(name).collect()
}

#[tokio::test(start_paused = true)]
async fn a_call_is_asked_for_and_reported() {
    let (connector, log) = limited(|seen| match seen.path.rsplit('/').next() {
        Some("Do") => let_begin(Limit::Empty),
        _ => Reply::Answer(Answer::bytes(&[])),
    });
    let call = Call::alone();
    connector.list_resources(&call, "user", None).await.unwrap();
    assert_eq!(names(&log), ["Do", "ListResources", "Report"]);
    let asked: DoRequest = log.lock().unwrap()[0].decoded();
    let entries = asked.descriptors.unwrap().entries;
    let keys: Vec<_> = entries.iter().map(|entry| entry.key.as_str()).collect();
    let expected = ["tenant", "connector_method", "connector_resource_type"];
    assert_eq!(keys, expected);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_may_not_begin_is_an_error_and_not_an_empty_answer() {
    let (connector, log) = limited(|_| let_begin(Limit::Error));
    let call = Call::alone();
    let error = connector.list_resource_types(&call).await.unwrap_err();
    let text = "the connector at peer did not let a call begin (rate limiter)";
    assert_eq!(
        (error.to_string().as_str(), error.code()),
        (text, Code::Unavailable)
    );
    assert_eq!(names(&log), ["Do"]);
}

#[tokio::test(start_paused = true)]
async fn a_lost_write_stays_open_though_its_report_fails_too() {
    let (connector, log) = limited(|seen| match seen.path.rsplit('/').next() {
        Some("Do") => let_begin(Limit::Ok),
        Some("Grant") => Reply::Reset(h2::Reason::CANCEL),
        _ => Reply::error(13, "no report"),
    });
    let call = Call::alone();
    let (entitlement, principal) = (v2::Entitlement::default(), v2::Resource::default());
    let granted = connector.grant(&call, &entitlement, &principal).await;
    let error = granted.unwrap_err();
    assert_eq!(error.code(), Code::Unavailable);
    assert!(
        error.to_string().contains("the state is not known"),
        "{error}"
    );
    assert_eq!(names(&log), ["Do", "Grant", "Report"]);
}

#[tokio::test(start_paused = true)]
async fn a_connector_without_a_limiter_fails_every_call() {
    let (connector, _) =
        limited(|_| Reply::error(12, "unknown service c1.ratelimit.v1.RateLimiterService"));
    let call = Call::alone();
    let error = connector.list_resource_types(&call).await.unwrap_err();
    assert_eq!(error.code(), Code::Unknown);
    assert_eq!(
        error.to_string(),
        "rpc error: code = Unimplemented desc = unknown service c1.ratelimit.v1.RateLimiterService"
    );
}
