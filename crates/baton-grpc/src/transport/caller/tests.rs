//! Calls with one message.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use baton_proto::c1::connectorapi::baton::v1::{
    BatonServiceHeartbeatRequest as Request, BatonServiceHeartbeatResponse as Response,
};
use h2::Reason;

use super::*;
use crate::client::tests::peer::{Answer, Reply, Seen, scripted_channel};
use crate::methods::connectorapi_v1::baton_service::HEARTBEAT;

const LIMIT: Duration = Duration::from_secs(30);

pub(super) fn caller(channel: Channel) -> Caller {
    let authority = Authority::from_static("service.example:443");
    let agent = HeaderValue::from_static("tests baton-rust/1");
    Caller::new(
        channel,
        CallerSettings::new("the service", authority, agent),
    )
}

pub(super) fn headers() -> HeaderMap {
    let mut token = HeaderValue::from_static("Bearer t0ken");
    token.set_sensitive(true);
    HeaderMap::from_iter([(http::header::AUTHORIZATION, token)])
}

async fn call(channel: Channel) -> Result<Response, CallError> {
    let request = Request {
        task_id: "task".to_owned(),
        ..Request::default()
    };
    caller(channel)
        .unary(HEARTBEAT, &request, &headers(), LIMIT)
        .await
}

async fn outcome(
    script: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
) -> (CallErrorKind, Code, String) {
    let error = call(scripted_channel(script).0).await.unwrap_err();
    (error.kind, error.code(), error.to_string())
}

#[tokio::test(start_paused = true)]
async fn a_call_has_the_headers_of_the_settings_and_those_of_the_caller() {
    let answer = Response {
        cancelled: true,
        ..Response::default()
    };
    let expected = answer.clone();
    let (channel, log) = scripted_channel(move |_| Reply::message(&answer));
    assert_eq!(call(channel).await.unwrap(), expected);
    let log = log.lock().unwrap();
    let [seen] = log.as_slice() else {
        panic!("{log:?}")
    };
    assert_eq!(
        seen.path,
        "/c1.connectorapi.baton.v1.BatonService/Heartbeat"
    );
    assert_eq!(seen.decoded::<Request>().task_id, "task");
    let mut sent: Vec<_> = seen
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
        .collect();
    sent.sort_unstable();
    let expected = [
        ("authorization", "Bearer t0ken"),
        ("content-length", "11"),
        ("content-type", "application/grpc"),
        ("grpc-accept-encoding", "gzip"),
        ("grpc-timeout", "30000m"),
        ("te", "trailers"),
        ("user-agent", "tests baton-rust/1"),
    ];
    assert_eq!(sent, expected);
}

#[tokio::test(start_paused = true)]
async fn failures_are_kept_apart_by_how_far_the_call_came() {
    use CallErrorKind::{Answered, Broken, NotSent, TimedOut};

    let html = |status| {
        let mut answer = Answer::bytes(b"<html>");
        answer.status = status;
        answer.headers = vec![("content-type".into(), "text/html".to_owned())];
        Reply::Answer(answer)
    };
    let cases = [
        (Reply::error(5, "no task"), Answered, Code::NotFound),
        (html(400), Answered, Code::Internal),
        (html(401), Answered, Code::Unauthenticated),
        (html(403), Answered, Code::PermissionDenied),
        (html(404), Answered, Code::Unimplemented),
        (html(429), Answered, Code::Unavailable),
        (html(500), Answered, Code::Unknown),
        (html(502), Answered, Code::Unavailable),
        (html(503), Answered, Code::Unavailable),
        (html(504), Answered, Code::Unavailable),
        (Reply::Hangup, Broken, Code::Unavailable),
        (Reply::Reset(Reason::INTERNAL_ERROR), Broken, Code::Internal),
        (
            Reply::Reset(Reason::REFUSED_STREAM),
            NotSent,
            Code::Unavailable,
        ),
        (Reply::Silence, TimedOut, Code::DeadlineExceeded),
        (
            Reply::Answer(Answer::bytes(&[0xff])),
            Broken,
            Code::Internal,
        ),
    ];
    for (reply, kind, code) in cases {
        let found = outcome(move |_| reply.clone()).await;
        assert_eq!((found.0, found.1), (kind, code), "{}", found.2);
    }
}

