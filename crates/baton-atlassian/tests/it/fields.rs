//! Describing fields never stop a sync, identifying ones are never guessed:
//! every field that is read, with every wrong value.

use std::fmt;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use baton_atlassian::{RequestPlan, Settings};
use baton_c1z::Table;
use baton_connector::Secret;
use baton_connector::http::{BodyStream, Transport, TransportError, whole_body};
use baton_proto::Code;
use baton_proto::causes::one_line;
use baton_sync::{Completeness, Error, Report};
use bytes::Bytes;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::simulated::{ids, rows, run};

/// One object of each list, with every field that is read.
const OBJECTS: [(&str, &str); 6] = [
    ("organization", r#"{"id":"o","attributes":{"name":"Acme"}}"#),
    (
        "user",
        r#"{"accountId":"u","accountType":"atlassian","status":"active","accountStatus":"active","membershipStatus":"active","addedToOrg":"2025-02-03T10:11:12Z","name":"Kim","nickname":"kim","email":"kim@acme.test","emailVerified":true,"claimStatus":"managed","managementSource":"synced","mfaEnabled":true,"jobTitle":"x","department":"x","organization":"x","location":"x","timeZone":"x","productAccess":[{"lastActiveTimestamp":"2026-10-01T08:00:00Z"}]}"#,
    ),
    (
        "group",
        r#"{"id":"g","name":"G","description":"x","directoryId":"d","externalSynced":true,"managedBy":"external"}"#,
    ),
    (
        "workspace",
        r#"{"id":"w","attributes":{"name":"x","type":"Jira","typeKey":"jira","status":"online","hostUrl":"https://a.test","createdAt":"2024-01-02T03:04:05Z","sandbox":{"type":"NONE"}}}"#,
    ),
    (
        "token",
        r#"{"id":"t","label":"ci","status":"ALLOWED","createdAt":"2026-01-05T09:00:00Z","expiresAt":"2027-01-05T09:00:00Z","lastActiveAt":"2026-11-01T12:00:00Z","user":{"id":"u"},"scopes":["a","b"]}"#,
    ),
    (
        "role",
        r#"{"resourceId":"w","resourceOwner":"jira","roles":["atlassian/user"],"roleAssignments":[{"role":"atlassian/user","roleAssignmentMethods":["direct"]}]}"#,
    ),
];

/// Fields that identify, by object; all others describe.
const IDENTIFYING: [(&str, &str); 10] = [
    ("organization", "id"),
    ("user", "accountId"),
    ("group", "id"),
    ("workspace", "id"),
    ("token", "id"),
    ("role", "resourceId"),
    ("role", "resourceOwner"),
    ("role", "roles"),
    ("role", "roleAssignments"),
    ("role", "role"),
];

/// Values that no field should have; `\xNN` stands for a byte.
fn wrong_values() -> Vec<(&'static str, Vec<u8>)> {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth)).into_bytes();
    vec![
        ("a lone surrogate", br#""a\ud800""#.to_vec()),
        ("a low surrogate", br#""\udfffz""#.to_vec()),
        ("half a pair", br#""\ud83d\u0041""#.to_vec()),
        ("a byte that is not UTF-8", b"\"a\xffb\"".to_vec()),
        ("a character cut off", b"\"\xe2\x82\"".to_vec()),
        ("a surrogate in UTF-8", b"\"\xed\xa0\x80\"".to_vec()),
        ("Latin-1", b"\"M\xfcller\"".to_vec()),
        ("too large a number", b"1e999".to_vec()),
        ("too long a number", "9".repeat(5000).into_bytes()),
        ("200 lists", nested(200)),
        ("100,000 lists", nested(100_000)),
        (
            "200 objects",
            format!("{}0{}", r#"{"a":"#.repeat(200), "}".repeat(200)).into_bytes(),
        ),
        ("a number", b"7".to_vec()),
        ("a negative number", b"-0.5".to_vec()),
        ("true", b"true".to_vec()),
        ("false", b"false".to_vec()),
        ("null", b"null".to_vec()),
        ("an empty text", br#""""#.to_vec()),
        ("a list", b"[1,null,{}]".to_vec()),
        ("an object", br#"{"x":1e999,"x":"\ud800"}"#.to_vec()),
    ]
}

/// A server with one object per list; one of them as the test wants it.
#[derive(Clone)]
struct Server {
    /// Kind and text of the object that is odd.
    odd: (&'static str, Vec<u8>),
    /// Behind the page with the object comes an empty one.
    goes_on: bool,
    asked: Arc<Mutex<Vec<String>>>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Server")
    }
}

impl Server {
    fn object(&self, kind: &str) -> Vec<u8> {
        if self.odd.0 == kind {
            return self.odd.1.clone();
        }
        let known = OBJECTS.iter().find(|(known, _)| *known == kind);
        known.unwrap().1.as_bytes().to_vec()
    }

    fn list(&self, kind: &str) -> Vec<u8> {
        [b"{\"data\":[", &*self.object(kind), b"],\"links\":{}}"].concat()
    }
}

#[async_trait]
impl Transport for Server {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<BodyStream>, TransportError> {
        let path = request.uri().path().to_owned();
        let asked = format!("{}{:?}", request.uri(), request.body());
        let is_list = !path.ends_with("/count") && !path.ends_with("/o");
        let body = match path.trim_start_matches("/admin") {
            "/v1/orgs/o" => [b"{\"data\":", &*self.object("organization"), b"}"].concat(),
            path if path.ends_with("/role-assignments") => self.list("role"),
            path if path.ends_with("/users/search") || path.ends_with("/users") => {
                self.list("user")
            }
            path if path.ends_with("/groups/search") || path.ends_with("/groups") => {
                self.list("group")
            }
            path if path.ends_with("/workspaces") => self.list("workspace"),
            path if path.ends_with("/api-tokens") => self.list("token"),
            _ => b"{\"count\":1}".to_vec(),
        };
        let body = match (is_list && self.goes_on, asked.contains("cursor")) {
            (true, true) => b"{\"data\":[],\"links\":{}}".to_vec(),
            (true, false) => {
                let end = body.len() - "{}}".len();
                [&body[..end], b"{\"next\":\"more\"}}"].concat()
            }
            _ => body,
        };
        self.asked.lock().unwrap().push(path);
        let answer = http::Response::builder().header("content-type", "application/json");
        Ok(answer.body(whole_body(body)).unwrap())
    }
}

struct Outcome {
    result: Result<Report, Error>,
    folder: tempfile::TempDir,
}

impl Outcome {
    fn target(&self) -> std::path::PathBuf {
        self.folder.path().join("sync.c1z")
    }
}

async fn sync(odd: (&'static str, Vec<u8>), go_compatible: bool) -> Outcome {
    let plan = (!go_compatible).then_some(RequestPlan::Plain);
    sync_under(odd, plan, false).await
}

/// A sync under a plan, or as the Go connector does.
async fn sync_under(
    odd: (&'static str, Vec<u8>),
    plan: Option<RequestPlan>,
    goes_on: bool,
) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let base = "http://simulated.test/admin";
    let mut settings = Settings::new(Secret::new("key"), "o", base).unwrap();
    settings.go_compatible = plan.is_none();
    settings.request_plan = plan;
    let server = Server {
        odd,
        goes_on,
        asked: Arc::default(),
    };
    let target = folder.path().join("sync.c1z");
    let result = run(&settings, server, &target, CancellationToken::new()).await;
    Outcome { result, folder }
}

/// What a field gets in place of its value.
#[derive(Clone, Copy)]
enum Odd<'a> {
    Value(&'a [u8]),
    /// The field comes twice, first with `null`.
    Twice,
}

/// Writes an object with every field odd for which `hits` says so.
fn render(value: &Value, odd: Odd<'_>, hits: &dyn Fn(&str, &Value) -> bool, out: &mut Vec<u8>) {
    match value {
        Value::Object(members) => {
            for (place, (name, value)) in members.iter().enumerate() {
                out.extend_from_slice(if place == 0 { b"{" } else { b"," });
                let key = format!("\"{name}\":");
                out.extend_from_slice(key.as_bytes());
                match odd {
                    Odd::Value(odd) if hits(name, value) => out.extend_from_slice(odd),
                    _ => {
                        if hits(name, value) {
                            out.extend_from_slice(b"null,");
                            out.extend_from_slice(key.as_bytes());
                        }
                        render(value, odd, hits, out);
                    }
                }
            }
            out.push(b'}');
        }
        Value::Array(items) => {
            for (place, item) in items.iter().enumerate() {
                out.push(if place == 0 { b'[' } else { b',' });
                render(item, odd, hits, out);
            }
            out.push(b']');
        }
        plain => out.extend_from_slice(plain.to_string().as_bytes()),
    }
}

fn with(text: &str, odd: Odd<'_>, hits: &dyn Fn(&str, &Value) -> bool) -> Vec<u8> {
    let mut out = Vec::new();
    render(&serde_json::from_str(text).unwrap(), odd, hits, &mut out);
    out
}

fn is_identifying(kind: &str, field: &str) -> bool {
    IDENTIFYING.contains(&(kind, field))
}

const GRANTS: [&str; 3] = [
    "group:g:member:user:u",
    "workspace:w:role:atlassian/user:group:g",
    "workspace:w:role:atlassian/user:user:u",
];

/// A text, a number or a statement, or a list of them.
fn is_leaf(value: &Value) -> bool {
    !value.is_object() && !value.get(0).is_some_and(Value::is_object)
}

#[tokio::test(start_paused = true)]
async fn a_describing_field_never_stops_a_sync() {
    let calm = sync(("none", Vec::new()), false).await;
    let report = calm.result.as_ref().unwrap();
    assert_eq!(report.warnings, [""; 0]);
    let expected = ids(&calm.target(), Table::Resources);
    assert_eq!(expected.len(), 5);
    let values = wrong_values();
    let values = values
        .iter()
        .map(|(name, value)| (*name, Odd::Value(value)));
    for (name, odd) in values.chain([("twice", Odd::Twice)]) {
        for (kind, text) in OBJECTS {
            for leaves in [true, false] {
                let hits = |field: &str, value: &Value| {
                    !is_identifying(kind, field) && is_leaf(value) == leaves
                };
                let object = with(text, odd, &hits);
                if object == text.as_bytes() {
                    continue;
                }
                // The same code reads for both.
                let some = ["a lone surrogate", "too large a number", "twice"];
                for go_compatible in [false, true] {
                    if go_compatible && !some.contains(&name) {
                        continue;
                    }
                    let case = format!("{name} in {kind}, {leaves}, {go_compatible}");
                    let outcome = sync((kind, object.clone()), go_compatible).await;
                    let report = match &outcome.result {
                        Ok(report) => report,
                        Err(error) => panic!("{case}: {}", one_line(error)),
                    };
                    assert_eq!(report.completeness, Completeness::Complete, "{case}");
                    assert_eq!(ids(&outcome.target(), Table::Resources), expected, "{case}");
                    let grants = ids(&outcome.target(), Table::Grants);
                    assert_eq!(grants.into_iter().collect::<Vec<_>>(), GRANTS, "{case}");
                    let odd = odd_values(report);
                    // Nothing is odd about these, nor about a statement or a text as such.
                    let plain = ["null", "an empty text", "a list", "true", "false"];
                    let fits = !leaves && matches!(name, "an object" | "200 objects");
                    if !plain.contains(&name) && !fits {
                        assert_eq!(odd.len(), 1, "{case}: {:?}", report.warnings);
                    }
                }
            }
        }
    }
}

fn odd_values(report: &Report) -> Vec<&String> {
    let warnings = report.warnings.iter();
    warnings
        .filter(|words| words.contains("describing"))
        .collect()
}

/// Whatever is asked more than once: first pages of counted lists, the
/// organization, groups whose members differ from their size.
#[tokio::test(start_paused = true)]
async fn an_odd_value_counts_once_however_often_it_is_asked_for() {
    for (kind, text) in OBJECTS {
        let hits = |field: &str, value: &Value| {
            !is_identifying(kind, field) && is_leaf(value) && value.is_string()
        };
        let object = with(text, Odd::Value(b"7"), &hits);
        if object == text.as_bytes() {
            continue;
        }
        let mut counts = Vec::new();
        for plan in [Some(RequestPlan::Plain), Some(RequestPlan::Auto), None] {
            for goes_on in [false, true] {
                let outcome = sync_under((kind, object.clone()), plan, goes_on).await;
                let report = outcome.result.as_ref().unwrap();
                let words = odd_values(report);
                assert_eq!(words.len(), 1, "{kind}: {:?}", report.warnings);
                let number = words[0].split(' ').next().unwrap().to_owned();
                counts.push((plan.is_none(), number));
            }
        }
        // The Go connector reads other fields of a group and a user.
        counts.sort();
        counts.dedup();
        assert!(counts.len() <= 2, "{kind}: {counts:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_identifying_field_is_never_guessed() {
    for (kind, field) in IDENTIFYING {
        let text = OBJECTS.iter().find(|(known, _)| *known == kind).unwrap().1;
        let values = wrong_values();
        let values = values
            .iter()
            .map(|(name, value)| (*name, Odd::Value(value)));
        let is_list = matches!(field, "roles" | "roleAssignments");
        for (name, odd) in values.chain([("twice", Odd::Twice)]) {
            let case = format!("{name} in {kind}.{field}");
            if is_list && name == "null" {
                continue;
            }
            let object = with(text, odd, &|known, _| known == field);
            let outcome = sync((kind, object), false).await;
            let error = outcome.result.as_ref().expect_err(&case);
            let told = one_line(error);
            assert_eq!(error.code(), Code::Internal, "{case}: {told}");
            assert!(!outcome.target().exists(), "{case}");
            // Which request, which item, which field.
            let item = if kind == "organization" {
                "data."
            } else {
                "data[0]."
            };
            assert!(
                told.contains("http://simulated.test/admin/"),
                "{case}: {told}"
            );
            assert!(told.contains(item), "{case}: {told}");
            assert!(told.contains(field), "{case}: {told}");
        }
        // Without the field there is nothing to go by either.
        let renamed = text.replacen(&format!("\"{field}\":"), "\"other\":", 1);
        let outcome = sync((kind, renamed.into_bytes()), false).await;
        assert_eq!(outcome.result.is_ok(), is_list, "{kind}.{field} missing");
    }
}

#[tokio::test(start_paused = true)]
async fn bad_text_is_repaired_the_last_of_two_counts_and_one_warning_says_so() {
    let object = [
        br#"{"accountId":"u","name":"a\ud800","nickname":"b"#.as_slice(),
        b"\xff",
        br#"","email":"first@acme.test","email":"kim@acme.test","jobTitle":1e999,"department":[[]]}"#,
    ];
    let outcome = sync(("user", object.concat()), false).await;
    let report = outcome.result.as_ref().unwrap();
    let odd = odd_values(report);
    assert_eq!(odd.len(), 1, "{:?}", report.warnings);
    assert!(odd[0].starts_with("5 describing values"), "{}", odd[0]);
    assert!(odd[0].contains("`data[0].name`"), "{}", odd[0]);
    let rows = rows(&outcome.target(), Table::Resources);
    let (_, row) = rows.iter().find(|(id, _)| id == "user:u").unwrap();
    let text = String::from_utf8_lossy(row);
    assert!(
        text.contains("kim@acme.test") && !text.contains("first@"),
        "{text}"
    );
    assert!(
        text.contains("a\u{fffd}") && text.contains("b\u{fffd}"),
        "{text}"
    );
}
