//! One bucket of the limiter: what it knows about a limit, and what follows.
//!
//! Where the server announces its quota, the budget is a share of it: what
//! others use of the quota counts, the first half of a period's budget is
//! free, and the rest is spread until the reset. Where it announces nothing,
//! `adaptive` finds a pace. Announcements are outside data: what contradicts itself
//! is cut to what is possible, and a reset that is past or absurdly far ahead
//! is not believed.

use std::time::Duration;

use tokio::time::Instant;

use super::adaptive::{AdaptivePace, Observation};
use super::limiter::{Admission, Answered};
use super::period::{Period, SHORT_PERIOD, WOBBLE};
use super::rate_headers::{AnnouncedWait, RateHeaders};
use crate::traffic::{AnnouncedLimit, ThrottledBy, WaitReason};

/// What was announced longer ago than this is asked about again.
const LONGEST_QUOTA_WAIT: Duration = Duration::from_mins(15);

/// Requests are spread over this part of what is left of a period, so that
/// the last one is answered before it ends.
const SPREAD_OVER: f64 = 0.95;

/// When others leave nothing of the budget, this part of the limit is still
/// ours, as far as there is something left.
const OWN_LEAST: u64 = 20;

/// A shorter wait would be none.
const LEAST_WAIT: Duration = Duration::from_millis(10);

/// A sleeper wakes late; at most so much of the delay is compensated.
const CATCH_UP: Duration = Duration::from_millis(5);

#[derive(Debug, Default)]
pub(super) struct Bucket {
    under_way: u64,
    /// Requests admitted so far; the number of the latest one.
    sent: u64,
    next_at: Option<Instant>,
    pause: Option<(Instant, WaitReason)>,
    /// Since a refusal, when so many were admitted, one request goes first.
    cautious_since: Option<u64>,
    /// What was announced last. It outlives its period, so that the next
    /// announcement can be recognized as the same quota.
    quota: Option<Quota>,
    /// Requests admitted when the quota was found to be over.
    over_at: Option<u64>,
    /// The last answer that counts carried a quota.
    announces: bool,
    period: Period,
    limit: Option<u64>,
    pace: AdaptivePace,
}

#[derive(Debug, Clone, Copy)]
struct Quota {
    limit: u64,
    /// What is left once the requests up to `as_of` are counted.
    remaining: u64,
    as_of: u64,
    /// Requests admitted before this period.
    sent_before: u64,
    learned_at: Instant,
    resets_at: Instant,
    expires_at: Instant,
}

impl Bucket {
    pub(super) fn admit(&mut self, now: Instant, share: f64) -> Admission {
        self.pause = self.pause.filter(|(until, _)| *until > now);
        let quota = self.live(now);
        if quota.is_none() {
            self.over_at.get_or_insert(self.sent);
        }
        if let Some((until, reason)) = self.pause {
            return Admission::NotBefore(until, reason);
        }
        if self.cautious_since.is_some() && self.under_way > 0 {
            return Admission::AfterAnAnswer;
        }
        let spacing = match quota {
            Some(quota) => match quota.spacing(self.sent, self.period.is_short(), now, share) {
                Some(spacing) => spacing,
                None => {
                    let until = quota.resets_at.min(quota.expires_at);
                    return Admission::NotBefore(
                        until.max(now + LEAST_WAIT),
                        WaitReason::QuotaSpent,
                    );
                }
            },
            // A new period: one request asks what it holds.
            None if self.announces && self.under_way > 0 => return Admission::AfterAnAnswer,
            None if self.announces => Duration::ZERO,
            None if self.under_way >= self.pace.width() => return Admission::AfterAnAnswer,
            None => self.pace.spacing(),
        };
        // The spacing of now counts, not that of when the slot was set.
        let due = self.next_at.map_or(now, |at| at.min(now + spacing));
        if due > now {
            return Admission::NotBefore(due, WaitReason::Paced);
        }
        self.next_at = Some(next_slot(Some(due), now, spacing));
        self.under_way += 1;
        self.sent += 1;
        Admission::Go(self.sent)
    }

    pub(super) fn finished(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
    }

    pub(super) fn pause(&mut self, until: Instant, reason: WaitReason) {
        if self.pause.is_none_or(|(known, _)| known < until) {
            self.pause = Some((until, reason));
        }
    }

    /// An answer arrived.
    pub(super) fn learn(&mut self, answer: Answered, announced: &RateHeaders) {
        let Answered {
            number,
            now,
            status,
            took,
        } = answer;
        let announces = self.learn_quota(number, now, announced);
        let seen = Observation {
            number,
            sent: self.sent,
            under_way: self.under_way,
            now,
            took,
        };
        if status == 429 {
            self.cautious_since = Some(self.sent);
            self.pace.refused(seen, announced.refusal_wait());
        } else if status < 500 {
            if self.cautious_since.is_some_and(|since| number > since) {
                self.cautious_since = None;
            }
            self.pace.answered(seen);
            if announces {
                self.announces = true;
            } else if !self.is_of_a_period_before(number, now) && self.live(now).is_none() {
                self.announces = false;
                self.quota = None;
            }
        }
    }

    /// What the server announced: the last limit, and the period as far as
    /// resets have shown it.
    pub(super) fn announced_limit(&self) -> Option<AnnouncedLimit> {
        let (period, whole) = self.period.length()?;
        Some(AnnouncedLimit {
            requests: self.limit?,
            period_ms: u64::try_from(period.as_millis()).unwrap_or(u64::MAX),
            whole_period: whole,
        })
    }

