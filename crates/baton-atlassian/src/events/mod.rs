//! The audit log as an event feed (`atlassian-connector.md` §5.9).
//!
//! The stream is in the order in which Atlassian processed events, so an event
//! that is processed late is not missed while the server knows the cursor. If it
//! has forgotten it, reading begins again ten minutes before the newest event,
//! without those that are remembered.

mod cursor;
mod map;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use baton_connector::{
    Call, Clock, Code, Error, EventFeed, EventPage, EventRequest, Result, RunLocal,
};
use baton_proto::c1::connector::v2;
use jiff::Timestamp;

use crate::api::{Api, AuditEvent, Organization, StreamStart, is_bad_cursor};
use crate::mapping::timestamp;
use cursor::{Cursor, Seen};

/// The id of the feed.
pub(crate) const FEED: &str = "atlassian_audit_log";
/// Events of a page where the caller has no wish.
const USUAL_PAGE: u32 = 100;
/// Largest page that the server gives.
const LARGEST_PAGE: u32 = 500;
/// Atlassian keeps events for so long.
const KEPT: Duration = Duration::from_hours(24 * 180);
/// Clocks may differ by so much.
const CLOCK_SKEW: Duration = Duration::from_mins(5);

/// The metadata of the feed.
pub(crate) fn metadata() -> v2::EventFeedMetadata {
    use v2::EventType;
    let types = [
        EventType::Usage,
        EventType::ResourceChange,
        EventType::CreateGrant,
        EventType::CreateRevoke,
    ];
    v2::EventFeedMetadata {
        id: FEED.to_owned(),
        supported_event_types: types.into_iter().map(i32::from).collect(),
    }
}

/// Accounts by e-mail address, as a run has looked them up.
type Accounts = Mutex<HashMap<String, Option<String>>>;

/// The feed.
pub(crate) struct AuditLog {
    organization: Arc<Organization>,
    clock: Arc<dyn Clock>,
    accounts: RunLocal<Accounts>,
}

impl AuditLog {
    pub(crate) fn new(organization: Arc<Organization>, clock: Arc<dyn Clock>) -> Self {
        Self {
            organization,
            clock,
            accounts: RunLocal::new(),
        }
    }

    /// The time of the first event that is wanted, in milliseconds.
    fn start(&self, start_at: Option<&prost_types::Timestamp>) -> Result<i64> {
        let now = Timestamp::try_from(self.clock.now()).unwrap_or_default();
        let oldest = now.checked_sub(KEPT).unwrap_or_default();
        let Some(wanted) = start_at else {
            return Ok(oldest.as_millisecond());
        };
        let millis = wanted
            .seconds
            .saturating_mul(1000)
            .saturating_add(i64::from(wanted.nanos) / 1_000_000);
        let latest = now.checked_add(CLOCK_SKEW).unwrap_or(now);
        if millis > latest.as_millisecond() {
            let text = "the earliest wanted event is in the future";
            return Err(Error::stated(Code::InvalidArgument, text));
        }
        if millis < oldest.as_millisecond() {
            tracing::warn!(
                kept_since = oldest.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
                "Atlassian keeps audit events for 180 days: earlier ones are missing"
            );
            return Ok(oldest.as_millisecond());
        }
        Ok(millis)
    }

    /// Puts in the accounts of users who are named by e-mail address only.
    async fn complete(&self, call: &Call, api: &Api, event: &mut AuditEvent) -> Result<()> {
        let actor = event.actor.iter_mut();
        let users = event
            .context
            .iter_mut()
            .filter(|named| named.kind == "users");
        for named in users.chain(actor).filter(|named| named.id.is_none()) {
            let Some(email) = named.email.clone().filter(|email| !email.is_empty()) else {
                continue;
            };
            let accounts = self.accounts.of(call, Accounts::default);
            let known = {
                let accounts = accounts.lock().unwrap_or_else(PoisonError::into_inner);
                accounts.get(&email).cloned()
            };
            named.id = match known {
                Some(account) => account,
                None => {
                    let found = api.user_with_email(&email).await?;
                    let found = found.map(|user| user.account_id);
                    let mut accounts = accounts.lock().unwrap_or_else(PoisonError::into_inner);
                    accounts.insert(email, found.clone());
                    found
                }
            };
        }
        Ok(())
    }
}

/// When an event was processed, in milliseconds.
fn processed(event: &AuditEvent) -> Option<i64> {
    let time = timestamp(event.processed_at.as_deref()?)?;
    let millis = time.seconds.checked_mul(1000)?;
    millis.checked_add(i64::from(time.nanos) / 1_000_000)
}

fn shown(millis: i64) -> String {
    Timestamp::from_millisecond(millis).map_or_else(|_| millis.to_string(), |time| time.to_string())
}

#[async_trait]
impl EventFeed for AuditLog {
    async fn events(&self, call: &Call, request: &EventRequest<'_>) -> Result<EventPage> {
        let id = &self.organization.id;
        let api = self.organization.on(call);
        let limit = request
            .page_size
            .unwrap_or(USUAL_PAGE)
            .clamp(1, LARGEST_PAGE);
        let mut cursor = match request.cursor {
            Some(text) => Cursor::parse(text, id)?,
            None => Cursor::begin(),
        };
        let page = if cursor.upstream.is_empty() {
            let start = StreamStart::Time(self.start(request.start_at)?);
            api.audit_events(start, limit).await?
        } else {
            let start = StreamStart::Cursor(&cursor.upstream);
            match api.audit_events(start, limit).await {
                Err(error) if is_bad_cursor(&error) => {
                    let newest = cursor.newest;
                    let start = match cursor.restart() {
                        Some(start) => start,
                        None => self.start(request.start_at)?,
                    };
                    tracing::warn!(
                        newest_seen = shown(newest),
                        begins_at = shown(start),
                        "Atlassian has forgotten the cursor: reading begins again before the \
                         newest event, and events that were processed more than ten minutes late \
                         may be missing"
                    );
                    api.audit_events(StreamStart::Time(start), limit).await?
                }
                other => other?,
            }
        };
        let full = page.events.len() >= limit as usize;
        let moved = page.next != cursor.upstream && !page.events.is_empty();
        let (mut events, mut dropped) = (Vec::new(), 0_u64);
        let mut delivered = Vec::with_capacity(page.events.len());
        for mut event in page.events {
            let Some(event_id) = event.id.clone() else {
                dropped += 1;
                continue;
            };
            let processed = processed(&event);
            let seen = cursor.look_at(&event_id, processed);
            if seen == Seen::Remembered {
                continue;
            }
            self.complete(call, &api, &mut event).await?;
            let mapped = map::events(&event, id)?;
            if mapped.is_empty() {
                dropped += 1;
                tracing::debug!(
                    event = event_id,
                    action = event.action,
                    "audit event names nothing known"
                );
            }
            if seen == Seen::New {
                delivered.push((event_id, processed));
            }
            events.extend(mapped);
        }
        self.organization.count_unknown_events(call, dropped);
        let delivered: Vec<_> = delivered
            .iter()
            .map(|(id, at)| (id.as_str(), *at))
            .collect();
        cursor.advance(&delivered, page.next);
        Ok(EventPage {
            events,
            cursor: cursor.to_text(id)?,
            has_more: full || moved,
            annotations: Vec::new(),
        })
    }
}
