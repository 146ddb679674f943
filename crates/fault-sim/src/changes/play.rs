//! Plays a plan of changes, and judges each of them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use atlassian_sim::{Config, RateLimits, RequestRecord, Simulator};
use baton_atlassian::Settings;
use baton_c1z::Format;
use baton_connector::http::{HttpParts, HttpSettings};
use baton_connector::{
    BuiltConnector, Error, Operation, Outcome, Provisioning as _, Secret, SplitMix,
};
use baton_proto::{Code, causes};
use baton_runtime::{Recorded, Recorder};
use baton_sync::{Blocking, Silent, SyncHost, SyncRequest, Workers};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::notes::{Noted, Notes};
use super::plan::{ChangePlan, Step, Trouble};
use super::subjects::{About, Fact, Subjects, facts};
use crate::disk::Disk;
use crate::network::{Network, SimulatedClock};
use crate::plan::Mishap;
use crate::play::{BEGIN, Judged, PATIENCE, Violation, folder, violated};
use crate::random::Dice;

/// After this time every change shows.
const SETTLED: Duration = Duration::from_mins(2);

/// Plays a plan in a runtime of its own, whose time is simulated, and returns
/// how each change ended. Equal for equal plans.
///
/// # Errors
/// The first thing that must not happen.
pub fn play_changes(plan: &ChangePlan) -> Judged<Vec<String>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    let runtime = runtime.map_err(|e| Violation(format!("no runtime: {e}")))?;
    runtime.block_on(play_all(plan))
}

/// Takes steps and troubles out of a failing plan one by one, as long as it
/// still fails, and returns what is left with how that fails.
pub fn shrink_changes(plan: ChangePlan, violation: Violation) -> (ChangePlan, Violation) {
    let (mut plan, mut violation) = (plan, violation);
    loop {
        let failing = plan.smaller().into_iter().find_map(|smaller| {
            let found = play_changes(&smaller).err()?;
            Some((smaller, found))
        });
        match failing {
            Some(smaller) => (plan, violation) = smaller,
            None => return (plan, violation),
        }
    }
}

async fn play_all(plan: &ChangePlan) -> Judged<Vec<String>> {
    let begin = UNIX_EPOCH + BEGIN;
    let clock = SimulatedClock::starting_at(begin);
    let base = jiff::Timestamp::try_from(begin).unwrap_or_default();
    let simulator = Simulator::new(Config {
        organization: plan.organization.clone(),
        clock: atlassian_sim::Clock::starting_at(base),
        limits: RateLimits::off(),
        visibility_delay: plan.visible_after,
        writes: plan.writes.clone(),
        ..Config::default()
    });
    let simulator = simulator.map_err(|e| Violation(format!("no simulator: {e}")))?;
    let disk = Disk::default();
    let dice = Dice::new(plan.seed, 13);
    let network = Network::to(simulator.clone(), clock, disk.clone(), plan.delay, dice);
    let world = World {
        plan,
        simulator,
        clock,
        disk,
        network,
    };
    world.play().await
}

struct World<'a> {
    plan: &'a ChangePlan,
    simulator: Simulator,
    clock: SimulatedClock,
    disk: Disk,
    network: Network,
}

/// What a change left behind.
struct Left {
    before: BTreeSet<Fact>,
    after: BTreeSet<Fact>,
    /// The writes that the server saw before it.
    sent_before: usize,
    /// Those of the change.
    writes: Vec<RequestRecord>,
    /// The results; `None` if the process was killed.
    results: Option<Vec<Result<(), Error>>>,
    noted: Vec<Noted>,
}

