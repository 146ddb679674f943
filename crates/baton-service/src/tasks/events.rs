//! Event feeds, and one page of events.

use baton_grpc::methods::connector_v2::event_service::{LIST_EVENT_FEEDS, LIST_EVENTS};
use baton_proto::c1::connector::v2;
use baton_proto::c1::connectorapi::baton::v1::task::ListEventsTask;

use super::Calls;
use super::answers::answered;
use crate::finish::{Failure, Outcome};

pub(crate) async fn list_feeds(calls: &Calls<'_>) -> Result<Outcome, Failure> {
    let request = v2::ListEventFeedsRequest::default();
    let mut answer = calls
        .call(LIST_EVENT_FEEDS, &request)
        .await
        .map_err(Failure::of)?;
    answer.annotations.clear();
    Ok(answered(&answer, Vec::new()))
}

pub(crate) async fn list(calls: &Calls<'_>, task: &ListEventsTask) -> Result<Outcome, Failure> {
    let request = v2::ListEventsRequest {
        cursor: task.cursor.clone(),
        start_at: task.start_at,
        page_size: task.page_size,
        annotations: Vec::new(),
        event_feed_id: task.event_feed_id.clone(),
    };
    let mut answer = calls
        .call(LIST_EVENTS, &request)
        .await
        .map_err(Failure::of)?;
    answer.annotations.clear();
    Ok(answered(&answer, Vec::new()))
}
