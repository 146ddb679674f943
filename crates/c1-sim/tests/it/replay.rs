//! What the Go program sends in 209 recorded runs: the simulator accepts it, and notes what
//! is known to be wrong.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use baton_grpc::methods::connectorapi_v1::baton_service as methods;
use baton_grpc::{Method, Status};
use baton_proto::Code;
use baton_proto::c1::connectorapi::baton::v1::baton_service_upload_asset_request::Msg;
use baton_proto::c1::connectorapi::baton::v1::{
    BatonServiceUploadAssetRequest, BatonServiceUploadAssetResponse,
};
use c1_sim::{Action, Call, ClientKey, Config, Fault, Simulator};
use http::Request;
use prost::Message as _;
use serde::Deserialize;
use tokio::time::{Instant, sleep_until, timeout};

use crate::client::{Client, Outcome, data, end, framed};

const RECORDINGS: &[u8] = include_bytes!("../fixtures/recordings.jsonl.zst");
/// The key of the recordings, made from a public text.
const SECRET: &str = "secret-token:conductorone.com:v1:eyJrdHkiOiAiT0tQIiwgImNydiI6ICJFZDI1NTE5IiwgIngiOiAiZzNacGxUQXpnclpnaXpOUnBRQmU1QzFxbF84QlRaLXN3NDV1aTZ3VzI2cyIsICJkIjogIjk5cEVfeGNYa3hEdmNHWWVhWTN4Vk9iUy1yUzZadGM2TGJGSlV3anFrdFEifQ";

/// How long a call waits for an answer that may never come.
const LIMIT: Duration = Duration::from_millis(1);

