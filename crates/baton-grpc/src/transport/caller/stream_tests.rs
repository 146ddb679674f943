//! Calls with a stream of messages, against peers that are driven frame by frame.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use baton_proto::c1::connectorapi::baton::v1::baton_service_upload_asset_request::{
    Msg, UploadData,
};
use baton_proto::c1::connectorapi::baton::v1::{
    BatonServiceUploadAssetRequest as Piece, BatonServiceUploadAssetResponse as Uploaded,
};
use futures_util::{StreamExt as _, stream};
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::{Request, Response};
use tokio::sync::oneshot;

use super::tests::{caller, headers};
use super::*;
use crate::client::tests::peer::framed;
use crate::methods::connectorapi_v1::baton_service::UPLOAD_ASSET;

const LIMIT: Duration = Duration::from_mins(10);
const PIECE_BYTES: usize = 512 * 1024;

type Respond = SendResponse<Bytes>;

/// A channel to a peer that gives its only call to `handle`.
fn served_by<F, R>(handle: F) -> Channel
where
    F: Fn(Request<RecvStream>, Respond) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    super::super::channel(move || {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let handle = handle.clone();
        tokio::spawn(async move {
            let mut connection = h2::server::handshake(theirs).await.unwrap();
            while let Some(Ok((request, respond))) = connection.accept().await {
                tokio::spawn(handle(request, respond));
            }
        });
        std::future::ready(Ok(ours))
    })
}

fn piece(number: usize) -> Piece {
    let data = vec![u8::try_from(number % 251).unwrap(); PIECE_BYTES];
    Piece {
        msg: Some(Msg::Data(UploadData { data })),
    }
}

/// So many pieces, and how many of them were taken.
fn pieces(
    count: usize,
) -> (
    impl Stream<Item = Result<Piece, BoxError>>,
    Arc<AtomicUsize>,
) {
    let taken = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&taken);
    let pieces = stream::iter(0..count).map(move |number| {
        counted.fetch_add(1, Ordering::Relaxed);
        Ok(piece(number))
    });
    (pieces, taken)
}

async fn upload(
    channel: Channel,
    messages: impl Stream<Item = Result<Piece, BoxError>>,
) -> Result<Uploaded, CallError> {
    let caller = caller(channel);
    let (headers, messages) = (headers(), pin!(messages));
    let call = caller.client_stream(UPLOAD_ASSET, messages, &headers, LIMIT);
    // More than any limit of a call.
    let outcome = tokio::time::timeout(Duration::from_hours(1), call).await;
    outcome.expect("no hang")
}

fn grpc() -> http::response::Builder {
    Response::builder().header("content-type", "application/grpc")
}

fn status(code: &'static str, text: &'static str) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static(code));
    trailers.insert("grpc-message", HeaderValue::from_static(text));
    trailers
}

/// Ends a call with a status alone.
fn refuse(respond: &mut Respond) -> h2::SendStream<Bytes> {
    let mut response = grpc().body(()).unwrap();
    response
        .headers_mut()
        .extend(status("7", "upload not allowed"));
    respond.send_response(response, true).unwrap()
}

/// Ends a call with success.
fn succeed(respond: &mut Respond) {
    let response = grpc().body(()).unwrap();
    let mut stream = respond.send_response(response, false).unwrap();
    stream.send_data(framed(0, &[]).into(), false).unwrap();
    stream.send_trailers(status("0", "")).unwrap();
}

async fn release(body: &mut RecvStream, data: &Bytes) {
    body.flow_control().release_capacity(data.len()).unwrap();
    tokio::task::yield_now().await;
}

#[tokio::test(start_paused = true)]
async fn all_messages_arrive_in_order_without_being_held_in_memory() {
    const COUNT: usize = 400;
    let (messages, taken) = pieces(COUNT);
    let seen = Arc::clone(&taken);
    let channel = served_by(move |request: Request<RecvStream>, mut respond| {
        let taken = Arc::clone(&seen);
        async move {
            let (head, mut body) = request.into_parts();
            assert_eq!(
                head.uri.to_string(),
                "https://service.example:443/c1.connectorapi.baton.v1.BatonService/UploadAsset"
            );
            assert_eq!(head.headers["grpc-timeout"], "600000m");
            assert!(!head.headers.contains_key("content-length"));
            let message = |number| framed(0, &piece(number).encode_to_vec());
            let (mut expected, mut number, mut at) = (message(0), 0, 0);
            while let Some(data) = body.data().await {
                let data = data.unwrap();
                for byte in &data {
                    if at == expected.len() {
                        number += 1;
                        (expected, at) = (message(number), 0);
                    }
                    assert_eq!(*byte, expected[at]);
                    at += 1;
                }
                release(&mut body, &data).await;
                let ahead = taken.load(Ordering::Relaxed) - number;
                assert!(ahead <= 5, "{ahead} messages are ahead of the peer");
            }
            assert_eq!((number, at), (COUNT - 1, expected.len()));
            succeed(&mut respond);
        }
    });
    upload(channel, messages).await.unwrap();
    assert_eq!(taken.load(Ordering::Relaxed), COUNT);
}

#[tokio::test(start_paused = true)]
async fn a_stream_without_messages_ends_the_request() {
    let channel = served_by(|request: Request<RecvStream>, mut respond| async move {
        let mut body = request.into_body();
        while let Some(data) = body.data().await {
            assert!(data.unwrap().is_empty());
        }
        succeed(&mut respond);
    });
    upload(channel, stream::empty()).await.unwrap();
}

/// What a peer does after its status.
#[derive(Clone, Copy, PartialEq)]
enum Then {
    /// As Go servers do.
    Resets,
    /// Nothing, and it reads nothing.
    Stalls,
    Closes,
}

