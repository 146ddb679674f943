//! The recorded calls to Go connectors, sent to a server of ours: same code, text,
//! details and form.
//!
//! What depends on the connectors of the recordings is left out by name below, and
//! where our answer differs on purpose, both are named.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use baton_connector::session::{Found, SessionPage, SessionStore};
use baton_connector::{Call, Change, Code, Error, Held, Provisioner, Result, resource, v2};
use baton_connector::{Connector, ConnectorBuilder, Page, ResourceSyncer, TypeSpec, Types};
use baton_grpc::{ConnectorSettings, Limiter, Router, Sessions, connector_services};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use prost::Message as _;

use crate::every_service::{self, details_of};
use crate::raw::{Answer, Connection, framed, request};
use crate::recordings::{self, Recorded};

/// Values of syncs are not kept, as in a child without a session port.
struct NoSessions;

impl Sessions for NoSessions {
    fn of_sync(&self, _sync_id: &str) -> Arc<dyn SessionStore> {
        Arc::new(Self)
    }
}

fn disabled() -> Error {
    Error::stated(
        Code::Unknown,
        "session store is disabled by connector author. It must be explicitly enabled via \
         RunConnector WithSessionStoreEnabled(): operation Set is not supported",
    )
}

#[async_trait::async_trait]
impl SessionStore for NoSessions {
    async fn get_many(&self, _keys: &[String]) -> Result<Found> {
        Err(disabled())
    }

    async fn set_many(&self, _items: Vec<(String, Vec<u8>)>) -> Result<()> {
        Err(disabled())
    }

    async fn delete(&self, _key: &str) -> Result<()> {
        Err(disabled())
    }

    async fn clear(&self, _prefix: &str) -> Result<()> {
        Ok(())
    }

    async fn page(&self, _prefix: &str, _from: &str) -> Result<SessionPage> {
        Err(disabled())
    }
}

pub(crate) fn services(
    connector: Arc<dyn Connector>,
    provisioning: bool,
    ticketing: bool,
) -> Router {
    let settings = ConnectorSettings {
        provisioning,
        ticketing,
        limiter: Limiter::default(),
        sessions: Arc::new(NoSessions),
        client_secret: None,
    };
    connector_services(connector, settings)
}

/// A type without rows, which can be granted if it is a group or a workspace.
struct Nothing;

#[async_trait::async_trait]
impl ResourceSyncer for Nothing {
    async fn list(
        &self,
        _call: &Call,
        _parent: Option<&v2::ResourceId>,
    ) -> Result<Page<v2::Resource>> {
        Ok(Page::empty())
    }
}

#[async_trait::async_trait]
impl Provisioner for Nothing {
    async fn grant(
        &self,
        _call: &Call,
        entitlement: &v2::Entitlement,
        principal: &v2::Resource,
    ) -> Result<Change> {
        let grant = resource::GrantBuilder::of(entitlement, principal).build()?;
        Ok(Change::grant(grant, Held::directly()))
    }

    async fn revoke(&self, _call: &Call, grant: &v2::Grant) -> Result<Change> {
        Ok(Change::revoke(grant.id.clone(), Held::No))
    }

    async fn holds(
        &self,
        _call: &Call,
        _entitlement: &v2::Entitlement,
        _principal: &v2::Resource,
    ) -> std::result::Result<Held, Error> {
        Ok(Held::No)
    }
}

/// A connector with the types of the stand-in for Atlassian, and no rows.
pub(crate) fn stand_in() -> Arc<dyn Connector> {
    let spec = |id: &str| {
        let kind = resource::ResourceTypeBuilder::new(id, id).build().unwrap();
        TypeSpec::new(kind, |(): &()| Ok(Nothing))
    };
    let types = Types::new()
        .with(spec("user"))
        .with(spec("organization"))
        .with(spec("api_token"))
        .with(spec("group").provisioner())
        .with(spec("workspace").provisioner());
    let builder = ConnectorBuilder::new().types(&types, &()).unwrap();
    Arc::new(builder.build().unwrap())
}

