//! The recorded answers of Go children, read by our client.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use baton_connector::{Call, Connector, Error, Page, Row, v2};
use prost::Message;

use super::peer::{Answer, Reply, framed, scripted_channel};
use crate::client::{ClientSettings, RemoteConnector};
use crate::recordings::{Recorded, file, of};
use crate::transport::{Channel, Failure, Unary as _, Wire};

fn list(headers: Vec<(String, String)>) -> Vec<(std::borrow::Cow<'static, str>, String)> {
    let headers = headers
        .into_iter()
        .filter(|(name, _)| !name.starts_with(':'));
    headers.map(|(name, value)| (name.into(), value)).collect()
}

/// The calls of some folders, with the answer of each.
fn calls(folders: &[&'static str]) -> Vec<(Recorded, Option<&'static [u8]>)> {
    let with_answer = |folder: &'static str| {
        of(folder).into_iter().map(move |call| {
            let name = call.get("response_files");
            let answer = (!name.is_empty()).then(|| file(&format!("{folder}/{name}")));
            (call, answer)
        })
    };
    folders.iter().copied().flat_map(with_answer).collect()
}

fn headers(call: &Recorded, column: &str) -> Vec<(String, String)> {
    serde_json::from_str(call.get(column)).unwrap()
}

/// The index names the file of the details in place of its bytes.
fn with_details(call: &Recorded, mut headers: Vec<(String, String)>) -> Vec<(String, String)> {
    for (name, value) in &mut headers {
        if name == "grpc-status-details-bin" {
            *value = STANDARD_NO_PAD.encode(call.details().unwrap());
        }
    }
    headers
}

/// The answer of a call as it was on the wire; `None` for those that were not
/// stored, and for calls below gRPC.
fn answer(call: &Recorded, message: Option<&[u8]>) -> Option<Reply> {
    if call.get("form").starts_with("reset") {
        return Some(Reply::Reset(h2::Reason::CANCEL));
    }
    let (mut headers, mut trailers) = (headers(call, "headers"), headers(call, "trailers"));
    if call.get("form") == "trailers-only" {
        headers = std::mem::take(&mut trailers);
    }
    let is_ok = headers.contains(&(":status".to_owned(), "200".to_owned()));
    // Compressed answers are stored as the message that was in them.
    if !is_ok || headers.iter().any(|(name, _)| name == "grpc-encoding") {
        return None;
    }
    if call.get("form") == "headers+trailers" && message.is_none() {
        return None;
    }
    Some(Reply::Answer(Answer {
        status: 200,
        headers: list(with_details(call, headers)),
        data: message.iter().map(|bytes| framed(0, bytes)).collect(),
        trailers: (!trailers.is_empty()).then(|| list(with_details(call, trailers))),
        reset: None,
    }))
}

/// A channel whose peer gives the answers that are put into the slot.
fn replayed() -> (Channel, Arc<Mutex<Option<Reply>>>) {
    let slot: Arc<Mutex<Option<Reply>>> = Arc::default();
    let next = Arc::clone(&slot);
    let (channel, _) = scripted_channel(move |_| next.lock().unwrap().take().unwrap());
    (channel, slot)
}

#[tokio::test(start_paused = true)]
async fn every_recorded_answer_is_read_as_it_was_sent() {
    let (channel, slot) = replayed();
    let wire = Wire::new(channel, 64 << 20, None);
    let mut read = 0;
    let mut with_details = 0;
    for (call, message) in calls(&["child", "child-full", "session-server"]) {
        let Some(reply) = answer(&call, message) else {
            continue;
        };
        *slot.lock().unwrap() = Some(reply);
        let path = "/any.Service/Method";
        let answered = wire.call(path, bytes::Bytes::new(), Duration::from_mins(1));
        let name = call.name();
        let code = call.code();
        match answered.await {
            Ok(answered) => {
                assert_eq!(code, Some(0), "{name}");
                assert_eq!(Some(&answered[..]), message, "{name}");
            }
            Err(Failure::Answered(status)) => {
                assert_eq!(Some(status.code.as_u8()), code, "{name}");
                assert_eq!(status.message, call.message(), "{name}");
                let details = call.details().map(|bytes| {
                    let status = baton_proto::google::rpc::Status::decode(bytes).unwrap();
                    assert_eq!(status.message, call.message(), "{name}");
                    status.details
                });
                with_details += usize::from(details.is_some());
                assert_eq!(status.details, details.unwrap_or_default(), "{name}");
            }
            Err(Failure::Broken(broken)) => {
                // A stream without messages, and those that Go reset.
                let reset = call.get("form").starts_with("reset");
                assert!(reset || call.get("method") == "GetAsset", "{name}");
                if reset {
                    assert_eq!(broken.code, baton_proto::Code::Canceled, "{name}");
                }
            }
        }
        read += 1;
    }
    assert!(read > 550, "{read} answers");
    assert!(with_details >= 19, "{with_details} with details");
}

