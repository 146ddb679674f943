//! A client that sends what a test wants, over a stream in memory.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use baton_grpc::Method;
use baton_grpc::methods::connectorapi_v1::baton_service as methods;
use baton_proto::c1::connector::v2::ConnectorMetadata;
use baton_proto::c1::connectorapi::baton::v1::baton_service_finish_task_request::{
    Error as Failure, FinalState, Success,
};
use baton_proto::c1::connectorapi::baton::v1::baton_service_hello_request::{BuildInfo, OsInfo};
use baton_proto::c1::connectorapi::baton::v1::baton_service_upload_asset_request::{
    Msg, UploadData, UploadEof, UploadMetadata,
};
use baton_proto::c1::connectorapi::baton::v1::*;
use bytes::Bytes;
use c1_sim::{ClientKey, Config, Simulator};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use prost_types::Any;
use sha2::{Digest as _, Sha256};

pub(crate) const ID: &str = "test-client@tenant.test/valet";
pub(crate) const HOST: &str = "host-1";
/// Seconds since the epoch at the start of every test.
pub(crate) const START: i64 = 1_796_000_000;

pub(crate) fn key() -> ClientKey {
    ClientKey::from_seed([7; 32]).unwrap()
}

pub(crate) fn config() -> Config {
    let start = jiff::Timestamp::from_second(START).unwrap();
    Config::new(ID, &key(), start).unwrap()
}

/// A task id from a short name.
pub(crate) fn id(name: &str) -> String {
    format!("{name:0<27}")
}

/// A status: code and text.
pub(crate) type Refusal = (i32, String);

/// What a call came to.
#[derive(Debug)]
pub(crate) enum Outcome<A> {
    Answer(A),
    Status(Refusal),
    /// An HTTP status, without a status of gRPC.
    Http(u16),
    /// No answer: the stream or the connection ended.
    Broken(hyper::Error),
    /// A message that cannot be decoded.
    Undecodable,
}