/// The request of a call, as it was sent.
fn sent(call: &Recorded) -> Option<Request<Full<Bytes>>> {
    let path = match call.get("case") {
        "malformed-path" => "/noslash".to_owned(),
        _ => call.path(),
    };
    let body = match call.request() {
        Some(message) => framed(message),
        None => made(call)?,
    };
    let mut request = request(&path, body);
    let headers = request.headers_mut();
    let mut header = |name, value: &'static str| {
        headers.insert(http::HeaderName::from_static(name), value.parse().unwrap());
    };
    match call.get("case") {
        "gzip" => header("grpc-encoding", "gzip"),
        "unknown-encoding" => header("grpc-encoding", "snappy"),
        "content-type-proto" => header("content-type", "application/grpc+proto"),
        "content-type-json" => header("content-type", "application/json"),
        "content-type-grpc-json" => header("content-type", "application/grpc+json"),
        "bad-timeout" => header("grpc-timeout", "xx"),
        "timeout-1n" => header("grpc-timeout", "1n"),
        "timeout-0" => header("grpc-timeout", "0m"),
        "slow-deadline-300ms" => header("grpc-timeout", "300m"),
        case if case.starts_with("deadline-") => header("grpc-timeout", "200m"),
        "no-te" => {
            headers.remove("te");
        }
        "http-get" => *request.method_mut() = http::Method::GET,
        _ => {}
    }
    Some(request)
}

/// The body of a request that is described and not stored.
fn made(call: &Recorded) -> Option<Vec<u8>> {
    let users = b"\x0a\x04user";
    let sized = |bytes: usize| {
        let known = b"\x0a\x0corganization";
        // Field 1007, with a length of four bytes.
        let mut message = [&known[..], b"\xfa\x3e"].concat();
        let rest = bytes - message.len() - 4;
        for place in 0..4 {
            let more = if place < 3 { 0x80 } else { 0 };
            message.push(u8::try_from((rest >> (7 * place)) & 0x7f).unwrap() | more);
        }
        message.resize(bytes, b'x');
        framed(&message)
    };
    Some(match call.get("case") {
        "no-message" => Vec::new(),
        "two-messages" => [framed(users), framed(users)].concat(),
        "half-frame" => framed(users)[..9].to_vec(),
        "compressed-flag-without-encoding" | "unknown-encoding" => {
            let mut frame = framed(users);
            frame[0] = 1;
            frame
        }
        "gzip" => {
            let mut encoder =
                flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            std::io::Write::write_all(&mut encoder, users).unwrap();
            let mut frame = framed(&encoder.finish().unwrap());
            frame[0] = 1;
            frame
        }
        "size-4194304" => sized(4_194_304),
        "size-4194305" => sized(4_194_305),
        "size-8388608" => sized(8_388_608),
        "frame-announces-4GiB" => vec![0, 0xff, 0xff, 0xff, 0xff],
        "response-over-4MiB" => {
            let request = v2::ResourcesServiceListResourcesRequest {
                resource_type_id: "user".to_owned(),
                parent_resource_id: Some(v2::ResourceId {
                    resource_type: "org".to_owned(),
                    resource: "large".to_owned(),
                    ..v2::ResourceId::default()
                }),
                ..v2::ResourcesServiceListResourcesRequest::default()
            };
            framed(&request.encode_to_vec())
        }
        case if case.ends_with("page_token-max") => framed(&long_token(call.get("method"))?),
        _ => return None,
    })
}

