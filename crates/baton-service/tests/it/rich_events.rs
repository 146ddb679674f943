//! The event feed of the connector of the recordings.

use baton_connector::{Call, Error, EventFeeds, Result, v2};

use crate::rich::{fail_if_asked, named, raw_id};

/// The feed `feed_a`.
pub(crate) struct Feed {
    /// Feeds cannot be listed.
    pub(crate) fails: bool,
}

#[async_trait::async_trait]
impl EventFeeds for Feed {
    async fn list_feeds(&self, _call: &Call) -> Result<Vec<v2::EventFeedMetadata>> {
        if self.fails {
            fail_if_asked("plain")?;
        }
        Ok(vec![v2::EventFeedMetadata {
            id: "feed_a".to_owned(),
            supported_event_types: vec![
                v2::EventType::Usage.into(),
                v2::EventType::ResourceChange.into(),
            ],
        }])
    }

    async fn list_events(
        &self,
        _call: &Call,
        request: &v2::ListEventsRequest,
    ) -> Result<v2::ListEventsResponse> {
        if request.event_feed_id != "feed_a" {
            return Err(Error::UnknownEventFeed {
                id: request.event_feed_id.clone(),
            });
        }
        fail_if_asked(&request.cursor)?;
        if request.cursor == "never" {
            std::future::pending::<()>().await;
        }
        let event = |id: String, event| v2::Event {
            id,
            occurred_at: request.start_at,
            event: Some(event),
            ..v2::Event::default()
        };
        let usage = v2::UsageEvent {
            target_resource: Some(named("user", "app")),
            actor_resource: Some(named("user", "u-0")),
        };
        let change = v2::ResourceChangeEvent {
            resource_id: named("user", "u-1").id,
            ..v2::ResourceChangeEvent::default()
        };
        let second = format!("e2 size {} cursor {}", request.page_size, request.cursor);
        Ok(v2::ListEventsResponse {
            events: vec![
                event("e1".to_owned(), v2::event::Event::UsageEvent(usage)),
                event(second, v2::event::Event::ResourceChangeEvent(change)),
            ],
            cursor: "after-e2".to_owned(),
            has_more: request.cursor.is_empty(),
            annotations: vec![raw_id("dropped")],
        })
    }
}
