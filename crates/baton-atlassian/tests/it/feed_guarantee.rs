//! What the event feed promises, under random changes, late events, kills and
//! refused cursors: nothing is lost while the server accepts the cursor, nothing
//! is repeated after a clean end, and after a kill the last page at most.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use atlassian_sim::{
    Audit, Clock as SimClock, Config, NewEvent, NewUser, OrganizationSpec, RateLimits, Simulator,
    TruthEvent,
};
use baton_atlassian::{Settings, connector};
use baton_connector::http::{HttpParts, HttpSettings};
use baton_connector::{BuiltConnector, Clock, Connector as _, Run, Secret, v2};
use serde_json::json;

use crate::in_process::InProcess;

const FEED: &str = "atlassian_audit_log";
/// Events that arrive later than this may be missing after a refused cursor.
const OVERLAP_MILLIS: i64 = 600_000;
/// Ids that a cursor remembers.
const REMEMBERED: usize = 200;

/// The simulator's clock as the connector's.
#[derive(Debug)]
pub(crate) struct Follow(pub SimClock);

impl Clock for Follow {
    fn now(&self) -> SystemTime {
        let millis = self.0.now().as_millisecond().unsigned_abs();
        SystemTime::UNIX_EPOCH + Duration::from_millis(millis)
    }
}

struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ (x >> 31)) % bound
    }

    fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[usize::try_from(self.below(all.len() as u64)).unwrap()]
    }
}

/// What happened in all runs, so that the test cannot pass by doing nothing.
#[derive(Debug, Default)]
struct Tally {
    again_after_kill: usize,
    refusals: usize,
    again_after_refusal: usize,
    missing: usize,
    late: usize,
}

struct Reader {
    sim: Simulator,
    connector: BuiltConnector,
    /// The stored cursor.
    cursor: String,
    /// Audit ids in the order of their first delivery.
    delivered: Vec<String>,
    known: BTreeSet<String>,
    /// Audit ids whose page's cursor was stored, the newest last.
    committed: Vec<String>,
    /// Ids that a kill lets come again, and those that a refused cursor does.
    after_kill: BTreeSet<String>,
    after_refusal: BTreeSet<String>,
    /// Whether the server knows the stored cursor.
    accepted: bool,
    /// Events before this time may be missing.
    may_miss_before: i64,
    tally: Tally,
}

fn begin(seed: u64) -> Reader {
    let clock = SimClock::starting_at("2026-11-23T20:31:15.5Z".parse().unwrap());
    let sim = Simulator::new(Config {
        organization: OrganizationSpec {
            users: 12,
            groups: 3,
            seed,
            events: Some(0),
            odd_data: false,
            ..OrganizationSpec::default()
        },
        clock,
        limits: RateLimits::off(),
        audit: Audit {
            dated_by_clock: true,
            ..Audit::default()
        },
        ..Config::default()
    })
    .unwrap();
    Reader {
        connector: built(&sim, clock),
        sim,
        cursor: String::new(),
        delivered: Vec::new(),
        known: BTreeSet::new(),
        committed: Vec::new(),
        after_kill: BTreeSet::new(),
        after_refusal: BTreeSet::new(),
        accepted: true,
        may_miss_before: i64::MIN,
        tally: Tally::default(),
    }
}

/// The connector on a simulator.
pub(crate) fn built(sim: &Simulator, clock: SimClock) -> BuiltConnector {
    let key = Secret::new(sim.access_token());
    let base = "http://simulated.test/admin";
    let settings = Settings::new(key, sim.organization_id(), base).unwrap();
    let mut parts = HttpParts::new(Arc::new(InProcess(sim.clone())), 1);
    parts.clock = Arc::new(Follow(clock));
    connector(&settings, parts, HttpSettings::default()).unwrap()
}

impl Reader {
    /// One page: `true` if there are more. A killed reader has printed it and
    /// not stored its cursor.
    async fn page(&mut self, size: u32, killed: bool) -> bool {
        if !self.accepted {
            self.expect_restart();
        }
        let request = v2::ListEventsRequest {
            cursor: self.cursor.clone(),
            page_size: size,
            event_feed_id: FEED.to_owned(),
            ..v2::ListEventsRequest::default()
        };
        let feeds = self.connector.event_feeds().unwrap();
        let call = Run::begin(None).call();
        let page = feeds.list_events(&call, &request).await.unwrap();
        let mut own = BTreeSet::new();
        let mut sources: Vec<String> = Vec::new();
        for event in &page.events {
            assert!(own.insert(&event.id), "{} is twice in a page", event.id);
            let source = event.id.split('#').next().unwrap();
            if sources.last().is_none_or(|last| last != source) {
                sources.push(source.to_owned());
            }
        }
        // The server's cursor keeps the size of the first page.
        assert!(sources.len() <= 100);
        for source in &sources {
            self.take(source);
        }
        if killed {
            self.after_kill.extend(sources);
        } else {
            let new = |id: &&String| !self.committed.contains(id);
            let new: Vec<String> = sources.iter().filter(new).cloned().collect();
            self.committed.extend(new);
            self.cursor = page.cursor;
            self.accepted = true;
        }
        page.has_more
    }