/// The smallest valid request with a page token that is too long.
fn long_token(method: &str) -> Option<Vec<u8>> {
    let token = "x".repeat(1_048_577);
    let id = v2::ResourceId {
        resource_type: "user".to_owned(),
        resource: "u1".to_owned(),
        ..v2::ResourceId::default()
    };
    let resource = Some(v2::Resource {
        id: Some(id),
        ..v2::Resource::default()
    });
    let kind = "user".to_owned();
    Some(match method {
        "ListResourceTypes" => v2::ResourceTypesServiceListResourceTypesRequest {
            page_token: token,
            ..Default::default()
        }
        .encode_to_vec(),
        "ListResources" => v2::ResourcesServiceListResourcesRequest {
            resource_type_id: kind,
            page_token: token,
            ..Default::default()
        }
        .encode_to_vec(),
        "ListStaticEntitlements" => v2::EntitlementsServiceListStaticEntitlementsRequest {
            resource_type_id: kind,
            page_token: token,
            ..Default::default()
        }
        .encode_to_vec(),
        "ListEntitlements" => v2::EntitlementsServiceListEntitlementsRequest {
            resource,
            page_token: token,
            ..Default::default()
        }
        .encode_to_vec(),
        "ListGrants" => v2::GrantsServiceListGrantsRequest {
            resource,
            page_token: token,
            ..Default::default()
        }
        .encode_to_vec(),
        _ => return None,
    })
}

/// Calls whose answers are the connector's own, or need its state.
fn is_of_the_connector(call: &Recorded) -> bool {
    let case = call.get("case");
    let of_the_api = call.get("server").starts_with("wrong token")
        || call.get("server").starts_with("API down")
        || call.get("server").starts_with("slow API");
    of_the_api
        || case.starts_with("bad-token")
        || case.starts_with("bad-cursor")
        || matches!(
            case,
            "vanished-user"
                | "group-member-not-there"
                | "group-principal-is-group"
                | "unknown-group"
                | "workspace-role-unknown-user"
                | "workspace-bad-id"
        ) && call.code() != Some(9)
}

/// Where our answer differs, and what it is: code, and a part of the text.
fn departures() -> BTreeMap<&'static str, (u8, &'static str)> {
    BTreeMap::from([
        // A text longer than 8 KiB is cut.
        ("error-long", (2, "…")),
        ("long", (2, "…")),
        // Go connectors send pages that their own engine refuses.
        ("response-over-4MiB", (8, "a message may have 4194304")),
        // Go resets the stream; a status is as good for its clients.
        (
            "deadline-handler-waits-for-it",
            (4, "context deadline exceeded"),
        ),
        (
            "deadline-handler-ignores-it",
            (4, "context deadline exceeded"),
        ),
        ("slow-deadline-300ms", (4, "context deadline exceeded")),
        // Nothing comes of nothing: ours has no result that is none.
        ("nil", (0, "")),
        ("nil-state", (0, "")),
        // Ours names the reason.
        (
            "encryption-age-recipient-bad",
            (3, "age: invalid recipient: "),
        ),
        // Each ticket has its own error, as in the response's own field.
        ("one-fails", (0, "")),
        // Arguments have the type that the schema declares.
        (
            "constraint-together-a-b-emptyvalues",
            (3, "must be a text, not a list"),
        ),
    ])
}

async fn replay(
    connection: &mut Connection,
    call: &Recorded,
    departures: &BTreeMap<&str, (u8, &str)>,
    seen: &mut BTreeSet<String>,
) -> std::result::Result<(), String> {
    let Some(request) = sent(call) else {
        return Err("its request cannot be made".to_owned());
    };
    let answer = connection.send(request).await;
    if let Some((code, text)) = departures.get(call.get("case"))
        && (call.code(), call.message()) != (Some(answer.code()), answer.message())
    {
        seen.insert(call.get("case").to_owned());
        if answer.code() == *code && answer.message().contains(text) {
            return Ok(());
        }
    }
    compare(call, &answer)
}

