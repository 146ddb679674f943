//! Methods whose caller sends many messages.

use std::io::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use baton_grpc::methods::connectorapi_v1::baton_service::UPLOAD_ASSET;
use baton_grpc::{MAX_MESSAGE_BYTES, Router, Server, Status};
use baton_proto::Code;
use baton_proto::c1::connectorapi::baton::v1::baton_service_upload_asset_request::{
    Msg, UploadData, UploadEof, UploadMetadata,
};
use baton_proto::c1::connectorapi::baton::v1::{
    BatonServiceUploadAssetRequest, BatonServiceUploadAssetResponse,
};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::StreamExt as _;
use prost::Message as _;
use tokio::time::{Instant, sleep};

use crate::raw::{Answer, Connection, framed, request};

/// What the handler received: messages, and how the stream ended.
type Received = Arc<Mutex<Vec<Result<Msg, Status>>>>;

/// Set when the handler was dropped or returned.
struct Dropped(Arc<Mutex<bool>>);

impl Drop for Dropped {
    fn drop(&mut self) {
        *self.0.lock().unwrap() = true;
    }
}

/// A server that records what is uploaded, and fails as the stream fails.
fn recording() -> (Server, Received, Arc<Mutex<bool>>) {
    let received = Received::default();
    let dropped = Arc::new(Mutex::new(false));
    let mut router = Router::new();
    let (seen, gone) = (Arc::clone(&received), Arc::clone(&dropped));
    router.client_stream(UPLOAD_ASSET, move |mut messages, _| {
        let (seen, gone) = (Arc::clone(&seen), Dropped(Arc::clone(&gone)));
        async move {
            let _gone = gone;
            while let Some(message) = messages.next().await {
                let message = message.map(|message| message.msg.unwrap());
                let failed = message.clone().err();
                seen.lock().unwrap().push(message);
                if let Some(status) = failed {
                    assert!(messages.next().await.is_none(), "nothing follows an error");
                    return Err(status);
                }
            }
            Ok(BatonServiceUploadAssetResponse::default())
        }
    });
    (Server::new(router), received, dropped)
}

fn metadata() -> Msg {
    Msg::Metadata(UploadMetadata {
        host_id: "host".to_owned(),
        task_id: "T".repeat(27),
        annotations: Vec::new(),
    })
}

fn data(bytes: usize) -> Msg {
    Msg::Data(UploadData {
        data: vec![7; bytes],
    })
}

fn end(checksum: usize) -> Msg {
    Msg::Eof(UploadEof {
        sha256_checksum: vec![1; checksum],
        annotations: Vec::new(),
    })
}

fn encoded(message: &Msg) -> Vec<u8> {
    let msg = Some(message.clone());
    BatonServiceUploadAssetRequest { msg }.encode_to_vec()
}

async fn upload(messages: &[Msg]) -> (Answer, Vec<Result<Msg, Status>>) {
    let (server, received, _) = recording();
    let body: Vec<u8> = messages
        .iter()
        .flat_map(|message| framed(&encoded(message)))
        .collect();
    let mut connection = Connection::to(&server).await;
    let answer = connection.send(request(UPLOAD_ASSET.path(), body)).await;
    let received = received.lock().unwrap().clone();
    (answer, received)
}

#[tokio::test(start_paused = true)]
async fn all_messages_arrive_in_order_and_get_one_answer() {
    let sent = [metadata(), data(524_288), data(1), end(32)];
    let (answer, received) = upload(&sent).await;
    assert_eq!(answer.code(), 0);
    assert_eq!(&answer.body[..], [0; 5], "one empty message");
    assert_eq!(received, sent.map(Ok));
}

