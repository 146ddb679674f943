//! Limiters in paused time, and calls behind a scripted one.

mod recorded;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use baton_connector::Clock;
use baton_proto::Code;
use baton_proto::c1::connector::v2::{
    EntitlementsServiceListEntitlementsRequest, GrantsServiceListGrantsResponse, Resource,
    ResourceId, ResourcesServiceListResourcesRequest,
};
use baton_proto::c1::ratelimit::v1::rate_limit_description::Status as Answer;
use baton_proto::c1::ratelimit::v1::rate_limiter_config::Type;
use baton_proto::c1::ratelimit::v1::{
    DisabledLimiter, DoRequest, DoResponse, ExternalLimiter, FixedMemoryLimiter,
    RateLimitDescription, RateLimiterConfig, ReportRequest, SlidingMemoryLimiter,
};
use bytes::Bytes;
use prost::Message as _;
use tokio::time::Instant;

use super::{LimitedCalls, Limiter, LimiterService};
use crate::Status;
use crate::methods::connector_v2 as methods;

/// A clock that goes with the time of tokio.
#[derive(Debug)]
struct TokioClock(Instant);

impl TokioClock {
    fn new() -> Arc<Self> {
        Arc::new(Self(Instant::now()))
    }
}

impl Clock for TokioClock {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000) + self.0.elapsed()
    }
}

fn limiter(config: Type) -> Result<Limiter, Status> {
    let config = RateLimiterConfig {
        r#type: Some(config),
    };
    Limiter::from_config(Some(&config), TokioClock::new())
}

fn fixed(rate: i64, period: impl Into<Option<prost_types::Duration>>) -> Result<Limiter, Status> {
    let period = period.into();
    limiter(Type::FixedMem(FixedMemoryLimiter { rate, period }))
}

fn seconds(seconds: i64) -> prost_types::Duration {
    prost_types::Duration { seconds, nanos: 0 }
}

fn sliding(use_percent: f64) -> Limiter {
    limiter(Type::SlidingMem(SlidingMemoryLimiter { use_percent })).unwrap()
}

/// How long `times` calls of `Do` take together.
async fn time_of(limiter: &Limiter, times: usize) -> Duration {
    let began = Instant::now();
    for at in 0..times {
        let answer = limiter.ask(DoRequest {
            request_token: format!("t{at}"),
            ..DoRequest::default()
        });
        let answer = answer.await;
        assert_eq!(answer.request_token, format!("t{at}"));
        assert_eq!(answer.description.unwrap().status(), Answer::Empty);
    }
    began.elapsed()
}

/// A report that `remaining` calls are left for so many seconds.
fn report(limiter: &Limiter, remaining: i64, seconds: i64) {
    limiter.report(&ReportRequest {
        description: Some(RateLimitDescription {
            status: Answer::Ok.into(),
            remaining,
            reset_at: Some(prost_types::Timestamp {
                seconds: 1_000_000 + seconds,
                nanos: 0,
            }),
            ..RateLimitDescription::default()
        }),
        ..ReportRequest::default()
    });
}

#[tokio::test(start_paused = true)]
async fn without_a_limit_nothing_waits() {
    let none = Limiter::from_config(None, TokioClock::new()).unwrap();
    let disabled = limiter(Type::Disabled(DisabledLimiter {})).unwrap();
    for limiter in [none, disabled, Limiter::default()] {
        assert_eq!(time_of(&limiter, 1_000).await, Duration::ZERO);
        limiter.report(&ReportRequest::default());
    }
}

#[tokio::test(start_paused = true)]
async fn configurations_that_are_no_limit_are_refused() {
    let empty = RateLimiterConfig::default();
    let empty = Limiter::from_config(Some(&empty), TokioClock::new());
    let nanos = Some(prost_types::Duration {
        seconds: 0,
        nanos: -1,
    });
    let refused = [
        empty,
        fixed(0, seconds(1)),
        fixed(-1, seconds(1)),
        fixed(1, None),
        fixed(1, seconds(0)),
        fixed(1, nanos),
    ];
    for limiter in refused {
        assert_eq!(limiter.unwrap_err().message, "invalid ratelimiter config");
    }
    let external = limiter(Type::External(ExternalLimiter::default())).unwrap_err();
    assert_eq!(
        external.message,
        "external rate limiters are not implemented yet"
    );
}

