//! Every path in every state, as recorded of the Go programs.

use std::sync::atomic::Ordering;
use std::time::Duration;

use baton_ops::{Limits, ProbeError, Server, get};
use baton_proto::Code;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::stage::{Checks, Stage, read_to_end, status_of};

const TIME: &str = r#""timestamp":"2026-01-02T03:04:05Z""#;

#[tokio::test]
async fn good_states_are_200_with_json_and_a_line_break() {
    let stage = Stage::new(Checks::Succeed).await;
    stage.ready.store(true, Ordering::Relaxed);
    for (path, word) in [
        ("/health", "healthy"),
        ("/ready", "ready"),
        ("/live", "alive"),
        ("/live?x=1", "alive"),
    ] {
        let (status, headers, body) = stage.ask("GET", path).await;
        assert_eq!(status, "HTTP/1.1 200 OK", "{path}");
        assert_eq!(body, format!("{{\"status\":\"{word}\",{TIME}}}\n"));
        let length = format!("content-length: {}", body.len());
        let expected = [
            "content-type: application/json",
            &length,
            "connection: close",
        ];
        assert_eq!(headers, expected);
    }
}

#[tokio::test]
async fn bad_states_are_503_with_their_reason() {
    let stage = Stage::new(Checks::FailWith("refused \"it\"".to_owned())).await;
    let (status, _, body) = stage.ask("GET", "/ready").await;
    assert_eq!(status, "HTTP/1.1 503 Service Unavailable");
    let reason = r#""details":{"error":"the service has not accepted this program"}"#;
    assert_eq!(
        body,
        format!("{{\"status\":\"not_ready\",{TIME},{reason}}}\n")
    );
    let (status, _, body) = stage.ask("GET", "/health").await;
    assert_eq!(status, "HTTP/1.1 503 Service Unavailable");
    let reason =
        r#""details":{"error":"connector validation failed","validation_error":"refused \"it\""}"#;
    assert_eq!(
        body,
        format!("{{\"status\":\"unhealthy\",{TIME},{reason}}}\n")
    );
    let (status, _, _) = stage.ask("GET", "/live").await;
    assert_eq!(status, "HTTP/1.1 200 OK");
}

