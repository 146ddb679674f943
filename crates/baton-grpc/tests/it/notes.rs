//! Notes on pages are for clients that request them.

use std::sync::Arc;

use baton_connector::v2::{
    GrantsServiceListGrantsRequest as ListGrants, GrantsServiceListGrantsResponse as Listed,
    Resource, ResourceId,
};
use baton_grpc::{ConnectorSettings, Limiter, MemorySessions, connector_services};
use http::HeaderValue;
use prost::Message;

use crate::every_service;
use crate::raw::{Connection, framed, request};

const NOTES: &str = "type.googleapis.com/baton.rust.v1.PageNotes";

/// The types of the annotations of a page that has notes, requested with a header of
/// this value.
async fn annotations(header: Option<&'static str>) -> Vec<String> {
    let settings = ConnectorSettings {
        provisioning: false,
        ticketing: false,
        limiter: Limiter::default(),
        sessions: Arc::new(MemorySessions::new()),
        client_secret: None,
    };
    let router = connector_services(every_service::connector(""), settings);
    let id = ResourceId {
        resource_type: "role".to_owned(),
        resource: "noted".to_owned(),
        ..ResourceId::default()
    };
    let message = ListGrants {
        resource: Some(Resource {
            id: Some(id),
            ..Resource::default()
        }),
        ..ListGrants::default()
    };
    let path = "/c1.connector.v2.GrantsService/ListGrants";
    let mut request = request(path, framed(&message.encode_to_vec()));
    if let Some(header) = header {
        let value = HeaderValue::from_static(header);
        request.headers_mut().insert("baton-page-notes", value);
    }
    let answer = Connection::of(router).await.send(request).await;
    assert_eq!(answer.code(), 0);
    let page = Listed::decode(answer.only_message().as_slice()).unwrap();
    assert_eq!(page.list.len(), 1);
    let types = page.annotations.into_iter().map(|entry| entry.type_url);
    types.collect()
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_request_notes_gets_none() {
    assert_eq!(annotations(None).await, Vec::<String>::new());
    assert_eq!(annotations(Some("2")).await, Vec::<String>::new());
    assert_eq!(annotations(Some("1")).await, [NOTES]);
}
