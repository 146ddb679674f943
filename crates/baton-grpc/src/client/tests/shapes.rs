//! Peers that answer in wrong shapes: an error that names what happened, and never a
//! hang or a panic.

use std::borrow::Cow;
use std::io::Write as _;
use std::time::Duration;

use baton_connector::{Call, Code, Connector, Error, v2};
use baton_proto::causes::one_line;
use flate2::Compression;
use flate2::write::GzEncoder;
use h2::Reason;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

use super::peer::{Answer, Reply, framed, scripted, scripted_with};
use crate::client::{ClientSettings, RemoteConnector};
use crate::transport::channel;

async fn error_of(connector: &RemoteConnector) -> Error {
    let call = Call::alone();
    let listed = connector.list_resource_types(&call);
    // A test must not wait as long as a call may.
    let listed = tokio::time::timeout(Duration::from_hours(1), listed).await;
    listed.expect("no hang").expect_err("an error")
}

async fn outcome(reply: Reply) -> (Code, String) {
    let (connector, _) = scripted(move |_| reply.clone());
    let error = error_of(&connector).await;
    (error.code(), one_line(&error))
}

fn answer(change: impl FnOnce(&mut Answer)) -> Reply {
    let mut answer = Answer::bytes(&[]);
    change(&mut answer);
    Reply::Answer(answer)
}