/// What a list answered, as messages.
struct Expected<T> {
    list: Vec<T>,
    next: String,
    annotations: Vec<prost_types::Any>,
}

fn check<T>(name: &str, page: baton_connector::Result<Page<T>>, expected: Option<Expected<T>>)
where
    T: Message + Default + PartialEq + std::fmt::Debug,
{
    match (page, expected) {
        (Ok(page), Some(expected)) => {
            assert_eq!(page.next.as_str(), expected.next, "{name}");
            assert_eq!(page.annotations, expected.annotations, "{name}");
            let rows: Vec<_> = page.into_rows().map(Row::into_parts).collect();
            for ((row, bytes), expected) in rows.iter().zip(&expected.list) {
                assert_eq!(row, expected, "{name}");
                let again = T::decode(bytes.as_deref().unwrap()).unwrap();
                assert_eq!(&again, expected, "{name}");
            }
            assert_eq!(rows.len(), expected.list.len(), "{name}");
        }
        // Go adds its own text for this; only a server without the check shows it.
        (Err(Error::TokenUnchanged { .. }), Some(_)) | (Err(Error::Remote(_)), None) => {}
        (Err(error), _) => panic!("{name}: {error:?}"),
        (Ok(_), None) => panic!("{name}: no error"),
    }
}

#[tokio::test(start_paused = true)]
async fn recorded_lists_give_the_same_rows_tokens_and_annotations() {
    let (channel, slot) = replayed();
    let connector = RemoteConnector::new(channel, ClientSettings::new("peer"));
    let of = Call::alone();
    let resource = v2::Resource::default();
    let mut lists = 0;
    for (call, message) in calls(&["child", "child-full"]) {
        let is_reset = call.get("form").starts_with("reset");
        let Some(reply) = answer(&call, message).filter(|_| !is_reset) else {
            continue;
        };
        let name = call.name();
        *slot.lock().unwrap() = Some(reply);
        macro_rules! expect {
            ($response:ident, $page:expr) => {{
                let response = message.map(|bytes| v2::$response::decode(bytes).unwrap());
                let expected = response.map(|response| Expected {
                    list: response.list,
                    next: response.next_page_token,
                    annotations: response.annotations,
                });
                check(&name, $page.await, expected);
            }};
        }
        match call.get("method") {
            "ListResourceTypes" => expect!(
                ResourceTypesServiceListResourceTypesResponse,
                connector.list_resource_types(&of)
            ),
            "ListResources" => expect!(
                ResourcesServiceListResourcesResponse,
                connector.list_resources(&of, "user", None)
            ),
            "ListStaticEntitlements" => expect!(
                EntitlementsServiceListStaticEntitlementsResponse,
                connector.list_static_entitlements(&of, "user")
            ),
            "ListEntitlements" => expect!(
                EntitlementsServiceListEntitlementsResponse,
                connector.list_entitlements(&of, &resource)
            ),
            "ListGrants" => expect!(
                GrantsServiceListGrantsResponse,
                connector.list_grants(&of, &resource)
            ),
            "ListTicketSchemas" => expect!(
                TicketsServiceListTicketSchemasResponse,
                connector.tickets().unwrap().list_schemas(&of)
            ),
            _ => continue,
        }
        lists += 1;
    }
    assert!(lists > 150, "{lists} lists");
}
