//! Over a real socket: what only a connection shows.

use std::net::SocketAddr;
use std::time::Duration;

use atlassian_sim::{Config, ServerHandle, Simulator};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::client::{config, path};

async fn served(rules: &[&str]) -> (Simulator, ServerHandle) {
    let faults = rules.iter().map(|r| r.parse().unwrap()).collect();
    let sim = Simulator::new(Config {
        faults,
        ..config(60, 8)
    })
    .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = sim.serve(listener).unwrap();
    (sim, server)
}

fn head(sim: &Simulator, address: SocketAddr, connection: &str) -> String {
    let path = path(sim, "v2:directories/-/users");
    let token = sim.access_token();
    format!(
        "GET {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\nconnection: {connection}\r\n\r\n"
    )
}

/// Everything until the end of the connection, and how it ended.
async fn exchange(sim: &Simulator, address: SocketAddr) -> (Vec<u8>, std::io::Result<()>) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream
        .write_all(head(sim, address, "close").as_bytes())
        .await
        .unwrap();
    let mut bytes = Vec::new();
    let end = stream.read_to_end(&mut bytes).await.map(|_| ());
    (bytes, end)
}

fn content_length(head: &str) -> usize {
    let line = head
        .lines()
        .find(|l| l.to_ascii_lowercase().starts_with("content-length:"))
        .unwrap();
    line.split_once(':').unwrap().1.trim().parse().unwrap()
}

fn body_of(bytes: &[u8]) -> (String, &[u8]) {
    let split = bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
    (
        String::from_utf8(bytes[..split].to_vec()).unwrap(),
        &bytes[split..],
    )
}

#[tokio::test]
async fn a_reset_connection_ends_without_an_answer() {
    let (sim, server) = served(&["*#1=reset"]).await;
    let (bytes, end) = exchange(&sim, server.address()).await;
    assert!(bytes.is_empty(), "{}", String::from_utf8_lossy(&bytes));
    assert_eq!(end.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    let (bytes, end) = exchange(&sim, server.address()).await;
    assert!(end.is_ok() && bytes.starts_with(b"HTTP/1.1 200"));
    assert_eq!(sim.requests()[0].status, 0);
    server.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_truncated_answer_announces_more_than_it_sends() {
    let (sim, server) = served(&["*=truncate:100"]).await;
    let (bytes, _) = exchange(&sim, server.address()).await;
    let (head, body) = body_of(&bytes);
    assert!(head.starts_with("HTTP/1.1 200"));
    assert_eq!(body.len(), 100);
    assert!(content_length(&head) > 1000);
    server.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_dripping_answer_arrives_whole() {
    let (sim, server) = served(&["*=drip:5000/1ms"]).await;
    let (bytes, end) = exchange(&sim, server.address()).await;
    let (head, body) = body_of(&bytes);
    assert!(end.is_ok());
    assert_eq!(content_length(&head), body.len());
    assert!(serde_json::from_slice::<serde_json::Value>(body).is_ok());
    server.shutdown().await.unwrap();
}

#[tokio::test]
async fn connections_are_kept_open_and_shutdown_closes_idle_ones() {
    let (sim, server) = served(&[]).await;
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    for _ in 0..3 {
        stream
            .write_all(head(&sim, server.address(), "keep-alive").as_bytes())
            .await
            .unwrap();
        let mut bytes = Vec::new();
        while !bytes.windows(4).any(|w| w == b"\r\n\r\n") {
            bytes.push(stream.read_u8().await.unwrap());
        }
        let length = content_length(&String::from_utf8(bytes).unwrap());
        stream.read_exact(&mut vec![0; length]).await.unwrap();
    }
    let address = server.address();
    tokio::time::timeout(Duration::from_secs(10), server.shutdown())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(stream.read(&mut [0; 8]).await.unwrap_or(0), 0);
    assert!(TcpStream::connect(address).await.is_err());
    assert_eq!(sim.count("GET v2/users"), 3);
}
