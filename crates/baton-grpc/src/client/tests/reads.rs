//! What reads send, and what comes of their answers.

use std::time::Duration;

use baton_connector::{
    Call, Code, Connector, Row, v2,
    v2::{
        EntitlementsServiceListEntitlementsRequest, GrantsServiceListGrantsRequest,
        ResourcesServiceListResourcesRequest, ResourcesServiceListResourcesResponse,
    },
};
use baton_proto::any;
use prost::Message as _;
use tokio_util::sync::CancellationToken;

use super::peer::{Answer, Reply, scripted};

fn id(kind: &str, id: &str) -> v2::ResourceId {
    v2::ResourceId {
        resource_type: kind.to_owned(),
        resource: id.to_owned(),
        ..v2::ResourceId::default()
    }
}

fn resource(kind: &str, name: &str) -> v2::Resource {
    v2::Resource {
        id: Some(id(kind, name)),
        ..v2::Resource::default()
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_has_its_rows_bytes_token_and_annotations() {
    let row = [resource("user", "u1").encode_to_vec(), vec![0xf8, 0x3f, 7]].concat();
    let note = any::pack(&v2::RateLimitDescription {
        limit: 7,
        ..v2::RateLimitDescription::default()
    });
    let mut answer = ResourcesServiceListResourcesResponse {
        list: Vec::new(),
        next_page_token: "p3".to_owned(),
        annotations: vec![note.clone()],
    }
    .encode_to_vec();
    answer.extend([0x0a, u8::try_from(row.len()).unwrap()]);
    answer.extend(&row);
    let (connector, log) = scripted(move |_| Reply::Answer(Answer::bytes(&answer)));
    let call = Call::alone().at("p2").with_page_size(1_000);
    let parent = id("group", "g1");
    let page = connector
        .list_resources(&call, "user", Some(&parent))
        .await
        .unwrap();
    assert_eq!(page.next.as_str(), "p3");
    assert_eq!(page.annotations, [note]);
    let rows: Vec<_> = page.into_rows().map(Row::into_parts).collect();
    assert_eq!(rows, [(resource("user", "u1"), Some(row))]);
    let seen = log.lock().unwrap().remove(0);
    assert_eq!(seen.path, "/c1.connector.v2.ResourcesService/ListResources");
    let request: ResourcesServiceListResourcesRequest = seen.decoded();
    assert_eq!(request.page_token, "p2");
    assert_eq!(request.page_size, 250, "the largest that the rules allow");
    assert_eq!(request.parent_resource_id, Some(parent));
    let header = |name| seen.headers.get(name).unwrap().to_str().unwrap();
    assert_eq!(header("content-type"), "application/grpc");
    assert_eq!(header("te"), "trailers");
    assert_eq!(header("grpc-accept-encoding"), "gzip");
    assert_eq!(header("grpc-timeout"), "1800000m");
    assert_eq!(header("baton-page-notes"), "1");
    assert!(header("user-agent").starts_with("baton-rust/"));
    assert!(!seen.headers.contains_key("grpc-encoding"));
}

#[tokio::test(start_paused = true)]
async fn a_list_of_a_type_sends_the_stub_and_the_marker() {
    let (connector, log) = scripted(|_| Reply::Answer(Answer::bytes(&[])));
    let call = Call::alone();
    connector.list_grants_of_type(&call, "role").await.unwrap();
    connector
        .list_entitlements_of_type(&call, "role")
        .await
        .unwrap();
    let log = log.lock().unwrap();
    let grants: GrantsServiceListGrantsRequest = log[0].decoded();
    assert_eq!(grants.resource, Some(resource("role", "role")));
    assert!(any::contains::<v2::TypeScopedGrants>(&grants.annotations));
    let entitlements: EntitlementsServiceListEntitlementsRequest = log[1].decoded();
    assert_eq!(entitlements.resource, Some(resource("role", "role")));
    assert!(any::contains::<v2::TypeScopedEntitlements>(
        &entitlements.annotations
    ));
}

#[tokio::test(start_paused = true)]
async fn the_same_token_again_is_an_error() {
    let answer = ResourcesServiceListResourcesResponse {
        next_page_token: "p2".to_owned(),
        ..ResourcesServiceListResourcesResponse::default()
    };
    let (connector, _) = scripted(move |_| Reply::message(&answer));
    let call = Call::alone();
    let first = connector.list_resources(&call, "user", None).await;
    assert_eq!(first.unwrap().next.as_str(), "p2");
    let error = connector
        .list_resources(&call.at("p2"), "user", None)
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "resources of type `user`: next page token unchanged (`p2`)"
    );
    assert_eq!(error.code(), Code::Internal);
}

#[tokio::test(start_paused = true)]
async fn a_resource_is_found_or_not_or_fails() {
    let (connector, _) = scripted(|seen| {
        let request: v2::ResourceGetterServiceGetResourceRequest = seen.decoded();
        match request.resource_id.unwrap().resource.as_str() {
            "there" => Reply::message(&v2::ResourceGetterServiceGetResourceResponse {
                resource: Some(resource("user", "there")),
                ..v2::ResourceGetterServiceGetResourceResponse::default()
            }),
            "gone" => Reply::error(5, "error: get resource returned nil"),
            "none" => Reply::Answer(Answer::bytes(&[])),
            _ => Reply::error(12, "error: get resource with unknown resource type user"),
        }
    });
    let call = Call::alone();
    let get = |name| {
        let (connector, call, id) = (&connector, &call, id("user", name));
        async move { connector.get_resource(call, &id, None).await }
    };
    let (found, bytes) = get("there").await.unwrap().unwrap().into_parts();
    assert_eq!(found, resource("user", "there"));
    assert_eq!(bytes, Some(found.encode_to_vec()));
    assert_eq!(get("gone").await.unwrap(), None);
    assert_eq!(get("none").await.unwrap(), None);
    let refused = get("else").await.unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented);
}

#[tokio::test(start_paused = true)]
async fn a_read_ends_at_once_when_it_is_to_stop() {
    let (connector, _) = scripted(|_| Reply::Silence);
    let stop = CancellationToken::new();
    let call = Call::alone().stopped_by(stop.clone());
    let began = tokio::time::Instant::now();
    let (read, ()) = tokio::join!(connector.list_resource_types(&call), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        stop.cancel();
    });
    assert_eq!(read.unwrap_err().code(), Code::Canceled);
    assert_eq!(began.elapsed(), Duration::from_secs(1));
}
