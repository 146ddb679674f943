//! `--event-feed`: the events of an application as JSON lines.

mod cursor_file;

use std::sync::Arc;
use std::time::Duration;

use baton_connector::{Code, Connector, EventFeeds, Run, v2};
use baton_proto::{json, time};
use jiff::Timestamp;

use crate::context::CommandContext;
use crate::error::{Error, Result};
use crate::exit::ExitStatus;
use crate::flags;
use crate::panics;
use crate::refused_flags;

use cursor_file::CursorFile;

/// Events of a page, as in the Go programs.
const PAGE_SIZE: u32 = 100;
/// Events begin so long before now, unless a time or a cursor is given.
const USUAL_AGE: Duration = Duration::from_hours(24);
/// Time between two requests of a reader that has caught up.
const POLL_EVERY: Duration = Duration::from_secs(30);
/// Longest wait after failures while following.
const MAX_WAIT: Duration = Duration::from_mins(5);

/// Prints the events of a feed; with `--follow` until a signal.
pub(crate) async fn events(context: CommandContext) -> Result<ExitStatus> {
    refused_flags::refuse_change_flags_of_events(context.config())?;
    context.check_settings()?;
    let start_at = start_at(&context)?;
    let (file, cursor) = cursor(&context)?;
    let built = context.connect()?;
    context.check_announced(&built).await?;
    let connector = Arc::clone(&built.connector);
    let reader = Reader {
        feed: feed(&context, connector.as_ref()).await?,
        context,
        start_at,
        cursor,
        file,
        follow: false,
    };
    let follow = reader.context.config().get(&flags::FOLLOW);
    let reading = Reader { follow, ..reader };
    panics::guard_async("reading events", reading.run(connector)).await
}

/// Where a reader is in a feed.
struct Reader {
    context: CommandContext,
    feed: String,
    start_at: prost_types::Timestamp,
    cursor: String,
    file: Option<CursorFile>,
    follow: bool,
}

/// How a round of pages ended.
enum Round {
    /// The reader has caught up.
    CaughtUp,
    /// Nothing reads the events now.
    Closed,
}

impl Reader {
    async fn run(mut self, connector: Arc<dyn Connector>) -> Result<ExitStatus> {
        let mut failures = 0;
        let mut logged = None;
        loop {
            let wait = match self.round(connector.as_ref()).await {
                Ok(Round::Closed) => break,
                Ok(Round::CaughtUp) => {
                    // Once for each place.
                    if logged.as_ref() != Some(&self.cursor) {
                        tracing::info!(cursor = self.cursor, "event feed caught up");
                        logged = Some(self.cursor.clone());
                    }
                    if !self.follow {
                        break;
                    }
                    failures = 0;
                    POLL_EVERY
                }
                // The user asked for the end.
                Err(_) if self.context.cancel().is_cancelled() => break,
                Err(error) if self.follow && passes(&error) => {
                    failures += 1;
                    let wait = MAX_WAIT.min(POLL_EVERY * failures);
                    tracing::warn!(
                        error = error.to_string(),
                        retry_after_s = wait.as_secs(),
                        "cannot read events; trying again"
                    );
                    wait
                }
                Err(error) => return Err(error),
            };
            let stop = self.context.cancel().clone();
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(wait) => {}
            }
        }
        Ok(ExitStatus::Success)
    }

    /// Reads pages until there are no more. Each round is a run of its own, so
    /// that a connector keeps nothing for ever.
    async fn round(&mut self, connector: &dyn Connector) -> Result<Round> {
        let run = Run::begin(None);
        let call = run.call().stopped_by(self.context.cancel().clone());
        let feeds = feeds(connector)?;
        loop {
            let request = v2::ListEventsRequest {
                cursor: self.cursor.clone(),
                start_at: Some(self.start_at),
                page_size: PAGE_SIZE,
                event_feed_id: self.feed.clone(),
                ..v2::ListEventsRequest::default()
            };
            let page = feeds.list_events(&call, &request).await?;
            if self
                .context
                .print_open(&lines(&self.context, &page.events)?)?
            {
                return Ok(Round::Closed);
            }
            let moved = page.cursor != self.cursor && !page.cursor.is_empty();
            if moved {
                self.cursor = page.cursor;
                if let Some(file) = &self.file {
                    file.replace(&self.cursor)?;
                }
            }
            if !page.has_more {
                let notes = connector.local().map(|local| local.run_notes(&run.view()));
                for warning in notes.unwrap_or_default().warnings {
                    tracing::warn!("{warning}");
                }
                return Ok(Round::CaughtUp);
            }
            if !moved {
                return Err(Error::EventsRepeat {
                    feed: self.feed.clone(),
                });
            }
        }
    }
}