fn compare(call: &Recorded, answer: &Answer) -> std::result::Result<(), String> {
    let got = (Some(answer.code()), answer.message());
    let wanted = (call.code(), call.message());
    if got != wanted {
        let text = format!("got {got:?}, wanted {wanted:?}");
        return Err(text.chars().take(600).collect());
    }
    let form = call.get("form");
    if answer.trailers_only != (form == "trailers-only") {
        return Err(format!("its form is not {form}"));
    }
    let headers: Vec<(String, String)> =
        serde_json::from_str(call.get("headers")).unwrap_or_default();
    for (name, value) in headers {
        let got = match name.as_str() {
            ":status" => answer.http.to_string(),
            name if name.starts_with("grpc-") && answer.trailers_only => continue,
            name => {
                let got = answer.headers.get(name);
                got.map_or("", |value| value.to_str().unwrap()).to_owned()
            }
        };
        if got != value {
            return Err(format!("header {name} is {got}, wanted {value}"));
        }
    }
    let details = |status: Option<&[u8]>| status.map(details_of).unwrap_or_default();
    let got = answer.details();
    // Ours names a failed request to the application in the details, Go does not.
    if details(got.as_deref()) != details(call.details()) {
        return Err(format!("its details are {:?}", details(got.as_deref())));
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn calls_to_the_child_with_every_service() {
    let departures = departures();
    let mut seen = BTreeSet::new();
    let mut failures = Vec::new();
    let mut connections = BTreeMap::new();
    let mut replayed = 0;
    // Ids of actions are new in each run.
    let stateful = ["running", "wrong-name-is-ignored", "complete"];
    for call in recordings::of("child-full") {
        if stateful.contains(&call.get("case")) || is_of_the_connector(&call) {
            continue;
        }
        let server = call.get("server").to_owned();
        if !connections.contains_key(&server) {
            let validate = if server.contains("Validate fails") {
                call.get("case").trim_start_matches("error-").to_owned()
            } else {
                String::new()
            };
            let router = services(every_service::connector(validate.leak()), true, true);
            connections.insert(server.clone(), Connection::of(router).await);
        }
        let mut connection = connections.remove(&server).unwrap();
        let outcome = replay(&mut connection, &call, &departures, &mut seen).await;
        if !server.contains("Validate fails") {
            connections.insert(server, connection);
        }
        replayed += 1;
        if let Err(failure) = outcome {
            failures.push(format!("{}: {failure}", call.name()));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(replayed > 190, "{replayed}");
    let unused: Vec<_> = departures
        .keys()
        .filter(|case| !seen.contains(**case))
        .collect();
    assert!(unused.is_empty(), "departures that are none: {unused:?}");
}

#[tokio::test(start_paused = true)]
async fn calls_to_the_stand_in() {
    let mut connections: BTreeMap<String, Connection> = BTreeMap::new();
    let mut failures = Vec::new();
    let mut replayed = 0;
    for call in recordings::of("child") {
        let server = call.get("server").to_owned();
        if is_of_the_connector(&call) || server.starts_with("limiter ") {
            continue;
        }
        if !connections.contains_key(&server) {
            let provisioning = server.contains("provisioning") || server.contains("create-account");
            let ticketing = server.contains("ticketing") || server.contains("ticket-schemas");
            let router = services(stand_in(), provisioning, ticketing);
            connections.insert(server.clone(), Connection::of(router).await);
        }
        let connection = connections.get_mut(&server).unwrap();
        let outcome = replay(connection, &call, &BTreeMap::new(), &mut BTreeSet::new()).await;
        replayed += 1;
        if let Err(failure) = outcome {
            failures.push(format!("{}: {failure}", call.name()));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(replayed > 310, "{replayed}");
}

#[tokio::test(start_paused = true)]
async fn a_gzip_request_is_answered_in_gzip() {
    let calls = recordings::of("child");
    let call = calls
        .iter()
        .find(|call| call.get("case") == "gzip")
        .unwrap();
    let mut connection = Connection::of(services(stand_in(), false, false)).await;
    let answer = connection.send(sent(call).unwrap()).await;
    assert_eq!(answer.headers["grpc-encoding"], "gzip");
    assert_eq!(answer.body[0], 1);
    assert!(answer.only_message().is_empty(), "a list without rows");
}
