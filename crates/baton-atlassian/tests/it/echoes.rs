//! A gateway that sends the key back, in every place and every form: the key
//! is in nothing that is written for people or logs.

use std::path::Path;
use std::process::Command;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use tokio::net::TcpListener;

const KEY: &str = "ATATT3xFfGF0/k+y~9qW7-hjKlMnBvCxZ\"q=5D1C";
const SHORT_KEY: &str = "p@ss/w+rd";

/// Forms of the key in an answer.
const FORMS: [&str; 13] = [
    "raw",
    "percent",
    "lower",
    "base64",
    "nopad",
    "url",
    "basic",
    "json",
    "cut",
    "percent2",
    "json2",
    "json-percent",
    "large",
];

fn percent(text: &str, upper: bool) -> String {
    let encode = |byte: u8| match byte {
        b if b.is_ascii_alphanumeric() => char::from(b).to_string(),
        b if upper => format!("%{b:02X}"),
        b => format!("%{b:02x}"),
    };
    text.bytes().map(encode).collect()
}

fn in_form(key: &str, form: &str) -> String {
    match form {
        "percent" => percent(key, true),
        "lower" => percent(key, false),
        "base64" => STANDARD.encode(key),
        "nopad" => STANDARD_NO_PAD.encode(key),
        "url" => URL_SAFE_NO_PAD.encode(format!("bearer {key}")),
        "basic" => STANDARD.encode(format!("user@example.com:{key}")),
        "json" => serde_json::to_string(key).unwrap(),
        "percent2" => percent(&percent(key, true), true),
        "json2" => {
            let once = serde_json::to_string(key).unwrap();
            serde_json::to_string(&once).unwrap()
        }
        "json-percent" => percent(&serde_json::to_string(key).unwrap(), false),
        _ => key.to_owned(),
    }
}

/// `/<form>/<status>/…`: an answer with the key of the request.
async fn echo(request: Request) -> Response {
    let authorization = request.headers().get(header::AUTHORIZATION);
    let key = authorization.map_or("", |value| value.to_str().unwrap());
    let key = key.trim_start_matches("Bearer ");
    let path = request.uri().path().to_owned();
    let mut parts = path.split('/').skip(1);
    let form = parts.next().unwrap();
    let status: u16 = parts.next().unwrap().parse().unwrap();
    let shown = in_form(key, form);
    let body = if form == "cut" {
        // Somewhere in the key, a long body is cut.
        let filler = "x".repeat(300 - usize::from(status) % 8);
        let key = serde_json::to_string(key).unwrap();
        let key = key.trim_matches('"');
        format!(
            r#"{{"message":"{filler}{key} {}{key}"}}"#,
            "y".repeat(3_570)
        )
    } else if form == "large" {
        // The body is cut at 64 KiB, in the key.
        let cut = "z".repeat(65_536 - 11 - usize::from(status) % 8);
        format!(r#"{{"message":"{cut}{key}"}}"#)
    } else {
        format!(
            r#"{{"errors":[{{"code":"E-{shown}","title":"no","detail":"not for {shown}"}}],"message":"Bearer {shown}"}}"#
        )
    };
    let mut answer = (StatusCode::from_u16(status).unwrap(), body).into_response();
    let headers = answer.headers_mut();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    let value = |text: String| HeaderValue::from_str(&text).unwrap();
    headers.insert("x-request-id", value(shown.clone()));
    headers.insert(
        "location",
        value(format!("https://login.example/?next={shown}")),
    );
    answer
}

/// Whether the text shows the key, or a part that must not be seen.
fn leak(text: &str, key: &str) -> Option<String> {
    let mut forms: Vec<String> = FORMS.iter().map(|form| in_form(key, form)).collect();
    forms.push(URL_SAFE.encode(key));
    if key.len() >= 20 {
        let characters: Vec<char> = key.chars().collect();
        forms.extend(characters.windows(9).map(|part| part.iter().collect()));
    }
    // What is left of a key where a text was cut.
    forms.extend((2..key.len()).map(|end| format!("{}…", &key[..end])));
    // A key with a quote is escaped once more in JSON logs.
    forms.extend(forms.clone().iter().map(|form| form.replace('"', "\\\"")));
    forms.into_iter().find(|form| text.contains(form.as_str()))
}

fn sync(folder: &Path, base: &str, key: &str, format: &str, to_file: bool) -> String {
    std::fs::write(folder.join("key"), format!("\u{feff}{key} \t\r\n")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_baton-atlassian"));
    command
        .args(["--access-token", "@key", "--organization-id", "o"])
        .args([
            "--base-url",
            base,
            "--log-level",
            "debug",
            "--log-format",
            format,
        ])
        .current_dir(folder)
        .env_clear();
    if to_file {
        command.args(["--log-path", "log"]);
    }
    let ran = command.output().unwrap();
    assert!(!ran.status.success(), "{base}");
    let mut text = String::from_utf8_lossy(&ran.stderr).into_owned();
    text += &String::from_utf8_lossy(&ran.stdout);
    text += &std::fs::read_to_string(folder.join("log")).unwrap_or_default();
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn an_echoed_key_is_in_no_error_and_no_log() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        axum::serve(listener, Router::new().fallback(echo))
            .await
            .unwrap();
    });
    let mut hidden = 0;
    for key in [KEY, SHORT_KEY] {
        for form in FORMS {
            for (status, format, to_file) in [
                (400, "console", false),
                (401, "json", false),
                (403, "json", true),
                (404, "console", true),
                (302, "console", false),
                (200, "json", false),
            ] {
                let folder = tempfile::tempdir().unwrap();
                let base = format!("http://{address}/{form}/{status}/admin");
                let text = sync(folder.path(), &base, key, format, to_file);
                let leak = leak(&text, key);
                assert_eq!(leak, None, "{form} {status} {format}:\n{text}");
                hidden += text.matches("[secret]").count();
            }
        }
    }
    // The test would see nothing if nothing were shown.
    assert!(hidden > 50, "{hidden}");
    server.abort();
}