/// Whether a failure can pass by itself.
fn passes(error: &Error) -> bool {
    matches!(
        error.code(),
        Code::Unavailable | Code::DeadlineExceeded | Code::ResourceExhausted
    )
}

/// One line of JSON per event.
fn lines(context: &CommandContext, events: &[v2::Event]) -> Result<Vec<u8>> {
    let gate = context.stderr.gate();
    let options = json::Options {
        unknown_any: json::UnknownAny::Drop,
        ..json::Options::default()
    };
    let mut lines = Vec::new();
    for event in events {
        let line = json::to_string(event, &options).map_err(|source| Error::Print {
            what: "an event",
            source,
        })?;
        lines.extend_from_slice(gate.pass_json(&line).as_bytes());
        lines.push(b'\n');
    }
    Ok(lines)
}

fn feeds(connector: &dyn Connector) -> Result<&dyn EventFeeds> {
    connector.event_feeds().ok_or(Error::NoEventFeeds)
}

/// The feed that the flag names; without one the only feed.
async fn feed(context: &CommandContext, connector: &dyn Connector) -> Result<String> {
    let named = context.config().get(&flags::EVENT_FEED_ID).to_owned();
    let run = Run::begin(None);
    let call = run.call().stopped_by(context.cancel().clone());
    let list = feeds(connector)?.list_feeds(&call).await?;
    let mut ids: Vec<_> = list.into_iter().map(|feed| feed.id).collect();
    if named.is_empty() {
        return match ids.len() {
            0 => Err(Error::NoEventFeeds),
            1 => Ok(ids.remove(0)),
            _ => Err(Error::SeveralEventFeeds { ids }),
        };
    }
    if ids.contains(&named) {
        return Ok(named);
    }
    Err(Error::UnknownEventFeed { named, ids })
}

/// The earliest event that is wanted.
fn start_at(context: &CommandContext) -> Result<prost_types::Timestamp> {
    let text = context.config().get(&flags::EVENT_FEED_START_AT);
    if text.is_empty() {
        let now = context.connector_env().clock.now();
        let now = Timestamp::try_from(now).unwrap_or_default();
        let start = now.checked_sub(USUAL_AGE).unwrap_or_default();
        return Ok(prost_types::Timestamp {
            seconds: start.as_second(),
            nanos: start.subsec_nanosecond(),
        });
    }
    time::parse(text).map_err(|source| Error::EventStart {
        text: text.to_owned(),
        source,
    })
}

/// Where reading begins, and the file that keeps the place.
fn cursor(context: &CommandContext) -> Result<(Option<CursorFile>, String)> {
    let config = context.config();
    let given = config.get(&flags::EVENT_FEED_CURSOR).to_owned();
    let Some(path) = config.get(&flags::EVENT_FEED_CURSOR_FILE) else {
        return Ok((None, given));
    };
    let file = CursorFile::new(context.cwd().join(path));
    match file.read()? {
        Some(_) if !given.is_empty() => Err(Error::TwoCursors {
            path: file.path().to_owned(),
        }),
        Some(cursor) => Ok((Some(file), cursor)),
        None => {
            file.check()?;
            Ok((Some(file), given))
        }
    }
}