    /// What keeps requests back: the announced quota, or a rate that refusals
    /// have shown.
    pub(super) fn throttled_by(&self, now: Instant, share: f64) -> Option<ThrottledBy> {
        let Some(quota) = self.live(now) else {
            let per_minute = self.pace.per_minute()?;
            return Some(ThrottledBy::Refusals { per_minute });
        };
        let limit = self.announced_limit()?;
        let remaining = quota.left(self.sent, self.period.is_short(), now);
        let resets_in = quota.resets_at.saturating_duration_since(now);
        Some(ThrottledBy::Announced {
            limit,
            budget: quota.budget(share),
            used: quota.limit.saturating_sub(remaining),
            resets_in_ms: u64::try_from(resets_in.as_millis()).unwrap_or(u64::MAX),
        })
    }

    /// The quota, as long as it holds.
    fn live(&self, now: Instant) -> Option<Quota> {
        self.quota.filter(|quota| quota.expires_at > now)
    }

    /// The request was sent in a period that is over. An answer without an
    /// announcement is then not about the next period.
    fn is_of_a_period_before(&self, number: u64, now: Instant) -> bool {
        match self.over_at {
            Some(sent) => self.quota.is_some() && number <= sent,
            None => self.quota.is_some() && self.live(now).is_none(),
        }
    }

    fn learn_quota(&mut self, number: u64, now: Instant, announced: &RateHeaders) -> bool {
        let ahead = match announced.reset {
            AnnouncedWait::Past if self.period.is_short() => Some(Duration::ZERO),
            reset => reset.plausible().or(announced.retry_after.plausible()),
        };
        let limit = announced.limit.filter(|limit| *limit > 0);
        let (Some(remaining), Some(ahead)) = (announced.remaining, ahead) else {
            return false;
        };
        self.limit = limit.or(self.limit);
        let remaining = remaining.min(limit.unwrap_or(u64::MAX));
        let resets_at = now + ahead;
        let live = self.live(now);
        let older = live.filter(|known| number < known.as_of);
        if older.is_none() {
            self.period.learn(now, ahead);
        }
        let short = self.period.is_short();
        let same = if short {
            live
        } else {
            self.quota
                .filter(|known| apart(known.resets_at, resets_at) <= WOBBLE)
        };
        if let Some(known) = older {
            // Answers overtake each other: this one knows less.
            if same.is_some() {
                let remaining = known.remaining.min(remaining);
                self.quota = Some(Quota { remaining, ..known });
            }
            return true;
        }
        let at_first = same.map_or(remaining.saturating_add(1), |known| known.limit);
        let least = if short { SHORT_PERIOD } else { LEAST_WAIT };
        self.quota = Some(Quota {
            limit: limit.unwrap_or(at_first),
            remaining,
            as_of: number,
            sent_before: same.map_or(number.saturating_sub(1), |known| known.sent_before),
            learned_at: now,
            resets_at: same.map_or(resets_at, |known| known.resets_at.max(resets_at)),
            expires_at: resets_at.min(now + LONGEST_QUOTA_WAIT).max(now + least),
        });
        self.over_at = None;
        true
    }
}

impl Quota {
    /// Requests of a period that are our share.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a limit: a request more or less is the rounding meant"
    )]
    fn budget(&self, share: f64) -> u64 {
        ((self.limit as f64 * share) as u64).clamp(1, self.limit.max(1))
    }

    /// What is left of the limit, for us and for others.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "what has refilled: a request more or less is the rounding meant"
    )]
    fn left(&self, sent: u64, short: bool, now: Instant) -> u64 {
        let remaining = self
            .remaining
            .saturating_sub(sent.saturating_sub(self.as_of));
        if !short {
            return remaining;
        }
        // It refills while we watch.
        let refilled = now.duration_since(self.learned_at).as_secs_f64() * self.limit as f64;
        remaining.saturating_add(refilled as u64).min(self.limit)
    }

    /// How far apart requests start; `None` when nothing is left for us.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a share of a limit: a request more or less is the rounding meant"
    )]
    fn spacing(&self, sent: u64, short: bool, now: Instant, share: f64) -> Option<Duration> {
        let budget = self.budget(share);
        let reserve = self.limit - budget.min(self.limit);
        let remaining = self.left(sent, short, now);
        let mut usable = remaining.saturating_sub(reserve);
        if usable == 0 {
            let ours = sent.saturating_sub(self.sent_before);
            usable = (self.limit / OWN_LEAST)
                .max(1)
                .saturating_sub(ours)
                .min(remaining);
        }
        if usable == 0 {
            return None;
        }
        if short {
            return Some(Duration::from_secs_f64(1.0 / budget as f64));
        }
        if usable > budget / 2 {
            return Some(Duration::ZERO);
        }
        let left = self.resets_at.saturating_duration_since(now).as_secs_f64();
        Some(Duration::from_secs_f64(left * SPREAD_OVER / usable as f64))
    }
}

/// The slot after an elapsed one; a sleeper that woke late gets a little of the
/// delay back.
pub(super) fn next_slot(due: Option<Instant>, now: Instant, spacing: Duration) -> Instant {
    let forgiven = now.checked_sub(CATCH_UP.min(spacing)).unwrap_or(now);
    due.map_or(now, |due| due.max(forgiven)) + spacing
}

fn apart(a: Instant, b: Instant) -> Duration {
    a.max(b) - a.min(b)
}
