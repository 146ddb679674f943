//! Progress of a sync: log lines, and a display on a terminal.
//!
//! The engine's events are collected in one state. Log lines follow the Go programs' words
//! (connector CLI specification, §6), at most one per ten seconds and resource type within a
//! phase. The display is two lines, made by a pure function of the state and the traffic counters.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use baton_connector::{Connector, RunView, TrafficSnapshot};
use baton_sync::{Dropped, Event, Observer, Phase, Skipped};
use tokio::time::Instant;

use crate::figures::{count, counted, duration};
use crate::log::PROGRESS_TARGET;
use crate::waits;

/// Pause between two in-between lines of one resource type.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// Lists that must be done, and time that must have passed, before the time
/// that is left is estimated.
const FEWEST_LISTS: u64 = 10;
const SHORTEST_MEASURE: Duration = Duration::from_secs(3);
/// Time over which the request rate is averaged.
const RATE_WINDOW: Duration = Duration::from_secs(5);

macro_rules! progress_log {
    ($($args:tt)*) => { tracing::info!(target: PROGRESS_TARGET, $($args)*) };
}

/// Collects events, and logs them.
pub(crate) struct Progress {
    state: Mutex<State>,
    /// The run that is shown.
    run: Mutex<RunView>,
}

/// What is known about a running sync.
#[derive(Debug, Clone)]
pub(crate) struct State {
    started: Instant,
    phase: Option<Phase>,
    /// Rows that this run stored in the phase, by resource type.
    rows: BTreeMap<String, TypeCount>,
    /// Lists to ask for in the phase, and how many are done.
    lists: Option<u64>,
    lists_done: u64,
    /// When the phase began.
    phase_began: Instant,
    /// The step of sealing, and how much of it is done, in percent.
    sealing: Option<(&'static str, Option<u64>)>,
    skipped: u64,
    resumed_pages: u64,
}

#[derive(Debug, Clone, Default)]
struct TypeCount {
    rows: u64,
    lists_done: u64,
    last_line: Option<Instant>,
}

impl State {
    fn new(now: Instant) -> Self {
        Self {
            started: now,
            phase: None,
            rows: BTreeMap::new(),
            lists: None,
            lists_done: 0,
            phase_began: now,
            sealing: None,
            skipped: 0,
            resumed_pages: 0,
        }
    }

    /// How long the rest of the phase takes, if lists continue at the same pace, and
    /// not faster than a limit that they wait for allows.
    fn time_left(&self, traffic: Option<&TrafficSnapshot>, now: Instant) -> Option<Duration> {
        let left = self.lists?.checked_sub(self.lists_done)?;
        let took = now.duration_since(self.phase_began);
        if left == 0 || self.lists_done < FEWEST_LISTS || took < SHORTEST_MEASURE {
            return None;
        }
        let left_u32 = u32::try_from(left).ok()?;
        let done = u32::try_from(self.lists_done).ok()?;
        let by_pace = took.checked_mul(left_u32)? / done;
        let by_limit = traffic.and_then(|traffic| waits::least_time(traffic, left));
        Some(by_pace.max(by_limit.unwrap_or_default()))
    }

    fn phase_rows(&self) -> u64 {
        self.rows.values().map(|by_type| by_type.rows).sum()
    }
}

impl Progress {
    /// The requests of the run so far, if the connector counts them.
    pub(crate) fn traffic(&self, connector: &dyn Connector) -> Option<TrafficSnapshot> {
        let run = self.run.lock().unwrap_or_else(PoisonError::into_inner);
        connector.local()?.traffic(&run)
    }

    pub(crate) fn new(now: Instant) -> Self {
        Self {
            run: Mutex::default(),
            state: Mutex::new(State::new(now)),
        }
    }