#[tokio::test(start_paused = true)]
async fn messages_name_the_peer_and_what_it_did() {
    let late = outcome(|_| Reply::Silence).await.2;
    assert_eq!(late, "the service did not answer within 30 s");
    let unreadable = outcome(|_| Reply::Answer(Answer::bytes(&[0xff]))).await.2;
    let expected = "the service gave an answer to c1.connectorapi.baton.v1.BatonService/Heartbeat \
                    that cannot be read: ";
    assert!(unreadable.starts_with(expected), "{unreadable}");
    let own = outcome(|_| Reply::error(5, "no task")).await.2;
    assert_eq!(own, "no task");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_without_a_connection() {
    let refuse = || std::io::Error::new(std::io::ErrorKind::ConnectionRefused, "nothing listens");
    let channel = super::super::channel(move || {
        std::future::ready(Err::<tokio::io::DuplexStream, _>(refuse()))
    });
    let error = call(channel).await.unwrap_err();
    assert_eq!(error.kind, CallErrorKind::NotSent);
    assert_eq!(
        error.to_string(),
        "the service cannot be reached: nothing listens"
    );
}

#[tokio::test(start_paused = true)]
async fn a_refused_call_is_repeated_once() {
    for refusals in 0..3 {
        let calls = AtomicUsize::new(0);
        let (channel, log) = scripted_channel(move |_| {
            if calls.fetch_add(1, Ordering::Relaxed) < refusals {
                Reply::Reset(Reason::REFUSED_STREAM)
            } else {
                Reply::message(&Response::default())
            }
        });
        assert_eq!(call(channel).await.is_ok(), refusals < 2);
        let log = log.lock().unwrap();
        assert_eq!(log.len(), (refusals + 1).min(2));
        assert!(log.iter().all(|seen| seen.message == log[0].message));
    }
}

/// A peer whose first connection is silent after one answer, as one that a firewall
/// forgot, and the number of connections.
fn forgetful() -> (Channel, Arc<AtomicUsize>) {
    let dials = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&dials);
    let channel = super::super::channel(move || {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let is_first = counted.fetch_add(1, Ordering::Relaxed) == 0;
        tokio::spawn(async move {
            let mut connection = h2::server::handshake(theirs).await.unwrap();
            let mut calls = 0;
            let mut held = Vec::new();
            while let Some(Ok((_, mut respond))) = connection.accept().await {
                calls += 1;
                if is_first && calls > 1 {
                    held.push(respond);
                    continue;
                }
                let response = http::Response::builder()
                    .header("content-type", "application/grpc")
                    .body(())
                    .unwrap();
                let mut stream = respond.send_response(response, false).unwrap();
                stream.send_data(vec![0; 5].into(), false).unwrap();
                let status = HeaderValue::from_static("0");
                let name = http::HeaderName::from_static("grpc-status");
                stream
                    .send_trailers(HeaderMap::from_iter([(name, status)]))
                    .unwrap();
            }
        });
        std::future::ready(Ok(ours))
    });
    (channel, dials)
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_became_silent_costs_the_calls_on_it_and_no_further_one() {
    let (channel, dials) = forgetful();
    call(channel.clone()).await.unwrap();
    let calls = (0..3).map(|_| call(channel.clone()));
    for late in futures_util::future::join_all(calls).await {
        assert_eq!(late.unwrap_err().kind, CallErrorKind::TimedOut);
    }
    assert_eq!(dials.load(Ordering::Relaxed), 1);
    for _ in 0..3 {
        call(channel.clone()).await.unwrap();
    }
    assert_eq!(dials.load(Ordering::Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn an_answer_over_the_limit_is_refused() {
    let (channel, _) = scripted_channel(|_| Reply::Answer(Answer::bytes(&[0; 11])));
    let settings = CallerSettings {
        max_bytes: 10,
        ..CallerSettings::new(
            "the service",
            Authority::from_static("a"),
            HeaderValue::from_static("b"),
        )
    };
    let caller = Caller::new(channel, settings);
    let answered = caller
        .unary(HEARTBEAT, &Request::default(), &HeaderMap::new(), LIMIT)
        .await;
    assert_eq!(answered.unwrap_err().code(), Code::ResourceExhausted);
}