#[tokio::test(start_paused = true)]
async fn a_status_before_the_end_of_the_stream_counts() {
    for then in [Then::Resets, Then::Stalls, Then::Closes] {
        let (messages, taken) = pieces(400);
        let channel = served_by(
            move |request: Request<RecvStream>, mut respond| async move {
                let mut body = request.into_body();
                body.data().await.unwrap().unwrap();
                let mut stream = refuse(&mut respond);
                match then {
                    Then::Resets => {
                        // A reset removes frames that are still to be sent.
                        tokio::time::sleep(Duration::from_millis(5)).await;
                        stream.send_reset(Reason::NO_ERROR);
                    }
                    Then::Stalls => std::future::pending().await,
                    Then::Closes => {}
                }
            },
        );
        let error = upload(channel, messages).await.unwrap_err();
        assert_eq!(error.kind, CallErrorKind::Answered);
        assert_eq!(error.code(), Code::PermissionDenied);
        assert_eq!(error.to_string(), "upload not allowed");
        assert!(taken.load(Ordering::Relaxed) < 10);
    }
}

#[tokio::test(start_paused = true)]
async fn a_success_before_the_end_of_the_stream_counts() {
    for resets in [false, true] {
        let channel = served_by(move |_, mut respond| async move {
            succeed(&mut respond);
            if resets {
                tokio::time::sleep(Duration::from_millis(5)).await;
                respond.send_reset(Reason::NO_ERROR);
            }
        });
        let endless = stream::repeat_with(|| Ok(piece(1)));
        upload(channel, endless).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn an_early_http_error_counts() {
    let channel = served_by(|_, mut respond| async move {
        let response = Response::builder().status(413).body(()).unwrap();
        respond.send_response(response, true).unwrap();
    });
    let error = upload(channel, pieces(400).0).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the service answered HTTP status 413 with no content type, not gRPC"
    );
    assert_eq!(error.kind, CallErrorKind::Answered);
}

#[tokio::test(start_paused = true)]
async fn a_reset_or_a_closed_connection_breaks_the_call() {
    let reset = |reason| {
        served_by(
            move |request: Request<RecvStream>, mut respond| async move {
                let mut body = request.into_body();
                body.data().await.unwrap().unwrap();
                respond.send_reset(reason);
            },
        )
    };
    let cases = [
        (
            Reason::INTERNAL_ERROR,
            CallErrorKind::Broken,
            Code::Internal,
        ),
        (
            Reason::REFUSED_STREAM,
            CallErrorKind::NotSent,
            Code::Unavailable,
        ),
    ];
    for (reason, kind, code) in cases {
        let error = upload(reset(reason), pieces(400).0).await.unwrap_err();
        assert_eq!((error.kind, error.code()), (kind, code), "{error}");
    }
    let hangup = super::super::channel(|| {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        tokio::spawn(async move {
            let handshake = h2::server::Builder::new().handshake::<_, Bytes>(theirs);
            let mut connection = handshake.await.unwrap();
            let _call = connection.accept().await.unwrap().unwrap();
        });
        std::future::ready(Ok(ours))
    });
    let error = upload(hangup, pieces(400).0).await.unwrap_err();
    assert_eq!(error.kind, CallErrorKind::Broken, "{error}");
    assert_eq!(error.code(), Code::Unavailable);
}

/// A peer that reads, and reports how the request ended.
fn reader() -> (Channel, oneshot::Receiver<Option<Reason>>) {
    let (report, ended) = oneshot::channel();
    let report = Arc::new(std::sync::Mutex::new(Some(report)));
    let channel = served_by(move |request: Request<RecvStream>, respond| {
        let report = report.lock().unwrap().take().unwrap();
        async move {
            let mut body = request.into_body();
            let end = loop {
                match body.data().await {
                    Some(Ok(data)) => release(&mut body, &data).await,
                    Some(Err(error)) => break error.reason(),
                    None => break None,
                }
            };
            report.send(end).unwrap();
            drop(respond);
        }
    });
    (channel, ended)
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_stream_cancels_the_call() {
    let (channel, ended) = reader();
    let fails = || Err(std::io::Error::other("the disk is gone").into());
    let failure = stream::once(async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        fails()
    });
    let messages = stream::iter([Ok(piece(0))]).chain(failure);
    let error = upload(channel.clone(), messages).await.unwrap_err();
    assert_eq!(error.kind, CallErrorKind::Local);
    let text = "cannot make a message for the service: the disk is gone";
    assert_eq!(baton_proto::causes::one_line(&error), text);
    // Not the end of the stream: the peer must not take it for whole.
    assert_eq!(ended.await.unwrap(), Some(Reason::CANCEL));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_or_takes_too_long_is_canceled() {
    for drops in [false, true] {
        let (channel, ended) = reader();
        let messages = stream::iter([Ok(piece(0))]).chain(stream::pending());
        let mut messages = Box::pin(messages);
        if drops {
            let call = upload(channel.clone(), messages.as_mut());
            let limit = Duration::from_secs(5);
            tokio::time::timeout(limit, call).await.unwrap_err();
        } else {
            let error = upload(channel, messages).await.unwrap_err();
            assert_eq!(error.kind, CallErrorKind::TimedOut);
            assert_eq!(
                error.to_string(),
                "the service did not answer within 10 min"
            );
        }
        assert_eq!(ended.await.unwrap(), Some(Reason::CANCEL));
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_reads_nothing_costs_a_few_messages() {
    let (messages, taken) = pieces(400);
    let channel = served_by(|request, respond| async move {
        let _held = (request, respond);
        std::future::pending::<()>().await;
    });
    let error = upload(channel, messages).await.unwrap_err();
    assert_eq!(error.kind, CallErrorKind::TimedOut);
    assert!(taken.load(Ordering::Relaxed) <= 5);
}