impl<A: std::fmt::Debug> Outcome<A> {
    pub(crate) fn answer(self) -> A {
        match self {
            Self::Answer(answer) => answer,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn refusal(self) -> Refusal {
        match self {
            Self::Status(status) => status,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn broken(self) -> hyper::Error {
        match self {
            Self::Broken(error) => error,
            other => panic!("{other:?}"),
        }
    }
}

/// The parts of an assertion; a test changes some.
pub(crate) struct Assertion {
    pub(crate) header: serde_json::Value,
    pub(crate) claims: serde_json::Value,
    pub(crate) key: ClientKey,
}

impl Assertion {
    /// A correct one, made at `now`.
    pub(crate) fn at(now: i64, nonce: u128) -> Self {
        Self {
            header: serde_json::json!({"alg": "EdDSA", "nonce": format!("{nonce:032x}")}),
            claims: serde_json::json!({
                "iss": ID, "sub": ID, "aud": "tenant.test",
                "iat": now, "nbf": now - 120, "exp": now + 120,
            }),
            key: key(),
        }
    }

    pub(crate) fn text(&self) -> String {
        let [header, claims] =
            [&self.header, &self.claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let signed = format!("{header}.{claims}");
        let signature = self.key.sign(signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    pub(crate) fn request(&self) -> Request<Bytes> {
        form(&[
            ("client_id", ID),
            ("grant_type", "client_credentials"),
            (
                "client_assertion_type",
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            ),
            ("client_assertion", &self.text()),
        ])
    }
}

pub(crate) fn form(fields: &[(&str, &str)]) -> Request<Bytes> {
    let body = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish();
    Request::post("https://tenant.test/auth/v1/token")
        .header("content-type", "application/x-www-form-urlencoded")
        .header(
            "user-agent",
            "baton-c1-credential-provider baton-sdk/v0.25.0",
        )
        .body(body.into())
        .unwrap()
}

/// A connection with a token.
pub(crate) struct Client {
    pub(crate) simulator: Simulator,
    sender: SendRequest<Full<Bytes>>,
    pub(crate) authorization: Option<String>,
    pub(crate) agent: String,
    pub(crate) host: String,
    /// `grpc-timeout`.
    pub(crate) timeout: Option<String>,
}

impl Client {
    /// Connects, without a token.
    pub(crate) async fn connect(simulator: &Simulator) -> Self {
        let (near, far) = tokio::io::duplex(1 << 16);
        let serving = simulator.clone();
        tokio::spawn(async move { serving.serve_stream(far).await });
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .handshake(TokioIo::new(near))
            .await
            .unwrap();
        tokio::spawn(connection);
        Self {
            simulator: simulator.clone(),
            sender,
            authorization: None,
            agent: "test-client baton-sdk/v0.25.0".to_owned(),
            host: HOST.to_owned(),
            timeout: None,
        }
    }

    /// Connects and gets a token.
    pub(crate) async fn with_token(simulator: &Simulator) -> Self {
        let mut client = Self::connect(simulator).await;
        client.renew().await;
        client
    }

    /// Connects, gets a token and says Hello.
    pub(crate) async fn greeted(simulator: &Simulator) -> Self {
        let mut client = Self::with_token(simulator).await;
        client.hello("").await.answer();
        client
    }

    /// Asks for a token.
    pub(crate) async fn renew(&mut self) {
        // Every request of a test has a nonce of its own.
        static NONCE: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1 << 40);
        let nonce = NONCE.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let now = START + i64::try_from(self.elapsed().as_secs()).unwrap();
        let request = Assertion::at(now, nonce.into()).request();
        let response = self.simulator.token(request).await.unwrap();
        assert_eq!(response.status(), 200, "{:?}", response.body());
        let body: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
        let token = body["access_token"].as_str().unwrap();
        self.authorization = Some(format!("Bearer {token}"));
    }

    fn elapsed(&self) -> Duration {
        let date = self.simulator.clock().now();
        Duration::from_secs((date.as_second() - START).unsigned_abs())
    }

    pub(crate) async fn send(
        &mut self,
        path: &str,
        body: Vec<u8>,
    ) -> hyper::Result<Response<hyper::body::Incoming>> {
        let mut request = Request::post(format!("https://tenant.test{path}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("user-agent", &self.agent);
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        if let Some(timeout) = &self.timeout {
            request = request.header("grpc-timeout", timeout);
        }
        let request = request.body(Full::new(Bytes::from(body))).unwrap();
        self.sender.send_request(request).await
    }

    pub(crate) async fn call_with<Q, A: Message + Default>(
        &mut self,
        method: Method<Q, A>,
        body: Vec<u8>,
    ) -> Outcome<A> {
        let response = match self.send(method.path(), body).await {
            Ok(response) => response,
            Err(error) => return Outcome::Broken(error),
        };
        let (parts, body) = response.into_parts();
        let body = match body.collect().await {
            Ok(body) => body,
            Err(error) => return Outcome::Broken(error),
        };
        let trailers = body.trailers().cloned().unwrap_or_default();
        let of = |name| trailers.get(name).or_else(|| parts.headers.get(name));
        let Some(status) = of("grpc-status") else {
            return Outcome::Http(parts.status.as_u16());
        };
        let code = status.to_str().unwrap().parse().unwrap();
        if code != 0 {
            let text = of("grpc-message").map_or(&b""[..], |text| text.as_bytes());
            let text = percent_encoding::percent_decode(text).decode_utf8_lossy();
            return Outcome::Status((code, text.into_owned()));
        }
        let bytes = body.to_bytes();
        let length = u32::from_be_bytes(bytes[1..5].try_into().unwrap()) as usize;
        assert_eq!(bytes.len(), length + 5);
        match A::decode(&bytes[5..]) {
            Ok(answer) => Outcome::Answer(answer),
            Err(_) => Outcome::Undecodable,
        }
    }

    pub(crate) async fn call<Q: Message, A: Message + Default>(
        &mut self,
        method: Method<Q, A>,
        request: &Q,
    ) -> Outcome<A> {
        self.call_with(method, framed(request)).await
    }

    pub(crate) async fn hello(&mut self, task: &str) -> Outcome<BatonServiceHelloResponse> {
        let request = hello(&self.host, task);
        self.call(methods::HELLO, &request).await
    }

    pub(crate) async fn get_task(&mut self) -> Outcome<BatonServiceGetTaskResponse> {
        let host_id = self.host.clone();
        self.call(methods::GET_TASK, &BatonServiceGetTaskRequest { host_id })
            .await
    }

    pub(crate) async fn get_tasks(
        &mut self,
        page_size: u32,
        known: &[&str],
    ) -> Outcome<BatonServiceGetTasksResponse> {
        let request = BatonServiceGetTasksRequest {
            host_id: self.host.clone(),
            page_size,
            known_task_ids: known.iter().map(ToString::to_string).collect(),
            annotations: Vec::new(),
        };
        self.call(methods::GET_TASKS, &request).await
    }

    pub(crate) async fn heartbeat(&mut self, task: &str) -> Outcome<BatonServiceHeartbeatResponse> {
        let request = BatonServiceHeartbeatRequest {
            host_id: self.host.clone(),
            task_id: task.to_owned(),
            ..BatonServiceHeartbeatRequest::default()
        };
        self.call(methods::HEARTBEAT, &request).await
    }

    pub(crate) async fn finish(
        &mut self,
        request: &BatonServiceFinishTaskRequest,
    ) -> Outcome<BatonServiceFinishTaskResponse> {
        self.call(methods::FINISH_TASK, request).await
    }

    pub(crate) async fn succeed(&mut self, task: &str) -> Outcome<BatonServiceFinishTaskResponse> {
        let request = success(&self.host, task, None);
        self.finish(&request).await
    }

    pub(crate) async fn fail(&mut self, task: &str) -> Outcome<BatonServiceFinishTaskResponse> {
        let request = failure(&self.host, task, 2);
        self.finish(&request).await
    }

    pub(crate) async fn upload(
        &mut self,
        messages: &[Msg],
    ) -> Outcome<BatonServiceUploadAssetResponse> {
        let body = messages.iter().flat_map(|message| {
            let msg = Some(message.clone());
            framed(&BatonServiceUploadAssetRequest { msg })
        });
        self.call_with(methods::UPLOAD_ASSET, body.collect()).await
    }

    pub(crate) async fn upload_file(
        &mut self,
        task: &str,
        file: &[u8],
    ) -> Outcome<BatonServiceUploadAssetResponse> {
        let messages = file_messages(&self.host, task, file);
        self.upload(&messages).await
    }
}

pub(crate) fn framed<M: Message>(message: &M) -> Vec<u8> {
    let bytes = message.encode_to_vec();
    let length = u32::try_from(bytes.len()).unwrap();
    [&[0], &length.to_be_bytes()[..], &bytes].concat()
}

pub(crate) fn hello(host: &str, task: &str) -> BatonServiceHelloRequest {
    let text = || "text".to_owned();
    BatonServiceHelloRequest {
        host_id: host.to_owned(),
        task_id: task.to_owned(),
        build_info: Some(BuildInfo {
            lang_version: text(),
            package: text(),
            package_version: text(),
        }),
        os_info: Some(OsInfo {
            hostname: text(),
            os: text(),
            platform: text(),
            platform_version: text(),
            platform_family: text(),
            kernel_version: text(),
            kernel_arch: text(),
            virtualization_system: text(),
        }),
        connector_metadata: Some(ConnectorMetadata {
            display_name: text(),
            ..ConnectorMetadata::default()
        }),
        annotations: Vec::new(),
    }
}

pub(crate) fn success(
    host: &str,
    task: &str,
    response: Option<Any>,
) -> BatonServiceFinishTaskRequest {
    BatonServiceFinishTaskRequest {
        host_id: host.to_owned(),
        task_id: task.to_owned(),
        status: None,
        final_state: Some(FinalState::Success(Success {
            annotations: Vec::new(),
            response,
        })),
    }
}

pub(crate) fn failure(host: &str, task: &str, code: i32) -> BatonServiceFinishTaskRequest {
    BatonServiceFinishTaskRequest {
        host_id: host.to_owned(),
        task_id: task.to_owned(),
        status: Some(baton_proto::google::rpc::Status {
            code,
            message: "failed".to_owned(),
            details: Vec::new(),
        }),
        final_state: Some(FinalState::Error(Failure::default())),
    }
}

pub(crate) fn metadata(host: &str, task: &str) -> Msg {
    Msg::Metadata(UploadMetadata {
        host_id: host.to_owned(),
        task_id: task.to_owned(),
        annotations: Vec::new(),
    })
}

pub(crate) fn data(bytes: &[u8]) -> Msg {
    Msg::Data(UploadData {
        data: bytes.to_vec(),
    })
}

pub(crate) fn end(file: &[u8]) -> Msg {
    Msg::Eof(UploadEof {
        sha256_checksum: Sha256::digest(file).to_vec(),
        annotations: Vec::new(),
    })
}

pub(crate) fn file_messages(host: &str, task: &str, file: &[u8]) -> Vec<Msg> {
    let mut messages = vec![metadata(host, task)];
    messages.extend(file.chunks(512 * 1024).map(data));
    messages.push(end(file));
    messages
}

/// The verdict, as lines.
pub(crate) fn verdict(simulator: &Simulator) -> Vec<String> {
    simulator
        .verdict_at_end()
        .iter()
        .map(ToString::to_string)
        .collect()
}
