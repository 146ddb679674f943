//! What a server does with many calls, callers that leave, and when it stops.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use baton_grpc::methods::connector_v2::{connector_service, grant_manager_service};
use baton_grpc::{Router, Server};
use baton_proto::c1::connector::v2;
use prost::Message as _;
use tokio::time::{Instant, sleep};

use crate::every_service;
use crate::raw::{Connection, framed, request};
use crate::replay::services;

/// A valid request for a grant.
fn grant() -> Vec<u8> {
    let resource = |kind: &str| v2::Resource {
        id: Some(v2::ResourceId {
            resource_type: kind.to_owned(),
            resource: "1".to_owned(),
            ..v2::ResourceId::default()
        }),
        ..v2::Resource::default()
    };
    let entitlement = v2::Entitlement {
        id: "role:1:assigned".to_owned(),
        resource: Some(resource("role")),
        slug: "assigned".to_owned(),
        ..v2::Entitlement::default()
    };
    let request = v2::GrantManagerServiceGrantRequest {
        entitlement: Some(entitlement),
        principal: Some(resource("user")),
        annotations: Vec::new(),
    };
    framed(&request.encode_to_vec())
}

#[derive(Default)]
struct Counts {
    begun: AtomicUsize,
    ended: AtomicUsize,
}

impl Counts {
    fn get(&self) -> (usize, usize) {
        let load = |count: &AtomicUsize| count.load(Ordering::Relaxed);
        (load(&self.begun), load(&self.ended))
    }
}

/// A server whose reads and writes take ten seconds.
fn slow() -> (Server, Arc<Counts>, Arc<Counts>) {
    let (reads, writes) = (Arc::new(Counts::default()), Arc::new(Counts::default()));
    let mut router = Router::new();
    let counts = Arc::clone(&reads);
    router.read(connector_service::VALIDATE, move |_, _| {
        let counts = Arc::clone(&counts);
        async move {
            counts.begun.fetch_add(1, Ordering::Relaxed);
            sleep(Duration::from_secs(10)).await;
            counts.ended.fetch_add(1, Ordering::Relaxed);
            Ok(v2::ConnectorServiceValidateResponse::default())
        }
    });
    let counts = Arc::clone(&writes);
    router.write(grant_manager_service::GRANT, move |_, _| {
        let counts = Arc::clone(&counts);
        async move {
            counts.begun.fetch_add(1, Ordering::Relaxed);
            sleep(Duration::from_secs(10)).await;
            counts.ended.fetch_add(1, Ordering::Relaxed);
            Ok(v2::GrantManagerServiceGrantResponse::default())
        }
    });
    (Server::new(router), reads, writes)
}

