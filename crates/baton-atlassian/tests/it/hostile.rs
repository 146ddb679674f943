//! Whatever ids, names, roles, cursors and messages the application sends, and
//! however a user names the file: no text steers a terminal or forges a line.

use std::collections::BTreeMap;
use std::io::{Cursor, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use baton_connector::{SplitMix, SystemClock};
use baton_runtime::{Process, Signals, Stderr};
use baton_term::is_forbidden;
use serde_json::{Value, json};
use tokio::net::TcpListener;

const HOSTILE: &str = "\u{1b}[2J\u{1b}]0;x\u{7}\r\ncomplete: forged\nerror: forged\t\u{7f}\u{9b}31m\u{85}\
     \u{202e}\u{2066}\u{2028}\u{200f}\u{61c}\u{feff} | end";

/// Every way to look at a run.
const VIEWS: [(&[&str], bool); 5] = [
    (&["--log-format", "console"], false),
    (&["--log-format", "json"], false),
    (&[], false),
    (&[], true),
    (&["--log-level", "debug", "--log-format", "console"], true),
];

/// What the application does besides sending hostile rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Server {
    /// Nothing: a complete sync, with odd counts, repeated rows and roles that
    /// no list has.
    Serves,
    /// The roles of groups are refused: a partial sync.
    RefusesRoles,
    /// All users are refused.
    RefusesUsers,
    /// The list of groups is a success with errors.
    ReportsErrors,
    /// The list of tokens leads to itself.
    Loops,
}

const SERVERS: [(Server, u8); 5] = [
    (Server::Serves, 0),
    (Server::RefusesRoles, 20),
    (Server::RefusesUsers, 7),
    (Server::ReportsErrors, 13),
    (Server::Loops, 13),
];

fn id(name: &str) -> String {
    format!("{name}{HOSTILE}")
}

fn refusal(status: StatusCode, code: &str) -> Response {
    let error = json!({"code": code, "title": HOSTILE, "detail": HOSTILE});
    let body = json!({"errors": [error]}).to_string();
    (status, [("content-type", "application/json")], body).into_response()
}

fn list(items: &Value) -> Response {
    let body = json!({"data": items, "links": {}}).to_string();
    ([("content-type", "application/json")], body).into_response()
}

fn plain(body: &Value) -> Response {
    ([("content-type", "application/json")], body.to_string()).into_response()
}

async fn answer(State(server): State<Server>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let ends = |end: &str| path.ends_with(end);
    let of_group = path.contains("/groups/");
    if ends("/count") {
        return plain(&json!({"count": 99}));
    }
    if ends("/role-assignments") {
        if of_group && server == Server::RefusesRoles {
            return refusal(StatusCode::FORBIDDEN, &id("ADMIN-UAM-403-1"));
        }
        let roles =
            json!([{"resourceId": id("w2"), "resourceOwner": "jira", "roles": [id("role")]}]);
        return list(&roles);
    }
    if ends("/users/search") || ends("/users") {
        if server == Server::RefusesUsers {
            return refusal(StatusCode::FORBIDDEN, &id("ADMIN-UAM-403-1"));
        }
        return list(
            &json!([{"accountId": id("u"), "name": HOSTILE, "email": HOSTILE, "status": 7}]),
        );
    }
    if ends("/groups/search") || ends("/groups") {
        if server == Server::ReportsErrors {
            return plain(&json!({"errors": [{"code": HOSTILE, "detail": HOSTILE}], "links": {}}));
        }
        return list(&json!([{"id": id("g"), "name": HOSTILE, "counts": {"users": 5}}]));
    }
    if ends("/workspaces") {
        return list(
            &json!([{"id": id("w"), "attributes": {"name": HOSTILE, "typeKey": HOSTILE}}]),
        );
    }
    if ends("/api-tokens") {
        let token = json!({"id": id("t"), "label": HOSTILE, "user": {"id": id("u")}});
        if server == Server::Loops {
            return plain(&json!({"data": [token], "links": {"next": HOSTILE}}));
        }
        return list(&json!([token, token]));
    }
    plain(&json!({"data": {"id": "o", "attributes": {"name": HOSTILE}}}))
}