#[tokio::test(start_paused = true)]
async fn a_stream_without_messages_is_answered_by_the_handler() {
    let (answer, received) = upload(&[]).await;
    assert_eq!((answer.code(), received.len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn each_message_is_checked_by_the_rules_when_it_comes() {
    let sent = [metadata(), data(1), end(31), data(1)];
    let (answer, received) = upload(&sent).await;
    let text = "invalid BatonServiceUploadAssetRequest.Eof: embedded message failed validation \
                | caused by: invalid BatonServiceUploadAssetRequest_UploadEOF.Sha256Checksum: \
                value length must be 32 bytes";
    assert_eq!((answer.code(), answer.message().as_str()), (3, text));
    assert_eq!(received.len(), 3);
    assert_eq!(received[1], Ok(data(1)), "the messages before it arrived");
    assert!(received[2].is_err());
}

#[tokio::test(start_paused = true)]
async fn messages_over_the_limit_and_cut_bodies_end_the_stream() {
    let (server, received, _) = recording();
    let mut connection = Connection::to(&server).await;
    let large = u32::try_from(MAX_MESSAGE_BYTES + 1).unwrap();
    let mut body = framed(&encoded(&metadata()));
    body.push(0);
    body.extend_from_slice(&large.to_be_bytes());
    let answer = connection.send(request(UPLOAD_ASSET.path(), body)).await;
    let text = "grpc: received message larger than max (4194305 vs. 4194304)";
    assert_eq!((answer.code(), answer.message().as_str()), (8, text));
    assert_eq!(received.lock().unwrap().len(), 2);

    let mut body = framed(&encoded(&metadata()));
    body.pop();
    let answer = connection.send(request(UPLOAD_ASSET.path(), body)).await;
    assert_eq!(
        (answer.code(), answer.message().as_str()),
        (2, "unexpected EOF")
    );
}

#[tokio::test(start_paused = true)]
async fn compressed_messages_are_decompressed() {
    let (server, received, _) = recording();
    let mut connection = Connection::to(&server).await;
    let mut body = Vec::new();
    for message in [metadata(), data(100_000)] {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&encoded(&message)).unwrap();
        let mut frame = framed(&encoder.finish().unwrap());
        frame[0] = 1;
        body.extend(frame);
    }
    let mut call = request(UPLOAD_ASSET.path(), body);
    let headers = call.headers_mut();
    headers.insert("grpc-encoding", "gzip".parse().unwrap());
    assert_eq!(connection.send(call).await.code(), 0);
    let expected = [Ok(metadata()), Ok(data(100_000))];
    assert_eq!(*received.lock().unwrap(), expected);

    let mut call = request(UPLOAD_ASSET.path(), Bytes::new());
    let headers = call.headers_mut();
    headers.insert("grpc-encoding", "br".parse().unwrap());
    assert_eq!(connection.send(call).await.code(), 12);
}

/// A request whose body has one message and no end.
mod endless {
    use http::Request;
    use http_body_util::StreamBody;
    use hyper::body::Frame;
    use hyper::client::conn::http2;
    use hyper_util::rt::{TokioExecutor, TokioIo};

    use super::*;

    type Body = StreamBody<
        std::pin::Pin<
            Box<dyn futures_util::Stream<Item = Result<Frame<Bytes>, std::io::Error>> + Send>,
        >,
    >;

    pub(super) fn call(timeout: Option<&str>) -> Request<Body> {
        let first = Bytes::from(framed(&encoded(&metadata())));
        let frames = futures_util::stream::iter([Ok(Frame::data(first))])
            .chain(futures_util::stream::pending());
        let mut request = Request::post(format!("https://127.0.0.1{}", UPLOAD_ASSET.path()))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        if let Some(timeout) = timeout {
            request = request.header("grpc-timeout", timeout);
        }
        request
            .body(StreamBody::new(Box::pin(frames) as _))
            .unwrap()
    }

    pub(super) async fn connection(server: &Server) -> http2::SendRequest<Body> {
        let (near, far) = tokio::io::duplex(1 << 16);
        let server = server.clone();
        tokio::spawn(async move { server.serve(far).await });
        let builder = http2::Builder::new(TokioExecutor::new());
        let (sender, connection) = builder.handshake(TokioIo::new(near)).await.unwrap();
        tokio::spawn(connection);
        sender
    }
}

#[tokio::test(start_paused = true)]
async fn the_deadline_ends_a_stream_that_does_not_end() {
    let (server, received, dropped) = recording();
    let mut sender = endless::connection(&server).await;
    let began = Instant::now();
    let response = sender
        .send_request(endless::call(Some("5S")))
        .await
        .unwrap();
    assert_eq!(response.headers()["grpc-status"], "4");
    assert_eq!(began.elapsed().as_secs(), 5);
    assert_eq!(*received.lock().unwrap(), [Ok(metadata())]);
    assert!(*dropped.lock().unwrap());
}

#[tokio::test(start_paused = true)]
async fn the_handler_is_dropped_when_its_caller_is_gone() {
    let (server, received, dropped) = recording();
    let mut sender = endless::connection(&server).await;
    let call = tokio::spawn(async move { sender.send_request(endless::call(None)).await });
    sleep(Duration::from_secs(1)).await;
    assert_eq!(*received.lock().unwrap(), [Ok(metadata())]);
    assert!(!*dropped.lock().unwrap());
    call.abort();
    sleep(Duration::from_secs(1)).await;
    assert!(*dropped.lock().unwrap());
    let ended = received.lock().unwrap().last().cloned();
    assert!(
        ended.is_none_or(|last| last.is_ok() || last.is_err_and(|s| s.code == Code::Canceled)),
        "no other error"
    );
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_a_stream() {
    let (server, _, dropped) = recording();
    let mut sender = endless::connection(&server).await;
    let stop = async {
        sleep(Duration::from_secs(1)).await;
        server.stop(Duration::from_secs(25)).await;
    };
    let (response, ()) = tokio::join!(sender.send_request(endless::call(None)), stop);
    assert_eq!(response.unwrap().headers()["grpc-status"], "14");
    assert!(*dropped.lock().unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_connection_of_another_http_server_can_answer_through_the_server() {
    use hyper::server::conn::http2;
    use hyper::service::service_fn;
    use hyper_util::rt::{TokioExecutor, TokioIo};

    let (server, received, _) = recording();
    let (near, far) = tokio::io::duplex(1 << 16);
    tokio::spawn(async move {
        let service = service_fn(move |request| {
            let server = server.clone();
            async move { Ok::<_, std::convert::Infallible>(server.answer(request).await) }
        });
        let builder = http2::Builder::new(TokioExecutor::new());
        builder.serve_connection(TokioIo::new(far), service).await
    });
    let mut connection = Connection::over(near).await.unwrap();
    let call = request(UPLOAD_ASSET.path(), framed(&encoded(&metadata())));
    assert_eq!(connection.send(call).await.code(), 0);
    assert_eq!(*received.lock().unwrap(), [Ok(metadata())]);
}
