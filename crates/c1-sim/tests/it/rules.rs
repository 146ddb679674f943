//! The rules of requests that only this service checks.

use baton_grpc::Method;
use baton_grpc::methods::connectorapi_v1::baton_service as methods;
use baton_proto::c1::connectorapi::baton::v1::baton_service_hello_request::{BuildInfo, OsInfo};
use baton_proto::c1::connectorapi::baton::v1::baton_service_upload_asset_request::{
    Msg, UploadData, UploadEof, UploadMetadata,
};
use baton_proto::c1::connectorapi::baton::v1::*;
use c1_sim::Simulator;
use prost::Message;
use prost_types::Any;

use crate::client::{Client, HOST, config, failure, hello, id, success};

/// A request that breaks one rule, with the text of the answer.
struct Broken {
    request: Vec<u8>,
    call: Kind,
    text: String,
}

#[derive(Clone, Copy)]
enum Kind {
    Hello,
    GetTask,
    GetTasks,
    Heartbeat,
    Upload,
    Finish,
}

fn broken<M: Message>(call: Kind, request: &M, text: impl Into<String>) -> Broken {
    let request = crate::client::framed(request);
    let text = text.into();
    Broken {
        request,
        call,
        text,
    }
}

const TOO_LONG: &str = "value length must be at most 256 runes";
const NO_HOST: &str = "value length must be between 1 and 256 runes, inclusive";
const NO_ID: &str = "value does not match regex pattern \"^[a-zA-Z0-9]{27}$\"";
const TOO_MANY: &str = "value must contain no more than 16 item(s)";
const EMBEDDED: &str = "embedded message failed validation | caused by: invalid ";

/// A text field of a message.
type Of<T> = fn(&mut T) -> &mut String;

fn many() -> Vec<Any> {
    vec![Any::default(); 17]
}

fn hellos() -> Vec<Broken> {
    let mut all = Vec::new();
    let mut add = |change: &dyn Fn(&mut BatonServiceHelloRequest), text: String| {
        let mut request = hello(HOST, "");
        change(&mut request);
        all.push(broken(
            Kind::Hello,
            &request,
            format!("invalid BatonServiceHelloRequest{text}"),
        ));
    };
    let long = || "x".repeat(257);
    add(&|r| r.host_id.clear(), format!(".HostId: {NO_HOST}"));
    add(&|r| r.host_id = long(), format!(".HostId: {NO_HOST}"));
    // The pattern of the task id matches the empty end of any text.
    add(
        &|r| r.connector_metadata = None,
        ".ConnectorMetadata: value is required".to_owned(),
    );
    add(
        &|r| r.annotations = many(),
        format!(".Annotations: {TOO_MANY}"),
    );
    let build: [(Of<BuildInfo>, &str); 3] = [
        (|b| &mut b.lang_version, "LangVersion"),
        (|b| &mut b.package, "Package"),
        (|b| &mut b.package_version, "PackageVersion"),
    ];
    for (field, name) in build {
        let text =
            format!(".BuildInfo: {EMBEDDED}BatonServiceHelloRequest_BuildInfo.{name}: {TOO_LONG}");
        add(&|r| *field(r.build_info.as_mut().unwrap()) = long(), text);
    }
    let system: [(Of<OsInfo>, &str); 8] = [
        (|o| &mut o.hostname, "Hostname"),
        (|o| &mut o.os, "Os"),
        (|o| &mut o.platform, "Platform"),
        (|o| &mut o.platform_version, "PlatformVersion"),
        (|o| &mut o.platform_family, "PlatformFamily"),
        (|o| &mut o.kernel_version, "KernelVersion"),
        (|o| &mut o.kernel_arch, "KernelArch"),
        (|o| &mut o.virtualization_system, "VirtualizationSystem"),
    ];
    for (field, name) in system {
        let text = format!(".OsInfo: {EMBEDDED}BatonServiceHelloRequest_OSInfo.{name}: {TOO_LONG}");
        add(&|r| *field(r.os_info.as_mut().unwrap()) = long(), text);
    }
    all
}

fn polls() -> Vec<Broken> {
    let host_id = String::new();
    let text = format!("invalid BatonServiceGetTaskRequest.HostId: {NO_HOST}");
    let single = BatonServiceGetTaskRequest { host_id };
    let mut all = vec![broken(Kind::GetTask, &single, text)];
    let right = BatonServiceGetTasksRequest {
        host_id: HOST.to_owned(),
        page_size: 1,
        ..BatonServiceGetTasksRequest::default()
    };
    let mut add = |change: &dyn Fn(&mut BatonServiceGetTasksRequest), text: String| {
        let mut request = right.clone();
        change(&mut request);
        let text = format!("invalid BatonServiceGetTasksRequest.{text}");
        all.push(broken(Kind::GetTasks, &request, text));
    };
    add(&|r| r.host_id.clear(), format!("HostId: {NO_HOST}"));
    let range = "PageSize: value must be inside range (0, 100]";
    add(&|r| r.page_size = 0, range.to_owned());
    add(&|r| r.page_size = 101, range.to_owned());
    let bad = || vec![id("a"), "short".to_owned()];
    add(
        &|r| r.known_task_ids = bad(),
        format!("KnownTaskIds[1]: {NO_ID}"),
    );
    add(
        &|r| r.annotations = many(),
        format!("Annotations: {TOO_MANY}"),
    );
    all
}

