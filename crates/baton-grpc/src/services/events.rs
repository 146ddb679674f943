//! Event feeds.

use std::sync::Arc;

use baton_connector::Error;
use baton_proto::Code;
use baton_proto::c1::connector::v2;

use super::shared::Shared;
use super::texts::failed;
use crate::methods::connector_v2::event_service;
use crate::{Context, Router, Status};

/// The feed that a request without an id means.
const DEFAULT_FEED: &str = "baton_feed_event";

pub(crate) fn add(router: &mut Router, shared: &Arc<Shared>) {
    let of = Arc::clone(shared);
    router.read(event_service::LIST_EVENT_FEEDS, move |request, context| {
        let shared = Arc::clone(&of);
        async move { feeds(&shared, request, &context).await }
    });
    let of = Arc::clone(shared);
    router.read(event_service::LIST_EVENTS, move |request, context| {
        let shared = Arc::clone(&of);
        async move { events(&shared, request, &context).await }
    });
}

async fn feeds(
    shared: &Shared,
    request: v2::ListEventFeedsRequest,
    context: &Context,
) -> Result<v2::ListEventFeedsResponse, Status> {
    let list = match shared.connector.event_feeds() {
        None => Vec::new(),
        Some(feeds) => {
            let call = Shared::call(context, request.annotations);
            let listed = feeds.list_feeds(&call).await;
            listed.map_err(|error| failed("error: listing event feeds failed: ", &error))?
        }
    };
    Ok(v2::ListEventFeedsResponse {
        list,
        annotations: Vec::new(),
    })
}

async fn events(
    shared: &Shared,
    request: v2::ListEventsRequest,
    context: &Context,
) -> Result<v2::ListEventsResponse, Status> {
    let id = match request.event_feed_id.as_str() {
        "" => DEFAULT_FEED,
        id => id,
    };
    let unknown = || {
        let text = format!("error: event feed id {id} not found");
        Status::new(Code::NotFound, text)
    };
    let feeds = shared.connector.event_feeds().ok_or_else(unknown)?;
    let call = Shared::call(context, request.annotations.clone());
    feeds
        .list_events(&call, &request)
        .await
        .map_err(|error| match error {
            Error::UnknownEventFeed { .. } => unknown(),
            error => failed("error: listing events failed: ", &error),
        })
}