#[derive(Deserialize)]
struct Recording {
    case: String,
    client_id: String,
    calls: Vec<Recorded>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Recorded {
    call: String,
    t: f64,
    headers: BTreeMap<String, String>,
    /// Of a token request.
    body: String,
    response_body: Option<String>,
    request: String,
    messages: Vec<Part>,
    status: Option<i32>,
    message: String,
    response: Option<String>,
    answer: Option<String>,
}

#[derive(Deserialize)]
struct Part {
    arm: String,
    #[serde(default)]
    request: String,
    #[serde(default)]
    bytes: usize,
}

fn recordings() -> Vec<Recording> {
    let text = zstd::decode_all(RECORDINGS).unwrap();
    let lines = text.split(|byte| *byte == b'\n');
    let lines = lines.filter(|line| !line.is_empty());
    lines
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// Seconds since the epoch at the start of a recording: from the first token request.
fn epoch(recording: &Recording) -> Option<f64> {
    let token = recording.calls.iter().find(|call| call.call == "Token")?;
    let mut fields = url::form_urlencoded::parse(token.body.as_bytes());
    let assertion = fields
        .find(|(name, _)| name == "client_assertion")
        .unwrap()
        .1;
    let claims = assertion.split('.').nth(1).unwrap();
    let claims = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, claims);
    let claims: serde_json::Value = serde_json::from_slice(&claims.unwrap()).unwrap();
    Some(claims["iat"].as_f64().unwrap() - token.t)
}

/// What the recording server answered, as a fault of the simulator.
fn recorded_answer(call: &Recorded) -> Option<Action> {
    if call.call == "Token" {
        return Some(match (call.status, &call.response_body) {
            (Some(status), Some(body)) => Action::TokenBody {
                status: u16::try_from(status).unwrap(),
                body: body.clone(),
            },
            _ => Action::Hang,
        });
    }
    if let Some(answer) = &call.answer {
        let number = answer.rsplit(' ').next().unwrap();
        return Some(match answer.split(' ').next().unwrap() {
            "HTTP" => Action::Http {
                status: number.parse().unwrap(),
                retry_after: None,
            },
            "RST_STREAM" => Action::ResetStream(number.parse().unwrap()),
            "connection" => Action::Drop,
            "raw" => Action::Huge(4_194_305),
            "none" => Action::Hang,
            other => panic!("{other}"),
        });
    }
    let polls_or_beats = matches!(call.call.as_str(), "GetTask" | "GetTasks" | "Heartbeat");
    match call.status {
        None => Some(Action::Hang),
        Some(0) if polls_or_beats => {
            let response = call.response.as_deref().unwrap_or_default();
            Some(Action::Message(unhex(response)))
        }
        Some(0) => None,
        Some(code) => {
            let code = Code::from_number(code).unwrap();
            Some(Action::Status(Status::new(code, call.message.clone())))
        }
    }
}

/// The messages of an upload, with content of the test.
fn upload(parts: &[Part]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut body = Vec::new();
    for part in parts {
        let message = match part.arm.as_str() {
            "metadata" => {
                let bytes = unhex(&part.request);
                let request = BatonServiceUploadAssetRequest::decode(bytes.as_slice()).unwrap();
                request.msg.unwrap()
            }
            "data" => {
                let chunk = vec![u8::try_from(file.len() % 251).unwrap(); part.bytes];
                file.extend_from_slice(&chunk);
                data(&chunk)
            }
            _ => end(&file),
        };
        let msg: Option<Msg> = Some(message);
        body.extend(framed(&BatonServiceUploadAssetRequest { msg }));
    }
    body
}

/// Replays a recording; gives what the simulator noted, and codes that differ.
async fn replay(recording: &Recording) -> Vec<String> {
    let Some(epoch) = epoch(recording) else {
        // The program ended before its first request.
        assert!(recording.calls.is_empty(), "{}", recording.case);
        return Vec::new();
    };
    let key = ClientKey::from_client_secret(SECRET).unwrap();
    let milliseconds = format!("{:.0}", epoch * 1000.0).parse().unwrap();
    let date = jiff::Timestamp::from_millisecond(milliseconds).unwrap();
    let simulator = Simulator::new(Config::new(&recording.client_id, &key, date).unwrap());
    let start = Instant::now();
    let mut counts: BTreeMap<Call, u64> = BTreeMap::new();
    let mut differ = Vec::new();
    for recorded in &recording.calls {
        sleep_until(start + Duration::from_secs_f64(recorded.t)).await;
        let call = Call::named(&recorded.call).unwrap();
        let nth = counts.entry(call).or_default();
        *nth += 1;
        let action = recorded_answer(recorded);
        let mut code = recorded.status;
        if let Some(action) = action {
            let hangs = action == Action::Hang;
            simulator.fault(Fault::nth(call, *nth, action)).unwrap();
            if hangs {
                code = None;
            }
        }
        let answered = send(&simulator, call, recorded).await;
        if let (Some(expected), Some(answered)) = (code, answered)
            && expected != answered
        {
            differ.push(format!(
                "{call} {nth}: answered {answered}; recorded {expected}"
            ));
        }
    }
    let noted = simulator.verdict_at_end();
    let noted = noted.iter().map(ToString::to_string);
    noted.chain(differ).collect()
}

/// Sends a recorded request; gives the code of the answer, if there is one.
async fn send(simulator: &Simulator, call: Call, recorded: &Recorded) -> Option<i32> {
    if call == Call::Token {
        let mut request = Request::post("https://localhost/auth/v1/token");
        for (name, value) in &recorded.headers {
            request = request.header(name, value);
        }
        let request = request.body(recorded.body.clone().into()).unwrap();
        let answer = timeout(LIMIT, simulator.token(request)).await.ok()?;
        return Some(answer.unwrap().status().as_u16().into());
    }
    let mut client = Client::connect(simulator).await;
    client.agent = recorded.headers["user-agent"].clone();
    client.authorization = Some(recorded.headers["authorization"].clone());
    let body = if call == Call::UploadAsset {
        upload(&recorded.messages)
    } else {
        let message = unhex(&recorded.request);
        let length = u32::try_from(message.len()).unwrap();
        [&[0], &length.to_be_bytes()[..], &message].concat()
    };
    // The path decides; the type of the answer does not matter here.
    let outcome = match call {
        Call::UploadAsset => timeout(LIMIT, client.call_with(methods::UPLOAD_ASSET, body)).await,
        Call::Hello => retyped(&mut client, methods::HELLO, body).await,
        Call::GetTask => retyped(&mut client, methods::GET_TASK, body).await,
        Call::GetTasks => retyped(&mut client, methods::GET_TASKS, body).await,
        Call::Heartbeat => retyped(&mut client, methods::HEARTBEAT, body).await,
        Call::FinishTask => retyped(&mut client, methods::FINISH_TASK, body).await,
        Call::Token | Call::StartDebugging => unreachable!("not recorded"),
    };
    match outcome {
        Ok(Outcome::Answer(_) | Outcome::Undecodable) => Some(0),
        Ok(Outcome::Status((code, _))) => Some(code),
        Ok(Outcome::Http(_) | Outcome::Broken(_)) | Err(_) => None,
    }
}

type Any = BatonServiceUploadAssetResponse;

async fn retyped<Q, A: prost::Message + Default>(
    client: &mut Client,
    method: Method<Q, A>,
    body: Vec<u8>,
) -> Result<Outcome<Any>, tokio::time::error::Elapsed> {
    timeout(LIMIT, client.call_with(method, body))
        .await
        .map(|outcome| match outcome {
            Outcome::Answer(_) => Outcome::Answer(Any::default()),
            Outcome::Status(status) => Outcome::Status(status),
            Outcome::Http(status) => Outcome::Http(status),
            Outcome::Broken(error) => Outcome::Broken(error),
            Outcome::Undecodable => Outcome::Undecodable,
        })
}

#[tokio::test(start_paused = true)]
async fn the_recordings_are_accepted_but_for_what_is_known() {
    let mut found = String::new();
    let recordings = recordings();
    assert_eq!(recordings.len(), 209);
    for recording in &recordings {
        for text in replay(recording).await {
            writeln!(found, "{}\t{text}", recording.case).unwrap();
        }
    }
    let known = include_str!("../fixtures/known.tsv");
    let missing: Vec<&str> = lines_without(known, &found);
    let new: Vec<&str> = lines_without(&found, known);
    assert_eq!((new, missing), (Vec::new(), Vec::new()));
}

/// The lines of one text that are not in the other.
fn lines_without<'a>(text: &'a str, other: &str) -> Vec<&'a str> {
    let others: Vec<&str> = other.lines().collect();
    text.lines().filter(|line| !others.contains(line)).collect()
}