#[tokio::test]
async fn any_method_is_accepted_and_head_has_no_body() {
    let stage = Stage::new(Checks::Succeed).await;
    for method in ["GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "ODD"] {
        let (status, _, body) = stage.ask(method, "/health").await;
        assert_eq!(status, "HTTP/1.1 200 OK", "{method}");
        assert!(body.contains("healthy"), "{method}: {body}");
    }
    let (status, headers, body) = stage.ask("HEAD", "/health").await;
    assert_eq!((status.as_str(), body.as_str()), ("HTTP/1.1 200 OK", ""));
    assert!(
        headers.contains(&"content-length: 56".to_owned()),
        "{headers:?}"
    );
    // One check for all of them.
    assert_eq!(stage.checks.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn other_paths_are_404_as_in_go() {
    let stage = Stage::new(Checks::Succeed).await;
    for path in ["/", "/health/", "/Health", "/metrics", "//live", "/live/x"] {
        let (status, headers, body) = stage.ask("GET", path).await;
        assert_eq!(status, "HTTP/1.1 404 Not Found", "{path}");
        assert_eq!(body, "404 page not found\n");
        let expected = [
            "content-type: text/plain; charset=utf-8",
            "content-length: 19",
            "x-content-type-options: nosniff",
            "connection: close",
        ];
        assert_eq!(headers, expected);
    }
}

#[tokio::test]
async fn a_page_of_the_caller_has_its_content_type_and_its_panic_is_500() {
    let stage = Stage::new(Checks::Succeed).await;
    let (status, headers, body) = stage.ask("GET", "/more").await;
    assert_eq!(
        (status.as_str(), body.as_str()),
        ("HTTP/1.1 200 OK", "more\n")
    );
    assert!(headers.contains(&"content-type: text/x-more; v=1".to_owned()));
    let (status, _, body) = stage.ask("GET", "/panic").await;
    assert_eq!(status, "HTTP/1.1 500 Internal Server Error");
    assert_eq!(body, "internal error\n");
    // The server has survived it.
    assert_eq!(stage.ask("GET", "/live").await.0, "HTTP/1.1 200 OK");
}

#[tokio::test]
async fn a_panic_in_the_check_is_an_answer() {
    let stage = Stage::new(Checks::Panic).await;
    for _ in 0..2 {
        let (status, _, body) = stage.ask("GET", "/health").await;
        assert_eq!(status, "HTTP/1.1 503 Service Unavailable");
        assert!(
            body.contains(r#""validation_error":"internal error""#),
            "{body}"
        );
    }
}

#[tokio::test]
async fn a_connection_serves_several_requests_and_stays_open_for_some_time() {
    let stage = Stage::new(Checks::Succeed).await;
    let mut stream = stage.connect().await;
    for _ in 0..3 {
        let request = "GET /live HTTP/1.1\r\nHost: x\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = [0; 1024];
        let length = stream.read(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    }
}

#[tokio::test]
async fn the_client_gets_the_status_or_what_is_wrong() {
    let stage = Stage::new(Checks::FailWith("refused \"it\"".to_owned())).await;
    let port = stage.address.port();
    assert_eq!(status_of(port, "/live").await.unwrap(), 200);
    assert_eq!(status_of(port, "/health").await.unwrap(), 503);
    assert_eq!(status_of(port, "/nope").await.unwrap(), 404);
    stage.end().await;
    let error = status_of(port, "/live").await.unwrap_err();
    assert_eq!(error.code(), Code::Unavailable);
    assert_eq!(
        error.to_string(),
        format!("cannot connect to 127.0.0.1:{port}")
    );
}

/// A server that answers each connection with these bytes.
async fn odd_server(answer: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    port
}

#[tokio::test]
async fn the_client_recognizes_answers_that_are_no_http() {
    let port = odd_server("SSH-2.0-OpenSSH_9.6\r\n").await;
    let error = status_of(port, "/live").await.unwrap_err();
    assert!(matches!(error, ProbeError::NotHttp { .. }), "{error:?}");
    assert_eq!(error.code(), Code::Unknown);
    let port = odd_server("").await;
    let error = status_of(port, "/live").await.unwrap_err();
    assert!(matches!(error, ProbeError::Broken { .. }), "{error:?}");
    assert_eq!(error.code(), Code::Unavailable);
    let port = odd_server("HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 9\r\n\r\n").await;
    assert_eq!(status_of(port, "/live").await.unwrap(), 302);
}

#[tokio::test]
async fn a_page_can_depend_on_what_the_client_accepts() {
    let stage = Stage::new(Checks::Succeed).await;
    let ask = async |headers: &str| {
        let head = format!("GET /chosen HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n");
        stage.send(head.as_bytes()).await
    };
    let both = ask("Accept: a/b;q=1\r\nAccept: c/d\r\n").await;
    assert!(both.contains("content-type: c/d\r\n"), "{both}");
    assert!(both.ends_with("both\n"), "{both}");
    let none = ask("").await;
    assert!(none.ends_with("\"\"\n"), "{none}");
}

#[tokio::test]
async fn the_first_address_that_works_is_used_also_of_ipv6() {
    let [other, ipv6] = ["192.0.2.1:0", "[::1]:0"].map(|text| text.parse().unwrap());
    let Ok(server) = Server::bind(&[other, ipv6]).await else {
        // This machine has no IPv6.
        return;
    };
    let address = server.address();
    assert!(address.is_ipv6());
    let stop = tokio_util::sync::CancellationToken::new();
    let pages = baton_ops::Pages::new().with_text("/a", "text/plain", String::new);
    let served = tokio::spawn(server.serve(pages, Limits::default(), stop.clone()));
    let closed = "127.0.0.1:1".parse().unwrap();
    assert_eq!(
        get(&[closed, address], "localhost", "/a").await.unwrap(),
        200
    );
    stop.cancel();
    served.await.unwrap();
}

#[tokio::test]
async fn a_port_in_use_and_an_address_of_another_machine_cannot_be_bound() {
    let stage = Stage::new(Checks::Succeed).await;
    let error = Server::bind(&[stage.address]).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    let error = Server::bind(&["192.0.2.1:0".parse().unwrap()])
        .await
        .unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrNotAvailable);
}

#[tokio::test]
async fn a_stop_closes_the_port_and_idle_connections_at_once() {
    let stage = Stage::new(Checks::Succeed).await;
    let mut idle = stage.connect().await;
    idle.write_all(b"GET /live HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    let mut answer = [0; 1024];
    assert!(idle.read(&mut answer).await.unwrap() > 0);
    let took = stage.end().await;
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert_eq!(read_to_end(&mut idle).await, "");
}

#[tokio::test]
async fn a_stop_does_not_wait_longer_for_an_answer_than_its_limit() {
    let limits = Limits {
        drain: Duration::from_millis(300),
        ..Limits::default()
    };
    let stage = Stage::with(Checks::Hang, limits).await;
    let mut waits = stage.connect().await;
    waits
        .write_all(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    while stage.checks.load(Ordering::Relaxed) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let took = stage.end().await;
    assert!(took >= Duration::from_millis(300), "{took:?}");
    assert!(took < Duration::from_secs(3), "{took:?}");
    assert_eq!(read_to_end(&mut waits).await, "");
}