impl World<'_> {
    async fn play(&self) -> Judged<Vec<String>> {
        let rows = self.listed().await?;
        let subjects = Subjects::of(rows, &self.simulator.settled_truth());
        let mut endings = Vec::new();
        let mut process: Option<BuiltConnector> = None;
        let mut last: Option<(About, Operation)> = None;
        for (step, number) in self.plan.steps.iter().zip(1..) {
            let Some(about) = subjects.pick(step, last.as_ref().map(|(about, _)| about)) else {
                continue;
            };
            if !step.same_process {
                process = None;
            }
            let ending = self.step(step, &about, number, &mut process).await;
            endings.push(
                ending.map_err(|violation| Violation(format!("step {number}: {violation}")))?,
            );
            last = Some((about, step.operation));
        }
        if let Some((about, operation)) = last {
            let calm = Step::calm(operation);
            let ending = self.step(&calm, &about, 100, &mut None).await;
            endings
                .push(ending.map_err(|violation| Violation(format!("undisturbed: {violation}")))?);
        }
        Ok(endings)
    }

    /// Makes a change and judges it; in words.
    async fn step(
        &self,
        step: &Step,
        about: &About,
        number: u64,
        process: &mut Option<BuiltConnector>,
    ) -> Judged<String> {
        let connector = match process.take() {
            Some(connector) => connector,
            None => {
                sleep(SETTLED).await;
                self.connector(number)?
            }
        };
        let left = self.change(step, about, &connector).await?;
        if left.results.is_some() {
            *process = Some(connector);
        }
        left.judge(step, about)
            .map_err(|violation| Violation(format!("{}: {violation}", about.grant.id)))
    }

    async fn change(&self, step: &Step, about: &About, connector: &BuiltConnector) -> Judged<Left> {
        let before = facts(&self.simulator.settled_truth());
        let sent_before = self.simulator.writes().len();
        let mut mishaps = Vec::new();
        for trouble in &step.troubles {
            mishaps.extend(trouble.faults().into_iter().map(Mishap::Server));
            match trouble {
                Trouble::KillAt(at) => mishaps.push(Mishap::KillAt(*at, false)),
                Trouble::StopAt(at) => mishaps.push(Mishap::StopAt(*at)),
                Trouble::Write(..) | Trouble::Read(..) => {}
            }
        }
        self.disk.start(Vec::new(), false);
        let stop = self.network.start(&mishaps);
        let notes = [Notes::new(&self.simulator), Notes::new(&self.simulator)];
        let one = ask(step, about, connector, &notes[0], &stop);
        let run = async {
            if step.twice {
                let two = ask(step, about, connector, &notes[1], &stop);
                let (one, two) = tokio::join!(one, two);
                vec![one, two]
            } else {
                vec![one.await]
            }
        };
        let results = tokio::select! {
            biased;
            () = self.disk.until_killed() => None,
            () = sleep(PATIENCE) => return violated("the change neither ends nor fails"),
            results = run => Some(results),
        };
        self.network.start(&[]);
        Ok(Left {
            before,
            after: facts(&self.simulator.settled_truth()),
            sent_before,
            writes: self.simulator.writes().split_off(sent_before),
            results,
            noted: notes.iter().map(|notes| notes.noted()).collect(),
        })
    }

    fn connector(&self, number: u64) -> Judged<BuiltConnector> {
        let settings = Settings::new(
            Secret::new(self.simulator.access_token()),
            self.simulator.organization_id(),
            "http://simulated.test/admin",
        );
        let settings = settings.map_err(|e| Violation(e.to_string()))?;
        let random = self.plan.seed.wrapping_mul(1000).wrapping_add(number);
        let parts = HttpParts {
            clock: Arc::new(self.clock),
            ..HttpParts::new(Arc::new(self.network.clone()), random)
        };
        let connector = baton_atlassian::connector(&settings, parts, HttpSettings::default());
        connector.map_err(|e| Violation(e.to_string()))
    }

    /// What a sync shows before anything is changed.
    async fn listed(&self) -> Judged<Recorded> {
        let folder = folder().map_err(|e| Violation(format!("the test's own disk: {e}")))?;
        let recorder = Arc::new(Recorder::new(Arc::new(self.connector(0)?)));
        let mut request = SyncRequest::new(folder.path().join("sync.c1z"));
        request.workers = Workers::Sequential;
        request.blocking = Blocking::Inline;
        request.format = Some(Format::V3);
        let host = SyncHost {
            clock: Arc::new(self.clock),
            random: Arc::new(SplitMix::seeded(self.plan.seed)),
            cancel: CancellationToken::new(),
            observer: Arc::new(Silent),
        };
        let shown = baton_sync::run(Arc::clone(&recorder) as _, request, host).await;
        match shown {
            Ok(_) => Ok(recorder.take()),
            Err(error) => violated(format!("no sync: {}", causes::one_line(&error))),
        }
    }
}

async fn ask(
    step: &Step,
    about: &About,
    connector: &BuiltConnector,
    notes: &Arc<Notes>,
    stop: &CancellationToken,
) -> Result<(), Error> {
    let call = notes.call(step.dry_run, stop);
    match step.operation {
        Operation::Grant => {
            let granted = connector.grant(&call, &about.entitlement, &about.principal);
            granted.await.map(drop)
        }
        _ => connector.revoke(&call, &about.grant).await.map(drop),
    }
}

/// Violated unless something holds.
fn must(holds: bool, what: impl FnOnce() -> String) -> Judged<()> {
    if holds { Ok(()) } else { violated(what()) }
}

impl Left {
    fn judge(&self, step: &Step, about: &About) -> Judged<String> {
        self.judge_state(step, about)?;
        self.judge_writes(step, about)?;
        let calls = if step.twice { 2 } else { 1 };
        let mut words = Vec::new();
        for (call, noted) in self.noted.iter().take(calls).enumerate() {
            let result = self.results.as_ref().map(|results| &results[call]);
            self.judge_call(step, about, result, noted)
                .map_err(|violation| {
                    let text = result
                        .map(|result| result.as_ref().map_err(|error| causes::one_line(error)));
                    Violation(format!("{violation} ({text:?}, {noted:?})"))
                })?;
            words.push(match result {
                None => "killed".to_owned(),
                Some(Ok(())) => format!("done {:?}", noted.ends),
                Some(Err(error)) => format!("{:?} {:?}", error.code(), noted.ends),
            });
        }
        Ok(words.join(", "))
    }

