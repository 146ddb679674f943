//! Clients that do harm.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use baton_ops::Limits;
use tokio::io::AsyncWriteExt;

use crate::stage::{Checks, Stage, read_to_end, status_of};

#[tokio::test]
async fn what_is_not_http_is_refused_and_the_server_survives() {
    let stage = Stage::new(Checks::Succeed).await;
    let garbage: [&[u8]; 4] = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS hello\r\n\r\n",
        b"hello\r\n\r\n",
        b"GET /live HTTP/9.9\r\n\r\n",
        &[0xff; 4096],
    ];
    for bytes in garbage {
        let answer = stage.send(bytes).await;
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 400"),
            "{answer}"
        );
    }
    let large = format!("GET /live HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(100_000));
    let answer = stage.send_as_far_as_it_reads(large.as_bytes()).await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 431"),
        "{answer}"
    );
    assert_eq!(stage.ask("GET", "/live").await.0, "HTTP/1.1 200 OK");
}

#[tokio::test]
async fn a_client_that_closes_its_side_after_the_request_gets_the_answer() {
    let stage = Stage::new(Checks::Succeed).await;
    let mut stream = stage.connect().await;
    stream
        .write_all(b"GET /live HTTP/1.0\r\n\r\n")
        .await
        .unwrap();
    stream.shutdown().await.unwrap();
    let answer = read_to_end(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.0 200 OK"), "{answer}");
}

#[tokio::test]
async fn a_large_body_is_not_read() {
    let stage = Stage::new(Checks::Succeed).await;
    let mut stream = stage.connect().await;
    let head = "POST /live HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000000\r\n\r\nxxx";
    stream.write_all(head.as_bytes()).await.unwrap();
    let answer = read_to_end(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
}

#[tokio::test]
async fn slow_heads_and_idle_connections_are_closed() {
    let limits = Limits {
        head: Duration::from_millis(300),
        ..Limits::default()
    };
    let stage = Stage::with(Checks::Succeed, limits).await;
    for begin in ["", "GET /live HT", "GET /live HTTP/1.1\r\nHost: x\r\n"] {
        let mut stream = stage.connect().await;
        stream.write_all(begin.as_bytes()).await.unwrap();
        let began = Instant::now();
        let answer = read_to_end(&mut stream).await;
        let took = began.elapsed();
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 408"),
            "{answer}"
        );
        assert!(took >= Duration::from_millis(200), "{begin:?}: {took:?}");
        assert!(took < Duration::from_secs(5), "{begin:?}: {took:?}");
    }
    // Between two requests as well.
    let mut stream = stage.connect().await;
    stream
        .write_all(b"GET /live HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    let answer = read_to_end(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
}

#[tokio::test]
async fn a_connection_that_never_pauses_ends_at_its_age() {
    let limits = Limits {
        age: Duration::from_millis(300),
        ..Limits::default()
    };
    let stage = Stage::with(Checks::Succeed, limits).await;
    let mut stream = stage.connect().await;
    let began = Instant::now();
    let request = b"GET /live HTTP/1.1\r\nHost: x\r\n\r\n";
    while stream.write_all(request).await.is_ok() {
        assert!(began.elapsed() < Duration::from_secs(5), "it is still open");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(began.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn clients_that_hold_all_places_delay_others_but_do_not_keep_them_out() {
    let limits = Limits {
        connections: 8,
        head: Duration::from_millis(500),
        ..Limits::default()
    };
    let stage = Stage::with(Checks::Succeed, limits).await;
    let mut held = Vec::new();
    for _ in 0..8 {
        held.push(stage.connect().await);
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    let began = Instant::now();
    let status = status_of(stage.address.port(), "/live").await.unwrap();
    assert_eq!(status, 200);
    assert!(began.elapsed() >= Duration::from_millis(200));
    drop(held);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_probes_at_once_are_answered_with_one_check() {
    let stage = Stage::new(Checks::Succeed).await;
    let port = stage.address.port();
    let mut probes = tokio::task::JoinSet::new();
    for at in 0..2_000 {
        let path = ["/live", "/ready", "/health"][at % 3];
        probes.spawn(async move {
            let status = status_of(port, path).await.unwrap();
            (path, status.as_u16())
        });
    }
    while let Some(answer) = probes.join_next().await {
        let expected = match answer.unwrap() {
            ("/ready", status) => (503, status),
            (_, status) => (200, status),
        };
        assert_eq!(expected.0, expected.1);
    }
    assert_eq!(stage.checks.load(Ordering::Relaxed), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_of_a_check_that_hangs_leave_places_for_other_probes() {
    let stage = Stage::new(Checks::Hang).await;
    let port = stage.address.port();
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..500 {
        waiting.spawn(async move { status_of(port, "/health").await });
    }
    // All but the callers that may wait are answered.
    for _ in 0..500 - 64 {
        let status = waiting.join_next().await.unwrap().unwrap().unwrap();
        assert_eq!(status, 503);
    }
    assert_eq!(status_of(port, "/live").await.unwrap(), 200);
    assert_eq!(stage.checks.load(Ordering::Relaxed), 1);
}