    pub(crate) fn snapshot(&self) -> State {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Progress {
    fn run_began(&self, run: RunView) {
        *self.run.lock().unwrap_or_else(PoisonError::into_inner) = run;
    }

    fn event(&self, event: &Event) {
        let now = Instant::now();
        let mut state = self.lock();
        match event {
            Event::Started {
                sync_id,
                resumed_pages,
            } => {
                state.resumed_pages = *resumed_pages;
                if *resumed_pages > 0 {
                    progress_log!(sync_id, resumed_pages, "Resuming sync...");
                } else {
                    progress_log!(sync_id, "Starting sync...");
                }
            }
            Event::PhaseStarted { phase, lists } => {
                state.phase = Some(*phase);
                state.rows.clear();
                state.lists = *lists;
                state.lists_done = 0;
                state.phase_began = now;
                phase_started(*phase);
            }
            Event::Page {
                phase,
                type_id,
                rows,
                last,
            } => {
                page(&mut state, *phase, type_id, *rows, *last, now);
            }
            Event::PhaseFinished { phase, rows } => phase_finished(&state, *phase, *rows),
            Event::Sealing { step, done, total } => {
                if state.sealing.is_none_or(|(known, _)| known != *step) {
                    sealing_step(step, *total);
                }
                state.sealing = Some((step, percent(*done, *total)));
            }
            Event::ListSkipped(skip) => {
                state.skipped += 1;
                state.lists_done += 1;
                tracing::warn!(
                    what = skip.what,
                    resource_type_id = skip.resource_type,
                    resource = skip.resource,
                    reason = skip.reason,
                    words = skipped(skip),
                    "list skipped"
                );
            }
            other => warned(other),
        }
    }
}

/// `` skipped grants of `group:g1`: reason ``.
fn skipped(skip: &Skipped) -> String {
    let object = if skip.resource.is_empty() {
        &skip.resource_type
    } else {
        &skip.resource
    };
    format!("skipped {} of `{object}`: {}", skip.what, skip.reason)
}

/// What was left out, with its numbers.
fn invalid(dropped: &Dropped) -> String {
    let reasons = dropped.by_reason();
    let reasons: Vec<String> = reasons
        .iter()
        .filter(|(number, _, _)| *number > 0)
        .map(|(number, one, many)| counted(*number, one, many))
        .collect();
    format!(
        "the connector returned invalid data; left out: {}",
        reasons.join(", ")
    )
}

/// Events that are nothing but a line.
fn warned(event: &Event) {
    match event {
        Event::ListRestarted { what, reason } => {
            let words = format!("{what} starts again: {reason}");
            tracing::warn!(what, reason, words, "list starts again");
        }
        Event::Damaged { reason } => {
            tracing::warn!(
                reason,
                "the log of the interrupted sync is damaged at its end; resuming before the damage"
            );
        }
        Event::SetAside { reason } => {
            tracing::warn!(
                reason,
                "set aside an unfinished sync that cannot be resumed"
            );
        }
        Event::InvalidData(dropped) if dropped.is_on_purpose() => {
            tracing::info!(
                entitlements = dropped.filtered_entitlements,
                grants = dropped.filtered_grants,
                grant_resources = dropped.filtered_grant_resources,
                "left out by --sync-resource-types"
            );
        }
        Event::InvalidData(dropped) => {
            tracing::warn!(
                invalid_resource_types = dropped.invalid_resource_types,
                invalid_resources = dropped.invalid_resources,
                invalid_entitlements = dropped.invalid_entitlements,
                entitlements_of_unknown_type = dropped.entitlements_of_unknown_type,
                grants_of_unknown_type = dropped.grants_of_unknown_type,
                grant_resources_of_unknown_type = dropped.grant_resources_of_unknown_type,
                expansion_types = dropped.expansion_types,
                expansions = dropped.expansions,
                words = invalid(dropped),
                "connector returned invalid data; skipped records"
            );
        }
        Event::Note { message } => tracing::info!("{message}"),
        Event::Warning { message } => tracing::warn!("{message}"),
        // New kinds of events have no line until one is added here.
        _ => {}
    }
}

fn phase_started(phase: Phase) {
    match phase {
        Phase::Validate => progress_log!("Validating connector..."),
        Phase::ResourceTypes => progress_log!("Syncing resource types..."),
        Phase::Resources => progress_log!("Syncing resources..."),
        Phase::StaticEntitlements => progress_log!("Syncing static entitlements..."),
        Phase::Entitlements => progress_log!("Syncing entitlements..."),
        Phase::Grants => progress_log!("Syncing grants..."),
        Phase::RelatedResources => progress_log!("Syncing related resources..."),
        Phase::ExternalResources => progress_log!("Syncing external resources..."),
        Phase::Seal => progress_log!("sync data collection complete"),
    }
}

/// Part of a whole, in percent; `None` without a whole.
fn percent(done: u64, total: Option<u64>) -> Option<u64> {
    let total = total.filter(|total| *total > 0)?;
    Some(done.min(total).saturating_mul(100) / total)
}

fn sealing_step(step: &str, total: Option<u64>) {
    match step {
        "expand" => progress_log!(actions_remaining = total, "Expanding grants"),
        step => progress_log!(step, "Writing sync file..."),
    }
}

fn page(state: &mut State, phase: Phase, type_id: &str, rows: u64, last: bool, now: Instant) {
    let total = state.lists;
    state.lists_done += u64::from(last);
    let by_type = state.rows.entry(type_id.to_owned()).or_default();
    by_type.rows += rows;
    by_type.lists_done += u64::from(last);
    let is_time = by_type
        .last_line
        .is_none_or(|at| now.duration_since(at) >= LINE_EVERY);
    // The first page of a type starts its clock; a phase that is done soon needs no such line.
    let first = by_type.last_line.is_none();
    if is_time {
        by_type.last_line = Some(now);
    }
    if !is_time || first {
        return;
    }
    let (resource_type_id, count, synced) = (type_id, by_type.rows, by_type.lists_done);
    let percent_complete = percent(state.lists_done, total);
    match phase {
        Phase::Resources | Phase::RelatedResources => {
            progress_log!(resource_type_id, count, "Syncing resources");
        }
        Phase::Entitlements | Phase::StaticEntitlements => {
            progress_log!(
                resource_type_id,
                synced,
                total,
                percent_complete,
                "Syncing entitlements"
            );
        }
        Phase::Grants => {
            progress_log!(
                resource_type_id,
                synced,
                total,
                percent_complete,
                "Syncing grants"
            );
        }
        Phase::Validate | Phase::ResourceTypes | Phase::ExternalResources | Phase::Seal => {}
    }
}

fn phase_finished(state: &State, phase: Phase, rows: u64) {
    let each = |line: &dyn Fn(&str, u64)| {
        for (type_id, by_type) in &state.rows {
            line(type_id, by_type.rows);
        }
    };
    match phase {
        Phase::ResourceTypes => progress_log!(count = rows, "Synced resource types"),
        Phase::ExternalResources => progress_log!(count = rows, "Synced external resources"),
        Phase::Resources | Phase::RelatedResources => each(&|resource_type_id, count| {
            progress_log!(resource_type_id, count, "Synced resources");
        }),
        Phase::Entitlements => each(&|resource_type_id, count| {
            progress_log!(resource_type_id, count, "Synced entitlements");
        }),
        Phase::Grants => each(&|resource_type_id, count| {
            progress_log!(resource_type_id, count, "Synced grants");
        }),
        Phase::Validate | Phase::StaticEntitlements | Phase::Seal => {}
    }
}

/// Requests per second over the last few seconds.
#[derive(Debug, Default)]
pub(crate) struct Rate {
    samples: VecDeque<(Instant, u64)>,
}

impl Rate {
    /// Notes the total so far and gives the rate.
    #[allow(clippy::cast_precision_loss, reason = "a rate for the eye")]
    pub(crate) fn note(&mut self, now: Instant, total: u64) -> f64 {
        self.samples.push_back((now, total));
        while self.samples.len() > 2
            && self
                .samples
                .get(1)
                .is_some_and(|(at, _)| now.duration_since(*at) >= RATE_WINDOW)
        {
            self.samples.pop_front();
        }
        let Some((first_at, first_total)) = self.samples.front() else {
            return 0.0;
        };
        let seconds = now.duration_since(*first_at).as_secs_f64();
        if seconds > 0.0 {
            total.saturating_sub(*first_total) as f64 / seconds
        } else {
            0.0
        }
    }
}

/// The two lines of the display.
pub(crate) fn lines(
    state: &State,
    traffic: Option<&TrafficSnapshot>,
    rate: f64,
    now: Instant,
) -> [String; 2] {
    let mut first = match state.phase {
        None => "starting".to_owned(),
        Some(Phase::Validate) => "checking the connection".to_owned(),
        Some(Phase::Seal) => match &state.sealing {
            Some((step, Some(percent))) => format!("writing the file: {step}, {percent} %"),
            Some((step, None)) => format!("writing the file: {step}"),
            None => "writing the file".to_owned(),
        },
        Some(phase) => {
            let rows = counted(state.phase_rows(), "row", "rows");
            match state.lists {
                Some(lists) => format!(
                    "{}: {rows}, {} of {} lists",
                    phase.name().replace('-', " "),
                    count(state.lists_done),
                    count(lists)
                ),
                None => format!("{}: {rows}", phase.name().replace('-', " ")),
            }
        }
    };
    if let Some(left) = state.time_left(traffic, now) {
        let _ = write!(first, ", about {} left", duration(left));
    }
    if state.resumed_pages > 0 {
        first.push_str(", resumed");
    }
    // Writing to a string cannot fail, here and below.
    if state.skipped > 0 {
        let _ = write!(
            first,
            ", {}",
            counted(state.skipped, "list skipped", "lists skipped")
        );
    }
    let _ = write!(first, " ({})", duration(now.duration_since(state.started)));
    let second = traffic.map(traffic_line(rate)).unwrap_or_default();
    [first, second]
}

fn traffic_line(rate: f64) -> impl Fn(&TrafficSnapshot) -> String {
    move |traffic| {
        let mut text = format!(
            "{} ({rate:.0}/s), {} in flight",
            counted(traffic.total().requests, "request", "requests"),
            traffic.in_flight
        );
        if let Some(reason) = waits::held_back(traffic) {
            let _ = write!(text, ", {reason}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use baton_connector::{ActiveWait, EndpointTraffic, Throttle, ThrottledBy, WaitReason};

    use super::*;

    fn fed(events: &[Event]) -> (State, Instant) {
        let start = Instant::now();
        let progress = Progress::new(start);
        for event in events {
            progress.event(event);
        }
        (progress.snapshot(), start + Duration::from_secs(75))
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_left_follows_the_pace_and_the_limit() {
        let mut events = vec![Event::PhaseStarted {
            phase: Phase::Grants,
            lists: Some(1000),
        }];
        events.extend((0..100).map(|_| page(Phase::Grants, 1)));
        let (state, now) = fed(&events);
        let first = |traffic: &TrafficSnapshot| lines(&state, Some(traffic), 1.0, now)[0].clone();
        // 75 s for 100 lists, so nine times as long for 900.
        assert_eq!(
            first(&TrafficSnapshot::default()),
            "grants: 100 rows, 100 of 1,000 lists, about 11 min 15 s left (1 min 15 s)"
        );
        let limited = TrafficSnapshot {
            waiting: vec![ActiveWait {
                endpoint: "GET /users".to_owned(),
                reason: WaitReason::Paced,
                left_ms: 900,
                requests: 1,
            }],
            throttles: vec![Throttle {
                endpoint: "GET /users".to_owned(),
                by: ThrottledBy::Refusals { per_minute: 45 },
            }],
            ..TrafficSnapshot::default()
        };
        assert_eq!(
            lines(&state, Some(&limited), 1.0, now),
            [
                "grants: 100 rows, 100 of 1,000 lists, about 20 min 0 s left (1 min 15 s)",
                "0 requests (1/s), 0 in flight, limited to 45 requests a minute for GET /users, \
                 since more were refused",
            ]
        );
    }

    fn page(phase: Phase, rows: u64) -> Event {
        Event::Page {
            phase,
            type_id: "group".to_owned(),
            rows,
            last: true,
        }
    }

    fn traffic() -> TrafficSnapshot {
        let endpoint = EndpointTraffic {
            requests: 1234,
            ..EndpointTraffic::default()
        };
        let wait = |endpoint: &str, left_ms| ActiveWait {
            endpoint: endpoint.to_owned(),
            reason: WaitReason::RateLimited,
            left_ms,
            requests: 1,
        };
        TrafficSnapshot {
            endpoints: BTreeMap::from([("GET /groups".to_owned(), endpoint)]),
            waiting: vec![wait("GET /users", 900), wait("GET /groups", 12_000)],
            in_flight: 8,
            ..TrafficSnapshot::default()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_display_tells_phase_counts_requests_and_the_longest_wait() {
        let (state, now) = fed(&[
            Event::Started {
                sync_id: "s".to_owned(),
                resumed_pages: 3,
            },
            Event::PhaseStarted {
                phase: Phase::Grants,
                lists: Some(1000),
            },
            page(Phase::Grants, 50),
            page(Phase::Grants, 1200),
        ]);
        assert_eq!(
            lines(&state, Some(&traffic()), 44.6, now),
            [
                "grants: 1,250 rows, 2 of 1,000 lists, resumed (1 min 15 s)",
                "1,234 requests (45/s), 8 in flight, waiting 12 s for GET /groups: rate limited",
            ]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn each_phase_has_its_words() {
        let first = |events: &[Event]| {
            let (state, now) = fed(events);
            let [first, second] = lines(&state, None, 0.0, now);
            assert_eq!(second, "");
            first
        };
        let phase = |phase| Event::PhaseStarted { phase, lists: None };
        assert_eq!(first(&[]), "starting (1 min 15 s)");
        assert_eq!(
            first(&[phase(Phase::Validate)]),
            "checking the connection (1 min 15 s)"
        );
        assert_eq!(
            first(&[phase(Phase::StaticEntitlements)]),
            "static entitlements: 0 rows (1 min 15 s)"
        );
        assert_eq!(
            first(&[phase(Phase::Seal)]),
            "writing the file (1 min 15 s)"
        );
        let step = |done, total| Event::Sealing {
            step: "compress",
            done,
            total,
        };
        assert_eq!(
            first(&[phase(Phase::Seal), step(45, Some(100))]),
            "writing the file: compress, 45 % (1 min 15 s)"
        );
        assert_eq!(
            first(&[phase(Phase::Seal), step(0, Some(0))]),
            "writing the file: compress (1 min 15 s)"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_rate_is_that_of_the_last_seconds() {
        let mut rate = Rate::default();
        let start = Instant::now();
        assert!(rate.note(start, 0) < 0.1);
        let fast = rate.note(start + Duration::from_secs(1), 100);
        assert!((fast - 100.0).abs() < 0.1, "{fast}");
        let mut last = 0.0;
        for second in 2..20 {
            last = rate.note(start + Duration::from_secs(second), 100 + second * 10);
        }
        assert!((last - 10.0).abs() < 0.5, "{last}");
    }

    /// Messages of the lines that `work` logs, with two of their fields.
    fn logged(work: impl FnOnce()) -> Vec<String> {
        use std::sync::Arc;
        use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

        #[derive(Default, Clone)]
        struct Lines(Arc<Mutex<Vec<String>>>);
        struct Text(String);
        impl tracing::field::Visit for Text {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                if ["message", "synced", "percent_complete"].contains(&field.name()) {
                    let _ = write!(self.0, "{}={value:?} ", field.name());
                }
            }
        }
        impl<S: tracing::Subscriber> Layer<S> for Lines {
            fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
                let mut text = Text(String::new());
                event.record(&mut text);
                self.0.lock().unwrap().push(text.0.trim_end().to_owned());
            }
        }

        let lines = Lines::default();
        let subscriber = tracing_subscriber::registry().with(lines.clone());
        tracing::subscriber::with_default(subscriber, work);
        lines.0.lock().unwrap().clone()
    }

    #[tokio::test(start_paused = true)]
    async fn lines_within_a_phase_come_every_ten_seconds() {
        let mut state = State::new(Instant::now());
        state.lists = Some(200);
        let start = Instant::now();
        let lines = logged(|| {
            for second in 0..25 {
                let now = start + Duration::from_secs(second);
                super::page(&mut state, Phase::Grants, "group", 5, true, now);
            }
        });
        assert_eq!(
            lines,
            [
                "message=Syncing grants synced=11 percent_complete=5",
                "message=Syncing grants synced=21 percent_complete=10",
            ]
        );
    }
}
