//! Event feeds: the author's side and the engine's side.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use baton_proto::Code;
use baton_proto::c1::connector::v2;
use prost_types::{Any, Timestamp};

use crate::call::Call;
use crate::error::{Error, Result};

/// The id of a request that names no feed.
const DEFAULT_FEED: &str = "baton_feed_event";
/// Longest id of a feed, in bytes.
const MAX_ID_BYTES: usize = 1024;
/// Longest cursor, in bytes.
pub const MAX_EVENT_CURSOR_BYTES: usize = 4096;
/// Most events that a request can ask for.
pub const MAX_EVENTS_PER_PAGE: u32 = 1000;

/// Where a page of events begins.
#[derive(Debug, Clone, Copy)]
pub struct EventRequest<'a> {
    /// The cursor of the page before; `None` for the first page.
    pub cursor: Option<&'a str>,
    /// The earliest event that is wanted, the same on every page; `None` leaves
    /// it to the feed.
    pub start_at: Option<&'a Timestamp>,
    /// Most events that are wanted, at most [`MAX_EVENTS_PER_PAGE`]; `None`
    /// leaves it to the feed.
    pub page_size: Option<u32>,
}

/// A page of events.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EventPage {
    /// The events, in the order of the feed.
    pub events: Vec<v2::Event>,
    /// Where the next page begins, also after the last event. At most
    /// [`MAX_EVENT_CURSOR_BYTES`].
    pub cursor: String,
    /// There are more events now. Without it the reader has caught up, keeps the
    /// cursor, and asks again later.
    pub has_more: bool,
    /// Annotations of the answer.
    pub annotations: Vec<Any>,
}

/// A list of events that grows. Registered with
/// [`Types::event_feed`](crate::Types::event_feed).
///
/// A feed has no memory: its reader keeps the cursor. An event may come more than
/// once, with the same id.
#[async_trait]
pub trait EventFeed: Send + Sync {
    /// The next events.
    ///
    /// # Errors
    /// Code `InvalidArgument` for a cursor that is not one of this feed.
    async fn events(&self, call: &Call, request: &EventRequest<'_>) -> Result<EventPage>;
}

/// Event feeds, as an engine asks for them: `EventService`.
#[async_trait]
pub trait EventFeeds: Send + Sync {
    /// The feeds, sorted by id.
    async fn list_feeds(&self, call: &Call) -> Result<Vec<v2::EventFeedMetadata>>;

    /// A page of events of one feed.
    ///
    /// # Errors
    /// Code `NotFound` for an unknown feed.
    async fn list_events(
        &self,
        call: &Call,
        request: &v2::ListEventsRequest,
    ) -> Result<v2::ListEventsResponse>;
}

/// The feeds of a connector.
#[derive(Clone, Default)]
pub(crate) struct Feeds(BTreeMap<String, (v2::EventFeedMetadata, Arc<dyn EventFeed>)>);

impl Feeds {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a feed whose metadata was checked.
    pub(crate) fn add(&mut self, metadata: v2::EventFeedMetadata, feed: Arc<dyn EventFeed>) {
        self.0.insert(metadata.id.clone(), (metadata, feed));
    }

    pub(crate) fn metadata(&self) -> Vec<v2::EventFeedMetadata> {
        let feeds = self.0.values();
        feeds.map(|(metadata, _)| metadata.clone()).collect()
    }

    pub(crate) async fn events(
        &self,
        call: &Call,
        request: &v2::ListEventsRequest,
    ) -> Result<v2::ListEventsResponse> {
        let id = match request.event_feed_id.as_str() {
            "" => DEFAULT_FEED,
            id => id,
        };
        let Some((_, feed)) = self.0.get(id) else {
            return Err(Error::UnknownEventFeed { id: id.to_owned() });
        };
        if request.cursor.len() > MAX_EVENT_CURSOR_BYTES {
            let text = format!("the cursor is longer than {MAX_EVENT_CURSOR_BYTES} bytes");
            return Err(Error::stated(Code::InvalidArgument, text));
        }
        let size = request.page_size.min(MAX_EVENTS_PER_PAGE);
        let wanted = EventRequest {
            cursor: Some(request.cursor.as_str()).filter(|cursor| !cursor.is_empty()),
            start_at: request.start_at.as_ref(),
            page_size: (size > 0).then_some(size),
        };
        let page = feed.events(call, &wanted).await?;
        if page.cursor.len() > MAX_EVENT_CURSOR_BYTES {
            let text = format!("event feed {id} gave a cursor that is too long");
            return Err(Error::stated(Code::Internal, text));
        }
        Ok(v2::ListEventsResponse {
            events: page.events,
            cursor: page.cursor,
            has_more: page.has_more,
            annotations: page.annotations,
        })
    }
}

/// Checks the metadata of all feeds of a connector.
///
/// # Errors
/// [`Error::Registration`]: an id that is empty, too long or comes twice, and
/// event types that are unknown or come twice.
pub(crate) fn check<'m>(feeds: impl Iterator<Item = &'m v2::EventFeedMetadata>) -> Result<()> {
    let mut ids = BTreeSet::new();
    for feed in feeds {
        let refused = |reason| Error::Registration {
            type_id: feed.id.clone(),
            reason,
        };
        if feed.id.is_empty() {
            return Err(refused("the event feed has no id"));
        }
        if feed.id.len() > MAX_ID_BYTES {
            return Err(refused("the id of the event feed is too long"));
        }
        if !ids.insert(feed.id.as_str()) {
            return Err(refused("another event feed has this id"));
        }
        let mut types = BTreeSet::new();
        for number in &feed.supported_event_types {
            if v2::EventType::try_from(*number).is_err() {
                return Err(refused("an event type of the feed is unknown"));
            }
            if !types.insert(*number) {
                return Err(refused("an event type of the feed comes twice"));
            }
        }
    }
    Ok(())
}