    fn is_wanted(&self, state: &BTreeSet<Fact>, step: &Step, about: &About) -> bool {
        let _ = self;
        let held = about.facts.iter().any(|fact| state.contains(fact));
        held == (step.operation == Operation::Grant)
    }

    /// Nothing differs but what the change is about, and that in its direction.
    fn judge_state(&self, step: &Step, about: &About) -> Judged<()> {
        for fact in self.before.symmetric_difference(&self.after) {
            let there = self.after.contains(fact);
            let wanted = step.operation == Operation::Grant;
            must(about.facts.contains(fact) && there == wanted, || {
                format!("`{fact}` is {there} now")
            })?;
        }
        let known =
            |end: &(Outcome, Code, usize)| !matches!(end.0, Outcome::Partial | Outcome::Unknown);
        let whole = self.results.is_some() && self.noted.iter().flat_map(|n| &n.ends).all(known);
        must(
            !whole || self.after == self.before || self.is_wanted(&self.after, step, about),
            || "it is neither as before nor as wanted".to_owned(),
        )
    }

    fn judge_writes(&self, step: &Step, about: &About) -> Judged<()> {
        let intents: Vec<_> = self.noted.iter().flat_map(|n| &n.intents).collect();
        must(intents.iter().all(|at| **at >= self.sent_before), || {
            "an intent is out of order".to_owned()
        })?;
        let first = intents.iter().min();
        must(
            self.writes.is_empty() || first == Some(&&self.sent_before),
            || format!("writes without an intent: {:?}", self.writes),
        )?;
        must(!step.dry_run || self.writes.is_empty(), || {
            format!("a dry run wrote: {:?}", self.writes)
        })?;
        let most = about.facts.len();
        let effects = self.writes.iter().filter(|write| write.changed).count();
        must(effects <= most, || format!("{effects} effects"))?;
        // What was refused for its pace was not carried out.
        let sent = self.writes.iter().filter(|write| write.status != 429);
        let (sent, calls) = (sent.count(), if step.twice { 2 } else { 1 });
        must(sent <= 2 * calls * most, || {
            format!("{sent} writes: {:?}", self.writes)
        })
    }

    /// The result for one caller agrees with the record and with the organization.
    fn judge_call(
        &self,
        step: &Step,
        about: &About,
        result: Option<&Result<(), Error>>,
        noted: &Noted,
    ) -> Judged<()> {
        let fails = |what: &str| Err(Violation(what.to_owned()));
        let wanted = self.is_wanted(&self.after, step, about);
        if noted.plans.len() > 1 || noted.intents.len() > noted.plans.len() {
            return fails("an intent without a plan");
        }
        if noted.plans == [true] && !noted.intents.is_empty() {
            return fails("a refused change was begun");
        }
        if let Some((outcome, code, grants)) = noted.ends.first() {
            let agrees = match outcome {
                Outcome::Done => wanted && *grants > 0,
                Outcome::Already => wanted && *grants == 0,
                Outcome::Failed => step.twice || self.after == self.before,
                Outcome::Partial | Outcome::Unknown => *grants == 0,
                _ => false,
            };
            if !agrees {
                return fails("the outcome is not what is");
            }
            if result.is_some_and(|result| code_of(result) != *code) {
                return fails("the outcome has another code than the result");
            }
        }
        let Some(result) = result else {
            return Ok(());
        };
        if noted.ends.len() != noted.intents.len() {
            return fails("an intent without an outcome");
        }
        match (result, noted.ends.first().map(|end| end.0)) {
            (Ok(()), _) if step.dry_run => Ok(()),
            (Ok(()), _) if !wanted => fails("success, and it is not as wanted"),
            (Ok(()), None | Some(Outcome::Done | Outcome::Already)) => Ok(()),
            (Ok(()), Some(_)) => fails("success, and the outcome is another"),
            // What is found after the last write does not undo it.
            (Err(error), Some(Outcome::Done))
                if !error.to_string().starts_with("the change was made") =>
            {
                fails("an error, and the outcome is success")
            }
            (Err(_), Some(Outcome::Already)) => fails("an error, and it was so already"),
            (Err(error), outcome) if step.troubles.is_empty() => match error.code() {
                _ if outcome == Some(Outcome::Unknown) => fails("unknown without any trouble"),
                Code::Unavailable | Code::Internal | Code::Unknown | Code::DeadlineExceeded => {
                    fails("an error without any trouble")
                }
                _ => Ok(()),
            },
            (Err(_), _) => Ok(()),
        }
    }
}

fn code_of(result: &Result<(), Error>) -> Code {
    result.as_ref().map_or_else(Error::code, |()| Code::Ok)
}
