//! The audit log in memory: about sixty bytes per event, everything else derived when an event is shown.
//!
//! The log is in processing order, which is the order of the stream: an event with an old time can be the newest entry.

use std::time::Duration;

use super::Organization;
use crate::audit::{MAX_LOGGED_EVENTS, NewEvent};
use crate::clock::DATA_DATE_SECONDS;
use crate::generate;
use crate::model::step::Step;
use crate::random::{below, draw};

/// How long an event takes to get into the log when nothing delays it.
pub(crate) const PROCESSING_MILLIS: u64 = 877;
/// Late events are between this much and [`LATEST_MILLIS`] older than their place in the log.
const LATE_MILLIS: u64 = 20 * 60_000;
const LATEST_MILLIS: u64 = 3 * 86_400_000;

/// An entry of the log.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub at_millis: i64,
    /// Milliseconds from the event to its place in the log.
    pub processing_millis: u64,
    pub action: &'static str,
    pub actor: u32,
    pub subject: Subject,
}

impl Event {
    pub(crate) fn processed_millis(&self) -> i64 {
        let delay = i64::try_from(self.processing_millis).unwrap_or(i64::MAX);
        self.at_millis.saturating_add(delay)
    }

    /// The action as it is shown.
    pub(crate) fn action(&self) -> &str {
        match &self.subject {
            Subject::Own(own) => &own.action,
            _ => self.action,
        }
    }
}

/// What an audit event is about.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Subject {
    User(u32),
    Group(u32),
    Membership {
        user: u32,
        group: u32,
    },
    UserRole {
        user: u32,
        resource: u32,
        role: u16,
    },
    GroupRole {
        group: u32,
        resource: u32,
        role: u16,
    },
    Token(u32),
    Key(u32),
    /// A user in a place, which is the event's container: a product, a site or the organization.
    Within {
        user: u32,
        resource: u32,
    },
    /// A product, which is the event's container; the context is empty.
    Product(u32),
    /// A user by e-mail and name alone.
    EmailOnly(u32),
    /// An object of a kind that no client knows.
    Unknown(u32),
    Nothing,
    /// Whatever the caller gave.
    Own(Box<NewEvent>),
}

/// Events that the log gets by itself, by the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Growth {
    /// Events that come together.
    pub count: u32,
    /// Time between two such moments.
    pub every: Duration,
    /// About every n-th event is late; 0: none.
    pub late_every: u32,
    /// A number of its own for each growth, so that their draws differ.
    pub purpose: u64,
}

impl Organization {
    pub(super) fn record(&mut self, elapsed: Duration, action: &'static str, subject: Subject) {
        self.record_late(elapsed, elapsed, action, subject);
    }

    /// Writes an event of the time `accepted` into the log at the time `visible`.
    pub(super) fn record_late(
        &mut self,
        accepted: Duration,
        visible: Duration,
        action: &'static str,
        subject: Subject,
    ) {
        let late = visible.saturating_sub(accepted).as_millis();
        let late = u64::try_from(late).unwrap_or(u64::MAX);
        self.log(Event {
            at_millis: self.log_millis(accepted),
            processing_millis: PROCESSING_MILLIS.saturating_add(late),
            action,
            actor: 0,
            subject,
        });
    }

    /// The date that the log shows for a time of the clock.
    fn log_millis(&self, elapsed: Duration) -> i64 {
        let elapsed = i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX / 2);
        self.log_base_millis.saturating_add(elapsed)
    }

    /// Appends to the log while it has room.
    fn log(&mut self, event: Event) {
        if self.events.len() < MAX_LOGGED_EVENTS as usize {
            self.events.push(event);
        }
    }

    /// Writes the events of a caller into the log, in their order.
    pub(crate) fn add_events(&mut self, events: &[NewEvent], elapsed: Duration) {
        let now = self.log_millis(elapsed);
        for event in events {
            let late = u64::try_from(event.late_by.as_millis()).unwrap_or(0);
            self.log(Event {
                at_millis: now.saturating_sub(i64::try_from(late).unwrap_or(i64::MAX)),
                processing_millis: PROCESSING_MILLIS.saturating_add(late),
                action: "",
                actor: 0,
                subject: Subject::Own(Box::new(event.clone())),
            });
        }
    }

    /// Writes invented events of all kinds into the log.
    pub(crate) fn invent_events(&mut self, growth: Growth, from: u64, elapsed: Duration) {
        let now = self.log_millis(elapsed);
        for number in from..from.saturating_add(u64::from(growth.count)) {
            let word = draw(self.seed, growth.purpose, number);
            let is_late =
                growth.late_every > 0 && word.is_multiple_of(u64::from(growth.late_every));
            let late = if is_late {
                LATE_MILLIS + below(word.rotate_left(23), LATEST_MILLIS - LATE_MILLIS)
            } else {
                0
            };
            let (action, actor, subject) = generate::event(self, word);
            self.log(Event {
                at_millis: now.saturating_sub(i64::try_from(late).unwrap_or(0)),
                processing_millis: PROCESSING_MILLIS + late,
                action,
                actor,
                subject,
            });
        }
    }

    /// Lets the log grow by itself from now on.
    pub(crate) fn grow(&mut self, growth: Growth) {
        self.plan_growth(growth, 1);
    }

    /// Schedules the moment with the given number, counted from 1.
    fn plan_growth(&mut self, growth: Growth, moment: u32) {
        let at = growth.every.saturating_mul(moment);
        self.postpone(Step::GrowLog(growth, moment), at, at);
    }

    /// Makes the log grow, and schedules the next time.
    pub(super) fn grow_log(&mut self, growth: Growth, moment: u32) {
        let before = u64::from(moment.saturating_sub(1)) * u64::from(growth.count);
        let at = growth.every.saturating_mul(moment);
        self.invent_events(growth, before, at);
        if let Some(next) = moment.checked_add(1)
            && self.events.len() < MAX_LOGGED_EVENTS as usize
        {
            self.plan_growth(growth, next);
        }
    }
}

/// The date that the log's own dates are relative to.
pub(crate) const DATA_DATE_MILLIS: i64 = DATA_DATE_SECONDS * 1000;