#[tokio::test(start_paused = true)]
async fn a_stop_cancels_reads_at_once_and_waits_for_writes() {
    let (server, reads, writes) = slow();
    let mut reading = Connection::to(&server).await;
    let mut writing = Connection::to(&server).await;
    let validate = request(connector_service::VALIDATE.path(), framed(&[]));
    let write = request(grant_manager_service::GRANT.path(), grant());
    let began = Instant::now();
    let stop = async {
        sleep(Duration::from_secs(1)).await;
        server.stop(Duration::from_secs(25)).await;
        began.elapsed()
    };
    let (read, written, stopped) = tokio::join!(reading.send(validate), writing.send(write), stop);
    assert_eq!(
        (read.code(), read.message().as_str()),
        (14, "the connector is stopping")
    );
    assert_eq!(written.code(), 0);
    assert_eq!((reads.get(), writes.get()), ((1, 0), (1, 1)));
    assert_eq!(stopped.as_secs(), 10, "as long as the write takes");
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_longer_than_its_limit() {
    let (server, _, writes) = slow();
    let mut writing = Connection::to(&server).await;
    let began = Instant::now();
    let write = request(grant_manager_service::GRANT.path(), grant());
    tokio::spawn(async move { writing.send(write).await });
    sleep(Duration::from_secs(1)).await;
    server.stop(Duration::from_secs(2)).await;
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(writes.get(), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_write_whose_caller_is_gone_ends_and_a_read_is_dropped() {
    let (server, reads, writes) = slow();
    for (path, body) in [
        (connector_service::VALIDATE.path(), framed(&[])),
        (grant_manager_service::GRANT.path(), grant()),
    ] {
        let mut connection = Connection::to(&server).await;
        let call = tokio::spawn(async move { connection.send(request(path, body)).await });
        sleep(Duration::from_secs(1)).await;
        call.abort();
    }
    sleep(Duration::from_secs(30)).await;
    assert_eq!((reads.get(), writes.get()), ((1, 0), (1, 1)));
}

#[tokio::test(start_paused = true)]
async fn no_new_calls_after_a_stop() {
    let (server, _, _) = slow();
    let stopped = server.clone();
    let mut connection = Connection::to(&server).await;
    stopped.stop(Duration::ZERO).await;
    let call = request(connector_service::VALIDATE.path(), framed(&[]));
    assert!(
        connection.try_send(call).await.is_err(),
        "its connection is closed"
    );
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_calls_at_once_are_all_answered() {
    let router = services(every_service::connector(""), false, false);
    let connection = Connection::of(router).await;
    let calls = (0..10_000).map(|_| {
        let mut connection = connection.clone();
        let call = request(connector_service::VALIDATE.path(), framed(&[]));
        async move { connection.send(call).await.code() }
    });
    let codes = futures_util::future::join_all(calls).await;
    assert!(codes.iter().all(|code| *code == 0));
}

#[tokio::test(start_paused = true)]
async fn each_cut_of_a_request_is_answered() {
    let mut connection = Connection::of(services(every_service::connector(""), true, true)).await;
    let whole = grant();
    for end in 0..whole.len() {
        let path = grant_manager_service::GRANT.path();
        // Cut in the frame.
        let cut = connection.send(request(path, whole[..end].to_vec())).await;
        assert_eq!(cut.code(), 2, "{end}");
        // Cut in the message, in a whole frame.
        if end >= 5 {
            let cut = connection.send(request(path, framed(&whole[5..end]))).await;
            assert!(
                [3, 12, 13].contains(&cut.code()),
                "{end}: {}",
                cut.message()
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_answer_pings_is_left() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let router = services(every_service::connector(""), false, false);
    let server = Server::with_pings(router, Some(Duration::from_secs(30)));
    let (mut near, far) = tokio::io::duplex(1 << 16);
    tokio::spawn(async move { server.serve(far).await });
    // The preface of HTTP/2 and empty SETTINGS, and then silence.
    near.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .await
        .unwrap();
    near.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.unwrap();
    let began = Instant::now();
    let mut sent = Vec::new();
    near.read_to_end(&mut sent).await.unwrap();
    let waited = began.elapsed().as_secs();
    assert!((30..=65).contains(&waited), "{waited} s");
}

#[tokio::test(start_paused = true)]
async fn headers_of_hundreds_of_kilobytes_are_accepted() {
    let mut connection = Connection::of(services(every_service::connector(""), false, false)).await;
    let mut call = request(connector_service::VALIDATE.path(), framed(&[]));
    for number in 0..40 {
        let name = http::HeaderName::try_from(format!("x-trace-{number}")).unwrap();
        call.headers_mut()
            .insert(name, "x".repeat(8_000).parse().unwrap());
    }
    assert_eq!(connection.send(call).await.code(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_a_read_began_for_a_whole_sync_outlives_its_call() {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let sender = std::sync::Mutex::new(Some(sender));
    let mut router = Router::new();
    router.read(connector_service::VALIDATE, move |_, context| {
        let sender = sender.lock().unwrap().take().unwrap();
        sender.send(context.stop).unwrap();
        async { Ok(v2::ConnectorServiceValidateResponse::default()) }
    });
    let server = Server::new(router);
    let mut connection = Connection::to(&server).await;
    let validate = request(connector_service::VALIDATE.path(), framed(&[]));
    assert_eq!(connection.send(validate).await.code(), 0);
    let stop = receiver.await.unwrap();
    sleep(Duration::from_secs(1)).await;
    assert!(!stop.is_cancelled());
    server.stop(Duration::ZERO).await;
    assert!(stop.is_cancelled());
}