fn heartbeats() -> Vec<Broken> {
    let mut all = Vec::new();
    let right = BatonServiceHeartbeatRequest {
        host_id: HOST.to_owned(),
        task_id: id("a"),
        ..BatonServiceHeartbeatRequest::default()
    };
    let mut add = |change: &dyn Fn(&mut BatonServiceHeartbeatRequest), text: String| {
        let mut request = right.clone();
        change(&mut request);
        let text = format!("invalid BatonServiceHeartbeatRequest.{text}");
        all.push(broken(Kind::Heartbeat, &request, text));
    };
    add(&|r| r.host_id.clear(), format!("HostId: {NO_HOST}"));
    add(&|r| r.task_id.clear(), format!("TaskId: {NO_ID}"));
    add(
        &|r| r.annotations = many(),
        format!("Annotations: {TOO_MANY}"),
    );
    let many_ids = || vec![id("a"); 101];
    let text = "TaskIds: value must contain no more than 100 item(s)";
    add(&|r| r.task_ids = many_ids(), text.to_owned());
    add(
        &|r| r.task_ids = vec!["-".repeat(27)],
        format!("TaskIds[0]: {NO_ID}"),
    );
    all
}

fn finishes() -> Vec<Broken> {
    use baton_service_finish_task_request::FinalState;

    let mut all = Vec::new();
    let mut add = |request: BatonServiceFinishTaskRequest, text: String| {
        let text = format!("invalid BatonServiceFinishTaskRequest.{text}");
        all.push(broken(Kind::Finish, &request, text));
    };
    add(success("", &id("a"), None), format!("HostId: {NO_HOST}"));
    add(success(HOST, "a", None), format!("TaskId: {NO_ID}"));
    let mut request = success(HOST, &id("a"), None);
    request.final_state = None;
    add(request, "FinalState: value is required".to_owned());
    let mut request = success(HOST, &id("a"), None);
    if let Some(FinalState::Success(success)) = &mut request.final_state {
        success.annotations = many();
    }
    let of = |name| {
        let inner = "BatonServiceFinishTaskRequest_";
        format!("{name}: {EMBEDDED}{inner}{name}.Annotations: {TOO_MANY}")
    };
    add(request, of("Success"));
    let mut request = failure(HOST, &id("a"), 2);
    if let Some(FinalState::Error(error)) = &mut request.final_state {
        error.annotations = many();
    }
    add(request, of("Error"));
    all
}

fn uploads() -> Vec<Broken> {
    let mut all = Vec::new();
    let mut add = |msg: Option<Msg>, text: String| {
        let request = BatonServiceUploadAssetRequest { msg };
        let text = format!("invalid BatonServiceUploadAssetRequest.{text}");
        all.push(broken(Kind::Upload, &request, text));
    };
    let metadata = |host: &str, task: &str, annotations| {
        Some(Msg::Metadata(UploadMetadata {
            host_id: host.to_owned(),
            task_id: task.to_owned(),
            annotations,
        }))
    };
    let of = |arm: &str, message: &str, rest: &str| {
        format!("{arm}: {EMBEDDED}BatonServiceUploadAssetRequest_{message}.{rest}")
    };
    add(None, "Msg: value is required".to_owned());
    let head = |rest: String| of("Metadata", "UploadMetadata", &rest);
    add(
        metadata("", &id("a"), Vec::new()),
        head(format!("HostId: {NO_HOST}")),
    );
    add(
        metadata(HOST, "a", Vec::new()),
        head(format!("TaskId: {NO_ID}")),
    );
    add(
        metadata(HOST, &id("a"), many()),
        head(format!("Annotations: {TOO_MANY}")),
    );
    let size = "Data: value length must be between 1 and 1048576 bytes, inclusive";
    for bytes in [0, 1_048_577] {
        let data = Some(Msg::Data(UploadData {
            data: vec![0; bytes],
        }));
        add(data, of("Data", "UploadData", size));
    }
    let end = |bytes, annotations| {
        Some(Msg::Eof(UploadEof {
            sha256_checksum: vec![0; bytes],
            annotations,
        }))
    };
    let length = "Sha256Checksum: value length must be 32 bytes";
    add(end(31, Vec::new()), of("Eof", "UploadEOF", length));
    add(
        end(32, many()),
        of("Eof", "UploadEOF", &format!("Annotations: {TOO_MANY}")),
    );
    all
}

async fn answer<Q, A: Message + Default>(
    client: &mut Client,
    method: Method<Q, A>,
    body: Vec<u8>,
) -> (i32, String) {
    match client.call_with(method, body).await {
        crate::client::Outcome::Status(status) => status,
        _ => panic!("{} took it", method.path()),
    }
}

#[tokio::test(start_paused = true)]
async fn every_rule_is_answered_with_its_text_and_noted() {
    let all = [hellos(), polls(), heartbeats(), finishes(), uploads()];
    let all = all.into_iter().flatten();
    let simulator = Simulator::new(config());
    let mut client = Client::greeted(&simulator).await;
    for (number, broken) in all.enumerate() {
        let body = broken.request;
        let client = &mut client;
        let answered = match broken.call {
            Kind::Hello => answer(client, methods::HELLO, body).await,
            Kind::GetTask => answer(client, methods::GET_TASK, body).await,
            Kind::GetTasks => answer(client, methods::GET_TASKS, body).await,
            Kind::Heartbeat => answer(client, methods::HEARTBEAT, body).await,
            Kind::Upload => answer(client, methods::UPLOAD_ASSET, body).await,
            Kind::Finish => answer(client, methods::FINISH_TASK, body).await,
        };
        assert_eq!(answered, (3, broken.text.clone()));
        let noted = simulator.verdict().into_iter();
        let noted = noted.filter(|complaint| complaint.text.contains(" rule: "));
        let noted: Vec<_> = noted.collect();
        assert_eq!(noted.len(), number + 1);
        let text = format!("the request breaks a rule: {}", broken.text);
        assert_eq!(noted[number].text, text);
    }
}
