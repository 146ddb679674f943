//! The audit log from outside: how it behaves, events that a test adds, and the whole log as it is.
//!
//! The log is in processing order, which is the order of `events-stream`. A change writes an event. Generated events end on
//! 1 November 2026; the program gives later ones the machine's date, a test chooses that with [`Audit::dated_by_clock`].
//! Invented events include logins, use of products, roles with and without role and resource, users that are named by
//! e-mail only, and actions and kinds of objects that no client knows (not in plain data).

use std::str::FromStr;
use std::time::Duration;

use serde_json::Value;

use crate::error::Error;
use crate::faults::grammar::parse_duration;
use crate::random::draw;

/// Most events that the log holds; later ones are not recorded.
pub const MAX_LOGGED_EVENTS: u32 = 2_000_000;
/// Most events that are added by themselves at one moment.
const MAX_BURST: u32 = 100_000;
/// Least time between two moments at which events are added.
const MIN_INTERVAL: Duration = Duration::from_millis(1);

/// How the audit log behaves.
///
/// ```
/// use atlassian_sim::{Audit, EventRate};
/// let audit = Audit { growth: vec!["30/min".parse::<EventRate>()?], late_every: 5, ..Audit::default() };
/// assert_eq!(audit.growth[0].count, 1);
/// # Ok::<(), atlassian_sim::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// The plan has no audit log: 403 for every request about events.
    pub absent: bool,
    /// Events that are added while the simulator runs, in addition to those of changes. They are of all kinds, follow from
    /// the seed, and appear by the clock.
    pub growth: Vec<EventRate>,
    /// About every n-th of the added events is late: its time is 20 minutes to 3 days before its place in the log. 0: none.
    pub late_every: u32,
    /// New events have the clock's date. Otherwise they follow 1 November 2026, as everything that is generated does.
    pub dated_by_clock: bool,
    /// How long cursors of the stream are valid; `None`: for ever.
    pub cursor_lifetime: Option<Duration>,
    /// What events lack.
    pub flaws: EventFlaws,
}

/// How fast the log grows by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventRate {
    /// Events that are added at one moment.
    pub count: u32,
    /// Time from one such moment to the next.
    pub every: Duration,
}

/// `30/min` (evenly), `5/s`, or `10000/10m` (so many at once, every so often).
impl FromStr for EventRate {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || Error::EventRateSyntax(text.to_owned());
        let (count, time) = text.split_once('/').ok_or_else(wrong)?;
        let count: u32 = count.trim().parse().map_err(|_| wrong())?;
        let unit = match time.trim() {
            "s" => Some(Duration::from_secs(1)),
            "m" | "min" => Some(Duration::from_mins(1)),
            _ => None,
        };
        let rate = match unit {
            Some(unit) => Self {
                every: unit.checked_div(count).ok_or_else(wrong)?,
                count: 1,
            },
            None => Self {
                count,
                every: parse_duration(time.trim()).map_err(|_| wrong())?,
            },
        };
        if rate.is_usable() {
            Ok(rate)
        } else {
            Err(wrong())
        }
    }
}

impl EventRate {
    pub(crate) fn is_usable(self) -> bool {
        (1..=MAX_BURST).contains(&self.count) && self.every >= MIN_INTERVAL
    }
}

/// What events lack. A number n hits about every n-th event, always the same ones; 0 hits none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventFlaws {
    /// Events without `id`.
    pub no_id: u32,
    /// Events without `time`; the stream still shows `processedAt`.
    pub no_time: u32,
    /// Events without `action`.
    pub no_action: u32,
    /// Events without `actor`.
    pub no_actor: u32,
    /// Events whose context has no ids.
    pub no_context_ids: u32,
}

impl EventFlaws {
    /// Which members the event with this number lacks, in the order of the fields.
    pub(crate) fn of(&self, seed: u64, number: u32) -> [bool; 5] {
        let all = [
            (0xf1b0, self.no_id),
            (0xf1b1, self.no_time),
            (0xf1b2, self.no_action),
            (0xf1b3, self.no_actor),
            (0xf1b4, self.no_context_ids),
        ];
        all.map(|(purpose, every)| {
            every > 0 && draw(seed, purpose, u64::from(number)).is_multiple_of(u64::from(every))
        })
    }
}

/// An event to add to the audit log.
///
/// ```
/// use atlassian_sim::{Config, NewEvent, Simulator};
/// use serde_json::json;
/// use std::time::Duration;
///
/// let simulator = Simulator::new(Config::default())?;
/// let added = simulator.add_events([NewEvent {
///     late_by: Duration::from_secs(3600),
///     context: vec![json!({ "type": "users", "attributes": { "email": "kim@acme.test" } })],
///     ..NewEvent::of("user_granted_role")
/// }]);
/// assert_eq!(simulator.audit_log().last().map(|e| e.id.as_str()), Some(added[0].as_str()));
/// # Ok::<(), atlassian_sim::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewEvent {
    /// What happened.
    pub action: String,
    /// How much older the event is than its place in the log.
    pub late_by: Duration,
    /// `actor`; `None`: the first user.
    pub actor: Option<Value>,
    /// What was acted on, as the API shows it.
    pub context: Vec<Value>,
    /// Where, as the API shows it.
    pub container: Vec<Value>,
    /// Members of the event or of its `attributes` that are missing, for example `id` or `time`.
    pub missing: Vec<String>,
}

impl NewEvent {
    /// An event that names nothing but its action.
    pub fn of(action: impl Into<String>) -> Self {
        Self {
            action: action.into(),
            ..Self::default()
        }
    }
}

/// An object that an event names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TruthSubject {
    /// `type`, if shown.
    pub kind: Option<String>,
    /// `id`, if shown.
    pub id: Option<String>,
}

/// An event of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TruthEvent {
    /// The event's id, whether or not it is shown.
    pub id: String,
    /// Whether the API shows the id.
    pub has_id: bool,
    /// When it happened, if shown, in milliseconds since the epoch.
    pub time_millis: Option<i64>,
    /// When it got into the log, in milliseconds since the epoch.
    pub processed_millis: i64,
    /// What happened, if shown.
    pub action: Option<String>,
    /// Who did it, if shown.
    pub actor_id: Option<String>,
    /// What was acted on.
    pub context: Vec<TruthSubject>,
    /// Where.
    pub container: Vec<TruthSubject>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_even_or_bursts() {
        for (text, count, every) in [
            ("30/min", 1, Duration::from_secs(2)),
            ("4/s", 1, Duration::from_millis(250)),
            ("10000/10m", 10_000, Duration::from_mins(10)),
            ("5/1.5s", 5, Duration::from_millis(1500)),
        ] {
            let rate: EventRate = text.parse().unwrap();
            assert_eq!((rate.count, rate.every), (count, every), "{text}");
        }
        for wrong in [
            "",
            "30",
            "0/min",
            "x/min",
            "-1/s",
            "5/0s",
            "100001/1m",
            "2000000/s",
            "5/h",
        ] {
            let refused = wrong.parse::<EventRate>().unwrap_err().to_string();
            assert!(refused.contains(&format!("`{wrong}`")), "{refused}");
        }
    }
}