fn gzip(message: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(message).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test(start_paused = true)]
async fn wrong_answers_are_named() {
    let cases = [
        (
            answer(|answer| answer.status = 404),
            Code::Unimplemented,
            "answered HTTP status 404 with content type `application/grpc`, not gRPC",
        ),
        (
            answer(|answer| answer.headers = vec![("content-type".into(), "text/html".to_owned())]),
            Code::Internal,
            "answered HTTP status 200 with content type `text/html`, not gRPC",
        ),
        (
            answer(|answer| {
                answer.status = 503;
                answer.headers.clear();
            }),
            Code::Unavailable,
            "answered HTTP status 503 with no content type, not gRPC",
        ),
        (
            answer(|answer| answer.trailers = None),
            Code::Internal,
            "ended its answer without a status",
        ),
        (
            answer(|answer| answer.trailers = Some(vec![("x".into(), "y".to_owned())])),
            Code::Internal,
            "ended its answer without a status",
        ),
        (
            answer(|answer| answer.data = Vec::new()),
            Code::Internal,
            "answered with success and without a message",
        ),
        (
            Reply::Answer(Answer::status(vec![("grpc-status".into(), "0".to_owned())])),
            Code::Internal,
            "answered with success and without a message",
        ),
        (
            answer(|answer| answer.data = vec![vec![0, 0, 0, 0, 9, 1]]),
            Code::Internal,
            "cut its message off",
        ),
        (
            answer(|answer| answer.data.push(framed(0, &[]))),
            Code::Internal,
            "answered with more than one message",
        ),
        (
            answer(|answer| answer.data = vec![framed(2, &[])]),
            Code::Internal,
            "sent a message with the unknown flag 2",
        ),
        (
            answer(|answer| answer.data = vec![framed(1, &[])]),
            Code::Internal,
            "compressed its message in a way that was not offered",
        ),
        (
            answer(|answer| {
                answer
                    .headers
                    .push(("grpc-encoding".into(), "gzip".to_owned()));
                answer.data = vec![framed(1, b"not gzip")];
            }),
            Code::Internal,
            "sent a message that is not gzip",
        ),
        (
            Reply::Reset(Reason::CANCEL),
            Code::Canceled,
            "reset the call (CANCEL)",
        ),
        (
            Reply::Reset(Reason::REFUSED_STREAM),
            Code::Unavailable,
            "reset the call (REFUSED_STREAM)",
        ),
        (
            Reply::Reset(Reason::ENHANCE_YOUR_CALM),
            Code::ResourceExhausted,
            "reset the call (ENHANCE_YOUR_CALM)",
        ),
        (
            answer(|answer| {
                answer.trailers = None;
                answer.reset = Some(Reason::INTERNAL_ERROR);
            }),
            Code::Internal,
            "reset the call (INTERNAL_ERROR)",
        ),
        (Reply::Hangup, Code::Unavailable, "closed the connection"),
        (
            Reply::Silence,
            Code::DeadlineExceeded,
            "did not answer within 30 min",
        ),
    ];
    for (reply, code, what) in cases {
        let (found, text) = outcome(reply).await;
        let begin = format!("the connector at peer {what}");
        assert!(text.starts_with(&begin), "{text}, expected {begin}");
        assert_eq!(found, code, "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_no_message_names_the_method() {
    let (code, text) = outcome(Reply::Answer(Answer::bytes(&[0x0a, 0xff]))).await;
    let method = "c1.connector.v2.ResourceTypesService/ListResourceTypes";
    assert!(
        text.starts_with(&format!("cannot read the answer to {method}")),
        "{text}"
    );
    assert_eq!(code, Code::Internal);
}

#[tokio::test(start_paused = true)]
async fn statuses_are_read_whatever_they_contain() {
    let status = |list: Vec<(Cow<'static, str>, String)>| Reply::Answer(Answer::status(list));
    let texts = vec![
        ("grpc-status".into(), "7".to_owned()),
        (
            "grpc-message".into(),
            "no%20access: 100%, caf%C3%A9".to_owned(),
        ),
        (
            "grpc-status-details-bin".into(),
            "*** not base64 ***".to_owned(),
        ),
    ];
    let read = outcome(status(texts)).await;
    assert_eq!(read.0, Code::PermissionDenied);
    assert_eq!(read.1, "no access: 100%, café");
    let wrong = vec![
        ("grpc-status".into(), "99".to_owned()),
        ("grpc-message".into(), "%FF".to_owned()),
        ("grpc-status-details-bin".into(), "AAAA".to_owned()),
    ];
    let read = outcome(status(wrong)).await;
    assert_eq!((read.0, read.1.as_str()), (Code::Unknown, "\u{fffd}"));
    // A Go error chain can be much larger than the 16 KiB that hyper accepts.
    let long = "x".repeat(200_000);
    let list = vec![
        ("grpc-status".into(), "13".to_owned()),
        ("grpc-message".into(), long.clone()),
    ];
    let read = outcome(status(list)).await;
    assert_eq!(read, (Code::Internal, long));
}

#[tokio::test(start_paused = true)]
async fn a_message_over_the_limit_is_refused_from_its_header() {
    let (code, text) = outcome(answer(|answer| {
        answer.data = vec![vec![0, 0xff, 0xff, 0xff, 0xff]];
    }))
    .await;
    assert_eq!(code, Code::ResourceExhausted);
    let words = "the connector at peer answered with a message that is too large: grpc: received \
                 message larger than max (4294967295 vs. 67108864)";
    assert_eq!(text, words);
}

#[tokio::test(start_paused = true)]
async fn a_reset_at_the_time_limit_is_a_deadline_that_passed() {
    let late = |minutes| Reply::ResetAfter(Duration::from_mins(minutes), Reason::CANCEL);
    let (code, text) = outcome(late(30)).await;
    assert_eq!(code, Code::DeadlineExceeded);
    assert_eq!(text, "the connector at peer did not answer within 30 min");
    let (code, _) = outcome(late(29)).await;
    assert_eq!(code, Code::Canceled);
}

#[tokio::test(start_paused = true)]
async fn a_page_of_ten_thousand_rows_is_accepted() {
    let row = v2::Grant {
        id: "x".repeat(1_200),
        ..v2::Grant::default()
    };
    let answer = v2::GrantsServiceListGrantsResponse {
        list: vec![row; 10_000],
        ..v2::GrantsServiceListGrantsResponse::default()
    };
    let (connector, _) = scripted(move |_| Reply::message(&answer));
    let call = Call::alone();
    let page = connector.list_grants(&call, &v2::Resource::default()).await;
    assert_eq!(page.unwrap().items().len(), 10_000);
}

#[tokio::test(start_paused = true)]
async fn compressed_answers_are_read_and_bounded() {
    let compressed = |message: Vec<u8>| {
        answer(|answer| {
            answer
                .headers
                .push(("grpc-encoding".into(), "gzip".to_owned()));
            answer.data = vec![framed(1, &gzip(&message))];
        })
    };
    let reply = compressed(vec![0x12, 2, b'p', b'2']);
    let (connector, _) = scripted(move |_| reply.clone());
    let page = connector.list_resource_types(&Call::alone()).await.unwrap();
    assert_eq!(page.next.as_str(), "p2");
    let bomb = compressed(vec![0; 1_000_000]);
    let mut settings = ClientSettings::new("peer");
    settings.max_message_bytes = 10_000;
    let (connector, _) = scripted_with(settings, move |_| bomb.clone());
    let error = error_of(&connector).await;
    assert_eq!(error.code(), Code::ResourceExhausted);
}

/// A connector whose peer sends `bytes`, and then closes the connection or not.
fn raw(bytes: &'static [u8], closes: bool) -> RemoteConnector {
    let serve = move |mut io: DuplexStream| async move {
        let mut preface = [0; 16];
        io.read_exact(&mut preface).await.unwrap();
        io.write_all(bytes).await.unwrap();
        if !closes {
            std::future::pending::<()>().await;
        }
    };
    let dialled = channel(move || {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        tokio::spawn(serve(theirs));
        std::future::ready(Ok(ours))
    });
    RemoteConnector::new(dialled, ClientSettings::new("peer"))
}

#[tokio::test(start_paused = true)]
async fn peers_that_are_no_http2_servers_are_named() {
    let settings = b"\0\0\0\x04\0\0\0\0\0";
    let garbage: &'static [u8] = [&settings[..], &[0xff; 64]].concat().leak();
    let cases: [(&[u8], bool, Code, &str); 6] = [
        (
            b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n",
            true,
            Code::Internal,
            "it answers with HTTP/1",
        ),
        (
            &[0x15, 3, 3, 0, 2, 2, 70],
            true,
            Code::Internal,
            "it expects TLS",
        ),
        (
            b"220 mail.example ESMTP\r\n",
            false,
            Code::Internal,
            "its first bytes are not those of an HTTP/2 server",
        ),
        (garbage, false, Code::Internal, "does not speak gRPC"),
        (
            b"",
            true,
            Code::Unavailable,
            "it closed the connection without an HTTP/2 greeting",
        ),
        (
            b"",
            false,
            Code::Unavailable,
            "it sent no HTTP/2 greeting within 20 s",
        ),
    ];
    for (bytes, closes, code, what) in cases {
        let error = error_of(&raw(bytes, closes)).await;
        let text = one_line(&error);
        assert!(text.contains(what), "{text}, expected {what}");
        assert_eq!(error.code(), code, "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connector_that_cannot_be_reached_is_named() {
    let dialled = channel(|| {
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        std::future::ready(Err::<DuplexStream, _>(refused))
    });
    let connector = RemoteConnector::new(dialled, ClientSettings::new("127.0.0.1:9000"));
    let error = error_of(&connector).await;
    assert_eq!(
        one_line(&error),
        "the connector at 127.0.0.1:9000 cannot be reached: connection refused"
    );
    assert_eq!(error.code(), Code::Unavailable);
    let slow = channel(std::future::pending::<std::io::Result<DuplexStream>>);
    let connector = RemoteConnector::new(slow, ClientSettings::new("peer"));
    let error = error_of(&connector).await;
    assert_eq!(
        one_line(&error),
        "the connector at peer cannot be reached: timed out"
    );
}

#[tokio::test(start_paused = true)]
async fn the_channel_dials_again_after_the_connection_broke() {
    let calls = std::sync::atomic::AtomicU32::new(0);
    let (connector, _) =
        scripted(
            move |_| match calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
                0 => Reply::Hangup,
                _ => Reply::Answer(Answer::bytes(&[])),
            },
        );
    assert_eq!(error_of(&connector).await.code(), Code::Unavailable);
    let again = connector.list_resource_types(&Call::alone()).await;
    assert!(again.is_ok(), "{again:?}");
}

#[tokio::test(start_paused = true)]
async fn calls_that_wait_for_one_connection_share_its_failure() {
    let slow = channel(std::future::pending::<std::io::Result<DuplexStream>>);
    let connector = RemoteConnector::new(slow, ClientSettings::new("peer"));
    let began = tokio::time::Instant::now();
    let calls = (0..64).map(|_| error_of(&connector));
    let errors = futures_util::future::join_all(calls).await;
    assert_eq!(began.elapsed(), Duration::from_secs(30));
    assert!(errors.iter().all(|error| error.code() == Code::Unavailable));
}

#[tokio::test(start_paused = true)]
async fn thousands_of_calls_share_one_connection() {
    let (connector, log) = scripted(|_| Reply::Answer(Answer::bytes(&[])));
    let call = Call::alone();
    let calls = (0..3_000).map(|_| connector.list_resource_types(&call));
    let answers = futures_util::future::join_all(calls).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(log.lock().unwrap().len(), 3_000);
}
