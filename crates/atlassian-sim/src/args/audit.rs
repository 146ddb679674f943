//! Flags about the audit log.

use std::time::Duration;

use atlassian_sim::{Audit, EventFlaws, EventRate, parse_duration};
use clap::Args;

/// How the audit log behaves.
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// Adds audit events of all kinds while it runs: `30/min`, `5/s`, or a burst every so often, `10000/10m`; may be repeated
    #[arg(long = "event-rate", value_name = "RATE")]
    rates: Vec<EventRate>,
    /// About every n-th added event is late: its time is 20 minutes to 3 days before its place in the log
    #[arg(long, default_value_t = 0, value_name = "N", requires = "rates")]
    late_events: u32,
    /// How long a cursor of the event stream is valid (default: for ever)
    #[arg(long, value_parser = parse_duration, value_name = "TIME")]
    event_cursor_lifetime: Option<Duration>,
    /// Refuses every request about audit events with 403, as for a plan without an audit log
    #[arg(long)]
    no_audit_log: bool,
    /// About every n-th audit event has no id
    #[arg(long, default_value_t = 0, value_name = "N")]
    events_without_id: u32,
    /// About every n-th audit event has no time
    #[arg(long, default_value_t = 0, value_name = "N")]
    events_without_time: u32,
    /// About every n-th audit event has no action
    #[arg(long, default_value_t = 0, value_name = "N")]
    events_without_action: u32,
    /// About every n-th audit event has no actor
    #[arg(long, default_value_t = 0, value_name = "N")]
    events_without_actor: u32,
    /// About every n-th audit event names what it is about without ids
    #[arg(long, default_value_t = 0, value_name = "N")]
    events_without_context_ids: u32,
}

impl AuditArgs {
    /// The habits of the audit log.
    pub fn audit(self) -> Audit {
        Audit {
            absent: self.no_audit_log,
            dated_by_clock: true,
            growth: self.rates,
            late_every: self.late_events,
            cursor_lifetime: self.event_cursor_lifetime,
            flaws: EventFlaws {
                no_id: self.events_without_id,
                no_time: self.events_without_time,
                no_action: self.events_without_action,
                no_actor: self.events_without_actor,
                no_context_ids: self.events_without_context_ids,
            },
        }
    }
}