    fn log(&self) -> BTreeMap<String, TruthEvent> {
        let all = self.sim.audit_log().into_iter();
        all.map(|event| (event.id.clone(), event)).collect()
    }

    /// Takes an event; one that came before must have a reason.
    fn take(&mut self, id: &str) {
        if self.known.insert(id.to_owned()) {
            self.delivered.push(id.to_owned());
        } else if self.after_kill.remove(id) {
            self.tally.again_after_kill += 1;
        } else {
            assert!(self.after_refusal.remove(id), "{id} came again");
            self.tally.again_after_refusal += 1;
        }
    }

    /// What may come again, and what may be missing, because the server does not
    /// know the stored cursor.
    fn expect_restart(&mut self) {
        let log = self.log();
        self.tally.refusals += 1;
        let newest = self.committed.iter().map(|id| log[id].processed_millis);
        let Some(newest) = newest.max() else {
            return;
        };
        let from = newest - OVERLAP_MILLIS;
        self.may_miss_before = self.may_miss_before.max(from);
        let forgotten = self.committed.len().saturating_sub(REMEMBERED);
        let again = self.committed[..forgotten].iter();
        let again = again.filter(|id| log[*id].time_millis.unwrap() >= from);
        self.after_refusal.extend(again.cloned());
    }

    /// Changes the organization at random.
    fn change(&mut self, dice: &mut Dice) {
        let truth = self.sim.truth();
        let org = self.sim.organization();
        match dice.below(8) {
            0 | 1 => {
                let group = &dice.one_of(&truth.groups).id;
                let user = &dice.one_of(&truth.users).account_id;
                // A user of another directory cannot be a member.
                if !org.add_member(group, user).unwrap_or(false) {
                    let _ = org.remove_member(group, user);
                }
            }
            2 => {
                let name = format!("kim{}", dice.below(1 << 40));
                let user = NewUser::named(&name, format!("{name}@acme.test"));
                org.add_user(user).unwrap();
            }
            3 | 4 => {
                let user = &dice.one_of(&truth.users).account_id;
                let late_by = Duration::from_secs(dice.below(1800));
                self.tally.late += 1;
                self.sim.add_events([NewEvent {
                    late_by,
                    context: vec![json!({ "id": user, "type": "users" })],
                    ..NewEvent::of("user_updated")
                }]);
            }
            5 => {
                self.sim.invent_events(dice_count(dice, 300));
            }
            _ => {
                self.sim.invent_events(dice_count(dice, 12));
            }
        }
    }

    /// Everything is delivered but what may be missing; and now nothing comes.
    async fn finish(mut self, seed: u64) -> Tally {
        while self.page(50, false).await {}
        let before = self.delivered.len();
        assert!(!self.page(50, false).await, "seed {seed}");
        assert_eq!(self.delivered.len(), before, "seed {seed}");
        assert!(self.after_kill.is_empty() || self.tally.refusals > 0);
        for event in self.sim.audit_log() {
            if !self.known.remove(&event.id) {
                let time = event.time_millis.unwrap();
                assert!(time < self.may_miss_before, "seed {seed}: {event:?}");
                self.tally.missing += 1;
            }
        }
        assert!(self.known.is_empty(), "seed {seed}: {:?}", self.known);
        self.tally
    }
}

fn dice_count(dice: &mut Dice, most: u64) -> u32 {
    u32::try_from(1 + dice.below(most)).unwrap()
}

async fn run(seed: u64, with_refusals: bool) -> Tally {
    let mut dice = Dice(seed);
    let mut reader = begin(seed);
    for _ in 0..40 {
        tokio::time::advance(Duration::from_millis(1)).await;
        match dice.below(10) {
            0..=4 => reader.change(&mut dice),
            5 => {
                let seconds = dice.below(900);
                tokio::time::advance(Duration::from_secs(seconds)).await;
            }
            6 if with_refusals => {
                reader.sim.forget_event_cursors();
                reader.accepted = reader.cursor.is_empty();
            }
            _ => {
                let size = *dice.one_of(&[1, 7, 40, 100]);
                let mut left = dice.below(6);
                loop {
                    let killed = dice.below(5) == 0;
                    let more = reader.page(size, killed).await;
                    if killed || !more || left == 0 {
                        break;
                    }
                    left -= 1;
                }
            }
        }
    }
    reader.finish(seed).await
}

#[tokio::test(start_paused = true)]
async fn while_the_server_accepts_the_cursor_nothing_is_lost_or_repeated_but_by_a_kill() {
    let (mut again, mut late) = (0, 0);
    for seed in 0..25 {
        let tally = run(seed, false).await;
        assert_eq!(tally.refusals + tally.missing, 0, "seed {seed}: {tally:?}");
        again += tally.again_after_kill;
        late += tally.late;
    }
    assert!(again > 25 && late > 25, "{again} {late}");
}

#[tokio::test(start_paused = true)]
async fn after_a_refused_cursor_only_what_is_documented_is_lost_or_repeated() {
    let (mut refusals, mut again, mut missing) = (0, 0, 0);
    for seed in 0..25 {
        let tally = run(1000 + seed, true).await;
        refusals += tally.refusals;
        again += tally.again_after_refusal;
        missing += tally.missing;
    }
    assert!(refusals > 25, "{refusals}");
    assert!(again > 0 && missing > 0, "{again} {missing}");
}