/// A stream that can be read back.
#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Sink {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

/// The program in this process, with standard error as a terminal or not.
fn program(folder: &Path, words: &[String], terminal: bool) -> (u8, String) {
    let (stdout, stderr) = (Sink::default(), Sink::default());
    let (_sender, receiver) = tokio::sync::mpsc::channel(1);
    let process = Process {
        asks: false,
        args: words.iter().map(Into::into).collect(),
        env: BTreeMap::new(),
        exe: None,
        columns: None,
        cwd: folder.to_path_buf(),
        stdin: Box::new(Cursor::new(Vec::new())),
        inherited: baton_runtime::Inherited::default(),
        stdout: Box::new(stdout.clone()),
        stderr: Stderr::new(Box::new(stderr.clone()), terminal, false),
        signals: Signals::Given(receiver),
        clock: Arc::new(SystemClock),
        random: Arc::new(SplitMix::seeded(1)),
        engine: Arc::new(|connector, request, host| {
            Box::pin(baton_sync::run(connector, request, host))
        }),
        service_channel: None,
        transport: None,
        runtime: None,
    };
    let status = baton_runtime::run(&baton_atlassian::app(), process).code();
    (status, format!("{}{}", stderr.text(), stdout.text()))
}

fn serve(server: Server) -> SocketAddr {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(async {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
            sender.send(listener.local_addr().unwrap()).unwrap();
            let router = Router::new().fallback(answer).with_state(server);
            axum::serve(listener, router).await.unwrap();
        });
    });
    receiver.recv().unwrap()
}

#[track_caller]
fn assert_safe(what: &str, text: &str) {
    // Console log lines have tabs between their parts.
    let bad = text
        .chars()
        .find(|c| *c != '\n' && *c != '\t' && is_forbidden(*c));
    assert_eq!(bad, None, "{what}: {text:?}");
    for forged in ["complete: forged", "error: forged"] {
        let made = text
            .lines()
            .any(|line| line.trim_start().starts_with(forged));
        assert!(!made, "{what}: {text}");
    }
}

#[test]
fn what_the_application_sends_forges_no_line_and_steers_no_terminal() {
    for (server, status) in SERVERS {
        let base = format!("http://{}/admin", serve(server));
        for (view, terminal) in VIEWS {
            let what = format!("{server:?} {view:?}, terminal: {terminal}");
            let folder = tempfile::tempdir().unwrap();
            let words = [
                "--access-token",
                "s3cr3t-key",
                "--organization-id",
                "o",
                "--base-url",
            ];
            let words = words.into_iter().chain([base.as_str()]);
            let words = words.chain(view.iter().copied());
            let words: Vec<String> = words.map(str::to_owned).collect();
            let (code, text) = program(folder.path(), &words, terminal);
            assert_eq!(code, status, "{what}: {text}");
            assert_safe(&what, &text);
            // Between the replaced characters the text is there, so it was shown.
            assert!(text.contains("forged"), "{what}: {text}");
            if view.contains(&"json") {
                let lines = text.lines().filter(|line| line.starts_with('{'));
                let parsed = lines.map(serde_json::from_str::<Value>);
                assert!(parsed.map(Result::unwrap).count() > 0, "{what}: {text}");
            }
        }
    }
}

#[test]
fn a_demo_into_a_hostile_file_forges_no_line() {
    for (view, terminal) in VIEWS {
        let what = format!("{view:?}, terminal: {terminal}");
        let folder = tempfile::tempdir().unwrap();
        let words = ["demo", "--file", HOSTILE];
        let words = words.iter().chain(view);
        let words: Vec<String> = words.map(|word| (*word).to_owned()).collect();
        let (code, text) = program(folder.path(), &words, terminal);
        assert_eq!(code, 0, "{what}: {text}");
        assert_safe(&what, &text);
        assert!(text.contains("forged"), "{what}: {text}");
        assert!(!text.contains("dEm0"), "{what}: {text}");
    }
}