#[tokio::test(start_paused = true)]
async fn a_fixed_limiter_spaces_calls() {
    let limiter = fixed(2, seconds(1)).unwrap();
    assert_eq!(time_of(&limiter, 3).await, Duration::from_secs(1));
    // Reports change nothing, and time without calls does not add up.
    report(&limiter, 100, 1);
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(time_of(&limiter, 3).await, Duration::from_secs(1));
    // A period that is shorter than a nanosecond per call is no limit.
    let fast = fixed(i64::MAX, seconds(1)).unwrap();
    assert_eq!(time_of(&fast, 100).await, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn callers_pass_in_order_and_one_that_stops_takes_no_turn() {
    let limiter = fixed(1, seconds(10)).unwrap();
    time_of(&limiter, 1).await;
    let began = Instant::now();
    let stopped = tokio::time::timeout(Duration::from_secs(5), time_of(&limiter, 1));
    let (stopped, first, second) =
        tokio::join!(stopped, time_of(&limiter, 1), time_of(&limiter, 1));
    assert!(stopped.is_err());
    assert_eq!(first, Duration::from_secs(10));
    assert_eq!(second, Duration::from_secs(20));
    assert_eq!(began.elapsed(), second);
}

#[tokio::test(start_paused = true)]
async fn a_sliding_limiter_begins_with_100_calls_per_second() {
    let limiter = sliding(0.5);
    assert_eq!(time_of(&limiter, 101).await, Duration::from_secs(1));
    limiter.report(&ReportRequest::default());
    let ok = RateLimitDescription {
        status: Answer::Ok.into(),
        remaining: 3,
        ..RateLimitDescription::default()
    };
    limiter.report(&ReportRequest {
        description: Some(ok),
        ..ReportRequest::default()
    });
    assert_eq!(time_of(&limiter, 100).await, Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_report_spreads_what_remains_over_the_time_to_the_reset() {
    let limiter = sliding(0.5);
    time_of(&limiter, 1).await;
    report(&limiter, 10, 20);
    // 5 calls in 20 s.
    assert_eq!(time_of(&limiter, 5).await, Duration::from_secs(20));
    // At most 5 min count, at least one call, and at least 1 s.
    report(&limiter, 0, 10_000);
    assert_eq!(time_of(&limiter, 2).await, Duration::from_mins(10));
    report(&limiter, 4, 1);
    assert_eq!(time_of(&limiter, 2).await, Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn odd_reports_and_parts_divide_nothing_by_zero() {
    for used in [f64::NAN, -1.0, 0.0, f64::INFINITY, 1e300] {
        let limiter = sliding(used);
        time_of(&limiter, 1).await;
        report(&limiter, i64::MAX, -5);
        report(&limiter, i64::MIN, 0);
        report(&limiter, 1, 0);
        assert!(time_of(&limiter, 1).await <= Duration::from_secs(1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_report_also_counts_for_the_caller_that_waits() {
    let limiter = sliding(1.0);
    time_of(&limiter, 1).await;
    report(&limiter, 1, 300);
    let waiting = time_of(&limiter, 1);
    let reporting = async {
        tokio::time::sleep(Duration::from_secs(10)).await;
        report(&limiter, 1, 15);
    };
    let (waited, ()) = tokio::join!(waiting, reporting);
    // 15 s after the start there are 5 s left, and the call before was 10 s ago.
    assert_eq!(waited, Duration::from_secs(10));
}

/// A limiter that gives scripted answers and records what it was asked.
#[derive(Default)]
struct Script {
    answers: Mutex<VecDeque<Result<RateLimitDescription, Status>>>,
    report_fails: bool,
    asked: Mutex<Vec<DoRequest>>,
    reported: Mutex<Vec<ReportRequest>>,
}

#[async_trait]
impl LimiterService for &Script {
    async fn ask(&self, request: DoRequest) -> Result<DoResponse, Status> {
        self.asked.lock().unwrap().push(request);
        let answer = self.answers.lock().unwrap().pop_front();
        Ok(DoResponse {
            request_token: "answered".into(),
            description: Some(answer.unwrap_or_else(|| Ok(status(Answer::Empty)))?),
        })
    }

    async fn report(&self, request: ReportRequest) -> Result<(), Status> {
        self.reported.lock().unwrap().push(request);
        if self.report_fails {
            return Err(Status::new(Code::Internal, "no report"));
        }
        Ok(())
    }
}

fn status(status: Answer) -> RateLimitDescription {
    RateLimitDescription {
        status: status.into(),
        ..RateLimitDescription::default()
    }
}

impl Script {
    fn answering(answers: impl IntoIterator<Item = Result<RateLimitDescription, Status>>) -> Self {
        Self {
            answers: Mutex::new(answers.into_iter().collect()),
            ..Self::default()
        }
    }

    async fn call(
        &self,
        path: &str,
        request: &[u8],
        answer: Result<&[u8], Status>,
    ) -> Result<Bytes, Status> {
        let calls = LimitedCalls::new(self, Vec::new(), TokioClock::new());
        let call = async { answer.map(Bytes::copy_from_slice) };
        calls.around(path, request, call).await
    }

    fn reports(&self) -> Vec<ReportRequest> {
        self.reported.lock().unwrap().clone()
    }

    fn reported_statuses(&self) -> Vec<Answer> {
        let description = |report: &ReportRequest| report.description.unwrap().status();
        self.reports().iter().map(description).collect()
    }
}

fn descriptors(request: &DoRequest) -> Vec<(&str, &str)> {
    let entries = &request.descriptors.as_ref().unwrap().entries;
    let pair = |entry| {
        let entry: &baton_proto::c1::ratelimit::v1::rate_limit_descriptors::Entry = entry;
        (entry.key.as_str(), entry.value.as_str())
    };
    entries.iter().map(pair).collect()
}

#[tokio::test(start_paused = true)]
async fn a_call_is_asked_for_and_reported() {
    let script = Script::default();
    let path = methods::grants_service::LIST_GRANTS.path();
    let limited = RateLimitDescription {
        limit: 7,
        ..status(Answer::Overlimit)
    };
    let mut answer = GrantsServiceListGrantsResponse::default();
    baton_proto::any::append(&mut answer.annotations, &limited);
    let answer = answer.encode_to_vec();
    let request = GrantsRequest::of_type("user");
    let result = script.call(path, &request, Ok(&answer)).await.unwrap();
    assert_eq!(result, answer);
    let asked = script.asked.lock().unwrap().clone();
    let expected = [
        ("connector_method", path),
        ("connector_resource_type", "user"),
    ];
    assert_eq!(descriptors(&asked[0]), expected);
    assert_eq!(asked[0].service, "connector");
    let reports = script.reports();
    assert_eq!(reports[0].description, Some(limited));
    assert_eq!(reports[0].descriptors, asked[0].descriptors);
    assert_eq!(reports[0].service, "connector");
    assert_eq!(reports[0].request_token, "");
}

/// A request that has a resource of a type.
struct GrantsRequest;

impl GrantsRequest {
    fn of_type(kind: &str) -> Vec<u8> {
        let id = ResourceId {
            resource_type: kind.into(),
            resource: "r".into(),
            ..ResourceId::default()
        };
        // The requests for entitlements and for grants have the same field.
        let request = EntitlementsServiceListEntitlementsRequest {
            resource: Some(Resource {
                id: Some(id),
                ..Resource::default()
            }),
            ..EntitlementsServiceListEntitlementsRequest::default()
        };
        request.encode_to_vec()
    }
}

#[tokio::test(start_paused = true)]
async fn descriptors_name_the_type_where_the_request_has_one() {
    let script = Script::default();
    let path = methods::resources_service::LIST_RESOURCES.path();
    for kind in ["group", ""] {
        let request = ResourcesServiceListResourcesRequest {
            resource_type_id: kind.into(),
            ..ResourcesServiceListResourcesRequest::default()
        };
        let request = request.encode_to_vec();
        script.call(path, &request, Ok(&[])).await.unwrap();
    }
    let validate = methods::connector_service::VALIDATE.path();
    let calls = LimitedCalls::new(&script, vec![("a".into(), "b".into())], TokioClock::new());
    let call = async { Ok::<_, Status>(Bytes::new()) };
    calls.around(validate, &[], call).await.unwrap();
    let asked = script.asked.lock().unwrap().clone();
    let method = ("connector_method", path);
    assert_eq!(
        descriptors(&asked[0]),
        [method, ("connector_resource_type", "group")]
    );
    assert_eq!(descriptors(&asked[1]), [method]);
    assert_eq!(
        descriptors(&asked[2]),
        [("a", "b"), ("connector_method", validate)]
    );
}

#[tokio::test(start_paused = true)]
async fn success_is_reported_only_if_the_response_has_annotations() {
    let script = Script::default();
    let bulk = methods::tickets_service::BULK_CREATE_TICKETS.path();
    script.call(bulk, &[], Ok(&[])).await.unwrap();
    assert_eq!(script.reports(), []);
    let failed = Status::new(Code::NotFound, "no ticket");
    let result = script.call(bulk, &[], Err(failed.clone())).await;
    assert_eq!(result.unwrap_err(), failed);
    assert_eq!(script.reported_statuses(), [Answer::Error]);
    let validate = methods::connector_service::VALIDATE.path();
    script.call(validate, &[], Ok(&[])).await.unwrap();
    assert_eq!(script.reported_statuses(), [Answer::Error, Answer::Ok]);
}

#[tokio::test(start_paused = true)]
async fn a_report_that_fails_hides_only_a_failed_call() {
    let script = Script {
        report_fails: true,
        ..Script::default()
    };
    let validate = methods::connector_service::VALIDATE.path();
    assert!(script.call(validate, &[], Ok(&[])).await.is_ok());
    let failed = Status::new(Code::NotFound, "nothing");
    let error = script.call(validate, &[], Err(failed)).await.unwrap_err();
    let text = "ratelimit: error reporting ratelimit after request error: \
                rpc error: code = Internal desc = no report";
    assert_eq!((error.code, error.message.as_str()), (Code::Unknown, text));
}

#[tokio::test(start_paused = true)]
async fn a_limiter_that_fails_fails_the_call_with_an_unknown_code() {
    let text = "unknown service c1.ratelimit.v1.RateLimiterService";
    let script = Script::answering([Err(Status::new(Code::Unimplemented, text))]);
    let calls = LimitedCalls::new(&script, Vec::new(), TokioClock::new());
    let call = async { panic!("the call was made") };
    let result: Result<Bytes, Status> = calls.around("/a/b", &[], call).await;
    let error = result.unwrap_err();
    let expected = format!("rpc error: code = Unimplemented desc = {text}");
    assert_eq!((error.code, error.message), (Code::Unknown, expected));
}

#[tokio::test(start_paused = true)]
async fn other_statuses_succeed_without_a_call() {
    for answer in [Answer::Unspecified, Answer::Error] {
        let script = Script::answering([Ok(status(answer))]);
        let calls = LimitedCalls::new(&script, Vec::new(), TokioClock::new());
        let call = async { panic!("the call was made") };
        let result: Result<Bytes, Status> = calls.around("/a/b", &[], call).await;
        assert_eq!(result, Ok(Bytes::new()));
        assert_eq!(script.reports(), []);
    }
}

/// Over the limit until so many seconds of the clock.
fn over(seconds: Option<i64>) -> RateLimitDescription {
    RateLimitDescription {
        reset_at: seconds.map(|seconds| prost_types::Timestamp {
            seconds: 1_000_000 + seconds,
            nanos: 0,
        }),
        ..status(Answer::Overlimit)
    }
}

#[tokio::test(start_paused = true)]
async fn over_the_limit_a_call_waits_for_the_reset_and_asks_again() {
    let script = Script::answering([Some(20), Some(20), None, Some(-9)].map(|at| Ok(over(at))));
    let began = Instant::now();
    script.call("/a/b", &[], Ok(&[1])).await.unwrap();
    // 20 s, then three times the least wait.
    assert_eq!(began.elapsed(), Duration::from_secs(23));
    assert_eq!(script.asked.lock().unwrap().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_call_over_the_limit_for_too_long_fails() {
    let script = Script::answering(std::iter::repeat_n(Ok(over(Some(i64::MAX / 2))), 9));
    let began = Instant::now();
    let error = script.call("/a/b", &[], Ok(&[])).await.unwrap_err();
    assert_eq!(error, Status::new(Code::ResourceExhausted, "overlimit"));
    assert_eq!(began.elapsed(), Duration::from_mins(65));
    assert_eq!(script.asked.lock().unwrap().len(), 2);
    assert_eq!(script.reports(), []);
}
