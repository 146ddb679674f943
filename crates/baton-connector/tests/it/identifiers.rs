//! Ids reach a server as they are: every character that text can hold, in
//! path, query and body, over a real socket.

use std::collections::BTreeMap;
use std::sync::Arc;

use baton_connector::Call;
use baton_connector::http::{
    CallClient, HttpClient, HttpParts, HttpSettings, Proxies, Request, ReqwestTransport,
    TransportSettings,
};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use url::{Url, form_urlencoded};

/// Answers each request with its own target and body.
async fn echo(socket: TcpStream) {
    let mut socket = BufReader::new(socket);
    loop {
        let mut first = String::new();
        if socket.read_line(&mut first).await.unwrap_or(0) == 0 {
            return;
        }
        let target = first.split(' ').nth(1).unwrap().to_owned();
        let mut length = 0;
        loop {
            let mut line = String::new();
            socket.read_line(&mut line).await.unwrap();
            let line = line.trim().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        socket.read_exact(&mut body).await.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        let seen = json!({ "target": target, "body": body }).to_string();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", seen.len());
        socket.write_all(head.as_bytes()).await.unwrap();
        socket.write_all(seen.as_bytes()).await.unwrap();
    }
}

async fn server() -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(echo(socket));
        }
    });
    Url::parse(&format!("http://{address}/admin/")).unwrap()
}

fn client() -> CallClient {
    let settings = TransportSettings {
        proxies: Proxies::None,
        ..TransportSettings::default()
    };
    let transport = ReqwestTransport::new(&settings).unwrap();
    let client = HttpClient::new(
        HttpParts::new(Arc::new(transport), 7),
        HttpSettings::default(),
    );
    client.unwrap().on(&Call::alone())
}

/// All of ASCII and C1, and of everything else what is special somewhere.
fn ids() -> Vec<String> {
    let mut chars: Vec<char> = ('\0'..='\u{9f}').collect();
    chars.extend("\u{a0}\u{ad}äß\u{301}\u{61c}\u{5d0}\u{e01}\u{200b}\u{200d}\u{200e}".chars());
    chars.extend("\u{2028}\u{2029}\u{202e}\u{2066}\u{2215}\u{3000}漢\u{ac00}".chars());
    chars.extend("\u{d7ff}\u{e000}\u{feff}\u{ff0e}\u{ff0f}\u{fffd}\u{fffe}\u{ffff}".chars());
    chars.extend("\u{10000}\u{1f600}\u{e0001}\u{10ffff}".chars());
    let mut ids: Vec<String> = Vec::new();
    for c in chars {
        ids.extend([format!("t{c}x"), format!("{c}x"), format!("t{c}")]);
        if c != '.' {
            ids.push(c.to_string());
        }
    }
    let odd = [
        "712020:aa|b",
        "a/../b",
        "../a",
        "./a",
        "a.",
        ".a",
        "..a",
        "a..",
        "%2e",
        "%2e%2e",
        ".%2e",
        "%2E.",
        "%00",
        "%",
        "%%",
        "%zz",
        "+",
        "a b",
        "a+b",
        "//",
        "\\..\\",
        "?a=b&c#d",
        "a;b=c",
        "ari:cloud:jira-software::site/9c1e",
        "e\u{301}",
        "\r\n\t",
    ];
    ids.extend(odd.map(str::to_owned));
    ids
}

#[tokio::test]
async fn every_character_arrives_as_it_is_in_path_query_and_body() {
    let (base, client) = (server().await, client());
    for id in ids() {
        let request = Request::post(&base, "/users/{id}/roles", &[&id])
            .unwrap()
            .query("ids", &id)
            .query(&id, "name")
            .json(&json!({ "id": id, id.clone(): "name" }))
            .unwrap();
        let seen: Value = client.json(&request).await.unwrap();
        let target = seen["target"].as_str().unwrap();
        let (path, query) = target.split_once('?').unwrap();
        assert!(target.bytes().all(|b| b.is_ascii_graphic()), "{target}");
        let segments: Vec<&str> = path.split('/').collect();
        let ["", "admin", "users", segment, "roles"] = segments[..] else {
            panic!("{id:?} has become {path}");
        };
        let decoded: Vec<u8> = percent_decode_str(segment).collect();
        assert_eq!(decoded, id.as_bytes(), "{path}");
        let pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect();
        let expected = [("ids", id.as_str()), (id.as_str(), "name")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(pairs, expected, "{query}");
        let body: BTreeMap<String, String> = serde_json::from_value(seen["body"].clone()).unwrap();
        assert_eq!(body.get("id"), Some(&id).filter(|id| *id != "id"));
        assert_eq!(body.get(&id).map(String::as_str), Some("name"));
    }
}

#[test]
fn what_a_path_may_hold_stays_and_every_other_byte_is_encoded() {
    let base = Url::parse("https://api.test").unwrap();
    let stays = "-._~!$&'()*+,;=:@|";
    for c in (' '..='~').filter(|c| !c.is_ascii_alphanumeric()) {
        let request = Request::get(&base, "/u/{id}", &[&format!("a{c}")]).unwrap();
        let shown = format!("{request:?}");
        let expected = if stays.contains(c) {
            format!("/u/a{c}\"")
        } else {
            format!("/u/a%{:02X}\"", u32::from(c))
        };
        assert!(shown.contains(&expected), "{c}: {shown}");
    }
}
